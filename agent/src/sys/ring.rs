//! The kernel's packet ring (`AF_PACKET`, `TPACKET_V3`): it writes packets into memory that we share, no call each.
//!
//! One ring a worker, all in one fanout group that is steered as sockets are ([`super::steer`]). The group also puts
//! fragments together, as a UDP socket's datagrams are. A packet begins with its IP header: the hardware's header
//! is left out (`SOCK_DGRAM`), and so are VLAN tags, which the kernel has taken off by then. The kernel checks
//! neither lengths nor checksums for us; [`Packet::is_checked`] says where a network card did.
//!
//! Blocks go round between kernel and program: who may touch one is written in its status word. A block is given
//! to us when it is full or [`RETIRE_MS`] old, and given back when the next is asked for.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::AsRawFd,
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, poll};
use socket2::{Domain, Protocol, Socket, Type};

use super::{receive::DATAGRAM_LEN, socket, steer};

/// Octets before each packet that are ours to write: an Ethernet header and what aligns it.
const RESERVED_LEN: usize = 16;
/// Octets of an Ethernet header.
const ETHERNET_LEN: usize = 14;
/// Octets of a packet that are kept: the longest IPv4 header, UDP's, and as much as a socket keeps.
const KEPT_LEN: u32 = (60 + 8 + DATAGRAM_LEN) as u32;
const BLOCK_LEN: usize = 1 << 20;
/// The kernel wants a frame size that divides the block, and does not use it in this version.
const FRAME_LEN: usize = 2048;
/// A block that is not full is handed over after so many milliseconds.
const RETIRE_MS: u32 = 10;
/// How long a worker waits for a packet before it turns its loop all the same.
const TURN: Duration = Duration::from_millis(100);
/// How long the last block may be on its way.
const LAST_TURN: Duration = Duration::from_millis(5 * RETIRE_MS as u64);

/// A ring, and the block of it that is ours at the moment.
#[derive(Debug)]
pub(crate) struct Ring {
    socket: Socket,
    memory: NonNull<u8>,
    blocks: usize,
    /// The block that is ours, or that is ours next.
    current: usize,
    is_ours: bool,
    /// Of the block that is ours: where the next packet begins, and how many there still are.
    next_at: usize,
    left: u32,
    turn: Duration,
}

/// A packet of the block that is ours.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    /// When the kernel received it, nanoseconds since 1970.
    pub(crate) timestamp_ns: i64,
    /// An Ethernet header's room, then the packet from its IP header on.
    pub(crate) frame: &'a mut [u8],
    /// Octets of that on the wire.
    pub(crate) wire_len: usize,
    /// Whether its UDP checksum was found right, or has still to be made because the packet never was on a wire.
    pub(crate) is_checked: bool,
}

// SAFETY: the memory belongs to the ring alone, wherever the ring goes; nothing in it knows of threads.
unsafe impl Send for Ring {}

/// Opens a ring for each of `workers`, for datagrams to `local`.
pub(crate) fn open(local: SocketAddr, workers: usize, buffer_len: usize) -> io::Result<Vec<Ring>> {
    let own = match local.ip() {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) if address.is_unspecified() => Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    // The protocol 0 keeps a socket deaf until it is bound.
    let sockets = (0..workers).map(|_| Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(0))));
    let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
    let rings = sockets.into_iter().map(|socket| {
        steer::keep_nothing(&socket)?;
        Ring::new(socket, (buffer_len / BLOCK_LEN).max(2))
    });
    let rings = rings.collect::<io::Result<Vec<_>>>()?;
    for ring in &rings {
        bind(&ring.socket)?;
    }
    join(&rings)?;
    // Only now: what came before all were in the group would have been in every ring.
    for ring in &rings {
        steer::keep_datagrams_to(&ring.socket, own, local.port(), KEPT_LEN)?;
    }
    Ok(rings)
}

impl Ring {
    fn new(socket: Socket, blocks: usize) -> io::Result<Self> {
        set(&socket, libc::PACKET_VERSION, &libc::tpacket_versions::TPACKET_V3)?;
        set(&socket, libc::PACKET_RESERVE, &(RESERVED_LEN as libc::c_int))?;
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK_LEN as libc::c_uint,
            tp_block_nr: blocks as libc::c_uint,
            tp_frame_size: FRAME_LEN as libc::c_uint,
            tp_frame_nr: (BLOCK_LEN / FRAME_LEN * blocks) as libc::c_uint,
            tp_retire_blk_tov: RETIRE_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set(&socket, libc::PACKET_RX_RING, &request)?;
        // SAFETY: a new mapping at a place of the kernel's choice touches nothing that exists; its length is that
        // of the ring which the socket was just given.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                blocks * BLOCK_LEN,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { socket, memory, blocks, current: 0, is_ours: false, next_at: 0, left: 0, turn: TURN })
    }

