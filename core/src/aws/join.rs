//! Which mirror session, interface and filter a mirrored packet belongs to.
//!
//! A packet shows its endpoint, its VNI and the primary address of the mirrored interface. A session must agree with
//! all of them that are known; views across accounts lack targets and interfaces, and then what is left decides.

use core::net::IpAddr;
use std::collections::HashMap;

use super::{
    inventory::{Inventory, MirrorSession},
    mirror::MirrorIdentity,
    traffic::Source,
};

/// The most sessions with one VNI that are compared for one packet; beyond it the session is ambiguous.
const MAX_CANDIDATES: usize = 1024;

/// An index over an inventory. Numbers are indices into its lists.
#[derive(Clone, Debug, Default)]
pub struct Join {
    sessions_by_vni: HashMap<u32, Vec<usize>>,
    sessions_by_interface: HashMap<usize, Vec<usize>>,
    interfaces_by_address: HashMap<IpAddr, Vec<usize>>,
    places: Vec<Place>,
}

/// Where the parts of one session lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    interface: Option<usize>,
    filter: Option<usize>,
    target: Option<usize>,
}

/// What an identity belongs to, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// The session.
    pub session: Option<usize>,
    /// Whether other sessions fit as well; `session` is then the one that is tried first.
    pub is_ambiguous: bool,
    /// The mirrored interface.
    pub interface: Option<usize>,
    /// The session's filter.
    pub filter: Option<usize>,
    /// The session's target.
    pub target: Option<usize>,
}

impl Join {
    /// Indexes `inventory`.
    pub fn new(inventory: &Inventory) -> Self {
        let by_id = inventory.by_id();
        let mut join = Self::default();
        for (at, session) in inventory.sessions.iter().enumerate() {
            let place = Place {
                interface: by_id.interfaces.get(session.interface_id.as_str()).copied(),
                filter: by_id.filters.get(session.filter_id.as_str()).copied(),
                target: by_id.targets.get(session.target_id.as_str()).copied(),
            };
            join.places.push(place);
            if let Some(vni) = session.vni {
                join.sessions_by_vni.entry(vni).or_default().push(at);
            }
            if let Some(interface) = place.interface {
                join.sessions_by_interface.entry(interface).or_default().push(at);
            }
        }
        for sessions in join.sessions_by_interface.values_mut() {
            sessions.sort_by_key(|at| order(&inventory.sessions[*at]));
        }
        for (at, interface) in inventory.interfaces.iter().enumerate() {
            if let Some(primary) = interface.addresses.first() {
                join.interfaces_by_address.entry(*primary).or_default().push(at);
            }
        }
        join
    }

    /// What `identity` belongs to. `inventory` must be the one that was indexed.
    pub fn resolve(&self, inventory: &Inventory, identity: &MirrorIdentity) -> Joined {
        let candidates = self.candidates(identity);
        let fitting = candidates.iter().take(MAX_CANDIDATES);
        let fitting = fitting.filter_map(|at| Some((self.fit(inventory, *at, identity)?, *at)));
        let best = fitting.clone().map(|(fit, _)| fit).max();
        let mut tied = fitting.filter(|(fit, _)| Some(*fit) == best).map(|(_, at)| at);
        let session = tied.clone().min_by_key(|at| order(&inventory.sessions[*at]));
        let is_ambiguous = tied.nth(1).is_some() || candidates.len() > MAX_CANDIDATES;
        let place = session.and_then(|at| self.places.get(at)).copied().unwrap_or_default();
        Joined {
            session,
            is_ambiguous,
            interface: place.interface.or_else(|| self.interface_at(identity.source)),
            filter: place.filter,
            target: place.target,
        }
    }

    /// The sessions of an interface, in the order in which AWS tries them.
    pub fn sessions_of(&self, interface: usize) -> &[usize] {
        self.sessions_by_interface.get(&interface).map(Vec::as_slice).unwrap_or_default()
    }

    /// The filter of a session.
    pub fn filter_of(&self, session: usize) -> Option<usize> {
        self.places.get(session)?.filter
    }

    /// The interface with this primary address, unless there are several: networks of different VPCs overlap.
    pub fn interface_at(&self, address: IpAddr) -> Option<usize> {
        match self.interfaces_by_address.get(&address)?.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// Sessions that may fit: by way of the interface if its address is known, for many sessions may share a VNI.
    fn candidates(&self, identity: &MirrorIdentity) -> Vec<usize> {
        let of_vni = self.sessions_by_vni.get(&identity.vni).map(Vec::as_slice).unwrap_or_default();
        if of_vni.len() <= MAX_CANDIDATES {
            return of_vni.to_vec();
        }
        let interfaces = self.interfaces_by_address.get(&identity.source).into_iter().flatten();
        let known: Vec<usize> =
            interfaces.flat_map(|interface| self.sessions_of(*interface)).copied().collect();
        if known.is_empty() { of_vni.to_vec() } else { known }
    }

    /// How well a session fits: `None` if something contradicts, else interface and target confirmed or not known.
    fn fit(&self, inventory: &Inventory, at: usize, identity: &MirrorIdentity) -> Option<(bool, bool)> {
        let place = self.places.get(at)?;
        inventory.sessions.get(at).filter(|session| session.vni == Some(identity.vni))?;
        let interface = place.interface.and_then(|interface| inventory.interfaces.get(interface));
        let primary = interface.and_then(|interface| interface.addresses.first());
        let endpoint = place.target.and_then(|target| inventory.targets.get(target)?.endpoint_id);
        let by_interface = agree(primary.copied(), Some(identity.source))?;
        let by_target = agree(endpoint, identity.endpoint_id)?;
        Some((by_interface, by_target))
    }
}

/// The mirror sources of a capture, numbered as they turn up.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    places: HashMap<MirrorIdentity, usize>,
    sources: Vec<(Source, Joined)>,
}

