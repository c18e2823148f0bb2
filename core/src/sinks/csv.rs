//! Packets as CSV (RFC 4180 but for the line ends, which are `\n`): one packet, one line, [`HEADER`] first.
//!
//! Text from the network never begins a cell with a sign by which a spreadsheet takes it for a formula.

use super::{
    brief,
    line::Line,
    sessions::{self, Key},
    time,
};
use crate::packet::Packet;

/// The columns.
pub const HEADER: &str =
    "number,time,kind,endpoint,vni,mirror_source,src,src_port,dst,dst_port,protocol,length,captured,info\n";

/// Appends a packet's line.
pub fn print(packet: &Packet<'_>, line: &mut Line) {
    let key = Key::of(packet);
    let summary = brief::summary(packet);
    line.uint(packet.record.number).byte(b',');
    time::rfc3339(line, packet.record.timestamp_ns).byte(b',').str(sessions::kind_name(&key));
    sessions::csv_identity(&key, line.byte(b','));
    for end in 0..2 {
        line.byte(b',');
        let end = summary.ends.map(|ends| ends[end]);
        if let Some((address, port)) = end {
            line.ip(address);
            line.byte(b',');
            if let Some(port) = port {
                line.uint(port);
            }
        } else {
            line.byte(b',');
        }
    }
    cell(line.byte(b','), &summary.protocol).byte(b',').uint(packet.subject_len());
    line.byte(b',').uint(packet.subject_bytes().len() as u64);
    cell(line.byte(b','), &summary.info).byte(b'\n');
}

/// A cell that no spreadsheet computes.
fn cell<'a>(line: &'a mut Line, text: &str) -> &'a mut Line {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return sessions::csv_cell(line, &format!("'{text}"));
    }
    sessions::csv_cell(line, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{LinkType, Record},
        stack::Decoder,
    };

    #[test]
    fn a_line_has_the_columns_of_the_header() {
        let data = [
            0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
            0x9c, 0x40, 0, 99, 0, 11, 0, 0, 1, 2, 3, // UDP
        ];
        let link_type = LinkType::RAW;
        let (number, original_len) = (7, 31);
        let record =
            Record { number, timestamp_ns: 1, interface: 0, link_type, original_len, offset: 0, data: &data };
        let mut line = Line::default();
        print(&Packet::decode(&Decoder::default(), record), &mut line);
        let text = String::from_utf8_lossy(line.as_bytes()).into_owned();
        assert_eq!(
            text,
            "7,1970-01-01T00:00:00.000000001Z,other,,,,10.0.0.1,40000,10.0.0.2,99,UDP,31,31,3\n"
        );
        assert_eq!(text.matches(',').count(), HEADER.matches(',').count());
    }

    #[test]
    fn text_that_looks_like_a_formula_is_quoted() {
        let mut line = Line::default();
        cell(&mut line, "=1,2");
        assert_eq!(line.as_bytes(), b"\"'=1,2\"");
    }
}
