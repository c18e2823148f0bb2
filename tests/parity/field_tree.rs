//! The field tree names what Wireshark names, gives it the same value, and finds it in the same octets.
//!
//! The first packets of every shared capture (more of those with tunnels) are written to one file, which tshark
//! turns into PDML: every field with its name, value, position and length. Both directions are compared: what we
//! show must be there, and what Wireshark shows of a layer that we read must be shown by us. Differences that are
//! meant are listed below, each with its reason. Skipped, visibly, where the captures or tshark are missing.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
};

use mirrorscope_core::{
    Decoder, LinkType, Record,
    capture::{CaptureReader, InterfaceHeader, Packet, PcapngWriter, SectionHeader},
    field::{self, Field, Value},
    stack::MAX_LAYERS,
};
use mirrorscope_tests::{fixture, shared_dir, skip, tool};

/// Packets taken from each capture.
const PACKETS: usize = 6;
/// Packets taken from each capture with tunnels.
const PACKETS_WITH_TUNNELS: usize = 60;

/// Protocols whose fields are compared, by Wireshark's names.
const PROTOCOLS: &[&str] = &[
    "eth",
    "vlan",
    "ieee8021ad",
    "arp",
    "ip",
    "ipv6",
    "udp",
    "tcp",
    "icmp",
    "icmpv6",
    "igmp",
    "gre",
    "geneve",
    "vxlan",
    "sll",
    "null",
    "llc",
    "ah",
    "mip6",
];

/// Keys of ours that Wireshark has not, and why.
const OURS: &[(&str, &str)] = &[
    ("geneve.aws.", "Wireshark does not know the options of AWS and shows their octets"),
    ("geneve.option.unknown.data", "Wireshark has names of its own for options that it knows"),
    ("ipv6.ext.", "a group of ours, and the headers (HIP, Shim6) that have other names in each version"),
    ("ip.options", "a group of ours"),
    ("ip.opt.data", "we do not take the data of IPv4 options apart"),
    ("arp.addresses", "hardware or protocol addresses of unusual lengths, in one piece"),
    ("icmp.rest", "types whose rest of header has no structure of ours"),
    ("icmpv6.rest", "types whose rest of header has no structure of ours"),
    ("tcp.option", "options that Wireshark calls by many names"),
    ("tcp.options.data", "options whose data we do not take apart"),
    ("tcp.options.experimental", "Wireshark calls some of them by what they experiment with"),
    ("tcp.options.malformed", "Wireshark makes an expert note of it"),
    ("geneve.options.malformed", "Wireshark makes an expert note of it"),
];

