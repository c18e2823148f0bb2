//! The way back to GWLB: the packet in hand, its outer addresses swapped, everything behind them as it came.
//!
//! Ports are not swapped, the Geneve header goes back octet for octet and the UDP checksum is 0 (as four
//! appliances in production do it). The source port is the load balancer's own, which only a raw socket can
//! send from: `CAP_NET_RAW`. No table of flows is needed, because each packet carries its own header back.
//!
//! It fails open: what the policy does not name goes back, also where nothing inside could be read, unless
//! `--drop-undecodable` is given. Only what has no whole Geneve header, is truncated, or must not be handed on by
//! RFC 8926, cannot go back, and is counted.

use std::{net::IpAddr, time::Duration};

use socket2::Socket;

use super::{intake::Datagram, outer};
use crate::{
    failure::Failure,
    sys::send::{self, HEADERS_LEN, Outgoing},
};

/// What becomes of a packet after it was counted and handed to the sinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was a copy: nothing goes back.
    Swallow,
    /// It goes back to GWLB.
    Return,
    /// The policy forbids that.
    Drop,
}

/// A raw socket to GWLB.
#[derive(Debug)]
pub(crate) struct ReturnPath {
    socket: Socket,
    port: u16,
}

/// Room for a burst on its way out.
const BUFFER_LEN: usize = 8 << 20;
/// How long a worker waits for room: the receive buffer keeps what comes meanwhile.
const PATIENCE: Duration = Duration::from_millis(20);

impl ReturnPath {
    /// Opens the socket; `port` is the one that GWLB sends to.
    pub(crate) fn open(port: u16) -> Result<Self, Failure> {
        let socket = send::open().and_then(|socket| {
            socket.set_send_buffer_size(BUFFER_LEN)?;
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok(socket)
        });
        socket.map(|socket| Self { socket, port }).map_err(|error| cannot_open(&error))
    }

    /// The datagram as it goes back. `None` where it cannot: not IPv4, or the end of it was not kept, and half a
    /// packet must not go back.
    pub(crate) fn reply<'a>(&self, datagram: &Datagram<'a>) -> Option<Outgoing<'a>> {
        let (IpAddr::V4(gwlb), Some(IpAddr::V4(own))) = (datagram.meta.src.ip(), datagram.meta.dst) else {
            return None;
        };
        let payload = datagram.frame.get(datagram.payload_at..)?;
        if payload.len() != datagram.meta.wire_len {
            return None;
        }
        let udp_len = outer::UDP_LEN + payload.len();
        let mut headers = [0; HEADERS_LEN];
        headers[..20].copy_from_slice(&outer::ipv4(own.octets(), gwlb.octets(), udp_len));
        headers[20..22].copy_from_slice(&datagram.meta.src.port().to_be_bytes());
        headers[22..24].copy_from_slice(&self.port.to_be_bytes());
        headers[24..26].copy_from_slice(&u16::try_from(udp_len).ok()?.to_be_bytes());
        Some(Outgoing { to: gwlb, headers, payload })
    }

    /// Sends the packets and returns how many the kernel took.
    pub(crate) fn send(&self, packets: &[Outgoing<'_>]) -> u64 {
        send::send(&self.socket, packets) as u64
    }
}

fn cannot_open(error: &std::io::Error) -> Failure {
    let failure = Failure::new(format_args!("cannot open the way back to GWLB: {error}"));
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => failure.hint(
            "--mode inline and auto need CAP_NET_RAW: AmbientCapabilities=CAP_NET_RAW in the unit, or setcap cap_net_raw=ep on the program",
        ),
        _ => failure,
    }
}
