//! Which of a few dozen frames each word of the language chooses. tcpdump 4.99.3 (libpcap 1.10.3) gives the same answers, but for BSD
//! loopback in the byte order that the file has not.

mod frames;

use frames::{
    A, B, ISIS, Named, ONE, TWO, ethernet, geneve, global, ipv4, ipv6, other_links, plain, tcp, udp,
};

use super::*;
use crate::{
    filter::Filter,
    index::{Index, IndexOptions, Judged},
    layers::testing::record,
    stack::Decoder,
};

/// The names of the frames that a filter chooses.
fn chosen(text: &str, frames: &[Named]) -> String {
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
    let passes = |(_, link_type, octets): &&Named| filter.matches_record(&record(*link_type, octets));
    frames.iter().filter(passes).map(|(name, ..)| *name).collect::<Vec<_>>().join(" ")
}

/// Filters, and the frames of [`plain`] that they choose.
#[rustfmt::skip]
const ON_ETHERNET: &[(&str, &str)] = &[
    ("ip", "web back mdns sctp ping first later gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("ip6", "web6 mdns6 first6 later6 gnv6 ping6"),
    ("arp", "arp"),
    ("rarp", "rarp"),
    ("tcp", "web back web6 cut"),
    ("udp", "mdns first later mdns6 first6 later6 gnv gnv-ip gnv-v1 gnv6 gnv-vlan gnv-pppoe gnv-mpls"),
    ("sctp", "sctp"),
    ("icmp", "ping"),
    ("ip proto 17", "mdns first later gnv gnv-ip gnv-v1 gnv-vlan gnv-pppoe gnv-mpls"),
    ("ip6 proto 17", "mdns6 first6 later6 gnv6"),
    ("ip6 proto 44", "first6 later6"),
    ("proto 132", "sctp"),
    ("port 443", "web back sctp web6 cut"),
    ("src port 443", "back sctp"),
    ("dst port 443", "web web6 cut"),
    ("src and dst port 5353", "mdns mdns6"),
    ("src or dst port 1024", "web back sctp first web6 cut"),
    ("tcp port 443", "web back web6 cut"),
    ("udp port 53", "first"),
    ("sctp port 443", "sctp"),
    ("portrange 1000-1100", "web back sctp first web6 cut"),
    ("src portrange 5000-5353", "mdns mdns6"),
    ("host 10.0.0.1", "web back sctp ping first later arp rarp gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("src host 10.0.0.1", "web ping arp cut ah options"),
    ("dst host 10.0.0.1", "back sctp first later rarp gnv gnv-ip gnv-v1 gnv-vlan gnv-pppoe gnv-mpls"),
    ("src and dst net 10.0.0.0/24", "web back sctp first later arp rarp gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("ip host 10.0.0.1", "web back sctp ping first later gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("arp host 10.0.0.1", "arp"),
    ("rarp host 10.0.0.1", "rarp"),
    ("net 10.0.0.0/30", "web back sctp ping first later arp rarp gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("net 224.0.0.0/4", "mdns"),
    ("src net 192.168.0.0 mask 255.255.0.0", "mdns"),
    ("host 2001:db8::1", "web6 first6 later6 gnv6 ping6"),
    ("src host 2001:db8::1", "web6 gnv6 ping6"),
    ("dst net 2001:db8::/32", "web6 first6 later6 gnv6 ping6"),
    ("net ff02::/16", "mdns6"),
    ("net fe80::/10", "mdns6"),
    ("net 2001:db8::2/127", "web6 first6 later6 gnv6 ping6"),
    ("ether host 00:aa:bb:cc:dd:01", "web back mdns sctp ping first later arp rarp web6 mdns6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet gnv gnv-ip gnv-v1 gnv6 cut ping6 ah options llc-fe vlan-pppoe mpls-deep gnv-vlan gnv-pppoe gnv-mpls"),
    ("ether src 00:aa:bb:cc:dd:02", "back"),
    ("ether dst 00:aa:bb:cc:dd:02", "web sctp first later web6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoe pppoe6 ipx-type atalk aarp decnet gnv gnv-ip gnv-v1 gnv6 cut ping6 ah options vlan-pppoe mpls-deep gnv-vlan gnv-pppoe gnv-mpls"),
    ("ether broadcast", "ping arp rarp pppoed"),
    ("ether multicast", "mdns ping arp rarp mdns6 pppoed isis esis clnp stp netbeui ipx ipx-raw ipx-snap atalk-snap aarp-snap ip-llc llc-fe"),
    ("ip6 multicast", "mdns6"),
    ("vlan", "vlan qinq vlan6 vlan-pppoe"),
    ("vlan 5", "vlan vlan-pppoe"),
    ("vlan 7 and vlan 5", "qinq"),
    ("vlan and tcp", "vlan vlan6"),
    ("vlan and ip6", "vlan6"),
    ("vlan and vlan and port 443", "qinq"),
    ("vlan and host 10.0.0.1", "vlan"),
    ("vlan and ether dst 00:aa:bb:cc:dd:02", "vlan qinq vlan6 vlan-pppoe"),
    ("mpls", "mpls mpls6 mpls-deep"),
    ("mpls 16", "mpls mpls6 mpls-deep"),
    ("mpls 16 and ip", "mpls"),
    ("mpls 16 and tcp", "mpls"),
    ("mpls 16 and mpls 17", "mpls6"),
    ("mpls 16 and mpls 17 and ip6", "mpls6"),
    ("mpls and mpls and host 2001:db8::1", "mpls6"),
    ("pppoed", "pppoed"),
    ("pppoes", "pppoe pppoe6"),
    ("pppoes 3", "pppoe"),
    ("pppoes and ip", "pppoe"),
    ("pppoes 4 and ip6", "pppoe6"),
    ("pppoes and tcp port 443", "pppoe pppoe6"),
    ("iso", "isis esis clnp"),
    ("clnp", "clnp"),
    ("esis", "esis"),
    ("isis", "isis"),
    ("l1", "isis"),
    ("l2", ""),
    ("iih", "isis"),
    ("lsp", ""),
    ("csnp", ""),
    ("psnp", ""),
    ("iso proto 0x82", "esis"),
    ("stp", "stp"),
    ("netbeui", "netbeui"),
    ("ipx", "ipx ipx-raw ipx-snap ipx-type"),
    ("atalk", "atalk atalk-snap"),
    ("aarp", "aarp aarp-snap"),
    ("decnet", "decnet"),
    ("ether proto 0x88cc", ""),
    ("ether proto 6", "ip-llc"),
    ("ether proto 0x42", "stp"),
    ("geneve", "gnv gnv-ip gnv6 gnv-vlan gnv-pppoe gnv-mpls"),
    ("geneve 7", "gnv gnv-vlan gnv-pppoe gnv-mpls"),
    ("geneve 9", "gnv6"),
    ("geneve and ip", "gnv gnv-ip"),
    ("geneve and ip6", "gnv6"),
    ("geneve and tcp dst port 443", "gnv gnv-ip gnv6"),
    ("geneve and host 10.0.0.1", "gnv gnv-ip"),
    ("geneve and ether dst 00:aa:bb:cc:dd:02", "gnv gnv-vlan gnv-pppoe"),
    ("geneve 7 and ether src 00:aa:bb:cc:dd:01 and src host 10.0.0.1", "gnv"),
    ("geneve and ip[8] = 64", "gnv gnv-ip"),
    ("geneve and ether[12:2] = 0x800", "gnv"),
    ("geneve and tcp[13] = 2", "gnv gnv-ip"),
    ("less 54", "web back mdns sctp ping first later arp rarp pppoed isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet cut llc-fe"),
    ("greater 90", "gnv gnv-ip gnv-v1 gnv6 gnv-vlan gnv-pppoe gnv-mpls"),
    ("len = 58", "vlan mpls"),
    ("tcp[13] & 2 != 0", "web back"),
    ("udp[4:2] = 20", "mdns"),
    ("ip[6:2] & 0x1fff != 0", "later"),
    ("ip6[6] = 44", "first6 later6"),
    ("ip6[24] = 0xff", "mdns6"),
    ("ip[2:2] - 20 = 8", "ping"),
    ("ether[0] & 1 = 1", "mdns ping arp rarp mdns6 pppoed isis esis clnp stp netbeui ipx ipx-raw ipx-snap atalk-snap aarp-snap ip-llc llc-fe"),
    ("vlan and ip[9] = 6", "vlan"),
    ("mpls and ip[9] = 6", "mpls"),
    ("pppoes and ip[9] = 6", "pppoe"),
    ("ip protochain 6", "web back cut ah"),
    ("ip6 protochain 17", "mdns6 first6 later6 gnv6"),
    ("protochain 1", "ping"),
    ("not ip and not ip6", "arp rarp vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet llc-fe vlan-pppoe mpls-deep"),
    ("not tcp port 443", "mdns sctp ping first later arp rarp mdns6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet gnv gnv-ip gnv-v1 gnv6 ping6 ah options llc-fe vlan-pppoe mpls-deep gnv-vlan gnv-pppoe gnv-mpls"),
    ("not udp[2:2] = 1024", "web back mdns sctp ping later arp rarp web6 mdns6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet gnv gnv-ip gnv-v1 gnv6 cut ping6 ah options llc-fe vlan-pppoe mpls-deep gnv-vlan gnv-pppoe gnv-mpls"),
    ("icmp6", "ping6"),
    ("icmp6[icmp6type] = icmp6-echo", "ping6"),
    ("icmp[icmptype] = icmp-echo", "ping"),
    ("sctp[0:2] = 443", "sctp"),
    ("port https", "web back sctp web6 cut"),
    ("tcp port http or https", "web back web6 cut"),
    ("udp port domain", "first"),
    ("ether proto \\arp", "arp"),
    ("ip proto \\tcp", "web back cut"),
    ("iso proto \\isis", "isis"),
    ("isis proto 15", "isis"),
    ("broadcast", "ping arp rarp pppoed"),
    ("multicast", "mdns ping arp rarp mdns6 pppoed isis esis clnp stp netbeui ipx ipx-raw ipx-snap atalk-snap aarp-snap ip-llc llc-fe"),
    ("ip multicast", "mdns ping"),
    ("net 10", "web back sctp ping first later arp rarp gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("net 10.0.0", "web back sctp ping first later arp rarp gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("ip6 host 2001:db8::2", "web6 first6 later6 gnv6 ping6"),
    ("ip6 net 2001:db8::/64", "web6 first6 later6 gnv6 ping6"),
    ("dst or src port 1024", "web back sctp first web6 cut"),
    ("dst and src net 10.0.0.0/24", "web back sctp first later arp rarp gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("! tcp and ip", "mdns sctp ping first later gnv gnv-ip gnv-v1 ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("tcp && !port 443", ""),
    ("stp || arp", "arp stp"),
    ("tcp port 80 or not 443", "mdns sctp ping first later arp rarp mdns6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet gnv gnv-ip gnv-v1 gnv6 ping6 ah options llc-fe vlan-pppoe mpls-deep gnv-vlan gnv-pppoe gnv-mpls"),
    ("ip[8] < 64", ""),
    ("ip[8] <= 64 and tcp", "web back cut"),
    ("ip[8] > 63 and tcp", "web back cut"),
    ("ip[8] >= 65", ""),
    ("ip[8] != 64", ""),
    ("ip[9] ^ 7 = 1", "web back cut"),
    ("ip[9] | 1 = 7", "web back cut"),
    ("ip[0] >> 4 = 4 and arp or tcp", "web back web6 cut"),
    ("1 << 4 = ip[9] - 1", "mdns first later gnv gnv-ip gnv-v1 gnv-vlan gnv-pppoe gnv-mpls"),
    ("(- ip[9]) = 0 - 6", "web back cut"),
    ("ip[ip[9] - 8:2] = 0x800", ""),
    ("link[12:2] = 0x806", "arp"),
    ("ether proto 0x45", ""),
    ("mpls and host 10.0.0.1", "mpls"),
    ("mpls and ip6", ""),
    ("mpls and mpls", "mpls6 mpls-deep"),
    ("pppoes and ip proto 6", "pppoe"),
    ("pppoes and ip6 proto 6", "pppoe6"),
    ("pppoes 3 and host 10.0.0.1", "pppoe"),
    ("pppoes and ip6[6] = 6", "pppoe6"),
    ("pppoes and mpls", ""),
    ("geneve and vlan", "gnv-vlan"),
    ("geneve and vlan 5 and ether src 00:aa:bb:cc:dd:01", "gnv-vlan"),
    ("geneve and vlan and tcp", "gnv-vlan"),
    ("geneve and mpls", "gnv-mpls"),
    ("geneve and mpls 16 and ip", "gnv-mpls"),
    ("geneve and pppoes 3 and ip", "gnv-pppoe"),
    ("geneve and pppoes and tcp dst port 443", "gnv-pppoe"),
    ("geneve and ether multicast", ""),
    ("ip protochain 60", "options"),
    ("ip protochain 51", "ah"),
    ("protochain 58", "ping6"),
    ("0 * ip[1000] = 0 and arp or ip", "web back mdns sctp ping first later arp gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("ip[1000] & 0 = 0", "web back mdns sctp ping first later gnv gnv-ip gnv-v1 cut ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("ip[9] | 2 = 6", "web back cut"),
    ("ip[9] < 17", "web back ping cut"),
    ("ip[9] > 6 and ip[9] < 60", "mdns first later gnv gnv-ip gnv-v1 ah gnv-vlan gnv-pppoe gnv-mpls"),
    ("mpls and mpls and net 0.0.0.0/0", "mpls-deep"),
    ("vlan (5)", "vlan vlan-pppoe"),
    ("(6) = ip[9]", "web back cut"),
    ("ip and port not 443", "mdns ping first later gnv gnv-ip gnv-v1 ah options gnv-vlan gnv-pppoe gnv-mpls"),
    ("tcp port (not 443 or not 1024)", "mdns sctp ping first later arp rarp mdns6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet gnv gnv-ip gnv-v1 gnv6 ping6 ah options llc-fe vlan-pppoe mpls-deep gnv-vlan gnv-pppoe gnv-mpls"),
    ("tcp and src port 443 or not 1024", "back mdns sctp ping first later arp rarp mdns6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet gnv gnv-ip gnv-v1 gnv6 ping6 ah options llc-fe vlan-pppoe mpls-deep gnv-vlan gnv-pppoe gnv-mpls"),
    ("port 80 or 6 = ip[9]", "web back cut"),
    ("vlan and pppoes 3 and ip", "vlan-pppoe"),
    ("vlan and pppoes and tcp dst port 443", "vlan-pppoe"),
    ("geneve and ip[ip[9] - 8:2] = 0x800", "gnv"),
    ("ether proto 1500", ""),
    ("ether proto 1501", ""),
];

/// Filters, and the frames of [`other_links`] that they choose.
#[rustfmt::skip]
const ON_OTHER_LINKS: &[(&str, &str)] = &[
    ("ip", "sll sll2 null null-be loop raw ipv4"),
    ("ip6", "sll6 sll2-6 null6 null6-be loop6 raw6 ipv6"),
    ("arp", "sll-arp sll2-arp"),
    ("tcp", "sll sll6 sll2 sll2-6 null null-be null6 null6-be loop loop6 raw raw6 ipv4 ipv6"),
    ("port 443", "sll sll6 sll2 sll2-6 null null-be null6 null6-be loop loop6 raw raw6 ipv4 ipv6"),
    ("host 10.0.0.1", "sll sll-arp sll2 sll2-arp null null-be loop raw ipv4"),
    ("host 2001:db8::2", "sll6 sll2-6 null6 null6-be loop6 raw6 ipv6"),
    ("iso", "sll-isis"),
    ("isis", ""),
    ("stp", "sll-stp"),
    ("netbeui", "sll-netbeui"),
    ("ipx", "sll-ipx sll-ipx-snap sll-ipx-raw sll-ipx-type"),
    ("atalk", "sll-atalk sll-atalk-snap"),
    ("aarp", "sll-aarp-snap"),
    ("ether proto 6", "sll-ip-llc"),
    ("ether proto 0x42", "sll-stp"),
    ("ether proto 0x8137", "sll-ipx-type"),
    ("ip[9] = 6", "sll sll2 null null-be loop raw ipv4"),
    ("ip6[6] = 6", "sll6 sll2-6 null6 null6-be loop6 raw6 ipv6"),
    ("tcp[13] = 2", "sll sll2 null null-be loop raw ipv4"),
    ("tcp[0:2] = 1024", "sll sll2 null null-be loop raw ipv4"),
    ("vlan", ""),
    ("mpls", ""),
    ("pppoes", ""),
    ("ether host 00:aa:bb:cc:dd:01", ""),
    ("ether multicast", ""),
    ("not ip", "sll6 sll-arp sll-isis sll-stp sll-netbeui sll-ipx sll-ipx-snap sll-ipx-raw sll-ipx-type sll-atalk sll-atalk-snap sll-aarp-snap sll-ip-llc sll-fe sll-mpls sll2-6 sll2-arp null6 null6-be null-other loop6 raw6 ipv6"),
    ("ip protochain 6", "sll sll2 null null-be loop raw ipv4"),
    ("ip6 protochain 6", "sll6 sll2-6 null6 null6-be loop6 raw6 ipv6"),
    ("ether proto 0x45", ""),
    ("iso proto 0x83", ""),
    ("mpls and ip", ""),
    ("vlan and ip", ""),
    ("pppoes and ip", ""),
    ("geneve", ""),
    ("ip multicast", ""),
    ("ether[0] = 0", "sll sll6 sll-arp sll-isis sll-stp sll-netbeui sll-ipx sll-ipx-snap sll-ipx-raw sll-ipx-type sll-atalk sll-atalk-snap sll-aarp-snap sll-ip-llc sll-fe sll-mpls null-be null6-be loop loop6"),
    ("link[0] = 0x45", "raw ipv4"),
    ("ether proto 1500", ""),
];

#[test]
fn each_word_chooses_the_frames_that_it_means() {
    let frames = plain();
    for (text, expected) in ON_ETHERNET {
        assert_eq!(chosen(text, &frames), *expected, "{text}");
    }
    // The greatest length that is no type.
    let longest = [("longest", LinkType::ETHERNET, ethernet(B, A, 1500, &ISIS))];
    assert_eq!(
        (chosen("iso", &longest), chosen("ether proto 1500", &longest)),
        ("longest".into(), "".into())
    );
    // tcpdump asks the interface for its mask; a capture has none.
    assert_eq!(chosen("ip broadcast", &frames), "ping");
}

#[test]
fn the_words_mean_the_same_behind_other_link_headers() {
    let frames = other_links();
    for (text, expected) in ON_OTHER_LINKS {
        assert_eq!(chosen(text, &frames), *expected, "{text}");
    }
}

/// The frames that an index says pass, and those whose octets it must read to know.
fn judged(text: &str, frames: &[Named]) -> [Vec<bool>; 2] {
    let mut index = Index::new(IndexOptions::default(), 1);
    for (_, link_type, octets) in frames {
        let packet = Packet::decode(&Decoder::default(), record(*link_type, octets));
        index.push(0, &packet).expect("there is room");
    }
    let Judged { passed, open } = index.select(&Filter::parse(text).unwrap());
    [passed, open].map(|bits| (0..frames.len() as u64).map(|at| bits.contains(at)).collect())
}

/// Filters of what carries a packet, of lengths and of flags, which an index answers in ways of its own.
const ON_INDEXED: &[&str] = &[
    "vni 7",
    "vni 8 or mirrored",
    "not mirrored and not inline",
    "source 10.9.0.0/16 and tcp",
    "truncated",
    "truncated or not port 443",
    "outer (udp)",
    "outer (tcp)",
    "not outer (host 10.9.0.7)",
    "outer (len = 104) or outer (vlan)",
    "len = 54 and outer (greater 80)",
    "len - 54 = 0",
    "- len = 0 - 54",
    "len = 54 or len = 58 or len = 74",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn and len > 54",
    "tcp[13] = 2 or tcp[13] = 16",
    "not tcp[13] = 2",
    "outer (tcp[13] = 2)",
    "tcp[13] / (len - 54) = 0",
    "not tcp[13] / (len - 54) = 1",
    "udp[0:2] / (udp[2:2] - 5353) = 1",
    "tcp[0] = 4 and tcp[0:4] = 0x040001bb",
    "vlan and tcp[13] = 2",
    "vlan and tcp[0:2] = 1024 and tcp[13] = 2",
    "tcp[13] = 2 or ip[8] = 64",
    "mpls or ip",
    "geneve or tcp",
    "ip[8] = 64 and udp",
    "not ip[8] = 63 or udp",
    "not (tcp[13] = 2 and len = 54)",
    "tcp[13] = 2 and (ip[8] = 63 or len = 54)",
    "truncated and ip[8] = 64",
    "udp[0:2] = 5353",
    "tcp[2:2] = 443 or ip6",
    "ip6 and tcp[13] = 2",
    "less 54 or truncated",
    "outer (less 80)",
    "vlan and vlan and vlan",
    "vlan and (mpls or tcp)",
    "vlan and ip[8] = 64",
    "ether[0] = 0 or vlan",
    "icmp6[0] = 128",
    "tcp[13] > len - 52",
    "tcp[12] = 0x50 and tcp[13] = 2",
    "tcp[13:2] = 0x2ff",
];

/// Those of all links, a mirrored one, and one of which the capture has a part.
fn indexed() -> Vec<Named> {
    let web = ethernet(B, A, 0x0800, &ipv4(6, ONE, TWO, 0x4000, &tcp(1024, 443)));
    let vxlan = udp(50_000, 4789, &[&[8, 0, 0, 0, 0, 0, 7, 0][..], &web].concat());
    let mirrored = ethernet(A, B, 0x0800, &ipv4(17, [10, 9, 0, 7], [10, 9, 1, 1], 0, &vxlan));
    let cut = ethernet(B, A, 0x0800, &ipv4(6, ONE, TWO, 0x4000, &[&tcp(1024, 443)[..], &[0; 40]].concat()));
    let own = [
        ("mirrored", LinkType::ETHERNET, mirrored),
        ("cut-payload", LinkType::ETHERNET, cut[..60].to_vec()),
        // The same octets, and what they are not.
        ("as-ipv6", LinkType::IPV6, web[14..].to_vec()),
        ("as-frame", LinkType::ETHERNET, web[14..].to_vec()),
        ("as-nothing", LinkType(147), web[14..].to_vec()),
    ];
    [plain(), other_links(), own.into()].concat()
}

#[test]
fn an_index_says_the_same_of_every_frame_or_has_it_read() {
    let frames = indexed();
    let texts = [ON_ETHERNET, ON_OTHER_LINKS].concat().into_iter().map(|(text, _)| text);
    for text in texts.chain(ON_INDEXED.iter().copied()) {
        let filter = Filter::parse(text).unwrap();
        let [passed, open] = judged(text, &frames);
        for (at, (name, link_type, octets)) in frames.iter().enumerate() {
            let packet = Packet::decode(&Decoder::default(), record(*link_type, octets));
            assert!(open[at] || passed[at] == filter.matches(&packet), "{text}, {name}: {}", passed[at]);
            assert!(!(open[at] && passed[at]), "{text}, {name}");
        }
    }
}

#[test]
fn what_is_asked_most_an_index_knows_without_reading_an_octet() {
    let mut frames = indexed();
    frames.retain(|(name, ..)| !name.starts_with("as-"));
    let open_to = |text: &str| {
        let [_, open] = judged(text, &frames);
        let names = frames.iter().zip(open).filter(|(_, open)| *open).map(|((name, ..), _)| *name);
        names.collect::<Vec<_>>().join(" ")
    };
    let words = ON_ETHERNET.iter().map(|(text, _)| *text).take_while(|text| *text != "mpls");
    let more =
        ["decnet", "greater 90", "len = 58", "not ip and not ip6", "not tcp port 443", "tcp[0:2] = 1024"];
    let around = ["outer", "tcp[", "ip[", "icmp6[", "ether[", "mpls", "geneve"];
    let of_the_way = ON_INDEXED.iter().copied().filter(|text| !around.iter().any(|part| text.contains(part)));
    for text in words.chain(more).chain(of_the_way).chain(["vlan and tcp[13] = 2"]) {
        assert_eq!(open_to(text), "", "{text}");
    }
    // What lies around a tunnel is not kept, and flags that were cut off are not known.
    assert_eq!(open_to("outer (udp)"), "gnv gnv-ip gnv6 gnv-vlan gnv-pppoe gnv-mpls mirrored");
    assert_eq!(open_to("len = 54 and outer (greater 80)"), "");
    assert_eq!(open_to("tcp[13] = 2 or tcp[13] = 16"), "cut");
}

#[test]
fn a_tunnels_inside_is_judged_from_its_first_octet() {
    let web = ipv4(6, ONE, TWO, 0x4000, &tcp(1024, 443));
    let web6 = ipv6(6, global(1), global(2), &tcp(1024, 443));
    let frame = ethernet(B, A, 0x0800, &web);
    let inline = |protocol_type, inside: &[u8]| {
        ethernet(
            A,
            B,
            0x0800,
            &ipv4(17, [10, 8, 0, 1], [10, 8, 0, 2], 0, &geneve(0, 0, protocol_type, inside)),
        )
    };
    let vxlan = |inside: &[u8]| udp(50_000, 4789, &[&[8, 0, 0, 0, 0, 0, 7, 0][..], inside].concat());
    let mirrored =
        |inside: &[u8]| ethernet(A, B, 0x0800, &ipv4(17, [10, 9, 0, 7], [10, 9, 1, 1], 0, &vxlan(inside)));
    let frames = [
        ("inline", inline(0x0800, &web)),
        ("inline6", inline(0x86dd, &web6)),
        ("inline-frame", inline(0x6558, &frame)),
        // Nothing that has a link header.
        ("inline-other", inline(0x88cc, &[&[2; 12][..], &[8, 0], &web].concat())),
        ("mirrored", mirrored(&frame)),
        ("mirrored-cut", mirrored(&frame)[..14 + 28 + 8 + 13].to_vec()),
        ("mirrored-none", mirrored(&[])),
        ("bare", frame.clone()),
    ];
    let chosen = |text: &str| {
        let filter = Filter::parse(text).unwrap();
        let passes = |(_, octets): &&(&'static str, Vec<u8>)| {
            filter.matches(&Packet::decode(&Decoder::default(), record(LinkType::ETHERNET, octets)))
        };
        frames.iter().filter(passes).map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    };
    for (text, expected) in [
        ("inline", "inline inline6 inline-frame inline-other"),
        ("mirrored", "mirrored mirrored-cut mirrored-none"),
        // What was not captured is not known to be something else.
        ("not ip", "inline6 inline-other"),
        ("ip", "inline inline-frame mirrored bare"),
        ("ip6", "inline6"),
        ("ip[9] = 6", "inline inline-frame mirrored bare"),
        ("ether src 00:aa:bb:cc:dd:01", "inline-frame mirrored mirrored-cut bare"),
        ("link[0] = 0x45", "inline"),
        ("link[5] = 2 and link[11] = 1", "inline-frame mirrored mirrored-cut bare"),
        ("link[11] = 2", "inline-other"),
        ("outer (udp)", "inline inline6 inline-frame inline-other mirrored mirrored-cut mirrored-none"),
        ("source 10.9.0.7", "mirrored mirrored-cut mirrored-none"),
    ] {
        assert_eq!(chosen(text), expected, "{text}");
    }
}
