//! What a filter says of packets of which only the head is known: yes, no, or that their octets must be read.
//!
//! An index keeps of every packet its lengths, whether it was cut, and its TCP flags ([`Facts`]); and once for all
//! packets with the same addresses and ports their [`Head`]. So a filter is reduced once for each head, and only what
//! then still depends on the packet ([`Rest`]) is asked for each.
//!
//! No second filter is written here: tests of the head are those of [`super::eval`] on the head's octets. What they
//! would read and the head does not have is unknown, and so is every test that reads what heads leave out. Because a
//! read behind the captured octets rejects the packet even under `not`, an answer is a set of [`Outcomes`].

use super::build::{ETHERTYPE_IP, ETHERTYPE_IPV6};
use super::eval::{At, of_envelope, subject_link};
use super::frame::{Frame, Link, Wire};
use super::tree::{Anchor, Arithmetic, Base, Expr, Joint, Leaf, Relation, Scope, Test};
use crate::packet::{Envelope, Packet};

/// How a test may come out, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcomes(u8);

impl Outcomes {
    const YES: Self = Self(1);
    const NO: Self = Self(2);
    /// Behind the captured octets: the packet does not pass, whatever else holds.
    const BEYOND: Self = Self(4);
    const ANY: Self = Self(7);

    /// Whether the packet passes; `None` where its octets must be read.
    #[inline]
    pub(crate) fn verdict(self) -> Option<bool> {
        match self {
            Self::YES => Some(true),
            Self(bits) if bits & Self::YES.0 == 0 => Some(false),
            _ => None,
        }
    }

    #[inline]
    fn of(holds: bool) -> Self {
        if holds { Self::YES } else { Self::NO }
    }

    fn is_one(self) -> bool {
        self.0.count_ones() == 1
    }

    #[inline]
    fn not(self) -> Self {
        Self(self.0 & Self::BEYOND.0 | (self.0 & 1) << 1 | (self.0 & 2) >> 1)
    }

    /// What comes out where `then` is asked only if `joint` needs it.
    #[inline]
    fn joined(self, joint: Joint, then: Self) -> Self {
        let goes_on = if joint == Joint::And { Self::YES.0 } else { Self::NO.0 };
        Self(self.0 & !goes_on | if self.0 & goes_on == 0 { 0 } else { then.0 })
    }
}

/// The kind of link header that a filter takes a packet's subject to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadLink(Link);

impl HeadLink {
    /// That of the octets which a filter judges.
    #[inline]
    pub(crate) fn of(packet: &Packet<'_>) -> Self {
        Self(if packet.subject == 0 { packet.record.link_type.into() } else { subject_link(packet) })
    }

    /// A number of its own for each kind.
    pub(crate) fn number(self) -> u8 {
        self.0 as u8
    }
}

/// What many packets have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// `None` where nothing is known of the octets.
    pub(crate) link: Option<HeadLink>,
    /// The first octets of the subject, with zeros for what a head leaves out.
    pub(crate) octets: &'a [u8],
    /// VLAN tags between link header and network header.
    pub(crate) tags: u8,
    /// How the packets came. What packets of one head do not have in common stands in [`Facts`].
    pub(crate) envelope: Envelope,
}

/// What the index knows of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Octets on the wire of the subject, or of a record without a tunnel.
    pub(crate) subject_len: u32,
    /// Octets on the wire of the record.
    pub(crate) record_len: u32,
    pub(crate) is_truncated: bool,
    /// Octet 13 of the TCP header behind the head's IPv4 header.
    pub(crate) tcp_flags: Option<u8>,
}

