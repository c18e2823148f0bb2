//! A packet of a made-up flow as the octets that pass the mirrored interface, checksums right.

use core::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{
    EtherType, Ethernet2Header, IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpNumber,
    Ipv4Header, Ipv6FlowLabel, Ipv6Header, SingleVlanHeader, TcpHeader, UdpHeader, VlanId,
};
use fastrand::Rng;

use super::{
    flow::{Flags, Kind, Payload, Spec, Step, Transport},
    payload::{self, Question},
};
use crate::encap::{Addresses, MirrorSession};

/// Remote hosts over IPv4: 198.18.0.0/15, which RFC 2544 keeps for measurements.
pub(super) const REMOTE_IPV4: u32 = 0xc612_0000;
/// The bits of a remote host's number that fit there.
pub(super) const REMOTE_IPV4_MASK: u32 = 0x0001_ffff;

/// MSS 1460, window scale 7, SACK permitted, and a NOP for alignment: options of a SYN.
const SYN_OPTIONS: [u8; 12] = [2, 4, 0x05, 0xb4, 1, 3, 3, 7, 4, 2, 1, 1];
const ROUTER_MAC: [u8; 6] = [0x0e, 0x11, 0, 0, 0, 1];
const LOCAL_TTL: u8 = 64;
const REMOTE_TTL: u8 = 49;
const WINDOW: u16 = 64_240;

const FILLER_LEN: usize = 8192;
const LONGEST_PAYLOAD: usize = 1514;

/// Octets of the step's payload.
pub(super) fn payload_len(spec: &Spec, step: &Step) -> usize {
    match step.payload {
        Payload::Filler(len) => len,
        Payload::FrameOf(frame_len) => frame_len.saturating_sub(headers_len(spec, step)),
        Payload::ClientHello => payload::CLIENT_HELLO_LEN,
        Payload::HttpRequest => payload::HTTP_REQUEST_LEN,
        Payload::HttpResponse => payload::HTTP_RESPONSE_LEN,
        Payload::DnsQuery(_) => Question::QUERY_LEN,
        Payload::DnsAnswer(_) => Question::answer_len(spec.is_ipv6),
    }
}

fn headers_len(spec: &Spec, step: &Step) -> usize {
    let vlan_len = if spec.vlan.is_some() { SingleVlanHeader::LEN } else { 0 };
    let ip_len = if spec.is_ipv6 { Ipv6Header::LEN } else { Ipv4Header::MIN_LEN };
    let transport_len = match step.transport {
        Transport::Tcp { flags: Flags { syn: true, .. }, .. } => TcpHeader::MIN_LEN + SYN_OPTIONS.len(),
        Transport::Tcp { .. } => TcpHeader::MIN_LEN,
        Transport::Udp | Transport::Ping { .. } => UdpHeader::LEN,
    };
    Ethernet2Header::LEN + vlan_len + ip_len + transport_len
}

/// Writes frames into a buffer that is used again.
#[derive(Debug)]
pub(super) struct FrameWriter {
    frame: Vec<u8>,
    payload: Vec<u8>,
    filler: Vec<u8>,
}

/// The two ends of a packet.
struct Ends {
    src: Addresses,
    dst: Addresses,
    ttl: u8,
}

impl FrameWriter {
    pub(super) fn new(seed: u64) -> Self {
        let mut filler = vec![0; FILLER_LEN];
        Rng::with_seed(seed).fill(&mut filler);
        Self { frame: Vec::new(), payload: Vec::new(), filler }
    }

    /// The frame of this step.
    #[inline]
    pub(super) fn write(&mut self, session: &MirrorSession, spec: &Spec, step: &Step) -> &[u8] {
        let from_local = step.from_client == spec.local_is_client;
        self.fill(spec, step);
        self.frame.clear();
        self.put_link(session, spec, from_local);
        let ends = ends(session, spec, from_local);
        if spec.is_ipv6 {
            self.put_ipv6(spec, step, &ends);
        } else {
            self.put_ipv4(spec, step, &ends);
        }
        self.frame.extend_from_slice(&self.payload);
        &self.frame
    }

