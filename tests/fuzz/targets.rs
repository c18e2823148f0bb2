//! What is fuzzed: functions that take any octets and panic where a promise does not hold.
//!
//! libFuzzer drives them (`fuzz_targets/`), and an ordinary test replays the corpus on every machine (`replay.rs`).
//! A new target is a function here, its row in [`TARGETS`] and a file in `fuzz_targets/`.

use mirrorscope_core::{
    Decoder, Filter, LinkType, Packet, Record,
    aws::{
        describe,
        explain::Explainer,
        lint,
        suggest::{Goal, Suggester},
    },
    capture::CaptureReader,
    filter::{Seen, complete},
    flow::{FlowOptions, FlowTable},
};
use mirrorscope_tests::everything::{Everything, LINK_TYPES, record};
use mirrorscope_wasm::{
    aws::{RawInventory, set_explain},
    complete::complete_filter,
    decoder::RawDecoder,
    filter::check_filter,
};

/// Takes any octets.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("pcap", pcap),
    ("pcapng", pcapng),
    ("stack", stack),
    ("geneve", geneve),
    ("vxlan", vxlan),
    ("filter", filter),
    ("aws_json", aws_json),
    ("wasm", wasm),
    ("flows", flows),
];

/// Little-endian, microseconds, version 2.4, Ethernet.
const PCAP: [u8; 24] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
/// A section header without options, little-endian, and an Ethernet interface.
const PCAPNG: [u8; 48] = [
    0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 28, 0, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 20, 0, 0, 0,
];

/// A capture, with or without the header that it needs to be one.
pub fn pcap(octets: &[u8]) {
    capture(octets, &PCAP);
}

/// The same, for the other format.
pub fn pcapng(octets: &[u8]) {
    capture(octets, &PCAPNG);
}

/// A record of any link type, through all printers; a cut one agrees with it up to the cut.
pub fn stack(octets: &[u8]) {
    let [link_type, more, data @ ..] = octets else { return };
    let link_type = LINK_TYPES[usize::from(*link_type) % LINK_TYPES.len()];
    let whole = record(link_type, (data.len() as u32).saturating_add(u32::from(*more)), data);
    show(whole);
    prefixes_agree(whole);
}

/// What GWLB might send: the payload of UDP port 6081.
pub fn geneve(octets: &[u8]) {
    show_datagram(6081, octets);
}

/// What a mirror might send: the payload of UDP port 4789, inside of Geneve as AWS writes it.
pub fn vxlan(octets: &[u8]) {
    const GENEVE: [u8; 40] = [
        8, 0, 8, 0, 0, 0, 0, 0, 1, 8, 1, 2, 0, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 7, 1, 8, 2, 2, 0, 0, 0, 0,
        0, 0, 0, 0, 1, 8, 3, 1, 9, 8, 7, 6,
    ];
    let inner = datagram(4789, octets);
    show_datagram(6081, &[&GENEVE[..], &inner].concat());
    show_datagram(4789, octets);
}

/// A filter: its error points into the text, what it accepts can be asked, and completion takes any cursor.
pub fn filter(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    match Filter::parse(text) {
        Ok(filter) => good().for_each(|data| {
            let _ = filter.matches(&Packet::decode(&Decoder::default(), record(1, data.len() as u32, data)));
        }),
        Err(error) => assert!(!error.render(text).is_empty()),
    }
    for cursor in [0, text.len() / 2, text.len(), text.len() + 1] {
        let _ = complete(text, cursor, &Seen::default());
    }
}

/// Files of the AWS command line: read, linted, and used to explain packets and to learn a filter.
pub fn aws_json(octets: &[u8]) {
    let Ok(inventory) = describe::parse(octets) else { return };
    let _ = serde_json::to_string(&lint::lint(&inventory)).expect("a report can be written");
    let mut explainer = Explainer::new(inventory.clone());
    let mut suggester = Suggester::new(Goal::Drop, Decoder::default(), inventory);
    let chooses = Filter::parse("icmp").expect("it is a filter");
    for data in good() {
        let packet = Packet::decode(&Decoder::default(), record(1, data.len() as u32, data));
        explainer.add(&packet);
        suggester.add(&packet, |packet| chooses.matches(packet));
    }
    let _ = serde_json::to_string(&explainer.finish()).expect("an explanation can be written");
    let _ = serde_json::to_string(&suggester.finish()).expect("a suggestion can be written");
}

