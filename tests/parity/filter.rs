//! Our filters choose the packets that tcpdump chooses: `filter-expressions.txt` × the captures.
//!
//! Un-tunnelled: each packet of the shared captures is judged from its first byte. Tunnelled: mirrored and inline
//! packets are unwrapped, and tcpdump judges what they carry. Every expression meets all of them, and packets in rare
//! encapsulations ([`rare`]): whole, cut at every length, mirrored, and routed through an endpoint. Packets of one
//! link type are put into one capture, so that tcpdump runs a few times for each expression. Compared are the packets
//! chosen, not only their number.
//!
//! Where a packet is cut, what tcpdump says depends on its optimiser, which leaves out reads whose value cannot
//! matter: there such a packet passes tcpdump, and here the read rejects it, as it does by `tcpdump -O`. So where we
//! choose fewer packets than tcpdump we must choose what `tcpdump -O` chooses. Other differences, not in the corpus:
//!
//! - we leave out reads under a mask of zero (`net ::/0`) and factors of zero (`ip[1000] * 0`) everywhere; libpcap's
//!   optimiser does so but behind `geneve` and beside `protochain`;
//! - tests right of a `geneve` that was not reached or did not hold count from memory that libpcap never set; here
//!   they count from the first octet;
//! - libpcap takes the first number right of `/`, `%` or a shift for all of it, and refuses `ip[2:2] / ip[0]` and
//!   `1 << 40 % 3`; here these are computed;
//! - libpcap's `protochain` forgets what it stepped over before an AH header, so that no `protochain` here meets AH;
//! - BSD loopback has its address family in either byte order here, libpcap's filters know only the file's;
//! - a test that a link type cannot answer is refused by tcpdump and false here.

mod rare;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process, thread};

use mirrorscope_core::capture::{self, CaptureReader, PcapWriter};
use mirrorscope_core::encap::{Datagram, Network, NetworkOptions, Outer};
use mirrorscope_core::{Decoder, Envelope, Filter, Layer, LinkType, Packet, Record};
use mirrorscope_tests::{shared_dir, skip, tool};

const EXPRESSIONS: &str = include_str!("filter-expressions.txt");

/// Longest packet that tcpdump reads.
const MAX_PACKET_LEN: usize = 262_144;
/// One in so many rare frames is there cut at every length.
const CUT_FRAMES: usize = 47;
/// What tcpdump says when a link type cannot answer; no statement about the packets.
const REFUSED_FOR_LINK: &[&str] = &["support", "not implemented", "not a broadcast link"];

/// One record, kept.
#[derive(Clone, PartialEq, Eq)]
struct Kept {
    timestamp_ns: i64,
    original_len: u32,
    link_type: LinkType,
    data: Vec<u8>,
}

impl Kept {
    fn of(link_type: LinkType, data: Vec<u8>) -> Self {
        Self { timestamp_ns: 0, original_len: data.len() as u32, link_type, data }
    }

    fn record(&self, number: u64) -> Record<'_> {
        Record {
            number,
            timestamp_ns: self.timestamp_ns,
            interface: 0,
            link_type: self.link_type,
            original_len: self.original_len,
            offset: 0,
            data: &self.data,
        }
    }
}

/// Which packets are in one capture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    link_type: LinkType,
    /// Unwrapped out of the tunnels of AWS.
    is_unwrapped: bool,
    /// Of `protochain` over AH headers libpcap thinks differently.
    has_ah: bool,
}

/// A capture that tcpdump reads, and the same packets as we are to judge them.
struct Case {
    kind: Kind,
    file: PathBuf,
    /// The packets in the file.
    packets: Vec<Kept>,
    /// The records that they were unwrapped from, if they were.
    records: Vec<Kept>,
}

impl Case {
    fn chosen_by_us(&self, filter: &Filter) -> Vec<&Kept> {
        let judge = |index: &usize| match self.records.get(*index) {
            None => filter.matches_record(&self.packets[*index].record(1)),
            Some(record) => filter.matches(&Packet::decode(&Decoder::default(), record.record(1))),
        };
        (0..self.packets.len()).filter(judge).map(|index| &self.packets[index]).collect()
    }
}

