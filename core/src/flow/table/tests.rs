use core::slice;

use super::*;
use crate::flow::{
    DirectionRecord,
    tcp::flag::{ACK, FIN, RST, SYN},
    testing::{Frame, flows_with, table_of},
};

mod counted;
mod views;

const SECOND_MS: i64 = 1_000;

#[test]
fn both_directions_are_one_flow_and_the_known_port_is_the_servers() {
    let query = Frame::udp(40000, 53).payload(30);
    let flows = table_of(&[query.clone().back().payload(90).at_ms(5), query]);
    let [flow] = &flows[..] else { panic!("{flows:?}") };
    assert_eq!((flow.client.port, flow.server.port), (40000, 53));
    assert_eq!((flow.sent.packets, flow.sent.bytes), (1, 58));
    assert_eq!((flow.received.packets, flow.received.bytes), (1, 118));
    assert_eq!(flow.service(), Some("dns"));
}

#[test]
fn the_same_tuple_in_two_sessions_is_two_flows() {
    let frame = Frame::udp(1, 2).payload(1);
    let other = frame.clone().payload(2).seen_by(7);
    assert_eq!(table_of(&[frame, other]).len(), 2);
}

#[test]
fn a_flow_is_idle_after_its_timeout_and_not_at_it() {
    let udp = Frame::udp(1, 2);
    for (ms, count) in [(120 * SECOND_MS, 1), (120 * SECOND_MS + 1, 2), (-121 * SECOND_MS, 2)] {
        assert_eq!(table_of(&[udp.clone(), udp.clone().at_ms(ms)]).len(), count, "{ms}");
    }
    let tcp = Frame::tcp(1, 2, 1, 1, ACK);
    for (ms, count) in [(350 * SECOND_MS, 1), (350 * SECOND_MS + 1, 2)] {
        assert_eq!(table_of(&[tcp.clone(), tcp.clone().at_ms(ms)]).len(), count, "{ms}");
    }
}

#[test]
fn time_that_passes_ends_idle_flows_only() {
    let mut table = FlowTable::new(FlowOptions::default());
    let mut ended = Vec::new();
    Frame::udp(1, 2).show(&mut table, &mut |flow| ended.push(flow));
    Frame::tcp(1, 2, 1, 1, ACK).show(&mut table, &mut |flow| ended.push(flow));
    table.expire(200_000_000_000, &mut |flow| ended.push(flow));
    assert_eq!((table.len(), table.iter().count()), (1, 1));
    let reasons: Vec<_> = ended.iter().map(|flow| (flow.protocol, flow.end)).collect();
    assert_eq!(reasons, [(17, Some(EndReason::Idle))]);
}

#[test]
fn a_closed_connection_lingers_and_then_ends_as_closed() {
    let fin = Frame::tcp(1, 2, 10, 20, FIN | ACK);
    let both = [fin.clone(), Frame::tcp(1, 2, 20, 11, FIN | ACK).back()];
    let late = Frame::udp(9, 9).at_ms(61 * SECOND_MS);
    let flows = table_of(&[&both[..], &[late]].concat());
    assert_eq!(flows[0].end, Some(EndReason::Closed));
    assert_eq!(flows[0].state.unwrap().name(), "closed");
}

#[test]
fn a_new_syn_between_the_same_ports_begins_a_new_flow() {
    let syn = Frame::tcp(1, 2, 100, 0, SYN);
    let flows = table_of(&[syn.clone(), syn.at_ms(1), Frame::tcp(1, 2, 999, 0, SYN).at_ms(2)]);
    assert_eq!(flows.len(), 2);
    assert_eq!((flows[0].end, flows[0].sent.retransmissions), (Some(EndReason::Reused), 1));
}

