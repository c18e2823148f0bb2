//! What the index says of a filter is what the filter says of the packets, and it says it of nearly all of them.
//!
//! Every expression that is compared with tcpdump elsewhere is judged by an index of strange packets: those of the
//! shared captures, bare and as a mirror session would deliver them, cut short and with octets changed.

use std::{env, fs, path::Path};

use mirrorscope_core::{
    Decoder, Filter, LinkType, Packet, Record,
    capture::CaptureReader,
    encap::{Datagram, Network, NetworkOptions, Outer},
    generate::{Generator, GeneratorOptions},
    index::{Index, IndexOptions},
};
use mirrorscope_tests::{fixture, shared_dir, skip};

const EXPRESSIONS: &str = include_str!("filter-expressions.txt");

/// Words of the tunnel, which tcpdump does not know.
const TUNNEL_EXPRESSIONS: &[&str] = &[
    "",
    "vni 1001",
    "vni 1002 and tcp",
    "not vni 1001",
    "endpoint vpce-00a1b2c3d4e5f6071",
    "source 10.0.0.0/8 or inline",
    "attachment 0",
    "cookie 1",
    "mirrored and not truncated",
    "truncated or len > 300",
    "not (truncated and tcp)",
    "outer (udp port 6081)",
    "outer (len > 200)",
    "outer (tcp) or inline",
    "mirrored and tcp[tcpflags] & tcp-syn != 0 and len < 90",
    "not tcp[13] = 2",
    "vlan and tcp",
    "vlan and host 10.0.0.1 and tcp[13] & 2 != 0",
    "tcp or vlan and udp",
    "icmp[0] = 8 or icmp6[0] = 128",
    "tcp[0:2] > 1024 and 100 / (len - 60) > 1",
];

/// Captures longer than this are left out, and packets behind these.
const MAX_FILE_LEN: u64 = 1 << 20;
const MAX_PACKETS: usize = 3;

struct Kept {
    link_type: LinkType,
    original_len: u32,
    data: Vec<u8>,
}

impl Kept {
    fn record(&self, number: u64) -> Record<'_> {
        let Self { link_type, original_len, data } = self;
        let (link_type, original_len) = (*link_type, *original_len);
        Record { number, timestamp_ns: 0, interface: 0, link_type, original_len, offset: 0, data }
    }
}

fn read(file: &Path, kept: &mut Vec<Kept>) {
    let Ok(octets) = fs::read(file) else { return };
    let mut reader = CaptureReader::new();
    let mut rest = &octets[..];
    let end = kept.len() + MAX_PACKETS;
    loop {
        while let Ok(Some(record)) = reader.next() {
            let (link_type, original_len) = (record.link_type, record.original_len);
            kept.push(Kept { link_type, original_len, data: record.data.to_vec() });
            if kept.len() >= end {
                return;
            }
        }
        if rest.is_empty() {
            return;
        }
        rest = reader.push(rest);
    }
}

fn files(dir: &Path, list: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => files(&entry.path(), list),
            Ok(metadata) if metadata.len() <= MAX_FILE_LEN => list.push(entry.path()),
            _ => {}
        }
    }
}

/// The packets of all captures, Ethernet also as a session would mirror it, and each of them damaged.
fn packets(captures: Option<&Path>) -> Vec<Kept> {
    let mut kept = Vec::new();
    let mut list = vec![fixture("mirror/ssm-tcp443.pcap"), fixture("mirror/ping-curl-traceroute.pcap")];
    captures.iter().for_each(|dir| files(dir, &mut list));
    list.sort();
    list.iter().for_each(|file| read(file, &mut kept));
    generated(&mut kept);
    let network = Network::new(&NetworkOptions { sessions: 3, ..NetworkOptions::default() });
    let mirrored: Vec<_> =
        kept.iter().enumerate().filter_map(|(at, kept)| wrapped(&network, at, kept)).collect();
    kept.extend(mirrored);
    let damaged: Vec<_> = kept.iter().enumerate().map(|(at, kept)| damaged(at, kept)).collect();
    kept.extend(damaged);
    kept
}

fn generated(kept: &mut Vec<Kept>) {
    let network = Network::new(&NetworkOptions::default());
    let options = GeneratorOptions {
        flows: 60,
        packets: 600,
        ipv6_share: 0.3,
        vlan_share: 0.3,
        ..GeneratorOptions::default()
    };
    let mut generator = Generator::new(&network, options);
    while let Some(made) = generator.next_frame() {
        let original_len = made.frame.len() as u32;
        kept.push(Kept { link_type: LinkType::ETHERNET, original_len, data: made.frame.to_vec() });
    }
}

