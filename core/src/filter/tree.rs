//! What a parsed filter is: tests joined by `and`, `or` and `not`, with every address, mask and port already
//! a number.
//!
//! The tree knows no link type, because one filter serves records of all of them. What it knows instead is
//! each test's [`Scope`]: how far `vlan`, `mpls`, `pppoes` and `geneve`, written before it, have moved the
//! headers it reads. They move everything to their right, even behind `or`: so pcap-filter(7) defines them.

use std::net::Ipv6Addr;

/// A filter or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Tests joined by `and` and `or`, which have EQUAL precedence and are taken from left to right.
    Chain {
        /// The leftmost operand.
        first: Box<Expr>,
        /// The others, each with the word before it.
        rest: Vec<(Joint, Expr)>,
    },
    /// The operand does not hold.
    Not(Box<Expr>),
    /// The operand holds on the record from its first byte, the tunnel's own headers included.
    Outer(Box<Expr>),
    /// One test.
    Test(Leaf),
}

/// The word between two operands of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// Both hold.
    And,
    /// At least one holds.
    Or,
}

/// One test and where it looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What must hold.
    pub test: Test,
    /// Where the headers it reads begin.
    pub scope: Scope,
}

/// One question about a packet.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The link header says this protocol follows: an EtherType, or an 802.2 SAP if at most 1500.
    LinkProtocol(u32),
    /// An OSI packet of this network layer protocol identifier.
    Iso(u32),
    /// An IS-IS PDU whose type's bit is set, the lowest bit being type 0.
    Isis(u32),
    /// IP's next protocol; over IPv6 also behind one fragment header.
    IpProtocol(Family, u32),
    /// The protocol is somewhere in the chain of IP headers.
    IpChain(Family, u32),
    /// The IPv6 header's next header field itself.
    Ipv6Next(u32),
    /// Not a second or later IPv4 fragment.
    FirstFragment,
    /// An address of IPv4 or of ARP over IPv4.
    Ipv4 {
        /// Network order read as a number; bits outside the mask are zero or the test fails.
        address: u32,
        /// Ones where the packet's address counts.
        mask: u32,
        /// Which of the two addresses.
        direction: Direction,
        /// Which protocols' addresses.
        carrier: Carrier,
    },
    /// An IPv6 address.
    Ipv6 {
        /// The address.
        address: Ipv6Addr,
        /// Leading bits that count, 0 to 128.
        prefix_len: u8,
        /// Which of the two addresses.
        direction: Direction,
    },
    /// An Ethernet address.
    Ethernet([u8; 6], Direction),
    /// A port of TCP, UDP or SCTP within `low..=high`.
    Port {
        /// Which of the three.
        transport: Transport,
        /// Which of the two ports.
        direction: Direction,
        /// Lowest port.
        low: u16,
        /// Highest port.
        high: u16,
    },
    /// The Ethernet destination is a group address.
    EthernetMulticast,
    /// The IPv4 destination is all ones or all zeros (no netmask is known).
    Ipv4Broadcast,
    /// The IPv4 destination is 224.0.0.0 or above.
    Ipv4Multicast,
    /// The IPv6 destination is ff00::/8.
    Ipv6Multicast,
    /// A VLAN tag, perhaps with this identifier.
    Vlan(Option<u16>),
    /// An MPLS label, perhaps this one; `true` for a label below another.
    Mpls(Option<u32>, bool),
    /// A PPPoE session packet, perhaps of this session.
    PppoeSession(Option<u16>),
    /// Geneve over UDP 6081, perhaps of this network; what is right of it reads the inner packet, found at
    /// run time.
    Geneve(Option<u32>, u8),
    /// Octets on the wire at most this.
    LengthAtMost(u32),
    /// Octets on the wire at least this.
    LengthAtLeast(u32),
    /// Two numbers compared.
    Relation(Box<Relation>),
    /// The mirror session's VXLAN network identifier.
    Vni(u32),
    /// The Gateway Load Balancer endpoint that delivered the packet.
    Endpoint(u64),
    /// Who mirrored it: the VXLAN outer source address, in IPv6 form, with the leading bits that count.
    Source(u128, u8),
    /// The GWLB attachment identifier.
    Attachment(u64),
    /// The GWLB flow cookie.
    Cookie(u32),
    /// The packet came through a mirror session.
    Mirrored,
    /// The packet came through GWLB itself, not through a mirror session.
    Inline,
    /// Fewer octets were captured than the packet had.
    Truncated,
}

/// IPv4, IPv6 or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Both.
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Which headers carry an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// IPv4, ARP and RARP.
    Any,
    /// IPv4.
    Ip,
    /// ARP.
    Arp,
    /// RARP.
    Rarp,
}

/// Which of source and destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// At least one.
    Either,
    /// Both.
    Both,
    /// Source.
    Source,
    /// Destination.
    Destination,
}

/// Which protocols' ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, UDP and SCTP.
    Any,
    /// IP protocol 6.
    Tcp,
    /// IP protocol 17.
    Udp,
    /// IP protocol 132.
    Sctp,
}

