//! What people call the source of a mirrored packet: a Name tag, an instance, an interface, instead of a bare VNI.

use core::fmt;

use super::{
    inventory::{Interface, Inventory, MirrorSession},
    join::Join,
    mirror::MirrorIdentity,
};

/// Names for mirror identities, from an inventory.
#[derive(Clone, Debug)]
pub struct Names {
    inventory: Inventory,
    join: Join,
}

/// What is known of one mirror source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// The Name tag of the mirrored interface.
    pub name: Option<&'a str>,
    /// `i-…`, the instance to which the interface is attached.
    pub instance_id: Option<&'a str>,
    /// `eni-…`, the mirrored interface.
    pub interface_id: Option<&'a str>,
    /// `tms-…`, the session.
    pub session_id: Option<&'a str>,
    /// The Name tag of the session.
    pub session_name: Option<&'a str>,
}

impl Names {
    /// Indexes `inventory`.
    pub fn new(inventory: Inventory) -> Self {
        Self { join: Join::new(&inventory), inventory }
    }

    /// Whether no name is known at all.
    pub fn is_empty(&self) -> bool {
        self.inventory.sessions.is_empty() && self.inventory.interfaces.is_empty()
    }

    /// What is known of the source of packets with this identity. A caller with many packets should remember
    /// the answer.
    pub fn lookup(&self, identity: &MirrorIdentity) -> Option<Name<'_>> {
        let joined = self.join.resolve(&self.inventory, identity);
        let session = joined.session.filter(|_| !joined.is_ambiguous);
        let session = session.and_then(|at| self.inventory.sessions.get(at));
        let interface = joined.interface.and_then(|at| self.inventory.interfaces.get(at));
        let interface_id = interface.map(|interface| interface.id.as_str());
        let name = Name {
            name: interface.and_then(|interface| interface.name.as_deref()),
            instance_id: interface.and_then(|interface| interface.instance_id.as_deref()),
            interface_id: interface_id
                .or(session.map(|session| session.interface_id.as_str()))
                .filter(is_given),
            session_id: session.map(|session: &MirrorSession| session.id.as_str()).filter(is_given),
            session_name: session.and_then(|session| session.name.as_deref()),
        };
        name.best().is_some().then_some(name)
    }
}

impl Names {
    /// The mirrored interface, where the inventory has it. A caller with many packets should remember the answer.
    pub fn interface(&self, identity: &MirrorIdentity) -> Option<&Interface> {
        let at = self.join.resolve(&self.inventory, identity).interface?;
        self.inventory.interfaces.get(at)
    }
}

fn is_given(text: &&str) -> bool {
    !text.is_empty()
}

impl<'a> Name<'a> {
    /// The one that says most to people: the interface's Name tag, else the instance, the interface or the session.
    pub fn best(&self) -> Option<&'a str> {
        self.name.or(self.instance_id).or(self.interface_id).or(self.session_name).or(self.session_id)
    }
}

/// [`Name::best`].
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.best().unwrap_or("?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::describe;

    fn names(json: &str) -> Names {
        Names::new(describe::parse(json.as_bytes()).unwrap())
    }

    fn identity(source: &str) -> MirrorIdentity {
        MirrorIdentity { endpoint_id: None, vni: 7, source: source.parse().unwrap() }
    }

    #[test]
    fn an_interface_lends_its_name_tag_else_its_instance_else_its_id() {
        let names = names(
            r#"{"NetworkInterfaces":[
              {"NetworkInterfaceId":"eni-1","PrivateIpAddress":"10.0.0.1","TagSet":[{"Key":"Name","Value":"web"}]},
              {"NetworkInterfaceId":"eni-2","PrivateIpAddress":"10.0.0.2","Attachment":{"InstanceId":"i-2"}},
              {"NetworkInterfaceId":"eni-3","PrivateIpAddress":"10.0.0.3"}]}"#,
        );
        let text = |source| names.lookup(&identity(source)).map(|name| name.to_string());
        assert_eq!(text("10.0.0.1").as_deref(), Some("web"));
        assert_eq!(text("10.0.0.2").as_deref(), Some("i-2"));
        assert_eq!(text("10.0.0.3").as_deref(), Some("eni-3"));
        assert_eq!(text("10.0.0.4"), None);
    }

    #[test]
    fn a_session_alone_names_its_interface() {
        let names = names(
            r#"{"TrafficMirrorSessions":[{"TrafficMirrorSessionId":"tms-1","NetworkInterfaceId":"eni-9","VirtualNetworkId":7}]}"#,
        );
        let identity = identity("10.0.0.1");
        let name = names.lookup(&identity).unwrap();
        assert_eq!((name.to_string().as_str(), name.session_id), ("eni-9", Some("tms-1")));
    }
}
