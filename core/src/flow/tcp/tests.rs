use super::*;

mod segments;
mod views;

const MS: i64 = 1_000_000;

/// Plays segments `(ms, way, seq, ack, flags, payload_len)` and returns the connection.
fn play(segments: &[(i64, Way, u32, u32, u8, u32)]) -> Connection {
    let mut connection = Connection::default();
    play_on(&mut connection, segments);
    connection
}

/// As [`play`], for a connection of which something was seen; tells which segments brought new payload.
fn play_on(connection: &mut Connection, segments: &[(i64, Way, u32, u32, u8, u32)]) -> Vec<bool> {
    let observe = |&(ms, way, seq, ack, flags, payload_len): &(i64, Way, u32, u32, u8, u32)| {
        let segment = Segment { seq, ack, flags, window: 500, payload_len, header_len: 20 };
        connection.observe(way, &segment, Moment { now_ns: ms * MS, observer: 0 })
    };
    segments.iter().map(observe).collect()
}

const UP: Way = Way::Up;
const DOWN: Way = Way::Down;

fn handshake() -> Vec<(i64, Way, u32, u32, u8, u32)> {
    vec![(0, UP, 99, 0, SYN, 0), (4, DOWN, 499, 100, SYN | ACK, 0), (10, UP, 100, 500, ACK, 0)]
}

fn after_handshake(rest: &[(i64, Way, u32, u32, u8, u32)]) -> Connection {
    play(&[&handshake(), rest].concat())
}

#[test]
fn a_handshake_gives_both_round_trips_and_the_client() {
    let connection = after_handshake(&[]);
    assert_eq!(connection.state, TcpState::Established);
    assert_eq!(
        (connection.server_rtt_ns(), connection.handshake_rtt_ns()),
        (Some(4_000_000), Some(10_000_000))
    );
    assert_eq!(connection.client(), Some(UP));
}

#[test]
fn an_answer_to_an_unseen_syn_still_tells_the_client() {
    assert_eq!(play(&[(0, UP, 499, 100, SYN | ACK, 0)]).client(), Some(DOWN));
    assert_eq!(play(&[(0, UP, 499, 100, ACK, 5)]).client(), None);
}

#[test]
fn both_fins_close_and_one_does_not() {
    let one = after_handshake(&[(20, UP, 100, 500, FIN | ACK, 0)]);
    assert_eq!(one.state, TcpState::Closing);
    let both = after_handshake(&[(20, UP, 100, 500, FIN | ACK, 0), (21, DOWN, 500, 101, FIN | ACK, 0)]);
    assert_eq!(both.state, TcpState::Closed);
}

#[test]
fn octets_seen_before_are_a_retransmission() {
    let connection = after_handshake(&[(20, UP, 100, 500, ACK, 50), (21, UP, 100, 500, ACK, 50)]);
    let [up, down] = &connection.troubles;
    assert_eq!((up.retransmissions, up.out_of_order, down.retransmissions), (1, 0, 0));
}

#[test]
fn an_overtaken_segment_is_out_of_order_and_a_late_one_a_retransmission() {
    for (ms, expected) in [(21, (0, 1)), (200, (1, 0))] {
        let connection = after_handshake(&[
            (20, UP, 150, 500, ACK, 50),
            (ms, UP, 100, 500, ACK, 50),
            (300, DOWN, 500, 200, ACK, 0),
        ]);
        let up = &connection.troubles[0];
        assert_eq!((up.retransmissions, up.out_of_order), expected);
        assert_eq!(connection.gap_len(UP), 0);
    }
}

#[test]
fn octets_acknowledged_and_never_seen_are_a_gap() {
    let jumped = [(20, UP, 150, 500, ACK, 50), (30, DOWN, 500, 200, ACK, 0)];
    assert_eq!(after_handshake(&jumped).gap_len(UP), 50);
    // Nothing behind the hole was seen either.
    assert_eq!(after_handshake(&[(30, DOWN, 500, 700, ACK, 0)]).gap_len(UP), 600);
    // What was not acknowledged may still be on its way.
    assert_eq!(after_handshake(&jumped[..1]).gap_len(UP), 0);
}

#[test]
fn sequence_numbers_run_through_zero() {
    let near_end = u32::MAX - 9;
    let connection = play(&[
        (0, UP, near_end, 1, ACK, 10),
        (1, UP, 0, 1, ACK, 10),
        (2, UP, 20, 1, ACK, 10),
        (3, DOWN, 1, 30, ACK, 0),
    ]);
    assert_eq!(connection.gap_len(UP), 10);
    assert_eq!(connection.troubles[0].retransmissions, 0);
}

