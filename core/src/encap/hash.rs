//! What a load balancer takes for one flow: a hash of addresses, ports and protocol, the same both ways.
//!
//! Mirror sessions choose their VXLAN source port by such a hash, GWLB its own source port and the flow cookie.
//! AWS does not say which function it uses, only what goes in (VPC guide, "Traffic mirroring packet format"):
//! the 5-tuple of TCP, UDP and ICMP, the 3-tuple of everything else. A fragment has no ports that all of its
//! siblings share, so it counts as everything else.

use core::net::IpAddr;

use crate::{
    layers::Layer,
    stack::{Span, Stack},
};

/// Turns a number into one in which every bit depends on every bit of it (the finish of SplitMix64).
#[inline]
pub const fn mix(value: u64) -> u64 {
    let a = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

/// The hash of the first IP packet among `layers`, the same for both directions of a flow; `None` without one.
#[inline]
pub fn flow_hash(stack: &Stack<'_>, layers: &[Span]) -> Option<u64> {
    let (src, dst, protocol, ports) = tuple(stack, layers)?;
    Some(tuple_hash((src, ports.0), (dst, ports.1), protocol))
}

/// As [`flow_hash`], of a tuple that is known.
#[inline]
pub(super) fn tuple_hash(a: (IpAddr, u16), b: (IpAddr, u16), protocol: u8) -> u64 {
    // Addition makes it blind to the direction.
    mix(end_hash(a).wrapping_add(end_hash(b)).wrapping_add(protocol.into()))
}

#[inline]
fn end_hash((address, port): (IpAddr, u16)) -> u64 {
    let address = match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            mix((bits >> 64) as u64) ^ bits as u64
        }
    };
    mix(address ^ mix(port.into()))
}

/// Source, destination, protocol and ports of the outermost IP packet.
#[inline]
pub(super) fn tuple(stack: &Stack<'_>, layers: &[Span]) -> Option<(IpAddr, IpAddr, u8, (u16, u16))> {
    let at = layers.iter().position(|span| matches!(span.layer, Layer::Ipv4 | Layer::Ipv6))?;
    let (ip, inside) = layers.get(at..)?.split_first()?;
    let (src, dst) = stack.addresses(ip)?;
    let transport = inside.iter().position(|span| span.layer != Layer::Ipv6Ext).unwrap_or(inside.len());
    let headers = inside.get(..transport).unwrap_or_default();
    let protocol = match inside.get(transport) {
        Some(span) => span.via as u8,
        None => stack.header(ip).get(9).copied().unwrap_or_default(),
    };
    if stack.is_fragment(core::slice::from_ref(ip)) || stack.is_fragment(headers) {
        return Some((src, dst, protocol, (0, 0)));
    }
    let ports = inside.get(transport).and_then(|span| ports(stack, span)).unwrap_or_default();
    Some((src, dst, protocol, ports))
}

/// TCP and UDP have ports; an echo's identifier stands for both, so that request and reply are one flow.
#[inline]
fn ports(stack: &Stack<'_>, span: &Span) -> Option<(u16, u16)> {
    match span.layer {
        Layer::Tcp | Layer::Udp => stack.ports(span),
        Layer::Icmp | Layer::Icmpv6 => {
            let icmp = stack.from(span);
            let is_echo = matches!(icmp.first(), Some(0 | 8 | 128 | 129));
            let id = u16::from_be_bytes(*icmp.get(4..)?.first_chunk()?);
            is_echo.then_some((id, id))
        }
        _ => None,
    }
}
