//! Services on UDP ports of which tcpdump shows a line of fields: NTP, DHCP, DHCPv6, syslog, RADIUS, BFD, HSRP, and
//! the Broadcom shim that it believes to see wherever the source port is 49152.

use super::{
    Ctx,
    icmp6::{ipv4_at, u32_at},
};
use crate::sinks::line::Line;

/// Prints an NTP message (RFC 5905): version and mode.
pub(super) fn ntp(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    const MODES: [&str; 8] = [
        "unspecified",
        "symmetric active",
        "symmetric passive",
        "Client",
        "Server",
        "Broadcast",
        "Control Message",
        "Reserved",
    ];
    let Some(first) = bytes.first() else { return cut(line, "ntp") };
    let mode = MODES.get(usize::from(first & 7)).copied().unwrap_or_default();
    line.str("NTPv").uint(first >> 3 & 7).str(", ").str(mode).str(", length ").uint(wire_len);
}

/// Prints a DHCP or BOOTP message (RFC 2131): its direction and, for a request over Ethernet, its client.
pub(super) fn bootp(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    const REQUEST: u8 = 1;
    const ETHERNET: u8 = 1;
    let Some(operation) = bytes.first() else { return cut(line, "bootp") };
    line.str("BOOTP/DHCP, ");
    match operation {
        1 => line.str("Request"),
        2 => line.str("Reply"),
        other => line.str("unknown (0x").hex((*other).into(), 2).str(")"),
    };
    let [Some(kind), Some(address_len)] = [bytes.get(1), bytes.get(2)] else { return cut(line, "bootp") };
    if (*operation, *kind, *address_len) == (REQUEST, ETHERNET, 6) {
        let Some(address) = bytes.get(28..34) else { return cut(line, "bootp") };
        line.str(" from ").mac(address);
    }
    line.str(", length ").uint(wire_len);
}

/// Prints the kind of a DHCPv6 message (RFC 8415).
pub(super) fn dhcp6(line: &mut Line, bytes: &[u8], _wire_len: u32, _ctx: &Ctx<'_>) {
    const NAMES: [&str; 15] = [
        "solicit",
        "advertise",
        "request",
        "confirm",
        "renew",
        "rebind",
        "reply",
        "release",
        "decline",
        "reconfigure",
        "inf-req",
        "relay-fwd",
        "relay-reply",
        "leasequery",
        "leasequery-reply",
    ];
    line.str("dhcp6");
    let Some([kind, ..]) = bytes.first_chunk::<4>() else { return cut(line, "dhcp6") };
    match kind.checked_sub(1).and_then(|index| NAMES.get(usize::from(index))) {
        Some(name) => line.byte(b' ').str(name),
        None => line.str(" msgtype-").uint(*kind),
    };
}

/// Prints facility and severity of a syslog message (RFC 3164).
pub(super) fn syslog(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    const MAX_DIGITS: usize = 3;
    const FACILITIES: [&str; 24] = [
        "kernel", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
        "ftp", "ntp", "security", "console", "cron", "local0", "local1", "local2", "local3", "local4",
        "local5", "local6", "local7",
    ];
    const SEVERITIES: [&str; 8] =
        ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
    let Some((first, rest)) = bytes.split_first() else { return cut(line, "syslog") };
    if *first != b'<' {
        line.str(" (invalid)");
        return;
    }
    let digits = rest.iter().take(MAX_DIGITS).take_while(|octet| octet.is_ascii_digit()).count();
    let priority = rest.iter().take(digits).fold(0, |sum: u16, digit| sum * 10 + u16::from(digit - b'0'));
    match rest.get(digits) {
        None => return cut(line, "syslog"),
        Some(b'>') => {}
        Some(_) => {
            line.str(" (invalid)");
            return;
        }
    }
    let facility = (priority & 0x03f8) >> 3;
    line.str("SYSLOG ");
    named_or_unknown(line, FACILITIES.get(usize::from(facility)).copied(), facility);
    line.byte(b'.').str(SEVERITIES.get(usize::from(priority & 7)).copied().unwrap_or_default());
    line.str(", length: ").uint(wire_len);
}

