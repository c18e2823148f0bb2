//! Flow logs as IPFIX messages (RFC 7011) of information elements that every collector knows (RFC 7012, IANA).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-------------------------------+
//! |         Version = 10          |            Length             |
//! +-------------------------------+-------------------------------+
//! |                   Export time, seconds since 1970             |
//! |          Sequence number: data records sent before            |
//! |                     Observation domain                        |
//! +-------------------------------+-------------------------------+
//! |  Set: 2 templates, or the     |  Set length                   |
//! |  number of a template         |                               |
//! +-------------------------------+-------------------------------+
//! ```
//!
//! IPv4 and IPv6 flows have a template each. A record is one direction, so that `packetDeltaCount` and
//! `octetDeltaCount` are those of a flow log; octets are those of the mirrored frames. The VNI is `layer2SegmentId`
//! with the type VXLAN in its first octet (RFC 7133).

use core::net::IpAddr;

use super::record::{FlowPart, LogRecord};
use crate::sinks::sessions::Key as Session;

/// The port that IANA assigned to IPFIX over UDP and TCP.
pub const PORT: u16 = 4739;
/// Octets of a message that fit into a packet of 1500 with room for tunnels.
pub const MAX_MESSAGE_LEN: usize = 1400;
/// Over UDP templates may be lost, so they are sent again: after so many messages...
const TEMPLATES_EVERY_MESSAGES: u32 = 64;
/// ... or seconds (RFC 7011, 8.4 leaves it to us).
const TEMPLATES_EVERY_S: i64 = 30;

const VERSION: u16 = 10;
const HEADER_LEN: usize = 16;
const SET_HEADER_LEN: usize = 4;
const TEMPLATE_SET: u16 = 2;
const TEMPLATES: [u16; 2] = [256, 257];

/// Of an element: its number for IPv4 and for IPv6, its length for each, and how its octets are found.
struct Element {
    numbers: [u16; 2],
    lens: [u16; 2],
    value: fn(&LogRecord<'_>, &FlowPart<'_>) -> Octets,
}

enum Octets {
    /// The low octets of a number.
    Number(u64),
    Address(IpAddr),
}

const fn number(id: u16, len: u16, value: fn(&LogRecord<'_>, &FlowPart<'_>) -> Octets) -> Element {
    Element { numbers: [id; 2], lens: [len; 2], value }
}

const fn address(v4: u16, v6: u16, value: fn(&LogRecord<'_>, &FlowPart<'_>) -> Octets) -> Element {
    Element { numbers: [v4, v6], lens: [4, 16], value }
}

/// Names as in IANA's registry, <https://www.iana.org/assignments/ipfix>.
const ELEMENTS: [Element; 12] = [
    // sourceIPv4Address, sourceIPv6Address
    address(8, 27, |_, part| Octets::Address(part.src.address)),
    // destinationIPv4Address, destinationIPv6Address
    address(12, 28, |_, part| Octets::Address(part.dst.address)),
    // sourceTransportPort
    number(7, 2, |_, part| Octets::Number(part.src.port.into())),
    // destinationTransportPort
    number(11, 2, |_, part| Octets::Number(part.dst.port.into())),
    // protocolIdentifier
    number(4, 1, |_, part| Octets::Number(part.flow.protocol.into())),
    // packetDeltaCount
    number(2, 8, |_, part| Octets::Number(part.news.packets)),
    // octetDeltaCount
    number(1, 8, |_, part| Octets::Number(part.news.bytes)),
    // flowStartMilliseconds
    number(152, 8, |record, _| milliseconds(record.start_ns)),
    // flowEndMilliseconds
    number(153, 8, |record, _| milliseconds(record.end_ns)),
    // tcpControlBits
    number(6, 2, |_, part| Octets::Number(part.news.tcp_flags.into())),
    // flowEndReason
    number(136, 1, |_, part| Octets::Number(part.flow.end.map_or(ACTIVE_TIMEOUT, |end| end.ipfix()).into())),
    // layer2SegmentId
    number(351, 8, |_, part| Octets::Number(segment_id(&part.flow.session))),
];

const ACTIVE_TIMEOUT: u8 = 2;

fn milliseconds(ns: i64) -> Octets {
    Octets::Number(ns.div_euclid(1_000_000).max(0) as u64)
}

/// Type 1 is VXLAN; the VNI fills the low 24 bits.
fn segment_id(session: &Session) -> u64 {
    match session {
        Session::Mirrored(identity) => 1 << 56 | u64::from(identity.vni),
        _ => 0,
    }
}

