//! How single segments are judged: what they do to the state, what is new in them, and what is missing before them.

use super::*;
use crate::flow::segment::flag::PSH;

/// Retransmissions and segments out of order of the direction up.
fn again(connection: &Connection) -> (u32, u32) {
    (connection.troubles[0].retransmissions, connection.troubles[0].out_of_order)
}

fn syn(seq: u32) -> Segment {
    Segment { seq, ack: 0, flags: SYN, window: 1, payload_len: 0, header_len: 20 }
}

#[test]
fn the_state_goes_from_the_handshake_to_the_end_step_by_step() {
    let steps = [
        ((0, UP, 99, 0, SYN, 0), TcpState::SynSent),
        ((1, UP, 99, 0, SYN, 0), TcpState::SynSent),
        ((2, DOWN, 499, 100, SYN | ACK, 0), TcpState::SynReceived),
        // The server speaks before the client's last part of the handshake is seen.
        ((3, DOWN, 500, 100, ACK, 10), TcpState::SynReceived),
        ((4, UP, 100, 510, PSH, 5), TcpState::SynReceived),
        ((5, UP, 105, 510, ACK, 5), TcpState::Established),
        ((6, DOWN, 510, 110, ACK, 5), TcpState::Established),
        ((7, UP, 110, 515, FIN | ACK, 0), TcpState::Closing),
        ((8, DOWN, 515, 111, ACK, 5), TcpState::Closing),
        ((9, DOWN, 520, 111, FIN | ACK, 0), TcpState::Closed),
        ((10, UP, 111, 521, ACK, 0), TcpState::Closed),
        ((11, UP, 111, 521, RST, 0), TcpState::Reset),
    ];
    let mut connection = Connection::default();
    for (segment, state) in steps {
        play_on(&mut connection, &[segment]);
        assert_eq!(connection.state, state, "{segment:?}");
    }
    assert_eq!(connection.handshake_rtt_ns(), Some(4_000_000), "since the latest SYN");
    let midstream = play(&[(0, UP, 100, 1, ACK, 5), (1, DOWN, 1, 105, ACK, 0)]);
    assert_eq!((midstream.state, midstream.client()), (TcpState::Midstream, None));
}

#[test]
fn a_syn_opens_another_connection_only_where_one_was_seen_or_is_over() {
    // Only the other direction was seen.
    let answer = play(&[(0, DOWN, 499, 100, SYN | ACK, 0)]);
    assert!(!answer.is_reopened_by(UP, &syn(99)));
    let reset = play(&[(0, DOWN, 500, 0, RST, 0)]);
    assert!(reset.is_reopened_by(UP, &syn(99)));
    // Without ACK, so that the sequence number is all that is known.
    let urgent = play(&[(0, UP, 100, 0, PSH, 8)]);
    assert!(urgent.is_reopened_by(UP, &syn(5_000)));
    let midstream = play(&[(0, UP, 100, 500, ACK, 8)]);
    assert!(midstream.is_reopened_by(UP, &syn(100)), "the first segment seen is no SYN of that number");
    for flags in [SYN | ACK, SYN | RST, ACK] {
        assert!(!midstream.is_reopened_by(UP, &Segment { flags, ..syn(5_000) }), "{flags:#x}");
    }
}

#[test]
fn only_payload_that_was_not_seen_before_is_new() {
    let mut connection = play(&handshake());
    let new = play_on(
        &mut connection,
        &[
            (20, UP, 100, 500, ACK, 50),
            (21, UP, 100, 500, ACK, 50), // all of it again
            (22, UP, 120, 500, ACK, 50), // the end of it and more
            (23, UP, 170, 500, ACK, 0),  // none
            (24, UP, 220, 500, ACK, 50), // behind a hole
            (25, UP, 170, 500, ACK, 50), // the hole
            (26, UP, 270, 500, RST, 9),  // a reason for the reset
        ],
    );
    assert_eq!(new, [true, false, true, false, true, true, false]);
    play_on(&mut connection, &[(30, DOWN, 500, 270, ACK, 0)]);
    assert_eq!((again(&connection), connection.gap_len(UP)), ((2, 1), 0));
}

