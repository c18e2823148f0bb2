//! TCP options in tcpdump's words: `options [mss 1460,nop,wscale 6]`.
//!
//! The walk is tcpdump's: it names an option before it looks at its length, and stops differently where an
//! option is wrong (`[bad opt]`) and where it was not captured (` [|tcp]`).

use super::view::{Cut, View};
use super::{Out, mptcp};
use crate::layers::tcp::{MIN_HEADER_LEN, OPTION_END, OPTION_NOP};

/// What the edges of selective acknowledgments are relative to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SackBase(pub(super) u32);

/// How an option's text ends.
enum Stop {
    /// The option contradicts itself or the header's length.
    Bad,
    /// Its data was not captured: tcpdump marks that itself, and closes the bracket wrongly.
    NotCaptured,
    /// The capture ended where tcpdump did not look.
    Cut(Cut),
}

impl From<Cut> for Stop {
    fn from(cut: Cut) -> Self {
        Self::Cut(cut)
    }
}

/// Prints the options of a header; `false` where nothing may follow on the line.
pub(super) fn print(
    out: &mut Out<'_>,
    view: &View<'_>,
    flags: u8,
    header_len: u32,
    sack_base: SackBase,
) -> Result<bool, Cut> {
    out.line.str(", options [");
    let mut options = Options { view, at: MIN_HEADER_LEN, end: header_len as usize, flags, sack_base };
    let mut first = true;
    while options.at < options.end {
        if !first {
            out.line.byte(b',');
        }
        match options.next(out) {
            Ok(true) => first = false,
            Ok(false) => break,
            Err(Stop::Bad) => {
                out.line.str(if first { "[bad opt]" } else { "[bad opt]]" });
                return Ok(false);
            }
            Err(Stop::NotCaptured) => {
                out.line.str(if first { " [|tcp]" } else { " [|tcp]>" });
                return Ok(false);
            }
            Err(Stop::Cut(cut)) => return Err(cut),
        }
    }
    out.line.byte(b']');
    Ok(true)
}

/// The name of an option.
fn name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "eol",
        1 => "nop",
        2 => "mss",
        3 => "wscale",
        4 => "sackOK",
        5 => "sack",
        6 => "echo",
        7 => "echoreply",
        8 => "TS",
        11 => "cc",
        12 => "ccnew",
        13 => "",
        19 => "md5",
        20 => "scps",
        28 => "uto",
        29 => "tcp-ao",
        30 => "mptcp",
        34 => "tfo",
        254 => "exp",
        _ => return None,
    })
}

/// Options under reading.
struct Options<'a, 'v> {
    view: &'v View<'a>,
    at: usize,
    /// Where the header ends by its own length.
    end: usize,
    flags: u8,
    sack_base: SackBase,
}

/// One option's data, not yet checked against what is there.
struct Data<'a, 'v> {
    view: &'v View<'a>,
    at: usize,
    /// Octets up to the end of the header, and by the option's own length.
    room: usize,
    len: usize,
}