/// Gathers records into messages for one collector.
#[derive(Clone, Debug)]
pub struct Exporter {
    domain: u32,
    resends_templates: bool,
    sequence: u32,
    /// Data records of each template that wait, and how many.
    sets: [Vec<u8>; 2],
    waiting: u32,
    templates_age: Option<(u32, i64)>,
}

impl Exporter {
    /// For a collector that may lose messages (UDP) or may not (TCP), under the number of an observation domain.
    pub fn new(domain: u32, may_lose: bool) -> Self {
        Self {
            domain,
            resends_templates: may_lose,
            sequence: 0,
            sets: Default::default(),
            waiting: 0,
            templates_age: None,
        }
    }

    /// Adds a record; one that tells of no flow is passed over. Messages that are full go to `send`, with the time in
    /// seconds since 1970.
    pub fn push(&mut self, record: &LogRecord<'_>, now_s: i64, send: &mut dyn FnMut(&[u8])) {
        let Some(part) = record.part() else { return };
        let family = usize::from(part.src.address.is_ipv6());
        if self.len() + record_len(family) > MAX_MESSAGE_LEN {
            self.flush(now_s, send);
        }
        let set = &mut self.sets[family];
        for element in &ELEMENTS {
            match (element.value)(record, part) {
                Octets::Number(value) => {
                    let octets = value.to_be_bytes();
                    set.extend_from_slice(&octets[octets.len() - usize::from(element.lens[family])..]);
                }
                Octets::Address(IpAddr::V4(address)) => set.extend_from_slice(&address.octets()),
                Octets::Address(IpAddr::V6(address)) => set.extend_from_slice(&address.octets()),
            }
        }
        self.waiting += 1;
    }

    /// Sends what waits.
    pub fn flush(&mut self, now_s: i64, send: &mut dyn FnMut(&[u8])) {
        if self.waiting == 0 {
            return;
        }
        if self.needs_templates(now_s) {
            send(&self.message(now_s, &[(TEMPLATE_SET, &templates())]));
            self.templates_age = Some((0, now_s));
        }
        let [v4, v6] = &self.sets;
        send(&self.message(now_s, &[(TEMPLATES[0], v4), (TEMPLATES[1], v6)]));
        self.sequence = self.sequence.wrapping_add(self.waiting);
        self.waiting = 0;
        self.sets.iter_mut().for_each(Vec::clear);
        if let Some((messages, _)) = &mut self.templates_age {
            *messages += 1;
        }
    }

    /// Whether no record waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    fn needs_templates(&self, now_s: i64) -> bool {
        match self.templates_age {
            None => true,
            Some((messages, sent_s)) => {
                let is_old = messages >= TEMPLATES_EVERY_MESSAGES
                    || now_s.abs_diff(sent_s) >= TEMPLATES_EVERY_S as u64;
                self.resends_templates && is_old
            }
        }
    }

    /// Octets of a message of all that waits.
    fn len(&self) -> usize {
        HEADER_LEN + self.sets.iter().map(|set| SET_HEADER_LEN + set.len()).sum::<usize>()
    }

    fn message(&self, now_s: i64, sets: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = Vec::with_capacity(MAX_MESSAGE_LEN);
        message.extend(VERSION.to_be_bytes());
        message.extend([0; 2]);
        message.extend((now_s as u32).to_be_bytes());
        message.extend(self.sequence.to_be_bytes());
        message.extend(self.domain.to_be_bytes());
        for (number, octets) in sets.iter().filter(|(_, octets)| !octets.is_empty()) {
            message.extend(number.to_be_bytes());
            message.extend(((SET_HEADER_LEN + octets.len()) as u16).to_be_bytes());
            message.extend_from_slice(octets);
        }
        let len = message.len() as u16;
        message[2..4].copy_from_slice(&len.to_be_bytes());
        message
    }
}

fn record_len(family: usize) -> usize {
    ELEMENTS.iter().map(|element| usize::from(element.lens[family])).sum()
}

/// The records of the template set: number, count of elements, and each element's number and length.
fn templates() -> Vec<u8> {
    let mut octets = Vec::new();
    for (family, template) in TEMPLATES.into_iter().enumerate() {
        octets.extend(template.to_be_bytes());
        octets.extend((ELEMENTS.len() as u16).to_be_bytes());
        for element in &ELEMENTS {
            octets.extend(element.numbers[family].to_be_bytes());
            octets.extend(element.lens[family].to_be_bytes());
        }
    }
    octets
}

/// A number for the observation domain of an agent, from its name: FNV-1a.
pub fn domain(agent_id: &str) -> u32 {
    agent_id.bytes().fold(0x811c_9dc5, |hash, octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193))
}
