//! One packet as `tcpdump -tttt -nn` 4.99.3 prints it, tunnels and all.
//!
//! The printers walk the octets by tcpdump's rules and not along the [`Stack`](crate::Stack): tcpdump says
//! something about headers that the stack refuses (bad lengths, wrong versions, quoted packets), knows a protocol
//! by fixed ports in a fixed order, and tells where within a header the capture ended. Whoever compares two
//! programs needs the rules of the first. What a header means is still asked of [`layers`](crate::layers).
//!
//! Each printer is given what was captured, cut where the IP packet around it ends, and the length that the
//! headers claim. Protocols that tcpdump prints and we do not (BGP, SNMP and the like) get its generic form.

use core::net::IpAddr;

use super::{
    line::Line,
    time::{Clock, OffsetAt, Precision, TimeStyle, utc},
};
use crate::{
    packet::Packet,
    record::{LinkType, Record},
    stack::Decoder,
};

mod arp;
mod chars;
mod dns;
mod dns_names;
mod dns_options;
mod envelope;
mod geneve;
mod gre;
mod http;
mod icmp;
mod icmp6;
mod icmp6_rare;
mod igmp;
mod igmp_routing;
mod ip;
mod ip6;
mod link;
mod llc;
mod mpls;
mod mptcp;
mod names;
mod ports;
mod ppp;
mod resp;
mod routing;
#[cfg(test)]
mod sample;
mod sequences;
mod tcp;
mod tcp_options;
mod telnet;
mod text;
mod udp;
mod udp_services;
mod view;
mod vxlan;

use envelope::{Envelope, Envelopes};
use sequences::Sequences;
use view::{Cut, Printed};

/// Deepest nesting of IP packets that is printed; behind it the line says so and ends.
const MAX_IP_DEPTH: u32 = 24;
/// Longest packet that tcpdump accepts (`MAXIMUM_SNAPLEN`).
const MAX_PACKET_LEN: u32 = 262_144;

/// What tcpdump's options choose; the default is `tcpdump -tttt -nn` in UTC.
#[derive(Clone, Debug)]
pub struct TcpdumpOptions {
    /// `-t` to `-ttttt`.
    pub time: TimeStyle,
    /// `--nano`.
    pub precision: Precision,
    /// Time zone of the times that show a date or an hour.
    pub offset_at: OffsetAt,
    /// `-#`: the packet's number before its time.
    pub number: bool,
    /// `-S`: TCP sequence numbers as they are.
    pub absolute_sequence: bool,
    /// `-q`: less about the protocol.
    pub quiet: bool,
    /// `-e`: the link-layer header.
    pub link_header: bool,
    /// Ports that carry Geneve and VXLAN besides tcpdump's own 6081 and 4789.
    pub decoder: Decoder,
}

impl Default for TcpdumpOptions {
    fn default() -> Self {
        Self {
            time: TimeStyle::DateTime,
            precision: Precision::Micro,
            offset_at: utc,
            number: false,
            absolute_sequence: false,
            quiet: false,
            link_header: false,
            decoder: Decoder::default(),
        }
    }
}

/// Prints packets, and remembers what relative sequence numbers and times refer to.
#[derive(Clone, Debug)]
pub struct TcpdumpStyle {
    options: TcpdumpOptions,
    clock: Clock,
    sequences: Sequences,
    envelopes: Envelopes,
}

impl TcpdumpStyle {
    /// A printer that has seen no packet yet.
    pub fn new(options: TcpdumpOptions) -> Self {
        let clock = Clock::new(options.time, options.precision, options.offset_at);
        Self { options, clock, sequences: Sequences::default(), envelopes: Envelopes::default() }
    }

    /// Appends all lines of `packet`, each with its newline.
    pub fn print(&mut self, packet: &Packet<'_>, line: &mut Line) {
        self.print_record(&packet.record, line);
    }

