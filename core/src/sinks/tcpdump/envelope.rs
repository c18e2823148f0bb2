//! The text of GWLB's and the mirror session's headers, remembered from one packet to the next.
//!
//! Apart from the source ports, with which both tunnels spread flows, all packets of a mirror session repeat one
//! envelope: its text is kept, and the ports are written into it. An envelope counts only in its ordinary form, in
//! which every length agrees with the next and tcpdump has nothing to say but addresses, ports and identifiers; all
//! others go the long way.

use crate::sinks::line::Line;

/// Ethernet, IPv4, UDP, Geneve with GWLB's 32 octets of options, IPv4, UDP, VXLAN.
pub(super) const LEN: usize = 14 + IP_LEN + 8 + GENEVE_LEN + IP_LEN + 8 + 8;
const IP_LEN: usize = 20;
const GENEVE_LEN: usize = 40;
/// Where the headers begin.
const OUTER: usize = 14;
const GENEVE: usize = OUTER + IP_LEN + 8;
const INNER: usize = GENEVE + GENEVE_LEN;
const VXLAN: usize = INNER + IP_LEN + 8;

/// Source ports of tunnels lie behind the last port to which tcpdump gives a meaning; all have five digits.
const FIRST_SOURCE_PORT: u16 = 49153;
/// Places in the table; a power of two.
const PLACES: usize = 4096;
/// The longest text that is remembered: every address and number at its longest.
const TEXT_LEN: usize = 200;

/// What stands behind a source port.
const BEHIND_PORT: &[u8] = b" > ";

/// What the text depends on besides the source ports: addresses twice, the fixed part of Geneve, and VXLAN.
type Key = [[u8; 8]; 4];

#[derive(Clone, Copy, Debug)]
struct Place {
    key: Key,
    len: u8,
    /// Where in the text the two source ports stand.
    ports: [u8; 2],
    text: [u8; TEXT_LEN],
}

/// Texts of envelopes; about a megabyte from the first one on.
#[derive(Clone, Debug, Default)]
pub(super) struct Envelopes {
    places: Vec<Place>,
}

/// An ordinary envelope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    key: Key,
    source_ports: [u16; 2],
    /// Where the mirrored frame ends by the lengths in the headers.
    pub(super) end: u32,
}

impl Envelope {
    /// The ordinary envelope with which an Ethernet frame begins, if it does.
    #[inline]
    pub(super) fn of(frame: &[u8], wire_len: u32) -> Option<Self> {
        let head: &[u8; LEN] = frame.first_chunk()?;
        let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let total_len = number(OUTER + 2);
        let is_ordinary = number(12) == 0x0800
            && is_plain_udp(head, OUTER)
            && is_plain_udp(head, INNER)
            && OUTER as u32 + u32::from(total_len) <= wire_len
            && usize::from(number(INNER + 2)) + INNER == usize::from(total_len) + OUTER
            && number(OUTER + IP_LEN + 2) == 6081
            && number(INNER + IP_LEN + 2) == 4789
            && number(OUTER + IP_LEN) >= FIRST_SOURCE_PORT
            && number(INNER + IP_LEN) >= FIRST_SOURCE_PORT
            && usize::from(head[GENEVE]) == (GENEVE_LEN - 8) / 4
            && number(GENEVE + 2) == 0x0800
            && usize::from(total_len) + OUTER >= LEN;
        let octets = |at: usize| core::array::from_fn(|i| head[at + i]);
        is_ordinary.then(|| Self {
            key: [octets(OUTER + 12), octets(INNER + 12), octets(GENEVE), octets(VXLAN)],
            source_ports: [number(OUTER + IP_LEN), number(INNER + IP_LEN)],
            end: OUTER as u32 + u32::from(total_len),
        })
    }
}

/// Whether the IPv4 header at `at` has no options, is no fragment, and holds exactly one UDP datagram.
#[inline]
fn is_plain_udp(head: &[u8; LEN], at: usize) -> bool {
    let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    head[at] == 0x45
        && head[at + 9] == 17
        && number(at + 6) & 0x3fff == 0
        && usize::from(number(at + IP_LEN + 4)) + IP_LEN == usize::from(number(at + 2))
}

impl Envelopes {
    /// Appends the text of an envelope, its newline included, if it is remembered.
    #[inline]
    pub(super) fn write(&self, line: &mut Line, envelope: &Envelope) -> bool {
        let place = self.places.get(place_of(&envelope.key));
        let Some(place) = place.filter(|place| place.key == envelope.key && place.len > 0) else {
            return false;
        };
        let start = line.len();
        line.prefix(&place.text, place.len.into());
        for (at, port) in place.ports.iter().zip(envelope.source_ports) {
            line.replace_five_digits(start + usize::from(*at), port);
        }
        true
    }

    /// Remembers the text of an envelope: the first line of what was printed.
    pub(super) fn remember(&mut self, envelope: &Envelope, printed: &[u8]) {
        let Some(newline) = printed.iter().position(|octet| *octet == b'\n') else { return };
        let Some(ports) = source_ports(printed.get(..newline).unwrap_or_default()) else { return };
        if self.places.is_empty() {
            self.places =
                vec![Place { key: [[0; 8]; 4], len: 0, ports: [0; 2], text: [0; TEXT_LEN] }; PLACES];
        }
        let Some(place) = self.places.get_mut(place_of(&envelope.key)) else { return };
        if let (Some(to), Some(from)) = (place.text.get_mut(..=newline), printed.get(..=newline)) {
            to.copy_from_slice(from);
            (place.key, place.len, place.ports) = (envelope.key, from.len() as u8, ports);
        }
    }
}

/// Where in the text of an envelope its two source ports stand.
fn source_ports(text: &[u8]) -> Option<[u8; 2]> {
    let mut ends = text.windows(BEHIND_PORT.len()).enumerate().filter(|(_, window)| *window == BEHIND_PORT);
    let mut port = || u8::try_from(ends.next()?.0.checked_sub(5)?).ok();
    Some([port()?, port()?])
}

/// Mixes the key, so that envelopes that differ in one address or identifier fall apart.
#[inline]
fn place_of(key: &Key) -> usize {
    let mixed = key.iter().fold(0_u64, |mixed, part| {
        (mixed.rotate_left(23) ^ u64::from_le_bytes(*part)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    (mixed >> (64 - PLACES.trailing_zeros())) as usize
}
