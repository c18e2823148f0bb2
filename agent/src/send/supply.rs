//! The packets before they are wrapped: made up, or out of a capture.

use std::path::Path;

use mirrorscope_core::{
    Decoder, Layer, LinkType, Packet, Record,
    encap::{Network, flow_hash, mix},
    generate::Generator,
};

use super::Source;
use crate::{failure::Failure, sources::FileSource};

/// Octets of a made-up Ethernet header, for captures without one.
const ETHERNET_LEN: usize = 14;

/// Gives one packet after another.
pub(crate) enum Supply<'n> {
    /// Out of a capture.
    Capture(Box<Capture>),
    /// Made up.
    Generated(Box<Generator<'n>>, u64),
}

/// Packets of a capture, dealt out to sessions by flow.
pub(crate) struct Capture {
    source: FileSource,
    frame: Vec<u8>,
    inline_share: f64,
    seed: u64,
}

/// A packet to wrap.
pub(crate) struct Supplied<'a> {
    /// Nanoseconds since 1970, as the source says.
    pub(crate) timestamp_ns: i64,
    /// Which session mirrors it.
    pub(crate) session: u64,
    /// Whether it is to be routed, not mirrored.
    pub(crate) inline: bool,
    /// The packet, decoded.
    pub(crate) packet: Packet<'a>,
    /// The Ethernet frame to mirror; `None` for what has no IP packet and no Ethernet header.
    pub(crate) frame: Option<&'a [u8]>,
}

impl<'n> Supply<'n> {
    /// Opens the source.
    pub(crate) fn open(
        source: &Source,
        network: &'n Network,
        inline_share: f64,
        seed: u64,
    ) -> Result<Self, Failure> {
        match source {
            Source::Capture(path) => Ok(Self::Capture(Box::new(Capture::open(path, inline_share, seed)?))),
            Source::Generated(options) => Ok(Self::Generated(Box::new(Generator::new(network, *options)), 0)),
        }
    }

    /// The next packet; `None` at the end.
    pub(crate) fn next(&mut self, decoder: &Decoder) -> Result<Option<Supplied<'_>>, Failure> {
        match self {
            Self::Capture(capture) => capture.next(decoder),
            Self::Generated(generator, number) => {
                *number += 1;
                let number = *number;
                Ok(generator.next_frame().map(|made| {
                    let packet = Packet::decode(decoder, record(number, made.timestamp_ns, made.frame));
                    Supplied {
                        timestamp_ns: made.timestamp_ns,
                        session: made.session,
                        inline: made.inline,
                        packet,
                        frame: Some(made.frame),
                    }
                }))
            }
        }
    }
}

fn record(number: u64, timestamp_ns: i64, data: &[u8]) -> Record<'_> {
    let (link_type, original_len) = (LinkType::ETHERNET, data.len() as u32);
    Record { number, timestamp_ns, interface: 0, link_type, original_len, offset: 0, data }
}

impl Capture {
    fn open(path: &Path, inline_share: f64, seed: u64) -> Result<Self, Failure> {
        Ok(Self { source: FileSource::open(path)?, frame: Vec::new(), inline_share, seed })
    }

    fn next(&mut self, decoder: &Decoder) -> Result<Option<Supplied<'_>>, Failure> {
        let Some(record) = self.source.next()? else { return Ok(None) };
        let packet = Packet::decode(decoder, record);
        let hash = flow_hash(&packet.stack, packet.subject_layers());
        let hash = mix(hash.unwrap_or_default() ^ self.seed);
        let frame = match packet.subject_layers().first() {
            Some(first) if first.layer == Layer::Ethernet => Some(packet.subject_bytes()),
            _ => with_ethernet(&packet, &mut self.frame),
        };
        Ok(Some(Supplied {
            timestamp_ns: record.timestamp_ns,
            session: hash >> 32,
            // The other half of the hash than that which chose the session.
            inline: f64::from(hash as u32) < self.inline_share * f64::from(u32::MAX),
            packet,
            frame,
        }))
    }
}

/// The packet from its IP header on, behind an Ethernet header between two made-up stations.
fn with_ethernet<'a>(packet: &Packet<'_>, frame: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let ip = packet.subject_layers().iter().find(|span| matches!(span.layer, Layer::Ipv4 | Layer::Ipv6))?;
    frame.clear();
    frame.extend_from_slice(&[0x0e, 0x10, 0, 0, 0, 2, 0x0e, 0x11, 0, 0, 0, 1]);
    frame.extend_from_slice(if ip.layer == Layer::Ipv6 { &[0x86, 0xdd] } else { &[0x08, 0x00] });
    debug_assert_eq!(frame.len(), ETHERNET_LEN);
    frame.extend_from_slice(packet.stack.from(ip));
    Some(frame)
}