/// Prints kind, identifier and length of a RADIUS message (RFC 2865).
pub(super) fn radius(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    const HEADER_LEN: u16 = 20;
    let Some([kind, id, high, low, ..]) = bytes.first_chunk::<{ HEADER_LEN as usize }>() else {
        return cut(line, "radius");
    };
    let len = u16::from_be_bytes([*high, *low]);
    if len < HEADER_LEN {
        return cut(line, "radius");
    }
    line.str("RADIUS, ").str(radius_name(*kind)).str(" (").uint(*kind).str("), id: 0x").hex((*id).into(), 2);
    line.str(" length: ").uint(u32::from(len).min(wire_len));
}

fn radius_name(kind: u8) -> &'static str {
    match kind {
        1 => "Access-Request",
        2 => "Access-Accept",
        3 => "Access-Reject",
        4 => "Accounting-Request",
        5 => "Accounting-Response",
        11 => "Access-Challenge",
        12 => "Status-Server",
        13 => "Status-Client",
        40 => "Disconnect-Request",
        41 => "Disconnect-ACK",
        42 => "Disconnect-NAK",
        43 => "CoA-Request",
        44 => "CoA-ACK",
        45 => "CoA-NAK",
        255 => "Reserved",
        _ => "Unknown Command",
    }
}

/// Prints state and flags of a BFD control message (RFC 5880), version 0 or 1; of other versions the length.
pub(super) fn bfd(line: &mut Line, bytes: &[u8], wire_len: u32, ctx: &Ctx<'_>) {
    const HEADER_LEN: usize = 24;
    const STATES: [&str; 4] = ["AdminDown", "Down", "Init", "Up"];
    const ECHO_PORT: u16 = 3785;
    if ctx.dst_port == ECHO_PORT {
        line.str("BFD, Echo, length: ").uint(wire_len);
        return;
    }
    let Some([first, flags, ..]) = bytes.first_chunk::<HEADER_LEN>() else { return cut(line, "bfd") };
    let version = first >> 5;
    line.str("BFDv").uint(version).str(match ctx.dst_port {
        4784 if version == 1 => ", Multihop",
        6784 if version == 1 => ", Lag",
        _ => ", Control",
    });
    match version {
        0 => bfd_flags(line, &["I Hear You", "Demand"], *flags),
        1 => {
            line.str(", State ").str(STATES.get(usize::from(flags >> 6)).copied().unwrap_or_default());
            bfd_flags(line, &[], flags & 0x3f);
        }
        _ => {}
    }
    line.str(", length: ").uint(wire_len);
}

/// Names the bits that are set, highest first; the two highest mean something in version 0 only.
fn bfd_flags(line: &mut Line, highest: &[&str], flags: u8) {
    const COMMON: [&str; 4] = ["Poll", "Final", "Control Plane Independent", "Authentication Present"];
    let lowest = if highest.is_empty() { ["Demand", "Multipoint"] } else { ["Reserved", "Reserved"] };
    let highest = if highest.is_empty() { &["", ""] } else { highest };
    line.str(", Flags: [");
    let mut separator = "";
    for (index, name) in highest.iter().chain(&COMMON).chain(&lowest).enumerate() {
        if flags & (0x80 >> index) != 0 {
            line.str(separator).str(name);
            separator = ", ";
        }
    }
    line.str(if flags == 0 { "none" } else { "" }).byte(b']');
}

/// Prints an HSRP message (RFC 2281): operation, state, group and virtual address.
pub(super) fn hsrp(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    if hsrp_fields(line, bytes, wire_len).is_none() {
        cut(line, "hsrp");
    }
}

