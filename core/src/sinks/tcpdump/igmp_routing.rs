//! Multicast routing protocols that ride on IGMP, as tcpdump prints them: DVMRP and PIM version 1.

use super::{
    chars,
    icmp6::{ipv4_at, u32_at},
};
use crate::sinks::line::Line;

const HEADER_LEN: u32 = 8;

/// The kind of a DVMRP message, and what a prune, a graft or a list of neighbors says.
pub(super) fn dvmrp(line: &mut Line, bytes: &[u8], wire_len: u32) -> Option<()> {
    let kind = *bytes.get(1)?;
    match dvmrp_name(kind) {
        Some(name) => line.byte(b' ').str(name),
        None => line.str(" [type ").uint(kind).byte(b']'),
    };
    match kind {
        4 => neighbors(line, bytes.get(HEADER_LEN as usize..)?, wire_len - HEADER_LEN, Neighbors::Old),
        6 => {
            let [minor, major] = [*bytes.get(6)?, *bytes.get(7)?];
            line.str(" (v ").uint(major).byte(b'.').uint(minor).str("):");
            neighbors(line, bytes.get(HEADER_LEN as usize..)?, wire_len - HEADER_LEN, Neighbors::New)
        }
        7..=9 => {
            let [source, group] = [ipv4_at(bytes, 8)?, ipv4_at(bytes, 12)?];
            line.str(" src ").ipv4(source).str(" grp ").ipv4(group);
            if kind == 7 {
                line.str(" timer ");
                chars::span(line, u32_at(bytes, 16)?);
            }
            Some(())
        }
        _ => Some(()),
    }
}

fn dvmrp_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "Probe",
        2 => "Report",
        3 => "Ask-neighbors(old)",
        4 => "Neighbors(old)",
        5 => "Ask-neighbors2",
        6 => "Neighbors2",
        7 => "Prune",
        8 => "Graft",
        9 => "Graft-ACK",
        _ => return None,
    })
}

/// The two forms of a list of neighbors; the new one has an octet of flags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Neighbors {
    Old,
    New,
}

/// Interfaces, each with its metric, its threshold and the neighbors behind it.
fn neighbors(line: &mut Line, mut bytes: &[u8], mut left: u32, form: Neighbors) -> Option<()> {
    let head_len = if form == Neighbors::New { 8 } else { 7 };
    while left > 0 {
        if left < head_len {
            too_short(line, left, head_len);
            return Some(());
        }
        let (head, rest) = bytes.split_at_checked(head_len as usize)?;
        let (flags, mut count) = match form {
            Neighbors::Old => (0, head[6]),
            Neighbors::New => (head[6], head[7]),
        };
        bytes = rest;
        left -= head_len;
        while count > 0 && (form == Neighbors::Old || left > 0) {
            if left < 4 {
                too_short(line, left, 4);
                return Some(());
            }
            neighbor(line, head, bytes, form, flags)?;
            bytes = bytes.get(4..)?;
            left -= 4;
            count -= 1;
        }
        if count > 0 {
            line.str(" [invalid ncount] (invalid)");
            return Some(());
        }
    }
    Some(())
}

fn too_short(line: &mut Line, left: u32, needed: u32) {
    line.str(" [length ").uint(left).str(" < ").uint(needed).str("] (invalid)");
}

fn neighbor(line: &mut Line, head: &[u8], bytes: &[u8], form: Neighbors, flags: u8) -> Option<()> {
    const FLAGS: [(u8, &str); 5] =
        [(0x01, "/tunnel"), (0x02, "/srcrt"), (0x40, "/querier"), (0x20, "/disabled"), (0x10, "/down")];
    line.str(" [").ipv4(ipv4_at(head, 0)?).str(" ->");
    line.str(if form == Neighbors::New { " " } else { "" });
    let address = ipv4_at(bytes, 0)?;
    line.str(if form == Neighbors::New { "" } else { " " }).ipv4(address);
    line.str(if form == Neighbors::New { " (" } else { ", (" });
    line.uint(*head.get(4)?).byte(b'/').uint(*head.get(5)?);
    for (_, name) in FLAGS.iter().filter(|(bit, _)| flags & bit != 0) {
        line.str(name);
    }
    line.str(")]");
    Some(())
}

/// PIM version 1: its kind and, for some, whom it is about.
pub(super) fn pim_1(line: &mut Line, bytes: &[u8]) -> Option<()> {
    let kind = *bytes.get(1)?;
    match kind {
        0 => mode(line.str(" Query"), bytes.get(8).copied()),
        1 => {
            line.str(" Register");
            between(line, bytes, 20, 24)?;
        }
        2 => {
            line.str(" Register-Stop");
            between(line, bytes, 8, 12)?;
        }
        3 => _ = line.str(" Join/Prune"),
        4 => _ = line.str(" RP-reachable"),
        5 => assert(line.str(" Assert"), bytes)?,
        6 => _ = line.str(" Graft"),
        7 => _ = line.str(" Graft-ACK"),
        _ => _ = line.str(" [type ").uint(kind).byte(b']'),
    }
    let version = *bytes.get(4)? >> 4;
    if version != 1 {
        line.str(" [v").uint(version).byte(b']');
    }
    Some(())
}

fn mode(line: &mut Line, octet: Option<u8>) {
    match octet.map(|octet| octet >> 4) {
        None => line,
        Some(0) => line.str(" Dense-mode"),
        Some(1) => line.str(" Sparse-mode"),
        Some(2) => line.str(" Sparse-Dense-mode"),
        Some(other) => line.str(" mode-").uint(other),
    };
}

fn between(line: &mut Line, bytes: &[u8], source: usize, group: usize) -> Option<()> {
    let [source, group] = [ipv4_at(bytes, source)?, ipv4_at(bytes, group)?];
    line.str(" for ").ipv4(source).str(" > ").ipv4(group);
    Some(())
}

fn assert(line: &mut Line, bytes: &[u8]) -> Option<()> {
    between(line, bytes, 16, 8)?;
    let mask = ipv4_at(bytes, 12)?;
    if !mask.is_broadcast() {
        line.byte(b'/').ipv4(mask);
    }
    let [preference, metric] = [u32_at(bytes, 20)?, u32_at(bytes, 24)?];
    line.str(if preference >> 31 == 1 { " RP-tree pref " } else { " SPT pref " });
    line.uint(preference & 0x7fff_ffff).str(" metric ").uint(metric);
    Some(())
}
