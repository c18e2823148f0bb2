//! Which of a few dozen frames each word of the language chooses. tcpdump 4.99.3 (libpcap 1.10.3) gives the same answers, but for BSD
//! loopback in the byte order that the file has not.

use super::*;
use crate::{
    filter::Filter,
    index::{Index, IndexOptions, Judged},
    layers::testing::record,
    stack::Decoder,
};

/// A name, a link type, and octets.
type Named = (&'static str, LinkType, Vec<u8>);

const A: [u8; 6] = [0x00, 0xaa, 0xbb, 0xcc, 0xdd, 0x01];
const B: [u8; 6] = [0x00, 0xaa, 0xbb, 0xcc, 0xdd, 0x02];

fn ethernet(dst: [u8; 6], src: [u8; 6], type_or_len: u16, payload: &[u8]) -> Vec<u8> {
    [&dst[..], &src, &type_or_len.to_be_bytes(), payload].concat()
}

fn ipv4(protocol: u8, src: [u8; 4], dst: [u8; 4], fragment: u16, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len() as u16).to_be_bytes();
    let head = [&[0x45, 0][..], &len, &[0, 7], &fragment.to_be_bytes(), &[64, protocol, 0, 0]].concat();
    [&head[..], &src, &dst, payload].concat()
}

fn ipv6(next_header: u8, src: [u8; 16], dst: [u8; 16], payload: &[u8]) -> Vec<u8> {
    let head = [&[0x60, 0, 0, 0][..], &(payload.len() as u16).to_be_bytes(), &[next_header, 64]].concat();
    [&head[..], &src, &dst, payload].concat()
}

fn ports(src: u16, dst: u16) -> Vec<u8> {
    [src.to_be_bytes(), dst.to_be_bytes()].concat()
}

/// TCP SYN without options.
fn tcp(src: u16, dst: u16) -> Vec<u8> {
    [&ports(src, dst)[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]].concat()
}

fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    [&ports(src, dst)[..], &(8 + payload.len() as u16).to_be_bytes(), &[0, 0], payload].concat()
}

/// 2001:db8::`last`.
fn global(last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    address[15] = last;
    address
}

fn beginning_with(octets: [u8; 2], last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    (address[0], address[1], address[15]) = (octets[0], octets[1], last);
    address
}

const ONE: [u8; 4] = [10, 0, 0, 1];
const TWO: [u8; 4] = [10, 0, 0, 2];

/// ARP of Ethernet and IPv4.
fn arp(operation: u8, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4, 0, operation][..], &A, &sender, &[0; 6], &target].concat()
}

fn geneve(first: u8, vni: u8, protocol_type: u16, payload: &[u8]) -> Vec<u8> {
    let [a, b] = protocol_type.to_be_bytes();
    let options = vec![0; usize::from(first & 0x3f) * 4];
    udp(50_000, 6081, &[&[first, 0, a, b, 0, 0, vni, 0][..], &options, payload].concat())
}

/// A Linux cooked header and what it carries.
fn sll(protocol: u16, payload: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 1, 0, 6][..], &A, &[0, 0], &protocol.to_be_bytes(), payload].concat()
}

fn sll2(protocol: u16, payload: &[u8]) -> Vec<u8> {
    [&protocol.to_be_bytes()[..], &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6], &A, &[0, 0], payload].concat()
}

/// LLC, and what is told apart there.
const ISIS: [u8; 16] = [0xfe, 0xfe, 3, 0x83, 27, 1, 0, 15, 1, 0, 0, 0, 0, 0, 0, 0];
const ESIS: [u8; 16] = [0xfe, 0xfe, 3, 0x82, 27, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0];
const CLNP: [u8; 16] = [0xfe, 0xfe, 3, 0x81, 27, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0];
const STP: [u8; 8] = [0x42, 0x42, 3, 0, 0, 0, 0, 0];
const NETBEUI: [u8; 8] = [0xf0, 0xf0, 3, 0, 0, 0, 0, 0];
const IPX: [u8; 8] = [0xe0, 0xe0, 3, 0xff, 0xff, 0, 30, 0];
const IPX_SNAP: [u8; 10] = [0xaa, 0xaa, 3, 0, 0, 0, 0x81, 0x37, 0xff, 0xff];
const ATALK_SNAP: [u8; 10] = [0xaa, 0xaa, 3, 8, 0, 7, 0x80, 0x9b, 0, 0];
const AARP_SNAP: [u8; 10] = [0xaa, 0xaa, 3, 0, 0, 0, 0x80, 0xf3, 0, 0];
const IP_LLC: [u8; 8] = [6, 6, 3, 0x45, 0, 0, 0, 0];

