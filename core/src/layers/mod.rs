//! The table of layers: which protocol each is, which file reads it, and which value leads to it.
//!
//! To add a protocol, write its file (a `parse` for the walk, a `fields` for people) and add its row here.
//! Two rows that claim one EtherType, IP protocol or link type do not compile.

use core::fmt;

use crate::{error::Fault, field::Fields, record::LinkType, stack::Decoder};

pub mod ah;
pub mod arp;
pub mod ethernet;
pub mod geneve;
pub mod gre;
pub mod icmp;
pub mod icmpv6;
pub mod igmp;
pub mod ipv4;
pub mod ipv6;
pub mod ipv6_ext;
pub mod linux_sll;
pub mod linux_sll2;
pub mod llc;
pub mod null;
pub mod tcp;
pub mod udp;
pub mod vlan;
pub mod vxlan;

macro_rules! layers {
    ($($layer:ident $file:ident $key:literal $name:literal
       link [$($link:pat),*] ether_type [$($ether_type:pat),*] ip [$($ip:pat),*];)+) => {
        /// A protocol that the walk can read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each variant is the protocol's own name; its file says the rest")]
        pub enum Layer { $($layer,)+ }

        impl Layer {
            /// Every layer, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$layer,)+];

            /// The short name, as Wireshark's `frame.protocols` writes it.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$layer => $key,)+ }
            }

            /// The name for people.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$layer => $name,)+ }
            }
        }

        /// Reads the header of `layer` at the cursor.
        #[inline]
        pub(crate) fn parse(layer: Layer, at: &Cursor<'_>) -> Result<Header, Fault> {
            match layer { $(Layer::$layer => $file::parse(at),)+ }
        }

        /// Names every field of the header of `layer`.
        pub(crate) fn fields(layer: Layer, fields: &mut Fields<'_>) {
            match layer { $(Layer::$layer => $file::fields(fields),)+ }
        }

        #[inline]
        const fn by_registered_link_type(link_type: LinkType) -> Option<Layer> {
            match link_type { $($($link => Some(Layer::$layer),)*)+ _ => None }
        }

        /// The layer that an EtherType announces.
        #[inline]
        pub const fn by_ether_type(ether_type: u16) -> Option<Layer> {
            match ether_type { $($($ether_type => Some(Layer::$layer),)*)+ _ => None }
        }

        /// The layer that an IP protocol number announces.
        #[inline]
        pub const fn by_ip_protocol(protocol: u8) -> Option<Layer> {
            match protocol { $($($ip => Some(Layer::$layer),)*)+ _ => None }
        }
    };
}

