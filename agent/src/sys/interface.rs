//! What a network interface tells of itself: its MTU, and by `ethtool` its offloads, queues, rings and hash.
//!
//! Asking takes no privilege. What a driver does not know is `None`, never a guess. The layouts are those of
//! `linux/ethtool.h`, laid out here as words of 32 bits, in which every field of theirs begins on a word.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};

use socket2::{Domain, Socket, Type};

use super::tap::request_for;

const GET_RING: u32 = 0x10;
const GET_STRINGS: u32 = 0x1b;
const GET_RX_HASH: u32 = 0x29;
const GET_SET_LEN: u32 = 0x37;
const GET_FEATURES: u32 = 0x3a;
const GET_CHANNELS: u32 = 0x3c;

/// `ETH_SS_FEATURES`: the names of offloads.
const FEATURE_NAMES: u32 = 4;
const NAME_LEN: usize = 32;
/// More offloads than any kernel names (some 60), so that a strange answer costs no memory.
const MAX_FEATURES: u32 = 1024;

const UDP_V4_FLOW: u32 = 0x02;
/// `RXH_L4_B_0_1 | RXH_L4_B_2_3`: source and destination port.
const HASHES_PORTS: u32 = 1 << 6 | 1 << 7;

/// An interface that can be asked.
#[derive(Debug)]
pub(crate) struct Interface {
    name: String,
    socket: Socket,
}

impl Interface {
    /// The interface `name`, which need not exist.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        Ok(Self { name: name.to_owned(), socket: Socket::new(Domain::IPV4, Type::DGRAM, None)? })
    }

    /// Octets of the largest packet.
    pub(crate) fn mtu(&self) -> io::Result<u32> {
        let mut request = request_for(&self.name)?;
        // SAFETY: SIOCGIFMTU takes a pointer to an `ifreq`, which is alive and whole.
        let result = unsafe { libc::ioctl(self.file(), libc::SIOCGIFMTU, &raw mut request) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel wrote this member of the union, which is an integer.
        Ok(unsafe { request.ifr_ifru.ifru_mtu }.try_into().unwrap_or_default())
    }

    /// Whether the offload `name` is on.
    pub(crate) fn feature(&self, name: &str) -> Option<bool> {
        let names = self.feature_names().ok()?;
        let at = names.iter().position(|known| known == name)?;
        let blocks = names.len().div_ceil(32);
        let mut words = vec![GET_FEATURES, blocks as u32];
        words.resize(2 + 4 * blocks, 0);
        self.ask(&mut words).ok()?;
        // Each block is available, requested, active, never changed.
        let active = words.get(2 + 4 * (at / 32) + 2)?;
        Some(active >> (at % 32) & 1 == 1)
    }

    fn feature_names(&self) -> io::Result<Vec<String>> {
        // The mask has 64 bits; this set is in the lower word on the byte orders that are built for.
        let mut words = [GET_SET_LEN, 0, 1 << FEATURE_NAMES, 0, 0];
        self.ask(&mut words)?;
        let count = words[4].min(MAX_FEATURES);
        let mut words = vec![GET_STRINGS, FEATURE_NAMES, count];
        words.resize(3 + count as usize * NAME_LEN / 4, 0);
        self.ask(&mut words)?;
        let octets: Vec<u8> = words[3..].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let text = |name: &[u8]| {
            String::from_utf8_lossy(name.split(|octet| *octet == 0).next().unwrap_or_default()).into_owned()
        };
        Ok(octets.chunks_exact(NAME_LEN).map(text).collect())
    }

    /// Receive queues in use, and the most that there can be.
    pub(crate) fn queues(&self) -> Option<(u32, u32)> {
        // Most receive, send, other, combined; then as many in use.
        let mut words = [GET_CHANNELS, 0, 0, 0, 0, 0, 0, 0, 0];
        self.ask(&mut words).ok()?;
        let [_, max_receive, _, _, max_combined, receive, _, _, combined] = words;
        let (used, most) = (receive + combined, max_receive.max(max_combined));
        (used > 0 && most > 0).then_some((used, most))
    }

    /// Slots of a receive ring in use, and the most that there can be.
    pub(crate) fn ring(&self) -> Option<(u32, u32)> {
        // Most receive, mini, jumbo, send; then as many in use.
        let mut words = [GET_RING, 0, 0, 0, 0, 0, 0, 0, 0];
        self.ask(&mut words).ok()?;
        (words[5] > 0 && words[1] > 0).then_some((words[5], words[1]))
    }

    /// Whether the ports of UDP over IPv4 take part in the choice of a receive queue.
    pub(crate) fn hashes_udp_ports(&self) -> Option<bool> {
        // `ethtool_rxnfc`: command, flow type, then 64 bits of data; the rest is room that the kernel may copy.
        let mut words = [0; 64];
        (words[0], words[1]) = (GET_RX_HASH, UDP_V4_FLOW);
        self.ask(&mut words).ok()?;
        (words[2] != 0).then_some(words[2] & HASHES_PORTS == HASHES_PORTS)
    }

    /// `words` begin with the command. Each caller leaves room for the whole of the answer.
    fn ask(&self, words: &mut [u32]) -> io::Result<()> {
        let mut request = request_for(&self.name)?;
        request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
        // SAFETY: SIOCETHTOOL takes an `ifreq` whose data point to the structure of the command in its first
        // word. It is alive through the call, and as long as that structure with the counts that it names.
        let result = unsafe { libc::ioctl(self.file(), libc::SIOCETHTOOL as _, &raw mut request) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn file(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_tells_its_mtu_and_its_offloads() {
        let loopback = Interface::new("lo").unwrap();
        let known = std::fs::read_to_string("/sys/class/net/lo/mtu").unwrap();
        assert_eq!(loopback.mtu().unwrap(), known.trim().parse::<u32>().unwrap());
        assert_eq!(loopback.feature("rx-gro-list"), Some(false));
        // Its packets never leave the machine, which is what this offload says.
        assert_eq!(loopback.feature("loopback"), Some(true));
        assert_eq!(loopback.feature("no-such-offload"), None);
        assert_eq!((loopback.queues(), loopback.ring()), (None, None));
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        assert!(Interface::new("mirrornone0").unwrap().mtu().is_err());
    }
}
