//! Telnet (RFC 854) as tcpdump prints it: the commands at the start of a segment, ` [telnet DO ECHO, WILL NAWS]`.

use super::{Ctx, udp_services::cut};
use crate::sinks::line::Line;

const INTERPRET: u8 = 255;
const SUBNEGOTIATION: u8 = 250;
const SUBNEGOTIATION_END: u8 = 240;
const FIRST_COMMAND: u8 = 236;

/// Why a command is not printed.
enum Fault {
    /// Its octets were not captured.
    Cut,
    /// It is none, or the segment ends in it.
    NoCommand,
}

/// Prints the commands; what follows the first octet that is none is left out.
pub(super) fn print(line: &mut Line, bytes: &[u8], wire_len: u32, _ctx: &Ctx<'_>) {
    let mut reader = Reader { bytes, at: 0, wire_len: wire_len as usize };
    let mut separator = " [telnet ";
    loop {
        if reader.at == reader.wire_len {
            break;
        }
        match reader.bytes.get(reader.at) {
            None => return cut(line, "telnet"),
            Some(&INTERPRET) => {}
            Some(_) => break,
        }
        let before = line.len();
        line.str(separator);
        match command(line, &mut reader) {
            Ok(()) => separator = ", ",
            Err(fault) => {
                line.truncate(before);
                match fault {
                    Fault::Cut => return cut(line, "telnet"),
                    Fault::NoCommand => break,
                }
            }
        }
    }
    if separator == ", " {
        line.byte(b']');
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    wire_len: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<u8, Fault> {
        if self.at >= self.wire_len {
            return Err(Fault::NoCommand);
        }
        let octet = *self.bytes.get(self.at).ok_or(Fault::Cut)?;
        self.at += 1;
        Ok(octet)
    }
}

fn command(line: &mut Line, reader: &mut Reader<'_>) -> Result<(), Fault> {
    reader.next()?;
    let kind = reader.next()?;
    if kind == INTERPRET {
        line.str("IAC IAC");
        return Ok(());
    }
    let name = kind.checked_sub(FIRST_COMMAND).and_then(|index| COMMANDS.get(usize::from(index)));
    line.str(name.ok_or(Fault::NoCommand)?);
    if kind < SUBNEGOTIATION {
        return Ok(());
    }
    let option = reader.next()?;
    line.byte(b' ');
    named(line, &OPTIONS, option);
    if kind == SUBNEGOTIATION { subnegotiation(line, reader, option) } else { Ok(()) }
}

/// The qualifiers of an option in words, the rest of its octets as numbers.
fn subnegotiation(line: &mut Line, reader: &mut Reader<'_>, option: u8) -> Result<(), Fault> {
    let end = end_of_subnegotiation(reader)?;
    let qualifiers: [&[&str]; 2] = match option {
        37 => [&["IS", "SEND", "REPLY", "NAME"], &AUTHENTICATION_TYPES],
        38 => [&ENCRYPTION_COMMANDS, &ENCRYPTION_TYPES],
        _ => [&["IS", "SEND", "INFO"], &[]],
    };
    let count = if matches!(option, 37 | 38) { 2 } else { 1 };
    for names in qualifiers.iter().take(count) {
        if reader.at < end {
            line.byte(b' ');
            named(line, names, reader.next()?);
        }
    }
    while reader.at < end {
        line.byte(b' ');
        number(line, reader.next()?);
    }
    line.str(" SE");
    reader.at = end + 2;
    // tcpdump does not notice that the end's second octet is missing, and runs into the end of the capture.
    if reader.at > reader.wire_len {
        reader.wire_len = usize::MAX;
    }
    Ok(())
}

/// Where "interpret, end" begins, or the last octet if that could begin it.
fn end_of_subnegotiation(reader: &Reader<'_>) -> Result<usize, Fault> {
    let limit = reader.wire_len.min(reader.bytes.len());
    let octets = reader.bytes.get(reader.at..limit).unwrap_or_default();
    let end = octets.windows(2).position(|pair| pair == [INTERPRET, SUBNEGOTIATION_END]);
    match end {
        Some(len) => Ok(reader.at + len),
        None if reader.bytes.len() < reader.wire_len => Err(Fault::Cut),
        None if octets.last() == Some(&INTERPRET) => Ok(limit - 1),
        None => Err(Fault::NoCommand),
    }
}

/// The name at `value`, or the number where there is none.
fn named(line: &mut Line, names: &[&str], value: u8) {
    match names.get(usize::from(value)).filter(|name| !name.is_empty()) {
        Some(name) => _ = line.str(name),
        None => number(line, value),
    }
}

fn number(line: &mut Line, value: u8) {
    line.str(if value == 0 { "" } else { "0x" }).hex(value.into(), 1);
}

const COMMANDS: [&str; 20] = [
    "EOF", "SUSP", "ABORT", "EOR", "SE", "NOP", "DMARK", "BRK", "IP", "AO", "AYT", "EC", "EL", "GA", "SB",
    "WILL", "WONT", "DO", "DONT", "IAC",
];

const OPTIONS: [&str; 40] = [
    "BINARY",
    "ECHO",
    "RCP",
    "SUPPRESS GO AHEAD",
    "NAME",
    "STATUS",
    "TIMING MARK",
    "RCTE",
    "NAOL",
    "NAOP",
    "NAOCRD",
    "NAOHTS",
    "NAOHTD",
    "NAOFFD",
    "NAOVTS",
    "NAOVTD",
    "NAOLFD",
    "EXTEND ASCII",
    "LOGOUT",
    "BYTE MACRO",
    "DATA ENTRY TERMINAL",
    "SUPDUP",
    "SUPDUP OUTPUT",
    "SEND LOCATION",
    "TERMINAL TYPE",
    "END OF RECORD",
    "TACACS UID",
    "OUTPUT MARKING",
    "TTYLOC",
    "3270 REGIME",
    "X.3 PAD",
    "NAWS",
    "TSPEED",
    "LFLOW",
    "LINEMODE",
    "XDISPLOC",
    "OLD-ENVIRON",
    "AUTHENTICATION",
    "ENCRYPT",
    "NEW-ENVIRON",
];

const AUTHENTICATION_TYPES: [&str; 16] = [
    "NULL",
    "KERBEROS_V4",
    "KERBEROS_V5",
    "SPX",
    "MINK",
    "SRP",
    "RSA",
    "SSL",
    "",
    "",
    "LOKI",
    "SSA",
    "KEA_SJ",
    "KEA_SJ_INTEG",
    "DSS",
    "NTLM",
];

const ENCRYPTION_COMMANDS: [&str; 9] =
    ["IS", "SUPPORT", "REPLY", "START", "END", "REQUEST-START", "REQUEST-END", "END_KEYID", "DEC_KEYID"];

const ENCRYPTION_TYPES: [&str; 10] = [
    "NULL",
    "DES_CFB64",
    "DES_OFB64",
    "DES3_CFB64",
    "DES3_OFB64",
    "",
    "CAST5_40_CFB64",
    "CAST5_40_OFB64",
    "CAST128_CFB64",
    "CAST128_OFB64",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::tcpdump::sample;

    fn printed(bytes: &[u8]) -> String {
        sample::printed(|line| print(line, bytes, bytes.len() as u32, &sample::ctx()))
    }

    #[test]
    fn commands_at_the_start_are_shown_and_text_is_not() {
        assert_eq!(printed(b"\xff\xfd\x01\xff\xfb\x1flogin: "), " [telnet DO ECHO, WILL NAWS]");
        assert_eq!(printed(b"\xff\xfa\x18\0xt\xff\xf0"), " [telnet SB TERMINAL TYPE IS 0x78 0x74 SE]");
        assert_eq!(printed(b"\xff\xfe\x63\xff\xff"), " [telnet DONT 0x63, IAC IAC]");
        assert_eq!(printed(b"login: \xff\xfd\x01"), "");
        assert_eq!(printed(b"\xff\xf1\xff\xfd"), " [telnet NOP]");
    }

    #[test]
    fn any_octets_are_printed_without_a_panic() {
        for (len, mut bytes) in sample::noise(120) {
            if let Some(first) = bytes.get_mut(..3) {
                first.copy_from_slice(b"\xff\xfa\x26");
            }
            sample::printed(|line| print(line, &bytes, len, &sample::ctx()));
        }
    }
}
