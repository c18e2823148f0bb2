//! One made-up flow: what it is, by its number, and what its next packet is, by how far it got.

use fastrand::Rng;

use super::{GeneratorOptions, Sizes, frame::REMOTE_IPV4_MASK};
use crate::encap::{Network, mix};

/// Client ports of a session before the remote address must change to keep flows distinct.
const CLIENT_PORTS: u64 = 55_000;
/// Above the ports of Geneve and VXLAN, and of most protocols that others would guess by port.
const FIRST_CLIENT_PORT: u64 = 10_000;

/// What a flow is, from its first packet to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) kind: Kind,
    pub(super) session: u64,
    pub(super) is_ipv6: bool,
    pub(super) vlan: Option<u16>,
    pub(super) inline: bool,
    /// Whether the mirrored interface is the client.
    pub(super) local_is_client: bool,
    pub(super) client_port: u16,
    pub(super) server_port: u16,
    /// Number of the host at the other end.
    pub(super) remote: u32,
    /// How large a part of the packets it gets.
    pub(super) weight: u32,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tls,
    Http,
    OtherTcp,
    Dns,
    OtherUdp,
    Ping,
}

impl Spec {
    /// The flow with this number. Flows of a session differ in client port or remote host, and pings, which have no
    /// ports, in the host.
    pub(super) fn new(index: u64, network: &Network, options: &GeneratorOptions) -> Self {
        let sessions = network.sessions().len() as u64;
        let (session, place) = (index % sessions, index / sessions);
        let mut chance = Rng::with_seed(mix(options.seed ^ mix(index)));
        let kind = kind(&mut chance, place);
        Self {
            kind,
            session,
            is_ipv6: chance.f64() < options.ipv6_share,
            vlan: (chance.f64() < options.vlan_share).then(|| chance.u16(1..4095)),
            inline: chance.f64() < options.inline_share,
            // The resolver answers the interface, never the other way round.
            local_is_client: chance.u8(0..3) > 0 || kind == Kind::Dns,
            client_port: (FIRST_CLIENT_PORT + place % CLIENT_PORTS) as u16,
            server_port: server_port(kind, &mut chance),
            remote: remote(kind, place, chance.u8(..)),
            weight: weight(kind, &mut chance),
        }
    }
}

fn kind(chance: &mut Rng, place: u64) -> Kind {
    match chance.u8(0..100) {
        0..48 => Kind::Tls,
        48..66 => Kind::Http,
        66..80 => Kind::OtherTcp,
        // There is but one resolver, so its flows are distinct only while client ports last.
        80..90 if place < CLIENT_PORTS => Kind::Dns,
        95.. if place <= u64::from(REMOTE_IPV4_MASK) => Kind::Ping,
        _ => Kind::OtherUdp,
    }
}

/// Number of the host at the other end: one of a round's 256, but one of its own for each ping.
fn remote(kind: Kind, place: u64, host: u8) -> u32 {
    match kind {
        Kind::Ping => place as u32,
        _ => ((place / CLIENT_PORTS) << 8) as u32 | u32::from(host),
    }
}

fn server_port(kind: Kind, chance: &mut Rng) -> u16 {
    const OTHER_TCP: [u16; 6] = [22, 587, 3306, 5432, 6379, 9092];
    const OTHER_UDP: [u16; 4] = [443, 514, 3478, 8125];
    match kind {
        Kind::Tls => 443,
        Kind::Http => 80,
        Kind::OtherTcp => OTHER_TCP[chance.usize(..OTHER_TCP.len())],
        Kind::Dns => 53,
        Kind::OtherUdp => OTHER_UDP[chance.usize(..OTHER_UDP.len())],
        Kind::Ping => 0,
    }
}

/// A few flows are fifty times as long as most.
fn weight(kind: Kind, chance: &mut Rng) -> u32 {
    match kind {
        Kind::Dns => 30,
        Kind::Ping => 100,
        _ => (64 << 16) / (u32::from(chance.u16(..)) + 1_311),
    }
}

/// A flow under way.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) spec: Spec,
    packets: u64,
    made: u64,
    /// The next sequence number of client and server.
    seq: [u32; 2],
    /// Whether client and server have still to acknowledge something.
    owes_ack: [bool; 2],
}

/// One packet of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) from_client: bool,
    pub(super) transport: Transport,
    pub(super) payload: Payload,
    /// Varies what is left open.
    pub(super) salt: u16,
    /// Counts the packets of the flow, as the identification of IPv4 does.
    pub(super) number: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp { flags: Flags, seq: u32, ack: u32 },
    Udp,
    Ping { sequence: u16 },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) psh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// Octets that mean nothing, so many.
    Filler(usize),
    /// As many as make the frame so long.
    FrameOf(usize),
    ClientHello,
    HttpRequest,
    HttpResponse,
    DnsQuery(u16),
    DnsAnswer(u16),
}

const FILLER_OF_PING: usize = 56;
const MEDIUM_FRAME_LEN: usize = 590;
const LARGE_FRAME_LEN: usize = 1_514;
const SMALL_FRAME_LEN: usize = 60;
const SMALL_PAYLOAD_LEN: usize = 6;

