//! The default style: the mirrored packet first, who mirrored it behind a bar, one line a packet.
//!
//! ```text
//! 2022-06-30 09:28:08.355728 3.209.171.143.80 > 10.10.0.4.53332: TCP P. 139 HTTP/1.1 200 OK | 9325541 10.10.0.4 *6071
//! ```
//!
//! The tunnels cost what tells one session from another: VNI, mirror source, and the end of the endpoint id.

use core::net::{IpAddr, Ipv4Addr};

use super::{
    line::Line,
    time::{self, Clock, Precision, TimeStyle},
};
use crate::{
    app::{dns, http, tls},
    aws::{
        gwlb::EndpointId,
        mirror::{MirrorIdentity, NameOf},
    },
    layers::{Layer, arp, icmp, icmpv6, ipv4, vlan},
    packet::{Envelope, Packet},
    stack::Span,
};

/// Colours for a terminal, as SGR parameters; empty ones where the output is no terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Palette {
    time: &'static str,
    protocol: &'static str,
    context: &'static str,
    warning: &'static str,
    reset: &'static str,
}

impl Palette {
    /// What a terminal shows.
    pub const COLOUR: Self = Self {
        time: "\x1b[2m",
        protocol: "\x1b[36m",
        context: "\x1b[35m",
        warning: "\x1b[31m",
        reset: "\x1b[0m",
    };
}

/// Writes packets in the default style.
pub struct BriefStyle<'a> {
    clock: Clock,
    palette: Palette,
    name_of: NameOf<'a>,
    number: bool,
}

