//! One JSON object a packet, on one line: `agent/schema/packet.schema.json` says what each member means.
//!
//! Members describe the mirrored (or inline) packet; what the tunnels say stands in `mirror`, `gwlb` and
//! `outer`. A member that does not apply is left out, never null.

use core::net::IpAddr;

use super::{line::Line, time};
use crate::{
    aws::{
        gwlb::GwlbContext,
        mirror::{MirrorIdentity, NameOf},
    },
    layers::{Layer, vlan},
    packet::{Envelope, Packet},
    stack::Span,
};

/// Appends the object and a line end. `name_of` says what the mirror source is called, where that is known.
pub fn print(packet: &Packet<'_>, name_of: NameOf<'_>, line: &mut Line) {
    object(line, |json| members(packet, name_of, json));
    line.byte(b'\n');
}

/// Appends a JSON object whose members `write` adds.
pub fn object(line: &mut Line, write: impl FnOnce(&mut Object<'_>)) {
    line.byte(b'{');
    write(&mut Object { line, first: true });
    line.byte(b'}');
}

/// A JSON object under construction.
#[derive(Debug)]
pub struct Object<'a> {
    line: &'a mut Line,
    first: bool,
}

// Keys are known where they are written: put there at once, they are a few moves, and not worth a call. Where size is what
// matters, they are called.
impl Object<'_> {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn key(&mut self, key: &str) -> &mut Line {
        self.begin(key, "")
    }

    /// A key, and how its value begins.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn begin(&mut self, key: &str, value: &str) -> &mut Line {
        match core::mem::take(&mut self.first) {
            true => self.line.strs(["\"", key, "\":", value]),
            false => self.line.strs([",\"", key, "\":", value]),
        }
    }

    /// A number.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn uint(&mut self, key: &str, value: impl Into<u64>) -> &mut Self {
        self.key(key).uint(value);
        self
    }

    /// A number that may be negative.
    pub fn int(&mut self, key: &str, value: i64) -> &mut Self {
        self.key(key).int(value);
        self
    }

    /// `null`.
    pub fn null(&mut self, key: &str) -> &mut Self {
        self.begin(key, "null");
        self
    }

    /// A truth value.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.begin(key, if value { "true" } else { "false" });
        self
    }

    /// Text, escaped.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        string(self.key(key), value);
        self
    }

    /// Text that `write` appends; it must need no escaping.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn plain(&mut self, key: &str, write: impl FnOnce(&mut Line)) -> &mut Self {
        let line = self.begin(key, "\"");
        write(line);
        line.byte(b'"');
        self
    }

    /// An object.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) -> &mut Self {
        object(self.key(key), write);
        self
    }

    /// An array, one element for each item that `write` is called with.
    pub fn array<T>(
        &mut self,
        key: &str,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Line, T),
    ) -> &mut Self {
        let line = self.begin(key, "[");
        for (i, item) in items.enumerate() {
            if i > 0 {
                line.byte(b',');
            }
            write(line, item);
        }
        line.byte(b']');
        self
    }

    /// An IP address.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn ip(&mut self, key: &str, address: IpAddr) -> &mut Self {
        self.plain(key, |line| {
            line.ip(address);
        })
    }

    /// A time as RFC 3339 text in UTC with nanoseconds.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn time(&mut self, key: &str, timestamp_ns: i64) -> &mut Self {
        self.plain(key, |line| {
            time::rfc3339(line, timestamp_ns);
        })
    }
}

/// Appends `text` as a JSON string.
pub fn string(line: &mut Line, text: &str) {
    let is_plain = |octet| !matches!(octet, b'"' | b'\\' | 0..0x20 | 0x7f);
    if text.bytes().all(is_plain) {
        line.strs(["\"", text, "\""]);
        return;
    }
    line.byte(b'"');
    for octet in text.bytes() {
        match octet {
            b'"' | b'\\' => line.byte(b'\\').byte(octet),
            b'\n' => line.str("\\n"),
            b'\r' => line.str("\\r"),
            b'\t' => line.str("\\t"),
            0..0x20 | 0x7f => line.str("\\u").hex(octet.into(), 4),
            _ => line.byte(octet),
        };
    }
    line.byte(b'"');
}

