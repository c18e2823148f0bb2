//! What a flow is for: a guess from the server's port, and the name that the client asked for.
//!
//! A name is looked for in the first packets with payload only ([`MAX_ATTEMPTS`]), so that long flows cost nothing
//! more: the server name of a TLS ClientHello, the host of an HTTP request, the question of a DNS message.

use std::fmt::Write;

use super::key::{TCP, UDP};
use crate::app::{dns, http, tls};

/// Packets with payload in which a name is looked for.
pub const MAX_ATTEMPTS: u8 = 4;
/// Octets of a name that are kept.
pub const MAX_NAME_LEN: usize = 255;

/// Octets of a payload in which a name is looked for: a TLS record or the head of an HTTP request at its longest.
pub const MAX_SEARCHED_LEN: usize = 16 * 1024 + 512;

/// Where a name was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameSource {
    /// Server name indication of a TLS ClientHello.
    Sni,
    /// Host of an HTTP request.
    HttpHost,
    /// First question of a DNS message.
    Dns,
}

impl NameSource {
    /// The key under which machines read the name.
    pub fn key(self) -> &'static str {
        match self {
            Self::Sni => "sni",
            Self::HttpHost => "http_host",
            Self::Dns => "dns_name",
        }
    }
}

/// A name that a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    /// Where it stood.
    pub source: NameSource,
    /// The name, at most [`MAX_NAME_LEN`] octets.
    pub text: Box<str>,
}

/// The service that is registered or usual on a port, if the protocol has one there.
pub fn by_port(protocol: u8, port: u16) -> Option<&'static str> {
    Some(match (protocol, port) {
        (TCP, 20) => "ftp-data",
        (TCP, 21) => "ftp",
        (TCP, 22) => "ssh",
        (TCP, 23) => "telnet",
        (TCP, 25) => "smtp",
        (TCP | UDP, 53) => "dns",
        (UDP, 67 | 68) => "dhcp",
        (UDP, 69) => "tftp",
        (TCP, 80 | 8080) => "http",
        (TCP | UDP, 88) => "kerberos",
        (TCP, 110) => "pop3",
        (TCP | UDP, 111) => "rpcbind",
        (UDP, 123) => "ntp",
        (TCP, 135) => "msrpc",
        (UDP, 137) => "netbios-ns",
        (UDP, 138) => "netbios-dgm",
        (TCP, 139) => "netbios-ssn",
        (TCP, 143) => "imap",
        (UDP, 161 | 162) => "snmp",
        (TCP, 179) => "bgp",
        (TCP | UDP, 389) => "ldap",
        (TCP, 443 | 8443) => "https",
        (UDP, 443) => "quic",
        (TCP, 445) => "smb",
        (TCP, 465 | 587) => "submission",
        (UDP, 500 | 4500) => "ipsec",
        (UDP, 514) => "syslog",
        (TCP, 636) => "ldaps",
        (TCP, 853) => "dns-tls",
        (TCP, 993) => "imaps",
        (TCP, 995) => "pop3s",
        (TCP, 1433) => "mssql",
        (TCP, 1521) => "oracle",
        (TCP, 1883) => "mqtt",
        (TCP | UDP, 2049) => "nfs",
        (TCP, 2181) => "zookeeper",
        (TCP, 2379 | 2380) => "etcd",
        (TCP, 3306) => "mysql",
        (TCP | UDP, 3389) => "rdp",
        (UDP, 3478) => "stun",
        (UDP, 4789) => "vxlan",
        (TCP, 5432) => "postgres",
        (TCP | UDP, 5060) => "sip",
        (UDP, 5353) => "mdns",
        (TCP, 5671) => "amqps",
        (TCP, 5672) => "amqp",
        (TCP, 5900) => "vnc",
        (UDP, 6081) => "geneve",
        (TCP, 6379) => "redis",
        (TCP, 6443) => "kubernetes",
        (UDP, 8125) => "statsd",
        (TCP, 9092) => "kafka",
        (TCP, 9200) => "elasticsearch",
        (TCP, 11211) => "memcached",
        (TCP, 27017) => "mongodb",
        (UDP, 51820) => "wireguard",
        _ => return None,
    })
}

/// Whether it is worth the time to look for a name: false for most payloads in which none stands.
#[inline]
pub(crate) fn may_name(protocol: u8, ports: [u16; 2], payload: &[u8]) -> bool {
    match (protocol, payload) {
        (TCP, [22, 3, ..]) => true,
        // A method has three letters at least, or one and the target behind it.
        (TCP, [a, b, c, d, ..]) => [a, b, c, d].iter().all(|octet| matches!(**octet, b' '..=b'~')),
        (UDP, [_, ..]) => is_dns(ports),
        _ => false,
    }
}

