//! Which mirror session a packet belongs to.
//!
//! A VNI alone does not tell: users give many sessions the same one, and accounts collide. The identity is the
//! endpoint, the VNI and the address of the interface that mirrored.

use core::net::IpAddr;

use super::gwlb::{EndpointId, GwlbContext};

/// The identity of a mirror session as its packets show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MirrorIdentity {
    /// The endpoint that received the mirrored packet; `None` where the target is no GWLB endpoint and the
    /// VXLAN packet came alone.
    pub endpoint_id: Option<EndpointId>,
    /// The session's virtual network id.
    pub vni: u32,
    /// Primary address of the mirrored interface: the source of the VXLAN packet.
    pub source: IpAddr,
}

/// Everything that the tunnels say of a mirrored packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorContext {
    /// The session.
    pub identity: MirrorIdentity,
    /// What GWLB added; `None` where there was no GWLB.
    pub gwlb: Option<GwlbContext>,
}

/// What a mirror session is called where a name is known.
pub type NameOf<'a> = &'a dyn Fn(&MirrorIdentity) -> Option<&'a str>;