/// Frames of Ethernet.
fn plain() -> Vec<Named> {
    let to = |dst, type_or_len, payload: &[u8]| ethernet(dst, A, type_or_len, payload);
    let web = ipv4(6, ONE, TWO, 0x4000, &tcp(1024, 443));
    let web6 = ipv6(6, global(1), global(2), &tcp(1024, 443));
    let mdns = ipv4(17, [192, 168, 1, 7], [224, 0, 0, 251], 0, &udp(5353, 5353, &[0; 12]));
    let mdns6 = ipv6(
        17,
        beginning_with([0xfe, 0x80], 1),
        beginning_with([0xff, 2], 0xfb),
        &udp(5353, 5353, &[0; 12]),
    );
    let fragment6 = |offset| [&[17, 0, 0, offset, 0, 0, 0, 9][..], &udp(53, 1024, &[0; 8])].concat();
    let fragment = |word| ipv4(17, TWO, ONE, word, &udp(53, 1024, &[0; 8]));
    let inner = ethernet(B, A, 0x0800, &web);
    let len = |payload: &[u8]| to([1, 0x80, 0xc2, 0, 0, 0], payload.len() as u16, payload);
    let frames = vec![
        ("web", to(B, 0x0800, &web)),
        ("back", ethernet(A, B, 0x0800, &ipv4(6, TWO, ONE, 0, &tcp(443, 1024)))),
        ("mdns", to([1, 0, 0x5e, 0, 0, 0xfb], 0x0800, &mdns)),
        ("sctp", to(B, 0x0800, &ipv4(132, TWO, ONE, 0, &ports(443, 1024)))),
        ("ping", to([0xff; 6], 0x0800, &ipv4(1, ONE, [255; 4], 0, &[8, 0, 0, 0, 0, 1, 0, 1]))),
        ("first", to(B, 0x0800, &fragment(0x2000))),
        ("later", to(B, 0x0800, &fragment(1))),
        ("arp", to([0xff; 6], 0x0806, &arp(1, ONE, TWO))),
        ("rarp", to([0xff; 6], 0x8035, &arp(3, [10, 0, 0, 3], ONE))),
        ("web6", to(B, 0x86dd, &web6)),
        ("mdns6", to([0x33, 0x33, 0, 0, 0, 0xfb], 0x86dd, &mdns6)),
        ("first6", to(B, 0x86dd, &ipv6(44, global(2), global(1), &fragment6(1)))),
        ("later6", to(B, 0x86dd, &ipv6(44, global(2), global(1), &fragment6(8)))),
        ("vlan", to(B, 0x8100, &[&[0x60, 5, 8, 0][..], &web].concat())),
        ("qinq", to(B, 0x88a8, &[&[0, 7, 0x81, 0, 0, 5, 8, 0][..], &web].concat())),
        ("vlan6", to(B, 0x9100, &[&[0, 6, 0x86, 0xdd][..], &web6].concat())),
        ("mpls", to(B, 0x8847, &[&[0, 1, 1, 64][..], &web].concat())),
        ("mpls6", to(B, 0x8847, &[&[0, 1, 0, 64, 0, 1, 0x11, 64][..], &web6].concat())),
        ("pppoed", to([0xff; 6], 0x8863, &[0x11, 9, 0, 0, 0, 0])),
        ("pppoe", to(B, 0x8864, &[&[0x11, 0, 0, 3, 0, 42, 0, 0x21][..], &web].concat())),
        ("pppoe6", to(B, 0x8864, &[&[0x11, 0, 0, 4, 0, 62, 0, 0x57][..], &web6].concat())),
        ("isis", len(&ISIS)),
        ("esis", len(&ESIS)),
        ("clnp", len(&CLNP)),
        ("stp", len(&STP)),
        ("netbeui", len(&NETBEUI)),
        ("ipx", len(&IPX)),
        ("ipx-raw", len(&[0xff, 0xff, 0, 30, 0, 1, 0, 0])),
        ("ipx-snap", len(&IPX_SNAP)),
        ("ipx-type", to(B, 0x8137, &[0xff, 0xff, 0, 30])),
        ("atalk", to(B, 0x809b, &[0; 8])),
        ("atalk-snap", len(&ATALK_SNAP)),
        ("aarp", to(B, 0x80f3, &[0; 8])),
        ("aarp-snap", len(&AARP_SNAP)),
        ("ip-llc", len(&IP_LLC)),
        ("decnet", to(B, 0x6003, &[0; 8])),
        ("gnv", to(B, 0x0800, &ipv4(17, TWO, ONE, 0, &geneve(0, 7, 0x6558, &inner)))),
        ("gnv-ip", to(B, 0x0800, &ipv4(17, TWO, ONE, 0, &geneve(2, 8, 0x0800, &web)))),
        ("gnv-v1", to(B, 0x0800, &ipv4(17, TWO, ONE, 0, &geneve(0x40, 7, 0x6558, &inner)))),
        ("gnv6", to(B, 0x86dd, &ipv6(17, global(1), global(2), &geneve(1, 9, 0x86dd, &web6)))),
        ("cut", ethernet(B, A, 0x0800, &web[..30])),
    ];
    frames.into_iter().map(|(name, octets)| (name, LinkType::ETHERNET, octets)).collect()
}