    /// Gives back the block at hand and waits for the next. Returns the packets in it, 0 after a tenth of a second
    /// and where a signal came.
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        if self.is_ours {
            self.is_ours = false;
            self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.current = (self.current + 1) % self.blocks;
        }
        if !self.is_ready() {
            self.wait()?;
        }
        self.is_ours = self.is_ready();
        (self.left, self.next_at) = match self.is_ours {
            true => (self.header().num_pkts, self.header().offset_to_first_pkt as usize),
            false => (0, 0),
        };
        Ok(self.left as usize)
    }

    /// The packets of the block at hand, each given once, by this iterator or the next.
    pub(crate) fn packets(&mut self) -> impl Iterator<Item = Packet<'_>> {
        let start = self.current * BLOCK_LEN;
        // SAFETY: the block lies within the mapping. It is ours, so the kernel does not touch it until `receive`
        // gives it back, for which this borrow of the ring must have ended.
        let block = unsafe { slice::from_raw_parts_mut(self.memory.as_ptr().add(start), BLOCK_LEN) };
        Packets { rest: block, cut: 0, next_at: &mut self.next_at, left: &mut self.left }
    }

    /// Packets that found the ring full since this was last asked.
    pub(crate) fn dropped(&mut self) -> u64 {
        let mut statistics = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        let read = socket::read(&self.socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut statistics);
        read.map_or(0, |()| u64::from(statistics.tp_drops))
    }

    /// From now on waits only as long as the last block can be on its way.
    pub(crate) fn hasten(&mut self) {
        self.turn = LAST_TURN;
    }

    fn wait(&self) -> io::Result<()> {
        let mut wanted = [PollFd::new(&self.socket, PollFlags::IN | PollFlags::ERR)];
        let turn = self.turn.try_into().map_err(io::Error::other)?;
        match poll(&mut wanted, Some(&turn)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if wanted.iter().any(|fd| fd.revents().contains(PollFlags::ERR)) {
            // An interface went down, which says so once; the ring lives on with the others.
            let _ = self.socket.take_error();
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    fn status(&self) -> &AtomicU32 {
        // SAFETY: the word lies within the mapping, is aligned, and is changed by the kernel as by another thread.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.descriptor()).hdr.bh1.block_status) }
    }

    /// To be read only while the block is ours.
    fn header(&self) -> libc::tpacket_hdr_v1 {
        // SAFETY: the header lies within the mapping, is aligned, and all bits are values.
        unsafe { (*self.descriptor()).hdr.bh1 }
    }

    fn descriptor(&self) -> *mut libc::tpacket_block_desc {
        // SAFETY: `current` is less than `blocks`, so the place lies within the mapping.
        unsafe { self.memory.as_ptr().add(self.current * BLOCK_LEN).cast() }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: this is the whole mapping, and nobody borrows from a ring that is dropped.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.blocks * BLOCK_LEN) };
    }
}

/// Cuts the block into packets, each of which is handed out once.
struct Packets<'a> {
    rest: &'a mut [u8],
    /// Octets of the block before `rest`.
    cut: usize,
    next_at: &'a mut usize,
    left: &'a mut u32,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        *self.left = self.left.checked_sub(1)?;
        let at = self.next_at.checked_sub(self.cut)?;
        let header = self.header(at)?;
        let start = (at + usize::from(header.tp_net)).checked_sub(ETHERNET_LEN)?;
        let end = start.checked_add(ETHERNET_LEN + header.tp_snaplen as usize)?;
        *self.next_at = self.next_at.checked_add(header.tp_next_offset as usize)?;
        let (this, rest) = std::mem::take(&mut self.rest).split_at_mut_checked(end)?;
        (self.rest, self.cut) = (rest, self.cut + end);
        Some(Packet {
            timestamp_ns: i64::from(header.tp_sec) * 1_000_000_000 + i64::from(header.tp_nsec),
            frame: this.get_mut(start..)?,
            wire_len: ETHERNET_LEN + header.tp_len as usize,
            is_checked: header.tp_status & (libc::TP_STATUS_CSUM_VALID | libc::TP_STATUS_CSUMNOTREADY) != 0,
        })
    }
}

impl Packets<'_> {
    fn header(&self, at: usize) -> Option<libc::tpacket3_hdr> {
        let octets = self.rest.get(at..)?.get(..size_of::<libc::tpacket3_hdr>())?;
        // SAFETY: as many octets as the header has were just found there, and all bits are values.
        Some(unsafe { octets.as_ptr().cast::<libc::tpacket3_hdr>().read_unaligned() })
    }
}

