//! Whether a packet passes: the tree walked over the packet's octets, with nothing allocated.
//!
//! Every test reads the offsets that libpcap's generated program reads, and in its order, because a read
//! behind the captured octets rejects the packet at once (see [`super::frame`]). So `port` never sees later
//! IPv4 fragments, and IPv6 extension headers are not walked, except by `protochain` and for one fragment
//! header by protocol names.

use std::net::IpAddr;

use super::MAX_GENEVE;
use super::build::{ETHERTYPE_ARP, ETHERTYPE_IP, ETHERTYPE_IPV6, ETHERTYPE_RARP, SAP_ISO, prefix_mask};
use super::frame::{Answer, Beyond, Frame, Link, Place, Wire};
use super::tree::{
    Arithmetic, Base, Carrier, Direction, Expr, Family, Joint, Leaf, Relation, Scope, Test, Transport,
};
use crate::packet::{Envelope, Packet};
use crate::record::{LinkType, Record};

const GENEVE_PORT: u16 = 6081;
const ETHERTYPE_ETHERNET: u32 = 0x6558;
const ETHERTYPE_MPLS: u32 = 0x8847;
const PPP_MPLS: u32 = 0x0281;
const ETHERTYPE_PPPOE_SESSION: u32 = 0x8864;
const VLAN_ETHERTYPES: [u32; 3] = [0x8100, 0x88a8, 0x9100];
const PROTOCOL_FRAGMENT: u32 = 44;
const PROTOCOL_AH: u32 = 51;

/// Whether `packet` passes: its subject is judged, and by `outer` its record.
pub(crate) fn passes(expr: &Expr, packet: &Packet<'_>) -> bool {
    let frame = match packet.subject {
        0 => of_record(&packet.record),
        _ => Frame::new(packet.subject_bytes(), Wire::SubjectOf(packet), subject_link(packet)),
    };
    Walk::new(frame, Some(packet)).expr(expr) == Ok(true)
}

/// Whether `record` passes as it stands, with no tunnel looked for.
pub(crate) fn passes_record(expr: &Expr, record: &Record<'_>) -> bool {
    Walk::new(of_record(record), None).expr(expr) == Ok(true)
}

fn of_record<'a>(record: &Record<'a>) -> Frame<'a> {
    Frame::new(record.data, Wire::Len(record.original_len), record.link_type.into())
}

/// VXLAN carries Ethernet always, Geneve what its header says.
pub(super) fn subject_link(packet: &Packet<'_>) -> Link {
    use crate::layers::Layer;
    match packet.subject_layers().first().map(|span| span.layer) {
        Some(Layer::Ethernet) => Link::Ethernet,
        Some(Layer::Ipv4 | Layer::Ipv6) => Link::Raw,
        _ if packet.mirror().is_some() => Link::Ethernet,
        _ => LinkType(u16::MAX).into(),
    }
}

/// One walk over one packet.
struct Walk<'p> {
    frame: Frame<'p>,
    packet: Option<&'p Packet<'p>>,
    /// Frames inside Geneve, by the slot of the test that found them.
    inside: [Place; MAX_GENEVE as usize],
    plain: Place,
}

impl<'p> Walk<'p> {
    fn new(frame: Frame<'p>, packet: Option<&'p Packet<'p>>) -> Self {
        let plain = frame.place(&Scope::default(), &[]);
        Self { frame, packet, inside: [Place::default(); MAX_GENEVE as usize], plain }
    }

    fn expr(&mut self, expr: &Expr) -> Answer<bool> {
        match expr {
            Expr::Test(leaf) => self.leaf(leaf),
            Expr::Not(expr) => Ok(!self.expr(expr)?),
            Expr::Chain { first, rest } => {
                let mut holds = self.expr(first)?;
                for (joint, expr) in rest {
                    if holds == (*joint == Joint::And) {
                        holds = self.expr(expr)?;
                    }
                }
                Ok(holds)
            }
            Expr::Outer(expr) => match self.packet {
                Some(packet) => Walk::new(of_record(&packet.record), Some(packet)).expr(expr),
                None => Walk::new(self.frame, None).expr(expr),
            },
        }
    }

    #[inline]
    fn place(&self, scope: &Scope) -> Place {
        if scope.is_plain() { self.plain } else { self.frame.place(scope, &self.inside) }
    }

    /// The tests that stand in nearly every filter, and before nearly every byte access, need no call.
    #[inline(always)]
    fn leaf(&mut self, leaf: &Leaf) -> Answer<bool> {
        if leaf.scope.is_plain() {
            let at = At { frame: &self.frame, scope: &leaf.scope, place: self.plain };
            match leaf.test {
                Test::LinkProtocol(protocol) => return at.carries(protocol),
                Test::IpProtocol(family, protocol) => return at.ip_protocol(family, protocol),
                Test::FirstFragment => return at.is_first_fragment(),
                _ => {}
            }
        }
        self.other_leaf(leaf)
    }