/// Fields that Wireshark shows and we do not, and why. A name that ends in `.` stands for all that begin so.
const THEIRS: &[(&str, &str)] = &[
    ("eth.addr", "source and destination once more"),
    ("eth.dst.", "bits of an address"),
    ("eth.src.", "bits of an address"),
    ("eth.padding", "no header"),
    ("data.data", "no header"),
    ("ieee8021ad.", "we call every tag vlan"),
    ("ieee8021ah.", "we call every tag vlan"),
    ("arp.src.", "unusual address lengths: ours in one piece"),
    ("arp.dst.", "unusual address lengths: ours in one piece"),
    ("ip.opt.", "the data of IPv4 options: ours in one piece"),
    ("ip.options.", "the data of IPv4 options: ours in one piece"),
    ("ip.cipso.", "the data of IPv4 options: ours in one piece"),
    ("ip.rec_rt", "the data of IPv4 options: ours in one piece"),
    ("ip.cur_rt", "the data of IPv4 options: ours in one piece"),
    ("ip.empty_rt", "the data of IPv4 options: ours in one piece"),
    ("ipv6.dst_slaac_mac", "made from an address"),
    ("ipv6.src_slaac_mac", "made from an address"),
    ("ipv6.dst_6to4_gw_ipv4", "made from an address"),
    ("ipv6.src_6to4_gw_ipv4", "made from an address"),
    ("ipv6.dst_6to4_sla_id", "made from an address"),
    ("ipv6.src_6to4_sla_id", "made from an address"),
    ("udp.checksum.status", "a judgement"),
    ("udp.payload", "no header"),
    ("tcp.seq", "may be relative; ours is tcp.seq_raw"),
    ("tcp.ack", "may be relative; ours is tcp.ack_raw"),
    ("tcp.flags.str", "the flags once more"),
    ("tcp.flags.ace", "three flags read together"),
    ("tcp.window_size", "scaled by what other packets said"),
    ("tcp.window_size_scalefactor", "what other packets said"),
    ("tcp.options.wscale.multiplier", "the shift count once more"),
    ("tcp.options.acc_ecn.", "options whose data we do not take apart"),
    ("tcp.options.experimental.", "options whose data we do not take apart"),
    ("tcp.options.mptcp.", "options whose data we do not take apart"),
    ("tcp.options.tfo.request", "has no octets of its own"),
    ("icmp.ident_le", "the other byte order"),
    ("icmp.seq_le", "the other byte order"),
    ("icmp.ext.", "bits of extended echo (RFC 8335)"),
    ("icmpv6.ext.", "bits of extended echo (RFC 8335)"),
    ("icmpv6.nd.ra.flag.", "bits of a field that we show whole"),
    ("icmpv6.nd.na.flag", "ours are its three bits"),
    ("icmpv6.nd.na.flag.rsv", "ours are its three bits"),
    ("icmpv6.mld.maximum_response_code", "the same octets in version 2"),
    ("icmpv6.mip6.", "mobility, node information and RPL: ours in one piece"),
    ("icmpv6.reserved", "parts of what is in one piece with us"),
    ("geneve.option.unknown.data", "ours is typed where AWS defined it"),
    ("tcp.options.tfo.cookie", "under the experimental number: ours in one piece"),
    ("icmpv6.ni.", "mobility, node information and RPL: ours in one piece"),
    ("icmpv6.rpl.", "mobility, node information and RPL: ours in one piece"),
    ("ah.reserved", "reserved"),
    ("igmp.max_resp.", "parts of a field that we show whole"),
    ("llc.cisco_pid", "ours is llc.pid for every organization"),
    ("llc.control.", "bits of a field that we show whole"),
    ("llc.dsap.", "bits of a field that we show whole"),
    ("llc.ssap.", "bits of a field that we show whole"),
    ("sll.unused", "behind an address of fewer than eight octets"),
    ("sll.gretype", "ours is sll.etype whatever the hardware"),
    ("vxlan.flag_a", "bits of the group policy draft; RFC 7348 reserves them"),
    ("vxlan.flag_d", "bits of the group policy draft; RFC 7348 reserves them"),
    ("vxlan.flag_g", "bits of the group policy draft; RFC 7348 reserves them"),
    ("vxlan.flags_reserved", "bits of the group policy draft; RFC 7348 reserves them"),
];

/// Keys whose value, place or length differ, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("ip.frag_offset", "ours in octets, as people count; Wireshark 4.0 counts in units of eight"),
    ("ipv6.fraghdr.offset", "ours in octets, as people count; Wireshark 4.0 counts in units of eight"),
    ("tcp.flags.res", "three bits, of which Wireshark shows only whether one is set"),
    ("ipv6.hopopts.", "Wireshark gives them other names where the options do not belong there"),
    ("llc.pid", "Wireshark has a name for each organization"),
    ("icmpv6.mld.maximum_response_delay", "Wireshark calls it maximum_response_code in version 2"),
    ("sll.etype", "Wireshark has another name for each kind of hardware"),
];

