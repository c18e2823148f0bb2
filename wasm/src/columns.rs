//! A batch of packets as columns: one array a field, in Arrow's layout, read in place by JavaScript.
//!
//! The arrays are allocated once and never move, so a view of them is good until the next batch is filled or the
//! module's memory grows.

use std::net::IpAddr;

use mirrorscope_core::{Layer, Packet, Span, index::envelope_flags};

/// Packets in a batch at most.
pub(crate) const MAX_ROWS: usize = 65_536;

/// Bits of the column `flags`; the first five are those of core's index.
mod flag {
    pub(super) use mirrorscope_core::index::flag::FRAGMENT;

    pub(super) const IPV4: u16 = 1 << 5;
    pub(super) const IPV6: u16 = 1 << 6;
    pub(super) const PORTS: u16 = 1 << 7;
}

/// The columns of one batch. Addresses, ports, protocol and TCP flags are those of the outermost IP packet of the
/// mirrored frame; 0 where there is none, as `flags` tells.
#[derive(Debug)]
pub(crate) struct Columns {
    capacity: usize,
    number: Vec<u32>,
    timestamp_ns: Vec<i64>,
    timestamp_ms: Vec<f64>,
    offset: Vec<f64>,
    captured_len: Vec<u32>,
    original_len: Vec<u32>,
    subject_len: Vec<u32>,
    subject_offset: Vec<u32>,
    interface: Vec<u32>,
    session: Vec<u32>,
    vni: Vec<u32>,
    flow_cookie: Vec<u32>,
    flags: Vec<u16>,
    src_port: Vec<u16>,
    dst_port: Vec<u16>,
    link_type: Vec<u16>,
    protocol: Vec<u8>,
    tcp_flags: Vec<u8>,
    src: Vec<[u8; 16]>,
    dst: Vec<[u8; 16]>,
}

/// What the first IP packet of the subject says.
#[derive(Default)]
struct Network {
    flags: u16,
    src: [u8; 16],
    dst: [u8; 16],
    src_port: u16,
    dst_port: u16,
    protocol: u8,
    tcp_flags: u8,
}

impl Columns {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, MAX_ROWS);
        Self {
            capacity,
            number: Vec::with_capacity(capacity),
            timestamp_ns: Vec::with_capacity(capacity),
            timestamp_ms: Vec::with_capacity(capacity),
            offset: Vec::with_capacity(capacity),
            captured_len: Vec::with_capacity(capacity),
            original_len: Vec::with_capacity(capacity),
            subject_len: Vec::with_capacity(capacity),
            subject_offset: Vec::with_capacity(capacity),
            interface: Vec::with_capacity(capacity),
            session: Vec::with_capacity(capacity),
            vni: Vec::with_capacity(capacity),
            flow_cookie: Vec::with_capacity(capacity),
            flags: Vec::with_capacity(capacity),
            src_port: Vec::with_capacity(capacity),
            dst_port: Vec::with_capacity(capacity),
            link_type: Vec::with_capacity(capacity),
            protocol: Vec::with_capacity(capacity),
            tcp_flags: Vec::with_capacity(capacity),
            src: Vec::with_capacity(capacity),
            dst: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.number.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows() >= self.capacity
    }

    /// Where the columns lie in memory, in the order of `COLUMNS` in `columns.ts`.
    pub(crate) fn addresses(&self) -> Vec<u32> {
        fn at<T>(column: &[T]) -> u32 {
            column.as_ptr().addr() as u32
        }
        vec![
            at(&self.number),
            at(&self.timestamp_ns),
            at(&self.timestamp_ms),
            at(&self.offset),
            at(&self.captured_len),
            at(&self.original_len),
            at(&self.subject_len),
            at(&self.subject_offset),
            at(&self.interface),
            at(&self.session),
            at(&self.vni),
            at(&self.flow_cookie),
            at(&self.flags),
            at(&self.src_port),
            at(&self.dst_port),
            at(&self.link_type),
            at(&self.protocol),
            at(&self.tcp_flags),
            at(&self.src),
            at(&self.dst),
        ]
    }

    pub(crate) fn clear(&mut self) {
        self.number.clear();
        self.timestamp_ns.clear();
        self.timestamp_ms.clear();
        self.offset.clear();
        self.captured_len.clear();
        self.original_len.clear();
        self.subject_len.clear();
        self.subject_offset.clear();
        self.interface.clear();
        self.session.clear();
        self.vni.clear();
        self.flow_cookie.clear();
        self.flags.clear();
        self.src_port.clear();
        self.dst_port.clear();
        self.link_type.clear();
        self.protocol.clear();
        self.tcp_flags.clear();
        self.src.clear();
        self.dst.clear();
    }

    /// Adds a row; `session` is the index of the row that counted the packet.
    #[inline(never)]
    pub(crate) fn push(&mut self, packet: &Packet<'_>, session: usize) {
        let record = &packet.record;
        self.number.push(record.number as u32);
        self.timestamp_ns.push(record.timestamp_ns);
        self.timestamp_ms.push(record.timestamp_ns as f64 / 1e6);
        self.offset.push(record.offset as f64);
        self.captured_len.push(record.data.len() as u32);
        self.original_len.push(record.original_len);
        self.interface.push(record.interface);
        self.link_type.push(record.link_type.0);
        self.session.push(session as u32);
        self.vni.push(packet.mirror().map_or(0, |context| context.identity.vni));
        self.flow_cookie.push(packet.gwlb().and_then(|gwlb| gwlb.flow_cookie).unwrap_or_default());
        self.subject_len.push(packet.subject_len());
        self.subject_offset.push(subject_offset(packet));
        let network = Network::of(packet);
        self.flags.push(network.flags | envelope_flags(packet));
        self.src.push(network.src);
        self.dst.push(network.dst);
        self.src_port.push(network.src_port);
        self.dst_port.push(network.dst_port);
        self.protocol.push(network.protocol);
        self.tcp_flags.push(network.tcp_flags);
    }
}