    #[inline(never)]
    fn other_leaf(&mut self, leaf: &Leaf) -> Answer<bool> {
        match &leaf.test {
            Test::Relation(relation) => self.relation(relation),
            Test::Geneve(vni, slot) => self.geneve(*vni, *slot, &leaf.scope),
            Test::Vni(_)
            | Test::Endpoint(_)
            | Test::Source(..)
            | Test::Attachment(_)
            | Test::Cookie(_)
            | Test::Mirrored
            | Test::Inline
            | Test::Truncated => Ok(self.tunnel(&leaf.test)),
            test => At { frame: &self.frame, scope: &leaf.scope, place: self.place(&leaf.scope) }.test(test),
        }
    }

    fn relation(&mut self, relation: &Relation) -> Answer<bool> {
        for check in &relation.checks {
            if !self.leaf(check)? {
                return Ok(false);
            }
        }
        let left = self.number(&relation.left)?;
        let right = self.number(&relation.right)?;
        Ok(relation.comparison.holds(left, right))
    }

    #[inline(always)]
    fn number(&self, value: &Arithmetic) -> Answer<u32> {
        match value {
            Arithmetic::Number(value) => Ok(*value),
            value => self.computed(value),
        }
    }

    fn computed(&self, value: &Arithmetic) -> Answer<u32> {
        match value {
            Arithmetic::Number(value) => Ok(*value),
            Arithmetic::Length => Ok(self.frame.wire_len()),
            Arithmetic::Negate(value) => Ok(self.number(value)?.wrapping_neg()),
            Arithmetic::Binary(operator, left, right) => {
                operator.apply(self.number(left)?, self.number(right)?).ok_or(Beyond)
            }
            Arithmetic::Load { base, index, size, scope } => {
                let at = self.load_at(*base, index, scope)?;
                match size {
                    1 => self.frame.u8(at),
                    2 => self.frame.u16(at),
                    _ => self.frame.u32(at),
                }
            }
        }
    }

    /// Where a load reads. A constant negative index reads before the network header, one computed does not:
    /// the machine adds constants in 32 bits when it is built, and registers without wrapping when it runs. Inside
    /// Geneve the frame's own place is in a register, to which every index is added in 32 bits.
    fn load_at(&self, base: Base, index: &Arithmetic, scope: &Scope) -> Answer<u64> {
        let place = self.place(scope);
        let start = match base {
            Base::Link => place.header,
            Base::Network | Base::Ipv4Payload => place.network,
            Base::Ipv6Payload => place.network.saturating_add(40),
        };
        let is_constant = matches!(index, Arithmetic::Number(_)) && base != Base::Ipv4Payload;
        let mut index = self.number(index)?;
        if base == Base::Ipv4Payload {
            index = index.wrapping_add(self.frame.ipv4_header_len(&place)?);
        }
        if is_constant || scope.is_in_geneve() {
            return Ok(u64::from(start.wrapping_add(index)));
        }
        Ok(u64::from(start) + u64::from(index))
    }

    /// Geneve over IPv4 or IPv6, version 0; where the inner frame begins is kept for the tests to the right.
    fn geneve(&mut self, vni: Option<u32>, slot: u8, scope: &Scope) -> Answer<bool> {
        let frame = self.frame;
        let place = self.place(scope);
        let at = At { frame: &frame, scope, place };
        let to_geneve = (Transport::Udp, Direction::Destination, GENEVE_PORT, GENEVE_PORT);
        let is_ipv4 = at.carries(ETHERTYPE_IP)? && at.ipv4_port(to_geneve)?;
        let ipv4_len = if is_ipv4 { Some(frame.ipv4_header_len(&place)?) } else { None };
        let ip_len = match ipv4_len {
            Some(len) if at.is_geneve(len, vni)? => len,
            _ if at.ipv6_port(to_geneve)? && at.is_geneve(40, vni)? => 40,
            _ => return Ok(false),
        };
        let start = place.network + ip_len + 8;
        let end = start + 8 + (frame.u8(start.into())? & 0x3f) * 4;
        let is_ethernet = frame.u16(u64::from(start) + 2)? == ETHERTYPE_ETHERNET;
        let (ethertype, payload) = if is_ethernet { (end + 12, end + 14) } else { (start + 2, end) };
        if let Some(inside) = self.inside.get_mut(usize::from(slot)) {
            *inside = Place { header: end, ethertype, payload, network: payload };
        }
        Ok(true)
    }