/// Frames of other link types, named after them.
fn other_links() -> Vec<Named> {
    let web = ipv4(6, ONE, TWO, 0x4000, &tcp(1024, 443));
    let web6 = ipv6(6, global(1), global(2), &tcp(1024, 443));
    let family = |octets: [u8; 4], packet: &[u8]| [&octets[..], packet].concat();
    let (cooked, cooked2) = (LinkType::LINUX_SLL, LinkType::LINUX_SLL2);
    vec![
        ("sll", cooked, sll(0x0800, &web)),
        ("sll6", cooked, sll(0x86dd, &web6)),
        ("sll-arp", cooked, sll(0x0806, &arp(1, ONE, TWO))),
        ("sll-isis", cooked, sll(4, &ISIS)),
        ("sll-stp", cooked, sll(4, &STP)),
        ("sll-netbeui", cooked, sll(4, &NETBEUI)),
        ("sll-ipx", cooked, sll(4, &IPX)),
        ("sll-ipx-snap", cooked, sll(4, &IPX_SNAP)),
        ("sll-ipx-raw", cooked, sll(1, &[0xff, 0xff, 0, 30, 0, 1, 0, 0])),
        ("sll-ipx-type", cooked, sll(0x8137, &[0xff, 0xff, 0, 30])),
        ("sll-atalk", cooked, sll(0x809b, &[0; 8])),
        ("sll-atalk-snap", cooked, sll(4, &ATALK_SNAP)),
        ("sll-aarp-snap", cooked, sll(4, &AARP_SNAP)),
        ("sll-ip-llc", cooked, sll(4, &IP_LLC)),
        ("sll2", cooked2, sll2(0x0800, &web)),
        ("sll2-6", cooked2, sll2(0x86dd, &web6)),
        ("sll2-arp", cooked2, sll2(0x0806, &arp(1, ONE, TWO))),
        ("null", LinkType::NULL, family([2, 0, 0, 0], &web)),
        ("null-be", LinkType::NULL, family([0, 0, 0, 2], &web)),
        ("null6", LinkType::NULL, family([30, 0, 0, 0], &web6)),
        ("null6-be", LinkType::NULL, family([0, 0, 0, 28], &web6)),
        ("null-other", LinkType::NULL, family([7, 0, 0, 0], &web)),
        ("loop", LinkType::LOOP, family([0, 0, 0, 2], &web)),
        ("loop6", LinkType::LOOP, family([0, 0, 0, 24], &web6)),
        ("raw", LinkType::RAW, web.clone()),
        ("raw6", LinkType::RAW, web6.clone()),
        ("ipv4", LinkType::IPV4, web),
        ("ipv6", LinkType::IPV6, web6),
    ]
}

/// The names of the frames that a filter chooses.
fn chosen(text: &str, frames: &[Named]) -> String {
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
    let passes = |(_, link_type, octets): &&Named| filter.matches_record(&record(*link_type, octets));
    frames.iter().filter(passes).map(|(name, ..)| *name).collect::<Vec<_>>().join(" ")
}