layers! {
    // layer  file       key        name                   led to by
    Ethernet  ethernet   "eth"      "Ethernet"             link [LinkType::ETHERNET] ether_type [0x6558] ip [143];
    LinuxSll  linux_sll  "sll"      "Linux cooked v1"      link [LinkType::LINUX_SLL] ether_type [] ip [];
    LinuxSll2 linux_sll2 "sll2"     "Linux cooked v2"      link [LinkType::LINUX_SLL2] ether_type [] ip [];
    Null      null       "null"     "Null/Loopback"        link [LinkType::NULL | LinkType::LOOP] ether_type [] ip [];
    Llc       llc        "llc"      "LLC"                  link [] ether_type [] ip [];
    Vlan      vlan       "vlan"     "802.1Q VLAN"          link [] ether_type [0x8100 | 0x88a8 | 0x9100 | 0x9200] ip [];
    Arp       arp        "arp"      "ARP"                  link [] ether_type [0x0806 | 0x8035] ip [];
    Ipv4      ipv4       "ip"       "IPv4"                 link [LinkType::IPV4] ether_type [0x0800] ip [4];
    Ipv6      ipv6       "ipv6"     "IPv6"                 link [LinkType::IPV6] ether_type [0x86dd] ip [41];
    Ipv6Ext   ipv6_ext   "ipv6.ext" "IPv6 extension"       link [] ether_type [] ip [0 | 43 | 44 | 60 | 135 | 139 | 140];
    Ah        ah         "ah"       "Authentication Header" link [] ether_type [] ip [51];
    Icmp      icmp       "icmp"     "ICMP"                 link [] ether_type [] ip [1];
    Icmpv6    icmpv6     "icmpv6"   "ICMPv6"               link [] ether_type [] ip [58];
    Igmp      igmp       "igmp"     "IGMP"                 link [] ether_type [] ip [2];
    Tcp       tcp        "tcp"      "TCP"                  link [] ether_type [] ip [6];
    Udp       udp        "udp"      "UDP"                  link [] ether_type [] ip [17];
    Gre       gre        "gre"      "GRE"                  link [] ether_type [] ip [47];
    Geneve    geneve     "geneve"   "Geneve"               link [] ether_type [] ip [];
    Vxlan     vxlan      "vxlan"    "VXLAN"                link [] ether_type [] ip [];
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the tests of the layers share: octets in, layers out.
#[cfg(test)]
pub(crate) mod testing {
    use super::{Layer, LinkType};
    use crate::{
        error::{Cause, DecodeError},
        field::{self, Field, Value},
        record::Record,
        stack::{Decoder, Stack},
    };

    /// A record of these octets, nothing of it missing.
    pub(crate) fn record(link_type: LinkType, data: &[u8]) -> Record<'_> {
        let original_len = data.len() as u32;
        Record { number: 1, timestamp_ns: 0, interface: 0, link_type, original_len, offset: 0, data }
    }

    /// The stack of these octets.
    pub(crate) fn decode(link_type: LinkType, data: &[u8]) -> Stack<'_> {
        Decoder::default().decode(&record(link_type, data))
    }

    /// The layers of these octets.
    pub(crate) fn layers(link_type: LinkType, data: &[u8]) -> Vec<Layer> {
        decode(link_type, data).layers().iter().map(|span| span.layer).collect()
    }

    /// Asserts that the octets, cut to each length below `header_len`, stop in `layer` at `offset` and say how many
    /// octets of `needed` were there.
    pub(crate) fn assert_cut(link_type: LinkType, data: &[u8], layer: Layer, offset: usize, needed: usize) {
        for len in offset..offset + needed {
            let stop = decode(link_type, &data[..len]).stop();
            let (offset, needed, had) = (offset as u32, needed as u32, (len - offset) as u32);
            assert_eq!(
                stop,
                Some(DecodeError { layer, offset, needed, had, cause: Cause::Cut }),
                "cut to {len}"
            );
        }
        let stop = decode(link_type, &data[..offset + needed]).stop();
        assert!(
            stop.is_none_or(|stop| (stop.offset, stop.needed) != (offset as u32, needed as u32)),
            "{stop:?}"
        );
    }

    /// The value of the field `key` in the last layer that has it.
    pub(crate) fn value(stack: &Stack<'_>, key: &str) -> Option<Value> {
        fn find(fields: &[Field], key: &str) -> Option<Value> {
            fields.iter().find_map(|field| match field.key == key {
                true => Some(field.value.clone()),
                false => find(&field.children, key),
            })
        }
        field::tree(stack).iter().rev().find_map(|node| find(&node.fields, key))
    }

    /// Every field of the last header of that layer as `octets key = value (meaning)`, octets counted from the header's
    /// first; fields inside another one are indented.
    pub(crate) fn shown(stack: &Stack<'_>, layer: Layer) -> Vec<String> {
        fn show(fields: &[Field], start: u32, indent: &str, lines: &mut Vec<String>) {
            for Field { key, value, offset, len, meaning, children, .. } in fields {
                let at = offset - start;
                let meaning = meaning.as_ref().map_or(String::new(), |meaning| format!(" ({meaning})"));
                lines.push(format!("{indent}{at}..{} {key} = {value}{meaning}", at + len));
                show(children, start, &format!("{indent}  "), lines);
            }
        }
        let mut lines = Vec::new();
        let tree = field::tree(stack);
        if let Some(node) = tree.iter().rev().find(|node| node.span.layer == layer) {
            show(&node.fields, node.span.offset, "", &mut lines);
        }
        lines
    }

    /// Every number of 16 bits that `name` knows.
    pub(crate) fn named(name: impl Fn(u64) -> Option<&'static str>) -> Vec<(u64, &'static str)> {
        (0..=0xffff).filter_map(|value| Some((value, name(value)?))).collect()
    }

    /// An IPv4 header without options; its addresses are 10.0.0.1 and 10.0.0.2.
    pub(crate) fn ipv4(protocol: u8, total_len: u16) -> Vec<u8> {
        let [a, b] = total_len.to_be_bytes();
        vec![0x45, 0, a, b, 0, 7, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
    }

    /// An IPv6 header with empty addresses.
    pub(crate) fn ipv6(next_header: u8, payload_len: u16) -> Vec<u8> {
        let [a, b] = payload_len.to_be_bytes();
        [&[0x60, 0, 0, 0, a, b, next_header, 64][..], &[0; 32]].concat()
    }

    /// A UDP header.
    pub(crate) fn udp(src: u16, dst: u16, len: u16) -> Vec<u8> {
        [src, dst, len, 0].iter().flat_map(|value| value.to_be_bytes()).collect()
    }
}

