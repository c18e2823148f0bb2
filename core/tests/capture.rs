//! What the capture reader makes of sound, strange, cut and damaged files, and that what the writer writes comes back.

use mirrorscope_core::LinkType;
use mirrorscope_core::capture::{
    CaptureError, CaptureReader, Cause, InterfaceHeader, Packet, PcapWriter, PcapngWriter, Position,
    SectionHeader, Statistics,
};

/// A record with its data copied.
type Owned = (i64, u32, u32, u16, Vec<u8>);

fn read(bytes: &[u8], chunk_len: usize) -> (Vec<Owned>, Option<CaptureError>, CaptureReader) {
    let mut reader = CaptureReader::new();
    let mut records = Vec::new();
    let error = read_into(bytes, chunk_len, &mut reader, &mut records).err();
    assert!(matches!(reader.next(), Ok(None)), "an error is told once");
    (records, error, reader)
}

fn read_into(
    bytes: &[u8],
    chunk_len: usize,
    reader: &mut CaptureReader,
    records: &mut Vec<Owned>,
) -> Result<(), CaptureError> {
    for mut chunk in bytes.chunks(chunk_len) {
        while !chunk.is_empty() {
            chunk = reader.push(chunk);
            drain(reader, records)?;
        }
    }
    reader.finish();
    drain(reader, records)
}

fn drain(reader: &mut CaptureReader, records: &mut Vec<Owned>) -> Result<(), CaptureError> {
    while let Some(record) = reader.next()? {
        let data = record.data.to_vec();
        records.push((record.timestamp_ns, record.original_len, record.interface, record.link_type.0, data));
    }
    Ok(())
}

fn records(bytes: &[u8]) -> Vec<Owned> {
    let (records, error, _) = read(bytes, bytes.len().max(1));
    assert_eq!(error, None);
    records
}

fn cause(bytes: &[u8]) -> Option<Cause> {
    read(bytes, bytes.len().max(1)).1.map(|error| error.cause)
}

/// Numbers in one byte order.
#[derive(Clone, Copy)]
struct Order {
    big_endian: bool,
}

const ORDERS: [Order; 2] = [Order { big_endian: false }, Order { big_endian: true }];