impl core::fmt::Debug for BriefStyle<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BriefStyle").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl<'a> BriefStyle<'a> {
    /// A style with the given clock and colours; sessions are called as `name_of` says.
    pub fn new(clock: Clock, palette: Palette, name_of: NameOf<'a>) -> Self {
        Self { clock, palette, name_of, number: false }
    }

    /// Puts the packet's number before each line.
    pub fn numbered(mut self, number: bool) -> Self {
        self.number = number;
        self
    }

    /// Appends the packet's line and a line end.
    pub fn print(&mut self, packet: &Packet<'_>, line: &mut Line) {
        if self.number {
            line.uint(packet.record.number).byte(b' ');
        }
        line.str(self.palette.time);
        self.clock.write(packet.record.timestamp_ns, line);
        line.str(self.palette.reset);
        self.subject(packet, line);
        self.context(packet, line);
        self.warnings(packet, line);
        line.byte(b'\n');
    }

    fn subject(&self, packet: &Packet<'_>, line: &mut Line) {
        around(packet, line);
        match innermost_ip(packet) {
            Some(layers) => {
                addresses(packet, layers, line);
                line.str(": ");
                self.behind_addresses(packet, layers, line);
            }
            None => self.no_ip(packet, packet.subject_layers(), line),
        }
    }

    fn behind_addresses(&self, packet: &Packet<'_>, layers: &[Span], line: &mut Line) {
        match layers.iter().find(|span| is_transport(span.layer)) {
            Some(span) => self.transport(packet, span, line),
            None => self.no_transport(packet, layers, line),
        }
    }

    fn transport(&self, packet: &Packet<'_>, span: &Span, line: &mut Line) {
        let header = packet.stack.header(span);
        self.protocol(line, span.layer.name());
        match span.layer {
            Layer::Tcp => {
                line.byte(b' ');
                tcp_flags(line, header.get(13).copied().unwrap_or_default());
            }
            Layer::Icmp | Layer::Icmpv6 => {
                line.byte(b' ');
                return icmp_kind(span.layer, header, line);
            }
            _ => {}
        }
        line.byte(b' ').uint(span.payload_len());
        self.application(packet, span, line);
    }

    /// What the payload begins with, where that says more than a port: a DNS name, a TLS server, a line of HTTP.
    fn application(&self, packet: &Packet<'_>, span: &Span, line: &mut Line) {
        let payload = packet.stack.payload(span);
        let Some((src, dst)) = packet.stack.ports(span).filter(|_| !payload.is_empty()) else { return };
        match span.layer {
            Layer::Udp if [src, dst].contains(&DNS_PORT) => dns_name(payload, line),
            Layer::Tcp => tcp_application(payload, line),
            _ => {}
        }
    }

    /// IP without a transport layer that we read: a fragment, or a protocol by its number.
    fn no_transport(&self, packet: &Packet<'_>, layers: &[Span], line: &mut Line) {
        let Some(span) = layers.last() else { return };
        let protocol = carried(packet, layers);
        match protocol.map(|protocol| (protocol, ipv4::protocol_name(u64::from(protocol)))) {
            Some((_, Some(name))) => self.protocol(line, name),
            Some((protocol, None)) => {
                line.str("ip-proto ").uint(protocol);
            }
            None => {}
        }
        if packet.stack.is_fragment(layers) {
            line.str(" fragment");
        }
        line.byte(b' ').uint(span.payload_len());
    }

    fn no_ip(&self, packet: &Packet<'_>, layers: &[Span], line: &mut Line) {
        match layers.last() {
            Some(span) if span.layer == Layer::Arp => {
                self.protocol(line, "ARP");
                arp_operation(packet.stack.header(span), line.byte(b' '));
            }
            Some(span) => {
                self.protocol(line, span.layer.name());
                line.byte(b' ').uint(span.payload_len());
            }
            None => {
                line.str("link type ").uint(packet.record.link_type.0).str(" (not decoded) ");
                line.uint(packet.record.original_len);
            }
        }
    }

    fn protocol(&self, line: &mut Line, name: &str) {
        line.str(self.palette.protocol).str(name).str(self.palette.reset);
    }

    fn context(&self, packet: &Packet<'_>, line: &mut Line) {
        match &packet.envelope {
            Envelope::Bare => return,
            Envelope::Mirrored(context) => {
                line.str(" | ").str(self.palette.context);
                match (self.name_of)(&context.identity) {
                    Some(name) => line.str(name),
                    None => identity(&context.identity, line),
                };
            }
            Envelope::Inline(gwlb) => {
                line.str(" | ").str(self.palette.context).str("inline");
                if let Some(gwlb) = gwlb {
                    endpoint(gwlb.endpoint_id, line.byte(b' '));
                }
            }
        }
        line.str(self.palette.reset);
    }

    fn warnings(&self, packet: &Packet<'_>, line: &mut Line) {
        if let Some(stop) = packet.stack.stop() {
            line.str(" | ").str(self.palette.warning).fmt(format_args!("! {stop}")).str(self.palette.reset);
        } else if packet.stack.is_truncated() {
            let missing = packet.stack.layers().iter().map(Span::missing_len).max().unwrap_or_default();
            line.str(" | ").str(self.palette.warning).str("cut ").uint(missing).str(self.palette.reset);
        }
    }
}

/// The parts of a line, for a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Source and destination with their ports, of the innermost IP packet.
    pub ends: Option<[(IpAddr, Option<u16>); 2]>,
    /// The protocol's name.
    pub protocol: String,
    /// What the line says behind the protocol, and before it what is around: VLAN tags and tunnels.
    pub info: String,
}

/// What the line says of the mirrored packet, in parts.
pub fn summary(packet: &Packet<'_>) -> Summary {
    let clock = Clock::new(TimeStyle::None, Precision::Micro, time::utc);
    let style = BriefStyle::new(clock, Palette::default(), &|_| None);
    let layers = innermost_ip(packet);
    let mut line = Line::default();
    match layers {
        Some(layers) => style.behind_addresses(packet, layers, &mut line),
        None => style.no_ip(packet, packet.subject_layers(), &mut line),
    }
    let text = String::from_utf8_lossy(line.as_bytes()).into_owned();
    let protocol = protocol(packet, layers);
    let behind = text.strip_prefix(&protocol).map_or(text.as_str(), str::trim_start);
    line.clear();
    around(packet, &mut line);
    let info = format!("{}{behind}", String::from_utf8_lossy(line.as_bytes()));
    Summary { ends: layers.and_then(|layers| ends(packet, layers)), protocol, info }
}

