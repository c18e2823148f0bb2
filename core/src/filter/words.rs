//! The words of the filter language: one table that the lexer, the errors and the completions share.
//!
//! The words of pcap-filter(7) as libpcap 1.10.3 knows them, and ours. None of ours is one of libpcap's
//! (`source` is not `src`), so every tcpdump filter keeps its meaning.

use Word::{Constant, Plain, Protocol as P, Refused, Tunnel};

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A protocol, qualifier or test by itself.
    Protocol(Protocol),
    /// A word with its own place in the grammar.
    Plain(Keyword),
    /// A test of the tunnel: ours.
    Tunnel(TunnelWord),
    /// A name for a number.
    Constant(u32),
    /// libpcap knows it, we do not; the reason stands in the table.
    Refused,
}

/// Words of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Src,
    Dst,
    Host,
    Net,
    Mask,
    Port,
    PortRange,
    Proto,
    ProtoChain,
    Less,
    Greater,
    Byte,
    Broadcast,
    Multicast,
    And,
    Or,
    Not,
    Len,
    Vlan,
    Mpls,
    PppoeDiscovery,
    PppoeSession,
    Geneve,
}

/// Tests of the tunnel that delivered the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TunnelWord {
    Vni,
    Endpoint,
    Source,
    Attachment,
    Cookie,
    Mirrored,
    Inline,
    Truncated,
    Outer,
}

/// Protocols that qualify a test or are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Link,
    Ip,
    Ip6,
    Arp,
    Rarp,
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmp6,
    Igmp,
    Igrp,
    Pim,
    Vrrp,
    Carp,
    Ah,
    Esp,
    Atalk,
    Aarp,
    Decnet,
    Lat,
    Sca,
    MopDl,
    MopRc,
    Iso,
    EsIs,
    IsIs,
    IsisL1,
    IsisL2,
    IsisHello,
    IsisLsp,
    IsisSnp,
    IsisCsnp,
    IsisPsnp,
    Clnp,
    Stp,
    Ipx,
    NetBeui,
}

/// One row: the word, what it is, and a line about it for people.
pub(crate) struct Row {
    pub(crate) text: &'static str,
    pub(crate) word: Word,
    pub(crate) about: &'static str,
}

const fn row(text: &'static str, word: Word, about: &'static str) -> Row {
    Row { text, word, about }
}

/// What `text` is, if it is a word.
pub(crate) fn find(text: &str) -> Option<&'static Row> {
    WORDS.iter().find(|row| row.text == text)
}

const ATM: &str = "ATM captures are not read";
const SS7: &str = "SS7 captures are not read";
const WLAN: &str = "Wi-Fi captures are not read";
const FIREWALL: &str = "only firewall logs carry it";
const LLC: &str = "802.2 control fields are not told apart; use `ether[…]`";
const DIRECTION: &str = "a mirrored packet does not say which way it went; use `src` and `dst`";
const NUMBERS: &str = "a number";