/// Captures whose packets are read differently, and why.
const CAPTURES: &[(&str, &str)] = &[
    ("bigtcp-", "IP total length 0: Wireshark 4.0 reads nothing behind it or takes another length"),
    ("LINKTYPE_IPV4_invalid", "IPv6 under the link type of IPv4"),
    ("IPv4-TSO", "IP total length 0: Wireshark shows the length that it guesses"),
    ("wrong-version", "IP packets of the wrong version: we show what we refuse, Wireshark does not"),
    ("bad-ipv4-version", "IP packets of the wrong version: we show what we refuse, Wireshark does not"),
    ("ipv6-bad", "IP packets of the wrong version: we show what we refuse, Wireshark does not"),
    ("oobr", "damaged on purpose: where Wireshark stops within a header and we do not, or the reverse"),
    ("asan", "damaged on purpose: where Wireshark stops within a header and we do not, or the reverse"),
    (
        "heapoverflow",
        "damaged on purpose: where Wireshark stops within a header and we do not, or the reverse",
    ),
    ("relts-0x", "damaged on purpose: where Wireshark stops within a header and we do not, or the reverse"),
    (
        "corner-cases",
        "damaged on purpose: where Wireshark stops within a header and we do not, or the reverse",
    ),
    ("accecn_handshake", "tcp.flags.ace instead of its three flags where accurate ECN was agreed"),
    ("decode-dce", "Cisco FabricPath, which we do not read"),
    ("fabric-path", "Cisco FabricPath, which we do not read"),
    ("frag-eth-vlan-ip-tcp-syn", "a TCP header in a fragment that is cut within the sequence number"),
    ("ipv6-mobility-dst-opts", "Wireshark reads no packet behind a mobility header"),
    ("llc.pcap", "802.3 frames that hold IPX without LLC"),
    ("ipv4-options", "a source route: Wireshark takes its last address for the destination"),
    ("NullLoopback", "address families that only Wireshark takes for EtherTypes"),
    ("QinQ_802.1_AD", "service tags: ours are called vlan"),
    ("802.1ad_QinQ", "service tags: ours are called vlan"),
    ("pb_nhrp_1", "damaged on purpose: where Wireshark stops within a header and we do not, or the reverse"),
    ("bad_tcp", "an EtherType of 0, which we take for the length 0 of an 802.3 frame"),
    ("mrinfo_query", "DVMRP, which shares IGMP's protocol number"),
    ("ipv4_invalid_hdr_length", "a header longer than the packet, of which Wireshark shows nothing"),
    ("kday1", "IP packets of the wrong version: we show what we refuse, Wireshark does not"),
    ("dot1ad", "service tags: ours are called vlan"),
    ("igmpv3-queries", "response times with an exponent: ours as they are on the wire"),
    ("ipv6_zero_len_ah", "an authentication header without a check value: see layers/ah.rs"),
    ("null_loopback", "address families that only Wireshark takes for EtherTypes"),
];

/// One field as tshark found it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Theirs {
    name: String,
    offset: u32,
    len: u32,
    show: String,
    value: String,
    /// Whether it belongs to one of the packet's own layers, and is not quoted inside another.
    is_direct: bool,
}

