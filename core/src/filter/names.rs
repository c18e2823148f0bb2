//! The names of ports and protocols that a filter may use instead of numbers.
//!
//! A small table of what every services(5) and protocols(5) file says, so that a filter means the same on
//! every machine and in the browser. A name registered for one transport only selects only that one, as
//! libpcap does: `port http` is TCP, `port domain` is any.

use super::tree::Transport;

/// The port called `name`, and the transport it is registered for.
pub(crate) fn port(name: &str) -> Option<(u16, Transport)> {
    PORTS.iter().find(|(known, ..)| *known == name).map(|(_, port, transport)| (*port, *transport))
}

/// The IP protocol number called `name`, in any case.
pub(crate) fn ip_protocol(name: &str) -> Option<u32> {
    IP_PROTOCOLS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
}

/// The EtherType or 802.2 SAP called `name`.
pub(crate) fn link_protocol(name: &str) -> Option<u32> {
    LINK_PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// The OSI network layer protocol identifier called `name`.
pub(crate) fn iso_protocol(name: &str) -> Option<u32> {
    ISO_PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// OSI network layer protocol identifiers (ISO/IEC TR 9577).
pub(crate) const ISO_PROTOCOLS: &[(&str, u32)] = &[("clnp", 0x81), ("esis", 0x82), ("isis", 0x83)];

/// EtherTypes, and SAPs where at most 1500.
pub(crate) const LINK_PROTOCOLS: &[(&str, u32)] = &[
    ("aarp", 0x80f3),
    ("arp", 0x0806),
    ("atalk", 0x809b),
    ("decnet", 0x6003),
    ("ip", 0x0800),
    ("ip6", 0x86dd),
    ("ipx", 0xe0),
    ("iso", 0xfe),
    ("lat", 0x6004),
    ("loopback", 0x9000),
    ("mopdl", 0x6001),
    ("moprc", 0x6002),
    ("netbeui", 0xf0),
    ("rarp", 0x8035),
    ("sca", 0x6007),
    ("stp", 0x42),
];

/// IP protocol numbers and their usual aliases (IANA registry).
#[rustfmt::skip]
pub(crate) const IP_PROTOCOLS: &[(&str, u32)] = &[
    ("ah", 51), ("ax.25", 93), ("cphb", 73), ("dccp", 33), ("ddp", 37), ("egp", 8), ("eigrp", 88),
    ("encap", 98), ("esp", 50), ("etherip", 97), ("ethernet", 143), ("fc", 133), ("ggp", 3), ("gre", 47),
    ("hip", 139), ("hmp", 20), ("hopopt", 0), ("icmp", 1), ("idpr-cmtp", 38), ("idrp", 45), ("igmp", 2),
    ("igp", 9), ("ip", 0), ("ip-encap", 4), ("ipcomp", 108), ("ipencap", 4), ("ipip", 94), ("ipsec-ah", 51),
    ("ipsec-esp", 50), ("ipv6", 41), ("ipv6-frag", 44), ("ipv6-icmp", 58), ("ipv6-nonxt", 59),
    ("ipv6-opts", 60), ("ipv6-route", 43), ("isis", 124), ("iso-tp4", 29), ("l2tp", 115), ("manet", 138),
    ("mobility-header", 135), ("mpls-in-ip", 137), ("ospf", 89), ("ospfigp", 89), ("pim", 103), ("pup", 12),
    ("rdp", 27), ("rohc", 142), ("rspf", 73), ("rsvp", 46), ("sctp", 132), ("shim6", 140), ("skip", 57),
    ("st", 5), ("tcp", 6), ("udp", 17), ("udplite", 136), ("vmtp", 81), ("vrrp", 112), ("wesp", 141),
    ("xns-idp", 22), ("xtp", 36),
];

/// Services (IANA registry): name, port, and the transport the name means.
#[rustfmt::skip]
pub(crate) const PORTS: &[(&str, u16, Transport)] = {
    use Transport::{Any, Tcp, Udp};
    &[
        ("afs3-fileserver", 7000, Udp), ("amanda", 10080, Tcp), ("amqp", 5672, Tcp), ("amqps", 5671, Tcp),
        ("asf-rmcp", 623, Udp), ("auth", 113, Tcp), ("babel", 6696, Udp), ("bacula-dir", 9101, Tcp),
        ("bacula-fd", 9102, Tcp), ("bacula-sd", 9103, Tcp), ("bgp", 179, Tcp), ("bgpd", 2605, Tcp),
        ("biff", 512, Udp), ("bootpc", 68, Udp), ("bootps", 67, Udp), ("chargen", 19, Any),
        ("cisco-sccp", 2000, Tcp), ("comsat", 512, Udp), ("daytime", 13, Any), ("dhcpv6-client", 546, Udp),
        ("dhcpv6-server", 547, Udp), ("dicom", 104, Tcp), ("discard", 9, Any), ("distcc", 3632, Tcp),
        ("domain", 53, Any), ("domain-s", 853, Any), ("echo", 7, Any), ("epmap", 135, Tcp), ("epmd", 4369, Tcp),
        ("exec", 512, Tcp), ("finger", 79, Tcp), ("ftp", 21, Tcp), ("ftp-data", 20, Tcp), ("ftps", 990, Tcp),
        ("ftps-data", 989, Tcp), ("gdomap", 538, Any), ("git", 9418, Tcp), ("gnunet", 2086, Any),
        ("gopher", 70, Tcp), ("hkp", 11371, Tcp), ("http", 80, Tcp), ("http-alt", 8080, Tcp),
        ("https", 443, Any), ("iax", 4569, Udp), ("ident", 113, Tcp), ("imap", 143, Tcp), ("imap2", 143, Tcp),
        ("imaps", 993, Tcp), ("ipp", 631, Tcp), ("ipsec-nat-t", 4500, Udp), ("ipx", 213, Udp),
        ("ircd", 6667, Tcp), ("ircs-u", 6697, Tcp), ("isakmp", 500, Udp), ("iscsi-target", 3260, Tcp),
        ("isisd", 2608, Tcp), ("iso-tsap", 102, Tcp), ("jabber-client", 5222, Tcp),
        ("jabber-server", 5269, Tcp), ("kerberos", 88, Any), ("kerberos5", 88, Any), ("klogin", 543, Tcp),
        ("kpasswd", 464, Any), ("krb5", 88, Any), ("kshell", 544, Tcp), ("l2f", 1701, Udp), ("l2tp", 1701, Udp),
        ("ldap", 389, Any), ("ldaps", 636, Any), ("ldp", 646, Any), ("login", 513, Tcp), ("mail", 25, Tcp),
        ("mdns", 5353, Udp), ("microsoft-ds", 445, Tcp), ("ms-sql-m", 1434, Udp), ("ms-sql-s", 1433, Tcp),
        ("ms-wbt-server", 3389, Tcp), ("munin", 4949, Tcp), ("mysql", 3306, Tcp), ("nbd", 10809, Tcp),
        ("netbios-dgm", 138, Udp), ("netbios-ns", 137, Udp), ("netbios-ssn", 139, Tcp), ("nfs", 2049, Any),
        ("nntp", 119, Tcp), ("nntps", 563, Tcp), ("nrpe", 5666, Tcp), ("nsca", 5667, Tcp), ("ntalk", 518, Udp),
        ("ntp", 123, Udp), ("ntske", 4460, Tcp), ("openvpn", 1194, Any), ("ospfd", 2604, Tcp),
        ("pop-3", 110, Tcp), ("pop3", 110, Tcp), ("pop3s", 995, Tcp), ("portmapper", 111, Any),
        ("postgres", 5432, Tcp), ("postgresql", 5432, Tcp), ("printer", 515, Tcp), ("ptp-event", 319, Udp),
        ("ptp-general", 320, Udp), ("puppet", 8140, Tcp), ("radius", 1812, Any), ("radius-acct", 1813, Any),
        ("redis", 6379, Tcp), ("rmiregistry", 1099, Tcp), ("route", 520, Udp), ("router", 520, Udp),
        ("rsync", 873, Tcp), ("rtsp", 554, Any), ("shell", 514, Tcp), ("sieve", 4190, Tcp), ("sip", 5060, Any),
        ("sip-tls", 5061, Any), ("smtp", 25, Tcp), ("smtps", 465, Tcp), ("snmp", 161, Any),
        ("snmp-trap", 162, Any), ("snmptrap", 162, Any), ("socks", 1080, Tcp), ("spamd", 783, Tcp),
        ("ssh", 22, Tcp), ("ssmtp", 465, Tcp), ("submission", 587, Tcp), ("submissions", 465, Tcp),
        ("sunrpc", 111, Any), ("svn", 3690, Tcp), ("svrloc", 427, Any), ("syslog", 514, Any),
        ("syslog-tls", 6514, Tcp), ("tacacs", 49, Any), ("talk", 517, Udp), ("telnet", 23, Tcp),
        ("telnets", 992, Tcp), ("tftp", 69, Udp), ("time", 37, Any), ("tproxy", 8081, Tcp), ("uucp", 540, Tcp),
        ("webcache", 8080, Tcp), ("webmin", 10000, Tcp), ("who", 513, Udp), ("whois", 43, Tcp),
        ("www", 80, Tcp), ("x11", 6000, Tcp), ("xdmcp", 177, Udp), ("xmpp-client", 5222, Tcp),
        ("xmpp-server", 5269, Tcp), ("zabbix-agent", 10050, Tcp), ("zabbix-trapper", 10051, Tcp),
        ("zebra", 2601, Tcp),
    ]
};
