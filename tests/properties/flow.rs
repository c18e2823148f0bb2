//! Whatever packets come, in whatever order: nothing panics, the table keeps its bound, and no packet is lost from
//! the counts.

use mirrorscope_core::{
    Decoder, LinkType, Packet, Record,
    flow::{FlowCounters, FlowOptions, FlowRecord, FlowTable, Report, SortKey},
    sinks::{flows, line::Line},
};
use proptest::prelude::*;

const MAX_FLOWS: usize = 5;

/// A mirrored packet, from a small world so that packets meet.
#[derive(Clone, Debug)]
struct Mirrored {
    vni: u8,
    protocol: u8,
    src: u8,
    dst: u8,
    id: u8,
    fragment: u16,
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
    len: u16,
    seconds: i64,
    captured_len: usize,
}

fn ipv4(protocol: u8, addresses: [u8; 2], id: u8, fragment: u16, payload: &[u8], len: u16) -> Vec<u8> {
    let mut octets = vec![0x45, 0];
    octets.extend((20 + len).to_be_bytes());
    octets.extend([0, id]);
    octets.extend(fragment.to_be_bytes());
    octets.extend([64, protocol, 0, 0, 10, 0, 0, addresses[0], 10, 0, 0, addresses[1]]);
    octets.extend(payload);
    octets
}

impl Mirrored {
    fn octets(&self) -> Vec<u8> {
        let mut transport = vec![0, self.src, 0, self.dst];
        transport.extend([self.seq.to_be_bytes(), self.ack.to_be_bytes()].concat());
        transport.extend([0x50, self.flags]);
        transport.extend(self.window.to_be_bytes());
        transport.extend([0; 4]);
        let mut vxlan = vec![8, 0, 0, 0, 0, 0, self.vni, 0];
        vxlan.extend([2; 12]);
        vxlan.extend([8, 0]);
        let len = transport.len() as u16 + self.len;
        vxlan.extend(ipv4(self.protocol, [self.src, self.dst], self.id, self.fragment, &transport, len));
        let mut udp = vec![0xff, 0x80, 0x12, 0xb5];
        udp.extend((8 + vxlan.len() as u16).to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(vxlan);
        let len = udp.len() as u16;
        let mut octets = ipv4(17, [200, 201], 0, 0, &udp, len);
        octets.truncate(self.captured_len);
        octets
    }
}

fn sequence_number() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..300u32, 1 => (u32::MAX - 100)..=u32::MAX, 1 => any::<u32>()]
}

fn mirrored() -> impl Strategy<Value = Mirrored> {
    let header = (1..6u8, prop_oneof![Just(6u8), Just(17u8), Just(1u8)], 1..4u8, 1..4u8, 0..8u8);
    let fragment = prop_oneof![8 => Just(0u16), 1 => Just(0x2000u16), 1 => Just(0x2005u16)];
    let tcp = (sequence_number(), sequence_number(), any::<u8>(), 0..3u16, 0..200u16);
    let seconds = prop_oneof![8 => 0..3i64, 1 => 0..1000i64, 1 => any::<i64>()];
    let cut = prop_oneof![4 => Just(usize::MAX), 1 => 0..120usize];
    (header, fragment, tcp, seconds, cut).prop_map(|(header, fragment, tcp, seconds, captured_len)| {
        let (vni, protocol, src, dst, id) = header;
        let (seq, ack, flags, window, len) = tcp;
        Mirrored {
            vni,
            protocol,
            src,
            dst,
            id,
            fragment,
            seq,
            ack,
            flags,
            window,
            len,
            seconds,
            captured_len,
        }
    })
}

/// Shows packets to a small table and returns every flow.
fn flows_of(packets: &[(i64, u16, Vec<u8>)], keep_duplicates: bool) -> (Vec<FlowRecord>, FlowCounters) {
    let options = FlowOptions {
        max_flows: MAX_FLOWS,
        duplicate_capacity: 64,
        keep_duplicates,
        ..FlowOptions::default()
    };
    let mut table = FlowTable::new(options);
    let mut flows = Vec::new();
    for (timestamp_ns, link_type, data) in packets {
        let record = Record {
            number: 1,
            timestamp_ns: *timestamp_ns,
            interface: 0,
            link_type: LinkType(*link_type),
            original_len: data.len() as u32,
            offset: 0,
            data,
        };
        table.observe(&Packet::decode(&Decoder::default(), record), &mut |flow| flows.push(flow));
        assert!(table.len() <= MAX_FLOWS);
        assert_eq!(table.iter().count(), table.len());
    }
    table.finish(&mut |flow| flows.push(flow));
    assert!(table.is_empty());
    (flows, table.counters())
}

/// No packet and no octet is lost or counted twice, and every flow can be printed.
fn check(packets: &[(i64, u16, Vec<u8>)], keep_duplicates: bool) {
    let (flows, counters) = flows_of(packets, keep_duplicates);
    let sum = |value: fn(&FlowRecord) -> u64| flows.iter().map(value).sum::<u64>();
    let duplicates = sum(|flow| flow.total(|direction| direction.duplicates));
    let duplicate_bytes = sum(|flow| flow.total(|direction| direction.duplicate_bytes));
    assert_eq!(counters.packets, packets.len() as u64);
    let counted = sum(FlowRecord::packets) + duplicates + counters.orphans + counters.not_ip;
    assert_eq!(counted, counters.packets);
    let counted = sum(FlowRecord::bytes) + duplicate_bytes + counters.orphan_bytes + counters.not_ip_bytes;
    assert_eq!(counted, counters.bytes);
    assert_eq!(duplicates + counters.orphans, counters.duplicates);
    assert_eq!(flows.len() as u64 + counters.joined, counters.flows);
    let mut report = Report::new(SortKey::Response, 3);
    let mut line = Line::default();
    for flow in flows {
        assert!(flow.packets() > 0 && flow.first_ns <= flow.last_ns);
        flows::print_json(&flow, &|_| None, &mut line);
        flows::print_csv(&flow, &|_| None, &mut line);
        report.push(flow);
    }
    assert!(report.finish().0.len() <= 3);
}

proptest! {
    #[test]
    fn mirrored_packets_in_any_order_add_up(
        packets in prop::collection::vec(mirrored(), 0..120),
        keep_duplicates: bool,
    ) {
        let packets: Vec<_> = packets
            .iter()
            .map(|packet| (packet.seconds.saturating_mul(1_000_000_000), LinkType::RAW.0, packet.octets()))
            .collect();
        check(&packets, keep_duplicates);
    }

    #[test]
    fn any_octets_of_any_link_type_add_up(
        packets in prop::collection::vec(
            (any::<i64>(), prop_oneof![Just(1u16), Just(101), Just(113), Just(276)],
             prop::collection::vec(any::<u8>(), 0..120)),
            0..40,
        ),
    ) {
        check(&packets, false);
    }
}
