//! What qualifiers and a value mean together: `tcp`, `src`, `port` and 80 are one test.
//!
//! The rules and the refusals are those of libpcap 1.10.3. Every function answers with a test or with what is
//! wrong, one line without place; the parser knows the place.

use std::net::Ipv6Addr;

use super::names;
use super::tree::{Base, Carrier, Direction, Family, Scope, Test, Transport};
use super::words::Protocol;

/// What stands before a value and, with `and`/`or`, is carried over to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Qualifier {
    /// `tcp` in `tcp src port 80`.
    pub(crate) protocol: Option<Protocol>,
    /// `src`.
    pub(crate) direction: Direction,
    /// `port`.
    pub(crate) kind: ValueKind,
}

/// What kind of value a qualifier takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    /// A host; the word was left out.
    Implied,
    Host,
    Net,
    Port,
    PortRange,
    Proto,
    ProtoChain,
}

pub(crate) type Meaning = Result<Test, String>;

pub(crate) const ETHERTYPE_IP: u32 = 0x0800;
pub(crate) const ETHERTYPE_ARP: u32 = 0x0806;
pub(crate) const ETHERTYPE_RARP: u32 = 0x8035;
pub(crate) const ETHERTYPE_IPV6: u32 = 0x86dd;
pub(crate) const ETHERTYPE_PPPOE_DISCOVERY: u32 = 0x8863;
pub(crate) const SAP_ISO: u32 = 0xfe;
pub(crate) const SAP_IPX: u32 = 0xe0;
pub(crate) const SAP_NETBEUI: u32 = 0xf0;
const SAP_SPANNING_TREE: u32 = 0x42;

/// A protocol's name as a test by itself.
pub(crate) fn protocol(protocol: Protocol, scope: Scope) -> Meaning {
    let over_ip = |number| Ok(Test::IpProtocol(Family::Any, number));
    let over_ipv4 = |number| Ok(Test::IpProtocol(Family::V4, number));
    let isis = |types: &[u8]| Ok(Test::Isis(types.iter().fold(0, |bits, kind| bits | 1 << kind)));
    let (hello, lsp, csnp, psnp) = ([15, 16, 17], [18, 20], [24, 25], [26, 27]);
    match protocol {
        Protocol::Link => Err("the link layer alone is no test".into()),
        Protocol::Sctp => over_ip(132),
        Protocol::Tcp => over_ip(6),
        Protocol::Udp => over_ip(17),
        Protocol::Pim => over_ip(103),
        Protocol::Ah => over_ip(51),
        Protocol::Esp => over_ip(50),
        Protocol::Icmp => over_ipv4(1),
        Protocol::Igmp => over_ipv4(2),
        Protocol::Igrp => over_ipv4(9),
        Protocol::Vrrp | Protocol::Carp => over_ipv4(112),
        Protocol::Icmp6 => Ok(Test::IpProtocol(Family::V6, 58)),
        Protocol::Ip => link_protocol(ETHERTYPE_IP, scope),
        Protocol::Ip6 => link_protocol(ETHERTYPE_IPV6, scope),
        Protocol::Arp => link_protocol(ETHERTYPE_ARP, scope),
        Protocol::Rarp => link_protocol(ETHERTYPE_RARP, scope),
        Protocol::Atalk => link_protocol(0x809b, scope),
        Protocol::Aarp => link_protocol(0x80f3, scope),
        Protocol::Decnet => link_protocol(0x6003, scope),
        Protocol::Sca => link_protocol(0x6007, scope),
        Protocol::Lat => link_protocol(0x6004, scope),
        Protocol::MopDl => link_protocol(0x6001, scope),
        Protocol::MopRc => link_protocol(0x6002, scope),
        Protocol::Iso => link_protocol(SAP_ISO, scope),
        Protocol::Stp => link_protocol(SAP_SPANNING_TREE, scope),
        Protocol::Ipx => link_protocol(SAP_IPX, scope),
        Protocol::NetBeui => link_protocol(SAP_NETBEUI, scope),
        Protocol::Clnp => Ok(Test::Iso(0x81)),
        Protocol::EsIs => Ok(Test::Iso(0x82)),
        Protocol::IsIs => Ok(Test::Iso(0x83)),
        Protocol::IsisL1 => isis(&[15, 17, 18, 24, 26]),
        Protocol::IsisL2 => isis(&[16, 17, 20, 25, 27]),
        Protocol::IsisHello => isis(&hello),
        Protocol::IsisLsp => isis(&lsp),
        Protocol::IsisSnp => isis(&[24, 25, 26, 27]),
        Protocol::IsisCsnp => isis(&csnp),
        Protocol::IsisPsnp => isis(&psnp),
    }
}