fn protocol(packet: &Packet<'_>, layers: Option<&[Span]>) -> String {
    let Some(layers) = layers else {
        let last = packet.subject_layers().last();
        return last.map_or_else(|| "?".to_owned(), |span| span.layer.name().to_owned());
    };
    match layers.iter().find(|span| is_transport(span.layer)) {
        Some(span) => span.layer.name().to_owned(),
        None => match carried(packet, layers) {
            Some(number) => {
                ipv4::protocol_name(number.into()).map_or_else(|| format!("ip-proto {number}"), str::to_owned)
            }
            None => "IP".to_owned(),
        },
    }
}

fn ends(packet: &Packet<'_>, layers: &[Span]) -> Option<[(IpAddr, Option<u16>); 2]> {
    let (src, dst) = layers.first().and_then(|span| packet.stack.addresses(span))?;
    let ports = layers.iter().find_map(|span| packet.stack.ports(span));
    Some([(src, ports.map(|ports| ports.0)), (dst, ports.map(|ports| ports.1))])
}

/// The layers from the innermost IP header on.
fn innermost_ip<'p>(packet: &'p Packet<'_>) -> Option<&'p [Span]> {
    let layers = packet.subject_layers();
    let innermost = layers.iter().rposition(|span| packet.stack.addresses(span).is_some())?;
    layers.get(innermost..)
}

/// VLAN tags, and tunnels inside the mirrored frame: worth a word, but the innermost packet is what people look for.
fn around(packet: &Packet<'_>, line: &mut Line) {
    let layers = packet.subject_layers();
    for span in layers.iter().filter(|span| span.layer == Layer::Vlan) {
        if let Some((_, _, id)) = vlan::tag(packet.stack.header(span)) {
            line.str("vlan ").uint(id).byte(b' ');
        }
    }
    let is_ip = |span: &Span| packet.stack.addresses(span).is_some();
    if let (Some(first), Some(innermost)) = (layers.iter().position(is_ip), layers.iter().rposition(is_ip)) {
        for span in layers[first..innermost].iter().filter(|span| is_tunnel(span.layer)) {
            line.str(span.layer.name()).byte(b' ');
        }
    }
}

fn addresses(packet: &Packet<'_>, layers: &[Span], line: &mut Line) {
    let Some([(src, src_port), (dst, dst_port)]) = ends(packet, layers) else { return };
    line.ip(src);
    if let Some(port) = src_port {
        line.byte(b'.').uint(port);
    }
    line.str(" > ").ip(dst);
    if let Some(port) = dst_port {
        line.byte(b'.').uint(port);
    }
}

/// The protocol number that the last of these headers names.
fn carried(packet: &Packet<'_>, layers: &[Span]) -> Option<u8> {
    let span = layers.last()?;
    let header = packet.stack.header(span);
    let protocol = match span.layer {
        Layer::Ipv4 => header.get(9),
        Layer::Ipv6 => header.get(6),
        _ => header.first(),
    };
    protocol.copied()
}

fn identity<'a>(identity: &MirrorIdentity, line: &'a mut Line) -> &'a mut Line {
    line.uint(identity.vni).byte(b' ').ip(identity.source);
    if let Some(endpoint_id) = identity.endpoint_id {
        endpoint(endpoint_id, line.byte(b' '));
    }
    line
}

/// As a pattern, `*6071`: the last four digits, which tell the endpoints of one account apart; `-v` and `sessions` show them all.
fn endpoint(id: EndpointId, line: &mut Line) {
    line.byte(b'*').hex(id.0 & 0xffff, 4);
}