/// What JavaScript may hand over: filters, files, addresses, and every setting of a decoder. What becomes objects of
/// JavaScript exists only there; `wasm/npm/test/hostile.test.js` hands such octets to the module itself.
pub fn wasm(octets: &[u8]) {
    let [chosen, data @ ..] = octets else { return };
    let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    let mut inventory = RawInventory::new();
    assert!(inventory.add(data).is_none_or(|fault| is_json(&fault)));
    let text = String::from_utf8_lossy(data);
    assert!(check_filter(&text).is_none_or(|fault| is_json(&fault)));
    assert!(is_json(&complete_filter(&text, usize::from(*chosen))));
    let mut decoder = RawDecoder::new();
    let _ = decoder.set_filter(&text);
    decoder.set_range(f64::from(*chosen) - 3.0, None);
    set_explain(&mut decoder, &inventory);
    // The octets that JavaScript would write are zeros here: writing them takes its side of the memory.
    let _ = decoder.space(data.len());
    decoder.commit(data.len());
    decoder.finish();
    let _ = decoder.step();
    assert!(decoder.damage().is_none_or(|fault| is_json(&fault)));
}

/// A flow table by operations of eight octets: packets that meet, time that jumps, sweeps. The sums always agree, and it
/// is the same whether packets are counted one by one or many together.
pub fn flows(octets: &[u8]) {
    const MAX_FLOWS: usize = 4;
    let options = FlowOptions { max_flows: MAX_FLOWS, duplicate_capacity: 16, ..FlowOptions::default() };
    let [mut table, mut together] = [(); 2].map(|()| FlowTable::new(options.clone()));
    let (mut ended, mut ended_together) = (Vec::new(), Vec::new());
    let mut now_ns = 0i64;
    for operation in octets.chunks_exact(8) {
        let [what, src, dst, flags, seq, len, seconds, id] = operation else { continue };
        now_ns = now_ns.wrapping_add((i64::from(*seconds) - 64) * 1_000_000_000);
        match what % 8 {
            0 => {
                table.expire(now_ns, &mut |flow| ended.push(flow));
                together.expire(now_ns, &mut |flow| ended_together.push(flow));
            }
            1 => now_ns = i64::from(*id).wrapping_mul(i64::MAX / 255),
            _ => {
                let data = mirrored(*what, [*src, *dst], *flags, *seq, *len, *id);
                let record =
                    Record { timestamp_ns: now_ns, ..record(LinkType::RAW.0, data.len() as u32, &data) };
                let packet = Packet::decode(&Decoder::default(), record);
                table.observe(&packet, &mut |flow| ended.push(flow));
                together.gather(&packet, &mut |flow| ended_together.push(flow));
            }
        }
        assert!(table.len() <= MAX_FLOWS && table.iter().count() == table.len());
    }
    table.finish(&mut |flow| ended.push(flow));
    together.finish(&mut |flow| ended_together.push(flow));
    assert_eq!(ended, ended_together);
    assert_eq!(table.counters(), together.counters());
    let (mut packets, mut bytes) = (0, 0);
    for flow in &ended {
        assert!(flow.first_ns <= flow.last_ns);
        packets += flow.packets() + flow.total(|direction| direction.duplicates);
        bytes += flow.bytes() + flow.total(|direction| direction.duplicate_bytes);
    }
    let counters = table.counters();
    assert_eq!(packets + counters.orphans + counters.not_ip, counters.packets);
    assert_eq!(bytes + counters.orphan_bytes + counters.not_ip_bytes, counters.bytes);
}

/// Any chunking gives the same records, a cut capture a beginning of them, and all go through all printers.
fn capture(octets: &[u8], header: &[u8]) {
    let whole = if octets.starts_with(&header[..4]) { octets.to_vec() } else { [header, octets].concat() };
    let (records, damage) = read(&whole, whole.len().max(1));
    let step = 1 + octets.first().map_or(0, |octet| usize::from(*octet) % 97);
    assert!((&records, &damage) == (&read(&whole, step).0, &read(&whole, step).1), "in steps of {step}");
    let (cut, _) = read(&whole[..whole.len() / 2], whole.len());
    assert!(records.starts_with(&cut), "half a capture holds other records");
    let mut everything = Everything::default();
    for Kept { link_type, original_len, timestamp_ns, data } in &records {
        everything.take(Record { timestamp_ns: *timestamp_ns, ..record(*link_type, *original_len, data) });
    }
    everything.finish();
}

