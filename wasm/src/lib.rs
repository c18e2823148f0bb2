//! Bindings of `mirrorscope-core` for JavaScript: they translate and do not think.

use mirrorscope_core::{Decoder, LinkType, Packet, Record};
use wasm_bindgen::prelude::wasm_bindgen;

/// The version of the decoder.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The layers of one packet, outermost first, separated by spaces; where the walk stopped early, a last line says why.
///
/// `link_type` is a number of <https://www.tcpdump.org/linktypes.html>, such as 1 for Ethernet.
#[wasm_bindgen]
pub fn layers(packet: &[u8], link_type: u16) -> String {
    let record = Record {
        number: 1,
        timestamp_ns: 0,
        interface: 0,
        link_type: LinkType(link_type),
        original_len: u32::try_from(packet.len()).unwrap_or(u32::MAX),
        offset: 0,
        data: packet,
    };
    let stack = Packet::decode(&Decoder::default(), record).stack;
    let names: Vec<_> = stack.layers().iter().map(|span| span.layer.name()).collect();
    match stack.stop() {
        Some(stop) => format!("{}\n{stop}", names.join(" ")),
        None => names.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_packet_names_its_layers_and_where_it_was_cut() {
        let cut_in_the_type = [0xff; 13];
        assert!(layers(&cut_in_the_type, 1).lines().nth(1).is_some_and(|line| !line.is_empty()));
    }

    #[test]
    fn an_ethernet_frame_is_one_layer_where_nothing_else_is_known() {
        let mut frame = [0; 14];
        frame[12..].copy_from_slice(&0x88b5_u16.to_be_bytes()); // local experimental EtherType
        assert_eq!(layers(&frame, 1).lines().next().map(|line| line.split(' ').count()), Some(1));
    }
}