impl<'a> Data<'a, '_> {
    /// The first `len` octets, which must lie within the header and have been captured.
    fn take(&self, len: usize) -> Result<&'a [u8], Stop> {
        if len > self.room {
            return Err(Stop::Bad);
        }
        self.view.slice(self.at, len).map_err(|_| Stop::NotCaptured)
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Stop> {
        let octets = self.take(at + N)?;
        octets.last_chunk().copied().ok_or(Stop::NotCaptured)
    }

    fn u16(&self, at: usize) -> Result<u16, Stop> {
        self.array(at).map(u16::from_be_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, Stop> {
        self.array(at).map(u32::from_be_bytes)
    }
}

impl Options<'_, '_> {
    /// Prints one option; `false` behind the one that ends the list.
    fn next(&mut self, out: &mut Out<'_>) -> Result<bool, Stop> {
        let kind = self.view.u8(self.at)?;
        let room = self.end - self.at;
        let is_single = matches!(kind, OPTION_END | OPTION_NOP);
        let len = if is_single { 1 } else { usize::from(self.view.u8(self.at + 1)?) };
        let header_len = if is_single { 1 } else { 2 };
        if len < header_len || len > room {
            return Err(Stop::Bad);
        }
        match name(kind) {
            Some(name) => out.line.str(name),
            None => out.line.str("unknown-").uint(kind),
        };
        let at = self.at + header_len;
        let data = Data { view: self.view, at, room: room - header_len, len: len - header_len };
        let printed = self.value(out, kind, &data)?;
        if printed + header_len != len {
            out.line.str("[len ").uint(len as u64).byte(b']');
        }
        self.at = at + printed;
        Ok(kind != OPTION_END)
    }

    /// Prints the value and returns how many octets of data tcpdump takes it for.
    fn value(&self, out: &mut Out<'_>, kind: u8, data: &Data<'_, '_>) -> Result<usize, Stop> {
        let len = data.len;
        match kind {
            OPTION_END | OPTION_NOP | 4 => return Ok(0),
            2 => {
                let size = data.u16(0)?;
                out.line.byte(b' ').uint(size);
                return Ok(2);
            }
            3 => {
                let [shift] = data.array(0)?;
                out.line.byte(b' ').uint(shift);
                return Ok(1);
            }
            5 => self.sack(out, data)?,
            6 | 7 | 11 | 12 | 13 => {
                let value = data.u32(0)?;
                out.line.byte(b' ').uint(value);
                return Ok(4);
            }
            8 => {
                data.take(8)?;
                let (value, echo) = (data.u32(0)?, data.u32(4)?);
                out.line.str(" val ").uint(value).str(" ecr ").uint(echo);
                return Ok(8);
            }
            19 => {
                let digest = data.take(16)?;
                self.signature(out, digest);
                return Ok(16);
            }
            20 => {
                let [capabilities, id] = data.array(0)?;
                out.line.str(" cap ").hex(capabilities.into(), 2).str(" id ").uint(id);
                return Ok(2);
            }
            28 => {
                let timeout = data.u16(0)?;
                let seconds = u32::from(timeout >> 1) * if timeout & 1 != 0 { 60 } else { 1 };
                out.line.str(" 0x").hex(timeout.into(), 1).byte(b' ').uint(seconds);
                return Ok(2);
            }
            29 => authentication(out, data)?,
            30 => {
                data.take(len)?;
                let option = data.view.slice(data.at - 2, len + 2)?;
                if !mptcp::print(out.line, option, self.flags)? {
                    return Err(Stop::Bad);
                }
            }
            34 => {
                let cookie = data.take(len)?;
                out.line.byte(b' ');
                fast_open(out, cookie);
            }
            254 => experiment(out, data.take(len)?)?,
            _ => unknown(out, data)?,
        }
        Ok(len)
    }

    fn sack(&self, out: &mut Out<'_>, data: &Data<'_, '_>) -> Result<(), Stop> {
        if !data.len.is_multiple_of(8) {
            out.line.str(" invalid sack");
            return Ok(());
        }
        out.line.byte(b' ').uint((data.len / 8) as u64).byte(b' ');
        for at in (0..data.len).step_by(8) {
            let [left, right] =
                [data.u32(at)?, data.u32(at + 4)?].map(|edge| edge.wrapping_sub(self.sack_base.0));
            out.line.byte(b'{').uint(left).byte(b':').uint(right).byte(b'}');
        }
        Ok(())
    }

    /// tcpdump could check the digest if it were told the secret; Debian's says that it was not.
    fn signature(&self, out: &mut Out<'_>, digest: &[u8]) {
        out.line.str(" shared secret not supplied with -M, can't check - ").hex_bytes(digest);
    }
}

fn authentication(out: &mut Out<'_>, data: &Data<'_, '_>) -> Result<(), Stop> {
    if data.len < 2 {
        out.invalid();
        return Ok(());
    }
    let [key_id] = data.array(0)?;
    out.line.str(" keyid ").uint(key_id);
    let [next_key_id] = data.array(1)?;
    out.line.str(" rnextkeyid ").uint(next_key_id);
    if data.len > 2 {
        out.line.str(" mac 0x");
        for at in 2..data.len {
            let [octet] = data.array(at)?;
            out.line.hex(octet.into(), 2);
        }
    }
    Ok(())
}

fn fast_open(out: &mut Out<'_>, cookie: &[u8]) {
    match cookie.len() {
        0 => {
            out.line.str(" cookiereq");
        }
        len @ 4..=16 if len % 2 == 0 => {
            out.line.str(" cookie ").hex_bytes(cookie);
        }
        _ => out.invalid(),
    }
}

/// An option under trial (RFC 6994), known by its first two octets.
fn experiment(out: &mut Out<'_>, data: &[u8]) -> Result<(), Stop> {
    const FAST_OPEN: [u8; 2] = [0xf9, 0x89];
    let Some((magic, rest)) = data.split_first_chunk() else { return Err(Stop::Bad) };
    out.line.byte(b'-');
    if *magic == FAST_OPEN {
        out.line.str("tfo");
        fast_open(out, rest);
    } else {
        out.line.hex_bytes(magic);
    }
    Ok(())
}

fn unknown(out: &mut Out<'_>, data: &Data<'_, '_>) -> Result<(), Stop> {
    if data.len > 0 {
        out.line.str(" 0x");
    }
    for at in 0..data.len {
        let [octet] = data.array(at)?;
        out.line.hex(octet.into(), 2);
    }
    Ok(())
}
