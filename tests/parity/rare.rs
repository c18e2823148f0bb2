//! Packets in encapsulations that captures seldom hold: every link type that is read here, tags, labels, PPPoE, Geneve
//! in all places, IP in IP, GRE, AH, chains of IPv6 headers, fragments, 802.2, and headers whose fields say nonsense.

use mirrorscope_core::LinkType;

/// Octets of one header or packet.
type Octets = Vec<u8>;

const ETHERNET: [u8; 12] = [0, 0x11, 0x22, 0x33, 0x44, 0x55, 2, 0, 0, 0, 0, 1];
const TO_ALL: [u8; 12] = [255, 255, 255, 255, 255, 255, 0, 0x11, 0x22, 0x33, 0x44, 0x55];
const TO_SPANNING_TREE: [u8; 12] = [1, 0x80, 0xc2, 0, 0, 0, 2, 0, 0, 0, 0, 1];

const V4: u16 = 0x0800;
const V6: u16 = 0x86dd;

/// The frames of each link type.
pub(crate) fn by_link_type() -> Vec<(LinkType, Vec<Octets>)> {
    let (v4, v6) = (ipv4_packets(), ipv6_packets());
    let ip: Vec<_> =
        v4.iter().map(|packet| (V4, packet)).chain(v6.iter().map(|packet| (V6, packet))).collect();
    let raw: Vec<Octets> = ip.iter().map(|(_, packet)| packet.to_vec()).collect();
    let others = other_payloads();
    let payloads = || {
        ip.iter().map(|(ethertype, packet)| (*ethertype, *packet)).chain(others.iter().map(|(e, p)| (*e, p)))
    };
    let sll = payloads()
        .map(|(ethertype, packet)| {
            [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &be(ethertype)[..], packet].concat()
        })
        .chain(
            llc_payloads()
                .into_iter()
                .map(|llc| [&[0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0, 4], &llc[..]].concat()),
        )
        .chain([[&[0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0, 1, 255, 255], &[0; 30][..]].concat()]);
    let sll2 = payloads().map(|(ethertype, packet)| {
        [&be(ethertype), &[0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], packet].concat()
    });
    let family = |bytes: fn(u32) -> [u8; 4]| {
        let ip = ip.clone();
        move |v6: u32| -> Vec<Octets> {
            let family = |ethertype| bytes(if ethertype == V4 { 2 } else { v6 });
            ip.iter().map(|(ethertype, packet)| [&family(*ethertype)[..], packet].concat()).collect()
        }
    };
    let (little, big) = (family(u32::to_le_bytes), family(u32::to_be_bytes));
    let null = [24, 28, 30, 10].into_iter().flat_map(little).collect();
    let no_ip = |octets: &[u8]| [octets, &v4[0]].concat();
    let mut raw_and_nonsense = raw.clone();
    raw_and_nonsense.extend([no_ip(&[0x00]), no_ip(&[0x70])]);
    vec![
        (LinkType::ETHERNET, ethernet_frames(&ip, &others)),
        (LinkType::LINUX_SLL, sll.collect()),
        (LinkType::LINUX_SLL2, sll2.collect()),
        (LinkType::NULL, null),
        (LinkType::LOOP, [big(24), big(30)].concat()),
        (LinkType::RAW, raw_and_nonsense),
        (LinkType::IPV4, raw.clone()),
        (LinkType::IPV6, raw),
    ]
}

/// Whether an AH header stands somewhere in `frame`: all here have the same index and sequence number.
pub(crate) fn has_ah(frame: &[u8]) -> bool {
    frame.windows(10).any(|octets| octets == [0, 0, 0, 0, 0, 1, 0, 0, 0, 1])
}

