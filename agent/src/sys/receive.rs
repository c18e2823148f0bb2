//! Datagrams in batches, each with its time, its addresses and room for headers before it.
//!
//! `recvmmsg` with 64 datagrams a call was the cheapest way through a UDP socket that was measured: 1.16 times
//! less of the receiving thread than one call a packet, and batches of 256 gained nothing more. What it points
//! to lies in buffers that stay, and the pointers are built anew for each call, so that nothing here refers to itself.

use std::{
    io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsRawFd,
    ptr,
};

use socket2::Socket;

use super::socket;

/// Datagrams that one call can bring.
pub(crate) const BATCH: usize = 64;
/// Datagrams that a call asks for at least.
const LEAST_ASKED: usize = 8;
/// Octets before each datagram that are free to be written: Ethernet, IPv6 and UDP headers.
pub(crate) const HEADROOM_LEN: usize = 14 + 40 + 8;
/// Octets of a datagram that are kept. GWLB's longest has 8568 less its outer headers; some were seen longer.
pub(crate) const DATAGRAM_LEN: usize = 9216;
const SLOT_LEN: usize = HEADROOM_LEN + DATAGRAM_LEN;
/// Room for a time and for the addresses of both families.
const CONTROL_LEN: usize = 128;

/// Control messages must be aligned as their header is.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

/// What is known of a datagram beside its octets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    /// Who sent it. An IPv4 address is never written as an IPv6 one.
    pub(crate) src: SocketAddr,
    /// The address that it was sent to, if the kernel said.
    pub(crate) dst: Option<IpAddr>,
    /// When the kernel received it, nanoseconds since 1970.
    pub(crate) timestamp_ns: i64,
    /// Octets on the wire; more than [`DATAGRAM_LEN`] where the end was not kept.
    pub(crate) wire_len: usize,
}

/// A socket, and the memory into which it receives.
#[derive(Debug)]
pub(crate) struct Receiver {
    socket: Socket,
    slots: Vec<u8>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    metas: Vec<Meta>,
    /// The socket's address, if it has only one.
    own: Option<IpAddr>,
    /// Of the datagrams at hand, those that were handed out.
    given: usize,
    /// Datagrams to ask for: twice as many as came last, because telling the kernel where each can go takes time too.
    asked: usize,
    drops_seen: u32,
}

impl Receiver {
    /// Lets `socket` tell times and addresses.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        socket::set(&socket, libc::SO_TIMESTAMPNS, &1i32)?;
        // Where the socket has one address, that is where everything is sent to, and the kernel need not say so with
        // each datagram.
        let own = socket.local_addr()?.as_socket().map(|address| address.ip());
        let own = own.filter(|address| !address.is_unspecified());
        // A socket of IPv6 that receives IPv4 as well tells those addresses in IPv6's form.
        match (own, socket.domain()?) {
            (Some(_), _) => {}
            (None, socket2::Domain::IPV6) => {
                socket::set_at(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, &1i32)?;
            }
            (None, _) => socket::set_at(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, &1i32)?,
        }
        // SAFETY: a C structure of integers, for which zeroes are a value.
        let no_name: libc::sockaddr_storage = unsafe { mem::zeroed() };
        Ok(Self {
            socket,
            slots: vec![0; BATCH * SLOT_LEN],
            names: vec![no_name; BATCH],
            controls: vec![Control([0; CONTROL_LEN]); BATCH],
            metas: Vec::with_capacity(BATCH),
            own,
            given: 0,
            asked: LEAST_ASKED,
            drops_seen: 0,
        })
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Datagrams that found the buffer full since this was last asked.
    pub(crate) fn dropped(&mut self) -> u64 {
        let Ok(drops) = socket::dropped_datagrams(&self.socket) else { return 0 };
        u64::from(drops.wrapping_sub(mem::replace(&mut self.drops_seen, drops)))
    }

    /// Waits for datagrams, at most as long as the socket's read timeout, and takes what is there. 0 after that
    /// time, and where a signal came.
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        self.metas.clear();
        self.given = 0;
        // SAFETY: both are C structures of integers and pointers, for which zeroes are a value.
        let (mut messages, mut vectors): ([libc::mmsghdr; BATCH], [libc::iovec; BATCH]) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        let (names, controls) = (&mut self.names, &mut self.controls);
        let asked = self.asked;
        for (index, slot) in self.slots.chunks_exact_mut(SLOT_LEN).enumerate().take(asked) {
            let datagram = &mut slot[HEADROOM_LEN..];
            vectors[index] = libc::iovec { iov_base: datagram.as_mut_ptr().cast(), iov_len: datagram.len() };
            let header = &mut messages[index].msg_hdr;
            header.msg_name = ptr::from_mut(&mut names[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
            header.msg_control = controls[index].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_LEN as _;
        }
        // MSG_TRUNC makes the length that of the datagram, not of what was kept of it.
        let flags = libc::MSG_WAITFORONE | libc::MSG_TRUNC;
        // SAFETY: every pointer in `messages` leads to memory that outlives the call and is as long as it says.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                asked as libc::c_uint,
                flags,
                ptr::null_mut(),
            )
        };
        self.asked = (usize::try_from(received).unwrap_or(0) * 2).clamp(LEAST_ASKED, BATCH);
        if received < 0 {
            return nothing_yet(io::Error::last_os_error());
        }
        for (message, name) in messages.iter().zip(&self.names).take(received as usize) {
            self.metas.push(meta(message, name, self.own));
        }
        Ok(self.metas.len())
    }

    /// The datagrams that [`Receiver::receive`] took: what is known of each, and its octets behind
    /// [`HEADROOM_LEN`] free ones. Each is given once, by this iterator or the next.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (&Meta, &mut [u8])> {
        let given = &mut self.given;
        let all = self.metas.iter().zip(self.slots.chunks_exact_mut(SLOT_LEN));
        all.skip(*given).map(|(meta, slot)| {
            *given += 1;
            let len = HEADROOM_LEN + meta.wire_len.min(DATAGRAM_LEN);
            (meta, &mut slot[..len])
        })
    }
}