fn is_dns(ports: [u16; 2]) -> bool {
    ports.iter().any(|port| matches!(port, 53 | 5353 | 5355))
}

/// The name in the payload of one packet, if one begins there.
pub(crate) fn name(protocol: u8, ports: [u16; 2], payload: &[u8]) -> Option<ServiceName> {
    let (source, text) = match protocol {
        TCP => match tls::server_name(payload) {
            Some(name) => (NameSource::Sni, name.to_owned()),
            None => (NameSource::HttpHost, http::host(payload)?.to_owned()),
        },
        UDP if is_dns(ports) => {
            let mut text = String::new();
            write!(text, "{}", dns::first_question_name(payload)?).ok()?;
            (NameSource::Dns, text)
        }
        _ => return None,
    };
    Some(ServiceName { source, text: at_most(text, MAX_NAME_LEN).into() })
}

fn at_most(mut text: String, len: usize) -> String {
    while text.len() > len {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_host_and_a_response_names_none() {
        let request = b"GET / HTTP/1.1\r\nHost: Example.org:80\r\n\r\n";
        let found = name(TCP, [40000, 80], request).unwrap();
        assert_eq!((found.source, &*found.text), (NameSource::HttpHost, "Example.org"));
        assert_eq!(name(TCP, [80, 40000], b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }

    #[test]
    fn a_question_names_what_was_asked_for_on_dns_ports_only() {
        let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01";
        let found = name(UDP, [40000, 53], question).unwrap();
        assert_eq!((found.source, &*found.text), (NameSource::Dns, "www.example"));
        assert_eq!(name(UDP, [40000, 40001], question), None);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(at_most("aé".repeat(200), MAX_NAME_LEN).len(), 255);
        assert_eq!(at_most("éé".to_owned(), 3), "é");
    }

    #[test]
    fn every_usual_port_has_its_service_with_the_protocol_that_it_is_usual_with() {
        let named = |protocol| -> Vec<(u16, &str)> {
            (0..=u16::MAX).filter_map(|port| Some((port, by_port(protocol, port)?))).collect()
        };
        #[rustfmt::skip]
        let tcp = [
            (20, "ftp-data"), (21, "ftp"), (22, "ssh"), (23, "telnet"), (25, "smtp"), (53, "dns"), (80, "http"),
            (88, "kerberos"), (110, "pop3"), (111, "rpcbind"), (135, "msrpc"), (139, "netbios-ssn"), (143, "imap"),
            (179, "bgp"), (389, "ldap"), (443, "https"), (445, "smb"), (465, "submission"), (587, "submission"),
            (636, "ldaps"), (853, "dns-tls"), (993, "imaps"), (995, "pop3s"), (1433, "mssql"), (1521, "oracle"),
            (1883, "mqtt"), (2049, "nfs"), (2181, "zookeeper"), (2379, "etcd"), (2380, "etcd"), (3306, "mysql"),
            (3389, "rdp"), (5060, "sip"), (5432, "postgres"), (5671, "amqps"), (5672, "amqp"), (5900, "vnc"),
            (6379, "redis"), (6443, "kubernetes"), (8080, "http"), (8443, "https"), (9092, "kafka"),
            (9200, "elasticsearch"), (11211, "memcached"), (27017, "mongodb"),
        ];
        assert_eq!(named(TCP), tcp);
        #[rustfmt::skip]
        let udp = [
            (53, "dns"), (67, "dhcp"), (68, "dhcp"), (69, "tftp"), (88, "kerberos"), (111, "rpcbind"), (123, "ntp"),
            (137, "netbios-ns"), (138, "netbios-dgm"), (161, "snmp"), (162, "snmp"), (389, "ldap"), (443, "quic"),
            (500, "ipsec"), (514, "syslog"), (2049, "nfs"), (3389, "rdp"), (3478, "stun"), (4500, "ipsec"),
            (4789, "vxlan"), (5060, "sip"), (5353, "mdns"), (6081, "geneve"), (8125, "statsd"),
            (51820, "wireguard"),
        ];
        assert_eq!(named(UDP), udp);
        assert_eq!(named(1), [], "ICMP has no ports");
    }

    #[test]
    fn a_payload_is_looked_at_only_where_a_name_may_stand() {
        let ports = [40000, 443];
        assert!(may_name(TCP, ports, b"GET "));
        assert!(may_name(TCP, ports, &[22, 3, 1]), "the beginning of a TLS record");
        assert!(!may_name(TCP, ports, &[23, 3, 3, 0]), "a TLS record of data");
        assert!(!may_name(TCP, ports, b"GET"), "too short for a method and a target");
        assert!(may_name(UDP, [40000, 53], &[0]) && may_name(UDP, [5353, 5353], &[0]));
        assert!(!may_name(UDP, [40000, 443], &[0]) && !may_name(UDP, [40000, 53], &[]));
    }
}