impl Flow {
    pub(super) fn new(spec: Spec, packets: u64) -> Self {
        let seed = mix(u64::from(spec.client_port) << 32 | u64::from(spec.remote));
        let seq = [seed as u32, (seed >> 32) as u32];
        Self { spec, packets, made: 0, seq, owes_ack: [false; 2] }
    }

    pub(super) fn is_over(&self) -> bool {
        self.made >= self.packets
    }

    /// The next packet.
    #[inline]
    pub(super) fn step(&mut self, rng: &mut Rng, sizes: Sizes) -> Step {
        let made = self.made;
        self.made += 1;
        let salt = rng.u16(..);
        let even = made.is_multiple_of(2);
        let exchange = (made / 2) as u16;
        let number = made as u16;
        let step = |from_client, transport, payload| Step { from_client, transport, payload, salt, number };
        match self.spec.kind {
            Kind::Tls | Kind::Http | Kind::OtherTcp => self.tcp_step(made, salt, rng, sizes),
            Kind::Dns if even => step(true, Transport::Udp, Payload::DnsQuery(exchange)),
            Kind::Dns => step(false, Transport::Udp, Payload::DnsAnswer(exchange)),
            Kind::OtherUdp => {
                step(rng.bool(), Transport::Udp, data(rng, sizes).unwrap_or(Payload::Filler(18)))
            }
            Kind::Ping => step(even, Transport::Ping { sequence: exchange }, Payload::Filler(FILLER_OF_PING)),
        }
    }

    fn tcp_step(&mut self, made: u64, salt: u16, rng: &mut Rng, sizes: Sizes) -> Step {
        let (from_client, flags, payload) = self.tcp_script(made, rng, sizes);
        let (own, other) = if from_client { (0, 1) } else { (1, 0) };
        let ack = if flags.ack { self.seq[other] } else { 0 };
        let transport = Transport::Tcp { flags, seq: self.seq[own], ack };
        let step = Step { from_client, transport, payload, salt, number: made as u16 };
        let taken = u32::from(flags.syn) + u32::from(flags.fin);
        let payload_len = super::frame::payload_len(&self.spec, &step) as u32;
        self.seq[own] = self.seq[own].wrapping_add(taken + payload_len);
        self.owes_ack[own] = false;
        self.owes_ack[other] |= payload_len > 0;
        step
    }

    /// Handshake, request, answer, data, and a close where the flow is long enough for one.
    fn tcp_script(&self, made: u64, rng: &mut Rng, sizes: Sizes) -> (bool, Flags, Payload) {
        const SHORTEST_WITH_CLOSE: u64 = 8;
        const SYN: Flags = Flags { syn: true, ack: false, fin: false, psh: false };
        const SYN_ACK: Flags = Flags { ack: true, ..SYN };
        const ACK: Flags = Flags { ack: true, syn: false, fin: false, psh: false };
        const PSH: Flags = Flags { psh: true, ..ACK };
        const FIN: Flags = Flags { fin: true, ..ACK };
        let left = self.packets - made;
        let closes = self.packets >= SHORTEST_WITH_CLOSE;
        match (made, left) {
            (0, _) => (true, SYN, Payload::Filler(0)),
            (1, _) => (false, SYN_ACK, Payload::Filler(0)),
            (2, _) => (true, ACK, Payload::Filler(0)),
            (_, 3) if closes => (false, FIN, Payload::Filler(0)),
            (_, 2) if closes => (true, FIN, Payload::Filler(0)),
            (_, 1) if closes => (false, ACK, Payload::Filler(0)),
            (3, _) if self.spec.kind == Kind::Tls => (true, PSH, Payload::ClientHello),
            (3, _) if self.spec.kind == Kind::Http => (true, PSH, Payload::HttpRequest),
            (4, _) if self.spec.kind == Kind::Http => (false, PSH, Payload::HttpResponse),
            _ => match (data(rng, sizes), self.owes_ack) {
                (Some(payload), _) => (rng.u8(..) < 64 && self.spec.kind != Kind::Http, PSH, payload),
                (None, [true, _]) => (true, ACK, Payload::Filler(0)),
                (None, [_, true]) => (false, ACK, Payload::Filler(0)),
                // A second acknowledgement of the same would tell of loss.
                (None, _) => (false, PSH, Payload::Filler(SMALL_PAYLOAD_LEN)),
            },
        }
    }
}

/// Handshakes and closes are small, so the data phase has more large frames than the mix.
#[inline]
fn data(rng: &mut Rng, sizes: Sizes) -> Option<Payload> {
    match (sizes, rng.u8(0..64)) {
        (Sizes::Small, _) => Some(Payload::FrameOf(SMALL_FRAME_LEN)),
        (Sizes::Imix, 0..34) => None,
        (Sizes::Imix, 34..58) => Some(Payload::FrameOf(MEDIUM_FRAME_LEN)),
        (Sizes::Imix, _) => Some(Payload::FrameOf(LARGE_FRAME_LEN)),
    }
}