/// From here on the socket receives, at every interface. Only IPv4: GWLB sends nothing else.
fn bind(socket: &Socket) -> io::Result<()> {
    // SAFETY: a C structure of integers, for which zeroes are a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = (libc::ETH_P_IP as u16).to_be();
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the pointer and the length are those of one live address, which the kernel only reads.
    let result = unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts all rings into one new group, which deals packets out.
fn join(rings: &[Ring]) -> io::Result<()> {
    const KIND: u32 = (libc::PACKET_FANOUT_CBPF | libc::PACKET_FANOUT_FLAG_DEFRAG) << 16;
    const NEW: u32 = libc::PACKET_FANOUT_FLAG_UNIQUEID << 16;
    let Some((first, others)) = rings.split_first() else { return Ok(()) };
    set(&first.socket, libc::PACKET_FANOUT, &(KIND | NEW))?;
    let mut group = 0u32;
    socket::read(&first.socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &mut group)?;
    for ring in others {
        set(&ring.socket, libc::PACKET_FANOUT, &(KIND | (group & 0xffff)))?;
    }
    steer::rings_by_mirrored_addresses(&first.socket, rings.len() as u32)
}

fn set<T: Copy>(socket: &Socket, option: libc::c_int, value: &T) -> io::Result<()> {
    socket::set_at(socket, libc::SOL_PACKET, option, value)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    /// Rings for what is sent to a socket that holds the port.
    fn rings(count: usize) -> Option<(Vec<Ring>, UdpSocket)> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        match open(socket.local_addr().unwrap(), count, 2 * BLOCK_LEN) {
            Ok(rings) => Some((rings, socket)),
            Err(error) => {
                eprintln!("SKIPPED: a packet ring takes CAP_NET_RAW: {error}");
                None
            }
        }
    }

    /// The octets behind Ethernet, IPv4 and UDP headers.
    fn payloads(ring: &mut Ring) -> Vec<Vec<u8>> {
        ring.hasten();
        let mut all = Vec::new();
        while ring.receive().unwrap() > 0 {
            all.extend(ring.packets().map(|packet| {
                assert!(packet.timestamp_ns > 1_600_000_000_000_000_000);
                assert_eq!((packet.wire_len, packet.is_checked), (packet.frame.len(), true));
                packet.frame[ETHERNET_LEN + 28..].to_vec()
            }));
        }
        all
    }

    #[test]
    fn packets_come_whole_and_in_order_from_block_to_block() {
        let Some((mut rings, socket)) = rings(1) else { return };
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Three blocks' worth, read as it comes.
        let mut received = Vec::new();
        for number in 0..400u32 {
            sender.send_to(&vec![number as u8; 8000], socket.local_addr().unwrap()).unwrap();
            if number % 100 == 99 {
                received.extend(payloads(&mut rings[0]));
            }
        }
        assert_eq!(received.len(), 400);
        for (number, payload) in received.iter().enumerate() {
            assert_eq!(*payload, vec![number as u8; 8000]);
        }
        assert_eq!(rings[0].dropped(), 0);
    }

    #[test]
    fn a_block_that_was_left_half_way_goes_on_where_it_was_left() {
        let Some((mut rings, socket)) = rings(1) else { return };
        for number in 0..10 {
            socket.send_to(&[number; 100], socket.local_addr().unwrap()).unwrap();
        }
        rings[0].hasten();
        assert_eq!(rings[0].receive().unwrap(), 10);
        let first: Vec<_> = rings[0].packets().take(4).map(|packet| packet.frame[42]).collect();
        let rest: Vec<_> = rings[0].packets().map(|packet| packet.frame[42]).collect();
        assert_eq!((first, rest), (vec![0, 1, 2, 3], vec![4, 5, 6, 7, 8, 9]));
    }

    #[test]
    fn what_finds_a_ring_full_is_counted() {
        let Some((mut rings, socket)) = rings(1) else { return };
        for _ in 0..600 {
            socket.send_to(&[0; 8000], socket.local_addr().unwrap()).unwrap();
        }
        let received = payloads(&mut rings[0]).len() as u64;
        let dropped = rings[0].dropped();
        assert!(dropped > 0);
        assert_eq!(received + dropped, 600);
        assert_eq!(rings[0].dropped(), 0, "it counts what is new");
    }

    #[test]
    fn several_rings_have_each_packet_once() {
        let Some((mut rings, socket)) = rings(3) else { return };
        for number in 0..90u8 {
            // Geneve around IPv4 whose source address counts.
            let mut payload = vec![0, 0, 8, 0, 0, 0, 0, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0];
            payload.extend([10, 0, 0, number, 10, 0, 1, 1]);
            socket.send_to(&payload, socket.local_addr().unwrap()).unwrap();
        }
        let counts: Vec<_> = rings.iter_mut().map(|ring| payloads(ring).len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 90);
        assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
    }
}