/// A record that outlives its reader.
#[derive(PartialEq, Eq)]
struct Kept {
    link_type: u16,
    original_len: u32,
    timestamp_ns: i64,
    data: Vec<u8>,
}

/// The records of a capture that comes in steps, and how it ended if not well.
fn read(capture: &[u8], step: usize) -> (Vec<Kept>, Option<String>) {
    let (mut reader, mut records) = (CaptureReader::new(), Vec::new());
    let mut chunks = capture.chunks(step);
    loop {
        match reader.next() {
            Ok(Some(record)) => records.push(Kept {
                link_type: record.link_type.0,
                original_len: record.original_len,
                timestamp_ns: record.timestamp_ns,
                data: record.data.to_vec(),
            }),
            Ok(None) => match chunks.next() {
                Some(mut chunk) => {
                    while !chunk.is_empty() {
                        chunk = reader.push(chunk);
                        if !chunk.is_empty() {
                            return (records, Some("the reader takes no more".to_owned()));
                        }
                    }
                }
                None => {
                    reader.finish();
                    return (records, reader.next().err().map(|error| error.to_string()));
                }
            },
            Err(error) => return (records, Some(error.to_string())),
        }
    }
}

fn show(record: Record<'_>) {
    let mut everything = Everything::default();
    everything.take(record);
    everything.finish();
}

fn prefixes_agree(whole: Record<'_>) {
    let decoder = Decoder::default();
    let stack = decoder.decode(&whole);
    for len in [whole.data.len() / 3, whole.data.len() / 2, whole.data.len().saturating_sub(1)] {
        let cut = Record { data: &whole.data[..len], ..whole };
        let cut = decoder.decode(&cut);
        let complete = (0..cut.layers().len()).take_while(|at| cut.is_complete(*at)).count();
        for (ours, theirs) in cut.layers()[..complete].iter().zip(stack.layers()) {
            assert_eq!(
                (ours.layer, ours.offset, ours.end),
                (theirs.layer, theirs.offset, theirs.end),
                "at {len}"
            );
        }
    }
}

fn show_datagram(port: u16, payload: &[u8]) {
    let data = datagram(port, payload);
    show(record(LinkType::RAW.0, data.len() as u32, &data));
}

/// IPv4 and UDP around a payload, cut to what their lengths can tell.
fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(60_000)];
    let mut udp = vec![0xff, 0x80];
    udp.extend(port.to_be_bytes());
    udp.extend((payload.len() as u16 + 8).to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(payload);
    ipv4(17, [1, 2], 0, &udp)
}

fn ipv4(protocol: u8, addresses: [u8; 2], id: u8, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x45, 0];
    octets.extend((20 + payload.len() as u16).to_be_bytes());
    octets.extend([0, id, 0, 0, 64, protocol, 0, 0, 10, 0, 0, addresses[0], 10, 0, 0, addresses[1]]);
    octets.extend(payload);
    octets
}

/// A mirrored packet of a small world: TCP or UDP, three addresses, two sessions.
fn mirrored(what: u8, [src, dst]: [u8; 2], flags: u8, seq: u8, len: u8, id: u8) -> Vec<u8> {
    let mut transport =
        vec![0, src % 3, 0, dst % 3, 0, 0, 0, seq, 0, 0, 0, flags, 0x50, flags, 0, seq, 0, 0, 0, 0];
    transport.extend(std::iter::repeat_n(seq, usize::from(len)));
    let mut vxlan = vec![8, 0, 0, 0, 0, 0, what >> 7, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 8, 0];
    let protocol = if what & 8 == 0 { 6 } else { 17 };
    vxlan.extend(ipv4(protocol, [src % 3, dst % 3], id, &transport));
    datagram(4789, &vxlan)
}

/// A few of the mission's packets.
fn good() -> impl Iterator<Item = &'static [u8]> {
    const CAPTURE: &[u8] = include_bytes!("../fixtures/mirror/ping-curl-traceroute.pcap");
    let mut rest = &CAPTURE[24..];
    std::iter::from_fn(move || {
        let len = u32::from_le_bytes(rest.get(8..12)?.try_into().ok()?) as usize;
        let data = rest.get(16..16 + len)?;
        rest = &rest[16 + len..];
        Some(data)
    })
    .step_by(5)
}