fn wrapped(network: &Network, at: usize, kept: &Kept) -> Option<Kept> {
    if kept.link_type != LinkType::ETHERNET || kept.data.len() > 9000 {
        return None;
    }
    let packet = Packet::decode(&Decoder::default(), kept.record(1));
    let session = network.session(at as u64);
    let datagram = match at % 5 {
        0 => Datagram::inline(session, &packet, 7).ok()?,
        _ => Datagram::mirrored(session, &packet, &kept.data, 7),
    };
    let mut data = Vec::new();
    Outer::default().put_frame(&mut data, &datagram);
    let original_len =
        data.len() as u32 + (kept.original_len - (kept.data.len() as u32).min(kept.original_len));
    Some(Kept { link_type: LinkType::ETHERNET, original_len, data })
}

/// Cut somewhere, or with an octet changed, by the packet's number.
fn damaged(at: usize, kept: &Kept) -> Kept {
    let mut data = kept.data.clone();
    let place = at.wrapping_mul(2_654_435_761) % data.len().max(1);
    match at % 3 {
        0 => data.truncate(place),
        _ => {
            // Most headers lie in the first 200 octets.
            if let Some(octet) = data.get_mut(place % 200) {
                *octet = octet.wrapping_add(1 << (at % 8));
            }
        }
    }
    Kept { link_type: kept.link_type, original_len: kept.original_len, data }
}

#[test]
fn the_index_chooses_what_the_filter_chooses() {
    let captures = shared_dir().map(|dir| dir.join("captures"));
    if captures.is_none() {
        skip(
            "the index against filters on the shared captures (MIRRORSCOPE_SHARED); generated packets are judged",
        );
    }
    let kept = packets(captures.as_deref());
    let decoded: Vec<_> = kept
        .iter()
        .zip(1..)
        .map(|(kept, number)| Packet::decode(&Decoder::default(), kept.record(number)))
        .collect();
    let mut index = Index::new(IndexOptions::default(), 1);
    decoded.iter().for_each(|packet| index.push(0, packet).expect("there is room"));
    // Each fourth stands for its neighbours, which are often the same with another number.
    let step = if env::var_os("MIRRORSCOPE_FULL").is_some() { 1 } else { 4 };
    let texts = EXPRESSIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).step_by(step);
    let (mut answered, mut asked) = (0, 0);
    for text in texts.chain(TUNNEL_EXPRESSIONS.iter().copied()) {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
        let judged = index.select(&filter);
        for (number, packet) in (0..).zip(&decoded) {
            if judged.open.contains(number) {
                continue;
            }
            let (ours, passes) = (judged.passed.contains(number), filter.matches(packet));
            assert_eq!(ours, passes, "`{text}` and packet {number}: {:02x?}", packet.record.data);
        }
        answered += index.end() - judged.open.count();
        asked += index.end();
    }
    println!("{answered} of {asked} answers need no octets, {} packets", index.end());
    // Many of the expressions read octets, and most of these packets are strange.
    assert!(answered * 10 > asked * 6, "{answered} of {asked}");
}

#[test]
fn column_filters_need_no_octets_of_ordinary_traffic() {
    let mut kept = Vec::new();
    generated(&mut kept);
    let network = Network::new(&NetworkOptions { sessions: 3, ..NetworkOptions::default() });
    let mirrored: Vec<_> =
        kept.iter().enumerate().filter_map(|(at, kept)| wrapped(&network, at, kept)).collect();
    let mut index = Index::new(IndexOptions::default(), 1);
    for (kept, number) in mirrored.iter().zip(1..) {
        index.push(0, &Packet::decode(&Decoder::default(), kept.record(number))).expect("there is room");
    }
    for text in [
        "vni 1001",
        "endpoint vpce-00a1b2c3d4e5f6071 and source 10.0.0.0/8",
        "mirrored and not truncated",
        "inline",
        "cookie 7 or attachment 0",
        "host 10.0.0.5 and tcp",
        "net 10.0.0.0/8 and not port 443",
        "src host 10.0.0.5 or dst portrange 1-1023",
        "ip6 and udp port 53",
        "vlan and tcp port 443",
        "icmp or icmp6 or arp",
        "icmp[icmptype] = icmp-echo",
        "len > 1000 and tcp",
        "greater 500 or less 60",
        "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "ether multicast or ip multicast or broadcast",
    ] {
        let judged = index.select(&Filter::parse(text).expect(text));
        assert_eq!(judged.open.count(), 0, "`{text}`");
    }
}