    /// As [`TcpdumpStyle::print`], for a record that nobody needed to decode.
    pub fn print_record(&mut self, record: &Record<'_>, line: &mut Line) {
        if self.options.number {
            number(line, record.number);
        }
        if !is_valid(line, record) {
            return;
        }
        self.clock.write(record.timestamp_ns, line);
        let Self { options, sequences, envelopes, .. } = self;
        let mut out = Out { line, options, sequences, depth: 0 };
        let envelope = ordinary_envelope(out.options, record);
        let start = out.line.len();
        let printed = match &envelope {
            Some(envelope) if envelopes.write(out.line, envelope) => {
                link::mirrored(&mut out, record, envelope)
            }
            Some(envelope) => {
                let printed = link::print(&mut out, record);
                envelopes.remember(envelope, out.line.as_bytes().get(start..).unwrap_or_default());
                printed
            }
            None => link::print(&mut out, record),
        };
        if let Err(Cut(protocol)) = printed {
            line.str(" [|").str(protocol).byte(b']');
        }
        line.byte(b'\n');
    }
}

/// The envelope of a mirrored packet, if it is of the kind whose text can be remembered.
fn ordinary_envelope(options: &TcpdumpOptions, record: &Record<'_>) -> Option<Envelope> {
    if record.link_type != LinkType::ETHERNET || options.link_header || options.quiet {
        return None;
    }
    Envelope::of(record.data, record.original_len)
}

/// The packet's number, right-aligned in five columns.
fn number(line: &mut Line, number: u64) {
    for limit in [10, 100, 1000, 10_000] {
        if number < limit {
            line.byte(b' ');
        }
    }
    line.uint(number).str("  ");
}

/// Whether tcpdump would look at the packet at all; if not, says why.
fn is_valid(line: &mut Line, record: &Record<'_>) -> bool {
    let (captured, len) = (record.data.len() as u32, record.original_len);
    if (1..=len).contains(&captured) && len <= MAX_PACKET_LEN {
        return true;
    }
    line.str("[Invalid header:");
    let start = line.len();
    let fault = |line: &mut Line, applies: bool, text: core::fmt::Arguments<'_>| {
        if applies {
            let separator = if line.len() == start { " " } else { ", " };
            line.str(separator).fmt(text);
        }
    };
    fault(line, captured == 0, format_args!("caplen==0"));
    fault(line, len == 0, format_args!("len==0"));
    fault(line, len != 0 && len < captured, format_args!("len({len}) < caplen({captured})"));
    fault(line, captured > MAX_PACKET_LEN, format_args!("caplen({captured}) > {MAX_PACKET_LEN}"));
    fault(line, len > MAX_PACKET_LEN, format_args!("len({len}) > {MAX_PACKET_LEN}"));
    line.str("]\n");
    false
}

/// What every printer writes to and reads its orders from.
struct Out<'a> {
    line: &'a mut Line,
    options: &'a TcpdumpOptions,
    sequences: &'a mut Sequences,
    /// IP packets around the one that is being printed.
    depth: u32,
}

impl Out<'_> {
    /// Runs `print` one IP packet deeper, or says that it is too deep.
    fn deeper(&mut self, print: impl FnOnce(&mut Self) -> Printed) -> Printed {
        if self.depth == MAX_IP_DEPTH {
            self.line.str(" [nested too deep]");
            return Ok(());
        }
        self.depth += 1;
        let printed = print(self);
        self.depth -= 1;
        printed
    }

    /// After a space.
    fn spaced(&mut self) -> &mut Self {
        self.line.byte(b' ');
        self
    }

    /// What tcpdump adds to a header that makes no sense.
    fn invalid(&mut self) {
        self.line.str(" (invalid)");
    }
}

/// What the printer of an application's message is told of the layers around it.
#[derive(Clone, Copy, Debug)]
struct Ctx<'a> {
    /// Source of the innermost IP header.
    src: IpAddr,
    /// Destination port; 0 where the transport has none.
    dst_port: u16,
    /// The transport is TCP rather than UDP.
    over_tcp: bool,
    /// DNS on the multicast port.
    mdns: bool,
    /// What tcpdump calls the protocol of a text protocol: `HTTP`, `SMTP`, `FTP`, `RTSP`, `SIP`, `WHOIS`.
    protocol: &'a str,
    /// The innermost IP header, as far as it was captured, with everything captured behind it.
    ip: &'a [u8],
}