#[test]
fn midstream_a_segment_before_the_first_one_seen_was_overtaken_if_it_comes_soon() {
    // 3 ms where no round trip is known.
    for (ms, expected) in [(22, (0, 1)), (23, (1, 0))] {
        let mut connection = play(&[(20, UP, 150, 500, ACK, 50)]);
        assert_eq!(play_on(&mut connection, &[(ms, UP, 100, 500, ACK, 50)]), [true]);
        assert_eq!(again(&connection), expected, "{ms}");
        // It begins there now.
        assert_eq!(play_on(&mut connection, &[(ms, UP, 100, 500, ACK, 50)]), [false]);
        assert_eq!(again(&connection), (expected.0 + 1, expected.1));
    }
    // What lies before a SYN is no part of the connection.
    let mut connection = play(&handshake());
    assert_eq!(play_on(&mut connection, &[(11, UP, 50, 500, ACK, 20)]), [false]);
    assert_eq!(again(&connection), (1, 0));
}

#[test]
fn a_segment_that_reaches_back_and_fills_a_hole_too_is_out_of_order_once() {
    let mut connection = play(&[(0, UP, 100, 1, ACK, 50), (0, UP, 200, 1, ACK, 50)]);
    play_on(&mut connection, &[(1, UP, 90, 1, ACK, 110), (1, DOWN, 1, 250, ACK, 0)]);
    assert_eq!((again(&connection), connection.gap_len(UP)), ((0, 1), 0));
}

#[test]
fn a_single_octet_is_payload_while_the_window_is_open_and_a_probe_while_it_is_closed() {
    let mut connection = play(&handshake());
    assert_eq!(
        play_on(&mut connection, &[(20, UP, 100, 500, ACK, 1), (21, UP, 101, 500, ACK, 1)]),
        [true; 2]
    );
    let closed = Segment { seq: 500, ack: 102, flags: ACK, window: 0, payload_len: 0, header_len: 20 };
    let at = Moment { now_ns: 30 * MS, observer: 0 };
    connection.observe(DOWN, &closed, at);
    assert_eq!(play_on(&mut connection, &[(40, UP, 102, 500, ACK, 1)]), [false]);
    // One further on is none, and neither are two octets.
    let mut far = connection.clone();
    assert_eq!(play_on(&mut far, &[(50, UP, 109, 500, ACK, 1)]), [true]);
    assert_eq!(
        play_on(&mut connection, &[(50, UP, 102, 500, ACK, 2), (51, UP, 104, 500, ACK, 0)]),
        [true, false]
    );
    assert_eq!((again(&connection), connection.troubles[0].keep_alives), ((0, 0), 0));
}

#[test]
fn a_keep_alive_repeats_the_last_octet_or_none_of_it_and_more_is_a_retransmission() {
    let mut connection = after_handshake(&[(20, UP, 100, 500, ACK, 50)]);
    play_on(&mut connection, &[(30, UP, 149, 500, ACK, 0), (40, UP, 149, 500, ACK, 1)]);
    assert_eq!((connection.troubles[0].keep_alives, again(&connection)), (2, (0, 0)));
    play_on(&mut connection, &[(50, UP, 149, 500, ACK, 2), (60, UP, 151, 500, FIN | ACK, 0)]);
    play_on(&mut connection, &[(70, UP, 151, 500, FIN | ACK, 0)]);
    assert_eq!((connection.troubles[0].keep_alives, again(&connection)), (2, (2, 0)));
}

#[test]
fn a_window_is_closed_by_neither_syn_nor_fin() {
    for (flags, expected) in [(ACK, 1), (SYN | ACK, 0), (FIN | ACK, 0)] {
        let mut connection = Connection::default();
        let segment = Segment { seq: 499, ack: 100, flags, window: 0, payload_len: 0, header_len: 20 };
        connection.observe(DOWN, &segment, Moment { now_ns: 0, observer: 0 });
        assert_eq!(connection.troubles[1].zero_windows, expected, "{flags:#x}");
    }
}

/// A direction up from `seq` on of which 50 octets, the second 50, are missing.
fn with_hole(seq: u32) -> [(i64, Way, u32, u32, u8, u32); 2] {
    [(0, UP, seq, 1, ACK, 50), (1, UP, seq.wrapping_add(100), 1, ACK, 50)]
}

/// Where in the circle of sequence numbers a test begins.
const STARTS: [u32; 3] = [1_000, 3_000_000_000, u32::MAX - 60];

#[test]
fn a_gap_is_as_long_as_the_part_of_the_hole_that_was_acknowledged() {
    for seq in STARTS {
        let acked = |len: u32| (2, DOWN, 7, seq.wrapping_add(len), ACK, 0);
        let gap_len = |acks: &[_]| play(&[&with_hole(seq)[..], acks].concat()).gap_len(UP);
        assert_eq!(gap_len(&[]), 0, "nothing was acknowledged");
        assert_eq!(gap_len(&[acked(50)]), 0);
        assert_eq!(gap_len(&[acked(75)]), 25);
        assert_eq!(gap_len(&[acked(150)]), 50);
        // An acknowledgment that was overtaken takes nothing back.
        assert_eq!(gap_len(&[acked(75), acked(60)]), 25);
        // One octet beyond all that was seen.
        assert_eq!(gap_len(&[acked(151)]), 51);
        // The side that acknowledged is lost track of, not what it said.
        let mut connection = play(&[&with_hole(seq)[..], &[acked(75)]].concat());
        connection.lose_track(DOWN);
        assert_eq!(connection.gap_len(UP), 25);
    }
}

