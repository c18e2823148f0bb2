//! Which UDP and TCP ports tcpdump hands to which of its printers, in the order in which it asks.
//!
//! The first row that claims either port wins. Ports of printers that we do not have are listed all the same,
//! because they take a packet away from those that we have.

use super::{Ctx, http, resp, routing, telnet, udp_services};
use crate::sinks::line::Line;

/// A printer that writes its own name, given what was captured, the length on the wire and the layers around it.
pub(super) type Service = fn(&mut Line, &[u8], u32, &Ctx<'_>);

/// A printer behind a transport protocol.
#[derive(Clone, Copy, Debug)]
pub(super) enum App {
    /// Nothing to add to the transport's own line.
    None,
    /// tcpdump has a printer and we have not.
    Foreign,
    /// A protocol of lines, by its name.
    Text(&'static str),
    /// A protocol of which little is printed.
    Service(Service),
    /// DNS; `true` on the multicast port.
    Dns(bool),
    Vxlan,
    Geneve,
    Mpls,
}

/// The highest port that any row names: most clients' ports lie behind it.
const LAST_CLAIMED: u16 = 49152;
/// A rank that no port claims.
const UNCLAIMED: u8 = u8::MAX;

/// The printer for a UDP datagram.
#[inline]
pub(super) fn udp(src: u16, dst: u16) -> App {
    match udp_rank(src, false).min(udp_rank(dst, true)) {
        0 => App::Dns(false),
        1 => App::Dns(true),
        4 => App::Service(udp_services::bootp),
        11 => App::Service(udp_services::ntp),
        20 => App::Service(udp_services::dhcp6),
        26 => App::Service(udp_services::radius),
        27 => App::Service(udp_services::hsrp),
        32 => App::Service(udp_services::broadcom_shim),
        33 => App::Service(udp_services::bfd),
        SIP => App::Text("SIP"),
        41 => App::Service(udp_services::syslog),
        VXLAN => App::Vxlan,
        GENEVE => App::Geneve,
        MPLS => App::Mpls,
        UNCLAIMED => App::None,
        _ => App::Foreign,
    }
}

const SIP: u8 = 40;
const VXLAN: u8 = 43;
const GENEVE: u8 = 44;
const MPLS: u8 = 48;

/// Position of a port among tcpdump's questions. A few are asked of one side only.
#[inline]
const fn udp_rank(port: u16, is_dst: bool) -> u8 {
    if port > LAST_CLAIMED {
        return UNCLAIMED;
    }
    match (port, is_dst) {
        (53, _) => 0,
        (5353, _) => 1,
        (525, _) => 2,
        (69, _) => 3,
        (67 | 68, _) => 4,
        (520, _) => 5,
        (654, _) => 6,
        (500, _) => 7,
        (4500, _) => 8,
        (7500 | 8500, _) => 9,
        (161 | 162, _) => 10,
        (123, _) => 11,
        (88 | 750, _) => 12,
        (1701, _) => 13,
        (3456, true) => 16,
        (2103 | 2104, _) => 17,
        (7000..=7009, _) => 18,
        (521, _) => 19,
        (546 | 547, _) => 20,
        (5359, _) => 21,
        (6696 | 6697, _) => 22,
        (8231, _) => 23,
        (4567, true) => 24,
        (496, _) => 25,
        (1645 | 1812 | 1646 | 1813 | 1700 | 3799, _) => 26,
        (1985, true) => 27,
        (921, _) => 28,
        (646, _) => 29,
        (698, _) => 30,
        (3503, _) => 31,
        (49152, false) => 32,
        (3784 | 4784 | 6784 | 3785, true) => 33,
        (701, _) => 34,
        (1589, _) => 35,
        (6343, _) => 36,
        (12223, _) => 37,
        (12222, _) => 39,
        (5060, _) => SIP,
        (514, _) => 41,
        (8472, _) => 42,
        (4789, _) => VXLAN,
        (6081, _) => GENEVE,
        (4342, _) => 45,
        (4790, _) => 46,
        (17754, _) => 47,
        (6635, _) => MPLS,
        (319 | 320, _) => 49,
        (30490, _) => 50,
        _ => UNCLAIMED,
    }
}

/// The printer for the payload of a TCP segment.
#[inline]
pub(super) fn tcp(src: u16, dst: u16) -> App {
    match tcp_rank(src).min(tcp_rank(dst)) {
        0 => App::Service(telnet::print),
        1 => App::Text("SMTP"),
        2 => App::Text("WHOIS"),
        3 => App::Service(routing::bgp),
        5 => App::Service(resp::print),
        6 => App::Service(http::ssh),
        11 => App::Text("FTP"),
        12 => App::Text("HTTP"),
        13 => App::Text("RTSP"),
        14 => App::Dns(false),
        UNCLAIMED => App::None,
        _ => App::Foreign,
    }
}

#[inline]
const fn tcp_rank(port: u16) -> u8 {
    if port > LAST_CLAIMED {
        return UNCLAIMED;
    }
    match port {
        23 => 0,
        25 => 1,
        43 => 2,
        179 => 3,
        1723 => 4,
        6379 => 5,
        22 => 6,
        10288 => 9,
        6633 | 6653 => 10,
        21 => 11,
        80 | 8080 => 12,
        554 | 8554 => 13,
        53 => 14,
        639 => 15,
        323 => 16,
        646 => 17,
        2049 => 18,
        _ => UNCLAIMED,
    }
}