/// An EtherType or SAP; behind MPLS only IP can be told.
pub(crate) fn link_protocol(number: u32, scope: Scope) -> Meaning {
    if scope.labelled && number != ETHERTYPE_IP && number != ETHERTYPE_IPV6 {
        return Err("behind `mpls` only IPv4 and IPv6 can be told".into());
    }
    Ok(Test::LinkProtocol(number))
}

/// A bare number behind qualifiers.
pub(crate) fn number(qualifier: Qualifier, value: u32, scope: Scope) -> Meaning {
    match qualifier.kind {
        ValueKind::Implied | ValueKind::Host => ipv4(qualifier, value, u32::MAX, scope),
        ValueKind::Net => {
            let shift = if value == 0 { 0 } else { value.leading_zeros() / 8 * 8 };
            ipv4(qualifier, value << shift, u32::MAX << shift, scope)
        }
        ValueKind::Port | ValueKind::PortRange => ports(qualifier, value, value, Transport::Any),
        ValueKind::Proto => proto(qualifier.protocol, value, scope),
        ValueKind::ProtoChain => chain(qualifier.protocol, value),
    }
}

/// An IPv4 address under a mask.
pub(crate) fn ipv4(qualifier: Qualifier, address: u32, mask: u32, scope: Scope) -> Meaning {
    let carrier = match qualifier.protocol {
        None if scope.labelled => Carrier::Ip,
        None => Carrier::Any,
        Some(Protocol::Ip) => Carrier::Ip,
        Some(Protocol::Arp | Protocol::Rarp) if scope.labelled => {
            return Err("behind `mpls` only IPv4 and IPv6 can be told".into());
        }
        Some(Protocol::Arp) => Carrier::Arp,
        Some(Protocol::Rarp) => Carrier::Rarp,
        Some(Protocol::Link) => {
            return Err("an Ethernet address should stand here, not an IPv4 address".into());
        }
        Some(Protocol::Ip6) => return Err("`ip6` cannot qualify an IPv4 address".into()),
        Some(_) => return Err("only `ip`, `arp` and `rarp` can qualify an IPv4 address".into()),
    };
    Ok(Test::Ipv4 { address, mask, direction: qualifier.direction, carrier })
}

/// An IPv6 address and how many of its bits count.
pub(crate) fn ipv6(qualifier: Qualifier, address: Ipv6Addr, prefix_len: Option<u32>) -> Meaning {
    match qualifier.kind {
        ValueKind::Implied | ValueKind::Host if prefix_len.is_some_and(|len| len != 128) => {
            return Err("a prefix length needs `net`".into());
        }
        ValueKind::Implied | ValueKind::Host | ValueKind::Net => {}
        _ => return Err("an IPv6 address cannot stand here".into()),
    }
    if !matches!(qualifier.protocol, None | Some(Protocol::Ip6)) {
        return Err("only `ip6` can qualify an IPv6 address".into());
    }
    let prefix_len = u8::try_from(prefix_len.unwrap_or(128)).ok().filter(|len| *len <= 128);
    let prefix_len = prefix_len.ok_or("an IPv6 prefix has at most 128 bits")?;
    if u128::from(address) & !prefix_mask(prefix_len) != 0 {
        return Err(format!("{address} has bits set behind its {prefix_len} network bits"));
    }
    Ok(Test::Ipv6 { address, prefix_len, direction: qualifier.direction })
}

/// Ones in the leading `len` bits.
pub(crate) fn prefix_mask(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len.min(128))).unwrap_or(0)
}

/// Ports from one to another, in either order; `named` is the transport a service name stands for.
pub(crate) fn ports(qualifier: Qualifier, from: u32, to: u32, named: Transport) -> Meaning {
    let transport = match (qualifier.protocol, named) {
        (None, named) => named,
        (Some(Protocol::Tcp), Transport::Any | Transport::Tcp) => Transport::Tcp,
        (Some(Protocol::Udp), Transport::Any | Transport::Udp) => Transport::Udp,
        (Some(Protocol::Sctp), Transport::Any | Transport::Sctp) => Transport::Sctp,
        (Some(Protocol::Udp | Protocol::Sctp), Transport::Tcp) => {
            return Err("this name is a TCP port".into());
        }
        (Some(Protocol::Tcp | Protocol::Sctp), _) => return Err("this name is a UDP port".into()),
        (Some(Protocol::Udp), _) => return Err("this name is an SCTP port".into()),
        (Some(_), _) => return Err("only `tcp`, `udp` and `sctp` have ports".into()),
    };
    let port = |value: u32| u16::try_from(value).map_err(|_| format!("port {value} is above 65535"));
    let (from, to) = (port(from)?, port(to)?);
    Ok(Test::Port { transport, direction: qualifier.direction, low: from.min(to), high: from.max(to) })
}