#[test]
fn filters_choose_what_tcpdump_chooses() {
    let (Some(tcpdump), Some(captures)) = (tool("tcpdump"), shared_dir().map(|dir| dir.join("captures")))
    else {
        skip(
            "filters against tcpdump: needs tcpdump (apt install tcpdump) and the shared captures (MIRRORSCOPE_SHARED)",
        );
        return;
    };
    let scratch = env::temp_dir().join(format!("mirrorscope-filter-{}", process::id()));
    fs::create_dir_all(&scratch).expect("a folder for captures");
    let mut piles = Piles::default();
    shared_packets(&captures, &mut piles);
    rare_packets(&mut piles);
    let cases = piles.cases(&scratch);
    let packets: usize = cases.iter().map(|case| case.packets.len()).sum();
    let unwrapped: usize = cases.iter().map(|case| case.records.len()).sum();
    let texts: Vec<&str> =
        EXPRESSIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(texts.len() >= 1_000 && packets >= 10_000, "{} filters, {packets} packets", texts.len());
    let counts = [const { AtomicUsize::new(0) }; 3];
    let [compared, refused, lenient] = &counts;
    let differences: Vec<String> = in_parallel(&texts, |text| {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
        let mut differences = Vec::new();
        for case in cases.iter().filter(|case| !(case.kind.has_ah && text.contains("protochain"))) {
            let ours = case.chosen_by_us(&filter);
            let are_ours = |theirs: &[Kept]| theirs.iter().eq(ours.iter().copied());
            let outcome = match chosen_by_tcpdump(&tcpdump, &case.file, text, Optimiser::On) {
                Ok(theirs) if are_ours(&theirs) => compared,
                Ok(theirs) if theirs.len() > ours.len() && is_exact(&tcpdump, case, text, are_ours) => {
                    lenient
                }
                Ok(theirs) => {
                    differences.push(difference(text, case, &ours, &theirs));
                    continue;
                }
                Err(message) if REFUSED_FOR_LINK.iter().any(|part| message.contains(part)) => refused,
                Err(message) => {
                    differences.push(format!("tcpdump refuses `{text}`: {message}"));
                    continue;
                }
            };
            outcome.fetch_add(1, Ordering::Relaxed);
        }
        differences
    });
    fs::remove_dir_all(&scratch).expect("the folder was ours");
    let [compared, refused, lenient] = counts.map(AtomicUsize::into_inner);
    println!(
        "{} filters × {} captures of {packets} packets ({unwrapped} unwrapped): {compared} pairs equal, {refused} refused by tcpdump for the link type, {lenient} where its optimiser lets cut packets pass, {} differ",
        texts.len(),
        cases.len(),
        differences.len()
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Whether tcpdump without its optimiser chooses what we choose.
fn is_exact(tcpdump: &Path, case: &Case, text: &str, are_ours: impl Fn(&[Kept]) -> bool) -> bool {
    chosen_by_tcpdump(tcpdump, &case.file, text, Optimiser::Off).is_ok_and(|exact| are_ours(&exact))
}

/// The difference in numbers, and the first packet of which the two think differently.
fn difference(text: &str, case: &Case, ours: &[&Kept], theirs: &[Kept]) -> String {
    let is_disputed = |packet: &&Kept| ours.contains(packet) != theirs.contains(packet);
    let first = case.packets.iter().find(is_disputed);
    format!(
        "`{text}` chooses {} packets of {}, tcpdump {}; the first disputed: {:02x?}",
        ours.len(),
        case.file.display(),
        theirs.len(),
        first.map(|packet| &packet.data)
    )
}

/// Whether tcpdump may leave out reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Optimiser {
    On,
    Off,
}

/// What tcpdump chooses, or what it says against the filter.
fn chosen_by_tcpdump(
    tcpdump: &Path,
    file: &Path,
    text: &str,
    optimiser: Optimiser,
) -> Result<Vec<Kept>, String> {
    let mut command = Command::new(tcpdump);
    command.args((optimiser == Optimiser::Off).then_some("-O"));
    command.args(["--nano", "-w", "-", "-r"]).arg(file).arg("--").arg(text);
    let output = command.output().expect("tcpdump runs");
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(read(&output.stdout)),
        false if said.contains("expression rejects all packets") => Ok(Vec::new()),
        false => Err(said.lines().last().unwrap_or_default().to_owned()),
    }
}

/// Packets by kind, each with the record that it was unwrapped from, if it was.
#[derive(Default)]
struct Piles(BTreeMap<Kind, (Vec<Kept>, Vec<Kept>)>);

impl Piles {
    /// Adds a packet as it is, and what the tunnels of AWS in it carry.
    fn add(&mut self, record: &Kept, has_ah: bool) {
        let packet = Packet::decode(&Decoder::default(), record.record(1));
        let first = packet.subject_layers().first().map(|span| span.layer);
        let link_type = match (&packet.envelope, first) {
            (Envelope::Bare, _) => None,
            (_, Some(Layer::Ethernet)) => Some(LinkType::ETHERNET),
            (_, Some(Layer::Ipv4 | Layer::Ipv6)) => Some(LinkType::RAW),
            _ => None,
        };
        if let Some(link_type) = link_type {
            let (data, original_len) = (packet.subject_bytes().to_vec(), packet.subject_len());
            let inner = Kept { timestamp_ns: 0, original_len, link_type, data };
            self.put(Kind { link_type, is_unwrapped: true, has_ah }, inner, Some(record));
        }
        self.put(Kind { link_type: record.link_type, is_unwrapped: false, has_ah }, record.clone(), None);
    }