/// Where a header is to be read, and where it must end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    /// The whole record.
    pub(crate) bytes: &'a [u8],
    /// First octet of the header.
    pub(crate) offset: u32,
    /// Where the readable octets end.
    pub(crate) limit: u32,
    /// Where the layer around this one ends on the wire.
    pub(crate) end: u32,
    /// The value that led here.
    pub(crate) via: u16,
    /// The settings.
    pub(crate) decoder: &'a Decoder,
}

impl<'a> Cursor<'a> {
    /// The readable octets from here on.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset as usize..self.limit as usize).unwrap_or_default()
    }

    /// The first `N` octets, or the fault that says how many are there.
    #[inline]
    pub(crate) fn head<const N: usize>(&self) -> Result<&'a [u8; N], Fault> {
        let rest = self.rest();
        rest.first_chunk().ok_or(Fault::cut(N, rest.len()))
    }
}

/// What a parser found: a header that was read whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) header_len: u32,
    /// Where this layer ends on the wire, in octets of the record.
    pub(crate) end: u32,
    pub(crate) next: Next,
}

impl Header {
    /// A header of `header_len` octets whose layer ends where the one around it ends.
    #[inline]
    pub(crate) const fn open_ended(at: &Cursor<'_>, header_len: usize, next: Next) -> Self {
        Self { header_len: header_len as u32, end: at.end, next }
    }
}

/// What a header says of the octets behind it: the layer, if one reads them, and the value that led to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub(crate) layer: Option<Layer>,
    pub(crate) via: u16,
}

impl Next {
    /// Payload that no layer reads.
    pub(crate) const DATA: Self = Self { layer: None, via: 0 };

    /// That layer, by the header's own format.
    #[inline]
    pub(crate) const fn layer(layer: Layer) -> Self {
        Self { layer: Some(layer), via: 0 }
    }

    /// Whatever the EtherType announces.
    #[inline]
    pub(crate) const fn ether_type(value: u16) -> Self {
        Self { layer: by_ether_type(value), via: value }
    }

    /// Whatever the IP protocol number announces.
    #[inline]
    pub(crate) const fn ip_protocol(value: u8) -> Self {
        Self { layer: by_ip_protocol(value), via: value as u16 }
    }
}

/// The layer with which a record of this link type begins; none where the link type is not known.
#[inline]
pub fn by_link_type(link_type: LinkType, bytes: &[u8]) -> Option<Layer> {
    match link_type {
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => by_ip_version(bytes),
        other => by_registered_link_type(other),
    }
}

/// IPv4 or IPv6 by the first nibble. An empty packet counts as IPv4, so that the error names a layer.
#[inline]
pub fn by_ip_version(bytes: &[u8]) -> Option<Layer> {
    match bytes.first().map(|first| first >> 4) {
        Some(6) => Some(Layer::Ipv6),
        Some(4) | None => Some(Layer::Ipv4),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Layer;

    #[test]
    fn a_layer_is_written_with_its_name_for_people() {
        assert_eq!(format!("{} in {}", Layer::Vlan, Layer::LinuxSll), "802.1Q VLAN in Linux cooked v1");
    }
}
