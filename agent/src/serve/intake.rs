//! How datagrams come to the workers: this file alone knows that there is more than one way.
//!
//! `socket`, the default, needs no privilege. `ring` reads the kernel's packet ring, for about half of the
//! receiving thread's time (`cargo xtask bench receive`), and takes `CAP_NET_RAW`; nothing can be returned from it.
//! Behind this file both look the same: frames that begin with an Ethernet header, so that the decoder, the
//! filters and every sink take them as they take those of a capture file.

use std::{io, net::SocketAddr};

use socket2::Socket;

use super::{outer, sockets};
use crate::{
    failure::Failure,
    sys::{
        receive::{Meta, Receiver},
        ring::{self, Ring},
    },
};

/// Octets that a worker's batch takes, at most.
pub(crate) const WORKER_LEN: usize = 1 << 20;

/// Octets of a socket's buffer from which on datagrams may gather there: some milliseconds of a fast mirror.
const GATHER_LEN: usize = 4 << 20;

/// The way in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Way {
    /// UDP sockets, in batches; no privilege
    #[default]
    Socket,
    /// The kernel's packet ring: cheaper, receive only, takes CAP_NET_RAW
    Ring,
}

/// What a worker receives from.
#[derive(Debug)]
pub(crate) enum Intake {
    /// A socket.
    Socket(UdpIntake),
    /// A ring.
    Ring(RingIntake),
}

/// A socket, and its port, which the headers put before its datagrams name.
#[derive(Debug)]
pub(crate) struct UdpIntake {
    receiver: Receiver,
    port: u16,
    has_room: bool,
}

/// A ring, and what in it no socket would have seen.
#[derive(Debug)]
pub(crate) struct RingIntake {
    ring: Ring,
    unsound: u64,
}

/// A datagram with its headers.
#[derive(Debug)]
pub(crate) struct Datagram<'a> {
    /// What is known of it beside its octets.
    pub(crate) meta: Meta,
    /// Its octets from an Ethernet header on.
    pub(crate) frame: &'a [u8],
    /// Where in the frame the UDP payload begins.
    pub(crate) payload_at: usize,
    /// Octets of the frame on the wire; more than there are where the end was not kept.
    pub(crate) original_len: u32,
}

/// What a worker's loop wants of the way in.
pub(crate) trait Receive {
    /// Waits for datagrams, for the tenth of a second at most, and takes what is there. 0 where nothing came.
    fn receive(&mut self) -> io::Result<usize>;

    /// What [`Receive::receive`] took, each with its headers, and each once: where the iterator is dropped before
    /// its end, the next one goes on there.
    fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>>;

    /// Whether to let datagrams gather for a moment saves time and loses none.
    fn may_gather(&self) -> bool;

    /// What was lost on the way since this was last asked.
    fn lost(&mut self) -> Lost;

    /// From now on, takes only what has already come.
    fn close(&mut self) -> io::Result<()>;
}

/// Datagrams that no worker has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The kernel had no room for them.
    pub(crate) kernel_dropped: u64,
    /// Their lengths or checksums were wrong. The kernel drops such before they reach a socket; a ring shows them.
    pub(crate) unsound: u64,
}

/// Opens the way in for each worker; also tells the address that it leads from.
pub(super) fn open(
    way: Way,
    address: SocketAddr,
    workers: usize,
    buffer_len: usize,
) -> Result<(Vec<Intake>, Guard, SocketAddr), Failure> {
    let unknown = || Failure::new("the socket has no address");
    match way {
        Way::Socket => {
            let receivers = sockets::open(address, workers, buffer_len)?;
            let local = receivers.first().and_then(|first| sockets::local_address(first.socket()));
            let local = local.ok_or_else(unknown)?;
            let port = local.port();
            let intakes = receivers.into_iter().map(|receiver| {
                let has_room = sockets::buffer_len(receiver.socket()) >= GATHER_LEN;
                Intake::Socket(UdpIntake { receiver, port, has_room })
            });
            Ok((intakes.collect(), Guard(None), local))
        }
        Way::Ring => {
            let guard = sockets::deaf(address)?;
            let local = sockets::local_address(&guard).ok_or_else(unknown)?;
            let rings = ring::open(local, workers, buffer_len).map_err(|error| cannot_open(&error))?;
            let intakes = rings.into_iter().map(|ring| Intake::Ring(RingIntake { ring, unsound: 0 }));
            Ok((intakes.collect(), Guard(Some(guard)), local))
        }
    }
}

/// Keeps the port while a ring is read: without a socket there, the kernel would tell GWLB by ICMP that nobody
/// listens.
#[derive(Debug)]
pub(super) struct Guard(#[allow(dead_code, reason = "held, never used")] Option<Socket>);

fn cannot_open(error: &io::Error) -> Failure {
    let failure = Failure::new(format_args!("cannot open the packet ring: {error}"));
    match error.kind() {
        io::ErrorKind::PermissionDenied => failure.hint(
            "--receive ring needs CAP_NET_RAW: AmbientCapabilities=CAP_NET_RAW in the unit, or setcap cap_net_raw=ep on the program",
        ),
        io::ErrorKind::OutOfMemory => failure.hint("each worker's ring has --buffer MiB of memory: give less"),
        io::ErrorKind::Unsupported => failure.hint("GWLB sends IPv4: give an IPv4 address to --listen, or none"),
        _ => failure,
    }
}

impl Receive for UdpIntake {
    fn receive(&mut self) -> io::Result<usize> {
        self.receiver.receive()
    }

    fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let Self { receiver, port, .. } = self;
        receiver.datagrams().map(|(meta, slot)| outer::restore(slot, meta, *port))
    }

    fn may_gather(&self) -> bool {
        self.has_room
    }

    fn lost(&mut self) -> Lost {
        Lost { kernel_dropped: self.receiver.dropped(), unsound: 0 }
    }

    fn close(&mut self) -> io::Result<()> {
        self.receiver.socket().set_nonblocking(true)
    }
}

impl Receive for RingIntake {
    fn receive(&mut self) -> io::Result<usize> {
        self.ring.receive()
    }

    fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let Self { ring, unsound } = self;
        ring.packets().filter_map(|packet| {
            let datagram = outer::read(packet);
            *unsound += u64::from(datagram.is_none());
            datagram
        })
    }

    /// Packets gather there by themselves, block by block.
    fn may_gather(&self) -> bool {
        false
    }

    fn lost(&mut self) -> Lost {
        Lost { kernel_dropped: self.ring.dropped(), unsound: std::mem::take(&mut self.unsound) }
    }

    fn close(&mut self) -> io::Result<()> {
        self.ring.hasten();
        Ok(())
    }
}
