//! What an index tells of packets that were put into it: their flows, what was said, how much and when.

use mirrorscope_core::{
    Decoder, LinkType, Packet, Record,
    flow::SortKey,
    index::{Bits, FlowsOptions, Follow, Full, Index, IndexOptions, OTHER_SESSIONS, Piece, Side, flag},
};

const SYN: u8 = 2;
const ACK: u8 = 16;

/// A TCP segment over IPv4 between port 40000 of 10.0.0.1 and port 80 of 10.0.0.2.
#[derive(Clone)]
struct Segment {
    client: bool,
    seq: u32,
    flags: u8,
    payload: Vec<u8>,
    /// Octets of payload that the capture cut off.
    cut: usize,
}

fn segment(client: bool, seq: u32, flags: u8, payload: &[u8]) -> Segment {
    Segment { client, seq, flags, payload: payload.to_vec(), cut: 0 }
}

impl Segment {
    fn octets(&self) -> Vec<u8> {
        let mut octets = vec![0x45, 0];
        octets.extend((40 + self.payload.len() as u16).to_be_bytes());
        octets.extend([self.seq as u8, self.flags, 0, 0, 64, 6, 0, 0]);
        let [src, dst] = if self.client { [1, 2] } else { [2, 1] };
        octets.extend([10, 0, 0, src, 10, 0, 0, dst]);
        let [src, dst] = if self.client { [40000u16, 80] } else { [80, 40000] };
        octets.extend([src.to_be_bytes(), dst.to_be_bytes()].concat());
        octets.extend([self.seq.to_be_bytes(), [0, 0, 0, 9]].concat());
        octets.extend([0x50, self.flags, 1, 0, 0, 0, 0, 0]);
        octets.extend(&self.payload[..self.payload.len() - self.cut]);
        octets
    }
}