#[test]
fn a_direction_that_is_lost_track_of_begins_anew_with_its_next_segment() {
    let mut connection = play(&[(0, UP, 99, 0, SYN, 0), (1, UP, 100, 1, ACK, 50)]);
    connection.lose_track(UP);
    play_on(
        &mut connection,
        &[(2, UP, 900, 1, ACK, 50), (3, UP, 1_000, 1, ACK, 50), (4, DOWN, 1, 1_050, ACK, 0)],
    );
    // Of the hole before the segment nothing is known, and of that behind it everything.
    assert_eq!((connection.gap_len(UP), again(&connection)), (50, (0, 0)));
    assert_eq!(connection.client(), Some(UP), "who began does not change");
    // So does one that jumps.
    play_on(&mut connection, &[(5, UP, 3 << 30, 1, ACK, 50), (6, UP, (3 << 30) + 70, 1, ACK, 50)]);
    play_on(&mut connection, &[(7, DOWN, 1, (3 << 30) + 120, ACK, 0)]);
    assert_eq!((connection.gap_len(UP), connection.client()), (20, Some(UP)));
}

#[test]
fn a_hole_outlives_many_segments_and_acknowledgments_in_order() {
    let mut connection = play(&with_hole(1_000));
    for i in 0..40 {
        let seq = 1_150 + i * 10;
        play_on(&mut connection, &[(2, UP, seq, 1, ACK, 10), (2, DOWN, 1, seq + 10, ACK, 0)]);
        assert_eq!(connection.gap_len(UP), 50);
    }
    play_on(&mut connection, &[(3, UP, 1_050, 1, ACK, 50)]);
    assert_eq!(connection.gap_len(UP), 0);
}

#[test]
fn a_gap_stays_a_gap_wherever_in_the_circle_the_connection_is() {
    let mut connection = play(&[(0, UP, 0, 1, ACK, 10), (1, UP, 20, 1, ACK, 10), (2, DOWN, 1, 30, ACK, 0)]);
    for i in 1..=40u32 {
        let seq = 30u32.wrapping_add((i - 1).wrapping_mul(1 << 27));
        let end = seq.wrapping_add(1 << 27);
        play_on(&mut connection, &[(2, UP, seq, 1, ACK, 1 << 27), (2, DOWN, 1, end, ACK, 0)]);
        assert_eq!(connection.gap_len(UP), 10, "{i}");
    }
}

/// The direction up with this many holes of 50 octets, each before 50 octets that were seen.
fn holes(count: u32) -> Vec<(i64, Way, u32, u32, u8, u32)> {
    (0..=count).map(|i| (0, UP, i * 100, 1, ACK, 50)).collect()
}

#[test]
fn as_many_holes_as_are_remembered_can_all_be_filled_and_others_opened_then() {
    let mut connection = Connection::default();
    for turn in 0..4u32 {
        let moved = |(ms, way, seq, ack, flags, len)| (ms, way, seq + turn * 2_000, ack, flags, len);
        let seen = holes(MAX_HOLES as u32).into_iter().map(moved);
        play_on(&mut connection, &seen.collect::<Vec<_>>());
        for i in 0..=MAX_HOLES as u32 {
            let rest = 50 + 150 * u32::from(i == MAX_HOLES as u32) * u32::from(turn < 3) * 2;
            play_on(&mut connection, &[(1, UP, turn * 2_000 + i * 100 + 50, 1, ACK, rest)]);
        }
    }
    play_on(&mut connection, &[(2, DOWN, 1, 7_650, ACK, 0)]);
    assert_eq!(connection.gap_len(UP), 0);
}

#[test]
fn a_hole_that_falls_in_two_where_there_is_no_room_costs_no_octet_of_the_gap() {
    let mut connection = play(&holes(MAX_HOLES as u32));
    // The middle of the first hole.
    play_on(&mut connection, &[(1, UP, 60, 1, ACK, 10), (2, DOWN, 1, 16 * 100 + 50, ACK, 0)]);
    assert_eq!(connection.gap_len(UP), 16 * 50 - 10);
}
