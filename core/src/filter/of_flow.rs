//! A filter for packets, put to a flow: the flow's first packet of each direction is made again from all that is known
//! of it: addresses, protocol, ports, and the session that mirrored it.

use std::net::IpAddr;

use super::Filter;
use crate::{
    aws::{gwlb::GwlbContext, mirror::MirrorContext},
    flow::{Endpoint, FlowRecord, key::UDP},
    packet::{Envelope, Packet},
    record::{LinkType, Record},
    sinks::sessions::Key,
    stack::Decoder,
};

impl Filter {
    /// Whether a packet of `flow`, in either direction, would pass. What flows do not keep (MAC addresses, flags,
    /// payload) is as in the smallest packet of its kind.
    #[must_use]
    pub fn matches_flow(&self, flow: &FlowRecord) -> bool {
        [(flow.client, flow.server), (flow.server, flow.client)].into_iter().any(|(src, dst)| {
            let data = octets(flow.protocol, src, dst);
            let record = Record {
                number: 1,
                timestamp_ns: flow.first_ns,
                interface: 0,
                link_type: LinkType::RAW,
                original_len: data.len() as u32,
                offset: 0,
                data: &data,
            };
            let mut packet = Packet::decode(&Decoder::default(), record);
            packet.envelope = envelope(flow);
            self.matches(&packet)
        })
    }
}

fn envelope(flow: &FlowRecord) -> Envelope {
    let gwlb = |endpoint_id| GwlbContext { endpoint_id, attachment_id: None, flow_cookie: flow.flow_cookie };
    match flow.session {
        Key::Mirrored(identity) => {
            Envelope::Mirrored(MirrorContext { identity, gwlb: identity.endpoint_id.map(gwlb) })
        }
        Key::Inline(endpoint_id) => Envelope::Inline(endpoint_id.map(gwlb)),
        Key::Bare | Key::Overflow => Envelope::Bare,
    }
}

/// An IP packet with the smallest TCP header behind it, whose first octets are the ports of any protocol.
fn octets(protocol: u8, src: Endpoint, dst: Endpoint) -> Vec<u8> {
    let mut transport = [src.port.to_be_bytes(), dst.port.to_be_bytes()].as_flattened().to_vec();
    transport.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]);
    if protocol == UDP {
        transport[4..6].copy_from_slice(&20u16.to_be_bytes());
    }
    let mut packet = match (src.address, dst.address) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut header = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0];
            header.extend(src.octets());
            header.extend(dst.octets());
            header
        }
        (src, dst) => {
            let mut header = vec![0x60, 0, 0, 0, 0, 20, protocol, 64];
            for address in [src, dst] {
                match address {
                    IpAddr::V4(address) => header.extend(address.to_ipv6_mapped().octets()),
                    IpAddr::V6(address) => header.extend(address.octets()),
                }
            }
            header
        }
    };
    packet.extend(transport);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{gwlb::EndpointId, mirror::MirrorIdentity},
        flow::{FlowOptions, FlowTable},
        layers::testing::record,
    };

    #[test]
    fn a_flow_passes_by_its_addresses_ports_and_session_in_either_direction() {
        let [client, server] = [([10, 0, 0, 1], 40_000), ([10, 0, 0, 2], 53)]
            .map(|(address, port)| Endpoint { address: IpAddr::from(address), port });
        let data = octets(UDP, client, server);
        let mut table = FlowTable::new(FlowOptions::default());
        let packet = Packet::decode(&Decoder::default(), record(LinkType::RAW, &data));
        table.observe(&packet, &mut |_| {});
        let mut flow = table.iter().next().expect("one flow");
        let identity = MirrorIdentity {
            endpoint_id: Some(EndpointId(0xabc)),
            vni: 7,
            source: IpAddr::from([10, 9, 0, 7]),
        };
        flow.session = Key::Mirrored(identity);
        let passes = |text: &str| Filter::parse(text).expect(text).matches_flow(&flow);
        assert!(passes("udp src port 40000 and dst port 53 and src host 10.0.0.1"));
        assert!(passes("src port 53 and src host 10.0.0.2"));
        assert!(passes("vni 7 and endpoint abc and source 10.9.0.7 and mirrored"));
        assert!(!passes("tcp") && !passes("port 54") && !passes("vni 8") && !passes("inline"));
    }
}
