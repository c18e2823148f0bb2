//! The way back to GWLB: the packet in hand, its outer addresses swapped, everything behind them as it came.
//!
//! Ports are not swapped, the Geneve header goes back octet for octet and the UDP checksum is 0 (as four
//! appliances in production do it). The source port is the load balancer's own, which only a raw socket can
//! send from: `CAP_NET_RAW`. No table of flows is needed, because each packet carries its own header back.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{outer, tally::Tally};
use crate::{
    failure::Failure,
    sys::receive::{HEADROOM_LEN, Meta},
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

/// `IPPROTO_RAW`: the IP header is ours.
const OWN_HEADER: i32 = 255;

impl ReturnPath {
    /// Opens the socket; `port` is the one that GWLB sends to.
    pub(crate) fn open(port: u16) -> Result<Self, Failure> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(OWN_HEADER)));
        let socket = socket.and_then(|socket| {
            socket.set_send_buffer_size(8 << 20)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        socket.map(|socket| Self { socket, port }).map_err(|error| cannot_open(&error))
    }

    /// Sends the datagram in `slot` back to where it came from.
    pub(crate) fn give_back(&self, meta: &Meta, slot: &mut [u8], tally: &mut Tally) {
        match self.send(meta, slot) {
            Ok(_) => tally.returned += 1,
            Err(_) => tally.return_failed += 1,
        }
    }

    fn send(&self, meta: &Meta, slot: &mut [u8]) -> io::Result<usize> {
        let (IpAddr::V4(gwlb), Some(IpAddr::V4(own))) = (meta.src.ip(), meta.dst) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        if meta.wire_len + HEADROOM_LEN > slot.len() {
            // The end of the packet was not kept: half a packet must not go back.
            return Err(io::ErrorKind::InvalidData.into());
        }
        let udp_len = outer::UDP_LEN + meta.wire_len;
        let ip = outer::ipv4(own.octets(), gwlb.octets(), udp_len);
        let at = HEADROOM_LEN - outer::UDP_LEN - outer::IPV4_LEN;
        let ports = [meta.src.port().to_be_bytes(), self.port.to_be_bytes()];
        let mut header = [0; outer::IPV4_LEN + outer::UDP_LEN];
        header[..outer::IPV4_LEN].copy_from_slice(&ip);
        header[20..24].copy_from_slice(ports.as_flattened());
        header[24..26].copy_from_slice(&(udp_len as u16).to_be_bytes());
        let Some(packet) = slot.get_mut(at..) else { return Err(io::ErrorKind::InvalidData.into()) };
        packet.iter_mut().zip(header).for_each(|(octet, value)| *octet = value);
        self.socket.send_to(packet, &SocketAddr::from((gwlb, 0)).into())
    }
}

fn cannot_open(error: &io::Error) -> Failure {
    let failure = Failure::new(format_args!("cannot open the way back to GWLB: {error}"));
    match error.kind() {
        io::ErrorKind::PermissionDenied => failure.hint(
            "--mode inline and auto need CAP_NET_RAW: AmbientCapabilities=CAP_NET_RAW in the unit, or setcap cap_net_raw=ep on the program",
        ),
        _ => failure,
    }
}
