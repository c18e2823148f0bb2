//! The stack of layers of one packet, outermost first, each with its place in the record's octets.
//!
//! The walk never fails: where a header is cut or wrong, everything before it is kept and [`Stack::stop`] says
//! what happened. Each layer knows two ends: where its own headers say that it ends, and where the captured
//! octets end. The two differ when the capture or the mirror session cut the packet.

use core::ops::Range;

use arrayvec::ArrayVec;

use crate::{
    error::{Cause, DecodeError},
    express,
    layers::{self, Cursor, Layer},
    record::{LinkType, Record},
};

/// Deepest stack that is walked. A mirrored packet in GWLB traffic has ten layers; the rest is room for VLAN
/// tags, IPv6 extension headers and tunnels inside the mirrored frame.
pub const MAX_LAYERS: usize = 32;

/// How to decode: the settings that the bytes themselves do not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder {
    /// UDP ports that carry Geneve (RFC 8926: 6081).
    pub geneve_ports: Ports,
    /// UDP ports that carry VXLAN (RFC 7348: 4789).
    pub vxlan_ports: Ports,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            geneve_ports: Ports::new(&[layers::geneve::UDP_PORT]),
            vxlan_ports: Ports::new(&[layers::vxlan::UDP_PORT]),
        }
    }
}

/// A few UDP ports, at most [`Ports::MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(ArrayVec<u16, { Self::MAX }>);

impl Ports {
    /// The most ports that one protocol can be given.
    pub const MAX: usize = 8;

    /// The first [`Ports::MAX`] of `ports`.
    pub fn new(ports: &[u16]) -> Self {
        Self(ports.iter().copied().take(Self::MAX).collect())
    }

    /// Whether `port` is one of them. Nearly always there is one, and the first.
    #[inline]
    pub fn contains(&self, port: u16) -> bool {
        match self.0.as_slice() {
            [only] => *only == port,
            several => several.contains(&port),
        }
    }
}

/// One layer's place in the record. All positions are octets from the start of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which protocol.
    pub layer: Layer,
    /// The value that led here: EtherType, IP protocol, UDP port or link type; 0 where the layer before had none.
    pub via: u16,
    /// First octet of the header.
    pub offset: u32,
    /// First octet behind the header. For a header that is cut: where the captured octets end.
    pub payload: u32,
    /// Where this layer ends by its own length field (or by that of the layer around it). May lie beyond the
    /// captured octets.
    pub end: u32,
    /// Where the captured octets of this layer end; never beyond `end` or the record.
    pub limit: u32,
}

impl Span {
    /// The header's octets.
    pub fn header(&self) -> Range<usize> {
        self.offset as usize..self.payload as usize
    }

    /// The captured octets behind the header.
    pub fn body(&self) -> Range<usize> {
        self.payload as usize..self.limit.max(self.payload) as usize
    }

    /// Octets of header and payload on the wire, by the lengths in the headers.
    pub fn wire_len(&self) -> u32 {
        self.end.saturating_sub(self.offset)
    }

    /// Octets that the payload had on the wire, by the lengths in the headers.
    pub fn payload_len(&self) -> u32 {
        self.end.saturating_sub(self.payload)
    }

    /// Octets missing at the end of this layer.
    pub fn missing_len(&self) -> u32 {
        self.end.saturating_sub(self.limit)
    }
}

/// The layers of one packet and, where the walk ended early, why.
#[derive(Clone, Debug)]
pub struct Stack<'a> {
    bytes: &'a [u8],
    layers: ArrayVec<Span, MAX_LAYERS>,
    stop: Option<DecodeError>,
}

impl<'a> Stack<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, layers: ArrayVec::new(), stop: None }
    }

    /// Forgets what was read.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.layers.clear();
        self.stop = None;
    }

    /// Adds a layer inside those that were read.
    #[inline(always)]
    pub(crate) fn push(&mut self, span: Span) {
        self.layers.push(span);
    }

    /// The layers that were reached, outermost first. The last one may be incomplete: see [`Stack::stop`].
    #[inline]
    pub fn layers(&self) -> &[Span] {
        &self.layers
    }

    /// Why the walk ended before the payload of the innermost layer, if it did.
    pub fn stop(&self) -> Option<DecodeError> {
        self.stop
    }

    /// The record's octets.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The octets of a span's header.
    #[inline]
    pub fn header(&self, span: &Span) -> &'a [u8] {
        self.bytes.get(span.header()).unwrap_or_default()
    }

    /// The captured octets behind a span's header, without link-layer padding.
    #[inline]
    pub fn payload(&self, span: &Span) -> &'a [u8] {
        self.bytes.get(span.body()).unwrap_or_default()
    }

    /// The header's octets and everything captured behind them.
    #[inline]
    pub fn from(&self, span: &Span) -> &'a [u8] {
        self.bytes.get(span.offset as usize..span.limit as usize).unwrap_or_default()
    }

    /// Whether octets that were on the wire are missing: cut by the capture or by the mirror session.
    #[inline]
    pub fn is_truncated(&self) -> bool {
        self.layers.iter().any(|span| span.missing_len() > 0)
    }

    /// Whether the header of layer `index` was read whole.
    pub fn is_complete(&self, index: usize) -> bool {
        index + 1 < self.layers.len() || self.stop.is_none_or(|stop| stop.cause == Cause::TooDeep)
    }
}