fn hsrp_fields(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<()> {
    let version = *bytes.first()?;
    line.str("HSRPv").uint(version);
    if version != 0 {
        return Some(());
    }
    line.byte(b'-');
    let operation = *bytes.get(1)?;
    named_or_unknown(
        line,
        ["hello", "coup", "resign"].get(usize::from(operation)).copied(),
        operation.into(),
    );
    line.byte(b' ').uint(wire_len).str(": ");
    match *bytes.get(2)? {
        0 => line.str("state=initial "),
        1 => line.str("state=learn "),
        2 => line.str("state=listen "),
        4 => line.str("state=speak "),
        8 => line.str("state=standby "),
        16 => line.str("state=active "),
        other => line.str("state=Unknown (").uint(other).str(") "),
    };
    let group = *bytes.get(6)?;
    line.str("group=").uint(group).byte(b' ');
    let reserved = *bytes.get(7)?;
    if reserved != 0 {
        line.str("[reserved=").uint(reserved).str("!] ");
    }
    let address = ipv4_at(bytes, 16)?;
    line.str("addr=").ipv4(address);
    Some(())
}

/// Prints what a Broadcom shim would say, were this one.
pub(super) fn broadcom_shim(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    const SHIM_LEN: u32 = 4;
    if wire_len < SHIM_LEN {
        line.str(" (length ").uint(wire_len).str(" < 4) (invalid)");
        return;
    }
    let Some(shim) = u32_at(bytes, 0) else { return cut(line, "bcm_li") };
    line.str("BCM-LI-SHIM: direction ").str(match shim >> 29 {
        1 => "unused",
        2 => "egress",
        3 => "ingress",
        _ => "unknown",
    });
    line.str(", pkt-type ").str(match shim >> 25 & 0xf {
        4 => "undecided",
        5 => "ipv4",
        6 => "ipv6",
        7 => "ethernet",
        _ => "unknown",
    });
    line.str(", pkt-subtype ").str(match shim >> 22 & 7 {
        1 => "single VLAN tag",
        2 => "double VLAN tag",
        3 => "untagged",
        _ => "unknown",
    });
    line.str(", li-id ").uint(shim & 0x003f_ffff);
    if bytes.len() < wire_len as usize {
        cut(line, "bcm_li");
    }
}

fn named_or_unknown(line: &mut Line, name: Option<&str>, value: u16) {
    match name {
        Some(name) => line.str(name),
        None => line.str("unknown (").uint(value).str(")"),
    };
}

pub(super) fn cut(line: &mut Line, protocol: &str) {
    line.str(" [|").str(protocol).byte(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::tcpdump::sample;

    fn printed(print: fn(&mut Line, &[u8], u32, &Ctx<'_>), bytes: &[u8]) -> String {
        sample::printed(|line| print(line, bytes, bytes.len() as u32, &sample::ctx()))
    }

    #[test]
    fn services_are_shown_as_one_line_of_fields() {
        assert_eq!(printed(ntp, &[0x23]), "NTPv4, Client, length 1");
        assert_eq!(printed(dhcp6, b"\x01abc"), "dhcp6 solicit");
        assert_eq!(printed(syslog, b"<134>hello"), "SYSLOG local0.info, length: 10");
        assert_eq!(printed(syslog, b"134"), " (invalid)");
        let request = [b"\x01\x05\0\x14", &[0; 16][..]].concat();
        assert_eq!(printed(radius, &request), "RADIUS, Access-Request (1), id: 0x05 length: 20");
        let client = [b"\x01\x01\x06", &[0; 25][..], b"\0\x0b\x82\x01\xfc\x42"].concat();
        assert_eq!(printed(bootp, &client), "BOOTP/DHCP, Request from 00:0b:82:01:fc:42, length 34");
        let up = [b"\x20\xe4", &[0; 22][..]].concat();
        let shown = "BFDv1, Control, State Up, Flags: [Poll, Authentication Present], length: 24";
        assert_eq!(printed(bfd, &up), shown);
        assert_eq!(printed(bfd, &[0; 24]), "BFDv0, Control, Flags: [none], length: 24");
    }

    #[test]
    fn any_octets_are_printed_without_a_panic() {
        for (len, bytes) in sample::noise(60) {
            for print in [ntp, bootp, dhcp6, syslog, radius, bfd, hsrp, broadcom_shim] {
                sample::printed(|line| print(line, &bytes, len, &sample::ctx()));
            }
        }
    }
}