/// A comparison, valid only where the headers it reads are there.
#[derive(Clone, Debug, PartialEq)]
pub struct Relation {
    /// What must hold before anything is read: `tcp[…]` needs IPv4, TCP and a first fragment.
    pub checks: Vec<Leaf>,
    /// Left of the operator.
    pub left: Arithmetic,
    /// The operator.
    pub comparison: Comparison,
    /// Right of the operator.
    pub right: Arithmetic,
}

/// Unsigned comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=` or `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// Whether it holds between two numbers.
    #[inline]
    #[must_use]
    pub fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

/// A number of 32 bits that wraps, read from the packet or computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Arithmetic {
    /// A constant.
    Number(u32),
    /// Octets on the wire.
    Length,
    /// One, two or four octets of the packet, as an unsigned number in network order.
    Load {
        /// The header that offset 0 begins.
        base: Base,
        /// Where in it.
        index: Box<Arithmetic>,
        /// 1, 2 or 4.
        size: u8,
        /// Where the header is.
        scope: Scope,
    },
    /// Two's complement.
    Negate(Box<Arithmetic>),
    /// Two numbers combined; dividing by zero rejects the packet.
    Binary(Operator, Box<Arithmetic>, Box<Arithmetic>),
}

/// What a byte access counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The link header.
    Link,
    /// The network header.
    Network,
    /// What follows the IPv4 header.
    Ipv4Payload,
    /// What follows the fixed IPv6 header.
    Ipv6Payload,
}

/// Operators on numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
}

impl Operator {
    /// `left` combined with `right`, or `None` where that divides by zero.
    #[must_use]
    pub fn apply(self, left: u32, right: u32) -> Option<u32> {
        Some(match self {
            Self::Add => left.wrapping_add(right),
            Self::Subtract => left.wrapping_sub(right),
            Self::Multiply => left.wrapping_mul(right),
            Self::Divide => left.checked_div(right)?,
            Self::Remainder => left.checked_rem(right)?,
            Self::And => left & right,
            Self::Or => left | right,
            Self::Xor => left ^ right,
            Self::ShiftLeft => left.checked_shl(right).unwrap_or(0),
            Self::ShiftRight => left.checked_shr(right).unwrap_or(0),
        })
    }
}

/// Where the headers begin for tests at one place of the text, relative to anchors known only with the
/// packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scope {
    /// What the three offsets below count from.
    pub anchor: Anchor,
    /// Octets to add to the link header's offset.
    pub header_len: u32,
    /// Octets to add to the offset of the link header's protocol field.
    pub ethertype_len: u32,
    /// Octets to add to the offset of the link header's payload.
    pub payload_len: u32,
    /// Octets of MPLS labels between the link payload and the network header.
    pub labels_len: u32,
    /// Some `mpls` stands to the left: only IPv4 and IPv6 can be told.
    pub labelled: bool,
}

/// The headers from which a scope's offsets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Anchor {
    /// The packet's own link header.
    #[default]
    Record,
    /// The PPP header in a PPPoE session on the packet's own link.
    Ppp,
    /// The frame inside Geneve, remembered in this slot when its test held.
    Geneve(u8),
    /// The PPP header in a PPPoE session inside Geneve.
    PppInGeneve(u8),
}

impl Scope {
    /// Behind one VLAN tag more.
    #[must_use]
    pub fn behind_tag(self) -> Self {
        Self { ethertype_len: self.ethertype_len + 4, payload_len: self.payload_len + 4, ..self }
    }

    /// Behind one MPLS label more.
    #[must_use]
    pub fn behind_label(self) -> Self {
        Self { labels_len: self.labels_len + 4, labelled: true, ..self }
    }

    /// Behind a PPPoE header of 6 octets, where PPP's protocol field of 2 octets is the link header.
    #[must_use]
    pub fn behind_pppoe(self) -> Self {
        let start = self.payload_len + self.labels_len + 6;
        let anchor = match self.anchor {
            Anchor::Record | Anchor::Ppp => Anchor::Ppp,
            Anchor::Geneve(slot) | Anchor::PppInGeneve(slot) => Anchor::PppInGeneve(slot),
        };
        Self {
            anchor,
            header_len: start,
            ethertype_len: start,
            payload_len: start + 2,
            labels_len: 0,
            labelled: self.labelled,
        }
    }

    /// Inside the Geneve packet that `slot` will remember.
    #[must_use]
    pub fn inside_geneve(self, slot: u8) -> Self {
        Self { anchor: Anchor::Geneve(slot), labelled: self.labelled, ..Self::default() }
    }

    /// True where nothing has moved the headers.
    #[inline]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.anchor == Anchor::Record && self.payload_len == 0 && self.labels_len == 0
    }

    /// True where the place of the headers is known only with the packet.
    #[must_use]
    pub fn is_in_geneve(&self) -> bool {
        matches!(self.anchor, Anchor::Geneve(_) | Anchor::PppInGeneve(_))
    }

    /// True where the link header is PPP.
    #[must_use]
    pub fn is_ppp(&self) -> bool {
        matches!(self.anchor, Anchor::Ppp | Anchor::PppInGeneve(_))
    }
}