#[test]
fn a_full_table_evicts_closed_connections_and_then_the_least_recent() {
    let options = FlowOptions { max_flows: 2, ..FlowOptions::default() };
    let frames = [
        Frame::udp(1, 100),
        Frame::tcp(2, 100, 1, 0, RST).at_ms(2_000),
        Frame::udp(3, 100).at_ms(4_000),
        Frame::udp(1, 100).at_ms(6_000),
        Frame::udp(4, 100).at_ms(8_000),
    ];
    let (flows, table) = flows_with(options, &frames);
    let evicted: Vec<_> = flows.iter().filter(|flow| flow.end == Some(EndReason::Evicted)).collect();
    let ports: Vec<_> = evicted.iter().map(|flow| flow.client.port).collect();
    assert_eq!((ports, table.counters().evicted), (vec![2, 3], 2));
}

#[test]
fn a_flood_of_new_flows_stays_within_the_bound() {
    let options = FlowOptions { max_flows: 100, ..FlowOptions::default() };
    let mut table = FlowTable::new(options);
    let mut ended = 0;
    for i in 0..20_000u32 {
        let frame = Frame { src: ((i >> 14) as u8, i as u16), ..Frame::udp(1, 2) };
        frame.show(&mut table, &mut |_| ended += 1);
        assert!(table.len() <= 100);
    }
    assert_eq!((table.len(), ended), (100, 19_900));
    assert!(table.index.capacity() < 500);
}

/// A connection of `count` packets, each mirrored at both ends.
fn twice_mirrored(count: u32) -> Vec<Frame> {
    let segment = |i: u32| {
        let there = Frame::tcp(5000, 443, 100 + i / 2 * 50, 900 + i / 2 * 70, ACK).payload(50);
        let back = Frame::tcp(5000, 443, 900 + i / 2 * 70, 150 + i / 2 * 50, ACK).payload(70).back();
        let frame = if i.is_multiple_of(2) { there } else { back };
        frame.id(i as u16).at_ms(i64::from(i) * 10)
    };
    let mirrored = |i| {
        let (near, far) = (segment(i).seen_by(1), segment(i).seen_by(2));
        // The sender's end shows it first.
        if i.is_multiple_of(2) { [near, far] } else { [far, near] }
    };
    (0..count).flat_map(mirrored).collect()
}

#[test]
fn a_flow_mirrored_at_both_ends_is_one_flow_without_retransmissions() {
    let (flows, table) = flows_with(FlowOptions::default(), &twice_mirrored(20));
    let [flow] = &flows[..] else { panic!("{flows:?}") };
    assert_eq!((flow.packets(), flow.total(|direction| direction.duplicates)), (20, 20));
    assert_eq!(flow.also_seen_by.len(), 1);
    for direction in [flow.sent, flow.received] {
        assert_eq!((direction.retransmissions, direction.out_of_order, direction.gap_bytes), (0, 0, 0));
        assert_eq!(direction.duplicate_acks, 0);
    }
    assert_eq!(table.counters().duplicates, 20);
    assert!(table.is_empty() && table.index.is_empty());
}

#[test]
fn what_one_mirror_loses_the_other_makes_up_for() {
    let mut frames = twice_mirrored(20);
    frames.retain(|frame| !(frame.vni == Some(1) && frame.id.is_multiple_of(3)));
    frames.retain(|frame| !(frame.vni == Some(2) && frame.id % 5 == 1));
    let flows = table_of(&frames);
    let [flow] = &flows[..] else { panic!("{flows:?}") };
    // Packet 6 and so on were lost at one end each; packet 1 mod 15 = 6 at both.
    assert_eq!(flow.packets(), 19);
    assert_eq!(flow.total(|direction| direction.retransmissions.into()), 0);
}

#[test]
fn views_that_begin_apart_are_joined_at_the_first_copy() {
    let mut frames = twice_mirrored(10);
    // Session 2 alone shows packet 0, session 1 alone packet 1.
    frames.remove(2);
    frames.remove(0);
    let (flows, table) = flows_with(FlowOptions::default(), &frames);
    assert_eq!((flows.len(), table.counters().joined), (1, 1));
    assert_eq!((flows[0].packets(), flows[0].total(|direction| direction.duplicates)), (10, 8));
    assert_eq!(flows[0].total(|direction| direction.gap_bytes), 0);
}

