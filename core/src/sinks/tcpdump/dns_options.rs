//! The OPT record (RFC 6891) as tcpdump prints it: `UDPsize=1232 DO [COOKIE 0123456789abcdef]`.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{dns, dns_names, text};
use crate::{
    app::dns::{Message, Record},
    sinks::line::Line,
};

const DNSSEC_OK: u32 = 0x8000;
const CLIENT_COOKIE_LEN: usize = 8;

/// Prints the data of an OPT record; none where an option is cut.
pub(super) fn print(line: &mut Line, message: &Message<'_>, record: &Record<'_>) -> Option<()> {
    line.str(" UDPsize=").uint(record.class).str(if record.ttl & DNSSEC_OK != 0 { " DO" } else { "" });
    let (mut at, end) = (record.data_offset, record.end());
    if at >= end {
        return Some(());
    }
    line.str(" [");
    while at < end {
        at = option(line, message, at)?;
        line.str(if at < end { "," } else { "" });
    }
    line.str("]");
    Some(())
}

/// Prints the option at `at`; where the next one begins.
fn option(line: &mut Line, message: &Message<'_>, at: usize) -> Option<usize> {
    let code = message.u16(at)?;
    dns_names::option(line, code);
    let len = message.u16(at + 2)?;
    let end = at + 4 + usize::from(len);
    let data = message.bytes().get(at + 4..end)?;
    if !data.is_empty() {
        value(line.byte(b' '), message, code, at + 4, data);
    }
    Some(end)
}

fn value(line: &mut Line, message: &Message<'_>, code: u16, at: usize, data: &[u8]) {
    let shown = match code {
        5 => algorithms(line, data, dns_names::signing_algorithm),
        6 => algorithms(line, data, dns_names::delegation_hash),
        7 => algorithms(line, data, dns_names::denial_hash),
        8 => client_subnet(line, data),
        9 => data.try_into().ok().map(|seconds| _ = line.uint(u32::from_be_bytes(seconds)).str(" sec")),
        10 => cookie(line, data),
        11 => data.try_into().ok().map(|tenths| keepalive(line, u16::from_be_bytes(tenths))),
        12 => Some(_ = line.byte(b'(').uint(data.len() as u64).byte(b')')),
        13 => {
            // A name that is wrong has said so itself.
            _ = dns::name(line, message, at);
            Some(())
        }
        14 => key_tags(line, data),
        _ => Some(_ = line.hex_bytes(data)),
    };
    if shown.is_none() {
        line.str(" (invalid)");
    }
}

fn algorithms(line: &mut Line, data: &[u8], name: fn(u8) -> Option<&'static str>) -> Option<()> {
    for (index, value) in data.iter().enumerate() {
        line.str(if index > 0 { " " } else { "" });
        match name(*value) {
            Some(name) => line.str(name),
            None => line.str("Alg_").uint(*value),
        };
    }
    Some(())
}

/// RFC 7871: family, source and scope prefix length, as many octets of the address as the source prefix needs.
fn client_subnet(line: &mut Line, data: &[u8]) -> Option<()> {
    let ([0, family, source_len, scope_len], prefix) = data.split_first_chunk()? else { return None };
    let max_len = match family {
        1 => 32,
        2 => 128,
        _ => return None,
    };
    let sound = *source_len <= max_len && *scope_len <= max_len;
    if !sound || usize::from(*source_len).div_ceil(8) != prefix.len() {
        return None;
    }
    let mut address = [0; 16];
    address.get_mut(..prefix.len())?.copy_from_slice(prefix);
    match address {
        [a, b, c, d, ..] if *family == 1 => _ = line.ipv4(Ipv4Addr::new(a, b, c, d)),
        _ => _ = text::ipv6(line, Ipv6Addr::from(address)),
    }
    line.byte(b'/').uint(*source_len).byte(b'/').uint(*scope_len);
    Some(())
}

/// RFC 7873: a client cookie of 8 octets, then perhaps a server cookie of 8 to 32.
fn cookie(line: &mut Line, data: &[u8]) -> Option<()> {
    if !matches!(data.len(), 8 | 16..=40) {
        return None;
    }
    let (client, server) = data.split_at_checked(CLIENT_COOKIE_LEN)?;
    line.hex_bytes(client);
    if !server.is_empty() {
        line.byte(b' ').hex_bytes(server);
    }
    Some(())
}

fn keepalive(line: &mut Line, tenths: u16) {
    line.uint(tenths / 10).byte(b'.').uint(tenths % 10).str(" sec");
}

fn key_tags(line: &mut Line, data: &[u8]) -> Option<()> {
    let (tags, []) = data.as_chunks() else { return None };
    for (index, tag) in tags.iter().enumerate() {
        line.str(if index > 0 { " " } else { "" }).uint(u16::from_be_bytes(*tag));
    }
    Some(())
}
