//! Frames of every kind that a filter tells apart, each with a name.

use crate::record::LinkType;

/// A name, a link type, and octets.
pub(super) type Named = (&'static str, LinkType, Vec<u8>);

pub(super) const A: [u8; 6] = [0x00, 0xaa, 0xbb, 0xcc, 0xdd, 0x01];
pub(super) const B: [u8; 6] = [0x00, 0xaa, 0xbb, 0xcc, 0xdd, 0x02];

pub(super) fn ethernet(dst: [u8; 6], src: [u8; 6], type_or_len: u16, payload: &[u8]) -> Vec<u8> {
    [&dst[..], &src, &type_or_len.to_be_bytes(), payload].concat()
}

pub(super) fn ipv4(protocol: u8, src: [u8; 4], dst: [u8; 4], fragment: u16, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len() as u16).to_be_bytes();
    let head = [&[0x45, 0][..], &len, &[0, 7], &fragment.to_be_bytes(), &[64, protocol, 0, 0]].concat();
    [&head[..], &src, &dst, payload].concat()
}

pub(super) fn ipv6(next_header: u8, src: [u8; 16], dst: [u8; 16], payload: &[u8]) -> Vec<u8> {
    let head = [&[0x60, 0, 0, 0][..], &(payload.len() as u16).to_be_bytes(), &[next_header, 64]].concat();
    [&head[..], &src, &dst, payload].concat()
}

pub(super) fn ports(src: u16, dst: u16) -> Vec<u8> {
    [src.to_be_bytes(), dst.to_be_bytes()].concat()
}

/// TCP SYN without options.
pub(super) fn tcp(src: u16, dst: u16) -> Vec<u8> {
    [&ports(src, dst)[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]].concat()
}

pub(super) fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    [&ports(src, dst)[..], &(8 + payload.len() as u16).to_be_bytes(), &[0, 0], payload].concat()
}

/// 2001:db8::`last`.
pub(super) fn global(last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    address[15] = last;
    address
}

pub(super) fn beginning_with(octets: [u8; 2], last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    (address[0], address[1], address[15]) = (octets[0], octets[1], last);
    address
}

pub(super) const ONE: [u8; 4] = [10, 0, 0, 1];
pub(super) const TWO: [u8; 4] = [10, 0, 0, 2];

/// ARP of Ethernet and IPv4.
pub(super) fn arp(operation: u8, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4, 0, operation][..], &A, &sender, &[0; 6], &target].concat()
}

pub(super) fn geneve(first: u8, vni: u8, protocol_type: u16, payload: &[u8]) -> Vec<u8> {
    let [a, b] = protocol_type.to_be_bytes();
    let options = vec![0; usize::from(first & 0x3f) * 4];
    udp(50_000, 6081, &[&[first, 0, a, b, 0, 0, vni, 0][..], &options, payload].concat())
}

/// A Linux cooked header and what it carries.
pub(super) fn sll(protocol: u16, payload: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 1, 0, 6][..], &A, &[0, 0], &protocol.to_be_bytes(), payload].concat()
}

pub(super) fn sll2(protocol: u16, payload: &[u8]) -> Vec<u8> {
    [&protocol.to_be_bytes()[..], &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6], &A, &[0, 0], payload].concat()
}