impl Sources {
    /// The most sources that are remembered; a caller forgets them by [`Sources::clear`].
    const MAX: usize = 65_536;

    /// The number of the source with this identity.
    pub(super) fn place(&mut self, join: &Join, inventory: &Inventory, identity: MirrorIdentity) -> usize {
        if let Some(place) = self.places.get(&identity) {
            return *place;
        }
        let joined = join.resolve(inventory, &identity);
        let interface = joined.interface.and_then(|at| inventory.interfaces.get(at));
        let place = self.sources.len();
        self.sources.push((Source::new(identity.source, interface), joined));
        self.places.insert(identity, place);
        place
    }

    pub(super) fn source(&mut self, place: usize) -> Option<&mut Source> {
        self.sources.get_mut(place).map(|(source, _)| source)
    }

    pub(super) fn joined(&self, place: usize) -> Joined {
        self.sources.get(place).map(|(_, joined)| *joined).unwrap_or_default()
    }

    pub(super) fn is_full(&self) -> bool {
        self.sources.len() >= Self::MAX
    }

    /// Forgets all sources, and with them what was learned of their link-layer addresses.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.sources.clear();
    }
}

/// `None` for a contradiction, else whether both are known.
fn agree<T: PartialEq>(described: Option<T>, seen: Option<T>) -> Option<bool> {
    match (described, seen) {
        (Some(described), Some(seen)) => (described == seen).then_some(true),
        _ => Some(false),
    }
}

fn order(session: &MirrorSession) -> (bool, Option<u32>) {
    (session.number.is_none(), session.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{describe, gwlb::EndpointId};

    fn inventory() -> Inventory {
        describe::parse(
            br#"{"TrafficMirrorSessions":[
              {"TrafficMirrorSessionId":"tms-a","NetworkInterfaceId":"eni-a","TrafficMirrorTargetId":"tmt-1","VirtualNetworkId":7,"SessionNumber":2},
              {"TrafficMirrorSessionId":"tms-b","NetworkInterfaceId":"eni-b","TrafficMirrorTargetId":"tmt-1","VirtualNetworkId":7,"SessionNumber":1},
              {"TrafficMirrorSessionId":"tms-c","NetworkInterfaceId":"eni-foreign","TrafficMirrorTargetId":"tmt-1","VirtualNetworkId":8}],
             "NetworkInterfaces":[{"NetworkInterfaceId":"eni-a","PrivateIpAddress":"10.0.0.1"},
              {"NetworkInterfaceId":"eni-b","PrivateIpAddress":"10.0.0.2"}],
             "TrafficMirrorTargets":[{"TrafficMirrorTargetId":"tmt-1","GatewayLoadBalancerEndpointId":"vpce-00000000000000001"}]}"#,
        )
        .unwrap()
    }

    fn resolve(endpoint: Option<u64>, vni: u32, source: &str) -> Joined {
        let inventory = inventory();
        let endpoint_id = endpoint.map(EndpointId);
        let identity = MirrorIdentity { endpoint_id, vni, source: source.parse().unwrap() };
        Join::new(&inventory).resolve(&inventory, &identity)
    }

    #[test]
    fn sessions_with_one_vni_are_told_apart_by_the_interface() {
        assert_eq!(resolve(Some(1), 7, "10.0.0.1").session, Some(0));
        assert_eq!(resolve(Some(1), 7, "10.0.0.2").session, Some(1));
        assert_eq!(resolve(Some(1), 7, "10.0.0.3").session, None);
    }

    #[test]
    fn another_endpoint_or_vni_is_another_session() {
        assert_eq!(resolve(Some(2), 7, "10.0.0.1").session, None);
        assert_eq!(resolve(Some(1), 9, "10.0.0.1").session, None);
        assert_eq!(resolve(Some(1), 9, "10.0.0.1").interface, Some(0));
    }

    #[test]
    fn what_a_foreign_account_hides_does_not_contradict() {
        let joined = resolve(None, 8, "172.16.0.9");
        assert_eq!((joined.session, joined.interface, joined.is_ambiguous), (Some(2), None, false));
    }
}
