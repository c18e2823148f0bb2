//! Our filters choose the packets that tcpdump chooses: `filter-expressions.txt` × the captures.
//!
//! Un-tunnelled: each capture that tcpdump reads is judged record by record from its first byte. Tunnelled:
//! the mirrored and the inline packets are unwrapped, written as a capture, and tcpdump judges that. Compared
//! are times and bytes of the packets chosen, not only their number.
//!
//! Every expression meets a few captures, preferably of which it chooses some packets and not others, and packets in
//! rare encapsulations ([`rare`]): whole, cut at every length, mirrored, and routed through an endpoint. With
//! `MIRRORSCOPE_FULL=1` it meets all of them (an hour or so).
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

/// Larger captures are left to the full run.
const SAMPLED_FILE_LEN: u64 = 1 << 20;
/// Captures of plain traffic that each expression meets in the sampled run.
const SAMPLED_CAPTURES: usize = 2;
/// Captures among which they are looked for.
const NEIGHBOURS: usize = 40;
/// Captures of rare encapsulations that each expression meets in the sampled run.
const SAMPLED_RARE: usize = 4;
/// One in so many rare frames is there cut at every length.
const CUT_FRAMES: usize = 23;
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

/// A file that tcpdump reads, and the same packets as we are to judge them.
struct Case {
    file: PathBuf,
    /// The packets in the file.
    packets: Vec<Kept>,
    /// The records that they were unwrapped from, if they were.
    wrapped: Option<Vec<Kept>>,
    origin: Origin,
}

/// Where a case comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Shared,
    Rare,
    /// Rare, with AH headers, of which `protochain` thinks differently.
    RareWithAh,
}