/// What is left of a filter where the head is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rest<'f> {
    /// The answer for all packets of the head.
    Known(Outcomes),
    Not(Box<Rest<'f>>),
    Joined(Box<Rest<'f>>, Joint, Box<Rest<'f>>),
    /// A test of [`Facts`]; `true` under `outer`.
    Facts(&'f Test, bool),
}

impl<'f> Rest<'f> {
    /// Reduces a filter, `None` being the one that every packet passes.
    pub(crate) fn of(expr: Option<&'f Expr>, head: &Head<'_>) -> Self {
        match expr {
            None => Self::Known(Outcomes::YES),
            Some(expr) => head.reduce(expr, false),
        }
    }

    /// What comes out for one packet.
    #[inline]
    pub(crate) fn outcomes(&self, facts: &Facts) -> Outcomes {
        match self {
            Self::Known(outcomes) => *outcomes,
            Self::Not(rest) => rest.outcomes(facts).not(),
            Self::Joined(first, joint, then) => {
                let first = first.outcomes(facts);
                // Asked only where it matters: most packets are decided by the first test.
                if first.joined(*joint, Outcomes(0)) == first {
                    return first;
                }
                first.joined(*joint, then.outcomes(facts))
            }
            Self::Facts(test, outer) => facts.test(test, *outer),
        }
    }

    /// What may come out for any packet of the head.
    fn bound(&self) -> Outcomes {
        match self {
            Self::Known(outcomes) => *outcomes,
            Self::Not(rest) => rest.bound().not(),
            Self::Joined(first, joint, then) => first.bound().joined(*joint, then.bound()),
            Self::Facts(Test::Relation(_), _) => Outcomes::ANY,
            Self::Facts(..) => Outcomes(Outcomes::YES.0 | Outcomes::NO.0),
        }
    }

    fn joined(self, joint: Joint, then: Self) -> Self {
        match (self, then) {
            (Self::Known(first), Self::Known(then)) => Self::Known(first.joined(joint, then)),
            (Self::Known(first), then) if first.is_one() && first.joined(joint, Outcomes(0)) != first => then,
            (first, then) => {
                let joined = Self::Joined(Box::new(first), joint, Box::new(then));
                let bound = joined.bound();
                if bound.is_one() { Self::Known(bound) } else { joined }
            }
        }
    }
}

impl Head<'_> {
    fn reduce<'f>(&self, expr: &'f Expr, outer: bool) -> Rest<'f> {
        match expr {
            Expr::Test(leaf) => self.leaf(leaf, outer),
            Expr::Not(expr) => match self.reduce(expr, outer) {
                Rest::Known(outcomes) => Rest::Known(outcomes.not()),
                rest => Rest::Not(Box::new(rest)),
            },
            Expr::Outer(expr) => self.reduce(expr, true),
            Expr::Chain { first, rest } => {
                rest.iter().fold(self.reduce(first, outer), |before, (joint, expr)| match before {
                    // Not asked at all, as in the evaluation of octets.
                    Rest::Known(known) if known.joined(*joint, Outcomes(0)) == known => before,
                    _ => before.joined(*joint, self.reduce(expr, outer)),
                })
            }
        }
    }

    fn leaf<'f>(&self, leaf: &'f Leaf, outer: bool) -> Rest<'f> {
        match &leaf.test {
            Test::LengthAtMost(_) | Test::LengthAtLeast(_) | Test::Truncated => {
                Rest::Facts(&leaf.test, outer)
            }
            Test::Relation(relation) => self.relation(&leaf.test, relation, outer),
            _ => Rest::Known(self.outcomes(leaf, outer)),
        }
    }

    fn outcomes(&self, leaf: &Leaf, outer: bool) -> Outcomes {
        match &leaf.test {
            Test::Vni(_)
            | Test::Endpoint(_)
            | Test::Source(..)
            | Test::Attachment(_)
            | Test::Cookie(_)
            | Test::Mirrored
            | Test::Inline => Outcomes::of(of_envelope(&leaf.test, &self.envelope)),
            test => self.octets_test(test, &leaf.scope, outer),
        }
    }

    /// A test that reads octets. Those listed read nothing that heads leave out.
    fn octets_test(&self, test: &Test, scope: &Scope, outer: bool) -> Outcomes {
        let Some(frame) = self.frame(scope, outer) else { return Outcomes::ANY };
        let at = At { frame: &frame, scope, place: frame.place(scope, &[]) };
        let is_answered = match test {
            Test::LinkProtocol(_)
            | Test::IpProtocol(..)
            | Test::Port { .. }
            | Test::Ipv4 { .. }
            | Test::Ipv6 { .. }
            | Test::Ethernet(..)
            | Test::EthernetMulticast
            | Test::Ipv4Broadcast
            | Test::Ipv4Multicast
            | Test::Ipv6Multicast
            | Test::Vlan(_) => true,
            Test::FirstFragment => at.carries(ETHERTYPE_IP) == Ok(true),
            Test::Ipv6Next(_) => at.carries(ETHERTYPE_IPV6) == Ok(true),
            _ => false,
        };
        if is_answered { at.test(test).map_or(Outcomes::ANY, Outcomes::of) } else { Outcomes::ANY }
    }

    /// The octets, if the scope lies within them.
    fn frame(&self, scope: &Scope, outer: bool) -> Option<Frame<'_>> {
        let link = self.link?;
        let is_within = scope.anchor == Anchor::Record
            && scope.labels_len == 0
            && scope.header_len == 0
            && !scope.labelled
            && scope.ethertype_len == scope.payload_len
            && scope.payload_len <= u32::from(self.tags) * 4;
        let is_judged = !outer || self.envelope == Envelope::Bare;
        (is_within && is_judged).then(|| Frame::new(self.octets, Wire::Len(0), link.0))
    }

    fn relation<'f>(&self, test: &'f Test, relation: &Relation, outer: bool) -> Rest<'f> {
        let unmet = relation.checks.iter().map(|check| self.outcomes(check, outer));
        if let Some(outcomes) = unmet.into_iter().find(|outcomes| *outcomes != Outcomes::YES) {
            let is_certain = outcomes.verdict() == Some(false);
            return Rest::Known(if is_certain { outcomes } else { Outcomes::ANY });
        }
        let sides = [&relation.left, &relation.right];
        if sides.iter().all(|side| depends_on(side, &|load| self.load(load, outer).is_some(), false)) {
            let [left, right] = sides.map(|side| number(side, &|load| self.load(load, outer)));
            return Rest::Known(compared(relation, left, right));
        }
        let is_fact = |load: &Arithmetic| !outer && self.is_tcp_flags(load);
        if sides.iter().all(|side| depends_on(side, &is_fact, true)) {
            return Rest::Facts(test, outer);
        }
        Rest::Known(Outcomes::ANY)
    }

    /// Octets behind the IP header, which heads have unchanged where they have them at all.
    fn load(&self, load: &Arithmetic, outer: bool) -> Option<u32> {
        let Arithmetic::Load { base, index, size, scope } = load else { return None };
        let Arithmetic::Number(index) = **index else { return None };
        let frame = self.network(scope, outer)?;
        let place = frame.place(scope, &[]);
        let carries = |protocol| At { frame: &frame, scope, place }.carries(protocol) == Ok(true);
        let header_len = match base {
            Base::Ipv4Payload if carries(ETHERTYPE_IP) => frame.ipv4_header_len(&place).ok()?,
            Base::Ipv6Payload if carries(ETHERTYPE_IPV6) => 40,
            _ => return None,
        };
        let at = u64::from(place.network) + u64::from(header_len) + u64::from(index);
        match size {
            1 => frame.u8(at),
            2 => frame.u16(at),
            _ => frame.u32(at),
        }
        .ok()
    }

    /// The octets, if their network header is the one that the scope reads.
    fn network(&self, scope: &Scope, outer: bool) -> Option<Frame<'_>> {
        self.frame(scope, outer).filter(|_| scope.payload_len == u32::from(self.tags) * 4)
    }

    fn is_tcp_flags(&self, load: &Arithmetic) -> bool {
        let Arithmetic::Load { base: Base::Ipv4Payload, index, size: 1, scope } = load else { return false };
        **index == Arithmetic::Number(TCP_FLAGS_AT) && self.network(scope, false).is_some()
    }
}