fn ethernet_frames(ip: &[(u16, &Octets)], others: &[(u16, Octets)]) -> Vec<Octets> {
    let payloads: Vec<_> = ip
        .iter()
        .map(|(ethertype, packet)| (*ethertype, *packet))
        .chain(others.iter().map(|(ethertype, packet)| (*ethertype, packet)))
        .collect();
    let mut frames = Vec::new();
    let mut add = |ends: &[u8; 12], headers: &[u8], payload: &[u8]| {
        frames.push([&ends[..], headers, payload].concat());
    };
    for (ethertype, payload) in &payloads {
        let ethertype = be(*ethertype);
        add(&ETHERNET, &ethertype, payload);
        for tags in [
            &[0x81, 0x00, 0x00, 0x01][..],
            &[0x81, 0x00, 0xe0, 0x64],
            &[0x88, 0xa8, 0x00, 0x64, 0x81, 0x00, 0x00, 0xc8],
            &[0x91, 0x00, 0x0f, 0xff],
            &[0x81, 0x00, 0x00, 0x64, 0x81, 0x00, 0x00, 0xc8],
            &[0x81, 0x00, 0x00, 0x00, 0x88, 0xa8, 0x00, 0x01, 0x81, 0x00, 0x00, 0x02],
        ] {
            add(&ETHERNET, &[tags, &ethertype].concat(), payload);
        }
    }
    for (_, packet) in ip {
        for labels in [&[100][..], &[16, 1000], &[3, 100_000, 1024], &[0]] {
            let labels = label_stack(labels);
            add(&ETHERNET, &[&[0x88, 0x47], &labels[..]].concat(), packet);
            add(&ETHERNET, &[&[0x81, 0x00, 0x00, 0x64, 0x88, 0x47], &labels[..]].concat(), packet);
            add(&ETHERNET, &[&[0x88, 0x48], &labels[..]].concat(), packet);
        }
    }
    for (ethertype, packet) in ip {
        let ppp: [u8; 2] = if *ethertype == V4 { [0, 0x21] } else { [0, 0x57] };
        let len = be(packet.len() + 2);
        let session = |id: u16| [&[0x88, 0x64, 0x11, 0][..], &be(id), &len, &ppp].concat();
        add(&ETHERNET, &session(1), packet);
        add(&ETHERNET, &[&[0x81, 0x00, 0x00, 0x64], &session(1)[..]].concat(), packet);
        add(&ETHERNET, &[&[0x88, 0xa8, 0, 1, 0x81, 0x00, 0x00, 0x64], &session(0xffff)[..]].concat(), packet);
        let labelled = [&[0x88, 0x64, 0x11, 0, 0, 1], &len[..], &[0x02, 0x81], &label_stack(&[100])].concat();
        add(&ETHERNET, &labelled, packet);
    }
    for (protocol, payload) in [(0xc021u16, &[1, 1, 0, 4][..]), (0x8021, &[1, 1, 0, 10, 3, 6, 0, 0, 0, 0])] {
        add(
            &ETHERNET,
            &[&[0x88, 0x64, 0x11, 0, 0, 1], &be(payload.len() + 2)[..], &be(protocol)].concat(),
            payload,
        );
    }
    add(&TO_ALL, &[0x88, 0x63, 0x11, 9, 0, 0, 0, 4], &[1, 1, 0, 0]);
    for llc in llc_payloads() {
        add(&TO_SPANNING_TREE, &be(llc.len()), &llc);
        add(&ETHERNET, &[&[0x81, 0x00, 0x00, 0x64], &be(llc.len())[..]].concat(), &llc);
    }
    // Raw 802.3 of Novell, and the borders of what is a length.
    for (field, payload) in [(30u16, [255; 30]), (1500, [0xaa; 30]), (1501, [0xfe; 30]), (1536, [0; 30])] {
        add(&ETHERNET, &be(field), &payload);
    }
    let inner: Vec<(u16, Octets)> = ip
        .iter()
        .step_by(3)
        .map(|(ethertype, packet)| (*ethertype, packet.to_vec()))
        .chain(
            payloads
                .iter()
                .map(|(ethertype, packet)| (0x6558, [&TO_ALL[..], &be(*ethertype), packet].concat())),
        )
        .chain(ip.iter().step_by(5).map(|(ethertype, packet)| {
            (0x6558, [&ETHERNET[..], &[0x81, 0x00, 0x00, 0x64], &be(*ethertype), packet].concat())
        }))
        .collect();
    for (index, (ethertype, packet)) in inner.iter().enumerate() {
        let options = [&[][..], &[1, 8, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8]][index % 2];
        let geneve = geneve(0, options, *ethertype, [1, 10, 0][index % 3], packet);
        for (ethertype, outer) in [(V4, ipv4(17, &udp(6081, &geneve))), (V6, ipv6(17, &udp(6081, &geneve)))] {
            add(&ETHERNET, &be(ethertype), &outer);
            if index % 4 == 0 {
                add(&ETHERNET, &[&[0x81, 0x00, 0x00, 0x64], &be(ethertype)[..]].concat(), &outer);
            }
            if index % 5 == 0 {
                let frame = [&ETHERNET[..], &be(ethertype), &outer].concat();
                let again = self::geneve(0, &[], 0x6558, 1, &frame);
                add(&ETHERNET, &be(V4), &ipv4(17, &udp(6081, &again)));
            }
        }
    }
    let version_1 = geneve(0x40, &[], V4, 1, &ip[0].1[..]);
    add(&ETHERNET, &be(V4), &ipv4(17, &udp(6081, &version_1)));
    for (index, (ethertype, packet)) in payloads.iter().enumerate() {
        let frame = [&ETHERNET[..], &be(*ethertype), packet].concat();
        let vxlan = [&[8, 0, 0, 0, 0, 0, index as u8, 0], &frame[..]].concat();
        add(&ETHERNET, &be(V4), &ipv4(17, &udp(4789, &vxlan)));
    }
    frames
}

