//! The fields of a header with their values and their octets: what text, JSON and a browser's tree show.
//!
//! Keys are Wireshark's filter names where Wireshark has one, so that what people know carries over. A field
//! that lies behind the captured octets is left out; those before it stay.

use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};
use std::borrow::Cow;

use crate::{
    layers,
    stack::{Span, Stack},
};

/// One field of a header.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Stable name, such as `ip.ttl`.
    pub key: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// What it holds.
    pub value: Value,
    /// First octet in the record.
    pub offset: u32,
    /// Octets it covers; a field of a few bits covers the octets that hold them.
    pub len: u32,
    /// What the value means, where the number alone does not tell.
    pub meaning: Option<Cow<'static, str>>,
    /// Fields inside this one.
    pub children: Vec<Field>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, shown in decimal.
    Uint(u64),
    /// A number that people read in hexadecimal, and how many digits it has.
    Hex(u64, u8),
    /// One bit.
    Flag(bool),
    /// A MAC address.
    Mac([u8; 6]),
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// Text made from the octets.
    Text(Cow<'static, str>),
    /// Octets that have no further structure.
    Bytes(Vec<u8>),
    /// A group: only its children say something.
    Group,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uint(value) => write!(f, "{value}"),
            Self::Hex(value, digits) => write!(f, "{value:#0width$x}", width = usize::from(*digits) + 2),
            Self::Flag(value) => write!(f, "{}", u8::from(*value)),
            Self::Mac(mac) => write_hex(f, mac, ":"),
            Self::Ipv4(address) => write!(f, "{address}"),
            Self::Ipv6(address) => write!(f, "{address}"),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => write_hex(f, bytes, ""),
            Self::Group => Ok(()),
        }
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8], separator: &str) -> fmt::Result {
    for (i, byte) in bytes.iter().enumerate() {
        write!(f, "{}{byte:02x}", if i == 0 { "" } else { separator })?;
    }
    Ok(())
}

/// The layers of a packet as a tree for people: one node a layer, its fields inside.
pub fn tree(stack: &Stack<'_>) -> Vec<LayerNode> {
    stack.layers().iter().enumerate().map(|(index, span)| LayerNode::new(stack, index, span)).collect()
}

/// One layer of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNode {
    /// Where the layer lies.
    pub span: Span,
    /// Whether its header was read whole.
    pub complete: bool,
    /// Its fields, in the order of the wire.
    pub fields: Vec<Field>,
}

impl LayerNode {
    fn new(stack: &Stack<'_>, index: usize, span: &Span) -> Self {
        let mut fields =
            Fields { header: stack.header(span), span: *span, base: span.offset, out: Vec::new() };
        layers::fields(span.layer, &mut fields);
        Self { span: *span, complete: stack.is_complete(index), fields: fields.out }
    }
}

/// What a layer's `fields` function writes to. Offsets are octets from the start of the header.
pub(crate) struct Fields<'a> {
    /// The header's captured octets.
    pub(crate) header: &'a [u8],
    /// Where the layer lies.
    pub(crate) span: Span,
    base: u32,
    out: Vec<Field>,
}

impl Fields<'_> {
    /// An unsigned big-endian number of `len` octets, at most 8.
    pub(crate) fn uint(
        &mut self,
        key: &'static str,
        label: &'static str,
        at: usize,
        len: usize,
    ) -> &mut Self {
        match self.number(at, len) {
            Some(value) => self.push(key, label, at, len, Value::Uint(value)),
            None => self,
        }
    }

    /// As [`Fields::uint`], shown in hexadecimal.
    pub(crate) fn hex(&mut self, key: &'static str, label: &'static str, at: usize, len: usize) -> &mut Self {
        match self.number(at, len) {
            Some(value) => self.push(key, label, at, len, Value::Hex(value, len as u8 * 2)),
            None => self,
        }
    }

    /// The bits `mask` of the number at `at`, moved down to the lowest place.
    pub(crate) fn bits(
        &mut self,
        key: &'static str,
        label: &'static str,
        at: usize,
        len: usize,
        mask: u64,
    ) -> &mut Self {
        match self.number(at, len) {
            Some(value) => {
                let bits = (value & mask) >> mask.trailing_zeros();
                let value = if mask.count_ones() == 1 { Value::Flag(bits == 1) } else { Value::Uint(bits) };
                self.push(key, label, at, len, value)
            }
            None => self,
        }
    }

    /// A MAC address.
    pub(crate) fn mac(&mut self, key: &'static str, label: &'static str, at: usize) -> &mut Self {
        match self.array(at) {
            Some(mac) => self.push(key, label, at, 6, Value::Mac(mac)),
            None => self,
        }
    }

    /// An IPv4 address.
    pub(crate) fn ipv4(&mut self, key: &'static str, label: &'static str, at: usize) -> &mut Self {
        match self.array::<4>(at) {
            Some(octets) => self.push(key, label, at, 4, Value::Ipv4(octets.into())),
            None => self,
        }
    }

    /// An IPv6 address.
    pub(crate) fn ipv6(&mut self, key: &'static str, label: &'static str, at: usize) -> &mut Self {
        match self.array::<16>(at) {
            Some(octets) => self.push(key, label, at, 16, Value::Ipv6(octets.into())),
            None => self,
        }
    }

    /// Octets without further structure: those from `at` that were captured, at most `len`.
    pub(crate) fn bytes(
        &mut self,
        key: &'static str,
        label: &'static str,
        at: usize,
        len: usize,
    ) -> &mut Self {
        let there = self.header.get(at..).unwrap_or_default();
        let there = there.get(..len).unwrap_or(there);
        if there.is_empty() {
            return self;
        }
        let (len, value) = (there.len(), Value::Bytes(there.to_vec()));
        self.push(key, label, at, len, value)
    }

    /// Any value.
    pub(crate) fn push(
        &mut self,
        key: &'static str,
        label: &'static str,
        at: usize,
        len: usize,
        value: Value,
    ) -> &mut Self {
        let offset = self.base + at as u32;
        self.out.push(Field {
            key,
            label,
            value,
            offset,
            len: len as u32,
            meaning: None,
            children: Vec::new(),
        });
        self
    }

    /// Says what the value of the last field means.
    pub(crate) fn meaning(&mut self, text: impl Into<Cow<'static, str>>) -> &mut Self {
        if let Some(last) = self.out.last_mut() {
            last.meaning = Some(text.into());
        }
        self
    }

    /// Says what the last field means if it is a number that `name` knows.
    pub(crate) fn named(&mut self, name: impl Fn(u64) -> Option<&'static str>) -> &mut Self {
        if let Some(last) = self.out.last_mut()
            && let Value::Uint(value) | Value::Hex(value, _) = last.value
        {
            last.meaning = name(value).map(Cow::Borrowed);
        }
        self
    }

    /// Puts the fields that `inside` writes into the last field. Their offsets stay those of the header.
    pub(crate) fn nest(&mut self, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let mut outside = core::mem::take(&mut self.out);
        inside(self);
        let children = core::mem::take(&mut self.out);
        match outside.last_mut() {
            Some(last) => last.children.extend(children),
            None => outside.extend(children),
        }
        self.out = outside;
        self
    }

    /// The big-endian number of `len` octets at `at`, if it was captured.
    pub(crate) fn number(&self, at: usize, len: usize) -> Option<u64> {
        let octets = self.header.get(at..at.checked_add(len)?)?;
        Some(octets.iter().fold(0, |value, octet| value << 8 | u64::from(*octet)))
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.header.get(at..)?.first_chunk().copied()
    }
}
