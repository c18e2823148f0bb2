//! What `read --json` says of a packet is what tshark says of it: who mirrored it, addresses, ports, lengths, times.
//!
//! Every shared capture with tunnels and the mission's two are read by both. From tshark come all occurrences of a
//! field; which of them belongs to the mirrored packet follows from `frame.protocols`. Captures that tshark reads
//! differently are listed with the reason. Skipped, visibly, where the captures or tshark are missing.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mirrorscope_tests::{fixture, mirrorscope_bin, shared_dir, skip, tool};
use serde_json::Value;

/// The fields that tshark is asked for.
const FIELDS: &[&str] = &[
    "frame.time_epoch",
    "frame.len",
    "frame.cap_len",
    "frame.protocols",
    "eth.src",
    "eth.dst",
    "vlan.id",
    "ip.src",
    "ip.dst",
    "ip.ttl",
    "ip.proto",
    "ip.len",
    "ip.id",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.hlim",
    "ipv6.nxt",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.flags",
    "tcp.window_size_value",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "vxlan.vni",
    "geneve.option.unknown.data",
];

/// Captures that are not compared, and why.
const CAPTURES: &[(&str, &str)] = &[
    ("bigtcp-", "IP total length 0: Wireshark 4.0 reads nothing behind it or takes another length"),
    ("gre-erspan-vxlan", "ERSPAN, which we do not read"),
];

/// What was said of one packet: member and value.
type Said = BTreeMap<&'static str, String>;

#[test]
fn read_json_says_what_tshark_says() {
    let Some(tshark) = tool("tshark") else { return skip("JSON against tshark (apt-get install tshark)") };
    let mut captures: Vec<_> =
        ["mirror/ping-curl-traceroute.pcap", "mirror/ssm-tcp443.pcap"].map(fixture).to_vec();
    match shared_dir() {
        Some(shared) => captures.extend(with_tunnels(&shared.join("captures/peers"))),
        None => skip("JSON against tshark for shared captures (no ../shared)"),
    }
    let mut differences = Vec::new();
    let (mut packets, mut compared) = (0, 0);
    for capture in &captures {
        let (ours, theirs) = (mirrorscope(capture), fields(&tshark, capture));
        assert_eq!(ours.len(), theirs.len(), "packets of {}", capture.display());
        for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let (said, expected) = (ours_said(ours), theirs_said(theirs, ours));
            packets += 1;
            compared += said.len();
            if said != expected {
                differences.push(difference(capture, number + 1, &said, &expected));
            }
        }
    }
    println!("{compared} members of {packets} packets in {} captures compared with tshark", captures.len());
    assert!(packets >= 90, "only {packets} packets were compared");
    assert!(differences.is_empty(), "{} packets differ:\n{}", differences.len(), differences.join("\n"));
}

fn with_tunnels(captures: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string(captures.join("TUNNELS.tsv")).expect("the table is readable");
    let names = table.lines().skip(1).filter_map(|line| line.split('\t').next());
    let compared = names.filter(|name| !CAPTURES.iter().any(|(part, _)| name.contains(part)));
    compared.map(|name| captures.join(name)).collect()
}

fn difference(capture: &Path, number: usize, ours: &Said, theirs: &Said) -> String {
    let only = |a: &Said, b: &Said| {
        a.iter()
            .filter(|(key, value)| b.get(*key) != Some(value))
            .map(|(k, v)| format!("{k}={v}"))
            .collect::<Vec<_>>()
    };
    format!(
        "{} packet {number}: ours {:?}, tshark {:?}",
        capture.display(),
        only(ours, theirs),
        only(theirs, ours)
    )
}

fn mirrorscope(capture: &Path) -> Vec<Value> {
    let output = Command::new(mirrorscope_bin()).args(["read", "--json", "-q"]).arg(capture).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{}", capture.display());
    let lines = output.stdout.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("each line is JSON")).collect()
}