/// Payloads of EtherTypes other than IP's.
fn other_payloads() -> Vec<(u16, Octets)> {
    let arp = |operation: u8| {
        [
            &[0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1][..],
            &[0, 0, 0, 0, 0, 0, 10, 0, 0, 2],
        ]
        .concat()
    };
    let filler: Octets = (0..46).collect();
    let mut payloads =
        vec![(0x0806, arp(1)), (0x0806, arp(2)), (0x8035, arp(3)), (0x0806, arp(1)[..20].to_vec())];
    for ethertype in [
        0x6003, 0x6004, 0x6007, 0x6001, 0x6002, 0x809b, 0x80f3, 0x8137, 0x88cc, 0x9000, 0x0600, 0x6558,
        0x88e5, 0x0004, 0x0001,
    ] {
        payloads.push((ethertype, filler.clone()));
    }
    payloads
}

/// 802.2 headers and what follows them.
fn llc_payloads() -> Vec<Octets> {
    let mut llc: Vec<Octets> = vec![
        [&[0x42, 0x42, 3][..], &[0; 35]].concat(),
        [&[0xe0, 0xe0, 3][..], &[255; 30]].concat(),
        [&[0xf0, 0xf0, 3][..], &[1; 30]].concat(),
        [&[0xf0, 0xf1, 3][..], &[1; 30]].concat(),
        [&[0x06, 0x06, 3][..], &ipv4(6, &tcp(80))].concat(),
        [&[0xfe, 0xfe, 3, 0x81][..], &[1; 30]].concat(),
        [&[0xfe, 0xfe, 3, 0x82][..], &[1; 30]].concat(),
        [&[0xfe, 0xff, 3, 0x83][..], &[1; 30]].concat(),
    ];
    for pdu_type in (15..=27).chain([47, 255]) {
        llc.push([&[0xfe, 0xfe, 3, 0x83, 27, 1, 0, pdu_type, 1, 0, 0][..], &[0; 20]].concat());
    }
    let snap = |code: [u8; 3], ethertype: u16, payload: &[u8]| {
        [&[0xaa, 0xaa, 3], &code[..], &be(ethertype), payload].concat()
    };
    llc.push(snap([0, 0, 0], V4, &ipv4(17, &udp(53, b"snap"))));
    llc.push(snap([8, 0, 7], 0x809b, &[0; 20]));
    llc.push(snap([0, 0, 0], 0x80f3, &[0; 20]));
    llc.push(snap([0, 0, 0], 0x8137, &[0; 20]));
    llc.push(snap([0, 0, 0x0c], 0x2000, &[0; 20]));
    llc
}

