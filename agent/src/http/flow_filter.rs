//! A filter for packets, put to a flow: the flow's first direction is made a packet again, with all that is known
//! of it: addresses, protocol, ports, and the session that mirrored it.

use mirrorscope_core::{
    Decoder, LinkType, Packet, Record,
    aws::{gwlb::GwlbContext, mirror::MirrorContext},
    filter::Filter,
    flow::{Endpoint, FlowRecord},
    packet::Envelope,
    sinks::sessions::Key,
};
use std::net::IpAddr;

/// Whether a packet of the flow, in either direction, would pass.
pub(super) fn matches(filter: &Filter, flow: &FlowRecord) -> bool {
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
        filter.matches(&packet)
    })
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
    if protocol == mirrorscope_core::flow::key::UDP {
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

    #[test]
    fn ports_and_addresses_are_where_the_filter_looks() {
        let [a, b] = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        let [src, dst] = [Endpoint { address: a, port: 40_000 }, Endpoint { address: b, port: 443 }];
        for (protocol, text) in [(6, "tcp dst port 443 and src host 10.0.0.1"), (17, "udp src port 40000")] {
            let data = octets(protocol, src, dst);
            let record = Record {
                number: 1,
                timestamp_ns: 0,
                interface: 0,
                link_type: LinkType::RAW,
                original_len: data.len() as u32,
                offset: 0,
                data: &data,
            };
            let packet = Packet::decode(&Decoder::default(), record);
            assert!(Filter::parse(text).unwrap().matches(&packet), "{text}");
        }
    }
}
