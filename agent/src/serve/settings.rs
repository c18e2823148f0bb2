//! The settings that may change while the agent runs: who may send, what goes to the sinks, and what goes back.
//!
//! A reload puts a new set in place of the old one; workers take it with their next batch.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ipnet::IpNet;
use mirrorscope_core::{
    Layer, Packet, aws::gwlb::EndpointId, filter::Filter, layers::vxlan, packet::Envelope,
};

use super::inline::Fate;

/// What becomes of packets that are no mirror's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Receive only: nothing is ever sent
    #[default]
    Mirror,
    /// Return every packet to GWLB
    Inline,
    /// Swallow what came through a mirror endpoint, return the rest
    Auto,
}

/// One set of settings.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Who may send.
    pub(crate) allow_from: Vec<IpNet>,
    /// Which packets go to the sinks.
    pub(crate) filter: Option<Filter>,
    /// What becomes of inline packets.
    pub(crate) mode: Mode,
    /// In [`Mode::Auto`]: endpoints that are targets of mirror sessions.
    pub(crate) mirror_endpoints: HashSet<EndpointId>,
    /// In [`Mode::Auto`]: addresses of endpoints, to which only mirrored packets are sent.
    pub(crate) endpoint_addresses: HashSet<IpAddr>,
    /// Inline packets that do not go back.
    pub(crate) drop: Option<Filter>,
    /// Whether inline packets in which a layer cannot be read do not go back either.
    pub(crate) drop_undecodable: bool,
}

impl Settings {
    /// Whether that address may send.
    pub(crate) fn allows(&self, source: IpAddr) -> bool {
        self.allow_from.iter().any(|network| network.contains(&source))
    }

    /// Whether a packet goes to the sinks.
    pub(crate) fn passes(&self, packet: &Packet<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(packet))
    }

    /// What becomes of a packet. A customer may send VXLAN of its own through an endpoint, so VXLAN alone does
    /// not make a packet a mirror's.
    pub(crate) fn fate(&self, packet: &Packet<'_>) -> Fate {
        let swallow = match self.mode {
            Mode::Mirror => true,
            Mode::Inline => false,
            Mode::Auto => self.is_from_mirror_endpoint(packet),
        };
        if swallow {
            return Fate::Swallow;
        }
        if self.drop_undecodable && packet.stack.stop().is_some() {
            return Fate::Drop;
        }
        match &self.drop {
            Some(filter) if filter.matches(packet) => Fate::Drop,
            _ => Fate::Return,
        }
    }

    fn is_from_mirror_endpoint(&self, packet: &Packet<'_>) -> bool {
        let endpoint = match &packet.envelope {
            Envelope::Mirrored(context) => context.identity.endpoint_id,
            Envelope::Inline(context) => context.map(|context| context.endpoint_id),
            Envelope::Bare => None,
        };
        let layers = packet.stack.layers();
        let inside = layers.iter().position(|span| span.layer == Layer::Geneve).map(|geneve| geneve + 1);
        let addresses = inside.and_then(|at| layers.get(at)).and_then(|span| packet.stack.addresses(span));
        let to_endpoint = addresses.is_some_and(|(_, dst)| self.endpoint_addresses.contains(&dst));
        let through_mirror = endpoint.is_some_and(|endpoint| self.mirror_endpoints.contains(&endpoint));
        to_endpoint || (through_mirror && !is_surely_inline(packet, inside))
    }
}

/// A mirror's packet is UDP to VXLAN's port. Where an endpoint serves mirrors, only what is read without doubt as
/// something else is taken for a packet that somebody routed through it.
fn is_surely_inline(packet: &Packet<'_>, inside: Option<usize>) -> bool {
    let layers = packet.stack.layers().get(inside.unwrap_or(usize::MAX)..).unwrap_or_default();
    let [ip, next, ..] = layers else { return false };
    let is_sound = match ip.layer {
        Layer::Ipv4 => has_true_checksum(packet.stack.header(ip)),
        Layer::Ipv6 => true,
        _ => false,
    };
    let is_to_vxlan =
        next.layer == Layer::Udp && packet.stack.ports(next).is_none_or(|(_, port)| port == vxlan::UDP_PORT);
    is_sound && !is_to_vxlan
}

fn has_true_checksum(header: &[u8]) -> bool {
    let words = header.chunks_exact(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    folded == 0xffff
}

/// The settings as they are now.
#[derive(Debug)]
pub(crate) struct Shared {
    settings: Mutex<Arc<Settings>>,
    generation: AtomicU64,
}

impl Shared {
    /// Begins with `settings`.
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings: Mutex::new(Arc::new(settings)), generation: AtomicU64::new(0) }
    }

    /// The settings, and the generation that they belong to.
    pub(crate) fn current(&self) -> (Arc<Settings>, u64) {
        // Read in this order, a change in between is noticed at the next look.
        let generation = self.generation();
        (Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner)), generation)
    }

    /// Changes whenever the settings do.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts `settings` in place of the old ones.
    pub(crate) fn replace(&self, settings: Settings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.generation.fetch_add(1, Ordering::Release);
    }
}
