//! Two views of one connection, joined: together they know what one view of all would know.

use super::*;
use crate::flow::segment::flag::PSH;

type Segments<'a> = &'a [(i64, Way, u32, u32, u8, u32)];

/// Where the numbers of both directions begin: in both halves of the circle, and before its end.
const STARTS: [(u32, u32); 4] =
    [(1_000, 3_000_000_000), (3_000_000_000, 1_000), (u32::MAX - 150, 5), (5, u32::MAX - 20)];

/// What the two views make in either order.
fn joined(one: Segments<'_>, other: Segments<'_>) -> [Connection; 2] {
    [(one, other), (other, one)].map(|(older, younger)| {
        let mut connection = play(older);
        connection.absorb(&play(younger));
        connection
    })
}

/// A handshake, and 200 octets for 50.
fn exchange(up: u32, down: u32) -> [(i64, Way, u32, u32, u8, u32); 9] {
    let u = |len: u32| up.wrapping_add(len);
    let d = |len: u32| down.wrapping_add(len);
    [
        (0, UP, up, 0, SYN, 0),
        (4, DOWN, down, u(1), SYN | ACK, 0),
        (10, UP, u(1), d(1), ACK, 0),
        (20, UP, u(1), d(1), ACK, 100),
        (30, DOWN, d(1), u(101), ACK, 0),
        (31, DOWN, d(1), u(101), ACK, 50),
        (40, UP, u(101), d(51), ACK, 0),
        (41, UP, u(101), d(51), PSH | ACK, 100),
        (50, DOWN, d(51), u(201), ACK, 0),
    ]
}

/// Everything that later segments are judged by, as numbers.
fn judged(connection: &Connection, up: u32) -> impl PartialEq + core::fmt::Debug + use<> {
    let troubles = connection.troubles.each_ref().map(|trouble| {
        [trouble.retransmissions, trouble.out_of_order, trouble.duplicate_acks, trouble.keep_alives]
    });
    let flags = connection.sides.each_ref().map(|side| (side.flags, side.new_flags));
    let syn = |seq| Segment { seq, ack: 0, flags: SYN, window: 1, payload_len: 0, header_len: 20 };
    let reopened = [up, up.wrapping_add(9)].map(|seq| connection.is_reopened_by(UP, &syn(seq)));
    (troubles, flags, reopened, connection.client(), [UP, DOWN].map(|way| connection.gap_len(way)))
}

#[test]
fn what_comes_after_two_views_were_joined_is_judged_as_if_one_had_seen_all() {
    for (up, down) in STARTS {
        let u = |len: u32| up.wrapping_add(len);
        let d = |len: u32| down.wrapping_add(len);
        let later = [
            (60, UP, u(101), d(51), ACK, 100), // again
            (61, UP, u(201), d(51), ACK, 10),
            (70, DOWN, d(51), u(211), ACK, 0),
            (71, DOWN, d(51), u(211), ACK, 0), // the same
            (72, DOWN, d(51), u(211), ACK, 5),
            (73, DOWN, d(1), u(211), ACK, 50), // again
            (80, UP, u(241), d(56), ACK, 10),  // behind a hole
            (90, DOWN, d(56), u(251), ACK, 0),
            (95, UP, u(250), d(56), ACK, 1), // keep-alive
        ];
        // Also with the first 100 octets lost at both.
        for lost in [None, Some(3)] {
            let seen: Vec<_> =
                (0..9).filter(|at| Some(*at) != lost).map(|at| exchange(up, down)[at]).collect();
            for cut in 1..seen.len() {
                let mut whole = play(&seen);
                let (first, second) = seen.split_at(cut);
                for mut connection in joined(first, second) {
                    let case = format!("{up} {down} cut before {cut}, without {lost:?}");
                    assert_eq!(judged(&connection, up), judged(&whole, up), "{case}");
                    let new = play_on(&mut connection, &later);
                    let mut expected = whole.clone();
                    assert_eq!(new, play_on(&mut expected, &later), "{case}");
                    assert_eq!(judged(&connection, up), judged(&expected, up), "{case}, later");
                }
                play_on(&mut whole, &later);
                assert_eq!(whole.gap_len(UP), if lost.is_some() { 130 } else { 30 });
            }
        }
    }
}

#[test]
fn what_one_view_acknowledges_of_the_others_hole_is_a_gap() {
    for (up, down) in STARTS {
        let u = |len: u32| up.wrapping_add(len);
        let hole = [(0, UP, up, 9, ACK, 50), (1, UP, u(100), 9, ACK, 50)];
        let acked = |len| (2, DOWN, down, u(len), ACK, 0);
        let cases: [(Segments<'_>, Segments<'_>, u64); 5] = [
            (&hole, &[acked(75)], 25),
            (&[hole[0], hole[1], acked(75)], &[(3, UP, u(150), 9, ACK, 5)], 25),
            (&[hole[0], hole[1], acked(60)], &[acked(75)], 25),
            (&[hole[0], hole[1], acked(75)], &[acked(60)], 25),
            (&hole, &[(3, UP, u(150), 9, ACK, 5)], 0),
        ];
        for (one, other, gap_len) in cases {
            for connection in joined(one, other) {
                assert_eq!(connection.gap_len(UP), gap_len, "{one:?} {other:?}");
            }
        }
    }
}