fn members(packet: &Packet<'_>, name_of: NameOf<'_>, json: &mut Object<'_>) {
    let record = &packet.record;
    json.uint("packet", record.number).time("time", record.timestamp_ns).uint("interface", record.interface);
    json.uint("len", record.original_len).uint("captured_len", record.data.len() as u64);
    envelope(packet, name_of, json);
    json.array("layers", packet.subject_layers().iter(), |line, span| {
        line.strs(["\"", span.layer.key(), "\""]);
    });
    subject(packet, json);
    missing(packet, json);
}

fn envelope(packet: &Packet<'_>, name_of: NameOf<'_>, json: &mut Object<'_>) {
    json.text(
        "envelope",
        match packet.envelope {
            Envelope::Mirrored(_) => "mirrored",
            Envelope::Inline(_) => "inline",
            Envelope::Bare => "none",
        },
    );
    if let Some(context) = packet.mirror() {
        json.object("mirror", |json| {
            identity(&context.identity, json);
            if let Some(name) = name_of(&context.identity) {
                json.text("name", name);
            }
        });
    }
    if let Some(context) = packet.gwlb() {
        json.object("gwlb", |json| gwlb(context, json));
    }
    if packet.subject > 0 {
        json.object("outer", |json| tuple(packet, packet.envelope_layers(), json));
    }
}

/// Members `endpoint`, `vni` and `source`.
pub fn identity(identity: &MirrorIdentity, json: &mut Object<'_>) {
    if let Some(endpoint_id) = identity.endpoint_id {
        json.plain("endpoint", |line| {
            line.str("vpce-").hex(endpoint_id.0, 17);
        });
    }
    json.uint("vni", identity.vni).ip("source", identity.source);
}

fn gwlb(context: &GwlbContext, json: &mut Object<'_>) {
    json.plain("endpoint", |line| {
        line.str("vpce-").hex(context.endpoint_id.0, 17);
    });
    if let Some(attachment_id) = context.attachment_id {
        json.plain("attachment", |line| {
            line.str("0x").hex(attachment_id, 16);
        });
    }
    if let Some(flow_cookie) = context.flow_cookie {
        json.uint("cookie", flow_cookie);
    }
}

/// Addresses and ports of the first IP and transport layer among `layers`.
fn tuple(packet: &Packet<'_>, layers: &[Span], json: &mut Object<'_>) {
    if let Some((src, dst)) = layers.iter().find_map(|span| packet.stack.addresses(span)) {
        json.ip("src", src).ip("dst", dst);
    }
    if let Some((src, dst)) = layers.iter().find_map(|span| packet.stack.ports(span)) {
        json.uint("src_port", src).uint("dst_port", dst);
    }
}

/// The first layer of each kind in the subject; a tunnel inside the mirrored frame shows in `layers`, and its
/// innermost addresses and ports in `inner`.
fn subject(packet: &Packet<'_>, json: &mut Object<'_>) {
    let layers = packet.subject_layers();
    let mut seen = 0u64;
    for (index, span) in layers.iter().enumerate() {
        let bit = 1 << span.layer as u8;
        if seen & bit == 0 {
            seen |= bit;
            layer(packet, &layers[index..], json);
        }
    }
    let is_ip = |span: &Span| matches!(span.layer, Layer::Ipv4 | Layer::Ipv6);
    if let Some(innermost) = layers.iter().rposition(is_ip)
        && layers.iter().position(is_ip) != Some(innermost)
    {
        json.object("inner", |json| tuple(packet, &layers[innermost..], json));
    }
}

fn layer(packet: &Packet<'_>, layers: &[Span], json: &mut Object<'_>) {
    let Some(span) = layers.first() else { return };
    let header = packet.stack.header(span);
    match span.layer {
        Layer::Ethernet => ethernet(header, json),
        Layer::Vlan => vlans(packet, layers, json),
        Layer::Arp => arp(header, json),
        Layer::Ipv4 => ipv4(header, span, json),
        Layer::Ipv6 => ipv6(header, span, json),
        Layer::Tcp => tcp(header, span, json),
        Layer::Udp => udp(header, span, json),
        Layer::Icmp | Layer::Icmpv6 => icmp(span.layer.key(), header, json),
        _ => {}
    }
}

fn ethernet(header: &[u8], json: &mut Object<'_>) {
    let [Some(dst), Some(src)] = [header.get(..6), header.get(6..12)] else { return };
    json.object("eth", |json| {
        json.plain("src", |line| {
            line.mac(src);
        });
        json.plain("dst", |line| {
            line.mac(dst);
        });
        if let Some(value) = be16(header, 12) {
            json.uint("type", value);
        }
    });
}