/// The table. Words of equal meaning stand together, the usual one first.
pub(crate) const WORDS: &[Row] = &[
    row("vni", Tunnel(TunnelWord::Vni), "mirror session's VXLAN network identifier"),
    row("endpoint", Tunnel(TunnelWord::Endpoint), "Gateway Load Balancer endpoint, vpce-…"),
    row("source", Tunnel(TunnelWord::Source), "who mirrored it: address or network"),
    row("attachment", Tunnel(TunnelWord::Attachment), "GWLB attachment identifier"),
    row("cookie", Tunnel(TunnelWord::Cookie), "GWLB flow cookie"),
    row("mirrored", Tunnel(TunnelWord::Mirrored), "came through a mirror session"),
    row("inline", Tunnel(TunnelWord::Inline), "came through GWLB, not mirrored"),
    row("truncated", Tunnel(TunnelWord::Truncated), "fewer bytes captured than sent"),
    row("outer", Tunnel(TunnelWord::Outer), "( … ) on the tunnel's own headers"),
    row("and", Plain(Keyword::And), "both hold; same precedence as `or`"),
    row("&&", Plain(Keyword::And), "both hold"),
    row("or", Plain(Keyword::Or), "one holds; same precedence as `and`"),
    row("||", Plain(Keyword::Or), "one holds"),
    row("not", Plain(Keyword::Not), "does not hold"),
    row("tcp", P(Protocol::Tcp), "TCP"),
    row("udp", P(Protocol::Udp), "UDP"),
    row("icmp", P(Protocol::Icmp), "ICMP over IPv4"),
    row("icmp6", P(Protocol::Icmp6), "ICMPv6"),
    row("ip", P(Protocol::Ip), "IPv4"),
    row("ip6", P(Protocol::Ip6), "IPv6"),
    row("arp", P(Protocol::Arp), "ARP"),
    row("host", Plain(Keyword::Host), "address of either end"),
    row("net", Plain(Keyword::Net), "network of either end"),
    row("port", Plain(Keyword::Port), "TCP, UDP or SCTP port of either end"),
    row("portrange", Plain(Keyword::PortRange), "ports, as in 1024-65535"),
    row("src", Plain(Keyword::Src), "source only"),
    row("dst", Plain(Keyword::Dst), "destination only"),
    row("proto", Plain(Keyword::Proto), "protocol by number or \\name"),
    row("protochain", Plain(Keyword::ProtoChain), "protocol anywhere in the chain of IP headers"),
    row("mask", Plain(Keyword::Mask), "netmask of `net`"),
    row("ether", P(Protocol::Link), "link layer"),
    row("link", P(Protocol::Link), "link layer"),
    row("ppp", P(Protocol::Link), "link layer"),
    row("slip", P(Protocol::Link), "link layer"),
    row("fddi", P(Protocol::Link), "link layer"),
    row("tr", P(Protocol::Link), "link layer"),
    row("wlan", P(Protocol::Link), "link layer"),
    row("vlan", Plain(Keyword::Vlan), "VLAN tag; what follows reads behind it"),
    row("mpls", Plain(Keyword::Mpls), "MPLS label; what follows reads behind it"),
    row("pppoed", Plain(Keyword::PppoeDiscovery), "PPPoE discovery"),
    row("pppoes", Plain(Keyword::PppoeSession), "PPPoE session; what follows reads inside it"),
    row("geneve", Plain(Keyword::Geneve), "Geneve; what follows reads inside it"),
    row("less", Plain(Keyword::Less), "at most so many octets on the wire"),
    row("greater", Plain(Keyword::Greater), "at least so many octets on the wire"),
    row("len", Plain(Keyword::Len), "octets on the wire, a number"),
    row("length", Plain(Keyword::Len), "octets on the wire, a number"),
    row("broadcast", Plain(Keyword::Broadcast), "to everyone"),
    row("multicast", Plain(Keyword::Multicast), "to a group"),
    row("byte", Plain(Keyword::Byte), "one octet of the link header compared"),
    row("rarp", P(Protocol::Rarp), "Reverse ARP"),
    row("sctp", P(Protocol::Sctp), "SCTP"),
    row("igmp", P(Protocol::Igmp), "IGMP"),
    row("esp", P(Protocol::Esp), "IPsec ESP"),
    row("ah", P(Protocol::Ah), "IPsec AH"),
    row("pim", P(Protocol::Pim), "PIM"),
    row("vrrp", P(Protocol::Vrrp), "VRRP"),
    row("carp", P(Protocol::Carp), "CARP"),
    row("igrp", P(Protocol::Igrp), "IGRP"),
    row("stp", P(Protocol::Stp), "spanning tree"),
    row("ipx", P(Protocol::Ipx), "IPX"),
    row("netbeui", P(Protocol::NetBeui), "NetBEUI"),
    row("atalk", P(Protocol::Atalk), "AppleTalk"),
    row("aarp", P(Protocol::Aarp), "AppleTalk ARP"),
    row("decnet", P(Protocol::Decnet), "DECnet"),
    row("lat", P(Protocol::Lat), "LAT"),
    row("sca", P(Protocol::Sca), "SCA"),
    row("mopdl", P(Protocol::MopDl), "MOP dump and load"),
    row("moprc", P(Protocol::MopRc), "MOP remote console"),
    row("iso", P(Protocol::Iso), "OSI"),
    row("clnp", P(Protocol::Clnp), "CLNP"),
    row("esis", P(Protocol::EsIs), "ES-IS"),
    row("es-is", P(Protocol::EsIs), "ES-IS"),
    row("isis", P(Protocol::IsIs), "IS-IS"),
    row("is-is", P(Protocol::IsIs), "IS-IS"),
    row("l1", P(Protocol::IsisL1), "IS-IS level 1"),
    row("l2", P(Protocol::IsisL2), "IS-IS level 2"),
    row("iih", P(Protocol::IsisHello), "IS-IS hello"),
    row("lsp", P(Protocol::IsisLsp), "IS-IS link state"),
    row("snp", P(Protocol::IsisSnp), "IS-IS sequence numbers"),
    row("csnp", P(Protocol::IsisCsnp), "IS-IS complete sequence numbers"),
    row("psnp", P(Protocol::IsisPsnp), "IS-IS partial sequence numbers"),
    row("tcpflags", Constant(13), "offset of TCP's flags"),
    row("tcp-fin", Constant(0x01), "flag FIN"),
    row("tcp-syn", Constant(0x02), "flag SYN"),
    row("tcp-rst", Constant(0x04), "flag RST"),
    row("tcp-push", Constant(0x08), "flag PSH"),
    row("tcp-ack", Constant(0x10), "flag ACK"),
    row("tcp-urg", Constant(0x20), "flag URG"),
    row("tcp-ece", Constant(0x40), "flag ECE"),
    row("tcp-cwr", Constant(0x80), "flag CWR"),
    row("icmptype", Constant(0), "offset of ICMP's type"),
    row("icmpcode", Constant(1), "offset of ICMP's code"),
    row("icmp-echoreply", Constant(0), NUMBERS),
    row("icmp-unreach", Constant(3), NUMBERS),
    row("icmp-sourcequench", Constant(4), NUMBERS),
    row("icmp-redirect", Constant(5), NUMBERS),
    row("icmp-echo", Constant(8), NUMBERS),
    row("icmp-routeradvert", Constant(9), NUMBERS),
    row("icmp-routersolicit", Constant(10), NUMBERS),
    row("icmp-timxceed", Constant(11), NUMBERS),
    row("icmp-paramprob", Constant(12), NUMBERS),
    row("icmp-tstamp", Constant(13), NUMBERS),
    row("icmp-tstampreply", Constant(14), NUMBERS),
    row("icmp-ireq", Constant(15), NUMBERS),
    row("icmp-ireqreply", Constant(16), NUMBERS),
    row("icmp-maskreq", Constant(17), NUMBERS),
    row("icmp-maskreply", Constant(18), NUMBERS),
    row("icmp6type", Constant(0), "offset of ICMPv6's type"),
    row("icmp6code", Constant(1), "offset of ICMPv6's code"),
    row("icmp6-destinationunreach", Constant(1), NUMBERS),
    row("icmp6-packettoobig", Constant(2), NUMBERS),
    row("icmp6-timeexceeded", Constant(3), NUMBERS),
    row("icmp6-parameterproblem", Constant(4), NUMBERS),
    row("icmp6-echo", Constant(128), NUMBERS),
    row("icmp6-echoreply", Constant(129), NUMBERS),
    row("icmp6-multicastlistenerquery", Constant(130), NUMBERS),
    row("icmp6-multicastlistenerreportv1", Constant(131), NUMBERS),
    row("icmp6-multicastlistenerdone", Constant(132), NUMBERS),
    row("icmp6-routersolicit", Constant(133), NUMBERS),
    row("icmp6-routeradvert", Constant(134), NUMBERS),
    row("icmp6-neighborsolicit", Constant(135), NUMBERS),
    row("icmp6-neighboradvert", Constant(136), NUMBERS),
    row("icmp6-redirect", Constant(137), NUMBERS),
    row("icmp6-routerrenum", Constant(138), NUMBERS),
    row("icmp6-nodeinformationquery", Constant(139), NUMBERS),
    row("icmp6-nodeinformationresponse", Constant(140), NUMBERS),
    row("icmp6-ineighbordiscoverysolicit", Constant(141), NUMBERS),
    row("icmp6-ineighbordiscoveryadvert", Constant(142), NUMBERS),
    row("icmp6-multicastlistenerreportv2", Constant(143), NUMBERS),
    row("icmp6-homeagentdiscoveryrequest", Constant(144), NUMBERS),
    row("icmp6-homeagentdiscoveryreply", Constant(145), NUMBERS),
    row("icmp6-mobileprefixsolicit", Constant(146), NUMBERS),
    row("icmp6-mobileprefixadvert", Constant(147), NUMBERS),
    row("icmp6-certpathsolicit", Constant(148), NUMBERS),
    row("icmp6-certpathadvert", Constant(149), NUMBERS),
    row("icmp6-multicastrouteradvert", Constant(151), NUMBERS),
    row("icmp6-multicastroutersolicit", Constant(152), NUMBERS),
    row("icmp6-multicastrouterterm", Constant(153), NUMBERS),
    row("gateway", Refused, "it needs names to be resolved; use `ether host` and `not host`"),
    row("inbound", Refused, DIRECTION),
    row("outbound", Refused, DIRECTION),
    row("ifindex", Refused, "records carry no kernel interface index"),
    row("ifname", Refused, FIREWALL),
    row("on", Refused, FIREWALL),
    row("rset", Refused, FIREWALL),
    row("ruleset", Refused, FIREWALL),
    row("rnr", Refused, FIREWALL),
    row("rulenum", Refused, FIREWALL),
    row("srnr", Refused, FIREWALL),
    row("subrulenum", Refused, FIREWALL),
    row("reason", Refused, FIREWALL),
    row("action", Refused, FIREWALL),
    row("llc", Refused, LLC),
    row("type", Refused, WLAN),
    row("subtype", Refused, WLAN),
    row("dir", Refused, WLAN),
    row("direction", Refused, WLAN),
    row("addr1", Refused, WLAN),
    row("address1", Refused, WLAN),
    row("addr2", Refused, WLAN),
    row("address2", Refused, WLAN),
    row("addr3", Refused, WLAN),
    row("address3", Refused, WLAN),
    row("addr4", Refused, WLAN),
    row("address4", Refused, WLAN),
    row("ra", Refused, WLAN),
    row("ta", Refused, WLAN),
    row("radio", Refused, WLAN),
    row("lane", Refused, ATM),
    row("metac", Refused, ATM),
    row("bcc", Refused, ATM),
    row("oam", Refused, ATM),
    row("oamf4", Refused, ATM),
    row("oamf4ec", Refused, ATM),
    row("oamf4sc", Refused, ATM),
    row("sc", Refused, ATM),
    row("ilmic", Refused, ATM),
    row("vpi", Refused, ATM),
    row("vci", Refused, ATM),
    row("connectmsg", Refused, ATM),
    row("metaconnect", Refused, ATM),
    row("fisu", Refused, SS7),
    row("lssu", Refused, SS7),
    row("lsu", Refused, SS7),
    row("msu", Refused, SS7),
    row("hfisu", Refused, SS7),
    row("hlssu", Refused, SS7),
    row("hmsu", Refused, SS7),
    row("sio", Refused, SS7),
    row("opc", Refused, SS7),
    row("dpc", Refused, SS7),
    row("sls", Refused, SS7),
    row("hsio", Refused, SS7),
    row("hopc", Refused, SS7),
    row("hdpc", Refused, SS7),
    row("hsls", Refused, SS7),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_stands_twice_in_the_table() {
        for (i, row) in WORDS.iter().enumerate() {
            assert!(WORDS[i + 1..].iter().all(|other| other.text != row.text), "{} stands twice", row.text);
        }
    }
}