/// Where the flags stand in the TCP header.
const TCP_FLAGS_AT: u32 = 13;

impl Facts {
    #[inline]
    fn test(&self, test: &Test, outer: bool) -> Outcomes {
        let wire_len = if outer { self.record_len } else { self.subject_len };
        match test {
            Test::LengthAtMost(len) => Outcomes::of(wire_len <= *len),
            Test::LengthAtLeast(len) => Outcomes::of(wire_len >= *len),
            Test::Truncated => Outcomes::of(self.is_truncated),
            Test::Relation(relation) => {
                // `len > 1000`, as people write it.
                if let (Arithmetic::Length, Arithmetic::Number(len)) = (&relation.left, &relation.right) {
                    return Outcomes::of(relation.comparison.holds(wire_len, *len));
                }
                let value = |part: &Arithmetic| match part {
                    Arithmetic::Length => Some(wire_len),
                    _ => self.tcp_flags.map(u32::from),
                };
                if self.tcp_flags.is_none()
                    && [&relation.left, &relation.right].iter().any(|side| reads(side))
                {
                    return Outcomes::ANY;
                }
                compared(relation, number(&relation.left, &value), number(&relation.right, &value))
            }
            _ => Outcomes::ANY,
        }
    }
}

#[inline]
fn compared(relation: &Relation, left: Option<u32>, right: Option<u32>) -> Outcomes {
    match (left, right) {
        (Some(left), Some(right)) => Outcomes::of(relation.comparison.holds(left, right)),
        // A division by zero.
        _ => Outcomes::BEYOND,
    }
}

/// Whether nothing is read but loads that `allows`, and the length only where `length` says so.
fn depends_on(value: &Arithmetic, allows: &dyn Fn(&Arithmetic) -> bool, length: bool) -> bool {
    match value {
        Arithmetic::Number(_) => true,
        Arithmetic::Length => length,
        Arithmetic::Load { .. } => allows(value),
        Arithmetic::Negate(value) => depends_on(value, allows, length),
        Arithmetic::Binary(_, left, right) => {
            depends_on(left, allows, length) && depends_on(right, allows, length)
        }
    }
}

fn reads(value: &Arithmetic) -> bool {
    !depends_on(value, &|_| false, true)
}

/// The value, where `part` gives loads and the length; `None` for a division by zero.
#[inline]
fn number(value: &Arithmetic, part: &dyn Fn(&Arithmetic) -> Option<u32>) -> Option<u32> {
    match value {
        Arithmetic::Number(value) => Some(*value),
        Arithmetic::Length | Arithmetic::Load { .. } => part(value),
        Arithmetic::Negate(value) => Some(number(value, part)?.wrapping_neg()),
        Arithmetic::Binary(operator, left, right) => {
            operator.apply(number(left, part)?, number(right, part)?)
        }
    }
}
