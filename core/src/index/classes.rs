//! What many packets have in common is kept once: head, session, attachment and cookie together are a class.
//!
//! Packets of one class give the same answer to every test that a filter asks of a head, and are counted together in
//! an overview. Whoever sends packets can invent classes: those beyond [`MAX_CLASSES`] share the class [`UNKNOWN`],
//! of which nothing is known, so that their octets are read again.

use core::{
    hash::{BuildHasher, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use crate::{
    aws::{gwlb::GwlbContext, mirror::MirrorContext},
    filter::partial::{Head, HeadLink},
    layers::{Layer, ipv4},
    packet::{Envelope, Packet},
    sinks::sessions::{Key, Sessions},
};

use super::{
    columns::flag,
    head::{self, Network, PacketHead},
    session_key,
};

/// Classes that are told apart; each takes some 120 octets.
pub(crate) const MAX_CLASSES: usize = 1 << 20;
/// The class of packets of which nothing is known.
pub(crate) const UNKNOWN: u32 = 0;

/// Octets of heads that are allocated at a time.
const CHUNK_LEN: usize = 1 << 16;

#[derive(Clone, Debug)]
pub(crate) struct Class {
    at: u32,
    len: u8,
    tags: u8,
    network_at: u8,
    network: Network,
    link: Option<HeadLink>,
    session: u32,
    gwlb: Gwlb,
}

/// What GWLB says beside the endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Gwlb {
    attachment_id: Option<u64>,
    flow_cookie: Option<u32>,
}

/// The classes by number.
#[derive(Debug)]
pub(crate) struct Classes {
    hasher: FixedState,
    numbers: HashTable<u32>,
    list: Vec<Class>,
    octets: Vec<Vec<u8>>,
}

/// What a row keeps beside its class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketFacts {
    pub(crate) flags: u16,
    pub(crate) tcp_flags: u8,
}

/// Addresses, protocol and ports of IP packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// Source and destination port, where the protocol has them and they were captured.
    pub ports: Option<(u16, u16)>,
}

impl Classes {
    pub(crate) fn new(seed: u64) -> Self {
        let unknown = Class {
            at: 0,
            len: 0,
            tags: 0,
            network_at: 0,
            network: Network::None,
            link: None,
            session: 0,
            gwlb: Gwlb::default(),
        };
        Self {
            hasher: FixedState::with_seed(seed),
            numbers: HashTable::new(),
            list: vec![unknown],
            octets: Vec::new(),
        }
    }

    /// The class of a packet that `session` counted.
    #[inline]
    pub(crate) fn class(&mut self, packet: &Packet<'_>, session: u32) -> (u32, PacketFacts) {
        let head = PacketHead::of(packet);
        let mut facts = PacketFacts { flags: 0, tcp_flags: 0 };
        if let Some(tcp_flags) = head.tcp_flags {
            facts = PacketFacts { flags: flag::TCP_FLAGS, tcp_flags };
        }
        if head.is_fragment {
            facts.flags |= flag::FRAGMENT;
        }
        let gwlb = packet.gwlb().map_or(Gwlb::default(), |gwlb| Gwlb {
            attachment_id: gwlb.attachment_id,
            flow_cookie: gwlb.flow_cookie,
        });
        (self.number(&head, session, gwlb), facts)
    }

    #[inline]
    fn number(&mut self, head: &PacketHead, session: u32, gwlb: Gwlb) -> u32 {
        let hash = hash(&self.hasher, head, session, gwlb);
        let is_it = |number: &u32| {
            let class = &self.list[*number as usize];
            class.session == session
                && class.gwlb == gwlb
                && class.link == Some(head.link)
                && class.network == head.network
                && octets_of(&self.octets, class) == &head.octets[..]
        };
        if let Some(number) = self.numbers.find(hash, is_it) {
            return *number;
        }
        if self.list.len() > MAX_CLASSES {
            return UNKNOWN;
        }
        self.add(hash, head, session, gwlb)
    }

    #[inline(never)]
    fn add(&mut self, hash: u64, head: &PacketHead, session: u32, gwlb: Gwlb) -> u32 {
        let number = self.list.len() as u32;
        let class = Class {
            at: self.keep(&head.octets),
            len: head.octets.len() as u8,
            tags: head.tags,
            network_at: head.network_at,
            network: head.network,
            link: Some(head.link),
            session,
            gwlb,
        };
        self.list.push(class);
        let Self { hasher, numbers, list, octets } = self;
        numbers.insert_unique(hash, number, |number| {
            let class = &list[*number as usize];
            hash_parts(hasher, octets_of(octets, class), class.link, class.session, class.gwlb)
        });
        number
    }