fn is_transport(layer: Layer) -> bool {
    matches!(layer, Layer::Tcp | Layer::Udp | Layer::Icmp | Layer::Icmpv6 | Layer::Igmp | Layer::Gre)
}

fn is_tunnel(layer: Layer) -> bool {
    matches!(layer, Layer::Gre | Layer::Vxlan | Layer::Geneve)
}

fn icmp_kind(layer: Layer, header: &[u8], line: &mut Line) {
    let [kind, code, ..] = *header else { return };
    let name =
        if layer == Layer::Icmp { icmp::type_name(kind.into()) } else { icmpv6::type_name(kind.into()) };
    match name {
        Some(name) => line.str(name),
        None => line.str("type ").uint(kind).str(" code ").uint(code),
    };
}

/// `who-has 10.0.0.1 tell 10.0.0.2`, or what is known of another operation.
fn arp_operation(header: &[u8], line: &mut Line) {
    let be16 = |at: usize| Some(u16::from_be_bytes(*header.get(at..)?.first_chunk()?));
    let ipv4 = |at: usize| Some(Ipv4Addr::from(*header.get(at..)?.first_chunk::<4>()?));
    let (Some(operation), Some(sizes)) = (be16(6), be16(4)) else { return };
    match (operation, ipv4(14), ipv4(24)) {
        (1, Some(sender), Some(target)) if sizes == 0x0604 => {
            line.str("who-has ").ipv4(target).str(" tell ").ipv4(sender)
        }
        (2, Some(sender), _) if sizes == 0x0604 => {
            line.ipv4(sender).str(" is-at ").mac(header.get(8..14).unwrap_or_default())
        }
        _ => match arp::operation_name(operation.into()) {
            Some(name) => line.str(name),
            None => line.str("operation ").uint(operation),
        },
    };
}

/// TCP flags in tcpdump's letters and order; `none` where there is none.
pub fn tcp_flags(line: &mut Line, flags: u8) {
    if flags == 0 {
        line.str("none");
    }
    for (bit, letter) in
        [(1, b'F'), (2, b'S'), (4, b'R'), (8, b'P'), (16, b'.'), (32, b'U'), (64, b'E'), (128, b'W')]
    {
        if flags & bit != 0 {
            line.byte(letter);
        }
    }
}

/// The port of DNS.
const DNS_PORT: u16 = 53;
/// Characters of a payload's beginning that a line may show.
const MAX_APPLICATION_LEN: usize = 60;

fn dns_name(payload: &[u8], line: &mut Line) {
    if let Some(name) = dns::first_question_name(payload) {
        shortened(line, |line| {
            line.fmt(format_args!(" {name}"));
        });
    }
}

fn tcp_application(payload: &[u8], line: &mut Line) {
    if let Some(name) = tls::server_name(payload) {
        shortened(line, |line| {
            line.str(" TLS ");
            printable(name, line);
        });
    } else if let Some(first) = http::first_line(payload) {
        shortened(line, |line| match first {
            http::FirstLine::Request { method, target, .. } => {
                line.byte(b' ').str(method).byte(b' ');
                printable(target, line);
            }
            http::FirstLine::Response { status, reason, .. } => {
                line.str(" HTTP ").uint(status).byte(b' ');
                printable(reason, line);
            }
        });
    }
}

/// What `write` appends, cut at [`MAX_APPLICATION_LEN`].
fn shortened(line: &mut Line, write: impl FnOnce(&mut Line)) {
    let start = line.len();
    write(line);
    if line.len() > start + MAX_APPLICATION_LEN {
        line.truncate(start + MAX_APPLICATION_LEN);
        line.str("..");
    }
}

/// Text from the network with everything but printable ASCII replaced: it must not steer a terminal.
fn printable(text: &str, line: &mut Line) {
    for octet in text.bytes().take(MAX_APPLICATION_LEN) {
        line.byte(if octet.is_ascii_graphic() || octet == b' ' { octet } else { b'.' });
    }
}