#[test]
fn a_gap_outlives_the_circle_of_sequence_numbers() {
    let mut segments = vec![(0, UP, 0, 1, ACK, 10), (1, UP, 20, 1, ACK, 10), (2, DOWN, 1, 30, ACK, 0)];
    for i in 1..=40u32 {
        let seq = 30u32.wrapping_add((i - 1).wrapping_mul(1 << 27));
        segments.push((2, UP, seq, 1, ACK, 1 << 27));
        segments.push((2, DOWN, 1, seq.wrapping_add(1 << 27), ACK, 0));
    }
    assert_eq!(play(&segments).gap_len(UP), 10);
}

#[test]
fn keep_alives_and_their_answers_are_neither_retransmissions_nor_duplicate_acks() {
    let connection = after_handshake(&[
        (20, UP, 100, 500, ACK, 10),
        (21, DOWN, 500, 110, ACK, 0),
        (1000, UP, 109, 500, ACK, 1),
        (1001, DOWN, 500, 110, ACK, 0),
    ]);
    let [up, down] = &connection.troubles;
    assert_eq!((up.retransmissions, up.keep_alives, down.duplicate_acks), (0, 1, 0));
}

#[test]
fn the_same_ack_again_is_a_duplicate_ack() {
    let ack = (20, DOWN, 500, 110, ACK, 0);
    assert_eq!(after_handshake(&[(19, UP, 100, 500, ACK, 10), ack, ack, ack]).troubles[1].duplicate_acks, 2);
}

#[test]
fn a_probe_of_a_closed_window_is_no_retransmission_and_no_hole() {
    let mut connection = after_handshake(&[(20, UP, 100, 500, ACK, 10)]);
    let closed = Segment { seq: 500, ack: 110, flags: ACK, window: 0, payload_len: 0, header_len: 20 };
    let probe = Segment { seq: 110, ack: 500, window: 500, payload_len: 1, ..closed };
    let at = Moment { now_ns: 30 * MS, observer: 0 };
    for segment in [(DOWN, closed), (UP, probe), (DOWN, closed), (UP, probe)] {
        connection.observe(segment.0, &segment.1, at);
    }
    let opened = Segment { ack: 111, window: 500, ..closed };
    connection.observe(DOWN, &opened, at);
    connection.observe(UP, &Segment { seq: 111, payload_len: 20, ..probe }, at);
    let [up, down] = &connection.troubles;
    assert_eq!((up.retransmissions, up.out_of_order, down.zero_windows), (0, 0, 2));
    assert_eq!(connection.gap_len(UP), 0);
}

#[test]
fn a_syn_with_another_number_opens_another_connection_and_a_repeated_one_does_not() {
    let connection = after_handshake(&[]);
    let syn = |seq| Segment { seq, ack: 0, flags: SYN, window: 1, payload_len: 0, header_len: 20 };
    assert!(!connection.is_reopened_by(UP, &syn(99)));
    assert!(connection.is_reopened_by(UP, &syn(98)));
}

#[test]
fn a_syn_that_was_overtaken_belongs_to_the_connection_that_is_there() {
    let connection = play(&[(0, UP, 100, 500, ACK, 8)]);
    let syn = Segment { seq: 99, ack: 0, flags: SYN, window: 1, payload_len: 0, header_len: 20 };
    assert!(!connection.is_reopened_by(UP, &syn));
    let connection = play(&[
        (0, UP, 100, 500, ACK, 8),
        (1, UP, 99, 0, SYN, 0),
        (2, UP, 108, 500, ACK, 8),
        (3, DOWN, 500, 116, ACK, 0),
    ]);
    assert_eq!((connection.client(), connection.gap_len(UP)), (Some(UP), 0));
    assert_eq!(connection.troubles[0].retransmissions, 0);
}

#[test]
fn a_jump_beyond_any_window_is_not_counted_as_loss() {
    let connection =
        play(&[(0, UP, 0, 1, ACK, 10), (1, UP, 3 << 29, 1, ACK, 10), (2, DOWN, 1, (3 << 29) + 10, ACK, 0)]);
    assert_eq!(connection.gap_len(UP), 0);
}

#[test]
fn more_holes_than_are_remembered_count_as_gaps() {
    let segments: Vec<_> = (0..40).map(|i| (i64::from(i), UP, i * 100, 1, ACK, 50)).collect();
    let mut connection = play(&segments);
    let all = Segment { seq: 1, ack: 40 * 100 - 50, flags: ACK, window: 9, payload_len: 0, header_len: 20 };
    connection.observe(DOWN, &all, Moment { now_ns: MS, observer: 0 });
    assert_eq!(connection.gap_len(UP), 39 * 50);
}