/// The members that tshark can be asked for.
fn ours_said(packet: &Value) -> Said {
    let mut said = Said::new();
    let mut put = |key, value: &Value| {
        match value {
            Value::Null => None,
            Value::String(text) => said.insert(key, text.clone()),
            other => said.insert(key, other.to_string()),
        };
    };
    for (key, pointer) in [
        ("len", "/len"),
        ("captured_len", "/captured_len"),
        ("vni", "/mirror/vni"),
        ("source", "/mirror/source"),
        ("endpoint", "/gwlb/endpoint"),
        ("attachment", "/gwlb/attachment"),
        ("cookie", "/gwlb/cookie"),
        ("outer src", "/outer/src"),
        ("outer dst", "/outer/dst"),
        ("outer src port", "/outer/src_port"),
        ("outer dst port", "/outer/dst_port"),
        ("eth src", "/eth/src"),
        ("eth dst", "/eth/dst"),
        ("vlan", "/vlan/0/id"),
        ("second vlan", "/vlan/1/id"),
        ("src", "/ip/src"),
        ("dst", "/ip/dst"),
        ("ttl", "/ip/ttl"),
        ("protocol", "/ip/protocol"),
        ("ip len", "/ip/len"),
        ("ip id", "/ip/id"),
        ("udp src port", "/udp/src_port"),
        ("udp dst port", "/udp/dst_port"),
        ("tcp src port", "/tcp/src_port"),
        ("tcp dst port", "/tcp/dst_port"),
        ("seq", "/tcp/seq"),
        ("ack", "/tcp/ack"),
        ("flags", "/tcp/flags"),
        ("window", "/tcp/window"),
        ("icmp type", "/icmp/type"),
        ("icmp code", "/icmp/code"),
        ("icmpv6 type", "/icmpv6/type"),
        ("icmpv6 code", "/icmpv6/code"),
    ] {
        put(key, packet.pointer(pointer).unwrap_or(&Value::Null));
    }
    if packet["ip"]["version"] == 6 {
        said.remove("ip len");
    }
    said.insert("time", epoch(packet["time"].as_str().expect("a time")));
    said
}

/// `2022-06-30T09:27:49.266963000Z` as seconds since 1970, as tshark writes them.
fn epoch(time: &str) -> String {
    let number = |range: core::ops::Range<usize>| time[range].parse::<i64>().expect("digits");
    let (year, month) = match (number(0..4), number(5..7)) {
        (year, month @ 1..=2) => (year - 1, month + 12),
        other => other,
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + number(8..10)
        - 719_469;
    let seconds = ((days * 24 + number(11..13)) * 60 + number(14..16)) * 60 + number(17..19);
    format!("{seconds}.{}", &time[20..29])
}

/// All occurrences of each field in one packet.
type Occurrences = BTreeMap<&'static str, Vec<String>>;

fn fields(tshark: &Path, capture: &Path) -> Vec<Occurrences> {
    let mut command = Command::new(tshark);
    command.arg("-n").arg("-r").arg(capture).args([
        "-T",
        "fields",
        "-E",
        "occurrence=a",
        "-E",
        "aggregator=,",
    ]);
    for preference in ["ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE"] {
        command.args(["-o", preference]);
    }
    FIELDS.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let output = command.output().expect("tshark starts");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| {
            let columns = line.split('\t').map(|column| {
                column.split(',').filter(|value| !value.is_empty()).map(str::to_owned).collect()
            });
            FIELDS.iter().copied().zip(columns).collect()
        })
        .collect()
}

/// What tshark said, under the names of our members; `ours` tells only how the packet came.
fn theirs_said(all: &Occurrences, ours: &Value) -> Said {
    let protocols: Vec<_> =
        all["frame.protocols"].first().map(|list| list.split(':').collect()).unwrap_or_default();
    let tunnel = match ours["envelope"].as_str() {
        Some("mirrored") => protocols.iter().position(|name| *name == "vxlan"),
        Some("inline") => protocols.iter().position(|name| *name == "geneve"),
        _ => None,
    };
    let (envelope, subject) = protocols.split_at(tunnel.map_or(0, |at| at + 1));
    // What an ICMP error quotes is no layer of the packet.
    let quote = subject.iter().position(|name| matches!(*name, "icmp" | "icmpv6"));
    let subject = &subject[..quote.map_or(subject.len(), |at| at + 1)];
    let view = View { all, envelope, subject };
    let mut said = Said::new();
    for (key, field) in
        [("time", "frame.time_epoch"), ("len", "frame.len"), ("captured_len", "frame.cap_len")]
    {
        view.put(&mut said, key, field, 0);
    }
    view.tunnels(&mut said, ours);
    view.subject(&mut said);
    said
}

struct View<'a> {
    all: &'a Occurrences,
    envelope: &'a [&'a str],
    subject: &'a [&'a str],
}

