//! Mirrored frames on a TAP device, where Suricata, Zeek or tcpdump find them without any tunnel.
//!
//! An inline packet has no Ethernet header of its own; it gets one with zero addresses.

use std::{fs::File, io::Write};

use mirrorscope_core::{Layer, Packet};

use crate::{failure::Failure, pipeline::Sink, sys::tap};

/// Octets of payload that a frame may have: jumbo frames, as AWS carries them.
const MTU: i32 = 9001;
const ETHERNET_LEN: usize = 14;

/// A TAP device that takes frames.
#[derive(Debug)]
pub(crate) struct Tap {
    name: String,
    file: File,
    frame: Vec<u8>,
}

impl Tap {
    /// Makes the device.
    pub(crate) fn open(name: &str) -> Result<Self, Failure> {
        let file = tap::open(name, MTU).map_err(|error| {
            Failure::new(format_args!("cannot make the TAP device {name}: {error}"))
                .hint("it takes CAP_NET_ADMIN and /dev/net/tun")
        })?;
        Ok(Self { name: name.to_owned(), file, frame: Vec::new() })
    }
}

impl Sink for Tap {
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
        self.file.write_all(&self.frame).map_err(|error| {
            Failure::new(format_args!("cannot write to the TAP device {}: {error}", self.name))
        })
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