fn nothing_yet(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut => Ok(0),
        _ => Err(error),
    }
}

fn meta(message: &libc::mmsghdr, name: &libc::sockaddr_storage, own: Option<IpAddr>) -> Meta {
    let mut meta = Meta { src: address(name), dst: own, timestamp_ns: 0, wire_len: message.msg_len as usize };
    read_control(&message.msg_hdr, &mut meta);
    meta
}

fn read_control(header: &libc::msghdr, meta: &mut Meta) {
    // SAFETY: the kernel filled `msg_control` with `msg_controllen` octets of whole control messages, both of
    // which are still alive and unchanged; the macros stay within them.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !control.is_null() {
        // SAFETY: as above; each kind carries the structure read here, which may lie at any address.
        unsafe {
            let data = libc::CMSG_DATA(control);
            match ((*control).cmsg_level, (*control).cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time = data.cast::<libc::timespec>().read_unaligned();
                    meta.timestamp_ns = time.tv_sec * 1_000_000_000 + time.tv_nsec;
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    meta.dst = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    meta.dst = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).to_canonical());
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
}

fn address(name: &libc::sockaddr_storage) -> SocketAddr {
    if libc::c_int::from(name.ss_family) == libc::AF_INET6 {
        // SAFETY: the family says that it is this structure, and a storage is as large and as aligned as any.
        let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
        let address = Ipv6Addr::from(name.sin6_addr.s6_addr).to_canonical();
        return SocketAddr::new(address, u16::from_be(name.sin6_port));
    }
    // SAFETY: as above; a UDP socket knows no third family.
    let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
    let address = Ipv4Addr::from(name.sin_addr.s_addr.to_ne_bytes());
    SocketAddr::new(address.into(), u16::from_be(name.sin_port))
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, time::Duration};

    use super::*;

    fn pair(address: &str, to: &str) -> (Receiver, UdpSocket) {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let sender = UdpSocket::bind((to, 0)).unwrap();
        sender.connect((to, port)).unwrap();
        (Receiver::new(socket.into()).unwrap(), sender)
    }

    fn receive_all(receiver: &mut Receiver) -> Vec<(Meta, Vec<u8>)> {
        let mut all = Vec::new();
        while receiver.receive().unwrap() > 0 {
            all.extend(receiver.datagrams().map(|(meta, slot)| (*meta, slot[HEADROOM_LEN..].to_vec())));
        }
        all
    }

    #[test]
    fn a_batch_brings_octets_addresses_and_times_in_order() {
        for address in ["127.0.0.1:0", "0.0.0.0:0"] {
            a_batch_comes(address);
        }
    }

    fn a_batch_comes(address: &str) {
        let (mut receiver, sender) = pair(address, "127.0.0.1");
        for number in 0..100u8 {
            sender.send(&vec![number; usize::from(number) + 1]).unwrap();
        }
        let all = receive_all(&mut receiver);
        assert_eq!(all.len(), 100);
        for (number, (meta, octets)) in all.iter().enumerate() {
            assert_eq!(*octets, vec![number as u8; number + 1]);
            assert_eq!(meta.src, sender.local_addr().unwrap());
            assert_eq!(meta.dst, Some(Ipv4Addr::LOCALHOST.into()));
            assert!(meta.timestamp_ns > 1_600_000_000_000_000_000);
        }
        assert!(all.is_sorted_by_key(|(meta, _)| meta.timestamp_ns));
    }

    #[test]
    fn a_socket_for_both_families_writes_ipv4_addresses_as_such() {
        if UdpSocket::bind("[::1]:0").is_err() {
            return;
        }
        let (mut receiver, sender) = pair("[::]:0", "127.0.0.1");
        sender.send(b"four").unwrap();
        let port = receiver.socket().local_addr().unwrap().as_socket().unwrap().port();
        UdpSocket::bind("[::1]:0").unwrap().send_to(b"six", ("::1", port)).unwrap();
        let all = receive_all(&mut receiver);
        assert_eq!(all[0].0.dst, Some(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(all[0].0.src, sender.local_addr().unwrap());
        assert_eq!(all[1].0.dst, Some(Ipv6Addr::LOCALHOST.into()));
    }

    #[test]
    fn a_datagram_that_is_too_long_tells_its_whole_length() {
        let (mut receiver, sender) = pair("127.0.0.1:0", "127.0.0.1");
        sender.send(&[1; 20_000]).unwrap();
        let all = receive_all(&mut receiver);
        assert_eq!((all[0].0.wire_len, all[0].1.len()), (20_000, DATAGRAM_LEN));
    }
}