    /// The packet's time becomes its number, so that no two are equal.
    fn put(&mut self, kind: Kind, packet: Kept, record: Option<&Kept>) {
        let (packets, records) = self.0.entry(kind).or_default();
        packets.push(Kept { timestamp_ns: packets.len() as i64 * 1_000, ..packet });
        records.extend(record.cloned());
    }

    fn cases(self, scratch: &Path) -> Vec<Case> {
        let write = |(kind, (packets, records)): (Kind, (Vec<Kept>, Vec<Kept>))| {
            let Kind { link_type, is_unwrapped, has_ah } = kind;
            let part =
                ["", "-unwrapped"][usize::from(is_unwrapped)].to_owned() + ["", "-ah"][usize::from(has_ah)];
            let file = scratch.join(format!("{}{part}.pcap", link_type.0));
            fs::write(&file, written(link_type, &packets)).expect("scratch can be written");
            Case { kind, file, packets, records }
        };
        self.0.into_iter().map(write).collect()
    }
}

/// Every packet of a link type that we read.
fn shared_packets(captures: &Path, piles: &mut Piles) {
    let mut files = Vec::new();
    walk(captures, &mut files);
    files.sort();
    for file in files {
        let octets = fs::read(&file).expect("the captures can be read");
        let is_read = |packet: &Kept| is_read_here(packet.link_type) && packet.data.len() <= MAX_PACKET_LEN;
        read(&octets).iter().filter(|packet| is_read(packet)).for_each(|packet| piles.add(packet, false));
    }
}

/// Rare encapsulations of each link type, whole and cut, as a mirror session copies them, and as an endpoint carries
/// them.
fn rare_packets(piles: &mut Piles) {
    for (link_type, frames) in rare::by_link_type() {
        for (index, frame) in frames.into_iter().enumerate() {
            let has_ah = rare::has_ah(&frame);
            let whole = Kept::of(link_type, frame);
            if let Some(record) = wrapped_as_by_aws(&whole) {
                piles.add(&record, has_ah);
            }
            if index % CUT_FRAMES == 0 {
                for len in 0..whole.data.len() {
                    piles.add(&Kept { data: whole.data[..len].to_vec(), ..whole.clone() }, has_ah);
                }
            }
            piles.add(&whole, has_ah);
        }
    }
}

/// The record by which AWS delivers a packet, if it can: a frame by a mirror session, an IP packet through an endpoint.
fn wrapped_as_by_aws(packet: &Kept) -> Option<Kept> {
    let network = Network::new(&NetworkOptions::default());
    let session = network.session(0);
    let decoded = Packet::decode(&Decoder::default(), packet.record(1));
    let datagram = match packet.link_type {
        LinkType::ETHERNET => Datagram::mirrored(session, &decoded, &packet.data, 1),
        LinkType::RAW => Datagram::inline(session, &decoded, 1).ok()?,
        _ => return None,
    };
    let mut data = Vec::new();
    Outer::default().put_frame(&mut data, &datagram);
    Some(Kept::of(LinkType::ETHERNET, data))
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        match entry.path() {
            path if path.is_dir() => walk(&path, files),
            path if path
                .extension()
                .is_some_and(|kind| kind == "pcap" || kind == "pcapng" || kind == "cap") =>
            {
                files.push(path);
            }
            _ => {}
        }
    }
}

fn is_read_here(link_type: LinkType) -> bool {
    matches!(
        link_type,
        LinkType::ETHERNET
            | LinkType::RAW
            | LinkType::IPV4
            | LinkType::IPV6
            | LinkType::NULL
            | LinkType::LOOP
            | LinkType::LINUX_SLL
            | LinkType::LINUX_SLL2
    )
}

fn written(link_type: LinkType, packets: &[Kept]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = PcapWriter::begin(&mut out, link_type, MAX_PACKET_LEN as u32);
    for packet in packets {
        let (timestamp_ns, original_len) = (packet.timestamp_ns, packet.original_len);
        let (data, comment) = (&packet.data[..], None);
        writer.packet(&mut out, &capture::Packet { interface: 0, timestamp_ns, original_len, data, comment });
    }
    out
}

/// The packets of a capture, of a damaged one those before the damage.
fn read(mut file: &[u8]) -> Vec<Kept> {
    let mut reader = CaptureReader::new();
    let mut kept = Vec::new();
    loop {
        if file.is_empty() {
            reader.finish();
        } else {
            file = reader.push(file);
        }
        while let Ok(Some(record)) = reader.next() {
            let Record { timestamp_ns, original_len, link_type, data, .. } = record;
            kept.push(Kept { timestamp_ns, original_len, link_type, data: data.to_vec() });
        }
        if file.is_empty() {
            reader.finish();
            return kept;
        }
    }
}

/// Does `work` for all items on all cores; the order of the results is the items'.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Vec<R> + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, Vec<R>)> = thread::scope(|scope| {
        let worker = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return done };
                done.push((index, work(item)));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker fails")).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, results)| results).collect()
}
