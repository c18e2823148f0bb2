//! IGMP as tcpdump prints it: `igmp v2 report 239.255.255.250`.

use super::{
    Ctx, chars,
    icmp6::{ipv4_at, u16_at, u32_at},
    igmp_routing,
};
use crate::sinks::line::Line;

const HEADER_LEN: u32 = 8;
const DVMRP: u8 = 0x13;
const PIM_1: u8 = 0x14;
const QUERY_3_LEN: u32 = 12;
const REPORT_3_LEN: u32 = 16;
/// Tenths of a second; queries with it do not mention it.
const USUAL_RESPONSE_TIME: u8 = 100;

/// Prints one message. What is cut ends with `[|igmp]`.
pub(super) fn print(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    if message(line, bytes, wire_len).is_none() {
        line.str(match bytes.first() {
            Some(&DVMRP) => " [|dvmrp]",
            Some(&PIM_1) => " [|pimv1]",
            _ => " [|igmp]",
        });
    }
}

fn message(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<()> {
    match *bytes.first()? {
        0x11 if wire_len >= QUERY_3_LEN => query_3(line.str("igmp query v3"), bytes, wire_len)?,
        0x11 => query(line.str("igmp query"), bytes, wire_len)?,
        0x12 => {
            group(line, "igmp v1 report ", bytes)?;
            unusual_len(line, wire_len);
        }
        DVMRP if wire_len < HEADER_LEN => unusual_len(line.str("igmp dvmrp"), wire_len),
        DVMRP => igmp_routing::dvmrp(line.str("igmp dvmrp"), bytes, wire_len)?,
        PIM_1 => igmp_routing::pim_1(line.str("igmp pimv1"), bytes)?,
        0x16 => group(line, "igmp v2 report ", bytes)?,
        0x17 => group(line, "igmp leave ", bytes)?,
        0x1e => trace(line, "mresp ", bytes, wire_len)?,
        0x1f => trace(line, "mtrace ", bytes, wire_len)?,
        0x22 => report_3(line.str("igmp v3 report"), bytes, wire_len)?,
        kind => _ = line.str("igmp-").uint(kind),
    }
    Some(())
}

/// Words and the group address; neither where that is cut.
fn group(line: &mut Line, words: &str, bytes: &[u8]) -> Option<()> {
    let group = ipv4_at(bytes, 4)?;
    line.str(words).ipv4(group);
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
        let groups = u16_at(bytes, 6)?;
        line.str(", ").uint(groups).str(" group record(s)");
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

fn unusual_len(line: &mut Line, wire_len: u32) {
    if wire_len != HEADER_LEN {
        line.str(" [len ").uint(wire_len).byte(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::tcpdump::sample;

    fn printed(bytes: &[u8], wire_len: usize) -> String {
        sample::printed(|line| print(line, bytes, wire_len as u32, &sample::ctx()))
    }

    fn whole(bytes: &[u8]) -> String {
        printed(bytes, bytes.len())
    }

    #[test]
    fn queries_and_reports_of_every_version_are_shown() {
        assert_eq!(whole(b"\x11\0\0\0\0\0\0\0"), "igmp query v1");
        assert_eq!(whole(b"\x11\x0a\0\0\xe0\0\0\x05"), "igmp query v2 [max resp time 10] [gaddr 224.0.0.5]");
        assert_eq!(
            whole(b"\x11\x18\0\0\xe0\0\0\x05\x02\x7d\0\0"),
            "igmp query v3 [max resp time 2.4s] [gaddr 224.0.0.5]"
        );
        assert_eq!(whole(b"\x11\xf0\0\0\0\0\0\0\x02\x7d\0\0"), "igmp query v3 [max resp time 27m18s]");
        assert_eq!(whole(b"\x12\0\0\0\xef\0\0\x01"), "igmp v1 report 239.0.0.1");
        assert_eq!(whole(b"\x16\0\0\0\xef\0\0\x01"), "igmp v2 report 239.0.0.1");
        assert_eq!(whole(b"\x17\0\0\0\xef\0\0\x01"), "igmp leave 239.0.0.1");
        let report = b"\x22\0\0\0\0\0\0\x01\x04\0\0\0\xef\0\0\x01";
        assert_eq!(whole(report), "igmp v3 report, 1 group record(s)");
    }

    #[test]
    fn what_is_cut_or_too_short_says_so() {
        assert_eq!(printed(b"\x16\0\0\0\xef", 8), " [|igmp]");
        assert_eq!(whole(b"\x22\0\0\0\0\0\0\x01"), "igmp v3 report [invalid len 8]");
        assert_eq!(whole(b"\x99"), "igmp-153");
    }

    #[test]
    fn any_octets_are_printed_without_a_panic() {
        for (len, mut bytes) in sample::noise(100) {
            for kind in 0x10..0x24 {
                if let Some([first, second, ..]) = bytes.get_mut(..2) {
                    *first = kind;
                    *second &= 0xf;
                }
                printed(&bytes, len as usize);
            }
        }
    }
}