/// LLC, and what is told apart there.
pub(super) const ISIS: [u8; 16] = [0xfe, 0xfe, 3, 0x83, 27, 1, 0, 15, 1, 0, 0, 0, 0, 0, 0, 0];
pub(super) const ESIS: [u8; 16] = [0xfe, 0xfe, 3, 0x82, 27, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0];
pub(super) const CLNP: [u8; 16] = [0xfe, 0xfe, 3, 0x81, 27, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0];
pub(super) const STP: [u8; 8] = [0x42, 0x42, 3, 0, 0, 0, 0, 0];
pub(super) const NETBEUI: [u8; 8] = [0xf0, 0xf0, 3, 0, 0, 0, 0, 0];
pub(super) const IPX: [u8; 8] = [0xe0, 0xe0, 3, 0xff, 0xff, 0, 30, 0];
pub(super) const IPX_SNAP: [u8; 10] = [0xaa, 0xaa, 3, 0, 0, 0, 0x81, 0x37, 0xff, 0xff];
pub(super) const ATALK_SNAP: [u8; 10] = [0xaa, 0xaa, 3, 8, 0, 7, 0x80, 0x9b, 0, 0];
pub(super) const AARP_SNAP: [u8; 10] = [0xaa, 0xaa, 3, 0, 0, 0, 0x80, 0xf3, 0, 0];
/// An authentication header of the least length before TCP.
pub(super) const AH: [u8; 12] = [6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
pub(super) const IP_LLC: [u8; 8] = [6, 6, 3, 0x45, 0, 0, 0, 0];

/// Frames of Ethernet.
pub(super) fn plain() -> Vec<Named> {
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
    let in_geneve = |frame: &[u8]| to(B, 0x0800, &ipv4(17, TWO, ONE, 0, &geneve(0, 7, 0x6558, frame)));
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
        ("gnv", in_geneve(&inner)),
        ("gnv-ip", to(B, 0x0800, &ipv4(17, TWO, ONE, 0, &geneve(2, 8, 0x0800, &web)))),
        ("gnv-v1", to(B, 0x0800, &ipv4(17, TWO, ONE, 0, &geneve(0x40, 7, 0x6558, &inner)))),
        ("gnv6", to(B, 0x86dd, &ipv6(17, global(1), global(2), &geneve(1, 9, 0x86dd, &web6)))),
        ("cut", ethernet(B, A, 0x0800, &web[..30])),
        ("ping6", to(B, 0x86dd, &ipv6(58, global(1), global(2), &[128, 0, 0, 0, 0, 1, 0, 1]))),
        ("ah", to(B, 0x0800, &ipv4(51, ONE, TWO, 0, &[&AH[..], &tcp(1024, 443)].concat()))),
        (
            "options",
            to(B, 0x0800, &ipv4(60, ONE, TWO, 0, &[&[6, 0, 1, 4, 0, 0, 0, 0][..], &tcp(1, 2)].concat())),
        ),
        ("llc-fe", len(&[0xfe, 6, 3, 0x83, 27, 1, 0, 15])),
        (
            "vlan-pppoe",
            to(B, 0x8100, &[&[0, 5, 0x88, 0x64, 0x11, 0, 0, 3, 0, 42, 0, 0x21][..], &web].concat()),
        ),
        // The next label begins as an IPv4 header does.
        ("mpls-deep", to(B, 0x8847, &[&[0, 1, 0, 64, 0x45, 0, 1, 64][..], &web].concat())),
        ("gnv-vlan", in_geneve(&to(B, 0x8100, &[&[0x60, 5, 8, 0][..], &web].concat()))),
        ("gnv-pppoe", in_geneve(&to(B, 0x8864, &[&[0x11, 0, 0, 3, 0, 42, 0, 0x21][..], &web].concat()))),
        (
            "gnv-mpls",
            to(
                B,
                0x0800,
                &ipv4(17, TWO, ONE, 0, &geneve(0, 7, 0x8847, &[&[0, 1, 1, 64][..], &web].concat())),
            ),
        ),
    ];
    frames.into_iter().map(|(name, octets)| (name, LinkType::ETHERNET, octets)).collect()
}

/// Frames of other link types, named after them.
pub(super) fn other_links() -> Vec<Named> {
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
        ("sll-fe", cooked, sll(4, &[0xfe, 6, 3, 0x83, 27, 1, 0, 15])),
        ("sll-mpls", cooked, sll(0x8847, &[&[0, 1, 1, 64][..], &web].concat())),
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
