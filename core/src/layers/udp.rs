//! UDP (RFC 768). A length of 0 is what jumbograms and frames that are segmented later carry.
//!
//! A length beyond the IP packet is normal in the first fragment of a datagram; the layer then ends where the
//! IP packet ends.

use etherparse::UdpHeaderSlice;

use super::{Cursor, Header, Layer, Next, geneve, vxlan};
use crate::{error::Fault, field::Fields};

/// Octets of a UDP header.
pub const HEADER_LEN: usize = 8;

#[inline]
pub(super) fn parse(at: &Cursor<'_>) -> Result<Header, Fault> {
    let rest = at.rest();
    let header = UdpHeaderSlice::from_slice(rest).map_err(|_| Fault::cut(HEADER_LEN, rest.len()))?;
    let end = match u32::from(header.length()) {
        0 => at.end,
        len if len < HEADER_LEN as u32 => return Err(Fault::bad("length", 4, HEADER_LEN as u32, len)),
        len => at.end.min(at.offset + len),
    };
    let (src, dst) = (header.source_port(), header.destination_port());
    Ok(Header { header_len: HEADER_LEN as u32, end, next: tunnel(at, src, dst) })
}

/// The destination port decides. The source port alone counts only where the octets look right, because any
/// client may own port 4789 or 6081 for a moment.
#[inline]
fn tunnel(at: &Cursor<'_>, src: u16, dst: u16) -> Next {
    let decoder = at.decoder;
    if decoder.vxlan_ports.contains(dst) {
        return Next { layer: Some(Layer::Vxlan), via: dst };
    }
    if decoder.geneve_ports.contains(dst) {
        return Next { layer: Some(Layer::Geneve), via: dst };
    }
    let inside = Cursor { offset: at.offset + HEADER_LEN as u32, ..*at };
    if decoder.vxlan_ports.contains(src) && vxlan::is_plausible(&inside) {
        return Next { layer: Some(Layer::Vxlan), via: src };
    }
    if decoder.geneve_ports.contains(src) && geneve::is_plausible(&inside) {
        return Next { layer: Some(Layer::Geneve), via: src };
    }
    Next { layer: None, via: dst }
}

pub(super) fn fields(fields: &mut Fields<'_>) {
    fields.uint("udp.srcport", "Source port", 0, 2).uint("udp.dstport", "Destination port", 2, 2);
    fields.uint("udp.length", "Length", 4, 2).hex("udp.checksum", "Checksum", 6, 2);
}
