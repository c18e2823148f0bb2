//! What is in a capture, or in a selection of it: counted once over the rows, then summed over classes.

use core::net::IpAddr;
use std::collections::HashMap;

use crate::{
    flow::{FlowRecord, NameSource, service},
    order,
};

use super::{
    Index,
    bits::Bits,
    columns::{Chunk, flag},
};

/// Where the rows of the size histogram begin, octets. 1,500 is the usual MTU, 8,500 that of mirrored jumbo frames.
pub const SIZE_STEPS: [u32; 9] = [0, 65, 128, 256, 512, 1024, 1501, 4096, 8501];
/// Rows of each table of an overview at most.
const MAX_ROWS: usize = 100;

/// How many, and how many octets on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Packets.
    pub packets: u64,
    /// Octets on the wire of the mirrored frames.
    pub bytes: u64,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Everything.
    pub total: Share,
    /// Times of the earliest and the latest packet.
    pub span_ns: Option<(i64, i64)>,
    /// By session number.
    pub sessions: Vec<SessionShare>,
    /// By protocol of the mirrored packets, the most packets first.
    pub protocols: Vec<(String, Share)>,
    /// By address, the most octets first.
    pub talkers: Vec<Talker>,
    /// By port of the side that serves, the most octets first.
    pub ports: Vec<(Port, Share)>,
    /// Names that clients asked for, with packets and flows, the most packets first.
    pub hosts: Vec<(String, NameSource, u64, u64)>,
    /// By size, as [`SIZE_STEPS`] says.
    pub sizes: [Share; SIZE_STEPS.len()],
    /// By bit of [`flag`], the lowest first.
    pub flags: [Share; 9],
}

/// What a session's packets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionShare {
    /// All packets.
    pub share: Share,
    /// Copies of packets that another session had mirrored before.
    pub duplicates: u64,
    /// Packets of which octets are missing.
    pub truncated: u64,
    /// Packets with a header that could not be read.
    pub undecodable: u64,
    /// Packets of flows of which one direction was not seen.
    pub one_sided: u64,
    /// Octets that were acknowledged and never seen, of the flows that this session showed first.
    pub gap_bytes: u64,
    /// Times of its earliest and latest packet.
    pub span_ns: Option<(i64, i64)>,
}

/// An address of the mirrored traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talker {
    /// The address.
    pub address: IpAddr,
    /// What it sent and received.
    pub share: Share,
}

/// A port of the side that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    /// IP protocol number.
    pub protocol: u8,
    /// The port.
    pub number: u16,
}

impl Share {
    #[inline]
    fn add(&mut self, bytes: u32) {
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }

