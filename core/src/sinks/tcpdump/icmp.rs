//! ICMP (RFC 792 and those that added types). An error shows what the quoted packet wanted, not the packet.

use super::Out;
use super::names::ip_protocols;
use super::view::{Printed, View};
use crate::sinks::line::Line;

/// Where a quoted IP header begins, and within it the protocol and the destination.
const QUOTE: usize = 8;
const QUOTED_PROTOCOL: usize = QUOTE + 9;
const QUOTED_DST: usize = QUOTE + 16;

/// An ICMP message of `wire_len` octets. Nothing of it is shown where its text cannot be completed.
pub(super) fn print(out: &mut Out<'_>, bytes: &[u8], wire_len: u32) -> Printed {
    let start = out.line.len();
    let view = View::new(bytes, "icmp");
    let printed = message(out.line, &view);
    if printed.is_err() {
        out.line.truncate(start);
    } else {
        out.line.str(", length ").uint(wire_len);
    }
    printed
}

fn message(line: &mut Line, view: &View<'_>) -> Printed {
    let (kind, code) = (view.u8(0)?, view.u8(1)?);
    line.str("ICMP ");
    match kind {
        0 | 8 => {
            line.str(if kind == 8 { "echo request, id " } else { "echo reply, id " });
            line.uint(view.u16(4)?).str(", seq ").uint(view.u16(6)?);
        }
        3 => return unreachable(line, view, code),
        4 => {
            line.str("source quench");
        }
        5 => return redirect(line, view, code),
        9 => return router_advertisement(line, view),
        10 => {
            line.str("router solicitation");
        }
        11 => {
            view.need(QUOTED_DST + 4)?;
            match code {
                0 => line.str("time exceeded in-transit"),
                1 => line.str("ip reassembly time exceeded"),
                _ => line.str("time exceeded-#").uint(code),
            };
        }
        12 if code != 0 => {
            line.str("parameter problem - code ").uint(code);
        }
        12 => {
            line.str("parameter problem - octet ").uint(view.u8(4)?);
        }
        13 => {
            line.str("time stamp query id ").uint(view.u16(4)?).str(" seq ").uint(view.u16(6)?);
        }
        14 => return timestamp_reply(line, view),
        15 => {
            line.str("information request");
        }
        16 => {
            line.str("information reply");
        }
        17 => {
            line.str("address mask request");
        }
        18 => {
            line.str("address mask is 0x").hex(view.u32(8)?.into(), 8);
        }
        other => {
            line.str("type-#").uint(other);
        }
    }
    Ok(())
}

fn unreachable(line: &mut Line, view: &View<'_>, code: u8) -> Printed {
    if code == 3 {
        return port_unreachable(line, view);
    }
    let quoted_protocol = if code == 2 { Some(view.u8(QUOTED_PROTOCOL)?) } else { None };
    let mtu = if code == 4 { view.u16(6)? } else { 0 };
    let (before, after) = match code {
        0 => ("net ", " unreachable"),
        1 => ("host ", " unreachable"),
        2 => ("", " protocol "),
        4 => ("", " unreachable - need to frag"),
        5 => ("", " unreachable - source route failed"),
        6 => ("net ", " unreachable - unknown"),
        7 => ("host ", " unreachable - unknown"),
        8 => ("", " unreachable - source host isolated"),
        9 => ("net ", " unreachable - admin prohibited"),
        10 => ("host ", " unreachable - admin prohibited"),
        11 => ("net ", " unreachable - tos prohibited"),
        12 => ("host ", " unreachable - tos prohibited"),
        13 => ("host ", " unreachable - admin prohibited filter"),
        14 => ("host ", " unreachable - host precedence violation"),
        15 => ("host ", " unreachable - precedence cutoff"),
        _ => ("", " unreachable - #"),
    };
    line.str(before).ipv4(view.ipv4(QUOTED_DST)?).str(after);
    match (code, quoted_protocol) {
        (_, Some(protocol)) => {
            line.uint(protocol).str(" unreachable");
        }
        (4, _) if mtu != 0 => {
            line.str(" (mtu ").uint(mtu).byte(b')');
        }
        (16.., _) => {
            line.uint(code);
        }
        _ => {}
    }
    Ok(())
}

fn port_unreachable(line: &mut Line, view: &View<'_>) -> Printed {
    let header_len = usize::from(view.u8(QUOTE)? & 0xf) * 4;
    let protocol = view.u8(QUOTED_PROTOCOL)?;
    let port = view.u16(QUOTE + header_len + 2)?;
    line.ipv4(view.ipv4(QUOTED_DST)?);
    match protocol {
        ip_protocols::TCP => line.str(" tcp port "),
        ip_protocols::UDP => line.str(" udp port "),
        other => line.str(" protocol ").uint(other).str(" port "),
    };
    line.uint(port).str(" unreachable");
    Ok(())
}

fn redirect(line: &mut Line, view: &View<'_>, code: u8) -> Printed {
    let (destination, gateway) = (view.ipv4(QUOTED_DST)?, view.ipv4(4)?);
    match code {
        0 | 1 => line.str("redirect "),
        2 | 3 => line.str("redirect-tos "),
        other => line.str("redirect-#").uint(other).byte(b' '),
    };
    line.ipv4(destination);
    line.str(match code {
        0 | 2 => " to net ",
        1 | 3 => " to host ",
        _ => " to ",
    });
    line.ipv4(gateway);
    Ok(())
}

/// RFC 1256: how long the routers may be used, and each with its preference.
fn router_advertisement(line: &mut Line, view: &View<'_>) -> Printed {
    view.need(8)?;
    let (count, size, lifetime) = (view.u8(4)?, view.u8(5)?, view.u16(6)?);
    line.str("router advertisement lifetime ");
    match lifetime {
        0..60 => line.uint(lifetime),
        60..3600 => line.uint(lifetime / 60).byte(b':').padded((lifetime % 60).into(), 2),
        _ => {
            line.uint(lifetime / 3600).byte(b':').padded((lifetime % 3600 / 60).into(), 2);
            line.byte(b':').padded((lifetime % 60).into(), 2)
        }
    };
    line.byte(b' ').uint(count).byte(b':');
    if size != 2 {
        line.str(" [size ").uint(size).byte(b']');
        return Ok(());
    }
    for router in 0..usize::from(count) {
        let at = 8 + 8 * router;
        let (address, preference) = (view.ipv4(at)?, view.u32(at + 4)?);
        line.str(" {").ipv4(address).byte(b' ').uint(preference).byte(b'}');
    }
    Ok(())
}

fn timestamp_reply(line: &mut Line, view: &View<'_>) -> Printed {
    view.need(20)?;
    line.str("time stamp reply id ").uint(view.u16(4)?).str(" seq ").uint(view.u16(6)?);
    for (name, at) in [(": org ", 8), (", recv ", 12), (", xmit ", 16)] {
        time_of_day(line.str(name), view.u32(at)?);
    }
    Ok(())
}

/// Milliseconds since midnight.
fn time_of_day(line: &mut Line, ms: u32) {
    let second = u64::from(ms / 1000);
    line.padded(second / 3600, 2).byte(b':').padded(second / 60 % 60, 2).byte(b':').padded(second % 60, 2);
    line.byte(b'.').padded((ms % 1000).into(), 3);
}
