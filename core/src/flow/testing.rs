//! Packets for the tests of flows: mirrored frames built field by field.

use std::net::Ipv4Addr;

use super::{FlowOptions, FlowRecord, FlowTable};
use crate::{
    aws::{
        gwlb::{EndpointId, GwlbContext},
        mirror::{MirrorContext, MirrorIdentity},
    },
    packet::{Envelope, Packet},
    record::{LinkType, Record},
    stack::Decoder,
};

/// One frame, and which session mirrored it when.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) src: (u8, u16),
    pub(super) dst: (u8, u16),
    pub(super) protocol: u8,
    pub(super) id: u16,
    /// Flags and fragment offset of the IP header.
    pub(super) fragment: u16,
    pub(super) ttl: u8,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    pub(super) payload_len: u32,
    pub(super) payload: Vec<u8>,
    pub(super) ns: i64,
    /// The VNI of the session; `None` for a packet without a tunnel.
    pub(super) vni: Option<u32>,
    /// GWLB's cookie.
    pub(super) cookie: Option<u32>,
}

impl Frame {
    /// From 10.0.0.1 to 10.0.0.2 by session 1.
    pub(super) fn udp(src_port: u16, dst_port: u16) -> Self {
        Self {
            src: (1, src_port),
            dst: (2, dst_port),
            protocol: super::key::UDP,
            id: 0,
            fragment: 0,
            ttl: 64,
            seq: 0,
            ack: 0,
            flags: 0,
            window: 256,
            payload_len: 0,
            payload: Vec::new(),
            ns: 0,
            vni: Some(1),
            cookie: None,
        }
    }

    pub(super) fn tcp(src_port: u16, dst_port: u16, seq: u32, ack: u32, flags: u8) -> Self {
        Self { protocol: super::key::TCP, seq, ack, flags, ..Self::udp(src_port, dst_port) }
    }

    /// The other direction.
    pub(super) fn back(self) -> Self {
        Self { src: self.dst, dst: self.src, ..self }
    }

    /// Octets of payload on the wire, none of which is captured unless `octets` are.
    pub(super) fn payload(self, payload_len: u32) -> Self {
        Self { payload_len, ..self }
    }

    pub(super) fn octets(self, payload: &[u8]) -> Self {
        Self { payload: payload.to_vec(), payload_len: payload.len() as u32, ..self }
    }

    pub(super) fn at_ms(self, ms: i64) -> Self {
        Self { ns: ms * 1_000_000, ..self }
    }

    pub(super) fn id(self, id: u16) -> Self {
        Self { id, ..self }
    }

    /// As another session mirrored it, behind a router.
    pub(super) fn seen_by(&self, vni: u32) -> Self {
        Self { vni: Some(vni), ttl: self.ttl - 1, ..self.clone() }
    }

    fn transport(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        if self.fragment & 0x1fff == 0 {
            octets.extend([self.src.1.to_be_bytes(), self.dst.1.to_be_bytes()].concat());
            if self.protocol == super::key::TCP {
                octets.extend([self.seq.to_be_bytes(), self.ack.to_be_bytes()].concat());
                octets.extend([0x50, self.flags]);
                octets.extend([self.window.to_be_bytes(), [0; 2], [0; 2]].concat());
            } else {
                octets.extend((8 + self.payload_len as u16).to_be_bytes());
                octets.extend([0, 0]);
            }
        }
        octets
    }

    /// The IP packet, and its octets on the wire.
    pub(super) fn ip(&self) -> (Vec<u8>, u32) {
        let transport = self.transport();
        let wire_len = 20 + transport.len() as u32 + self.payload_len;
        let mut octets = vec![0x45, 0];
        octets.extend((wire_len as u16).to_be_bytes());
        octets.extend([self.id.to_be_bytes(), self.fragment.to_be_bytes()].concat());
        octets.extend([self.ttl, self.protocol, 0, 0]);
        octets.extend([10, 0, 0, self.src.0, 10, 0, 0, self.dst.0]);
        octets.extend(transport);
        octets.extend(&self.payload);
        (octets, wire_len)
    }

    pub(super) fn show(&self, table: &mut FlowTable, ended: &mut impl FnMut(FlowRecord)) {
        self.gather(table, ended);
        table.settle(ended);
    }

    /// Shows the frame, which may wait to be counted with others.
    pub(super) fn gather(&self, table: &mut FlowTable, ended: &mut impl FnMut(FlowRecord)) {
        let (data, original_len) = self.ip();
        let record = Record {
            number: 1,
            timestamp_ns: self.ns,
            interface: 0,
            link_type: LinkType::RAW,
            original_len,
            offset: 0,
            data: &data,
        };
        let mut packet = Packet::decode(&Decoder::default(), record);
        if let Some(vni) = self.vni {
            let source = Ipv4Addr::new(192, 168, 0, 1).into();
            let identity = MirrorIdentity { endpoint_id: None, vni, source };
            let gwlb = self.cookie.map(|cookie| GwlbContext {
                endpoint_id: EndpointId(1),
                attachment_id: None,
                flow_cookie: Some(cookie),
            });
            packet.envelope = Envelope::Mirrored(MirrorContext { identity, gwlb });
        }
        table.gather(&packet, ended);
    }
}

/// Shows frames to a table of the given options and returns every flow in the order of its end.
pub(super) fn flows_with(options: FlowOptions, frames: &[Frame]) -> (Vec<FlowRecord>, FlowTable) {
    let mut table = FlowTable::new(options);
    let mut flows = Vec::new();
    for frame in frames {
        frame.show(&mut table, &mut |flow| flows.push(flow));
    }
    table.finish(&mut |flow| flows.push(flow));
    (flows, table)
}

/// As [`flows_with`] with the defaults.
pub(super) fn table_of(frames: &[Frame]) -> Vec<FlowRecord> {
    flows_with(FlowOptions::default(), frames).0
}