fn subject_offset(packet: &Packet<'_>) -> u32 {
    match (packet.subject_layers().first(), packet.envelope_layers().last()) {
        (Some(first), _) => first.offset,
        (None, Some(tunnel)) => tunnel.payload,
        (None, None) => 0,
    }
}

impl Network {
    #[inline]
    fn of(packet: &Packet<'_>) -> Self {
        let layers = packet.subject_layers();
        let mut network = Self::default();
        let is_ip = |span: &Span| matches!(span.layer, Layer::Ipv4 | Layer::Ipv6);
        if let Some(at) = layers.iter().position(is_ip)
            && let Some((ip, behind)) = layers.get(at..).and_then(<[Span]>::split_first)
        {
            network.read_ip(packet, ip);
            network.read_behind(packet, behind);
            if packet.stack.is_fragment(&layers[at..]) {
                network.flags |= flag::FRAGMENT;
            }
        }
        network
    }

    #[inline]
    fn read_ip(&mut self, packet: &Packet<'_>, ip: &Span) {
        let header = packet.stack.header(ip);
        let (flag, protocol_at) = if ip.layer == Layer::Ipv4 { (flag::IPV4, 9) } else { (flag::IPV6, 6) };
        let Some((src, dst)) = packet.stack.addresses(ip) else { return };
        self.flags |= flag;
        self.protocol = header.get(protocol_at).copied().unwrap_or_default();
        (self.src, self.dst) = (octets(src), octets(dst));
    }

    #[inline]
    fn read_behind(&mut self, packet: &Packet<'_>, behind: &[Span]) {
        for span in behind {
            let header = packet.stack.header(span);
            match span.layer {
                Layer::Ipv6Ext => self.protocol = header.first().copied().unwrap_or(self.protocol),
                Layer::Tcp | Layer::Udp => {
                    if let Some((src_port, dst_port)) = packet.stack.ports(span) {
                        self.flags |= flag::PORTS;
                        (self.src_port, self.dst_port) = (src_port, dst_port);
                    }
                    if span.layer == Layer::Tcp {
                        self.tcp_flags = header.get(13).copied().unwrap_or_default();
                    }
                    return;
                }
                _ => return,
            }
        }
    }
}

#[inline]
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
