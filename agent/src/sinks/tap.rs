//! Mirrored frames on a TAP device, where Suricata, Zeek or tcpdump find them without any tunnel: one device for
//! all, or one for each mirror session.
//!
//! An inline packet has no Ethernet header of its own; it gets one with zero addresses.

use std::{
    collections::HashMap,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
};

use mirrorscope_core::{Layer, Packet, aws::mirror::MirrorIdentity};

use crate::{failure::Failure, pipeline::Sink, sys::tap, talk::say};

/// Octets of payload that a frame may have: jumbo frames, as AWS carries them.
const MTU: i32 = 9001;
const ETHERNET_LEN: usize = 14;
/// The longest name of a device, octets.
const MAX_NAME_LEN: usize = 15;
/// Sessions with a device of their own; further ones share one.
const MAX_DEVICES: usize = 64;
const VNI: &str = "{vni}";
const SESSION: &str = "{session}";

/// What devices are called: a name, or one with a place for what tells sessions apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Reads a name. `{vni}` is replaced by the session's VNI, `{session}` by eight digits that belong to its
    /// endpoint, VNI and source together.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let pattern = Self(text.to_owned());
        let longest = pattern.fill("16777215", "01234567");
        if longest.is_empty() || longest.len() > MAX_NAME_LEN {
            return Err(format!("the name of a device has 1 to {MAX_NAME_LEN} octets, `{longest}` has not"));
        }
        if !longest.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet)) {
            return Err(format!("`{text}`: letters, digits, - _ . and {VNI} or {SESSION} make a name"));
        }
        Ok(pattern)
    }

    fn is_per_session(&self) -> bool {
        self.0.contains(VNI) || self.0.contains(SESSION)
    }

    fn fill(&self, vni: &str, session: &str) -> String {
        self.0.replace(VNI, vni).replace(SESSION, session)
    }

    fn of(&self, key: Key) -> String {
        match key {
            Key::All => self.0.clone(),
            Key::Other => self.fill("other", "other"),
            Key::Session(identity) => {
                // Seeded with nothing, so that a session has the same name after a restart.
                let mut hasher = DefaultHasher::new();
                identity.hash(&mut hasher);
                self.fill(&identity.vni.to_string(), &format!("{:08x}", hasher.finish() as u32))
            }
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose packets a device shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Everyone's.
    All,
    /// One session's.
    Session(MirrorIdentity),
    /// Inline packets, and sessions beyond [`MAX_DEVICES`].
    Other,
}

/// TAP devices that take frames.
#[derive(Debug)]
pub(crate) struct Taps {
    pattern: Pattern,
    /// By name: sessions may share one.
    devices: HashMap<String, File>,
    names: HashMap<Key, String>,
    frame: Vec<u8>,
}

impl Taps {
    /// Makes the device; where there is one for each session, it comes with the session's first packet.
    pub(crate) fn open(pattern: &Pattern) -> Result<Self, Failure> {
        let mut devices = HashMap::new();
        if !pattern.is_per_session() {
            devices.insert(pattern.0.clone(), device(&pattern.0)?);
        }
        Ok(Self { pattern: pattern.clone(), devices, names: HashMap::new(), frame: Vec::new() })
    }

    fn key(&self, packet: &Packet<'_>) -> Key {
        match packet.mirror() {
            _ if !self.pattern.is_per_session() => Key::All,
            None => Key::Other,
            Some(mirror) => {
                let key = Key::Session(mirror.identity);
                let has_room = self.names.len() < MAX_DEVICES || self.names.contains_key(&key);
                if has_room { key } else { Key::Other }
            }
        }
    }

    /// The device, which is made if it is not there yet.
    fn device(&mut self, key: Key) -> Result<(&str, &mut File), Failure> {
        let name = self.names.entry(key).or_insert_with(|| self.pattern.of(key));
        if !self.devices.contains_key(name.as_str()) {
            self.devices.insert(name.clone(), device(name)?);
            if let Key::Session(MirrorIdentity { endpoint_id, vni, source }) = key {
                let endpoint = endpoint_id.map_or_else(|| "no endpoint".to_owned(), |id| id.to_string());
                say!("mirrorscope: {name} shows VNI {vni} of {source} through {endpoint}");
            }
        }
        match self.devices.get_mut(name.as_str()) {
            Some(file) => Ok((name, file)),
            None => Err(Failure::new(format_args!("there is no device {name}"))),
        }
    }

    /// A device that somebody removed is made again.
    fn write(&mut self, key: Key) -> Result<(), Failure> {
        let frame = std::mem::take(&mut self.frame);
        let (name, file) = self.device(key)?;
        let mut result = file.write_all(&frame);
        if result.as_ref().is_err_and(was_removed) {
            let name = name.to_owned();
            self.devices.remove(&name);
            let (_, file) = self.device(key)?;
            say!("mirrorscope: the TAP device {name} was removed; it is made again");
            result = file.write_all(&frame);
        }
        self.frame = frame;
        let name = self.names.get(&key).map_or("", String::as_str);
        result.map_err(|error| {
            Failure::new(format_args!(
                "cannot write to the TAP device {name}: {error} (is it up? `ip link set {name} up`)"
            ))
        })
    }
}

impl Sink for Taps {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        let Some(first) = packet.subject_layers().first() else { return Ok(()) };
        self.frame.clear();
        match first.layer {
            Layer::Ipv4 => self.frame.extend([[0; 12].as_slice(), &[0x08, 0x00]].concat()),
            Layer::Ipv6 => self.frame.extend([[0; 12].as_slice(), &[0x86, 0xdd]].concat()),
            _ => {}
        }
        self.frame.extend_from_slice(packet.subject_bytes());
        if self.frame.len() <= ETHERNET_LEN {
            return Ok(());
        }
        self.write(self.key(packet))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

fn device(name: &str) -> Result<File, Failure> {
    tap::open(name, MTU).map_err(|error| {
        Failure::new(format_args!("cannot make the TAP device {name}: {error}"))
            .hint("it takes CAP_NET_ADMIN and /dev/net/tun")
    })
}

fn was_removed(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_fit_whatever_the_session() {
        for good in ["mirror0", "ms{vni}", "ms-{session}", "fifteen-letters"] {
            assert!(Pattern::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "mirror/0", "sixteen-letters-", "mirror-{vni}x", "{vni}{session}", "a b", "ms{x}"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sessions_that_share_a_vni_are_told_apart_by_session_and_not_by_vni() {
        let key = |source: &str| {
            Key::Session(MirrorIdentity { endpoint_id: None, vni: 7, source: source.parse().unwrap() })
        };
        let (a, b) = (key("10.0.0.1"), key("10.0.0.2"));
        let by_vni = Pattern::parse("ms{vni}").unwrap();
        assert_eq!((by_vni.of(a), by_vni.of(b)), ("ms7".into(), "ms7".into()));
        let by_session = Pattern::parse("ms{session}").unwrap();
        assert_ne!(by_session.of(a), by_session.of(b));
        assert_eq!(by_session.of(Key::Other), "msother");
    }
}