/// A part of a connection with everything that is counted, from `seq` and `ack` on.
fn eventful(seq: u32, ack: u32, at_ms: i64) -> Vec<Frame> {
    let there = |from: u32, len: u32| Frame::tcp(5000, 443, seq + from, ack, ACK).payload(len);
    let back = |acked: u32| Frame::tcp(5000, 443, ack, seq + acked, ACK).back();
    let frames = [
        there(0, 100),
        there(200, 100),
        back(100),
        back(100),
        back(100),
        there(100, 100),
        back(300),
        there(200, 100),
        there(299, 1),
        Frame { window: 0, ..back(300) },
        back(300).payload(70),
        there(400, 50),
        back(450),
    ];
    frames
        .into_iter()
        .zip(0..)
        .map(|(frame, i)| frame.id(seq as u16 + i).at_ms(at_ms + 10 * i64::from(i)))
        .collect()
}

#[test]
fn views_of_one_part_each_make_the_flow_that_a_view_of_all_makes() {
    // Nobody sees the 50 octets between the two.
    let (first, second) = (eventful(1_000, 9_000, 0), eventful(1_500, 9_070, 1_000));
    let counted = |frames: Vec<Frame>| {
        let (flows, table) = flows_with(FlowOptions::default(), &frames);
        let [flow] = &flows[..] else { panic!("{flows:?}") };
        let times = (flow.first_ns, flow.last_ns, flow.responses, flow.response_sum_ns, flow.response_max_ns);
        (flow.sent, flow.received, flow.state, times, table.counters().joined)
    };
    let by = |vni: u32, frames: &[Frame]| frames.iter().map(|frame| frame.seen_by(vni)).collect::<Vec<_>>();
    let copy = slice::from_ref(second.last().unwrap());
    let whole = counted([by(1, &first), by(1, &second), by(2, copy)].concat());
    for (older, younger) in [(1, 2), (2, 1)] {
        let views = [by(older, &first), by(younger, &second), by(older, copy)].concat();
        let (sent, received, state, times, joined) = counted(views);
        assert_eq!((sent, received, state, times), (whole.0, whole.1, whole.2, whole.3));
        assert_eq!((joined, whole.4), (1, 0));
    }
    let (sent, received, ..) = whole;
    let counts = |way: DirectionRecord| {
        [way.retransmissions, way.duplicate_acks, way.zero_windows, way.keep_alives].map(|count| count > 0)
    };
    assert_eq!((counts(sent), counts(received)), ([true, false, false, true], [false, true, true, false]));
    assert_eq!(sent.gap_bytes, 100 + 50 + 100);
}

#[test]
fn duplicates_can_be_kept_as_flows_of_their_own() {
    let options = FlowOptions { keep_duplicates: true, ..FlowOptions::default() };
    let (flows, _) = flows_with(options, &twice_mirrored(4));
    assert_eq!(flows.iter().map(FlowRecord::packets).collect::<Vec<_>>(), [4, 4]);
}

#[test]
fn packets_without_a_tunnel_are_never_duplicates() {
    let frame = Frame { vni: None, ..Frame::udp(1, 2) };
    assert_eq!(table_of(&[frame.clone(), frame])[0].sent.packets, 2);
}

#[test]
fn later_fragments_count_with_their_flow() {
    let first = Frame { fragment: 0x2000, ..Frame::udp(1, 2).id(9).payload(1000) };
    let later = Frame { fragment: 125, ..first.clone() };
    let flows = table_of(&[first, later]);
    assert_eq!((flows.len(), flows[0].sent.packets, flows[0].client.port), (1, 2, 1));
}

#[test]
fn a_fragment_that_overtook_its_first_one_counts_with_its_flow() {
    let first = Frame { fragment: 0x2000, ..Frame::udp(1, 2).id(9).payload(1000) };
    let later = Frame { fragment: 125, ..first.clone() };
    let other = later.clone().id(10);
    let (flows, table) = flows_with(FlowOptions::default(), &[later.clone(), other, first.at_ms(5)]);
    let packets: Vec<_> = flows.iter().map(|flow| (flow.client.port, flow.packets())).collect();
    assert_eq!((packets, table.counters().lone_fragments), (vec![(1, 2), (0, 1)], 1));
    let joined = &flows[0];
    assert_eq!((joined.first_ns, joined.last_ns), (0, 5_000_000));
}

