//! What the printers' tests share: a context, the text that a printer wrote, and octets without meaning.

use core::net::Ipv4Addr;

use super::Ctx;
use crate::sinks::line::Line;

/// A context of UDP over IPv4.
pub(super) fn ctx() -> Ctx<'static> {
    Ctx { src: Ipv4Addr::LOCALHOST.into(), dst_port: 0, over_tcp: false, mdns: false, protocol: "", ip: &[] }
}

/// What `write` wrote.
pub(super) fn printed(write: impl FnOnce(&mut Line)) -> String {
    let mut line = Line::default();
    write(&mut line);
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}

/// Octets of every length up to `max_len` with lengths on the wire around theirs; the same in every run. Small
/// values are frequent, so that counts and lengths often fit.
pub(super) fn noise(max_len: usize) -> impl Iterator<Item = (u32, Vec<u8>)> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..=max_len).flat_map(move |len| {
        let bytes: Vec<u8> =
            (0..len).map(|_| next() as u8 & [0xff, 3, 0xc1, 0][next() as usize % 4]).collect();
        let len = len as u32;
        [len.saturating_sub(3), len, len + 40].map(|wire_len| (wire_len, bytes.clone()))
    })
}