/// Calls `use_` with each segment as a packet, one millisecond after the other.
fn each(segments: &[Segment], mut use_: impl FnMut(u64, &Packet<'_>)) {
    for (number, segment) in (0..).zip(segments) {
        let data = segment.octets();
        let record = Record {
            number: number + 1,
            timestamp_ns: number as i64 * 1_000_000,
            interface: 0,
            link_type: LinkType::RAW,
            original_len: (data.len() + segment.cut) as u32,
            offset: number * 100,
            data: &data,
        };
        use_(number, &Packet::decode(&Decoder::default(), record));
    }
}

fn index_of(segments: &[Segment], options: IndexOptions) -> Index {
    let mut index = Index::new(options, 1);
    each(segments, |_, packet| index.push(0, packet).expect("there is room"));
    index
}

fn with_flows() -> IndexOptions {
    IndexOptions { flows: Some(FlowsOptions::default()), ..IndexOptions::default() }
}

fn followed(segments: &[Segment], limit: usize) -> (Vec<Piece>, bool) {
    let mut index = index_of(segments, with_flows());
    let flow = index.flows().expect("flows are gathered").find(0).expect("there is a flow");
    let mut follow = Follow::new(&flow, limit);
    each(segments, |number, packet| follow.packet(packet, number));
    follow.finish()
}

/// The text of one side; `·` for each octet of a gap.
fn said(pieces: &[Piece], side: Side) -> String {
    let text = |piece: &Piece| match piece.gap_len {
        0 => String::from_utf8_lossy(&piece.bytes).into_owned(),
        gap_len => "·".repeat(gap_len as usize),
    };
    pieces.iter().filter(|piece| piece.side == side).map(text).collect()
}

#[test]
fn what_was_said_is_in_order_and_said_once_whatever_came_when() {
    let segments = [
        segment(true, 99, SYN, b""),
        segment(false, u32::MAX - 1, SYN | ACK, b""),
        segment(true, 100, ACK, b"GET "),
        segment(true, 107, ACK, b"!"),        // too early
        segment(true, 102, ACK, b"T /in"),    // overlaps what was sent before
        segment(true, 100, ACK, b"GET "),     // again
        segment(false, u32::MAX, ACK, b"ab"), // the numbers come round
        segment(false, 1, ACK, b"cd"),
    ];
    let (pieces, truncated) = followed(&segments, 1000);
    assert_eq!(said(&pieces, Side::Forward), "GET /in!");
    assert_eq!(said(&pieces, Side::Backward), "abcd");
    assert!(!truncated);
    let offsets: Vec<_> =
        pieces.iter().filter(|piece| piece.side == Side::Forward).map(|piece| piece.offset).collect();
    assert_eq!(offsets, [0, 4, 7]);
}

#[test]
fn what_never_came_or_was_cut_is_a_gap() {
    let mut cut = segment(true, 103, ACK, b"defgh");
    cut.cut = 3;
    let segments = [segment(true, 100, ACK, b"a"), cut, segment(true, 108, ACK, b"i")];
    assert_eq!(said(&followed(&segments, 1000).0, Side::Forward), "a··de···i");
}

#[test]
fn following_ends_at_its_limit_and_says_so() {
    let segments = [segment(true, 100, ACK, b"abc"), segment(true, 103, ACK, b"def")];
    let (pieces, truncated) = followed(&segments, 4);
    assert_eq!((said(&pieces, Side::Forward).as_str(), truncated), ("abcd", true));
    assert!(!followed(&segments, 6).1);
}

#[test]
fn rows_know_their_flow_and_what_happened_to_it() {
    let segments = [
        segment(true, 99, SYN, b""),
        segment(true, 100, ACK, b"abc"),
        segment(true, 100, ACK, b"abc"),
        segment(false, 1, ACK, b"x"),
    ];
    let mut index = index_of(&segments, with_flows());
    index.settle();
    let rows: Vec<_> = (0..4).filter_map(|packet| index.row(packet)).collect();
    assert!(rows.iter().all(|row| row.flow == Some(0)));
    let again: Vec<_> = rows.iter().map(|row| row.flags & flag::RETRANSMISSION != 0).collect();
    assert_eq!(again, [false, false, true, false]);
    assert_eq!(index.packets_of(0).count(), 4);
    let open = index.flows().expect("flows").page((SortKey::Bytes, true), (0, 10), None);
    index.finish();
    let ended = index.flows().expect("flows").page((SortKey::Bytes, true), (0, 10), None);
    assert_eq!((open.total, ended.total), (1, 1));
    assert_eq!((open.flows[0].end, open.flows[0].packets()), (None, 4));
    assert!(ended.flows[0].end.is_some());
    assert_eq!(index.flows().expect("flows").counters().packets, 4);
}

#[test]
fn timelines_and_overviews_add_up() {
    let segments: Vec<_> = (0..100).map(|number| segment(number % 3 > 0, number, ACK, &[7; 10])).collect();
    let mut index = index_of(&segments, with_flows());
    let selected = index.select_time(10_000_000, 59_000_000);
    assert_eq!(selected.count(), 50);
    let timeline = index.timeline(7, None, Some(&selected));
    assert_eq!((timeline.start_ns, timeline.end_ns), (10_000_000, 59_000_000));
    assert_eq!(timeline.packets.iter().sum::<u32>(), 50);
    assert_eq!(timeline.sessions, [0]);
    let overview = index.overview(Some(&selected));
    assert_eq!((overview.total.packets, overview.total.bytes), (50, 50 * 50));
    assert_eq!(overview.sizes.iter().map(|share| share.packets).sum::<u64>(), 50);
    assert_eq!((overview.ports[0].0.number, overview.talkers.len()), (80, 2));
    let empty = index_of(&[], with_flows()).timeline(7, None, None);
    assert_eq!((empty.sessions, empty.packets), (vec![OTHER_SESSIONS], vec![0; 7]));
}

#[test]
fn an_index_ends_or_forgets_at_its_bound() {
    let segments: Vec<_> = (0..40_000).map(|number| segment(true, number, ACK, b"")).collect();
    let ring = IndexOptions { max_packets: 1000, is_ring: true, ..with_flows() };
    let mut index = index_of(&segments, ring);
    assert_eq!((index.first(), index.end()), (39_000, 40_000));
    assert_eq!(index.all().count(), 1000);
    assert_eq!(
        index.select(&"tcp".parse().expect("a filter")).passed,
        Bits::ones(39_000, 40_000).and(&index.all())
    );
    assert_eq!(index.overview(None).total.packets, 1000);
    assert!(index.row(0).is_none() && index.row(39_000).is_some());
    let mut full = Index::new(IndexOptions { max_packets: 3, ..IndexOptions::default() }, 1);
    each(&segments[..5], |number, packet| {
        assert_eq!(full.push(0, packet), if number < 3 { Ok(()) } else { Err(Full::Packets) });
    });
    assert_eq!(full.end(), 3);
}
