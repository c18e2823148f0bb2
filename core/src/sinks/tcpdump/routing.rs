//! Routing protocols of which tcpdump shows a line of fields: OSPF, PIM, EIGRP, VRRP and BGP.

use super::{Ctx, icmp6::u16_at, udp_services::cut};
use crate::sinks::line::Line;

/// Prints version and kind of an OSPF message, version 2 (RFC 2328) over IPv4, 3 (RFC 5340) over IPv6.
pub(super) fn ospf(line: &mut Line, bytes: &[u8], wire_len: u32, ctx: &Ctx<'_>) {
    const NAMES: [&str; 5] = ["Hello", "Database Description", "LS-Request", "LS-Update", "LS-Ack"];
    const DIGEST_LEN: u32 = 16;
    const WITH_DIGEST: u16 = 2;
    let over_ipv6 = ctx.src.is_ipv6();
    let protocol = if over_ipv6 { "ospf3" } else { "ospf2" };
    let digest_len = match u16_at(bytes, 14) {
        _ if over_ipv6 => 0,
        None => return cut(line, protocol),
        Some(WITH_DIGEST) => DIGEST_LEN,
        Some(_) => 0,
    };
    let [Some(version), Some(kind)] = [bytes.first(), bytes.get(1)] else { return cut(line, protocol) };
    line.str("OSPFv").uint(*version).str(", ");
    match kind.checked_sub(1).and_then(|index| NAMES.get(usize::from(index))) {
        Some(name) => line.str(name),
        None if over_ipv6 => line.str("unknown packet type (").uint(*kind).str(")"),
        None => line.str("unknown LS-type ").uint(*kind),
    };
    // tcpdump's length wraps where the digest is longer than the message.
    line.str(", length ").uint(wire_len.wrapping_sub(digest_len));
}

/// Prints version and kind of a PIM message (RFC 7761).
pub(super) fn pim(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    const NAMES: [&str; 12] = [
        "Hello",
        "Register",
        "Register Stop",
        "Join / Prune",
        "Bootstrap",
        "Assert",
        "Graft",
        "Graft Acknowledgement",
        "Candidate RP Advertisement",
        "Prune Refresh",
        "DF Election",
        "ECMP Redirect",
    ];
    let Some(first) = bytes.first() else { return cut(line, "pim") };
    line.str("PIMv").uint(first >> 4);
    if first >> 4 == 2 {
        line.str(", ").str(NAMES.get(usize::from(first & 0xf)).copied().unwrap_or("Unknown Type"));
    }
    line.str(", length ").uint(wire_len);
}

/// Prints that a segment carries BGP (RFC 4271).
pub(super) fn bgp(line: &mut Line, _bytes: &[u8], _wire_len: u32, _ctx: &Ctx<'_>) {
    line.str(": BGP");
}

/// Prints the kind of an EIGRP message (RFC 7868).
pub(super) fn eigrp(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    const HEADER_LEN: usize = 20;
    const VERSION: u8 = 2;
    let Some([version, kind, ..]) = bytes.first_chunk::<HEADER_LEN>() else { return cut(line, "eigrp") };
    line.str("EIGRP ");
    if *version != VERSION {
        line.str("version ").uint(*version).str(" packet not supported");
        return;
    }
    match kind {
        1 => line.str("Update"),
        3 => line.str("Query"),
        4 => line.str("Reply"),
        5 => line.str("Hello"),
        6 => line.str("IPX SAP"),
        7 => line.str("Probe"),
        other => line.str("unknown (").uint(*other).str(")"),
    };
    line.str(", length: ").uint(wire_len);
}

/// Prints an advertisement of VRRP, version 2 or 3 (RFC 3768, 5798).
pub(super) fn vrrp(line: &mut Line, bytes: &[u8], wire_len: u32, ctx: &Ctx<'_>) {
    if vrrp_fields(line, bytes, wire_len, ctx).is_none() {
        cut(line, "vrrp");
    }
}

fn vrrp_fields(line: &mut Line, bytes: &[u8], wire_len: u32, ctx: &Ctx<'_>) -> Option<()> {
    const ADVERTISEMENT: u8 = 1;
    const TIME_TO_LIVE: u8 = 255;
    line.str("VRRP");
    let first = *bytes.first()?;
    let (version, kind) = (first >> 4, first & 0xf);
    line.byte(b'v').uint(version);
    match kind {
        ADVERTISEMENT => line.str(", Advertisement"),
        other => line.str(", unknown type (").uint(other).str(")"),
    };
    let time_to_live = *ctx.ip.get(if ctx.src.is_ipv6() { 7 } else { 8 })?;
    if time_to_live != TIME_TO_LIVE {
        line.str(", (ttl ").uint(time_to_live).str(")");
    }
    if !matches!((version, kind), (2 | 3, ADVERTISEMENT)) {
        return Some(());
    }
    let [router, priority] = [*bytes.get(1)?, *bytes.get(2)?];
    line.str(", vrid ").uint(router).str(", prio ").uint(priority);
    if version == 2 {
        match *bytes.get(4)? {
            0 => line.str(", authtype none"),
            1 => line.str(", authtype simple"),
            2 => line.str(", authtype ah"),
            other => line.str(", authtype #").uint(other),
        };
        let seconds = *bytes.get(5)?;
        line.str(", intvl ").uint(seconds).byte(b's');
    } else {
        let hundredths = u16_at(bytes, 4)? & 0x0fff;
        line.str(", intvl ").uint(hundredths).str("cs");
    }
    line.str(", length ").uint(wire_len);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::tcpdump::sample;

    fn printed(print: fn(&mut Line, &[u8], u32, &Ctx<'_>), bytes: &[u8]) -> String {
        let ctx = Ctx { ip: b"\x45\0\0\x1c\0\0\0\0\xff", ..sample::ctx() };
        sample::printed(|line| print(line, bytes, bytes.len() as u32, &ctx))
    }

    #[test]
    fn protocols_are_shown_as_one_line_of_fields() {
        assert_eq!(printed(pim, b"\x20\0\0\0"), "PIMv2, Hello, length 4");
        let hello = [b"\x02\x01", &[0; 22][..]].concat();
        assert_eq!(printed(ospf, &hello), "OSPFv2, Hello, length 24");
        let hello = [b"\x02\x05", &[0; 18][..]].concat();
        assert_eq!(printed(eigrp, &hello), "EIGRP Hello, length: 20");
        let shown = "VRRPv2, Advertisement, vrid 1, prio 100, authtype none, intvl 1s, length 8";
        assert_eq!(printed(vrrp, b"\x21\x01\x64\x01\0\x01\0\0"), shown);
    }

    #[test]
    fn any_octets_are_printed_without_a_panic() {
        for (len, bytes) in sample::noise(40) {
            for print in [bgp, ospf, pim, eigrp, vrrp] {
                sample::printed(|line| print(line, &bytes, len, &sample::ctx()));
            }
        }
    }
}
