//! The layer tree of one packet (`-v`) and its octets (`-x`), for people.

use super::line::Line;
use crate::{
    field::{self, Field, Value},
    packet::Packet,
};

/// Octets in one row of a hex dump.
const ROW_LEN: usize = 16;

/// Appends what is asked for beneath a packet: its layers, and its octets where `hex` is not 0, of the subject alone
/// where it is 1.
pub fn print(packet: &Packet<'_>, layers: bool, hex: u8, line: &mut Line) {
    if layers {
        print_tree(packet, line);
    }
    match hex {
        0 => {}
        1 => print_hex(packet.subject_bytes(), line),
        _ => print_hex(packet.record.data, line),
    }
}

/// Appends every layer with its fields: octets covered, label, value, meaning.
pub fn print_tree(packet: &Packet<'_>, line: &mut Line) {
    for (index, node) in field::tree(&packet.stack).iter().enumerate() {
        let span = &node.span;
        let place = if index < packet.subject { "  " } else { "* " };
        line.str(place)
            .str(span.layer.name())
            .str(", octets ")
            .uint(span.offset)
            .str("..")
            .uint(span.payload);
        line.str(if node.complete { "\n" } else { " (incomplete)\n" });
        node.fields.iter().for_each(|field| print_field(field, 2, line));
    }
    if let Some(stop) = packet.stack.stop() {
        line.fmt(format_args!("  ! {stop}\n"));
    }
    print_data(packet, line);
}

fn print_field(field: &Field, depth: usize, line: &mut Line) {
    for _ in 0..depth {
        line.str("  ");
    }
    line.str(field.label);
    if field.value != Value::Group {
        line.fmt(format_args!(": {}", field.value));
    }
    if let Some(meaning) = &field.meaning {
        line.str(" (").str(meaning).byte(b')');
    }
    line.fmt(format_args!("  [{} @{}+{}]\n", field.key, field.offset, field.len));
    field.children.iter().for_each(|child| print_field(child, depth + 1, line));
}

fn print_data(packet: &Packet<'_>, line: &mut Line) {
    let Some(last) = packet.stack.layers().last() else { return };
    if last.payload_len() > 0 && packet.stack.stop().is_none() {
        line.str("  Data, octets ").uint(last.payload).str("..").uint(last.end);
        if last.missing_len() > 0 {
            line.str(", ").uint(last.missing_len()).str(" not captured");
        }
        line.byte(b'\n');
    }
}

/// Appends `octets` as offset, hexadecimal and printable characters, sixteen a row.
pub fn print_hex(octets: &[u8], line: &mut Line) {
    for (row, octets) in octets.chunks(ROW_LEN).enumerate() {
        line.str("\t0x").hex((row * ROW_LEN) as u64, 4).str(": ");
        for pair in octets.chunks(2) {
            line.byte(b' ').hex_bytes(pair);
        }
        let blank = (ROW_LEN - octets.len()) * 2 + (ROW_LEN / 2 - octets.len().div_ceil(2)) + 2;
        (0..blank).for_each(|_| {
            line.byte(b' ');
        });
        octets.iter().for_each(|octet| {
            line.byte(if octet.is_ascii_graphic() { *octet } else { b'.' });
        });
        line.byte(b'\n');
    }
}
