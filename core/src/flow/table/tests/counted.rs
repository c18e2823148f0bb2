//! What is counted of the packets of one view: names, answers, fragments, what is no flow, and what ends one.

use super::*;
use crate::{
    flow::tcp::{TcpState, flag::PSH},
    layers::testing::record,
    record::LinkType,
    stack::Decoder,
};

const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01";

fn name(frames: &[Frame]) -> Option<String> {
    table_of(frames)[0].name.as_ref().map(|name| name.text.to_string())
}

/// Segments of a client with these payloads, one after the other.
fn segments(payloads: &[&[u8]]) -> Vec<Frame> {
    let mut seq = 1;
    let segment = |payload: &&[u8]| {
        let frame = Frame::tcp(5000, 443, seq, 1, ACK).octets(payload);
        seq += payload.len() as u32;
        frame
    };
    payloads.iter().map(segment).collect()
}

#[test]
fn the_name_in_a_client_hello_and_in_a_question_is_that_of_the_flow() {
    let mut hello = vec![22, 3, 1, 0, 67]; // record
    hello.extend([1, 0, 0, 63, 3, 3]); // ClientHello
    hello.extend([7; 32]); // random
    hello.extend([0, 0, 2, 0x13, 1, 1, 0]); // session id, ciphers, compression
    hello.extend([0, 20, 0, 0, 0, 16, 0, 14, 0, 0, 11]); // extensions, server_name, list, host_name
    hello.extend(b"example.org");
    assert_eq!(name(&segments(&[&hello])).as_deref(), Some("example.org"));
    let question = Frame::udp(40000, 53).octets(QUESTION);
    assert_eq!(name(&[question]).as_deref(), Some("www.example"));
}

#[test]
fn a_name_is_looked_for_in_the_first_four_packets_with_payload_and_no_further() {
    let request = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
    let other = &[0; 9][..];
    assert_eq!(name(&segments(&[other, other, other, request])).as_deref(), Some("example.org"));
    assert_eq!(name(&segments(&[other, other, other, other, request])), None);
    // Packets without payload take no attempt, and neither do fragments.
    let ack = Frame::tcp(5000, 443, 1, 1, ACK);
    let first = Frame { fragment: 0x2000, ..Frame::tcp(5000, 443, 1, 1, ACK).octets(other) };
    for idle in [ack, first] {
        let frames = [vec![idle; 5], segments(&[request])].concat();
        assert_eq!(name(&frames).as_deref(), Some("example.org"));
    }
}

#[test]
fn a_datagram_without_payload_is_no_answer() {
    let query = Frame::udp(40000, 53).payload(30);
    let answer = query.clone().back();
    let flows = table_of(&[query, answer.clone().payload(0).at_ms(2), answer.at_ms(7)]);
    assert_eq!((flows[0].responses, flows[0].response_sum_ns), (1, 7_000_000));
}

#[test]
fn the_server_has_the_known_port_whichever_address_is_lower_and_whoever_is_seen_first() {
    let query = Frame::udp(40000, 53).payload(30);
    for frames in [
        [query.clone(), query.clone().back()],
        [query.clone().back(), query.clone()],
        [query.clone().back(), query].map(|frame| Frame {
            src: (3 - frame.src.0, frame.src.1),
            dst: (3 - frame.dst.0, frame.dst.1),
            ..frame
        }),
    ] {
        let flow = table_of(&frames).remove(0);
        assert_eq!((flow.client.port, flow.server.port), (40000, 53));
    }
}

#[test]
fn the_cookie_of_a_flow_is_the_first_one() {
    let with = |cookie| Frame { cookie, ..Frame::udp(1, 2).id(cookie.unwrap_or(1) as u16) };
    let flows = table_of(&[with(None), with(Some(7)), with(Some(8))]);
    assert_eq!(flows[0].flow_cookie, Some(7));
}

#[test]
fn payload_is_what_lies_behind_the_header_and_in_later_fragments_everything() {
    let datagram = Frame::udp(1, 2).octets(&[0xff; 30]);
    assert_eq!(table_of(&[datagram])[0].sent.payload_bytes, 30);
    let first = Frame { fragment: 0x2000, ..Frame::udp(1, 2).id(9).payload(1000) };
    let later = Frame { fragment: 126, ..first.clone() };
    assert_eq!(table_of(&[first, later])[0].sent.payload_bytes, 2000);
}

#[test]
fn what_lies_in_a_later_fragment_is_no_tcp_header_and_what_follows_it_no_gap() {
    let first = Frame { fragment: 0x2000, ..Frame::tcp(5000, 443, 1000, 1, PSH | ACK).id(9).payload(980) };
    // Looks like a header with all flags.
    let later = Frame { fragment: 125, ..first.clone() }.octets(&[0xff; 20]);
    let behind = Frame::tcp(5000, 443, 9_000, 1, ACK).payload(10);
    let acked = Frame::tcp(5000, 443, 1, 9_010, ACK).back();
    let flows = table_of(&[first, later, behind.clone(), behind.at_ms(300), acked]);
    let [flow] = &flows[..] else { panic!("{flows:?}") };
    let sent = flow.sent;
    assert_eq!((sent.tcp_flags, flow.state), (PSH | ACK, Some(TcpState::Midstream)));
    assert_eq!((sent.packets, sent.payload_bytes), (4, 980 + 20 + 10 + 10));
    assert_eq!((sent.gap_bytes, sent.retransmissions, sent.out_of_order), (0, 1, 0));
}