fn vlans(packet: &Packet<'_>, layers: &[Span], json: &mut Object<'_>) {
    let tags = layers.iter().take_while(|span| span.layer == Layer::Vlan);
    let tags = tags.filter_map(|span| vlan::tag(packet.stack.header(span)));
    json.array("vlan", tags, |line, (priority, drop_eligible, id)| {
        object(line, |json| {
            json.uint("id", id).uint("priority", priority).bool("drop_eligible", drop_eligible);
        });
    });
}

fn arp(header: &[u8], json: &mut Object<'_>) {
    let Some(operation) = be16(header, 6) else { return };
    json.object("arp", |json| {
        json.uint("operation", operation);
        if be16(header, 4) == Some(0x0604) {
            for (key, at) in [("sender_ip", 14), ("target_ip", 24)] {
                if let Some(octets) = header.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
                    json.ip(key, (*octets).into());
                }
            }
        }
    });
}

fn ipv4(header: &[u8], span: &Span, json: &mut Object<'_>) {
    let Some(fixed) = header.first_chunk::<20>() else { return };
    json.object("ip", |json| {
        json.ip("src", [fixed[12], fixed[13], fixed[14], fixed[15]].into());
        json.ip("dst", [fixed[16], fixed[17], fixed[18], fixed[19]].into());
        json.uint("version", 4u8).uint("protocol", fixed[9]).uint("ttl", fixed[8]);
        json.uint("len", span.wire_len()).uint("id", u16::from_be_bytes([fixed[4], fixed[5]]));
        let fragment = u16::from_be_bytes([fixed[6], fixed[7]]);
        if fragment & 0x3fff != 0 {
            json.uint("fragment_offset", (fragment & 0x1fff) * 8)
                .bool("more_fragments", fragment & 0x2000 != 0);
        }
    });
}

fn ipv6(header: &[u8], span: &Span, json: &mut Object<'_>) {
    let Some((fixed, _)) = header.split_first_chunk::<8>() else { return };
    let addresses = [8, 24].map(|at| header.get(at..).and_then(|rest| rest.first_chunk::<16>()));
    let [Some(src), Some(dst)] = addresses else { return };
    json.object("ip", |json| {
        json.ip("src", (*src).into()).ip("dst", (*dst).into());
        json.uint("version", 6u8).uint("protocol", fixed[6]).uint("ttl", fixed[7]);
        json.uint("len", span.wire_len());
    });
}

fn tcp(header: &[u8], span: &Span, json: &mut Object<'_>) {
    json.object("tcp", |json| {
        ports(header, json);
        if let Some(fixed) = header.first_chunk::<20>() {
            json.uint("seq", u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]));
            json.uint("ack", u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]));
            json.plain("flags", |line| super::brief::tcp_flags(line, fixed[13]));
            json.uint("window", u16::from_be_bytes([fixed[14], fixed[15]]))
                .uint("payload_len", span.payload_len());
        }
    });
}

fn udp(header: &[u8], span: &Span, json: &mut Object<'_>) {
    json.object("udp", |json| {
        ports(header, json);
        json.uint("payload_len", span.payload_len());
    });
}

fn ports(header: &[u8], json: &mut Object<'_>) {
    if let [Some(src), Some(dst)] = [be16(header, 0), be16(header, 2)] {
        json.uint("src_port", src).uint("dst_port", dst);
    }
}

fn icmp(key: &str, header: &[u8], json: &mut Object<'_>) {
    if let [kind, code, ..] = *header {
        json.object(key, |json| {
            json.uint("type", kind).uint("code", code);
        });
    }
}

fn missing(packet: &Packet<'_>, json: &mut Object<'_>) {
    let missing = packet.stack.layers().iter().map(Span::missing_len).max().unwrap_or_default();
    json.bool("truncated", missing > 0);
    if missing > 0 {
        json.uint("missing_len", missing);
    }
    if let Some(stop) = packet.stack.stop() {
        json.object("error", |json| {
            json.text("layer", stop.layer.key()).uint("offset", stop.offset);
            json.uint("needed", stop.needed).uint("had", stop.had).text("message", &stop.to_string());
        });
    }
}

fn be16(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}