    fn keep(&mut self, head: &[u8]) -> u32 {
        if self.octets.last().is_none_or(|chunk| chunk.len() + head.len() > CHUNK_LEN) {
            self.octets.push(Vec::with_capacity(CHUNK_LEN));
        }
        let chunk = self.octets.len() - 1;
        let at = chunk * CHUNK_LEN + self.octets[chunk].len();
        self.octets[chunk].extend_from_slice(head);
        at as u32
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// What a filter can be asked about a class; `None` where nothing is known.
    pub(crate) fn head(&self, number: u32, sessions: &Sessions) -> Option<Head<'_>> {
        let class = self.list.get(number as usize)?;
        let link = class.link?;
        let gwlb = |endpoint_id| GwlbContext {
            endpoint_id,
            attachment_id: class.gwlb.attachment_id,
            flow_cookie: class.gwlb.flow_cookie,
        };
        let envelope = match session_key(sessions, class.session)? {
            Key::Mirrored(identity) => {
                Envelope::Mirrored(MirrorContext { identity, gwlb: identity.endpoint_id.map(gwlb) })
            }
            Key::Inline(endpoint_id) => Envelope::Inline(endpoint_id.map(gwlb)),
            Key::Bare => Envelope::Bare,
            Key::Overflow => return None,
        };
        Some(Head { link: Some(link), octets: octets_of(&self.octets, class), tags: class.tags, envelope })
    }

    /// Whether the packets of a class came without a tunnel.
    pub(crate) fn is_bare(&self, number: u32, sessions: &Sessions) -> bool {
        let class = self.list.get(number as usize);
        class.and_then(|class| session_key(sessions, class.session)) == Some(Key::Bare)
    }

    /// Addresses, protocol and ports, for a class of IP packets.
    pub(crate) fn talk(&self, number: u32) -> Option<Talk> {
        let class = self.list.get(number as usize)?;
        let network = octets_of(&self.octets, class).get(usize::from(class.network_at)..)?;
        let (src, dst, protocol, header_len): (IpAddr, IpAddr, _, _) = match class.network {
            Network::Ipv4 => {
                let at = |at: usize| Some(Ipv4Addr::from(*network.get(at..)?.first_chunk::<4>()?));
                let header_len = usize::from(network.first()? & 15) * 4;
                (at(12)?.into(), at(16)?.into(), *network.get(9)?, header_len)
            }
            Network::Ipv6 => {
                let at = |at: usize| Some(Ipv6Addr::from(*network.get(at..)?.first_chunk::<16>()?));
                (at(8)?.into(), at(24)?.into(), *network.get(6)?, 40)
            }
            _ => return None,
        };
        let ports = network.get(header_len..).and_then(|rest| rest.first_chunk::<4>());
        let ports = ports.map(|[a, b, c, d]| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])));
        Some(Talk { src, dst, protocol, ports })
    }

    /// The protocol's name, as the native program writes it.
    pub(crate) fn protocol(&self, number: u32) -> String {
        let Some(class) = self.list.get(number as usize) else { return "other".into() };
        match class.network {
            Network::Arp => "ARP".into(),
            Network::Other(layer) => {
                Layer::ALL.get(usize::from(layer)).map_or("other", |layer| layer.name()).into()
            }
            Network::None => "other".into(),
            Network::Ipv4 | Network::Ipv6 => match self.talk(number) {
                Some(talk) => ipv4::protocol_name(talk.protocol.into())
                    .map_or_else(|| format!("ip-proto {}", talk.protocol), str::to_owned),
                None => "other".into(),
            },
        }
    }

    /// Addresses that were seen, each once, in the order of the classes; at most `limit`.
    pub(crate) fn addresses(&self, limit: usize) -> Vec<IpAddr> {
        let mut seen = std::collections::HashSet::new();
        let mut list = Vec::new();
        for talk in (0..self.len() as u32).filter_map(|number| self.talk(number)) {
            for address in [talk.src, talk.dst] {
                if list.len() < limit && seen.insert(address) {
                    list.push(address);
                }
            }
            if list.len() >= limit {
                break;
            }
        }
        list
    }

    pub(crate) fn memory_len(&self) -> usize {
        self.list.capacity() * size_of::<Class>()
            + self.octets.len() * CHUNK_LEN
            + self.numbers.capacity() * (size_of::<u32>() + 1)
    }
}

#[inline]
fn octets_of<'a>(octets: &'a [Vec<u8>], class: &Class) -> &'a [u8] {
    let (chunk, at) = (class.at as usize / CHUNK_LEN, class.at as usize % CHUNK_LEN);
    octets.get(chunk).and_then(|chunk| chunk.get(at..at + usize::from(class.len))).unwrap_or_default()
}

#[inline]
fn hash(hasher: &FixedState, head: &PacketHead, session: u32, gwlb: Gwlb) -> u64 {
    hash_parts(hasher, &head.octets, Some(head.link), session, gwlb)
}

#[inline]
fn hash_parts(hasher: &FixedState, octets: &[u8], link: Option<HeadLink>, session: u32, gwlb: Gwlb) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(octets);
    hasher.write_u64(u64::from(session) << 8 | u64::from(link.map_or(u8::MAX, HeadLink::number)));
    hasher
        .write_u64(u64::from(gwlb.flow_cookie.unwrap_or_default()) ^ gwlb.attachment_id.unwrap_or_default());
    hasher.finish()
}

const _: () = assert!(head::MAX_LEN <= u8::MAX as usize);