#[derive(Default)]
struct Differences(BTreeMap<(&'static str, String), (usize, String)>);

impl Differences {
    fn add(&mut self, kind: &'static str, key: &str, example: impl FnOnce() -> String) {
        let entry = self.0.entry((kind, key.to_owned())).or_insert_with(|| (0, example()));
        entry.0 += 1;
    }
}

#[test]
fn every_field_has_wiresharks_name_value_and_octets() {
    let Some(shared) = shared_dir() else { return skip("fields against tshark (no ../shared)") };
    let Some(tshark) = tool("tshark") else {
        return skip("fields against tshark (apt-get install tshark)");
    };
    let sample = Sample::collect(&shared.join("captures/peers"));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("field-tree.pcapng");
    fs::write(&path, &sample.pcapng).expect("the target directory is writable");
    let theirs = pdml(&tshark, &path);
    assert_eq!(theirs.len(), sample.records.len(), "tshark read as many packets as were written");
    let mut differences = Differences::default();
    let mut compared = 0;
    for (record, theirs) in sample.records.iter().zip(&theirs) {
        compared += compare(record, theirs, &mut differences);
    }
    println!("{compared} fields of {} packets compared with tshark", sample.records.len());
    assert!(compared > 50_000, "only {compared} fields were compared");
    let list: Vec<_> = differences
        .0
        .iter()
        .map(|((kind, key), (count, example))| format!("{kind} {key} ({count} times), for example {example}"))
        .collect();
    assert!(list.is_empty(), "{} kinds of difference:\n{}", list.len(), list.join("\n"));
}

/// Records from many captures, and the one capture that holds them all.
struct Sample {
    records: Vec<Owned>,
    pcapng: Vec<u8>,
}

struct Owned {
    source: String,
    number: u64,
    link_type: LinkType,
    original_len: u32,
    data: Vec<u8>,
}

impl Sample {
    fn collect(captures: &Path) -> Self {
        let with_tunnels: BTreeSet<_> = first_column(captures, "TUNNELS.tsv", 0).into_iter().collect();
        let mut files: Vec<(String, PathBuf, usize)> = Vec::new();
        for name in ["mirror/ping-curl-traceroute.pcap", "mirror/ssm-tcp443.pcap"] {
            files.push((name.to_owned(), fixture(name), PACKETS_WITH_TUNNELS));
        }
        for name in first_column(captures, "MANIFEST.tsv", 1) {
            let packets = if with_tunnels.contains(&name) { PACKETS_WITH_TUNNELS } else { PACKETS };
            files.push((name.clone(), captures.join(&name), packets));
        }
        let mut pcapng = Vec::new();
        let mut writer = PcapngWriter::begin(&mut pcapng, &SectionHeader::default());
        let mut interfaces = HashMap::new();
        let mut records = Vec::new();
        files.retain(|(name, ..)| !CAPTURES.iter().any(|(part, _)| name.contains(part)));
        for (name, path, packets) in files {
            for record in read(&name, &path, packets) {
                let link_type = record.link_type;
                let interface = *interfaces.entry(link_type).or_insert_with(|| {
                    let header = InterfaceHeader { link_type, snap_len: 0, name: None, description: None };
                    writer.interface(&mut pcapng, &header)
                });
                let original_len = record.original_len;
                let packet =
                    Packet { interface, timestamp_ns: 0, original_len, data: &record.data, comment: None };
                writer.packet(&mut pcapng, &packet);
                records.push(record);
            }
        }
        Self { records, pcapng }
    }
}

fn first_column(captures: &Path, table: &str, column: usize) -> Vec<String> {
    let text = fs::read_to_string(captures.join(table)).expect("the table is readable");
    text.lines().skip(1).filter_map(|line| line.split('\t').nth(column)).map(str::to_owned).collect()
}

/// The first packets of a capture that begin with a layer that we read.
fn read(name: &str, path: &Path, packets: usize) -> Vec<Owned> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = CaptureReader::new();
    let mut rest = &bytes[..];
    let mut records = Vec::new();
    loop {
        rest = reader.push(rest);
        while let Ok(Some(record)) = reader.next() {
            if is_compared(&record) {
                records.push(Owned {
                    source: name.to_owned(),
                    number: record.number,
                    link_type: record.link_type,
                    original_len: record.original_len,
                    data: record.data.to_vec(),
                });
            }
            if records.len() == packets {
                return records;
            }
        }
        if rest.is_empty() {
            return records;
        }
    }
}

/// tshark reads neither a packet deeper than 32 layers whole, nor link types that only we know by these numbers.
fn is_compared(record: &Record<'_>) -> bool {
    let stack = Decoder::default().decode(record);
    !stack.layers().is_empty() && stack.layers().len() < MAX_LAYERS
}

fn compare(owned: &Owned, theirs: &[Theirs], differences: &mut Differences) -> usize {
    let record = Record {
        number: 1,
        timestamp_ns: 0,
        interface: 0,
        link_type: owned.link_type,
        original_len: owned.original_len,
        offset: 0,
        data: &owned.data,
    };
    let stack = Decoder::default().decode(&record);
    let mut ours = Vec::new();
    for node in field::tree(&stack) {
        flatten(&node.fields, &mut ours);
    }
    let place = |what: String| format!("{} packet {}: {what}", owned.source, owned.number);
    for field in ours.iter().filter(|field| !is_listed(OURS, field.key) && !is_listed(DIFFERENT, field.key)) {
        let same_name: Vec<_> = theirs.iter().filter(|theirs| theirs.name == field.key).collect();
        let found = same_name.iter().any(|theirs| agrees(field, theirs));
        if !found {
            let kind = if same_name.is_empty() { "only ours:" } else { "different:" };
            differences.add(kind, field.key, || {
                place(format!("{} @{}+{}, tshark {same_name:?}", field.value, field.offset, field.len))
            });
        }
    }
    let end = stack.layers().last().map_or(0, |span| span.payload);
    for theirs in theirs.iter().filter(|theirs| theirs.is_direct && theirs.offset + theirs.len <= end) {
        let is_ours = ours.iter().any(|field| field.key == theirs.name);
        if !is_ours && !is_listed(THEIRS, &theirs.name) {
            differences.add("only tshark:", &theirs.name, || place(format!("{theirs:?}")));
        }
    }
    ours.len()
}

fn is_listed(list: &[(&str, &str)], key: &str) -> bool {
    list.iter().any(|(listed, _)| *listed == key || listed.ends_with('.') && key.starts_with(listed))
}

fn flatten(fields: &[Field], all: &mut Vec<Field>) {
    for field in fields {
        all.push(Field { children: Vec::new(), ..field.clone() });
        flatten(&field.children, all);
    }
}

fn agrees(ours: &Field, theirs: &Theirs) -> bool {
    let value_agrees = match &ours.value {
        Value::Uint(value) | Value::Hex(value, _) => number(&theirs.show) == Some(*value),
        Value::Flag(value) => number(&theirs.show) == Some(u64::from(*value)),
        Value::Ipv4(address) => theirs.show.parse() == Ok(IpAddr::from(*address)),
        Value::Ipv6(address) => theirs.show.parse() == Ok(IpAddr::from(*address)),
        Value::Mac(_) => theirs.show == ours.value.to_string(),
        Value::Bytes(_) => theirs.value == ours.value.to_string(),
        Value::Text(_) | Value::Group => true,
    };
    value_agrees && (ours.offset, ours.len) == (theirs.offset, theirs.len)
}

fn number(show: &str) -> Option<u64> {
    match show.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => show
            .parse()
            .ok()
            .or_else(|| ["False", "True"].iter().position(|name| *name == show).map(|at| at as u64)),
    }
}