impl Order {
    fn u16(self, value: u16) -> Vec<u8> {
        if self.big_endian { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    fn u32(self, value: u32) -> Vec<u8> {
        if self.big_endian { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    fn u64(self, value: u64) -> Vec<u8> {
        if self.big_endian { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    fn pcap_header(self, magic: u32, minor: u16, snap_len: u32, link_type: u32) -> Vec<u8> {
        let (version, zeros) = ([self.u16(2), self.u16(minor)].concat(), vec![0; 8]);
        [self.u32(magic), version, zeros, self.u32(snap_len), self.u32(link_type)].concat()
    }

    fn pcap_record(self, numbers: [u32; 4], data: &[u8]) -> Vec<u8> {
        [numbers.map(|number| self.u32(number)).concat(), data.to_vec()].concat()
    }

    fn block(self, block_type: u32, body: &[u8]) -> Vec<u8> {
        let len = self.u32(12 + body.len() as u32);
        [&self.u32(block_type), &len, body, &len].concat()
    }

    fn section(self) -> Vec<u8> {
        let body = [self.u32(0x1a2b_3c4d), self.u16(1), self.u16(0), self.u64(u64::MAX)].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    fn interface(self, link_type: u16, snap_len: u32, options: &[u8]) -> Vec<u8> {
        let body = [self.u16(link_type), self.u16(0), self.u32(snap_len), options.to_vec()].concat();
        self.block(1, &body)
    }

    /// An option of any length, padded.
    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let padding = vec![0; value.len().wrapping_neg() % 4];
        [self.u16(code), self.u16(value.len() as u16), value.to_vec(), padding].concat()
    }

    /// `data` has a length that is a multiple of 4.
    fn packet(self, interface: u32, ticks: u64, original_len: u32, data: &[u8], options: &[u8]) -> Vec<u8> {
        let numbers = [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, original_len];
        self.block(6, &[&numbers.map(|number| self.u32(number)).concat()[..], data, options].concat())
    }
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_every_form() {
    for order in ORDERS {
        for (magic, fraction_ns, extra_len) in
            [(0xa1b2_c3d4, 1000, 0), (0xa1b2_3c4d, 1, 0), (0xa1b2_cd34, 1000, 8)]
        {
            let header = order.pcap_header(magic, 4, 65_535, 101);
            let head = [order.pcap_record([7, 5, 3, 60], &[]), vec![9; extra_len]].concat();
            let expected = (7_000_000_000 + 5 * fraction_ns, 60, 0, 101, vec![1, 2, 3]);
            assert_eq!(records(&[header, head, vec![1, 2, 3]].concat()), [expected], "{magic:#x}");
        }
    }
}

#[test]
fn the_frame_check_length_in_the_link_type_field_is_masked() {
    let order = Order { big_endian: false };
    let file =
        [order.pcap_header(0xa1b2_c3d4, 4, 0, 0x2400_0001), order.pcap_record([0, 0, 0, 0], &[])].concat();
    assert_eq!(records(&file), [(0, 0, 0, LinkType::ETHERNET.0, vec![])]);
}

#[test]
fn old_pcap_versions_have_their_lengths_exchanged() {
    let order = Order { big_endian: false };
    for (minor, numbers) in [(2, [0, 0, 60, 2]), (3, [0, 0, 60, 2]), (3, [0, 0, 2, 60]), (4, [0, 0, 2, 60])] {
        let file =
            [order.pcap_header(0xa1b2_c3d4, minor, 0, 1), order.pcap_record(numbers, &[8, 9])].concat();
        assert_eq!(records(&file), [(0, 60, 0, 1, vec![8, 9])], "2.{minor}");
    }
}

#[test]
fn captured_may_exceed_snapshot_and_original_length() {
    let order = Order { big_endian: false };
    let file =
        [order.pcap_header(0xa1b2_c3d4, 4, 2, 1), order.pcap_record([0, 0, 4, 3], &[1, 2, 3, 4])].concat();
    assert_eq!(records(&file), [(0, 3, 0, 1, vec![1, 2, 3, 4])]);
}

#[test]
fn sections_change_the_byte_order_and_interfaces_count_on() {
    let [little, big] = ORDERS;
    let file = [
        little.section(),
        little.interface(1, 0, &[]),
        little.packet(0, 1, 4, &[1; 4], &[]),
        big.section(),
        big.interface(113, 0, &big.option(9, &[9])),
        big.interface(101, 0, &[]),
        big.packet(1, 2, 4, &[2; 4], &[]),
        big.packet(0, (1 << 32) | 3, 4, &[3; 4], &[]),
    ];
    let expected =
        [(1000, 4, 0, 1, vec![1; 4]), (2000, 4, 2, 101, vec![2; 4]), ((1 << 32) + 3, 4, 1, 113, vec![3; 4])];
    assert_eq!(records(&file.concat()), expected);
}

#[test]
fn resolution_and_offset_apply_in_either_byte_order() {
    for order in ORDERS {
        let binary =
            [order.option(9, &[0x80 | 10]), order.option(14, &order.u64(100)), order.option(0, &[])].concat();
        let before = [order.option(14, &order.u64((-1_i64).cast_unsigned())), order.option(9, &[0])].concat();
        let file = [
            order.section(),
            order.interface(1, 0, &binary),
            order.interface(1, 0, &before),
            order.packet(0, 512, 4, &[0; 4], &[]),
            order.packet(1, 3, 4, &[0; 4], &[]),
        ];
        let times: Vec<_> = records(&file.concat()).iter().map(|record| record.0).collect();
        assert_eq!(times, [100_500_000_000, 2_000_000_000]);
    }
}

#[test]
fn simple_and_obsolete_packets_are_read_and_other_blocks_passed_over() {
    for order in ORDERS {
        let obsolete =
            [order.u16(0), order.u16(7), [0, 9, 3, 8].map(|number| order.u32(number)).concat()].concat();
        let file = [
            order.section(),
            order.block(4, &[0; 8]),
            order.interface(1, 6, &[]),
            order.block(0x0bad, &vec![1; 6_000_000]),
            order.block(3, &[order.u32(60), vec![5; 8]].concat()),
            order.block(2, &[obsolete, vec![4, 4, 4, 0]].concat()),
            order.block(3, &[order.u32(2), vec![6; 4]].concat()),
        ]
        .concat();
        let (records, error, reader) = read(&file, 100_000);
        assert_eq!(error, None);
        assert_eq!(reader.skipped_blocks(), 2);
        let expected = [(0, 60, 0, 1, vec![5; 6]), (9000, 8, 0, 1, vec![4; 3]), (0, 2, 0, 1, vec![6; 2])];
        assert_eq!(records, expected);
    }
}

#[test]
fn flags_and_comments_of_a_packet_are_read_when_asked() {
    for order in ORDERS {
        let options = [
            order.option(1, b"one"),
            order.option(2, &order.u32(0x42)),
            order.option(1, b"two"),
            order.option(0, &[]),
        ];
        let packet = order.packet(0, 0, 4, &[0; 4], &options.concat());
        let file = [order.section(), order.interface(1, 0, &[]), packet].concat();
        let mut reader = CaptureReader::new();
        assert!(reader.push(&file).is_empty());
        assert_eq!(reader.advance(), Ok(true));
        assert_eq!(reader.annotations().comments().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(reader.annotations().flags(), Some(0x42));
    }
}

#[test]
fn each_kind_of_damage_has_its_cause() {
    let order = Order { big_endian: false };
    let start = [order.section(), order.interface(1, 0, &[])].concat();
    let after = |block: Vec<u8>| cause(&[start.clone(), block].concat());
    assert_eq!(cause(b""), Some(Cause::Empty));
    assert_eq!(cause(b"PK\x03\x04"), Some(Cause::NotACapture { magic: *b"PK\x03\x04", magic_len: 4 }));
    assert_eq!(cause(&[0x0a, 0x0d]), Some(Cause::Truncated { needed_len: 12, had_len: 2 }));
    let old = order.pcap_header(0xa1b2_c3d4, 9, 0, 1);
    assert_eq!(cause(&old), Some(Cause::UnsupportedVersion { major: 2, minor: 9 }));
    assert_eq!(after(order.packet(1, 0, 4, &[0; 4], &[])), Some(Cause::UnknownInterface { id: 1, known: 1 }));
    assert_eq!(
        after([6, 0, 0, 0, 33, 0, 0, 0, 0, 0, 0, 0].to_vec()),
        Some(Cause::BlockLen { claimed_len: 33 })
    );
    let too_long = Cause::TooLong { claimed_len: 0xffff_fff0, limit_len: 4 * 1024 * 1024 };
    assert_eq!(after([6, 0, 0, 0, 0xf0, 0xff, 0xff, 0xff, 0, 0, 0, 0].to_vec()), Some(too_long));
    let mut packet = order.packet(0, 0, 4, &[0; 4], &[]);
    packet[20] = 5;
    assert_eq!(after(packet), Some(Cause::CapturedLen { claimed_len: 5, room_len: 4 }));
    let mut custom = order.block(0xbad, &[0; 4]);
    custom[12] = 17;
    assert_eq!(after(custom), Some(Cause::BlockLenMismatch { leading_len: 16, trailing_len: 17 }));
    let record = order.pcap_record([0, 0, 300_000, 300_000], &[]);
    let too_long = Cause::TooLong { claimed_len: 300_000, limit_len: 262_144 };
    assert_eq!(cause(&[order.pcap_header(0xa1b2_c3d4, 4, 65_535, 1), record].concat()), Some(too_long));
}

#[test]
fn an_error_says_what_where_and_what_to_do() {
    let order = Order { big_endian: false };
    let good = order.pcap_record([0, 0, 2, 2], &[1, 2]);
    let file = [order.pcap_header(0xa1b2_c3d4, 4, 0, 1), good.clone(), good[..10].to_vec()].concat();
    let error = read(&file, 1).1.expect("the file is cut");
    assert_eq!((error.position, error.offset, error.packets), (Position::Record(2), 42, 1));
    assert_eq!(
        error.to_string(),
        "record 2 at byte offset 42: the input ends after 10 of 16 bytes\n  hint: the capture was cut short \
         (copy interrupted, disk full, or still being written); the 1 packets before are whole"
    );
}

/// Files that hold every kind of part, with the offsets at which a cut leaves a whole file.
fn samples() -> Vec<(Vec<u8>, Vec<usize>)> {
    let mut samples = Vec::new();
    for order in ORDERS {
        let pcap = vec![
            order.pcap_header(0xa1b2_c3d4, 4, 0, 1),
            order.pcap_record([1, 2, 5, 60], &[1; 5]),
            order.pcap_record([1, 3, 0, 0], &[]),
            order.pcap_record([1, 4, 30, 60], &[2; 30]),
        ];
        let statistics = [order.u32(0), order.u64(0), order.option(4, &order.u64(9))].concat();
        let pcapng = vec![
            order.section(),
            order.interface(1, 40, &[order.option(2, b"eth0"), order.option(0, &[])].concat()),
            order.packet(0, 1, 8, &[1; 8], &order.option(1, b"a comment")),
            order.block(0xbad, &[3; 20]),
            order.block(3, &[order.u32(6), vec![5; 8]].concat()),
            order.block(5, &statistics),
        ];
        for parts in [pcap, pcapng] {
            let ends = parts.iter().scan(0, |end, part| {
                *end += part.len();
                Some(*end)
            });
            samples.push((parts.concat(), ends.collect()));
        }
    }
    samples
}

#[test]
fn a_file_cut_anywhere_gives_its_whole_records_and_one_error() {
    for (file, ends) in samples() {
        let whole = records(&file);
        for cut in 0..file.len() {
            let (records, error, _) = read(&file[..cut], file.len());
            assert!(whole.starts_with(&records), "cut at {cut}");
            assert_eq!(error.is_none(), ends.contains(&cut), "cut at {cut}: {error:?}");
            let start = ends.iter().rev().find(|end| **end <= cut).copied().unwrap_or(0);
            let expected = if ends.contains(&cut) { None } else { Some(start as u64) };
            assert_eq!(error.map(|error| error.offset), expected, "cut at {cut}");
        }
    }
}

#[test]
fn any_chunking_gives_the_same_records_and_the_same_error() {
    for (file, _) in samples() {
        for cut in [file.len(), file.len() - 1, file.len() / 2, 30, 3] {
            let file = &file[..cut];
            let (records, error, _) = read(file, cut);
            for chunk_len in 1..cut.min(40) {
                let (chunked, chunked_error, _) = read(file, chunk_len);
                assert_eq!(
                    (&chunked, chunked_error),
                    (&records, error),
                    "cut at {cut}, chunks of {chunk_len}"
                );
            }
        }
    }
}

#[test]
fn any_changed_octet_neither_panics_nor_changes_what_was_read_before_it() {
    for (file, ends) in samples() {
        let whole = records(&file);
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, file[at] ^ 0x10] {
                let mut damaged = file.clone();
                damaged[at] = value;
                let (records, ..) = read(&damaged, file.len());
                let before =
                    read(&file[..ends.iter().rev().find(|end| **end <= at).copied().unwrap_or(0)], 100).0;
                assert!(records.starts_with(&before) && before.len() <= whole.len(), "octet {at} = {value}");
            }
        }
    }
}

#[test]
fn what_the_pcapng_writer_writes_comes_back() {
    let mut out = Vec::new();
    let header =
        SectionHeader { application: Some("mirrorscope"), os: Some("Linux"), ..SectionHeader::default() };
    let mut writer = PcapngWriter::begin(&mut out, &header);
    let interface = InterfaceHeader {
        link_type: LinkType::ETHERNET,
        snap_len: 96,
        name: Some("vni 7"),
        description: Some("ENI"),
    };
    writer.interface(&mut out, &interface);
    let id = writer
        .interface(&mut out, &InterfaceHeader { link_type: LinkType::RAW, description: None, ..interface });
    let packet = Packet {
        interface: id,
        timestamp_ns: 1_700_000_000_123_456_789,
        original_len: 1500,
        data: &[7; 61],
        comment: Some("vpce-1"),
    };
    writer.packet(&mut out, &packet);
    let statistics =
        Statistics { start_ns: Some(5), end_ns: Some(1 << 40), received: Some(9), dropped: Some(1) };
    writer.statistics(&mut out, id, 1 << 40, &statistics);
    let (records, error, reader) = read(&out, 13);
    assert_eq!(error, None);
    assert_eq!(records, [(1_700_000_000_123_456_789, 1500, 1, 101, vec![7; 61])]);
    assert_eq!(reader.interfaces()[0].name.as_deref(), Some("vni 7"));
    assert_eq!(reader.interfaces()[0].description.as_deref(), Some("ENI"));
    assert_eq!(reader.interfaces()[1].statistics, Some(statistics));
    assert_eq!(reader.section().and_then(|section| section.application.as_deref()), Some("mirrorscope"));
}

#[test]
fn what_the_pcap_writer_writes_comes_back() {
    let mut out = Vec::new();
    let mut writer = PcapWriter::begin(&mut out, LinkType::ETHERNET, 262_144);
    let packet = Packet {
        interface: 0,
        timestamp_ns: 1_700_000_000_123_456_789,
        original_len: 9,
        data: &[7; 5],
        comment: None,
    };
    writer.packet(&mut out, &packet);
    assert_eq!(records(&out), [(1_700_000_000_123_456_789, 9, 0, 1, vec![7; 5])]);
}
