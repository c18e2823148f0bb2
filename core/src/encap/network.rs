//! A made-up VPC to mirror from: endpoints, mirror sessions, and the addresses that go with them.
//!
//! Sessions are dealt out to the endpoints in turn. The endpoints are tenants that know nothing of each other:
//! the first session of every endpoint has the same VNI and the same addresses, as happens in real accounts, so
//! that only the whole identity (endpoint, VNI, source) tells them apart.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::mix;
use crate::aws::{gwlb::EndpointId, mirror::MirrorIdentity};

/// A mirror session with the interface that it mirrors and the endpoint that receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorSession {
    /// The endpoint behind which the appliance stands.
    pub endpoint_id: EndpointId,
    /// The attachment id of the second option; 0 for traffic of an endpoint.
    pub attachment_id: u64,
    /// The session's virtual network id, 24 bits.
    pub vni: u32,
    /// Primary addresses of the mirrored interface.
    pub source: Addresses,
    /// Primary addresses of the endpoint's interface.
    pub target: Addresses,
    /// Whether the mirror packet's own header is IPv6.
    pub over_ipv6: bool,
    /// `PacketLength`: octets of the frame behind the VXLAN header that are kept. `None` keeps all.
    pub packet_len: Option<u32>,
}

/// An interface's primary addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address.
    pub ipv6: Ipv6Addr,
}

impl MirrorSession {
    /// What a decoder reads off the session's packets.
    pub fn identity(&self) -> MirrorIdentity {
        let source = if self.over_ipv6 { IpAddr::V6(self.source.ipv6) } else { IpAddr::V4(self.source.ipv4) };
        MirrorIdentity { endpoint_id: Some(self.endpoint_id), vni: self.vni, source }
    }

    /// The VPC's DNS resolver: the network's base address plus two, here of a /16.
    pub fn resolver(&self) -> Addresses {
        let [a, b, ..] = self.source.ipv4.octets();
        Addresses {
            ipv4: Ipv4Addr::new(a, b, 0, 2),
            ipv6: Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253),
        }
    }

    /// Whether an address is one of the VPC resolver's.
    #[inline]
    pub(super) fn is_resolver(&self, address: IpAddr) -> bool {
        const LINK_LOCAL: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
        let resolver = self.resolver();
        match address {
            IpAddr::V4(address) => address == resolver.ipv4 || address == LINK_LOCAL,
            IpAddr::V6(address) => address == resolver.ipv6,
        }
    }
}

/// How large the made-up network is.
#[derive(Clone, Copy, Debug)]
pub struct NetworkOptions {
    /// Mirror sessions; at least one is made, at most [`Network::MAX_SESSIONS`].
    pub sessions: u32,
    /// Endpoints, at least one and at most as many as sessions.
    pub endpoints: u32,
    /// VNI of the first session of each endpoint; the next sessions count on from it.
    pub first_vni: u32,
    /// The first endpoint; the next ones are derived from it.
    pub first_endpoint: EndpointId,
    /// Share (0 to 1) of sessions whose mirror packets are IPv6 outside.
    pub over_ipv6: f64,
    /// `PacketLength` of every session.
    pub packet_len: Option<u32>,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            sessions: 1,
            endpoints: 1,
            first_vni: 1001,
            first_endpoint: EndpointId(0x0a1b_2c3d_4e5f_6071),
            over_ipv6: 0.0,
            packet_len: None,
        }
    }
}

/// The sessions of a made-up network; there is always at least one.
#[derive(Clone, Debug)]
pub struct Network {
    sessions: Vec<MirrorSession>,
}

impl Network {
    /// The most sessions that a network has: ten times what AWS allows an account.
    pub const MAX_SESSIONS: u32 = 100_000;

    /// Makes the sessions.
    pub fn new(options: &NetworkOptions) -> Self {
        let sessions = options.sessions.clamp(1, Self::MAX_SESSIONS);
        let endpoints = options.endpoints.clamp(1, sessions);
        Self { sessions: (0..sessions).map(|index| session(options, index, endpoints)).collect() }
    }

    /// All sessions, in order.
    pub fn sessions(&self) -> &[MirrorSession] {
        &self.sessions
    }

    /// Session `index`; indices beyond the last begin again at the first.
    #[inline]
    pub fn session(&self, index: u64) -> &MirrorSession {
        &self.sessions[(index % self.sessions.len() as u64) as usize]
    }
}

fn session(options: &NetworkOptions, index: u32, endpoints: u32) -> MirrorSession {
    let (tenant, place) = (index % endpoints, index / endpoints);
    MirrorSession {
        endpoint_id: endpoint(options.first_endpoint, tenant),
        attachment_id: 0,
        vni: options.first_vni.wrapping_add(place) & 0x00ff_ffff,
        source: addresses(place, 4),
        target: addresses(place, 250),
        over_ipv6: f64::from(index) + 0.5 < options.over_ipv6 * f64::from(options.sessions.max(1)),
        packet_len: options.packet_len,
    }
}

/// Ids of today begin with a zero digit, which the 64 bits leave out.
fn endpoint(first: EndpointId, tenant: u32) -> EndpointId {
    if tenant == 0 { first } else { EndpointId(mix(first.0 ^ u64::from(tenant))) }
}

/// A subnet of a /16 for each session, 256 sessions a VPC.
fn addresses(place: u32, host: u8) -> Addresses {
    let [_, high, vpc, subnet] = place.to_be_bytes();
    let host = host.wrapping_add(high.wrapping_mul(8));
    Addresses {
        ipv4: Ipv4Addr::new(10, 10u8.wrapping_add(vpc), subnet, host),
        ipv6: Ipv6Addr::new(
            0x2001,
            0xdb8,
            u16::from(vpc),
            u16::from(subnet),
            0,
            0,
            u16::from(high),
            host.into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_session_of_the_largest_network_has_an_identity_of_its_own() {
        let options =
            NetworkOptions { sessions: 100_000, endpoints: 3, over_ipv6: 0.5, ..Default::default() };
        let network = Network::new(&options);
        let identities: HashSet<_> = network.sessions().iter().map(MirrorSession::identity).collect();
        assert_eq!(identities.len(), 100_000);
        assert_eq!(network.sessions().iter().filter(|session| session.over_ipv6).count(), 50_000);
    }

    #[test]
    fn tenants_overlap_in_vni_and_address() {
        let network = Network::new(&NetworkOptions { sessions: 4, endpoints: 2, ..Default::default() });
        let [a, b, c, d] = [0, 1, 2, 3].map(|index| *network.session(index));
        assert_eq!((a.vni, a.source), (b.vni, b.source));
        assert_eq!((c.vni, c.source), (d.vni, d.source));
        assert_ne!(a.endpoint_id, b.endpoint_id);
        assert_ne!(a.vni, c.vni);
    }
}
