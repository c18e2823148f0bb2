//! IGMP as tcpdump prints it: `igmp v2 report 239.255.255.250`.

use super::{
    Ctx, chars,
    icmp6::{ipv4_at, u16_at, u32_at},
};
use crate::sinks::line::Line;

const HEADER_LEN: u32 = 8;
const QUERY_3_LEN: u32 = 12;
const REPORT_3_LEN: u32 = 16;
/// Tenths of a second; queries with it do not mention it.
const USUAL_RESPONSE_TIME: u8 = 100;

/// Prints one message. What is cut ends with `[|igmp]`.
pub(super) fn print(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    if message(line, bytes, wire_len).is_none() {
        let protocol = if bytes.first() == Some(&0x13) { "dvmrp" } else { "igmp" };
        line.str(" [|").str(protocol).byte(b']');
    }
}

fn message(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<()> {
    match *bytes.first()? {
        0x11 if wire_len >= QUERY_3_LEN => query_3(line.str("igmp query v3"), bytes, wire_len)?,
        0x11 => query(line.str("igmp query"), bytes, wire_len)?,
        0x12 => {
            line.str("igmp v1 report ").ipv4(ipv4_at(bytes, 4)?);
            unusual_len(line, wire_len);
        }
        0x13 if wire_len < HEADER_LEN => unusual_len(line.str("igmp dvmrp"), wire_len),
        0x13 => dvmrp(line.str("igmp dvmrp"), bytes)?,
        0x14 => _ = line.str("igmp pimv1"),
        0x16 => _ = line.str("igmp v2 report ").ipv4(ipv4_at(bytes, 4)?),
        0x17 => _ = line.str("igmp leave ").ipv4(ipv4_at(bytes, 4)?),
        0x1e => trace(line, "mresp ", bytes, wire_len)?,
        0x1f => trace(line, "mtrace ", bytes, wire_len)?,
        0x22 => report_3(line.str("igmp v3 report"), bytes, wire_len)?,
        kind => _ = line.str("igmp-").uint(kind),
    }
    Some(())
}

fn query(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<()> {
    match *bytes.get(1)? {
        0 => line.str(" v1"),
        USUAL_RESPONSE_TIME => line.str(" v2"),
        tenths => line.str(" v2 [max resp time ").uint(tenths).byte(b']'),
    };
    let group = ipv4_at(bytes, 4)?;
    if !group.is_unspecified() {
        line.str(" [gaddr ").ipv4(group).byte(b']');
    }
    unusual_len(line, wire_len);
    Some(())
}

/// RFC 3376, 4.1. Response times of 12.8 seconds and more are written as mantissa and exponent.
fn query_3(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<()> {
    if !wire_len.is_multiple_of(4) {
        line.str(" [invalid len ").uint(wire_len).byte(b']');
        return Some(());
    }
    let code = *bytes.get(1)?;
    if code != USUAL_RESPONSE_TIME {
        response_time(line, code);
    }
    let group = ipv4_at(bytes, 4)?;
    if group.is_unspecified() {
        return Some(());
    }
    line.str(" [gaddr ").ipv4(group);
    let sources = u16_at(bytes, 10)?;
    if sources > 0 && wire_len < QUERY_3_LEN + u32::from(sources) * 4 {
        line.str(" [invalid number of sources]");
    } else if sources > 0 {
        line.str(", ").uint(sources).str(" source(s)");
    }
    line.byte(b']');
    Some(())
}

fn response_time(line: &mut Line, code: u8) {
    let tenths = match code {
        0..=127 => u32::from(code),
        _ => u32::from(code & 0x0f | 0x10) << ((code >> 4 & 7) + 3),
    };
    line.str(" [max resp time ");
    if tenths < 600 {
        line.uint(tenths / 10).byte(b'.').uint(tenths % 10).byte(b's');
    } else {
        chars::span(line, tenths / 10);
    }
    line.byte(b']');
}

fn report_3(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<()> {
    if wire_len < REPORT_3_LEN || !wire_len.is_multiple_of(4) {
        line.str(" [invalid len ").uint(wire_len).byte(b']');
    } else {
        line.str(", ").uint(u16_at(bytes, 6)?).str(" group record(s)");
    }
    Some(())
}

/// Multicast traceroute: who asks about the path between whom.
fn trace(line: &mut Line, name: &str, bytes: &[u8], wire_len: u32) -> Option<()> {
    const QUERY_LEN: u32 = 16;
    if wire_len < HEADER_LEN + QUERY_LEN {
        line.str(" [invalid len ").uint(wire_len).byte(b']');
        return Some(());
    }
    let id = u32_at(bytes, 20)? & 0x00ff_ffff;
    let [src, dst, reply_to] = [ipv4_at(bytes, 8)?, ipv4_at(bytes, 12)?, ipv4_at(bytes, 16)?];
    line.str(name).uint(id).str(": ").ipv4(src).str(" to ").ipv4(dst).str(" reply-to ").ipv4(reply_to);
    if reply_to.is_multicast() {
        line.str(" with-ttl ").uint(*bytes.get(20)?);
    }
    Some(())
}

/// The kind of a DVMRP message, and what a prune or graft is about. Lists of neighbors are left out.
fn dvmrp(line: &mut Line, bytes: &[u8]) -> Option<()> {
    let kind = *bytes.get(1)?;
    match kind {
        1 => line.str(" Probe"),
        2 => line.str(" Report"),
        3 => line.str(" Ask-neighbors(old)"),
        4 => line.str(" Neighbors(old)"),
        5 => line.str(" Ask-neighbors2"),
        6 => line.str(" Neighbors2"),
        7 => line.str(" Prune"),
        8 => line.str(" Graft"),
        9 => line.str(" Graft-ACK"),
        _ => line.str(" [type ").uint(kind).byte(b']'),
    };
    if matches!(kind, 7..=9) {
        let [source, group] = [ipv4_at(bytes, 8)?, ipv4_at(bytes, 12)?];
        line.str(" src ").ipv4(source).str(" grp ").ipv4(group);
    }
    if kind == 7 {
        line.str(" timer ");
        chars::span(line, u32_at(bytes, 16)?);
    }
    Some(())
}

fn unusual_len(line: &mut Line, wire_len: u32) {
    if wire_len != HEADER_LEN {
        line.str(" [len ").uint(wire_len).byte(b']');
    }
}
