//! The names that tcpdump gives to EtherTypes, service access points, organizations and ARP hardware.

/// The IP protocol numbers that printers tell apart.
pub(super) mod ip_protocols {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const IGMP: u8 = 2;
    pub(crate) const IPV4: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const DCCP: u8 = 33;
    pub(crate) const IPV6: u8 = 41;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const ESP: u8 = 50;
    pub(crate) const AH: u8 = 51;
    pub(crate) const ICMPV6: u8 = 58;
    pub(crate) const NO_NEXT_HEADER: u8 = 59;
    pub(crate) const DESTINATION: u8 = 60;
    pub(crate) const EIGRP: u8 = 88;
    pub(crate) const OSPF: u8 = 89;
    pub(crate) const PIM: u8 = 103;
    pub(crate) const VRRP: u8 = 112;
    pub(crate) const SCTP: u8 = 132;
    pub(crate) const ETHERNET: u8 = 143;
}

/// An EtherType.
pub(super) fn ether_type(value: u16) -> Option<&'static str> {
    Some(match value {
        0x0800 => "IPv4",
        0x8847 => "MPLS unicast",
        0x8848 => "MPLS multicast",
        0x86dd => "IPv6",
        0x8100 => "802.1Q",
        0x9100 => "802.1Q-9100",
        0x88a8 => "802.1Q-QinQ",
        0x9200 => "802.1Q-9200",
        0x88e5 => "802.1AE MACsec",
        0x0200 => "PUP",
        0x0806 => "ARP",
        0x8035 => "Reverse ARP",
        0x0600 => "NS",
        0x0500 => "Sprite",
        0x1000 => "Trail",
        0x6001 => "MOP DL",
        0x6002 => "MOP RC",
        0x6003 => "DN",
        0x6004 => "LAT",
        0x6007 => "SCA",
        0x6558 => "TEB",
        0x8038 => "Lanbridge",
        0x803c => "DEC DNS",
        0x803e => "DEC DTS",
        0x805b => "VEXP",
        0x805c => "VPROD",
        0x809b => "Appletalk",
        0x80f3 => "Appletalk ARP",
        0x8137 => "IPX",
        0x880b => "PPP",
        0x8808 => "MPCP",
        0x8809 => "Slow Protocols",
        0x8863 => "PPPoE D",
        0x8864 => "PPPoE S",
        0x888e => "EAPOL",
        0x8899 => "Realtek protocols",
        0x886f => "MS NLB heartbeat",
        0x8870 => "Jumbo",
        0x894f => "NSH",
        0x9000 => "Loopback",
        0xfefe => "OSI",
        0x00fe => "GRE-OSI",
        0xabcd => "CFM (old)",
        0x8902 => "CFM",
        0x893a => "IEEE1905.1",
        0x88cc => "LLDP",
        0x88ca => "TIPC",
        0x0707 => "GeoNet (old)",
        0x8947 => "GeoNet",
        0x1111 => "CALM FAST",
        0x88a2 => "AoE",
        0x88f7 => "PTP",
        0xd28b => "Arista Vendor Specific Protocol",
        _ => return None,
    })
}

/// An 802.2 service access point, without its group or response bit.
pub(super) fn service_access_point(value: u8) -> Option<&'static str> {
    Some(match value {
        0x00 => "Null",
        0xff => "Global",
        0x02 => "802.1B I",
        0x03 => "802.1B G",
        0x06 => "IP",
        0x04 => "SNA",
        0x0e => "ProWay NM",
        0x42 => "STP",
        0x4e => "RS511",
        0x7e => "ISO8208",
        0x8e => "ProWay",
        0xaa => "SNAP",
        0xe0 => "IPX",
        0xf0 => "NetBeui",
        0xfe => "OSI",
        _ => return None,
    })
}

/// An unnumbered 802.2 command, without its poll bit.
pub(super) fn llc_command(value: u16) -> Option<&'static str> {
    Some(match value {
        0x03 => "ui",
        0xe3 => "test",
        0xaf => "xid",
        0x63 => "ua",
        0x43 => "disc",
        0x0f => "dm",
        0x6f => "sabme",
        0x87 => "frmr",
        _ => return None,
    })
}

/// An organization in a SNAP header.
pub(super) fn organization(value: u32) -> &'static str {
    match value {
        0x00_0000 => "Ethernet",
        0x00_000c => "Cisco",
        0x00_005e => "IANA",
        0x00_0081 => "Nortel Networks SONMP",
        0x00_00f8 => "Cisco bridged",
        0x00_80c2 => "Ethernet bridged",
        0x00_a03e => "ATM Forum",
        0x00_e02f => "DOCSIS Spanning Tree",
        0x08_0007 => "Appletalk",
        0x00_9069 => "Juniper",
        0x08_0009 => "Hewlett-Packard",
        0x00_120f => "IEEE 802.3 Private",
        0x00_12bb => "ANSI/TIA",
        0x00_1b21 => "DCBX",
        0x00_2320 => "Nicira Networks",
        0x5c_16c7 => "Big Switch Networks",
        0xb0_d2f5 => "Vello Systems",
        0x00_2481 => "HP",
        0x00_04ea => "HP-Labs",
        0x74_8771 => "Infoblox Inc",
        0xa4_2305 => "Open Networking Lab",
        0x00_049f => "Freescale",
        0x00_15ad => "Netronome",
        0x00_1018 => "Broadcom",
        0x00_e004 => "PMC-Sierra",
        0xd0_f0db => "Ericsson",
        _ => "Unknown",
    }
}

/// The protocol number in a SNAP header, whose meaning depends on the organization.
pub(super) fn snap_protocol(organization: u32, value: u16) -> &'static str {
    match (organization, value) {
        (0 | 0xf8 | 0x08_0007, value) => ether_type(value).unwrap_or("Unknown"),
        (0x0c, 0x2000) => "CDP",
        (0x0c, 0x2003) => "VTP",
        (0x0c, 0x2004) => "DTP",
        (0x0c, 0x0111) => "UDLD",
        (0x0c, 0x010b) => "PVST",
        (0x0c, 0x010c) => "VLAN Bridge",
        (0x80c2, 0x0001) => "Ethernet + FCS",
        (0x80c2, 0x0007) => "Ethernet w/o FCS",
        (0x80c2, 0x0002) => "802.4 + FCS",
        (0x80c2, 0x0008) => "802.4 w/o FCS",
        (0x80c2, 0x0003) => "Token Ring + FCS",
        (0x80c2, 0x0009) => "Token Ring w/o FCS",
        (0x80c2, 0x0004) => "FDDI + FCS",
        (0x80c2, 0x000a) => "FDDI w/o FCS",
        (0x80c2, 0x0005) => "802.6 + FCS",
        (0x80c2, 0x000b) => "802.6 w/o FCS",
        (0x80c2, 0x000e) => "BPDU",
        _ => "Unknown",
    }
}

/// An ARP hardware type.
pub(super) fn arp_hardware(value: u16) -> Option<&'static str> {
    Some(match value {
        1 => "Ethernet",
        6 => "TokenRing",
        7 => "ArcNet",
        15 => "FrameRelay",
        23 => "Strip",
        24 => "IEEE 1394",
        19 => "ATM",
        32 => "InfiniBand",
        _ => return None,
    })
}

/// An IP protocol number, where tcpdump refuses it under the wrong IP version.
pub(super) fn ip_protocol(value: u8) -> &'static str {
    match value {
        1 => "ICMP",
        2 => "IGMP",
        58 => "ICMPv6",
        143 => "Ethernet",
        _ => "unknown",
    }
}