/// The value of `proto`.
pub(crate) fn proto(protocol: Option<Protocol>, value: u32, scope: Scope) -> Meaning {
    match protocol {
        None => Ok(Test::IpProtocol(Family::Any, value)),
        Some(Protocol::Ip) => Ok(Test::IpProtocol(Family::V4, value)),
        Some(Protocol::Ip6) => Ok(Test::IpProtocol(Family::V6, value)),
        Some(Protocol::Link) => link_protocol(value, scope),
        Some(Protocol::Iso) => Ok(Test::Iso(value)),
        Some(Protocol::IsIs) if value < 32 => Ok(Test::Isis(1 << value)),
        Some(Protocol::IsIs) => Err("IS-IS PDU types are below 32".into()),
        Some(_) => Err("only `ip`, `ip6`, `ether`, `iso` and `isis` carry other protocols".into()),
    }
}

/// The value of `protochain`.
pub(crate) fn chain(protocol: Option<Protocol>, value: u32) -> Meaning {
    match protocol {
        None => Ok(Test::IpChain(Family::Any, value)),
        Some(Protocol::Ip) => Ok(Test::IpChain(Family::V4, value)),
        Some(Protocol::Ip6) => Ok(Test::IpChain(Family::V6, value)),
        Some(_) => Err("only `ip` and `ip6` have a chain of headers".into()),
    }
}

/// The number behind a protocol's name after `proto`.
pub(crate) fn proto_number(protocol: Option<Protocol>, name: &str) -> Option<u32> {
    match protocol {
        None | Some(Protocol::Ip | Protocol::Ip6) => names::ip_protocol(name),
        Some(Protocol::Link) => names::link_protocol(name),
        Some(Protocol::Iso) => names::iso_protocol(name),
        Some(_) => None,
    }
}

/// `broadcast` behind a protocol or alone.
pub(crate) fn broadcast(protocol: Option<Protocol>, scope: Scope) -> Meaning {
    match protocol {
        None | Some(Protocol::Link) if scope.is_ppp() => Err("PPP has no addresses".into()),
        None | Some(Protocol::Link) => Ok(Test::Ethernet([0xff; 6], Direction::Destination)),
        Some(Protocol::Ip) => Ok(Test::Ipv4Broadcast),
        Some(_) => Err("only `ether` and `ip` have broadcasts".into()),
    }
}

/// `multicast` behind a protocol or alone.
pub(crate) fn multicast(protocol: Option<Protocol>, scope: Scope) -> Meaning {
    match protocol {
        None | Some(Protocol::Link) if scope.is_ppp() => Err("PPP has no addresses".into()),
        None | Some(Protocol::Link) => Ok(Test::EthernetMulticast),
        Some(Protocol::Ip) => Ok(Test::Ipv4Multicast),
        Some(Protocol::Ip6) => Ok(Test::Ipv6Multicast),
        Some(_) => Err("only `ether`, `ip` and `ip6` have multicasts".into()),
    }
}

/// What `protocol[…]` counts from, and what must hold before (`first`) and after (`then`) the checks of its
/// index.
pub(crate) struct Access {
    pub(crate) base: Base,
    pub(crate) first: Option<Test>,
    pub(crate) then: Vec<Test>,
}

/// The meaning of `protocol[…]`.
pub(crate) fn access(named: Protocol, scope: Scope) -> Result<Access, String> {
    match named {
        Protocol::Link => Ok(Access { base: Base::Link, first: None, then: Vec::new() }),
        Protocol::Ip
        | Protocol::Ip6
        | Protocol::Arp
        | Protocol::Rarp
        | Protocol::Atalk
        | Protocol::Decnet
        | Protocol::Sca
        | Protocol::Lat
        | Protocol::MopRc
        | Protocol::MopDl => {
            Ok(Access { base: Base::Network, first: None, then: vec![protocol(named, scope)?] })
        }
        Protocol::Sctp
        | Protocol::Tcp
        | Protocol::Udp
        | Protocol::Icmp
        | Protocol::Igmp
        | Protocol::Igrp
        | Protocol::Pim
        | Protocol::Vrrp
        | Protocol::Carp => Ok(Access {
            base: Base::Ipv4Payload,
            first: Some(Test::LinkProtocol(ETHERTYPE_IP)),
            then: vec![protocol(named, scope)?, Test::FirstFragment],
        }),
        Protocol::Icmp6 => Ok(Access {
            base: Base::Ipv6Payload,
            first: None,
            then: vec![Test::LinkProtocol(ETHERTYPE_IPV6), Test::Ipv6Next(58)],
        }),
        _ => {
            Err("the bytes of this protocol have no offset; count from `ether`, `ip`, `ip6`, `tcp` or `udp`"
                .into())
        }
    }
}