    /// What the tunnels say; false for a packet that came without them.
    fn tunnel(&self, test: &Test) -> bool {
        let Some(packet) = self.packet else { return false };
        match test {
            Test::Truncated => packet.stack.is_truncated(),
            test => of_envelope(test, &packet.envelope),
        }
    }
}

/// What the tunnels say of a packet that came so.
pub(super) fn of_envelope(test: &Test, envelope: &Envelope) -> bool {
    let mirror = envelope.mirror();
    match *test {
        Test::Vni(vni) => mirror.is_some_and(|mirror| mirror.identity.vni == vni),
        Test::Endpoint(endpoint_id) => envelope.gwlb().is_some_and(|gwlb| gwlb.endpoint_id.0 == endpoint_id),
        Test::Source(network, prefix_len) => mirror.is_some_and(|mirror| {
            let source = match mirror.identity.source {
                IpAddr::V4(source) => source.to_ipv6_mapped(),
                IpAddr::V6(source) => source,
            };
            (u128::from(source) ^ network) & prefix_mask(prefix_len) == 0
        }),
        Test::Attachment(id) => envelope.gwlb().is_some_and(|gwlb| gwlb.attachment_id == Some(id)),
        Test::Cookie(cookie) => envelope.gwlb().is_some_and(|gwlb| gwlb.flow_cookie == Some(cookie)),
        Test::Mirrored => mirror.is_some(),
        Test::Inline => matches!(envelope, Envelope::Inline(_)),
        _ => false,
    }
}

/// Transport, direction, lowest and highest port.
type PortTest = (Transport, Direction, u16, u16);

/// One frame, read from one scope's headers on.
pub(super) struct At<'w> {
    pub(super) frame: &'w Frame<'w>,
    pub(super) scope: &'w Scope,
    pub(super) place: Place,
}