    fn fill(&mut self, spec: &Spec, step: &Step) {
        let Self { payload, filler, .. } = self;
        payload.clear();
        let question = |id| Question { id, host: spec.remote, is_ipv6: spec.is_ipv6 };
        match step.payload {
            Payload::Filler(_) | Payload::FrameOf(_) => {
                let start = usize::from(step.salt) % (FILLER_LEN - LONGEST_PAYLOAD);
                let len = payload_len(spec, step);
                payload.extend_from_slice(filler.get(start..start + len).unwrap_or_default());
                if spec.kind == Kind::Tls {
                    payload::make_tls_record(payload);
                }
            }
            Payload::ClientHello => payload::put_client_hello(payload, spec.remote),
            Payload::HttpRequest => payload::put_http_request(payload, spec.remote),
            Payload::HttpResponse => payload::put_http_response(payload),
            Payload::DnsQuery(id) => question(id).put_query(payload),
            Payload::DnsAnswer(id) => question(id).put_answer(payload),
        }
    }

    fn put_link(&mut self, session: &MirrorSession, spec: &Spec, from_local: bool) {
        let [a, b, c, d] = session.source.ipv4.octets();
        let local_mac = [0x0e, 0x10, a, b, c, d];
        let (source, destination) =
            if from_local { (local_mac, ROUTER_MAC) } else { (ROUTER_MAC, local_mac) };
        let network = if spec.is_ipv6 { EtherType::IPV6 } else { EtherType::IPV4 };
        let ether_type = if spec.vlan.is_some() { EtherType::VLAN_TAGGED_FRAME } else { network };
        self.frame.extend_from_slice(&Ethernet2Header { source, destination, ether_type }.to_bytes());
        if let Some(vlan) = spec.vlan {
            let vlan_id = VlanId::try_new(vlan).unwrap_or_default();
            let tag = SingleVlanHeader { vlan_id, ether_type: network, ..Default::default() };
            self.frame.extend_from_slice(&tag.to_bytes());
        }
    }

    fn put_ipv4(&mut self, spec: &Spec, step: &Step, ends: &Ends) {
        let transport_len = headers_len(spec, step) - self.frame.len() - Ipv4Header::MIN_LEN;
        let mut ip = Ipv4Header {
            total_len: (Ipv4Header::MIN_LEN + transport_len + self.payload.len()) as u16,
            // Not 0, which a receiver may take for none (RFC 6864, 4.1).
            identification: step.number.max(1),
            dont_fragment: true,
            time_to_live: ends.ttl,
            protocol: protocol(step, IpNumber::ICMP),
            source: ends.src.ipv4.octets(),
            destination: ends.dst.ipv4.octets(),
            ..Default::default()
        };
        ip.header_checksum = ip.calc_header_checksum();
        self.frame.extend_from_slice(&ip.to_bytes());
        let (source, destination, payload) = (ip.source, ip.destination, &self.payload);
        let out = &mut self.frame;
        match step.transport {
            Transport::Tcp { .. } => {
                let sum = |tcp: &TcpHeader| tcp.calc_checksum_ipv4_raw(source, destination, payload).ok();
                put_tcp(out, spec, step, sum);
            }
            Transport::Udp => {
                let sum = |udp: &UdpHeader| udp.calc_checksum_ipv4_raw(source, destination, payload).ok();
                put_udp(out, spec, step, payload.len(), sum);
            }
            Transport::Ping { sequence } => {
                let echo = IcmpEchoHeader { id: spec.client_port, seq: sequence };
                let kind = if step.from_client {
                    Icmpv4Type::EchoRequest(echo)
                } else {
                    Icmpv4Type::EchoReply(echo)
                };
                out.extend_from_slice(&Icmpv4Header::with_checksum(kind, payload).to_bytes());
            }
        }
    }