/// IPv4 with each kind of payload, and headers that are odd themselves.
fn ipv4_packets() -> Vec<Octets> {
    let mut packets: Vec<Octets> =
        upper(false).into_iter().map(|(protocol, body)| ipv4(protocol, &body)).collect();
    let with = |change: fn(&mut Octets)| {
        let mut packet = ipv4(6, &tcp(80));
        change(&mut packet);
        packet
    };
    packets.extend([
        with(|p| p[6..8].copy_from_slice(&[0x20, 0])),
        with(|p| p[6..8].copy_from_slice(&[0x20, 3])),
        with(|p| p[6..8].copy_from_slice(&[0, 5])),
        with(|p| p[6..8].copy_from_slice(&[0x40, 0])),
        with(|p| p[0] = 0x40),
        with(|p| p[0] = 0x44),
        with(|p| p[0] = 0x4f),
        with(|p| p[0] = 0x65),
        with(|p| p[0] = 0x55),
        with(|p| p[16..20].copy_from_slice(&[224, 0, 0, 5])),
        with(|p| p[16..20].copy_from_slice(&[255, 255, 255, 255])),
        with(|p| p[12..16].copy_from_slice(&[0, 0, 0, 0])),
        with(|p| p[16..20].copy_from_slice(&[0, 0, 0, 0])),
        with(|p| p[12..20].copy_from_slice(&[127, 0, 0, 1, 127, 0, 0, 1])),
        with(|p| p[2..4].copy_from_slice(&[0, 0])),
        with(|p| p[2..4].copy_from_slice(&[255, 255])),
        with(|p| p[8] = 1),
        with(|p| p[1] = 0xb8),
        with(|p| {
            p[0] = 0x47;
            p.splice(20..20, [0x94, 4, 0, 0, 1, 1, 1, 0]);
        }),
        with(|p| {
            p[0] = 0x46;
            p[9] = 17;
            p.splice(20..20, [0x94, 4, 0, 0]);
        }),
    ]);
    packets
}

fn ipv6_packets() -> Vec<Octets> {
    let mut packets: Vec<Octets> = upper(true).into_iter().map(|(next, body)| ipv6(next, &body)).collect();
    // Each chain names the headers in their order; the last header's next is TCP, UDP or ICMPv6.
    let chains: [&[u8]; 13] = [
        &[0],
        &[43],
        &[60],
        &[44],
        &[51],
        &[0, 60, 43, 44],
        &[0, 43],
        &[60, 60, 60],
        &[44, 60],
        &[44, 44],
        &[0, 51],
        &[51, 60],
        &[135],
    ];
    for chain in chains {
        for (next, body) in [(6, tcp(80)), (17, udp(53, b"chain")), (58, icmpv6(135)), (59, vec![1, 2, 3])] {
            packets.push(ipv6(chain[0], &headers(chain, next, &body)));
        }
    }
    let later = |mut packet: Octets| {
        packet[42..44].copy_from_slice(&[0, 0x19]);
        packet
    };
    packets.push(later(ipv6(44, &headers(&[44], 6, b"later fragment of TCP"))));
    packets.push(later(ipv6(44, &headers(&[44], 17, b"later fragment of UDP"))));
    // A header that says it is longer than the packet.
    let mut long = ipv6(60, &headers(&[60], 6, &tcp(80)));
    long[41] = 255;
    packets.push(long);
    for destination in [[0xff, 0x02, 0, 1], [0xfe, 0x80, 0, 2], [0x20, 0x01, 0x0d, 0xb8]] {
        let mut packet = ipv6(17, &udp(5353, b"to all"));
        packet[24..26].copy_from_slice(&destination[..2]);
        packet[39] = destination[3];
        packets.push(packet);
    }
    packets
}

