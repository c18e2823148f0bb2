//! One packet as a tree of layers and fields with the octets that they cover, for the packet in hand.

use mirrorscope_core::{
    Decoder, LinkType, Packet, Record,
    field::{self, Field, Value},
    sinks::{
        json::{self, Object},
        line::Line,
    },
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{decoder::RawDecoder, output};

/// The layer tree of a record, as JSON. `link_type` is a number of <https://www.tcpdump.org/linktypes.html>.
#[wasm_bindgen]
pub fn dissect(octets: &[u8], link_type: u16, original_len: u32) -> String {
    tree(&Decoder::default(), octets, link_type, original_len)
}

#[wasm_bindgen]
impl RawDecoder {
    /// As [`dissect`], with this decoder's ports.
    pub fn dissect(&self, octets: &[u8], link_type: u16, original_len: u32) -> String {
        tree(self.decoder(), octets, link_type, original_len)
    }
}

pub(crate) fn tree(decoder: &Decoder, octets: &[u8], link_type: u16, original_len: u32) -> String {
    let record = Record {
        number: 1,
        timestamp_ns: 0,
        interface: 0,
        link_type: LinkType(link_type),
        original_len: original_len.max(u32::try_from(octets.len()).unwrap_or(u32::MAX)),
        offset: 0,
        data: octets,
    };
    let packet = Packet::decode(decoder, record);
    let mut line = Line::default();
    json::object(&mut line, |json| members(&packet, json));
    output::text(&line)
}

fn members(packet: &Packet<'_>, json: &mut Object<'_>) {
    json.uint("subject", packet.subject as u64);
    json.array("layers", field::tree(&packet.stack).iter(), |line, node| {
        json::object(line, |json| {
            let span = &node.span;
            json.text("key", span.layer.key()).text("name", span.layer.name());
            json.uint("offset", span.offset).uint("headerLen", span.payload - span.offset);
            json.uint("end", span.end).uint("capturedEnd", span.limit.max(span.payload));
            json.bool("complete", node.complete);
            fields(&node.fields, "fields", json);
        });
    });
    if let Some(stop) = packet.stack.stop() {
        json.object("error", |json| {
            json.text("layer", stop.layer.key()).uint("offset", stop.offset);
            json.uint("needed", stop.needed).uint("had", stop.had).text("message", &stop.to_string());
        });
    }
}

fn fields(list: &[Field], key: &str, json: &mut Object<'_>) {
    json.array(key, list.iter(), |line, field| json::object(line, |json| members_of(field, json)));
}

fn members_of(field: &Field, json: &mut Object<'_>) {
    json.text("key", field.key).text("label", field.label);
    match field.value {
        Value::Uint(value) if value < 1 << 53 => json.uint("value", value),
        Value::Flag(value) => json.bool("value", value),
        Value::Group => json,
        // JavaScript's numbers are exact to 53 bits only, and hexadecimal is how people read the others.
        ref value => json.text("value", &value.to_string()),
    };
    json.uint("offset", field.offset).uint("len", field.len);
    if let Some(meaning) = &field.meaning {
        json.text("meaning", meaning);
    }
    if !field.children.is_empty() {
        fields(&field.children, "children", json);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_packet_names_its_layer_and_where_it_was_cut() {
        let cut_in_the_type = [0xff; 13];
        let tree = dissect(&cut_in_the_type, 1, 60);
        let tree: serde_json::Value = serde_json::from_str(&tree).unwrap_or_default();
        assert_eq!(tree["layers"][0]["complete"], false);
        assert_eq!(tree["error"]["had"], 13);
    }

    #[test]
    fn an_ethernet_frame_is_one_layer_where_nothing_else_is_known() {
        let mut frame = [0; 14];
        frame[12..].copy_from_slice(&0x88b5_u16.to_be_bytes()); // local experimental EtherType
        let tree: serde_json::Value = serde_json::from_str(&dissect(&frame, 1, 14)).unwrap_or_default();
        assert_eq!(tree["layers"].as_array().map(Vec::len), Some(1));
        assert_eq!(tree["layers"][0]["fields"][2]["offset"], 12);
    }
}