#[test]
fn a_fragment_waits_no_longer_than_a_receiver_would_and_ends_no_flow() {
    let first = Frame { fragment: 0x2000, ..Frame::udp(1, 2).id(9).payload(1000) };
    let later = Frame { fragment: 125, ..first.clone() };
    let (flows, table) = flows_with(FlowOptions::default(), &[later.clone(), first.clone().at_ms(30_001)]);
    assert_eq!((flows.len(), table.counters().lone_fragments), (2, 1));
    let options = FlowOptions { other_idle_ns: 2_000_000_000, ..FlowOptions::default() };
    let busy = |ms| Frame::udp(7, 8).at_ms(ms);
    let frames = [later, busy(0), busy(1_500), busy(2_500), busy(3_500), first.at_ms(4_000)];
    let (flows, _) = flows_with(options, &frames);
    assert!(flows.iter().any(|flow| flow.client.port == 7 && flow.packets() == 4), "{flows:?}");
}

#[test]
fn a_fragment_is_given_up_by_the_first_packet_that_comes_too_late_for_it() {
    let mut table = FlowTable::new(FlowOptions::default());
    let lone = Frame { fragment: 125, ..Frame::udp(1, 2).id(9).payload(8) };
    for (frame, given_up) in
        [(lone, 0), (Frame::udp(7, 8).at_ms(30_000), 0), (Frame::udp(7, 8).at_ms(30_001), 1)]
    {
        frame.show(&mut table, &mut |_| {});
        assert_eq!(table.counters().lone_fragments, given_up);
    }
}

#[test]
fn both_ends_of_a_fragmented_packet_count_once_in_any_order() {
    let first = Frame { fragment: 0x2000, ..Frame::udp(1, 2).id(9).payload(1000) };
    let later = Frame { fragment: 125, ..first.clone() };
    let far = [later.seen_by(7), first.seen_by(7)];
    let flows = table_of(&[&[first, later][..], &far].concat());
    assert_eq!((flows.len(), flows[0].packets()), (1, 2));
    assert_eq!(flows[0].total(|direction| direction.duplicates), 2);
}

#[test]
fn a_flood_of_lone_fragments_is_counted_and_not_kept() {
    let mut table = FlowTable::new(FlowOptions::default());
    let mut packets = 0;
    for i in 0..5_000u16 {
        let lone = Frame { fragment: 125, src: (i as u8, 0), ..Frame::udp(1, 2).id(i).payload(8) };
        lone.gather(&mut table, &mut |flow| packets += flow.packets());
        assert!(table.waiting.len() <= BATCH_LEN, "{}", table.waiting.len());
    }
    let given_up = 5_000 - super::super::fragments::MAX_HELD as u64;
    assert_eq!(table.counters().lone_fragments, given_up);
    table.finish(&mut |flow| packets += flow.packets());
    assert_eq!((packets, table.counters().lone_fragments), (5_000, 5_000));
}

/// Lone fragments, packets of their flows, and times that jump.
fn with_lone_fragments() -> Vec<Frame> {
    let first = |id: u16| Frame { fragment: 0x2000, ..Frame::udp(1, 2).id(id).payload(1000) };
    let lone = |id: u16| Frame { fragment: 125, ..first(id) };
    let mut frames = Vec::new();
    for turn in 0..40u16 {
        let now_ms = i64::from(turn) * 9_000;
        frames.push(lone(turn).at_ms(now_ms));
        frames.push(Frame::udp(turn % 3, 8).at_ms(now_ms + 1));
        frames.push(first(turn / 2).at_ms(now_ms + 2));
        if turn % 8 == 7 {
            frames.push(Frame::udp(7, 8).at_ms(now_ms + 400_000));
        }
    }
    frames
}