impl At<'_> {
    #[inline]
    pub(super) fn test(&self, test: &Test) -> Answer<bool> {
        match *test {
            Test::LinkProtocol(protocol) => self.carries(protocol),
            Test::IpProtocol(family, protocol) => self.ip_protocol(family, protocol),
            Test::Port { transport, direction, low, high } => {
                let test = (transport, direction, low, high);
                if self.carries(ETHERTYPE_IP)? { self.carried_ipv4_port(test) } else { self.ipv6_port(test) }
            }
            Test::Ipv4 { address, mask, direction, carrier } => self.ipv4(address, mask, direction, carrier),
            Test::Ipv6 { address, prefix_len, direction } => self.ipv6(address.into(), prefix_len, direction),
            Test::FirstFragment => self.is_first_fragment(),
            Test::Ipv6Next(protocol) => Ok(self.network_u8(6)? == protocol),
            Test::IpChain(family, protocol) => self.chain(family, protocol),
            Test::Iso(protocol) => Ok(self.carries(SAP_ISO)? && self.frame.u8(self.osi_at())? == protocol),
            Test::Isis(types) => Ok(self.carries(SAP_ISO)?
                && self.frame.u8(self.osi_at())? == 0x83
                && types.checked_shr(self.frame.u8(self.osi_at() + 4)?).is_some_and(|types| types & 1 == 1)),
            Test::Ethernet(address, direction) => self.ethernet(address, direction),
            Test::EthernetMulticast => Ok(self.has_ethernet() && self.header_u8(0)? & 1 == 1),
            Test::Ipv4Broadcast => Ok(self.carries(ETHERTYPE_IP)?
                && matches!(self.frame.u32(u64::from(self.place.network) + 16)?, 0 | u32::MAX)),
            Test::Ipv4Multicast => Ok(self.carries(ETHERTYPE_IP)? && self.network_u8(16)? >= 224),
            Test::Ipv6Multicast => Ok(self.carries(ETHERTYPE_IPV6)? && self.network_u8(24)? == 255),
            Test::Vlan(vlan) => self.vlan(vlan),
            Test::Mpls(label, below_label) => self.mpls(label, below_label),
            Test::PppoeSession(session) => self.pppoe_session(session),
            Test::LengthAtMost(len) => Ok(self.frame.wire_len() <= len),
            Test::LengthAtLeast(len) => Ok(self.frame.wire_len() >= len),
            _ => Ok(false),
        }
    }

    #[inline]
    pub(super) fn carries(&self, protocol: u32) -> Answer<bool> {
        self.frame.carries(protocol, self.scope, &self.place)
    }

    #[inline]
    fn network_u8(&self, at: u64) -> Answer<u32> {
        self.frame.u8(u64::from(self.place.network) + at)
    }

    fn header_u8(&self, at: u64) -> Answer<u32> {
        self.frame.u8(u64::from(self.place.header) + at)
    }

    #[inline]
    fn ip_protocol(&self, family: Family, protocol: u32) -> Answer<bool> {
        if family != Family::V6 && self.carries(ETHERTYPE_IP)? {
            return Ok(self.network_u8(9)? == protocol);
        }
        if family == Family::V4 || !self.carries(ETHERTYPE_IPV6)? {
            return Ok(false);
        }
        let next = self.network_u8(6)?;
        Ok(next == protocol || next == PROTOCOL_FRAGMENT && self.network_u8(40)? == protocol)
    }

    #[inline]
    fn is_first_fragment(&self) -> Answer<bool> {
        Ok(self.frame.u16(u64::from(self.place.network) + 6)? & 0x1fff == 0)
    }

    #[inline]
    fn ipv4_port(&self, test: PortTest) -> Answer<bool> {
        Ok(self.carries(ETHERTYPE_IP)? && self.carried_ipv4_port(test)?)
    }

    /// A port of a frame that carries IPv4.
    fn carried_ipv4_port(&self, test: PortTest) -> Answer<bool> {
        if !has_ports(test.0, self.network_u8(9)?) || !self.is_first_fragment()? {
            return Ok(false);
        }
        let header_len = self.frame.ipv4_header_len(&self.place)?;
        self.ports(u64::from(self.place.network) + u64::from(header_len), test)
    }

    fn ipv6_port(&self, test: PortTest) -> Answer<bool> {
        if !self.carries(ETHERTYPE_IPV6)? || !has_ports(test.0, self.network_u8(6)?) {
            return Ok(false);
        }
        self.ports(u64::from(self.place.network) + 40, test)
    }

    fn ports(&self, at: u64, (_, direction, low, high): PortTest) -> Answer<bool> {
        let range = u32::from(low)..=u32::from(high);
        directed(direction, |offset| Ok(range.contains(&self.frame.u16(at + offset)?)), 0, 2)
    }

    fn ipv4(&self, address: u32, mask: u32, direction: Direction, carrier: Carrier) -> Answer<bool> {
        if matches!(carrier, Carrier::Any | Carrier::Ip) && self.carries(ETHERTYPE_IP)? {
            return self.ipv4_at(address, mask, direction, 12, 16);
        }
        let is_arp = matches!(carrier, Carrier::Any | Carrier::Arp) && self.carries(ETHERTYPE_ARP)?;
        let is_rarp = matches!(carrier, Carrier::Any | Carrier::Rarp) && self.carries(ETHERTYPE_RARP)?;
        if is_arp || is_rarp { self.ipv4_at(address, mask, direction, 14, 24) } else { Ok(false) }
    }

    fn ipv4_at(&self, address: u32, mask: u32, direction: Direction, src: u64, dst: u64) -> Answer<bool> {
        let matches =
            |at| Ok(mask == 0 || self.frame.u32(u64::from(self.place.network) + at)? & mask == address);
        directed(direction, matches, src, dst)
    }

    fn ipv6(&self, address: u128, prefix_len: u8, direction: Direction) -> Answer<bool> {
        if !self.carries(ETHERTYPE_IPV6)? {
            return Ok(false);
        }
        let mask = prefix_mask(prefix_len);
        let matches = |at| {
            for word in 0..4u64 {
                let part = |value: u128| (value >> (96 - 32 * word)) as u32;
                let read = |at| self.frame.u32(u64::from(self.place.network) + at);
                if part(mask) != 0 && read(at + 4 * word)? & part(mask) != part(address) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        directed(direction, matches, 8, 24)
    }

    /// Whether the scope's link header is Ethernet's; in Geneve only where the inner packet has one.
    fn has_ethernet(&self) -> bool {
        use super::tree::Anchor;
        match self.scope.anchor {
            Anchor::Record => self.frame.link == Link::Ethernet,
            Anchor::Geneve(_) => self.place.header != self.place.payload - self.scope.payload_len,
            Anchor::Ppp | Anchor::PppInGeneve(_) => false,
        }
    }

    fn ethernet(&self, address: [u8; 6], direction: Direction) -> Answer<bool> {
        let [a, b, c, d, e, f] = address;
        let (high, low) = (u32::from(u16::from_be_bytes([a, b])), u32::from_be_bytes([c, d, e, f]));
        let start = u64::from(self.place.header);
        let matches = |at| Ok(self.frame.u32(start + at + 2)? == low && self.frame.u16(start + at)? == high);
        if !self.has_ethernet() { Ok(false) } else { directed(direction, matches, 6, 0) }
    }

    /// Where OSI protocols begin: behind an 802.2 header of 3 octets on Ethernet.
    fn osi_at(&self) -> u64 {
        let llc_len = if self.frame.link == Link::Ethernet && !self.scope.is_ppp() { 3 } else { 0 };
        u64::from(self.place.network) + llc_len
    }

    fn vlan(&self, vlan: Option<u16>) -> Answer<bool> {
        use super::tree::Anchor;
        if self.scope.anchor == Anchor::Record && self.frame.link != Link::Ethernet {
            return Ok(false);
        }
        let field = self.frame.u16(self.place.ethertype.into())?;
        if !VLAN_ETHERTYPES.contains(&field) {
            return Ok(false);
        }
        match vlan {
            Some(vlan) => Ok(self.frame.u16(self.place.network.into())? & 0xfff == u32::from(vlan)),
            None => Ok(true),
        }
    }

    fn mpls(&self, label: Option<u32>, below_label: bool) -> Answer<bool> {
        use super::tree::Anchor;
        let network = u64::from(self.place.network);
        let here = if below_label {
            self.frame.u8(network.saturating_sub(2))? & 1 == 0
        } else if self.scope.is_ppp() {
            self.carries(PPP_MPLS)?
        } else {
            let has_ethertype = self.scope.anchor != Anchor::Record || self.frame.link == Link::Ethernet;
            has_ethertype && self.carries(ETHERTYPE_MPLS)?
        };
        match label {
            Some(label) => Ok(here && self.frame.u32(network)? >> 12 == label),
            None => Ok(here),
        }
    }

    fn pppoe_session(&self, session: Option<u16>) -> Answer<bool> {
        if !self.carries(ETHERTYPE_PPPOE_SESSION)? {
            return Ok(false);
        }
        match session {
            Some(session) => Ok(self.frame.u32(self.place.network.into())? & 0xffff == u32::from(session)),
            None => Ok(true),
        }
    }

    /// Whether a Geneve header of version 0 stands behind UDP.
    fn is_geneve(&self, ip_len: u32, vni: Option<u32>) -> Answer<bool> {
        let start = u64::from(self.place.network) + u64::from(ip_len) + 8;
        if self.frame.u8(start)? & 0xc0 != 0 {
            return Ok(false);
        }
        match vni {
            Some(vni) => Ok(self.frame.u32(start + 4)? >> 8 == vni),
            None => Ok(true),
        }
    }

    fn chain(&self, family: Family, protocol: u32) -> Answer<bool> {
        if family != Family::V6
            && self.carries(ETHERTYPE_IP)?
            && self.chain_holds(
                protocol,
                self.network_u8(9)?,
                self.frame.ipv4_header_len(&self.place)?,
                false,
            )?
        {
            return Ok(true);
        }
        Ok(family != Family::V4
            && self.carries(ETHERTYPE_IPV6)?
            && self.chain_holds(protocol, self.network_u8(6)?, 40, true)?)
    }

    /// Follows the headers from the one of type `next` at `at` octets behind the IP header's first. Each is
    /// at least 8 octets long, so the captured octets bound the walk.
    fn chain_holds(&self, wanted: u32, mut next: u32, at: u32, ipv6: bool) -> Answer<bool> {
        let mut at = u64::from(at);
        loop {
            let is_extension = ipv6 && matches!(next, 0 | 43 | PROTOCOL_FRAGMENT | 60);
            if next == wanted || !(is_extension || next == PROTOCOL_AH) {
                return Ok(next == wanted);
            }
            let len = u64::from(self.network_u8(at + 1)?);
            let len = if next == PROTOCOL_AH { (len + 2) * 4 } else { (len + 1) * 8 };
            next = self.network_u8(at)?;
            at += len;
        }
    }
}

fn has_ports(transport: Transport, protocol: u32) -> bool {
    match transport {
        Transport::Any => matches!(protocol, 6 | 17 | 132),
        Transport::Tcp => protocol == 6,
        Transport::Udp => protocol == 17,
        Transport::Sctp => protocol == 132,
    }
}

/// A test of source and destination, combined as the direction says; the source is read first.
#[inline]
fn directed(direction: Direction, matches: impl Fn(u64) -> Answer<bool>, src: u64, dst: u64) -> Answer<bool> {
    match direction {
        Direction::Source => matches(src),
        Direction::Destination => matches(dst),
        Direction::Either => Ok(matches(src)? || matches(dst)?),
        Direction::Both => Ok(matches(src)? && matches(dst)?),
    }
}

#[cfg(test)]
mod tests;
