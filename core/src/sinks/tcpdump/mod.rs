//! One packet as `tcpdump -tttt -nn` 4.99.3 prints it, tunnels and all.

use core::net::IpAddr;

mod chars;
mod dns;
mod dns_names;
mod dns_options;
mod http;
mod icmp6;
mod icmp6_rare;
mod igmp;
mod igmp_routing;
#[cfg(test)]
mod sample;

/// What the printer of an application's message is told of the layers around it.
#[derive(Clone, Copy, Debug)]
struct Ctx<'a> {
    /// Source and destination of the innermost IP header.
    src: IpAddr,
    dst: IpAddr,
    /// Ports; 0 where the transport has none.
    src_port: u16,
    dst_port: u16,
    /// The transport is TCP rather than UDP.
    over_tcp: bool,
    /// DNS on the multicast port.
    mdns: bool,
    /// The octets are the first fragment of a longer packet.
    fragmented: bool,
    /// What tcpdump calls the protocol of a text protocol: `HTTP`, `SMTP`, `FTP`, `RTSP`, `SIP`, `WHOIS`.
    protocol: &'a str,
    /// The innermost IP header, as far as it was captured, with everything captured behind it.
    ip: &'a [u8],
}