impl View<'_> {
    fn value(&self, field: &str, at: usize) -> Option<&String> {
        self.all.get(field)?.get(at)
    }

    fn put(&self, said: &mut Said, key: &'static str, field: &str, at: usize) {
        if let Some(value) = self.value(field, at) {
            let number = value.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
            said.insert(key, number.map_or_else(|| value.clone(), |number| number.to_string()));
        }
    }

    /// How many headers of a protocol lie in the envelope.
    fn outside(&self, protocol: &str) -> usize {
        self.envelope.iter().filter(|name| **name == protocol).count()
    }

    fn ip(
        &self,
        said: &mut Said,
        among: &[&str],
        skip: [usize; 2],
        keys: [&'static str; 2],
    ) -> Option<&'static str> {
        let family = among.iter().find(|name| matches!(**name, "ip" | "ipv6"))?;
        let (family, at) = if *family == "ip" { ("ip", skip[0]) } else { ("ipv6", skip[1]) };
        self.put(said, keys[0], &format!("{family}.src"), at);
        self.put(said, keys[1], &format!("{family}.dst"), at);
        Some(family)
    }

    fn tunnels(&self, said: &mut Said, ours: &Value) {
        if self.envelope.is_empty() {
            return;
        }
        self.ip(said, self.envelope, [0, 0], ["outer src", "outer dst"]);
        self.put(said, "outer src port", "udp.srcport", 0);
        self.put(said, "outer dst port", "udp.dstport", 0);
        if ours["envelope"] == "mirrored" {
            self.put(said, "vni", "vxlan.vni", 0);
            let last =
                self.envelope.iter().rposition(|name| matches!(*name, "ip" | "ipv6")).unwrap_or_default();
            let skip = ["ip", "ipv6"].map(|name| self.outside(name).saturating_sub(1));
            self.ip(said, &self.envelope[last..], skip, ["source", "vni source dst"]);
            said.remove("vni source dst");
        }
        if let Some([endpoint, attachment, cookie, ..]) = self.options() {
            said.insert("endpoint", format!("vpce-0{endpoint}"));
            said.insert("attachment", format!("0x{attachment}"));
            said.insert("cookie", u32::from_str_radix(&cookie, 16).expect("hexadecimal").to_string());
        }
    }

    /// The data of the three options of AWS, in hexadecimal.
    fn options(&self) -> Option<[String; 3]> {
        let data = self.all.get("geneve.option.unknown.data")?;
        let [endpoint, attachment, cookie] = data.first_chunk()?.clone().map(|data| data.replace(':', ""));
        ((endpoint.len(), attachment.len(), cookie.len()) == (16, 16, 8))
            .then_some([endpoint, attachment, cookie])
    }

    fn subject(&self, said: &mut Said) {
        let has = |name: &str| self.subject.contains(&name);
        if has("eth") {
            self.put(said, "eth src", "eth.src", self.outside("eth"));
            self.put(said, "eth dst", "eth.dst", self.outside("eth"));
        }
        let tags = self.subject.iter().filter(|name| **name == "vlan").count();
        for (index, key) in ["vlan", "second vlan"].into_iter().enumerate().take(tags) {
            self.put(said, key, "vlan.id", self.outside("vlan") + index);
        }
        let skip = ["ip", "ipv6"].map(|name| self.outside(name));
        match self.ip(said, self.subject, skip, ["src", "dst"]) {
            Some("ip") => {
                for (key, field) in
                    [("ttl", "ip.ttl"), ("protocol", "ip.proto"), ("ip len", "ip.len"), ("ip id", "ip.id")]
                {
                    self.put(said, key, field, skip[0]);
                }
            }
            Some(_) => {
                self.put(said, "ttl", "ipv6.hlim", skip[1]);
                self.put(said, "protocol", "ipv6.nxt", skip[1]);
            }
            None => {}
        }
        self.transport(said);
    }

    fn transport(&self, said: &mut Said) {
        let has = |name: &str| self.subject.contains(&name);
        if has("udp") {
            self.put(said, "udp src port", "udp.srcport", self.outside("udp"));
            self.put(said, "udp dst port", "udp.dstport", self.outside("udp"));
        }
        if has("tcp") {
            for (key, field) in [
                ("tcp src port", "tcp.srcport"),
                ("tcp dst port", "tcp.dstport"),
                ("seq", "tcp.seq_raw"),
                ("ack", "tcp.ack_raw"),
                ("window", "tcp.window_size_value"),
            ] {
                self.put(said, key, field, 0);
            }
            if let Some(flags) = self.value("tcp.flags", 0) {
                said.insert("flags", letters(flags));
            }
        }
        for (kind, code, protocol) in
            [("icmp type", "icmp code", "icmp"), ("icmpv6 type", "icmpv6 code", "icmpv6")]
        {
            if has(protocol) {
                self.put(said, kind, &format!("{protocol}.type"), 0);
                self.put(said, code, &format!("{protocol}.code"), 0);
            }
        }
    }
}

/// `0x0012` as `S.`, as tcpdump writes it.
fn letters(flags: &str) -> String {
    let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).expect("hexadecimal");
    let letters: String =
        "FSRP.UEW".chars().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, c)| c).collect();
    if letters.is_empty() { "none".to_owned() } else { letters }
}
