//! The headers between GWLB and its target, for captures: Ethernet, IPv4 and UDP to port 6081.
//!
//! As seen in real GWLB traffic: id 0, TTL 255, no flag, and a UDP checksum that is right. GWLB speaks IPv4 to
//! its targets even where the packets inside are IPv6 (GWLB guide).

use core::net::Ipv4Addr;

use etherparse::{EtherType, Ethernet2Header, Ipv4Header, UdpHeader};

use super::datagram::{Datagram, ipv4};
use crate::layers::geneve;

/// Octets before the Geneve header.
const OUTER_LEN: usize = Ethernet2Header::LEN + Ipv4Header::MIN_LEN + UdpHeader::LEN;

/// The way from a GWLB node to the appliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Hardware address of GWLB's interface.
    pub node_mac: [u8; 6],
    /// Hardware address of the appliance.
    pub appliance_mac: [u8; 6],
    /// GWLB's address in the appliance's zone.
    pub node: Ipv4Addr,
    /// The appliance's address.
    pub appliance: Ipv4Addr,
    /// The appliance's UDP port.
    pub port: u16,
}

impl Default for Outer {
    fn default() -> Self {
        Self {
            node_mac: [0x0e, 0x00, 0x00, 0x00, 0x00, 0x44],
            appliance_mac: [0x0e, 0x00, 0x00, 0x00, 0x00, 0x41],
            node: Ipv4Addr::new(10, 10, 0, 44),
            appliance: Ipv4Addr::new(10, 10, 0, 41),
            port: geneve::UDP_PORT,
        }
    }
}

impl Outer {
    /// Appends the whole frame.
    pub fn put_frame(&self, out: &mut Vec<u8>, datagram: &Datagram<'_>) {
        let start = out.len();
        out.extend_from_slice(&[0; OUTER_LEN]);
        datagram.put_payload(out);
        let Some((headers, payload)) =
            out.get_mut(start..).and_then(|frame| frame.split_at_mut_checked(OUTER_LEN))
        else {
            return;
        };
        headers.copy_from_slice(&self.headers(datagram.source_port, payload));
    }

    fn headers(&self, source_port: u16, payload: &[u8]) -> [u8; OUTER_LEN] {
        let ethernet = Ethernet2Header {
            destination: self.appliance_mac,
            source: self.node_mac,
            ether_type: EtherType::IPV4,
        };
        // No datagram is longer than 8,540 octets.
        let length = (UdpHeader::LEN + payload.len()) as u16;
        let (node, appliance) = (self.node.octets(), self.appliance.octets());
        let mut udp = UdpHeader { source_port, destination_port: self.port, length, checksum: 0 };
        udp.checksum = udp.calc_checksum_ipv4_raw(node, appliance, payload).unwrap_or_default();
        let mut headers = [0; OUTER_LEN];
        headers[..14].copy_from_slice(&ethernet.to_bytes());
        headers[14..34].copy_from_slice(&ipv4(node, appliance, length));
        headers[34..].copy_from_slice(&udp.to_bytes());
        headers
    }
}