/// The fields of every packet, as tshark writes them in PDML: one element a line.
fn pdml(tshark: &Path, capture: &Path) -> Vec<Vec<Theirs>> {
    let mut command = Command::new(tshark);
    command.arg("-n").arg("-r").arg(capture).args(["-T", "pdml", "-J", &PROTOCOLS.join(" ")]);
    for preference in [
        "ip.defragment:FALSE",
        "ipv6.defragment:FALSE",
        "tcp.desegment_tcp_streams:FALSE",
        "tcp.relative_sequence_numbers:FALSE",
    ] {
        command.args(["-o", preference]);
    }
    let output = command.output().expect("tshark starts");
    let mut packets = Vec::new();
    let (mut protos, mut is_direct) = (0, false);
    for line in String::from_utf8_lossy(&output.stdout).lines().map(str::trim_start) {
        if line.starts_with("<packet>") {
            packets.push(Vec::new());
            protos = 0;
        } else if line.starts_with("<proto ") {
            protos += 1;
            is_direct = protos == 1 && PROTOCOLS.contains(&attribute(line, "name"));
            protos -= usize::from(line.ends_with("/>"));
        } else if line.starts_with("</proto>") {
            protos -= 1;
        } else if line.starts_with("<field ")
            && let Some(packet) = packets.last_mut()
        {
            packet.push(field_of(line, is_direct && protos == 1));
        }
    }
    packets
}

fn field_of(line: &str, is_direct: bool) -> Theirs {
    let number = |name| attribute(line, name).parse().unwrap_or_default();
    let len = number("size");
    Theirs {
        name: attribute(line, "name").to_owned(),
        offset: number("pos"),
        len,
        show: attribute(line, "show").to_owned(),
        value: attribute(line, "value").to_owned(),
        is_direct: is_direct
            && len > 0
            && attribute(line, "hide") != "yes"
            && !attribute(line, "name").is_empty(),
    }
}

fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
    let Some((_, rest)) = line.split_once(&format!(" {name}=\"")) else { return "" };
    rest.split('"').next().unwrap_or_default()
}
