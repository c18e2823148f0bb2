//! What AWS says of the interface that mirrored a flow, looked up once for each session.

use core::net::IpAddr;
use std::collections::HashMap;

use crate::{
    aws::{
        inventory::{Interface, Inventory},
        mirror::MirrorIdentity,
        names::Names,
    },
    sinks::sessions::Key as Session,
};

/// Answers that are remembered. Whoever can send packets can invent sessions; then all are asked for anew.
const MAX_REMEMBERED: usize = 65_536;

/// The mirrored interfaces of an inventory.
#[derive(Clone, Debug)]
pub struct Sources {
    names: Names,
    remembered: HashMap<MirrorIdentity, Option<Interface>>,
}

impl Sources {
    /// The interfaces of `inventory`, which may be empty.
    pub fn new(inventory: Inventory) -> Self {
        Self { names: Names::new(inventory), remembered: HashMap::new() }
    }

    /// The interface that mirrored the packets of a session.
    pub fn interface(&mut self, session: &Session) -> Option<&Interface> {
        let Session::Mirrored(identity) = session else { return None };
        if self.remembered.len() >= MAX_REMEMBERED && !self.remembered.contains_key(identity) {
            self.remembered.clear();
        }
        let names = &self.names;
        let found = self.remembered.entry(*identity).or_insert_with(|| names.interface(identity).cloned());
        found.as_ref()
    }
}

/// The address of the interface that mirrored a session's packets, as the packets show it.
pub(super) fn mirror_source(session: &Session) -> Option<IpAddr> {
    match session {
        Session::Mirrored(identity) => Some(identity.source),
        Session::Inline(_) | Session::Bare | Session::Overflow => None,
    }
}