#[test]
fn packets_without_addresses_are_counted_apart() {
    // A broadcast ARP request of ten octets, too short to be read.
    let frame = [&[0xff; 6][..], &[2; 6], &[8, 6], &[0, 1, 8, 0, 6, 4, 0, 1, 2, 2]].concat();
    let packet = Packet::decode(&Decoder::default(), record(LinkType::ETHERNET, &frame));
    let mut table = FlowTable::new(FlowOptions::default());
    for _ in 0..2 {
        assert!(!table.gather(&packet, &mut |_| {}));
    }
    let FlowCounters { packets, bytes, not_ip, not_ip_bytes, flows, .. } = table.counters();
    assert_eq!((packets, bytes, not_ip, not_ip_bytes, flows), (2, 48, 2, 48, 0));
    assert!(table.is_empty());
}

#[test]
fn flows_that_go_on_can_be_looked_at_and_end_as_what_they_are() {
    let closed = [
        Frame::tcp(1, 2, 10, 20, FIN | ACK),
        Frame::tcp(1, 2, 20, 11, FIN | ACK).back(),
        Frame::tcp(1, 2, 11, 21, ACK),
    ];
    let open = [Frame::tcp(3, 4, 1, 1, ACK), Frame::udp(5, 6), Frame::udp(7, 8)];
    let mut table = FlowTable::new(FlowOptions::default());
    [&closed[..], &open].concat().iter().for_each(|frame| frame.show(&mut table, &mut |_| {}));
    assert!(!table.is_empty());
    let ports = |flows: &[FlowRecord]| flows.iter().map(|flow| flow.client.port).collect::<Vec<_>>();
    assert_eq!(ports(&table.iter().collect::<Vec<_>>()), [3, 5, 7, 1]);
    let mut ended = Vec::new();
    table.finish(&mut |flow| ended.push(flow));
    let is_closed: Vec<_> = ended.iter().map(|flow| flow.end == Some(EndReason::Closed)).collect();
    assert_eq!((ports(&ended), is_closed), (vec![3, 5, 7, 1], vec![false, false, false, true]));
}

#[test]
fn a_report_goes_on_where_it_stopped_until_all_flows_were_told() {
    let mut table = FlowTable::new(FlowOptions::default());
    (1..=5).for_each(|port| Frame::udp(port, 9).show(&mut table, &mut |_| {}));
    let mut told = Vec::new();
    let mut places = vec![];
    let mut place = Some(0);
    while let Some(from) = place {
        place = table.report(from, 2, &mut |flow| told.push(flow.client.port));
        places.push(place);
    }
    assert_eq!((told, places), (vec![1, 2, 3, 4, 5], vec![Some(2), Some(4), None]));
}

#[test]
fn a_full_table_evicts_the_flow_that_was_seen_least_recently_wherever_it_lies() {
    let options = FlowOptions { max_flows: 3, ..FlowOptions::default() };
    // To the second: the first again before the third begins.
    let frames = [
        Frame::udp(1, 100),
        Frame::tcp(2, 100, 1, 1, ACK).at_ms(2_000),
        Frame::udp(3, 100).at_ms(4_000),
        Frame::tcp(2, 100, 1, 1, ACK).at_ms(6_000),
        Frame::udp(4, 100).at_ms(8_000),
        Frame::udp(5, 100).at_ms(10_000),
        Frame::udp(6, 100).at_ms(12_000),
    ];
    let (flows, _) = flows_with(options, &frames);
    let evicted = flows.iter().filter(|flow| flow.end == Some(EndReason::Evicted));
    assert_eq!(evicted.map(|flow| flow.client.port).collect::<Vec<_>>(), [1, 3, 2]);
}

#[test]
fn a_fragment_that_is_given_up_ends_no_flow_by_its_past_time() {
    let options = FlowOptions { linger_ns: 1_000_000_000, ..FlowOptions::default() };
    let lone = Frame { fragment: 125, ..Frame::udp(1, 2).id(9).payload(8) };
    let fin = |way_back: bool| {
        let frame = Frame::tcp(5000, 443, 10, 10, FIN | ACK).at_ms(29_900);
        if way_back { frame.back() } else { frame }
    };
    // Gives the fragment up, half a second behind the end of the connection.
    let other = Frame::udp(7, 8).at_ms(30_001);
    let late = Frame::tcp(5000, 443, 11, 11, ACK).at_ms(30_400);
    let (flows, table) = flows_with(options, &[lone, fin(false), fin(true), other, late]);
    assert_eq!((flows.len(), table.counters().lone_fragments), (3, 1));
}

#[test]
fn a_trace_that_was_cleared_tells_only_what_came_since() {
    let mut table = FlowTable::new(FlowOptions::default());
    table.trace();
    let frames = [Frame::udp(1, 2).id(1), Frame::udp(1, 2).id(1).seen_by(7), Frame::udp(3, 4)];
    let placed = frames.map(|frame| {
        frame.show(&mut table, &mut |_| {});
        let trace = table.traced().unwrap();
        let placed = trace.placed.clone();
        trace.joined.push((1, 0));
        trace.clear();
        assert!(trace.joined.is_empty());
        placed.iter().map(|placed| (placed.flow, placed.is_duplicate)).collect::<Vec<_>>()
    });
    assert_eq!(placed, [[(Some(0), false)], [(Some(0), true)], [(Some(1), false)]]);
}