/// Bodies of IP's protocols, some of which belong to one family only but are there in both.
fn upper(is_v6: bool) -> Vec<(u8, Octets)> {
    let mut syn = tcp(443);
    syn[13] = 2;
    let mut with_options = tcp(22);
    with_options[12] = 0x80;
    with_options.extend([2, 4, 5, 180, 1, 1, 1, 1, 1, 1, 1, 0]);
    with_options.extend(b"GET / HTTP/1.1");
    let in_ip = [ipv4(6, &tcp(80)), ipv6(6, &tcp(80))];
    let ah = |next: u8, len: u8, body: &[u8]| {
        [&[next, len, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &vec![7; (usize::from(len) + 2) * 4 - 12], body]
            .concat()
    };
    let mut upper = vec![
        (6, tcp(80)),
        (6, syn),
        (6, with_options),
        (17, udp(53, &[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])),
        (17, udp(123, &[0x23; 48])),
        (17, udp(53, &[])),
        (132, [&be(2905u16), &be(2905u16), &[0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 4][..]].concat()),
        (1, vec![8, 0, 0, 0, 0, 1, 0, 1, 9, 9]),
        (1, [&[3, 1, 0, 0, 0, 0, 0, 0], &in_ip[0][..28]].concat()),
        (1, vec![11, 0, 0, 0]),
        (58, icmpv6(128)),
        (58, icmpv6(134)),
        (2, vec![0x16, 0, 0, 0, 224, 0, 0, 1]),
        (2, vec![0x11, 0, 0, 0, 224, 0, 0, 1]),
        (9, vec![0; 12]),
        (103, vec![0x20, 0, 0, 0]),
        (112, vec![0x21, 1, 100, 1, 0, 1, 0, 0]),
        (89, vec![2, 1, 0, 44]),
        (50, vec![0, 0, 0, 1, 0, 0, 0, 1, 5, 5, 5, 5]),
        (51, ah(6, 4, &tcp(80))),
        (51, ah(17, 1, &udp(53, b"ah"))),
        (51, ah(51, 2, &ah(6, 4, &tcp(443)))),
        (51, ah(58, 4, &icmpv6(128))),
        (51, ah(4, 5, &in_ip[0])),
        (4, in_ip[0].clone()),
        (41, in_ip[1].clone()),
        (47, [&[0, 0, 8, 0], &in_ip[0][..]].concat()),
        (47, [&[0x30, 0, 0x65, 0x58, 0, 0, 0, 1, 0, 0, 0, 2], &ETHERNET[..], &be(V6), &in_ip[1]].concat()),
        (255, vec![1; 8]),
    ];
    if !is_v6 {
        // Options of IPv6 behind IPv4, where no chain may follow them.
        upper.extend([(0, headers(&[0], 6, &tcp(80))), (44, headers(&[44], 6, &tcp(80))), (59, vec![])]);
    }
    upper
}

/// Headers of these types in their order, behind which stands `next` with `body`.
fn headers(types: &[u8], next: u8, body: &[u8]) -> Octets {
    let mut octets = Vec::new();
    for (index, kind) in types.iter().enumerate() {
        let next = types.get(index + 1).copied().unwrap_or(next);
        match kind {
            44 => octets.extend([next, 0, 0, 1, 0, 0, 0, 1]),
            51 => octets.extend([next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]),
            43 => octets
                .extend([next, 2, 0, 0, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]),
            _ => octets.extend([next, 0, 1, 4, 0, 0, 0, 0]),
        }
    }
    octets.extend(body);
    octets
}

fn ipv4(protocol: u8, body: &[u8]) -> Octets {
    let len = be(body.len() + 20);
    [&[0x45, 0][..], &len, &[0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], body].concat()
}

fn ipv6(next: u8, body: &[u8]) -> Octets {
    let len = be(body.len());
    let address = |last| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    [&[0x60, 0, 0, 0][..], &len, &[next, 64], &address(1), &address(2), body].concat()
}

fn tcp(port: u16) -> Octets {
    [&be(40_000u16), &be(port)[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x18, 255, 255, 0, 0, 0, 0], b"data"]
        .concat()
}

fn udp(port: u16, body: &[u8]) -> Octets {
    [&be(40_000u16), &be(port), &be(body.len() + 8), &[0, 0], body].concat()
}

fn icmpv6(kind: u8) -> Octets {
    [&[kind, 0, 0, 0][..], &[0; 20]].concat()
}

fn geneve(first: u8, options: &[u8], ethertype: u16, vni: u8, body: &[u8]) -> Octets {
    let first = first | u8::try_from(options.len() / 4).expect("few options");
    [&[first, 0], &be(ethertype)[..], &[0, 0, vni, 0], options, body].concat()
}

fn label_stack(labels: &[u32]) -> Octets {
    let bottom = labels.len() - 1;
    let entry =
        |(index, label): (usize, &u32)| (label << 12 | u32::from(index == bottom) << 8 | 64).to_be_bytes();
    labels.iter().enumerate().flat_map(entry).collect()
}

/// A number of 16 bits in network order.
fn be(value: impl TryInto<u16>) -> [u8; 2] {
    value.try_into().ok().expect("frames here are short").to_be_bytes()
}