#[test]
fn a_window_that_one_view_saw_closed_is_closed_for_both() {
    let sent = [(0, UP, 100, 500, ACK, 10)];
    let mut closing = Connection::default();
    let closed = Segment { seq: 500, ack: 110, flags: ACK, window: 0, payload_len: 0, header_len: 20 };
    closing.observe(DOWN, &closed, Moment { now_ns: MS, observer: 0 });
    // Neither saw the other direction, or one saw it before.
    for before in [&[][..], &[(0, DOWN, 500, 105, ACK, 0)]] {
        let mut connection = play(&[&sent[..], before].concat());
        connection.absorb(&closing);
        assert_eq!(play_on(&mut connection, &[(2, UP, 110, 500, ACK, 1)]), [false], "a probe");
    }
}

#[test]
fn views_that_both_began_in_midstream_know_no_client() {
    let midstream = [(0, UP, 100, 500, ACK, 10), (1, DOWN, 500, 110, ACK, 10)];
    for connection in joined(&midstream[..1], &midstream) {
        assert_eq!((connection.client(), connection.state), (None, TcpState::Midstream));
    }
}

#[test]
fn the_handshake_is_known_to_both_if_one_saw_it() {
    let exchange = exchange(1_000, 2_000);
    // Up may be the way of the server too.
    let turned = exchange.map(|(ms, way, seq, ack, flags, len)| (ms, way.opposite(), seq, ack, flags, len));
    for (segments, client) in [(exchange, UP), (turned, DOWN)] {
        for (cut, state) in [(1, TcpState::Midstream), (3, TcpState::Established), (6, TcpState::Established)]
        {
            for connection in joined(&segments[..cut], &segments[6..]) {
                assert_eq!((connection.client(), connection.state), (Some(client), state), "{cut}");
                let times = [connection.server_rtt_ns(), connection.handshake_rtt_ns()];
                let expected = if cut == 1 { [None; 2] } else { [Some(4_000_000), Some(10_000_000)] };
                assert_eq!(times, expected);
            }
        }
    }
}

#[test]
fn a_view_that_lost_track_of_a_direction_keeps_the_client_and_takes_over_the_place() {
    let mut connection = play(&[(0, UP, 99, 0, SYN, 0)]);
    connection.lose_track(UP);
    connection.absorb(&play(&[(1, UP, 500, 1, ACK, 50), (2, UP, 600, 1, ACK, 50)]));
    assert_eq!(connection.client(), Some(UP));
    assert_eq!(play_on(&mut connection, &[(3, UP, 600, 1, ACK, 50), (4, DOWN, 1, 650, ACK, 0)]), [false; 2]);
    assert_eq!(connection.gap_len(UP), 50);
}

#[test]
fn what_each_view_counted_adds_up() {
    // A retransmission, a segment out of order, a keep-alive, a duplicate ACK; and more holes than are remembered.
    let troubled = |up: u32| {
        let mut segments = vec![
            (0, UP, up, 500, ACK, 50),
            (9, UP, up, 500, ACK, 50),
            (20, UP, up + 100, 500, ACK, 50),
            (21, UP, up + 50, 500, ACK, 50),
            (30, UP, up + 149, 500, ACK, 1),
            (31, UP, up + 150, 500, ACK, 50),
            (40, DOWN, 500, up + 200, ACK, 0),
            (41, DOWN, 500, up + 200, ACK, 0),
        ];
        segments.extend((2..40).map(|i| (50, UP, up + i * 100 + 50, 500, ACK, 50)));
        segments.push((60, DOWN, 500, up + 4_000, ACK, 0));
        segments
    };
    let (one, other) = (troubled(1_000), troubled(100_000));
    let single = play(&one);
    let counts = |connection: &Connection| {
        let [up, down] = &connection.troubles;
        [up.retransmissions, up.out_of_order, up.keep_alives, down.duplicate_acks]
    };
    assert_eq!(counts(&single), [1, 1, 1, 1]);
    assert_eq!(single.gap_len(UP), 38 * 50);
    for connection in joined(&one, &other) {
        assert_eq!(counts(&connection), [2, 2, 2, 2]);
        // And what lies between the two.
        assert_eq!(connection.gap_len(UP), 2 * 38 * 50 + (100_000 - 5_000));
    }
}