/// Filters, and the frames of [`plain`] that they choose.
#[rustfmt::skip]
const ON_ETHERNET: &[(&str, &str)] = &[
    ("ip", "web back mdns sctp ping first later gnv gnv-ip gnv-v1 cut"),
    ("ip6", "web6 mdns6 first6 later6 gnv6"),
    ("arp", "arp"),
    ("rarp", "rarp"),
    ("tcp", "web back web6 cut"),
    ("udp", "mdns first later mdns6 first6 later6 gnv gnv-ip gnv-v1 gnv6"),
    ("sctp", "sctp"),
    ("icmp", "ping"),
    ("ip proto 17", "mdns first later gnv gnv-ip gnv-v1"),
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
    ("host 10.0.0.1", "web back sctp ping first later arp rarp gnv gnv-ip gnv-v1 cut"),
    ("src host 10.0.0.1", "web ping arp cut"),
    ("dst host 10.0.0.1", "back sctp first later rarp gnv gnv-ip gnv-v1"),
    ("src and dst net 10.0.0.0/24", "web back sctp first later arp rarp gnv gnv-ip gnv-v1 cut"),
    ("ip host 10.0.0.1", "web back sctp ping first later gnv gnv-ip gnv-v1 cut"),
    ("arp host 10.0.0.1", "arp"),
    ("rarp host 10.0.0.1", "rarp"),
    ("net 10.0.0.0/30", "web back sctp ping first later arp rarp gnv gnv-ip gnv-v1 cut"),
    ("net 224.0.0.0/4", "mdns"),
    ("src net 192.168.0.0 mask 255.255.0.0", "mdns"),
    ("host 2001:db8::1", "web6 first6 later6 gnv6"),
    ("src host 2001:db8::1", "web6 gnv6"),
    ("dst net 2001:db8::/32", "web6 first6 later6 gnv6"),
    ("net ff02::/16", "mdns6"),
    ("net fe80::/10", "mdns6"),
    ("net 2001:db8::2/127", "web6 first6 later6 gnv6"),
    ("ether host 00:aa:bb:cc:dd:01", "web back mdns sctp ping first later arp rarp web6 mdns6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet gnv gnv-ip gnv-v1 gnv6 cut"),
    ("ether src 00:aa:bb:cc:dd:02", "back"),
    ("ether dst 00:aa:bb:cc:dd:02", "web sctp first later web6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoe pppoe6 ipx-type atalk aarp decnet gnv gnv-ip gnv-v1 gnv6 cut"),
    ("ether broadcast", "ping arp rarp pppoed"),
    ("ether multicast", "mdns ping arp rarp mdns6 pppoed isis esis clnp stp netbeui ipx ipx-raw ipx-snap atalk-snap aarp-snap ip-llc"),
    ("ip6 multicast", "mdns6"),
    ("vlan", "vlan qinq vlan6"),
    ("vlan 5", "vlan"),
    ("vlan 7 and vlan 5", "qinq"),
    ("vlan and tcp", "vlan vlan6"),
    ("vlan and ip6", "vlan6"),
    ("vlan and vlan and port 443", "qinq"),
    ("vlan and host 10.0.0.1", "vlan"),
    ("vlan and ether dst 00:aa:bb:cc:dd:02", "vlan qinq vlan6"),
    ("mpls", "mpls mpls6"),
    ("mpls 16", "mpls mpls6"),
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
    ("geneve", "gnv gnv-ip gnv6"),
    ("geneve 7", "gnv"),
    ("geneve 9", "gnv6"),
    ("geneve and ip", "gnv gnv-ip"),
    ("geneve and ip6", "gnv6"),
    ("geneve and tcp dst port 443", "gnv gnv-ip gnv6"),
    ("geneve and host 10.0.0.1", "gnv gnv-ip"),
    ("geneve and ether dst 00:aa:bb:cc:dd:02", "gnv"),
    ("geneve 7 and ether src 00:aa:bb:cc:dd:01 and src host 10.0.0.1", "gnv"),
    ("geneve and ip[8] = 64", "gnv gnv-ip"),
    ("geneve and ether[12:2] = 0x800", "gnv"),
    ("geneve and tcp[13] = 2", "gnv gnv-ip"),
    ("less 54", "web back mdns sctp ping first later arp rarp pppoed isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet cut"),
    ("greater 90", "gnv gnv-ip gnv-v1 gnv6"),
    ("len = 58", "vlan mpls"),
    ("tcp[13] & 2 != 0", "web back"),
    ("udp[4:2] = 20", "mdns"),
    ("ip[6:2] & 0x1fff != 0", "later"),
    ("ip6[6] = 44", "first6 later6"),
    ("ip6[24] = 0xff", "mdns6"),
    ("ip[2:2] - 20 = 8", "ping"),
    ("ether[0] & 1 = 1", "mdns ping arp rarp mdns6 pppoed isis esis clnp stp netbeui ipx ipx-raw ipx-snap atalk-snap aarp-snap ip-llc"),
    ("vlan and ip[9] = 6", "vlan"),
    ("mpls and ip[9] = 6", "mpls"),
    ("pppoes and ip[9] = 6", "pppoe"),
    ("ip protochain 6", "web back cut"),
    ("ip6 protochain 17", "mdns6 first6 later6 gnv6"),
    ("protochain 1", "ping"),
    ("not ip and not ip6", "arp rarp vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet"),
    ("not tcp port 443", "mdns sctp ping first later arp rarp mdns6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet gnv gnv-ip gnv-v1 gnv6"),
    ("not udp[2:2] = 1024", "web back mdns sctp ping later arp rarp web6 mdns6 first6 later6 vlan qinq vlan6 mpls mpls6 pppoed pppoe pppoe6 isis esis clnp stp netbeui ipx ipx-raw ipx-snap ipx-type atalk atalk-snap aarp aarp-snap ip-llc decnet gnv gnv-ip gnv-v1 gnv6 cut"),
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
    ("not ip", "sll6 sll-arp sll-isis sll-stp sll-netbeui sll-ipx sll-ipx-snap sll-ipx-raw sll-ipx-type sll-atalk sll-atalk-snap sll-aarp-snap sll-ip-llc sll2-6 sll2-arp null6 null6-be null-other loop6 raw6 ipv6"),
    ("ip protochain 6", "sll sll2 null null-be loop raw ipv4"),
    ("ip6 protochain 6", "sll6 sll2-6 null6 null6-be loop6 raw6 ipv6"),
];

