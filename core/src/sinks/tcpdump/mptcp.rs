//! The multipath TCP option (RFC 6824, RFC 8684) in tcpdump's words.

use super::tcp::{ACK, SYN};
use super::text;
use super::view::{Cut, View};
use crate::sinks::line::Line;

const NAMES: [&str; 8] = ["capable", "join", "dss", "add-addr", "rem-addr", "prio", "fail", "fast-close"];

/// Prints a whole option, kind and length included; `false` where its length does not fit its subtype.
pub(super) fn print(line: &mut Line, option: &[u8], flags: u8) -> Result<bool, Cut> {
    let view = View::new(option, "mptcp");
    if option.len() < 3 {
        return Ok(false);
    }
    let subtype = view.u8(2)? >> 4;
    line.byte(b' ').uint(option.len() as u64).byte(b' ');
    line.str(NAMES.get(usize::from(subtype)).copied().unwrap_or("unknown"));
    let len = option.len();
    match subtype {
        0 => capable(line, &view, len, flags),
        1 => join(line, &view, len, flags),
        2 if len < 4 || flags & SYN != 0 => Ok(false),
        2 => sequence_signal(line, &view),
        3 => add_address(line, &view, len),
        4 => remove_address(line, option),
        5 => priority(line, &view, len),
        6 | 7 if len != 12 => Ok(false),
        6 => {
            line.str(" seq ").uint(view.u64(4)?);
            Ok(true)
        }
        7 => {
            line.str(" key 0x").hex(view.u64(4)?, 1);
            Ok(true)
        }
        _ => Ok(true),
    }
}

fn capable(line: &mut Line, view: &View<'_>, len: usize, flags: u8) -> Result<bool, Cut> {
    let opening = matches!(len, 4 | 12) && flags & SYN != 0;
    let closing = matches!(len, 20 | 22) && flags & (SYN | ACK) == ACK;
    if !opening && !closing {
        return Ok(false);
    }
    match view.u8(2)? & 0xf {
        version @ 0..=1 => line.str(" v").uint(version),
        version => {
            line.str(" Unknown Version (").uint(version).byte(b')');
            return Ok(true);
        }
    };
    if view.u8(3)? & 0x80 != 0 {
        line.str(" csum");
    }
    if len >= 12 {
        line.str(" {0x").hex(view.u64(4)?, 1);
        if len >= 20 {
            line.str(",0x").hex(view.u64(12)?, 1);
        }
        line.byte(b'}');
    }
    Ok(true)
}

fn join(line: &mut Line, view: &View<'_>, len: usize, flags: u8) -> Result<bool, Cut> {
    let fits = match len {
        12 => flags & SYN != 0,
        16 => flags & (SYN | ACK) == SYN | ACK,
        24 => flags & ACK != 0,
        _ => false,
    };
    if !fits {
        return Ok(false);
    }
    if len != 24 {
        line.str(if view.u8(2)? & 1 != 0 { " backup id " } else { " id " }).uint(view.u8(3)?);
    }
    match len {
        12 => line.str(" token 0x").hex(view.u32(4)?.into(), 1).str(" nonce 0x").hex(view.u32(8)?.into(), 1),
        16 => line.str(" hmac 0x").hex(view.u64(4)?, 1).str(" nonce 0x").hex(view.u32(12)?.into(), 1),
        _ => line.str(" hmac 0x").hex_bytes(view.slice(4, 20)?),
    };
    Ok(true)
}

/// Data sequence signal: numbers of four or eight octets, by its flags.
fn sequence_signal(line: &mut Line, view: &View<'_>) -> Result<bool, Cut> {
    let flags = view.u8(3)?;
    let mut at = 4;
    if flags & 0x10 != 0 {
        line.str(" fin");
    }
    if flags & 0x01 != 0 {
        line.str(" ack ");
        if !number(line, view, &mut at, flags & 0x02 != 0) {
            return Ok(false);
        }
    }
    if flags & 0x04 != 0 {
        line.str(" seq ");
        if !number(line, view, &mut at, flags & 0x08 != 0) {
            return Ok(false);
        }
        let Ok(subflow) = view.u32(at) else { return Ok(false) };
        line.str(" subseq ").uint(subflow);
        let Ok(len) = view.u16(at + 4) else { return Ok(false) };
        line.str(" len ").uint(len);
        at += 6;
        if let Ok(checksum) = view.u16(at) {
            line.str(" csum 0x").hex(checksum.into(), 1);
            at += 2;
        }
    }
    Ok(at == view.bytes.len())
}

fn number(line: &mut Line, view: &View<'_>, at: &mut usize, is_long: bool) -> bool {
    let value = if is_long { view.u64(*at) } else { view.u32(*at).map(u64::from) };
    *at += if is_long { 8 } else { 4 };
    value.map(|value| line.uint(value)).is_ok()
}

fn add_address(line: &mut Line, view: &View<'_>, len: usize) -> Result<bool, Cut> {
    let address_len = match len {
        8 | 10 | 16 | 18 => 4,
        20 | 22 | 28 | 30 => 16,
        _ => return Ok(false),
    };
    line.str(match view.u8(2)? & 0xf {
        6 => " v0-ip6",
        4 => " v0-ip4",
        1 => " v1-echo",
        0 => " v1",
        _ => " [bad version/echo]",
    });
    line.str(" id ").uint(view.u8(3)?).byte(b' ');
    match address_len {
        4 => line.ipv4(view.ipv4(4)?),
        _ => text::ipv6(line, view.ipv6(4)?),
    };
    let mut at = 4 + address_len;
    if (len - at) % 8 == 2 {
        line.byte(b':').uint(view.u16(at)?);
        at += 2;
    }
    if len - at == 8 {
        line.str(" hmac 0x").hex(view.u64(at)?, 1);
    }
    Ok(true)
}

fn remove_address(line: &mut Line, option: &[u8]) -> Result<bool, Cut> {
    let Some(ids) = option.get(3..).filter(|ids| !ids.is_empty()) else { return Ok(false) };
    line.str(" id");
    for id in ids {
        line.byte(b' ').uint(*id);
    }
    Ok(true)
}

fn priority(line: &mut Line, view: &View<'_>, len: usize) -> Result<bool, Cut> {
    if !matches!(len, 3 | 4) {
        return Ok(false);
    }
    line.str(if view.u8(2)? & 1 != 0 { " backup" } else { " non-backup" });
    if len == 4 {
        line.str(" id ").uint(view.u8(3)?);
    }
    Ok(true)
}