    fn absorb(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl Index {
    /// Counts the packets that are selected, or all.
    #[inline]
    pub fn overview(&mut self, selected: Option<&Bits>) -> Overview {
        self.settle();
        let mut overview = Overview {
            sessions: vec![SessionShare::default(); self.sessions.in_order_seen().len()],
            ..Overview::default()
        };
        let mut classes = vec![Share::default(); self.classes.len()];
        let one_sided = self.one_sided_flows();
        let is_one_sided = |flow| one_sided.as_ref().is_some_and(|flows| flows.contains(flow));
        self.each(selected, |chunk, at| overview.count(chunk, at, &mut classes, &is_one_sided));
        self.sum_classes(&classes, &mut overview);
        self.count_flows(selected, &mut overview);
        overview
    }

    /// The numbers of flows, joined ones too, of which only one direction was seen.
    pub fn one_sided_flows(&self) -> Option<Bits> {
        self.flows_where(|flow| flow.sent.packets == 0 || flow.received.packets == 0)
    }

    /// The numbers of flows, those that were joined to them too, of which `is_chosen` holds.
    pub fn flows_where(&self, is_chosen: impl Fn(&FlowRecord) -> bool) -> Option<Bits> {
        let flows = self.flows.as_ref()?;
        let mut numbers: Vec<u32> =
            flows.all().filter(|flow| is_chosen(flow)).map(|flow| flow.number).collect();
        numbers.sort_unstable();
        let joined = flows.joined_to(|flow| numbers.binary_search(&flow).is_ok());
        numbers.extend(joined);
        numbers.sort_unstable();
        let mut bits = super::BitsBuilder::new(0);
        numbers.into_iter().for_each(|number| bits.insert(number.into()));
        Some(bits.finish())
    }

    fn sum_classes(&self, classes: &[Share], overview: &mut Overview) {
        let (mut protocols, mut talkers, mut ports) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (class, share) in classes.iter().enumerate().filter(|(_, share)| share.packets > 0) {
            let class = class as u32;
            let entry: &mut Share = protocols.entry(self.classes.protocol(class)).or_default();
            entry.absorb(*share);
            let Some(talk) = self.classes.talk(class) else { continue };
            for address in [talk.src, talk.dst] {
                let entry: &mut Share = talkers.entry(address).or_default();
                entry.absorb(*share);
            }
            if let Some((src, dst)) = talk.ports {
                let number = served(talk.protocol, src, dst);
                let entry: &mut Share = ports.entry(Port { protocol: talk.protocol, number }).or_default();
                entry.absorb(*share);
            }
        }
        overview.protocols = busiest(protocols, |share| share.packets);
        overview.ports = busiest(ports, |share| share.bytes);
        let talkers = busiest(talkers, |share| share.bytes).into_iter();
        overview.talkers = talkers.map(|(address, share)| Talker { address, share }).collect();
    }

    fn count_flows(&self, selected: Option<&Bits>, overview: &mut Overview) {
        let Some(flows) = &self.flows else { return };
        let chosen = selected.map(|selected| self.flows_in(selected));
        let numbers: HashMap<_, _> =
            self.sessions.in_order_seen().iter().zip(0..).map(|((key, _), number)| (*key, number)).collect();
        let mut hosts: HashMap<(String, NameSource), (u64, u64)> = HashMap::new();
        for flow in flows.all() {
            if chosen.as_ref().is_some_and(|chosen| !chosen.contains(flow.number)) {
                continue;
            }
            let session = numbers.get(&flow.session).copied();
            if let Some(session) = session.and_then(|number: usize| overview.sessions.get_mut(number)) {
                session.gap_bytes += flow.total(|direction| direction.gap_bytes);
            }
            if let Some(name) = &flow.name {
                let entry = hosts.entry((name.text.to_string(), name.source)).or_default();
                *entry = (entry.0 + flow.packets(), entry.1 + 1);
            }
        }
        let mut hosts: Vec<_> = hosts
            .into_iter()
            .map(|((name, source), (packets, flows))| (name, source, packets, flows))
            .collect();
        order::sort_by(&mut hosts, |a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
        hosts.truncate(MAX_ROWS);
        overview.hosts = hosts;
    }
}

impl Overview {
    #[inline]
    fn count(
        &mut self,
        chunk: &Chunk,
        at: usize,
        classes: &mut [Share],
        is_one_sided: &impl Fn(u64) -> bool,
    ) {
        let cell = |column: &[u32]| column.get(at).copied().unwrap_or_default();
        let time = chunk.timestamp_ns.get(at).copied().unwrap_or_default();
        let flags = chunk.flags.get(at).copied().unwrap_or_default();
        let bytes = cell(&chunk.subject_len);
        self.total.add(bytes);
        self.span_ns = widened(self.span_ns, time);
        if let Some(class) = classes.get_mut(cell(&chunk.class) as usize) {
            class.add(bytes);
        }
        let size = SIZE_STEPS.iter().rposition(|step| *step <= bytes).unwrap_or_default();
        self.sizes[size].add(bytes);
        let mut left = flags & !flag::TCP_FLAGS & 0x1ff;
        while left != 0 {
            self.flags[left.trailing_zeros() as usize].add(bytes);
            left &= left - 1;
        }
        if let Some(session) = self.sessions.get_mut(cell(&chunk.session) as usize) {
            session.share.add(bytes);
            session.span_ns = widened(session.span_ns, time);
            session.duplicates += u64::from(flags & flag::DUPLICATE != 0);
            session.truncated += u64::from(flags & flag::TRUNCATED != 0);
            session.undecodable += u64::from(flags & flag::UNDECODABLE != 0);
            session.one_sided += u64::from(chunk.flow(at).is_some_and(|flow| is_one_sided(flow.into())));
        }
    }
}

#[inline]
fn widened(span: Option<(i64, i64)>, time: i64) -> Option<(i64, i64)> {
    Some(span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))))
}

/// The port of the side that serves: one with a service of its own, else the lower one.
fn served(protocol: u8, src: u16, dst: u16) -> u16 {
    let is_served = |port| service::by_port(protocol, port).is_some();
    match (is_served(src), is_served(dst)) {
        (true, false) => src,
        (false, true) => dst,
        _ => src.min(dst),
    }
}

fn busiest<K: Ord>(shares: HashMap<K, Share>, value: fn(&Share) -> u64) -> Vec<(K, Share)> {
    let mut rows: Vec<_> = shares.into_iter().collect();
    order::sort_by(&mut rows, |(a, share_a), (b, share_b)| {
        value(share_b).cmp(&value(share_a)).then_with(|| a.cmp(b))
    });
    rows.truncate(MAX_ROWS);
    rows
}
