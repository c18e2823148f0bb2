//! Mirrored frames sent on as plain VXLAN, to a collector that knows no Geneve.
//!
//! The VNI stays that of the session. The source port comes from the mirrored flow, both directions alike, so that
//! collectors behind a hash see whole flows, DNS answers included.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use mirrorscope_core::{Layer, Packet, encap, layers::vxlan};

use crate::{failure::Failure, pipeline::Sink};

/// Sockets, and so source ports, among which flows are dealt out.
const PORTS: u64 = 32;

/// A way to a collector.
#[derive(Debug)]
pub(crate) struct Vxlan {
    to: SocketAddr,
    sockets: Vec<UdpSocket>,
    datagram: Vec<u8>,
}

impl Vxlan {
    /// Opens the sockets.
    pub(crate) fn open(to: SocketAddr) -> Result<Self, Failure> {
        let any: IpAddr =
            if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let sockets = (0..PORTS).map(|_| UdpSocket::bind((any, 0))).collect::<Result<_, _>>();
        let sockets =
            sockets.map_err(|error| Failure::new(format_args!("cannot send VXLAN to {to}: {error}")))?;
        Ok(Self { to, sockets, datagram: Vec::new() })
    }
}

impl Sink for Vxlan {
    /// Inline packets have no session and are passed over.
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        let (Some(mirror), [first, ..]) = (packet.mirror(), packet.subject_layers()) else { return Ok(()) };
        if first.layer != Layer::Ethernet {
            return Ok(());
        }
        self.datagram.clear();
        self.datagram.extend([vxlan::VALID_VNI, 0, 0, 0]);
        self.datagram.extend((mirror.identity.vni << 8).to_be_bytes());
        self.datagram.extend_from_slice(packet.subject_bytes());
        let flow = encap::flow_hash(&packet.stack, packet.subject_layers()).unwrap_or_default();
        let place = (encap::mix(flow) % PORTS) as usize;
        let Some(socket) = self.sockets.get(place) else { return Ok(()) };
        let sent = socket.send_to(&self.datagram, self.to);
        match sent {
            Ok(_) => Ok(()),
            // The collector was away for the packet before; UDP does not care, and neither do we.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(Failure::new(format_args!("cannot send VXLAN to {}: {error}", self.to))),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
