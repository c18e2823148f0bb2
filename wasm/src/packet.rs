//! One packet as a tree of layers and fields with the octets that they cover, for the packet in hand.
//!
//! Only here are objects built on this side of the boundary, by `serde-wasm-bindgen`: they cost many times what a row of
//! columns costs, and one packet is all that is looked at. `PacketTree` in `types.ts` says the same in TypeScript.

use mirrorscope_core::{
    Decoder, LinkType, Packet, Record,
    field::{self, Field, LayerNode, Value},
};
use serde::Serialize;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

/// Numbers from here on are not exact in JavaScript.
const FIRST_UNSAFE: u64 = 1 << 53;

/// The layer tree of a record. `link_type` is a number of <https://www.tcpdump.org/linktypes.html>.
#[wasm_bindgen]
pub fn dissect(octets: &[u8], link_type: u16, original_len: u32) -> JsValue {
    object(&Decoder::default(), octets, link_type, original_len)
}

/// The layer tree as an object of JavaScript.
pub(crate) fn object(decoder: &Decoder, octets: &[u8], link_type: u16, original_len: u32) -> JsValue {
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
    // Fails only for numbers that are not exact in JavaScript, of which the tree has none.
    serde_wasm_bindgen::to_value(&Tree::of(&packet)).unwrap_or(JsValue::NULL)
}

#[derive(Serialize)]
struct Tree {
    subject: usize,
    layers: Vec<LayerTree>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Stop>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerTree {
    key: &'static str,
    name: &'static str,
    offset: u32,
    header_len: u32,
    end: u32,
    captured_end: u32,
    complete: bool,
    fields: Vec<FieldTree>,
}

#[derive(Serialize)]
struct FieldTree {
    key: &'static str,
    label: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Scalar>,
    offset: u32,
    len: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<FieldTree>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Scalar {
    Number(u64),
    Flag(bool),
    Text(String),
}

#[derive(Serialize)]
struct Stop {
    layer: &'static str,
    offset: u32,
    needed: u32,
    had: u32,
    message: String,
}

impl Tree {
    fn of(packet: &Packet<'_>) -> Self {
        let stop = packet.stack.stop();
        Self {
            subject: packet.subject,
            layers: field::tree(&packet.stack).into_iter().map(LayerTree::of).collect(),
            error: stop.map(|stop| Stop {
                layer: stop.layer.key(),
                offset: stop.offset,
                needed: stop.needed,
                had: stop.had,
                message: stop.to_string(),
            }),
        }
    }
}

impl LayerTree {
    fn of(node: LayerNode) -> Self {
        let span = &node.span;
        Self {
            key: span.layer.key(),
            name: span.layer.name(),
            offset: span.offset,
            header_len: span.payload - span.offset,
            end: span.end,
            captured_end: span.limit.max(span.payload),
            complete: node.complete,
            fields: node.fields.into_iter().map(FieldTree::of).collect(),
        }
    }
}

impl FieldTree {
    fn of(field: Field) -> Self {
        Self {
            key: field.key,
            label: field.label,
            value: Scalar::of(&field.value),
            offset: field.offset,
            len: field.len,
            meaning: field.meaning.map(String::from),
            children: field.children.into_iter().map(Self::of).collect(),
        }
    }
}

impl Scalar {
    /// Large numbers become the text that the native program prints: people read them in hexadecimal.
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Uint(value) if *value < FIRST_UNSAFE => Self::Number(*value),
            Value::Flag(value) => Self::Flag(*value),
            Value::Group => return None,
            value => Self::Text(value.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(octets: &[u8], original_len: u32) -> serde_json::Value {
        let record = Record {
            number: 1,
            timestamp_ns: 0,
            interface: 0,
            link_type: LinkType(1),
            original_len,
            offset: 0,
            data: octets,
        };
        serde_json::to_value(Tree::of(&Packet::decode(&Decoder::default(), record))).unwrap_or_default()
    }

    #[test]
    fn a_cut_packet_names_its_layer_and_where_it_was_cut() {
        let cut_in_the_type = [0xff; 13];
        let tree = tree(&cut_in_the_type, 60);
        assert_eq!(tree["layers"][0]["complete"], false);
        assert_eq!(tree["error"]["had"], 13);
    }

    #[test]
    fn an_ethernet_frame_is_one_layer_where_nothing_else_is_known() {
        let mut frame = [0; 14];
        frame[12..].copy_from_slice(&0x88b5_u16.to_be_bytes()); // local experimental EtherType
        let tree = tree(&frame, 14);
        assert_eq!(tree["layers"].as_array().map(Vec::len), Some(1));
        assert_eq!(tree["layers"][0]["fields"][2]["offset"], 12);
    }

    #[test]
    fn a_number_that_javascript_cannot_hold_becomes_text() {
        let of = |value| serde_json::to_value(Scalar::of(&Value::Uint(value))).unwrap_or_default();
        assert_eq!(of(FIRST_UNSAFE - 1), FIRST_UNSAFE - 1);
        assert_eq!(of(FIRST_UNSAFE), "9007199254740992");
    }
}