    fn put_ipv6(&mut self, spec: &Spec, step: &Step, ends: &Ends) {
        let transport_len = headers_len(spec, step) - self.frame.len() - Ipv6Header::LEN;
        let ip = Ipv6Header {
            traffic_class: 0,
            flow_label: Ipv6FlowLabel::default(),
            payload_length: (transport_len + self.payload.len()) as u16,
            next_header: protocol(step, IpNumber::IPV6_ICMP),
            hop_limit: ends.ttl,
            source: ends.src.ipv6.octets(),
            destination: ends.dst.ipv6.octets(),
        };
        self.frame.extend_from_slice(&ip.to_bytes());
        let (source, destination, payload) = (ip.source, ip.destination, &self.payload);
        let out = &mut self.frame;
        match step.transport {
            Transport::Tcp { .. } => {
                let sum = |tcp: &TcpHeader| tcp.calc_checksum_ipv6_raw(source, destination, payload).ok();
                put_tcp(out, spec, step, sum);
            }
            Transport::Udp => {
                let sum = |udp: &UdpHeader| udp.calc_checksum_ipv6_raw(source, destination, payload).ok();
                put_udp(out, spec, step, payload.len(), sum);
            }
            Transport::Ping { sequence } => {
                let echo = IcmpEchoHeader { id: spec.client_port, seq: sequence };
                let kind = if step.from_client {
                    Icmpv6Type::EchoRequest(echo)
                } else {
                    Icmpv6Type::EchoReply(echo)
                };
                let mut icmp = Icmpv6Header::new(kind);
                // Fails for payloads beyond 4 GiB only.
                let _ = icmp.update_checksum(source, destination, payload);
                out.extend_from_slice(&icmp.to_bytes());
            }
        }
    }
}

fn ends(session: &MirrorSession, spec: &Spec, from_local: bool) -> Ends {
    let is_dns = spec.kind == Kind::Dns;
    let remote = if is_dns { session.resolver() } else { remote(spec.remote) };
    if from_local {
        Ends { src: session.source, dst: remote, ttl: LOCAL_TTL }
    } else {
        Ends { src: remote, dst: session.source, ttl: REMOTE_TTL }
    }
}

fn remote(host: u32) -> Addresses {
    let [high, low] = [(host >> 16) as u16, host as u16];
    Addresses {
        ipv4: Ipv4Addr::from_bits(REMOTE_IPV4 | host & REMOTE_IPV4_MASK),
        ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, high, low),
    }
}

fn protocol(step: &Step, icmp: IpNumber) -> IpNumber {
    match step.transport {
        Transport::Tcp { .. } => IpNumber::TCP,
        Transport::Udp => IpNumber::UDP,
        Transport::Ping { .. } => icmp,
    }
}

fn ports(spec: &Spec, step: &Step) -> (u16, u16) {
    let (client, server) = (spec.client_port, spec.server_port);
    if step.from_client { (client, server) } else { (server, client) }
}

fn put_tcp(out: &mut Vec<u8>, spec: &Spec, step: &Step, sum: impl FnOnce(&TcpHeader) -> Option<u16>) {
    let Transport::Tcp { flags, seq, ack } = step.transport else { return };
    let (source_port, destination_port) = ports(spec, step);
    let mut tcp = TcpHeader::new(source_port, destination_port, seq, WINDOW);
    (tcp.syn, tcp.ack, tcp.fin, tcp.psh) = (flags.syn, flags.ack, flags.fin, flags.psh);
    tcp.acknowledgment_number = ack;
    if flags.syn {
        // Fails for more than 40 octets only.
        let _ = tcp.set_options_raw(&SYN_OPTIONS);
    }
    tcp.checksum = sum(&tcp).unwrap_or_default();
    out.extend_from_slice(&tcp.to_bytes());
}

fn put_udp(
    out: &mut Vec<u8>,
    spec: &Spec,
    step: &Step,
    payload_len: usize,
    sum: impl FnOnce(&UdpHeader) -> Option<u16>,
) {
    let (source_port, destination_port) = ports(spec, step);
    let length = (UdpHeader::LEN + payload_len) as u16;
    let mut udp = UdpHeader { source_port, destination_port, length, checksum: 0 };
    udp.checksum = sum(&udp).unwrap_or_default();
    out.extend_from_slice(&udp.to_bytes());
}