#[test]
fn each_word_chooses_the_frames_that_it_means() {
    let frames = plain();
    for (text, expected) in ON_ETHERNET {
        assert_eq!(chosen(text, &frames), *expected, "{text}");
    }
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
];

/// Those of all links, a mirrored one, and one of which the capture has a part.
fn indexed() -> Vec<Named> {
    let web = ethernet(B, A, 0x0800, &ipv4(6, ONE, TWO, 0x4000, &tcp(1024, 443)));
    let vxlan = udp(50_000, 4789, &[&[8, 0, 0, 0, 0, 0, 7, 0][..], &web].concat());
    let mirrored = ethernet(A, B, 0x0800, &ipv4(17, [10, 9, 0, 7], [10, 9, 1, 1], 0, &vxlan));
    let cut = ethernet(B, A, 0x0800, &ipv4(6, ONE, TWO, 0x4000, &[&tcp(1024, 443)[..], &[0; 40]].concat()));
    let own = [("mirrored", mirrored), ("cut-payload", cut[..60].to_vec())];
    let own = own.map(|(name, octets)| (name, LinkType::ETHERNET, octets));
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
    let frames = indexed();
    let open_to = |text: &str| {
        let [_, open] = judged(text, &frames);
        let names = frames.iter().zip(open).filter(|(_, open)| *open).map(|((name, ..), _)| *name);
        names.collect::<Vec<_>>().join(" ")
    };
    let words = ON_ETHERNET.iter().map(|(text, _)| *text).take_while(|text| *text != "mpls");
    let more =
        ["decnet", "greater 90", "len = 58", "not ip and not ip6", "not tcp port 443", "tcp[0:2] = 1024"];
    let of_the_way =
        ON_INDEXED.iter().copied().filter(|text| !text.contains("outer") && !text.contains("tcp["));
    for text in words.chain(more).chain(of_the_way).chain(["vlan and tcp[13] = 2"]) {
        assert_eq!(open_to(text), "", "{text}");
    }
    // What lies around a tunnel is not kept, and flags that were cut off are not known.
    assert_eq!(open_to("outer (udp)"), "gnv gnv-ip gnv6 mirrored");
    assert_eq!(open_to("len = 54 and outer (greater 80)"), "");
    assert_eq!(open_to("tcp[13] = 2 or tcp[13] = 16"), "cut");
}
