//! Mirrored frames sent on as plain VXLAN, to collectors that know no Geneve.
//!
//! The VNI stays that of the session. Collector and source port come from the mirrored flow, both directions alike,
//! so that whole flows reach one collector, and one queue of it, DNS answers included.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use mirrorscope_core::{Layer, Packet, encap, layers::vxlan};

use crate::{failure::Failure, pipeline::Sink};

/// Sockets, and so source ports, among which the flows of a collector are dealt out.
const PORTS: usize = 32;

/// A way to collectors, each of which gets a part of the flows.
#[derive(Debug)]
pub(crate) struct Vxlan {
    collectors: Vec<Collector>,
    datagram: Vec<u8>,
}

#[derive(Debug)]
struct Collector {
    to: SocketAddr,
    sockets: Vec<UdpSocket>,
}

impl Vxlan {
    /// Opens the sockets.
    pub(crate) fn open(collectors: &[SocketAddr]) -> Result<Self, Failure> {
        let collectors = collectors.iter().map(|to| Collector::open(*to)).collect::<Result<_, _>>()?;
        Ok(Self { collectors, datagram: Vec::new() })
    }
}

impl Collector {
    fn open(to: SocketAddr) -> Result<Self, Failure> {
        let any: IpAddr =
            if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let sockets = (0..PORTS).map(|_| UdpSocket::bind((any, 0))).collect::<Result<_, _>>();
        let sockets =
            sockets.map_err(|error| Failure::new(format_args!("cannot send VXLAN to {to}: {error}")))?;
        Ok(Self { to, sockets })
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
        let Some((collector, socket)) = place(encap::mix(flow) as usize, &self.collectors) else {
            return Ok(());
        };
        match socket.send_to(&self.datagram, collector.to) {
            Ok(_) => Ok(()),
            // The collector was away for the packet before; UDP does not care, and neither do we.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(Failure::new(format_args!("cannot send VXLAN to {}: {error}", collector.to))),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

fn place(hash: usize, collectors: &[Collector]) -> Option<(&Collector, &UdpSocket)> {
    let collector = collectors.get((hash / PORTS).checked_rem(collectors.len())?)?;
    Some((collector, collector.sockets.get(hash % PORTS)?))
}
