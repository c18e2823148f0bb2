//! The words that tcpdump has for DNS numbers, its slips included.

use crate::sinks::line::Line;

/// The kind of query with a space before it; nothing for the usual one.
pub(super) fn opcode(value: u8) -> &'static str {
    const NAMES: [&str; 16] = [
        "",
        " inv_q",
        " stat",
        " op3",
        " notify",
        " update",
        " op6",
        " op7",
        " op8",
        " updateA",
        " updateD",
        " updateDA",
        " updateM",
        " updateMA",
        " zoneInit",
        " zoneRef",
    ];
    NAMES.get(usize::from(value)).copied().unwrap_or_default()
}

/// The response code, usually with a space before it; nothing for "no error".
pub(super) fn response_code(line: &mut Line, value: u16) {
    const NAMES: [&str; 24] = [
        "",
        " FormErr",
        " ServFail",
        " NXDomain",
        " NotImp",
        " Refused",
        " YXDomain",
        " YXRRSet",
        " NXRRSet",
        " NotAuth",
        " NotZone",
        " Resp11",
        " Resp12",
        " Resp13",
        " Resp14",
        " NoChange",
        " BadVers",
        "Resp17",
        " Resp18",
        " Resp19",
        " Resp20",
        "Resp21",
        " Resp22",
        " BadCookie",
    ];
    match NAMES.get(usize::from(value)) {
        Some(name) => line.str(name),
        None => line.str(" Resp").uint(value),
    };
}

/// A class other than IN.
pub(super) fn class(line: &mut Line, value: u16) {
    match value {
        1 => line.str("IN"),
        3 => line.str("CHAOS"),
        4 => line.str("HS"),
        255 => line.str("ANY"),
        _ => line.str("(Class ").uint(value).str(")"),
    };
}

/// A record type.
pub(super) fn record_type(line: &mut Line, value: u16) {
    match record_type_name(value) {
        Some(name) => line.str(name),
        None => line.str("Type").uint(value),
    };
}

fn record_type_name(value: u16) -> Option<&'static str> {
    const FROM_1: [&str; 48] = [
        "A", "NS", "MD", "MF", "CNAME", "SOA", "MB", "MG", "MR", "NULL", "WKS", "PTR", "HINFO", "MINFO",
        "MX", "TXT", "RP", "AFSDB", "X25", "ISDN", "RT", "NSAP", "NSAP_PTR", "SIG", "KEY", "PX", "GPOS",
        "AAAA", "LOC", "NXT", "EID", "NIMLOC", "SRV", "ATMA", "NAPTR", "KX", "CERT", "A6", "DNAME", "SINK",
        "OPT", "APL", "DS", "SSHFP", "IPSECKEY", "RRSIG", "NSEC", "DNSKEY",
    ];
    const FROM_99: [&str; 6] = ["SPF", "UINFO", "UID", "GID", "UNSPEC", "UNSPECA"];
    const FROM_249: [&str; 8] = ["TKEY", "TSIG", "IXFR", "AXFR", "MAILB", "MAILA", "ANY", "URI"];
    [(1, &FROM_1[..]), (99, &FROM_99), (249, &FROM_249)]
        .into_iter()
        .find_map(|(first, names)| names.get(usize::from(value.checked_sub(first)?)).copied())
}

/// An EDNS option.
pub(super) fn option(line: &mut Line, value: u16) {
    const NAMES: [&str; 18] = [
        "",
        "LLQ",
        "UL",
        "NSID",
        "",
        "DAU",
        "DHU",
        "N3U",
        "ECS",
        "EXPIRE",
        "COOKIE",
        "KEEPALIVE",
        "PADDING",
        "CHAIN",
        "KEY-TAG",
        "",
        "CLIENT-TAG",
        "SERVER-TAG",
    ];
    match NAMES.get(usize::from(value)).filter(|name| !name.is_empty()) {
        Some(name) => line.str(name),
        None => line.str("Opt").uint(value),
    };
}

/// A DNSSEC signing algorithm.
pub(super) fn signing_algorithm(value: u8) -> Option<&'static str> {
    Some(match value {
        0 => "DELETE",
        1 => "RSAMD5",
        2 => "DH",
        3 => "DS",
        5 => "RSASHA1",
        6 => "DSA-NSEC3-SHA1",
        7 => "RSASHA1-NSEC3-SHA1",
        8 => "RSASHA256",
        10 => "RSASHA512",
        12 => "ECC-GOST",
        13 => "ECDSAP256SHA256",
        14 => "ECDSAP384SHA384",
        15 => "ED25519",
        16 => "ED448",
        252 => "INDIRECT",
        253 => "PRIVATEDNS",
        254 => "PRIVATEOID",
        _ => return None,
    })
}

/// A hash of delegation signer records.
pub(super) fn delegation_hash(value: u8) -> Option<&'static str> {
    Some(match value {
        1 => "SHA-1",
        2 => "SHA-256",
        3 => "GOST_R_34.11-94",
        4 => "SHA-384",
        _ => return None,
    })
}

/// A hash of NSEC3 records.
pub(super) fn denial_hash(value: u8) -> Option<&'static str> {
    (value == 1).then_some("SHA-1")
}
