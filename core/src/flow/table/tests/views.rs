//! What becomes of the flows of several sessions that turn out to be views of one.

use super::*;

/// One datagram of a flow between ports that say nothing, told from others by its identification.
fn datagram(id: u16) -> Frame {
    Frame::udp(5001, 5002).payload(10).id(id)
}

#[test]
fn a_copy_whose_flow_has_ended_is_counted_as_an_orphan() {
    let options = FlowOptions { max_flows: 1, ..FlowOptions::default() };
    let frame = datagram(1);
    let frames = [
        frame.clone(),
        Frame::udp(3, 4).at_ms(1),
        frame.clone().seen_by(2).at_ms(2),
        frame.seen_by(3).at_ms(3),
    ];
    let (flows, table) = flows_with(options, &frames);
    let counters = table.counters();
    assert_eq!((flows.len(), counters.duplicates), (2, 2));
    assert_eq!((counters.orphans, counters.orphan_bytes), (2, 2 * 38));
}

#[test]
fn four_sessions_share_a_flow_and_the_view_of_a_fifth_stays_its_own() {
    let by = |vni, id: u16| datagram(id).seen_by(vni).at_ms(id.into());
    // Two pairs, of which one packet shows that they are one.
    let pairs = [by(1, 1), by(2, 1), by(3, 2), by(4, 2), by(1, 3), by(3, 3)];
    let (flows, table) = flows_with(FlowOptions::default(), &pairs);
    assert_eq!((flows.len(), table.counters().joined), (1, 1));
    assert_eq!((flows[0].also_seen_by.len(), flows[0].packets()), (3, 3));
    // Each of them finds it, and so does no other.
    let fifth = [by(4, 4), by(2, 5), by(5, 6), by(1, 7), by(5, 7), by(5, 8)];
    let (flows, table) = flows_with(FlowOptions::default(), &[&pairs[..], &fifth].concat());
    let packets: Vec<_> = flows.iter().map(FlowRecord::packets).collect();
    assert_eq!((packets, table.counters().joined), (vec![6, 2], 1));
    let duplicates = |flow: &FlowRecord| flow.total(|direction| direction.duplicates);
    assert_eq!(flows.iter().map(duplicates).sum::<u64>(), 4);
}

#[test]
fn of_two_views_the_one_that_began_first_stays() {
    // Session 2 shows an answer before session 1 shows anything.
    let frames = [
        datagram(1).back().seen_by(2),
        datagram(2).at_ms(1),
        datagram(2).seen_by(2).at_ms(2),
        datagram(3).at_ms(3),
    ];
    let mut table = FlowTable::new(FlowOptions::default());
    table.trace();
    frames.iter().for_each(|frame| frame.show(&mut table, &mut |_| {}));
    assert_eq!(table.traced().unwrap().joined, [(1, 0)]);
    let flow = table.iter().next().unwrap();
    assert_eq!((flow.number, flow.client.port, flow.first_ns), (0, 5002, 0));
    assert_eq!((flow.sent.packets, flow.received.packets), (1, 2));
    let vni = |session| match session {
        crate::sinks::sessions::Key::Mirrored(identity) => identity.vni,
        other => panic!("{other:?}"),
    };
    assert_eq!((vni(flow.session), flow.also_seen_by.iter().copied().map(vni).collect()), (2, vec![1]));
}

#[test]
fn joined_views_have_the_cookie_of_the_older_or_else_of_the_younger() {
    let cookie = |older, younger| {
        let frames = [
            Frame { cookie: older, ..datagram(1) },
            Frame { cookie: younger, ..datagram(2).seen_by(2).at_ms(1) },
            datagram(3).at_ms(2),
            datagram(3).seen_by(2).at_ms(2),
        ];
        let flows = table_of(&frames);
        assert_eq!(flows.len(), 1);
        flows[0].flow_cookie
    };
    assert_eq!(cookie(Some(7), Some(8)), Some(7));
    assert_eq!(cookie(None, Some(8)), Some(8));
    assert_eq!(cookie(Some(7), None), Some(7));
    assert_eq!(cookie(None, None), None);
}

#[test]
fn what_each_view_counted_of_a_direction_adds_up_and_nothing_of_one_changes_no_time() {
    // Each session's mirror delivers one packet twice, and only the first shows an answer.
    let frames = [
        datagram(1).at_ms(100),
        datagram(1).at_ms(101),
        datagram(2).back().at_ms(110),
        datagram(3).seen_by(2).at_ms(120),
        datagram(3).seen_by(2).at_ms(121),
        datagram(4).at_ms(130),
        datagram(4).seen_by(2).at_ms(131),
    ];
    let flows = table_of(&frames);
    let [flow] = &flows[..] else { panic!("{flows:?}") };
    assert_eq!((flow.sent.packets, flow.sent.bytes, flow.sent.payload_bytes), (3, 3 * 38, 3 * 10));
    assert_eq!((flow.sent.duplicates, flow.sent.duplicate_bytes), (3, 3 * 38));
    assert_eq!((flow.sent.first_ns, flow.sent.last_ns), (100_000_000, 130_000_000));
    assert_eq!((flow.received.first_ns, flow.received.last_ns), (110_000_000, 110_000_000));
    assert_eq!((flow.first_ns, flow.last_ns), (100_000_000, 131_000_000));
}

#[test]
fn a_handshake_that_one_view_saw_is_that_of_the_joined_flow() {
    // The client has the higher address.
    let client = |seq, ack, flags| Frame::tcp(5000, 5001, seq, ack, flags).back();
    let server = |seq, ack, flags| Frame::tcp(5000, 5001, seq, ack, flags);
    let handshake = [
        client(99, 0, SYN).id(1),
        server(499, 100, SYN | ACK).id(2).at_ms(4),
        client(100, 500, ACK).id(3).at_ms(10),
    ];
    let answered = server(500, 100, ACK).payload(10).id(4).at_ms(20);
    let by = |vni, frame: &Frame| frame.seen_by(vni);
    let far: Vec<_> = [by(2, &answered), by(1, &answered)].into();
    let seen = [handshake.iter().map(|frame| by(1, frame)).collect(), far].concat();
    let flows = table_of(&seen);
    let [flow] = &flows[..] else { panic!("{flows:?}") };
    assert_eq!((flow.client.address, flow.server.address), ([10, 0, 0, 2].into(), [10, 0, 0, 1].into()));
    assert_eq!(flow.state.unwrap().name(), "established");
    assert_eq!((flow.server_rtt_ns, flow.handshake_rtt_ns), (Some(4_000_000), Some(10_000_000)));
}

#[test]
fn what_each_mirror_lost_and_the_other_showed_before_they_were_joined_is_no_gap() {
    let segment = |i: u32| Frame::tcp(5000, 443, 1_000 + 100 * i, 1, ACK).payload(100).id(i as u16);
    let frames = [
        segment(0).seen_by(1),
        segment(1).seen_by(2).at_ms(1),
        segment(2).seen_by(1).at_ms(2),
        segment(3).seen_by(2).at_ms(3),
        segment(4).seen_by(1).at_ms(4),
        segment(4).seen_by(2).at_ms(5),
        Frame::tcp(5000, 443, 1, 1_500, ACK).back().at_ms(6),
    ];
    let flows = table_of(&frames);
    let [flow] = &flows[..] else { panic!("{flows:?}") };
    assert_eq!((flow.sent.packets, flow.sent.gap_bytes), (5, 0));
    // What neither showed is one.
    let mut without = frames.to_vec();
    without.remove(2);
    assert_eq!(table_of(&without)[0].sent.gap_bytes, 100);
}