#[test]
fn how_many_packets_are_counted_together_makes_no_difference() {
    let frames = with_lone_fragments();
    let flows_by = |together: usize| {
        let mut table = FlowTable::new(FlowOptions::default());
        let mut flows = Vec::new();
        for (place, frame) in frames.iter().enumerate() {
            frame.gather(&mut table, &mut |flow| flows.push(flow));
            if place % together == together - 1 {
                table.settle(&mut |flow| flows.push(flow));
            }
        }
        table.finish(&mut |flow| flows.push(flow));
        (flows, table.counters())
    };
    let one_by_one = flows_by(1);
    assert!(one_by_one.0.iter().any(|flow| flow.end == Some(EndReason::Idle) && flow.client.port == 0));
    for together in [2, 3, 7, 1000] {
        assert_eq!(flows_by(together), one_by_one, "{together}");
    }
}

#[test]
fn the_name_and_the_time_to_answer_are_found() {
    let request = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
    let len = request.len() as u32;
    let flows = table_of(&[
        Frame::tcp(5000, 80, 1, 1, ACK).octets(request),
        Frame::tcp(5000, 80, 1, 1 + len, ACK).back().at_ms(1),
        Frame::tcp(5000, 80, 1, 1 + len, ACK).back().payload(900).at_ms(31),
        Frame::tcp(5000, 80, 901, 1 + len, ACK).back().payload(900).at_ms(50),
    ]);
    let name = flows[0].name.as_ref().unwrap();
    assert_eq!((&*name.text, name.source.key()), ("example.org", "http_host"));
    assert_eq!((flows[0].responses, flows[0].response_max_ns), (1, 31_000_000));
}

#[test]
fn payloads_are_kept_until_their_packets_are_counted_and_no_longer() {
    let request = Frame::tcp(5000, 80, 1, 1, ACK).octets(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    let mut table = FlowTable::new(FlowOptions::default());
    request.gather(&mut table, &mut |_| {});
    assert!(!table.payloads.is_empty());
    table.settle(&mut |_| {});
    assert!(table.payloads.is_empty());
}

#[test]
fn the_same_copies_are_found_in_every_run_also_where_not_all_are() {
    let frames: Vec<_> = (1..=2_000u16).map(|port| Frame::udp(port, 53).payload(9)).collect();
    let copies = frames.iter().map(|frame| frame.clone().seen_by(7).at_ms(1));
    let all: Vec<_> = frames.iter().cloned().chain(copies).collect();
    let found = |seed| {
        let options = FlowOptions { seed, duplicate_capacity: 1_500, ..FlowOptions::default() };
        let mut table = FlowTable::new(options);
        all.iter().for_each(|frame| frame.show(&mut table, &mut |_| {}));
        table.counters().duplicates
    };
    assert!((1..2_000).contains(&found(1)), "{}", found(1));
    assert!((2..9).all(|seed| found(seed) == found(1)));
}

#[test]
fn a_trace_tells_the_flow_of_every_packet_and_which_flows_were_joined() {
    let query = Frame::udp(40000, 53).payload(30);
    let other = Frame::udp(1, 2).payload(9);
    // Two sessions show a flow each way before the first copy shows that it is one.
    let answer = query.clone().back().payload(90).at_ms(1);
    let frames =
        [query.clone(), other, answer.clone().seen_by(7), query.seen_by(7).at_ms(2), answer.at_ms(3)];
    let mut table = FlowTable::new(FlowOptions::default());
    table.trace();
    frames.iter().for_each(|frame| frame.show(&mut table, &mut |_| {}));
    let trace = table.traced().unwrap();
    let flows: Vec<_> = trace.placed.iter().map(|placed| placed.flow).collect();
    assert_eq!(flows, [Some(0), Some(1), Some(2), Some(0), Some(0)]);
    let copies: Vec<_> = trace.placed.iter().map(|placed| placed.is_duplicate).collect();
    assert_eq!(copies, [false, false, false, true, true]);
    assert_eq!(trace.joined, [(2, 0)]);
}

/// All frames, with a report of everything behind each `every` of them.
fn reported(frames: &[Frame], every: usize) -> Vec<FlowRecord> {
    let mut table = FlowTable::new(FlowOptions::default());
    let mut told = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        frame.show(&mut table, &mut |flow| told.push(flow));
        if (at + 1) % every == 0 {
            let mut place = Some(0);
            while let Some(from) = place {
                place = table.report(from, 1, &mut |flow| told.push(flow));
            }
        }
    }
    table.finish(&mut |flow| told.push(flow));
    told
}