impl Decoder {
    /// Walks through the layers of `record`. Allocates nothing and cannot fail.
    #[inline]
    pub fn decode<'a>(&self, record: &Record<'a>) -> Stack<'a> {
        let mut stack = Stack::new(record.data);
        self.decode_into(record, &mut stack);
        stack
    }

    /// As [`Decoder::decode`], into an empty stack that already lies where it is wanted: moving one costs as
    /// much as reading two headers.
    #[inline]
    pub(crate) fn decode_into(&self, record: &Record<'_>, stack: &mut Stack<'_>) {
        let captured = record.data.len() as u32;
        let first = layers::by_link_type(record.link_type, record.data);
        let start = self.start(record.data, record.link_type.0, record.original_len.max(captured));
        Self::walk(stack, start, first);
    }

    /// Reads the usual envelope of a mirrored packet at once and walks on behind it; `false`, and nothing done, if
    /// the record has another one.
    #[inline]
    pub(crate) fn decode_express(&self, record: &Record<'_>, stack: &mut Stack<'_>) -> bool {
        if record.link_type != LinkType::ETHERNET {
            return false;
        }
        let end = record.original_len.max(record.data.len() as u32);
        let Some(frame) = express::read(self, record.data, end, stack) else { return false };
        if !express::read_frame(&frame, stack) {
            Self::walk(stack, frame, Some(Layer::Ethernet));
        }
        true
    }

    /// Walks through octets that begin with an IP header, as an ICMP error quotes them.
    pub fn decode_ip<'a>(&self, bytes: &'a [u8]) -> Stack<'a> {
        let mut stack = Stack::new(bytes);
        let end = bytes.len() as u32;
        Self::walk(&mut stack, self.start(bytes, 0, end), layers::by_ip_version(bytes));
        stack
    }

    fn start<'a>(&'a self, bytes: &'a [u8], via: u16, end: u32) -> Cursor<'a> {
        Cursor { bytes, offset: 0, limit: bytes.len() as u32, end, via, decoder: self }
    }

    #[inline(never)]
    fn walk(stack: &mut Stack<'_>, mut at: Cursor<'_>, mut next: Option<Layer>) {
        while let Some(layer) = next {
            if stack.layers.is_full() {
                let (needed, offset) = (MAX_LAYERS as u32, at.offset);
                stack.stop =
                    Some(DecodeError { layer, offset, needed, had: needed + 1, cause: Cause::TooDeep });
                break;
            }
            next = Self::step(stack, &mut at, layer);
        }
    }

    /// Reads one header, adds its span, moves the cursor behind it and names the layer that follows.
    #[inline]
    fn step(stack: &mut Stack<'_>, at: &mut Cursor<'_>, layer: Layer) -> Option<Layer> {
        let Cursor { offset, limit, end, via, .. } = *at;
        match layers::parse(layer, at) {
            Ok(header) => {
                at.offset = offset + header.header_len;
                at.end = header.end;
                at.limit = limit.min(header.end);
                stack.layers.push(Span {
                    layer,
                    via,
                    offset,
                    payload: at.offset,
                    end: at.end,
                    limit: at.limit,
                });
                at.via = header.next.via;
                header.next.layer
            }
            Err(fault) => {
                let offset = offset + fault.at;
                stack.layers.push(Span { layer, via, offset: at.offset, payload: limit, end, limit });
                stack.stop = Some(DecodeError {
                    layer,
                    offset,
                    needed: fault.needed,
                    had: fault.had,
                    cause: fault.cause,
                });
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{decode, ipv4};

    #[test]
    fn a_walk_ends_where_headers_are_nested_deeper_than_is_read() {
        // IPv4 in IPv4, so that each length is that of what is left.
        let nested = |count: u16| (0..count).flat_map(|i| ipv4(4, (count - i) * 20)).collect::<Vec<_>>();
        let most = MAX_LAYERS as u16;
        let too_deep = nested(most + 1);
        let stack = decode(LinkType::RAW, &too_deep);
        let (needed, had) = (MAX_LAYERS as u32, MAX_LAYERS as u32 + 1);
        let offset = MAX_LAYERS as u32 * 20;
        let stop = DecodeError { layer: Layer::Ipv4, offset, needed, had, cause: Cause::TooDeep };
        assert_eq!((stack.layers().len(), stack.stop()), (MAX_LAYERS, Some(stop)));
        assert!(stack.is_complete(MAX_LAYERS - 1));
    }
}
