//! Packets with IP headers of our own, in batches: `sendmmsg` on a raw socket, headers and payload from two places.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd,
    ptr,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::socket;

/// Packets that one call takes.
const BATCH: usize = 64;
/// Octets of the headers that go before a payload: IPv4 and UDP.
pub(crate) const HEADERS_LEN: usize = 20 + 8;
/// `IPPROTO_RAW`: the IP header is ours.
const OWN_HEADER: i32 = 255;

/// A packet to send.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    /// Where to.
    pub(crate) to: Ipv4Addr,
    /// IPv4 and UDP headers.
    pub(crate) headers: [u8; HEADERS_LEN],
    /// What goes behind them.
    pub(crate) payload: &'a [u8],
}

/// A socket for [`send`]; takes `CAP_NET_RAW`.
pub(crate) fn open() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(OWN_HEADER)))?;
    // Without this the kernel keeps to itself that an interface's queue was full (`ENOBUFS`).
    socket::set_at(&socket, libc::IPPROTO_IP, libc::IP_RECVERR, &1i32)?;
    Ok(socket)
}

/// Sends all packets and returns how many the kernel took. Where it has no room, waits as long as the socket's
/// write timeout and then gives up on the rest.
pub(crate) fn send(socket: &Socket, packets: &[Outgoing<'_>]) -> usize {
    let (mut taken, mut rest) = (0, packets);
    while let [_, others @ ..] = rest {
        match send_some(socket, rest) {
            Ok(sent) => {
                taken += sent;
                rest = rest.get(sent.max(1)..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return taken,
            // Only the first packet can be to blame.
            Err(_) => rest = others,
        }
    }
    taken
}

fn send_some(socket: &Socket, packets: &[Outgoing<'_>]) -> io::Result<usize> {
    let packets = packets.get(..BATCH).unwrap_or(packets);
    let addresses: Vec<_> =
        packets.iter().map(|packet| SockAddr::from(SocketAddrV4::new(packet.to, 0))).collect();
    let mut vectors: Vec<_> =
        packets.iter().map(|packet| [vector(&packet.headers), vector(packet.payload)]).collect();
    // SAFETY: a C structure of integers and pointers, for which zeroes are a value.
    let empty: libc::mmsghdr = unsafe { std::mem::zeroed() };
    let mut messages = vec![empty; packets.len()];
    for ((message, address), vectors) in messages.iter_mut().zip(&addresses).zip(&mut vectors) {
        let header = &mut message.msg_hdr;
        header.msg_name = address.as_ptr().cast_mut().cast();
        header.msg_namelen = address.len();
        header.msg_iov = vectors.as_mut_ptr();
        header.msg_iovlen = vectors.len() as _;
    }
    // SAFETY: every pointer in `messages` leads to memory that outlives the call and is as long as it says; the
    // kernel only reads what they lead to.
    let sent = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), messages.len() as libc::c_uint, 0)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn vector(octets: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: ptr::from_ref(octets).cast_mut().cast(), iov_len: octets.len() }
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, time::Duration};

    use super::*;

    /// UDP from 127.0.0.1:`from` to 127.0.0.2:`to`.
    fn headers(from: u16, to: u16, payload_len: u8) -> [u8; HEADERS_LEN] {
        let mut headers = [0; HEADERS_LEN];
        headers[..12].copy_from_slice(&[0x45, 0, 0, 28 + payload_len, 0, 0, 0, 0, 64, 17, 0, 0]);
        headers[12..20].copy_from_slice(&[127, 0, 0, 1, 127, 0, 0, 2]);
        headers[20..22].copy_from_slice(&from.to_be_bytes());
        headers[22..24].copy_from_slice(&to.to_be_bytes());
        headers[25] = 8 + payload_len;
        headers
    }

    #[test]
    fn more_than_a_batch_arrives_in_order_from_the_port_in_the_header() {
        let Ok(socket) = open() else {
            eprintln!("SKIPPED: a raw socket takes CAP_NET_RAW");
            return;
        };
        let receiver = UdpSocket::bind("127.0.0.2:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let port = receiver.local_addr().unwrap().port();
        let payloads: Vec<_> = (0..150u8).map(|number| [number; 3]).collect();
        let packets: Vec<_> = payloads
            .iter()
            .map(|payload| Outgoing {
                to: Ipv4Addr::new(127, 0, 0, 2),
                headers: headers(4321, port, 3),
                payload,
            })
            .collect();
        assert_eq!(send(&socket, &packets), 150);
        let mut octets = [0; 10];
        for payload in &payloads {
            let (len, from) = receiver.recv_from(&mut octets).unwrap();
            assert_eq!((&octets[..len], from.port()), (payload.as_slice(), 4321));
        }
    }
}