fn news(told: &[FlowRecord], value: impl Fn(&DirectionRecord) -> u64) -> u64 {
    told.iter().flat_map(FlowRecord::news).map(value).sum()
}

#[test]
fn reports_and_the_end_add_up_to_the_flow_whatever_their_number() {
    let syn = Frame::tcp(1, 2, 10, 0, SYN).at_ms(1);
    let data = Frame::tcp(1, 2, 11, 21, ACK).payload(100).at_ms(3);
    let lost = Frame::tcp(1, 2, 211, 21, ACK).payload(100).at_ms(5);
    let ack = Frame::tcp(1, 2, 21, 311, ACK).back().at_ms(6);
    let frames =
        [syn, data.clone(), data.clone().id(1).at_ms(4), lost, ack.clone(), ack.seen_by(2), data.seen_by(3)];
    let whole = table_of(&frames);
    for every in 1..=frames.len() {
        let told = reported(&frames, every);
        for value in [
            (|direction: &DirectionRecord| direction.packets) as fn(&DirectionRecord) -> u64,
            |direction| direction.bytes,
            |direction| direction.duplicates,
            |direction| direction.retransmissions.into(),
            |direction| direction.gap_bytes,
        ] {
            let all: u64 = whole.iter().map(|flow| flow.total(value)).sum();
            assert!(all > 0);
            assert_eq!(news(&told, value), all, "every {every}");
        }
        let ends: Vec<_> = told.iter().filter(|flow| flow.end.is_some()).cloned().collect();
        assert!(
            ends.iter().any(|flow| flow.sent.packets == whole[0].sent.packets),
            "the end tells the whole flow"
        );
    }
}

#[test]
fn a_report_has_times_and_flags_of_its_own_and_nothing_is_told_twice() {
    let mut table = FlowTable::new(FlowOptions::default());
    let mut told = Vec::new();
    Frame::tcp(1, 2, 10, 0, SYN).at_ms(1).show(&mut table, &mut |_| {});
    assert_eq!(table.report(0, 10, &mut |flow| told.push(flow)), None);
    table.report(0, 10, &mut |flow| told.push(flow));
    Frame::tcp(1, 2, 11, 0, ACK).at_ms(9).show(&mut table, &mut |_| {});
    table.report(0, 10, &mut |flow| told.push(flow));
    let sent: Vec<_> = told.iter().map(|flow| flow.news()[0]).collect();
    let seen: Vec<_> = sent.iter().map(|news| (news.tcp_flags, news.first_ns, news.last_ns)).collect();
    assert_eq!(seen, [(SYN, 1_000_000, 1_000_000), (ACK, 9_000_000, 9_000_000)]);
    assert_eq!((told[1].sent.tcp_flags, told[1].first_ns, told[1].sent.packets), (SYN | ACK, 1_000_000, 2));
}

#[test]
fn what_was_told_of_two_sessions_flows_is_not_told_again_when_they_become_one() {
    let frame = |id| Frame::udp(1, 2).payload(10).id(id);
    // Each session shows a packet that the other one has not, then both the same.
    let frames = [frame(1), frame(2).seen_by(2), frame(3), frame(3).seen_by(2), frame(4)];
    for every in 1..=frames.len() {
        let told = reported(&frames, every);
        assert_eq!(news(&told, |direction| direction.packets), 4, "every {every}");
        assert_eq!(news(&told, |direction| direction.duplicates), 1, "every {every}");
    }
}
