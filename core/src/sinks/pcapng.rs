//! Packets as a pcapng file that Wireshark opens: the mirrored frames without their tunnels, or the records as
//! they came.
//!
//! Each mirror session, each endpoint with inline packets, and each link type of what is left is an interface
//! of the file. What the tunnels said stands in the packet's comment.

use std::collections::HashMap;

use super::{line::Line, sessions::Key};
use crate::{
    aws::{gwlb::GwlbContext, mirror::NameOf},
    capture::{self, InterfaceHeader, PcapngWriter, SectionHeader, Statistics},
    layers::Layer,
    packet::{Envelope, Packet},
    record::LinkType,
};

/// Interfaces that one file describes. Sessions beyond share one for each link type.
pub const MAX_INTERFACES: usize = 4096;

/// Which octets of a packet are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The mirrored frame or the inline packet.
    Subject,
    /// The whole record, tunnels included.
    Record,
}

/// Turns packets into pcapng blocks.
#[derive(Debug)]
pub struct PcapngSink {
    writer: PcapngWriter,
    part: Part,
    interfaces: HashMap<(Key, LinkType), u32>,
    comment: Line,
}

impl PcapngSink {
    /// Begins a file in `out`; `application` names the program that writes it.
    pub fn begin(out: &mut Vec<u8>, part: Part, application: &str) -> Self {
        let header = SectionHeader { application: Some(application), ..SectionHeader::default() };
        let writer = PcapngWriter::begin(out, &header);
        Self { writer, part, interfaces: HashMap::new(), comment: Line::default() }
    }

    /// Appends the packet's block, and its interface's if the interface is new.
    pub fn packet(&mut self, packet: &Packet<'_>, name_of: NameOf<'_>, out: &mut Vec<u8>) {
        let (data, original_len, link_type) = self.part(packet);
        let interface = self.interface(packet, link_type, name_of, out);
        self.comment.clear();
        describe(packet, &mut self.comment);
        let comment =
            core::str::from_utf8(self.comment.as_bytes()).ok().filter(|comment| !comment.is_empty());
        let timestamp_ns = packet.record.timestamp_ns;
        self.writer.packet(out, &capture::Packet { interface, timestamp_ns, original_len, data, comment });
    }

    /// Appends the counts of the whole stream, which stand at its first interface. Nothing is written before a
    /// packet was.
    pub fn statistics(&mut self, timestamp_ns: i64, statistics: &Statistics, out: &mut Vec<u8>) {
        if !self.interfaces.is_empty() {
            self.writer.statistics(out, 0, timestamp_ns, statistics);
        }
    }

    fn part<'a>(&self, packet: &Packet<'a>) -> (&'a [u8], u32, LinkType) {
        let record = &packet.record;
        let link_type = match packet.subject_layers().first().map(|first| first.layer) {
            Some(Layer::Ethernet) => Some(LinkType::ETHERNET),
            Some(Layer::Ipv4 | Layer::Ipv6) => Some(LinkType::RAW),
            // Behind Geneve there is something (ARP, a VLAN tag, unknown) for which there is no link type.
            _ => None,
        };
        match link_type.filter(|_| self.part == Part::Subject && packet.subject > 0) {
            Some(link_type) => (packet.subject_bytes(), packet.subject_len(), link_type),
            None => (record.data, record.original_len, record.link_type),
        }
    }

    fn interface(
        &mut self,
        packet: &Packet<'_>,
        link_type: LinkType,
        name_of: NameOf<'_>,
        out: &mut Vec<u8>,
    ) -> u32 {
        let key = Key::of(packet);
        let is_full = self.interfaces.len() >= MAX_INTERFACES;
        let key =
            if is_full && !self.interfaces.contains_key(&(key, link_type)) { Key::Overflow } else { key };
        *self.interfaces.entry((key, link_type)).or_insert_with(|| {
            let (name, description) = interface_texts(&key, name_of);
            let header = InterfaceHeader {
                link_type,
                snap_len: 0,
                name: Some(&name),
                description: Some(&description).filter(|text| !text.is_empty()).map(String::as_str),
            };
            self.writer.interface(out, &header)
        })
    }
}

fn interface_texts(key: &Key, name_of: NameOf<'_>) -> (String, String) {
    match key {
        Key::Mirrored(identity) => {
            let name = name_of(identity).map_or_else(|| format!("vni{}", identity.vni), str::to_owned);
            let endpoint =
                identity.endpoint_id.map_or_else(|| "no GWLB endpoint".to_owned(), |id| id.to_string());
            (name, format!("mirrored by {}, VNI {}, through {endpoint}", identity.source, identity.vni))
        }
        Key::Inline(Some(endpoint_id)) => ("inline".to_owned(), format!("inline through {endpoint_id}")),
        Key::Inline(None) => ("geneve".to_owned(), "Geneve without an endpoint".to_owned()),
        Key::Bare => ("other".to_owned(), String::new()),
        Key::Overflow => ("further".to_owned(), format!("sessions beyond the first {MAX_INTERFACES}")),
    }
}

/// `mirror vni 9325541 source 10.10.0.4 endpoint vpce-… attachment 0x0 cookie 0x…`; nothing for a bare packet.
fn describe(packet: &Packet<'_>, line: &mut Line) {
    match &packet.envelope {
        Envelope::Mirrored(context) => {
            line.str("mirror vni ").uint(context.identity.vni).str(" source ").ip(context.identity.source);
            context.gwlb.iter().for_each(|gwlb| describe_gwlb(gwlb, line));
        }
        Envelope::Inline(Some(gwlb)) => describe_gwlb(gwlb, line.str("inline")),
        Envelope::Inline(None) | Envelope::Bare => {}
    }
}

fn describe_gwlb(gwlb: &GwlbContext, line: &mut Line) {
    line.str(" endpoint vpce-").hex(gwlb.endpoint_id.0, 17);
    if let Some(attachment_id) = gwlb.attachment_id {
        line.str(" attachment 0x").hex(attachment_id, 1);
    }
    if let Some(flow_cookie) = gwlb.flow_cookie {
        line.str(" cookie 0x").hex(flow_cookie.into(), 8);
    }
}