impl Case {
    fn chosen_by_us(&self, filter: &Filter) -> Vec<usize> {
        let judge = |index: &usize| match &self.wrapped {
            None => filter.matches_record(&self.packets[*index].record(1)),
            Some(records) => filter.matches(&Packet::decode(&Decoder::default(), records[*index].record(1))),
        };
        (0..self.packets.len()).filter(judge).collect()
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
    let full = env::var_os("MIRRORSCOPE_FULL").is_some();
    let scratch = env::temp_dir().join(format!("mirrorscope-filter-{}", process::id()));
    fs::create_dir_all(&scratch).expect("a folder for unwrapped captures");
    let mut cases = cases(&tcpdump, &captures, &scratch, full);
    cases.extend(rare_cases(&scratch));
    let texts: Vec<&str> =
        EXPRESSIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(texts.len() >= 300 && cases.len() >= 100, "{} filters, {} captures", texts.len(), cases.len());
    let counts = [const { AtomicUsize::new(0) }; 4];
    let [compared, packets, refused, lenient] = &counts;
    let differences: Vec<String> = in_parallel(&texts, |index, text| {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
        let mut differences = Vec::new();
        for (case, chosen) in met(&cases, &filter, text, index, full) {
            let ours: Vec<&Kept> = chosen.iter().filter_map(|index| case.packets.get(*index)).collect();
            match chosen_by_tcpdump(&tcpdump, &case.file, text, Optimiser::On) {
                Ok(theirs) if theirs.iter().eq(ours.iter().copied()) => {}
                Ok(theirs)
                    if theirs.len() > ours.len()
                        && chosen_by_tcpdump(&tcpdump, &case.file, text, Optimiser::Off)
                            .is_ok_and(|exact| exact.iter().eq(ours.iter().copied())) =>
                {
                    lenient.fetch_add(1, Ordering::Relaxed);
                }
                Ok(theirs) => differences.push(format!(
                    "`{text}` chooses {} packets of {}, tcpdump {}",
                    ours.len(),
                    case.file.display(),
                    theirs.len()
                )),
                Err(message) if REFUSED_FOR_LINK.iter().any(|part| message.contains(part)) => {
                    refused.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Err(message) => differences.push(format!("tcpdump refuses `{text}`: {message}")),
            }
            compared.fetch_add(1, Ordering::Relaxed);
            packets.fetch_add(case.packets.len(), Ordering::Relaxed);
        }
        differences
    });
    fs::remove_dir_all(&scratch).expect("the folder was ours");
    println!(
        "{} filters × {} captures ({} unwrapped): {} pairs compared ({} packets), {} refused by tcpdump for the link type, {} where its optimiser lets cut packets pass, {} differ",
        texts.len(),
        cases.len(),
        cases.iter().filter(|case| case.wrapped.is_some()).count(),
        compared.load(Ordering::Relaxed),
        packets.load(Ordering::Relaxed),
        refused.load(Ordering::Relaxed),
        lenient.load(Ordering::Relaxed),
        differences.len()
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The captures that a filter meets, with what it chooses of them: a plain one or two that it divides and one
/// that it need not divide, one that was unwrapped, and some of the rare; looked for among neighbours, from a place
/// that the filter's number gives.
fn met<'c>(
    cases: &'c [Case],
    filter: &Filter,
    text: &str,
    index: usize,
    full: bool,
) -> Vec<(&'c Case, Vec<usize>)> {
    let with_choice = |case: &'c Case| (case, case.chosen_by_us(filter));
    let is_met = |case: &&Case| case.origin != Origin::RareWithAh || !text.contains("protochain");
    if full {
        return cases.iter().filter(is_met).map(with_choice).collect();
    }
    let (rare, shared): (Vec<_>, Vec<_>) =
        cases.iter().filter(is_met).partition(|case| case.origin != Origin::Shared);
    let (tunnelled, plain): (Vec<_>, Vec<_>) = shared.into_iter().partition(|case| case.wrapped.is_some());
    let mut met: Vec<_> = rare
        .iter()
        .cycle()
        .skip(index % rare.len())
        .take(SAMPLED_RARE)
        .map(|case| with_choice(case))
        .collect();
    for (cases, wanted) in [(plain, SAMPLED_CAPTURES), (tunnelled, 1)] {
        let from = index * 37 % cases.len().max(1);
        let mut chosen: Vec<_> = cases
            .iter()
            .cycle()
            .skip(from)
            .take(NEIGHBOURS.min(cases.len()))
            .map(|case| with_choice(case))
            .collect();
        let any = chosen.pop().filter(|_| wanted > 1);
        chosen.sort_by_key(|(case, chosen)| chosen.is_empty() || chosen.len() == case.packets.len());
        chosen.truncate(wanted - usize::from(any.is_some()));
        met.extend(chosen);
        met.extend(any);
    }
    met
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

/// Every capture that tcpdump reads and whose link type we read, and what the tunnels in it carry.
fn cases(tcpdump: &Path, captures: &Path, scratch: &Path, full: bool) -> Vec<Case> {
    let mut files = Vec::new();
    walk(captures, &mut files);
    files.sort();
    files.retain(|file| full || file.metadata().is_ok_and(|file| file.len() <= SAMPLED_FILE_LEN));
    in_parallel(&files, |index, file| {
        let Ok(packets) = chosen_by_tcpdump(tcpdump, file, "", Optimiser::On) else { return Vec::new() };
        if !packets.first().is_some_and(|packet| is_read_here(packet.link_type)) {
            return Vec::new();
        }
        let mut cases = unwrapped(&packets, Origin::Shared, &scratch.join(index.to_string()));
        cases.push(Case { file: file.clone(), packets, wrapped: None, origin: Origin::Shared });
        cases
    })
}

/// Rare encapsulations as captures of each link type, whole and cut, as a mirror session copies them, and as an
/// endpoint carries them.
fn rare_cases(scratch: &Path) -> Vec<Case> {
    let kept = |link_type, frames: &[Vec<u8>]| -> Vec<Kept> {
        let kept = |(index, data): (usize, &Vec<u8>)| Kept {
            timestamp_ns: index as i64 * 1_000,
            original_len: data.len() as u32,
            link_type,
            data: data.clone(),
        };
        frames.iter().enumerate().map(kept).collect()
    };
    let cut = |frame: &Kept| {
        let frame = frame.clone();
        (0..frame.data.len()).map(move |len| Kept { data: frame.data[..len].to_vec(), ..frame.clone() })
    };
    let mut cases = Vec::new();
    for (link_type, frames) in rare::by_link_type() {
        let (with_ah, without): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| rare::has_ah(frame));
        for (frames, origin) in [(without, Origin::Rare), (with_ah, Origin::RareWithAh)] {
            let file =
                |kind: &str| scratch.join(format!("rare-{}-{}-{kind}.pcap", link_type.0, origin as u8));
            let whole = kept(link_type, &frames);
            if matches!(link_type, LinkType::ETHERNET | LinkType::RAW) {
                cases.extend(unwrapped(&wrapped_as_by_aws(&whole), origin, &file("wrapped")));
            }
            let all_cut = whole.iter().step_by(CUT_FRAMES).flat_map(cut).collect();
            for (packets, file) in [(all_cut, file("cut")), (whole, file("whole"))] {
                fs::write(&file, written(link_type, &packets)).expect("scratch can be written");
                cases.push(Case { file, packets, wrapped: None, origin });
            }
        }
    }
    cases
}

/// The records by which AWS delivers what it can of `packets`: frames by a mirror session, IP packets through an
/// endpoint.
fn wrapped_as_by_aws(packets: &[Kept]) -> Vec<Kept> {
    let network = Network::new(&NetworkOptions::default());
    let session = network.session(0);
    let wrapped = |packet: &Kept| {
        let decoded = Packet::decode(&Decoder::default(), packet.record(1));
        let datagram = match packet.link_type {
            LinkType::ETHERNET => Datagram::mirrored(session, &decoded, &packet.data, 1),
            _ => Datagram::inline(session, &decoded, 1).ok()?,
        };
        let mut data = Vec::new();
        Outer::default().put_frame(&mut data, &datagram);
        let original_len = data.len() as u32;
        Some(Kept { link_type: LinkType::ETHERNET, original_len, data, ..*packet })
    };
    packets.iter().filter_map(wrapped).collect()
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

/// A capture of the mirrored frames and one of the inline IP packets, where there are any.
fn unwrapped(records: &[Kept], origin: Origin, prefix: &Path) -> Vec<Case> {
    let mut by_link: BTreeMap<LinkType, (Vec<Kept>, Vec<Kept>)> = BTreeMap::new();
    for record in records {
        let packet = Packet::decode(&Decoder::default(), record.record(1));
        let first = packet.subject_layers().first().map(|span| span.layer);
        let link_type = match (&packet.envelope, first) {
            (Envelope::Bare, _) => continue,
            (_, Some(Layer::Ethernet)) => LinkType::ETHERNET,
            (_, Some(Layer::Ipv4 | Layer::Ipv6)) => LinkType::RAW,
            _ => continue,
        };
        let (data, original_len) = (packet.subject_bytes().to_vec(), packet.subject_len());
        let inner = Kept { timestamp_ns: record.timestamp_ns, original_len, link_type, data };
        let (packets, wrapped) = by_link.entry(link_type).or_default();
        packets.push(inner);
        wrapped.push(record.clone());
    }
    let write = |(link_type, (packets, wrapped)): (LinkType, (Vec<Kept>, Vec<Kept>))| {
        let file = prefix.with_extension(format!("{}.pcap", link_type.0));
        fs::write(&file, written(link_type, &packets)).expect("scratch can be written");
        Case { file, packets, wrapped: Some(wrapped), origin }
    };
    by_link.into_iter().map(write).collect()
}

fn written(link_type: LinkType, packets: &[Kept]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = PcapWriter::begin(&mut out, link_type, 262_144);
    for packet in packets {
        let (timestamp_ns, original_len) = (packet.timestamp_ns, packet.original_len);
        let (data, comment) = (&packet.data[..], None);
        writer.packet(&mut out, &capture::Packet { interface: 0, timestamp_ns, original_len, data, comment });
    }
    out
}

fn read(mut file: &[u8]) -> Vec<Kept> {
    let mut reader = CaptureReader::new();
    let mut kept = Vec::new();
    loop {
        if file.is_empty() {
            reader.finish();
        } else {
            file = reader.push(file);
        }
        while let Some(record) = reader.next().expect("tcpdump writes good captures") {
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
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(usize, &T) -> Vec<R> + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, Vec<R>)> = thread::scope(|scope| {
        let worker = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return done };
                done.push((index, work(index, item)));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker fails")).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, results)| results).collect()
}
