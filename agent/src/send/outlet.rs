//! Where wrapped packets go: a capture file, or UDP sockets whose ports stand for the load balancer's.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
};

use mirrorscope_core::{
    LinkType,
    capture::{InterfaceHeader, Packet, PcapWriter, PcapngWriter, SectionHeader},
    encap::{Datagram, Outer, Passing},
};

use super::echo::Echo;
use crate::{failure::Failure, sinks::capture_file::Target};

/// Octets that are gathered before they are written.
const GATHER_LEN: usize = 256 * 1024;
/// Ethernet, IPv4 and UDP before the Geneve header: what faults leave alone in a file.
const OUTER_LEN: usize = 42;
/// Snapshot length that a pcap file states: tcpdump's.
const SNAP_LEN: u32 = 262_144;

/// Takes wrapped packets.
pub(crate) enum Outlet {
    /// A capture.
    File(Box<FileOutlet>),
    /// The network.
    Sockets(Box<SocketOutlet>),
}

impl Outlet {
    /// Octets at the front of what [`put`](Self::put) writes that faults must spare.
    pub(crate) fn spared_len(&self) -> usize {
        match self {
            Self::File(_) => OUTER_LEN,
            Self::Sockets(_) => 0,
        }
    }

    /// Writes the datagram into an empty buffer, in the form that [`take`](Self::take) takes.
    pub(crate) fn put(&self, out: &mut Vec<u8>, datagram: &Datagram<'_>) {
        match self {
            Self::File(file) => file.outer.put_frame(out, datagram),
            Self::Sockets(_) => datagram.put_payload(out),
        }
    }

    /// Takes a packet that passed the faults.
    pub(crate) fn take(&mut self, passing: &Passing<'_>, tag: Tag) -> Result<(), Failure> {
        match self {
            Self::File(file) => file.packet(passing, tag.timestamp_ns),
            Self::Sockets(sockets) => sockets.send(passing, tag),
        }
    }

    /// Writes what has been gathered, and gives a file its name.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        match self {
            Self::File(file) => file.finish(),
            Self::Sockets(_) => Ok(()),
        }
    }
}

/// What travels with a packet through the faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag {
    /// When it is sent, nanoseconds since 1970.
    pub(crate) timestamp_ns: i64,
    /// GWLB's source port by its hash.
    pub(crate) source_port: u16,
    /// Whether it must come back.
    pub(crate) inline: bool,
}

impl Tag {
    /// As the two numbers that faults carry along.
    pub(crate) fn to_numbers(self) -> (u64, u64) {
        (self.timestamp_ns.cast_unsigned(), u64::from(self.source_port) << 1 | u64::from(self.inline))
    }

    /// Back from [`to_numbers`](Self::to_numbers).
    pub(crate) fn from_numbers((time, rest): (u64, u64)) -> Self {
        Self { timestamp_ns: time.cast_signed(), source_port: (rest >> 1) as u16, inline: rest & 1 == 1 }
    }
}

/// A capture under construction.
pub(crate) struct FileOutlet {
    outer: Outer,
    target: Target,
    format: Format,
    gathered: Vec<u8>,
}

enum Format {
    Pcap(PcapWriter),
    Pcapng(PcapngWriter, u32),
}

impl FileOutlet {
    /// Begins a capture: classic pcap if the name ends so, else pcapng.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let target = Target::create(path)?;
        let mut gathered = Vec::with_capacity(GATHER_LEN + 64 * 1024);
        let is_classic = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pcap"));
        let format = if is_classic {
            Format::Pcap(PcapWriter::begin(&mut gathered, LinkType::ETHERNET, SNAP_LEN))
        } else {
            let application = concat!("mirrorscope ", env!("CARGO_PKG_VERSION"));
            let header = SectionHeader { application: Some(application), ..Default::default() };
            let mut writer = PcapngWriter::begin(&mut gathered, &header);
            let name = Some("gwlb");
            let header =
                InterfaceHeader { link_type: LinkType::ETHERNET, snap_len: 0, name, description: None };
            let interface = writer.interface(&mut gathered, &header);
            Format::Pcapng(writer, interface)
        };
        Ok(Self { outer: Outer::default(), target, format, gathered })
    }

    fn packet(&mut self, passing: &Passing<'_>, timestamp_ns: i64) -> Result<(), Failure> {
        let interface = if let Format::Pcapng(_, interface) = self.format { interface } else { 0 };
        let original_len = passing.original_len as u32;
        let packet = Packet { interface, timestamp_ns, original_len, data: passing.octets, comment: None };
        match &mut self.format {
            Format::Pcap(writer) => writer.packet(&mut self.gathered, &packet),
            Format::Pcapng(writer, _) => writer.packet(&mut self.gathered, &packet),
        }
        if self.gathered.len() < GATHER_LEN { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let result = self.target.write(&self.gathered);
        self.gathered.clear();
        result.map_err(|error| Failure::write(&self.target.name(), &error))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let result = self.flush();
        let name = self.target.name();
        result.and(self.target.finish().map_err(|error| Failure::write(&name, &error)))
    }
}

/// Sockets bound to one address, each to a port of its own.
pub(crate) struct SocketOutlet {
    sockets: Vec<(UdpSocket, u16)>,
    to: SocketAddr,
    echo: Option<Arc<Echo>>,
    /// Packets that the kernel did not take.
    pub(crate) errors: u64,
    /// Their octets.
    pub(crate) errors_len: u64,
    /// Why it did not take the first of them.
    pub(crate) first_error: Option<io::Error>,
}

impl SocketOutlet {
    /// Binds the sockets. `echo` is told of every inline packet before it goes.
    pub(crate) fn bind(
        from: IpAddr,
        to: SocketAddr,
        sockets: u16,
        echo: Option<Arc<Echo>>,
    ) -> Result<Self, Failure> {
        let bind = || {
            let socket = UdpSocket::bind((from, 0))?;
            let port = socket.local_addr()?.port();
            Ok((socket, port))
        };
        let sockets = (0..sockets).map(|_| bind()).collect::<io::Result<_>>();
        let sockets = sockets.map_err(|error| {
            Failure::new(format_args!("cannot send from {from}: {error}"))
                .hint("--from must be an address of this machine")
        })?;
        Ok(Self { sockets, to, echo, errors: 0, errors_len: 0, first_error: None })
    }

    fn send(&mut self, passing: &Passing<'_>, tag: Tag) -> Result<(), Failure> {
        let (socket, port) = &self.sockets[usize::from(tag.source_port) % self.sockets.len()];
        if let Some(echo) = self.echo.as_ref().filter(|_| tag.inline || passing.damaged) {
            echo.expect(passing.octets, *port, passing.damaged);
        }
        if let Err(error) = socket.send_to(passing.octets, self.to) {
            self.errors += 1;
            self.errors_len += passing.octets.len() as u64;
            self.first_error.get_or_insert(error);
        }
        Ok(())
    }
}
