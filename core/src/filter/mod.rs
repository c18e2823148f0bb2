//! A filter is a yes or no on a packet, written in tcpdump's language with our words for the tunnel.
//!
//! The language is pcap-filter(7) as libpcap 1.10.3 (tcpdump 4.99.3) understands it, oddities included, and
//! is judged on the **mirrored packet**: `tcp port 443` means the traffic of the instance that is mirrored.
//! Beside it stand
//!
//! | test | holds for packets |
//! |---|---|
//! | `vni N` | of mirror sessions with this VXLAN network identifier |
//! | `endpoint vpce-…` | that came through this Gateway Load Balancer endpoint (bare hexadecimal digits also do) |
//! | `source ADDRESS`, `source 10.0.0.0/8` | mirrored by this interface, or one in this network |
//! | `attachment N`, `cookie N` | with this GWLB attachment identifier or flow cookie |
//! | `mirrored`, `inline` | that are copies, or the traffic itself |
//! | `truncated` | of which the capture or the mirror session kept only the beginning |
//! | `outer ( … )` | whose record passes the filter in parentheses from its first byte on: the tunnel's own headers |
//!
//! What one would otherwise get wrong: `and` and `or` have EQUAL precedence; `vlan` moves all that stands
//! right of it; a read behind the captured octets rejects the packet, even under `not`; ports of later
//! fragments are unknown.
//!
//! Different from tcpdump, on purpose:
//!
//! - names of hosts are not resolved; `inbound`, `llc` and words for links that are not read here are refused;
//! - one filter serves all link types, so a test that a link type cannot answer is false where tcpdump refuses the
//!   filter; BSD loopback has its address family in either byte order;
//! - a packet that is cut where a test reads is rejected always, as by `tcpdump -O`; libpcap's optimiser leaves out
//!   some reads, so that plain tcpdump lets some such packets pass (`net ::/0` and `ip[40] * 0` read nothing here
//!   either);
//! - `protochain` steps over AH by its length, where libpcap forgets what it stepped over before;
//! - what stands right of a `geneve` that did not hold (`geneve or ip[9] = 6`) reads from the first octet, where libpcap
//!   counts from memory that it never set.

mod arithmetic;
mod build;
mod complete;
mod encapsulation;
mod error;
mod eval;
mod frame;
mod lexer;
mod names;
mod of_flow;
mod parser;
pub(crate) mod partial;
pub mod tree;
mod values;
mod words;

use std::str::FromStr;

pub use complete::{Completion, CompletionKind, MAX_COMPLETIONS, Seen, complete};
pub use error::FilterError;
use tree::Expr;

use crate::packet::Packet;
use crate::record::Record;

/// Longest text of a filter, in bytes.
pub const MAX_TEXT_LEN: usize = 64 * 1024;
/// Deepest nesting of parentheses, `not` and computations.
pub const MAX_DEPTH: usize = 64;
/// Most tests and numbers in one filter.
pub const MAX_NODES: usize = 4096;
/// Most `geneve` in one filter.
pub const MAX_GENEVE: u8 = 4;

/// A filter, parsed once and asked for every packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    expr: Option<Expr>,
}

impl Filter {
    /// Parses `text`; blank text makes a filter that every packet passes.
    ///
    /// # Errors
    /// What is wrong, where, and what was perhaps meant; also where the text is longer, deeper or larger than
    /// [`MAX_TEXT_LEN`], [`MAX_DEPTH`] and [`MAX_NODES`] allow.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_TEXT_LEN {
            let message = format!("the filter has {} bytes, at most {MAX_TEXT_LEN} are read", text.len());
            return Err(FilterError::new(message, 0..0));
        }
        Ok(Self { expr: parser::Parser::new(text).filter()? })
    }

    /// Whether `packet` passes: the mirrored or inline packet is judged, or the whole record where there is
    /// no tunnel.
    #[must_use]
    pub fn matches(&self, packet: &Packet<'_>) -> bool {
        self.expr.as_ref().is_none_or(|expr| eval::passes(expr, packet))
    }

    /// Whether `record` passes from its first byte on, as tcpdump would judge it, with no tunnel looked for;
    /// words for the tunnel hold for none.
    #[must_use]
    pub fn matches_record(&self, record: &Record<'_>) -> bool {
        self.expr.as_ref().is_none_or(|expr| eval::passes_record(expr, record))
    }

    /// The parsed tree; `None` for a filter that every packet passes.
    #[must_use]
    pub fn tree(&self) -> Option<&Expr> {
        self.expr.as_ref()
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::tree::{Direction, Leaf, Scope, Test, Transport};
    use super::*;
    use crate::record::LinkType;
    use crate::stack::Decoder;

    /// Ethernet, IPv4, TCP 10.0.0.1:1024 → 10.0.0.2:443, SYN; no payload.
    const SYN: &[u8] = &[
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x00, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0x08, 0x00, // Ethernet
        0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
        4, 0, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0, // TCP
    ];

    fn record(data: &[u8]) -> Record<'_> {
        Record {
            number: 1,
            timestamp_ns: 0,
            interface: 0,
            link_type: LinkType::ETHERNET,
            original_len: u32::try_from(data.len()).unwrap(),
            offset: 0,
            data,
        }
    }

    fn chooses(text: &str, data: &[u8]) -> bool {
        Filter::parse(text)
            .unwrap_or_else(|error| panic!("{}", error.render(text)))
            .matches_record(&record(data))
    }

    /// A frame as a mirror session on GWLB delivers it: source 10.9.0.7, VNI 9325541.
    fn mirrored(frame: &[u8]) -> Vec<u8> {
        let udp = |port: u16, body: &[u8]| {
            let len = u16::try_from(body.len() + 8).unwrap().to_be_bytes();
            [&[0xc0, 0x00], &port.to_be_bytes()[..], &len, &[0, 0], body].concat()
        };
        let ip = |src: [u8; 4], body: &[u8]| {
            let len = u16::try_from(body.len() + 20).unwrap().to_be_bytes();
            [&[0x45, 0][..], &len, &[0, 0, 0, 0, 255, 17, 0, 0], &src, &[10, 9, 1, 1], body].concat()
        };
        let vxlan = [&[8, 0, 0, 0, 0x8e, 0x4b, 0xe5, 0][..], frame].concat();
        let inner = ip([10, 9, 0, 7], &udp(4789, &vxlan));
        let geneve = [
            &[0x08, 0, 0x08, 0x00, 0, 0, 0, 0][..], // version 0, 32 octets of options, IPv4
            &[0x01, 0x08, 1, 2, 0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde], // endpoint
            &[0x01, 0x08, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0], // attachment
            &[0x01, 0x08, 3, 1, 0xc0, 0xff, 0xee, 0x01], // cookie
            &inner,
        ]
        .concat();
        [&SYN[..14], &ip([10, 8, 0, 1], &udp(6081, &geneve))].concat()
    }

    #[test]
    fn the_mirrored_packet_is_judged_and_outer_judges_the_record() {
        let bytes = mirrored(SYN);
        let packet = Packet::decode(&Decoder::default(), record(&bytes));
        let holds = |text: &str| {
            Filter::parse(text).unwrap_or_else(|e| panic!("{}", e.render(text))).matches(&packet)
        };
        for text in [
            "tcp port 443 and host 10.0.0.1",
            "vni 9325541",
            "vni 1 or 9325541",
            "endpoint vpce-000123456789abcde",
            "endpoint 123456789abcde or 1",
            "source 10.9.0.7",
            "source 10.9.0.0/16 and not source 10.8.0.0/16",
            "source (1.1.1.1 or 10.9.0.7)",
            "attachment 0",
            "cookie 0xc0ffee01",
            "mirrored and not inline and not truncated",
            "outer (udp port 6081 and host 10.8.0.1) and tcp",
            "outer (geneve and udp port 4789) and port 443",
            "outer (vni 9325541)",
            "len = 54",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in
            ["udp", "outer (tcp)", "vni 2", "inline", "source ::1", "endpoint 1", "cookie 1", "truncated"]
        {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn a_cut_mirrored_packet_is_truncated_and_keeps_its_length_on_the_wire() {
        let bytes = mirrored(SYN);
        let mut cut = record(&bytes[..bytes.len() - 6]);
        cut.original_len = u32::try_from(bytes.len()).unwrap();
        let packet = Packet::decode(&Decoder::default(), cut);
        assert!(Filter::parse("truncated and tcp and len = 54").unwrap().matches(&packet));
    }

    #[test]
    fn and_and_or_are_taken_from_left_to_right() {
        assert!(!chooses("tcp or udp and udp", SYN));
        assert!(chooses("tcp or (udp and udp)", SYN));
        assert!(chooses("udp and udp or tcp", SYN));
        assert!(chooses("not udp and tcp", SYN));
    }

    #[test]
    fn a_value_alone_takes_the_qualifiers_before_it() {
        assert!(chooses("port 80 or 443", SYN));
        assert!(chooses("dst port 80 or 443", SYN));
        assert!(!chooses("src port 80 or 443", SYN));
        assert!(chooses("host 1.1.1.1 or 10.0.0.2", SYN));
        assert!(chooses("port 1 or (80 or 443)", SYN));
        assert!(chooses("port 1024 and not 80", SYN));
        assert!(chooses("tcp or port 1 or 2", SYN));
        assert!(Filter::parse("tcp or 443").is_err());
    }

    #[test]
    fn a_read_behind_the_captured_octets_rejects_even_under_not() {
        assert!(chooses("not tcp[13] = 16", SYN));
        assert!(!chooses("not tcp[13] = 16", &SYN[..40]));
        assert!(!chooses("not port 80", &SYN[..30]));
        assert!(chooses("ip and not udp", &SYN[..30]));
    }

    #[test]
    fn a_vlan_word_moves_what_stands_right_of_it() {
        let tagged = [&SYN[..12], &[0x81, 0, 0, 5], &SYN[12..]].concat();
        assert!(chooses("vlan 5 and tcp port 443", &tagged));
        assert!(!chooses("tcp", &tagged));
        assert!(!chooses("vlan 6", &tagged));
        assert!(!chooses("vlan or tcp", SYN), "`tcp` behind a tag that is not there");
        assert!(chooses("tcp or vlan", SYN));
    }

    #[test]
    fn a_chain_of_headers_is_followed_over_extensions_by_their_length() {
        let ipv6 = [&[0x60, 0, 0, 0, 0, 64, 0, 64][..], &[1; 32]].concat();
        let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
        let options = [&[6, 1, 1, 12][..], &[17; 12]].concat();
        let chain = [&SYN[..12], &[0x86, 0xdd], &ipv6, &hop_by_hop, &options, &SYN[34..]].concat();
        for text in ["ip6 protochain 0", "ip6 protochain 60", "ip6 protochain 6"] {
            assert!(chooses(text, &chain), "{text}");
        }
        assert!(!chooses("ip6 protochain 17", &chain));
    }

    #[test]
    fn a_chain_of_headers_is_followed_over_ah_by_its_length() {
        let ah = |next: u8| [&[next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[7; 12]].concat();
        let options = [6, 0, 1, 4, 0, 0, 0, 0];
        let ipv6 = [&[0x60, 0, 0, 0, 0, 76, 51, 64][..], &[1; 32]].concat();
        let over_ipv6 = [&SYN[..12], &[0x86, 0xdd], &ipv6, &ah(60), &options, &SYN[34..]].concat();
        for text in ["ip6 protochain 51", "ip6 protochain 60", "ip6 protochain 6", "protochain \\tcp"] {
            assert!(chooses(text, &over_ipv6), "{text}");
        }
        assert!(!chooses("ip6 protochain 17", &over_ipv6) && !chooses("tcp", &over_ipv6));
        let mut ipv4 = SYN[14..34].to_vec();
        ipv4[9] = 51;
        let over_ipv4 = [&SYN[..14], &ipv4, &ah(51), &ah(6), &SYN[34..]].concat();
        assert!(chooses("ip protochain 6", &over_ipv4) && !chooses("ip protochain 60", &over_ipv4));
        assert!(!chooses("ip protochain 6", &over_ipv4[..59]), "cut within the chain");
    }

    #[test]
    fn an_index_inside_geneve_may_be_negative() {
        let bytes = mirrored(SYN);
        let packet = Packet::decode(&Decoder::default(), record(&bytes));
        let holds = |text: &str| Filter::parse(text).unwrap().matches(&packet);
        assert!(holds("outer (geneve and udp[-8:4] = 0x0a090007)"), "the source address before UDP");
        assert!(holds("outer (geneve and ip[12 - 4] = 255)"));
        assert!(!holds("udp[-8:4] = 0x0a090007"));
    }

    #[test]
    fn numbers_are_read_and_computed_as_libpcap_does() {
        for text in [
            "tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn",
            "(ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2) = 0",
            "ip[8] = 0100",
            "ip[-2:2] = 0x800",
            "len = 54 and greater 54 and less 54",
            "2 + 3 * 4 = 14",
            "7 % 4 + 1 = 2",
            "- 1 = 0xffffffff",
            "(ip[0] & 0xf) * 4 = 20",
        ] {
            assert!(chooses(text, SYN), "{text}");
        }
        assert!(!chooses("ip[2:2] / ip[1] = 0", SYN), "division by zero rejects");
        assert!(!chooses("not ip[2:2] % ip[1] = 0", SYN), "division by zero rejects");
    }

    #[test]
    fn the_tree_holds_numbers_not_text() {
        let filter = Filter::parse("tcp src portrange 443-80").unwrap();
        let test = Test::Port { transport: Transport::Tcp, direction: Direction::Source, low: 80, high: 443 };
        assert_eq!(filter.tree(), Some(&Expr::Test(Leaf { test, scope: Scope::default() })));
    }

    #[test]
    fn a_blank_filter_passes_everything() {
        assert!(chooses("", SYN) && chooses(" \n\t", &[]));
    }

    fn refusal(text: &str) -> String {
        Filter::parse(text).expect_err(text).render(text)
    }

    #[test]
    fn a_slip_is_underlined_and_the_nearest_word_suggested() {
        let expected = "error: unknown word `prot`
  vni 9325541 and tcp prot 443
                      ^^^^ did you mean `port`?";
        assert_eq!(refusal("vni 9325541 and tcp prot 443"), expected);
    }

    #[test]
    fn refusals_say_what_is_wrong_where_and_what_to_do() {
        for (text, message, marked, hint) in [
            ("host example.com", "names are not resolved", "example.com", "give an address"),
            ("src prot 53", "names are not resolved", "prot", "did you mean `port`?"),
            ("gateway 10.0.0.1", "`gateway` is not supported", "gateway", "names"),
            ("tcp and inbound", "`inbound` is not supported", "inbound", "src"),
            ("tcp udp", "`udp` stands where `and` or `or` should", "udp", ""),
            ("10.0.0.1", "stands where a test should", "10.0.0.1", "`host 10.0.0.1`"),
            ("443", "a number needs a word", "443", "`port 443`"),
            ("port 70000", "above 65535", "70000", ""),
            ("port htpt", "unknown port `htpt`", "htpt", "did you mean `http`?"),
            ("port 50-100", "unknown port `50-100`", "50-100", "did you mean `portrange 50-100`?"),
            ("ip proto tcp", "a protocol's number or name", "tcp", "did you mean `\\tcp`?"),
            ("net 10.0.0.1/8", "bits set outside its mask", "8", "10.0.0.0"),
            ("host 10.0.0.0/8", "a mask needs `net`", "8", "`net`"),
            ("net 10/8", "needs dots", "10", "`net 10.0/…`"),
            ("ip6 host 1.2.3.4", "`ip6` cannot qualify", "1.2.3.4", ""),
            ("tcp host 1.2.3.4", "can qualify an IPv4 address", "1.2.3.4", ""),
            ("host 00:11:22:33:44:55", "needs `ether`", "00:11:22:33:44:55", "`ether host`"),
            ("host 1.2.3.400", "is no IPv4 address", "1.2.3.400", ""),
            ("ip[0", "the filter ends where `]` should follow", "", ""),
            ("(tcp", "the filter ends where `)` should follow", "", ""),
            ("tcp and", "the filter ends where a test should follow", "", ""),
            ("tcp)", "`)` stands where", ")", ""),
            ("ip[0:3] = 1", "only 1, 2 or 4", "3", ""),
            ("esp[0] = 1", "no offset", "esp", ""),
            ("ip[0]", "a number, not a test", "]", "`len > 60`"),
            ("ip[0] / 0 = 1", "divides by zero", "0", ""),
            ("ip[0] << 32 = 1", "more than 31 bits", "32", ""),
            ("vlan 5000", "at most 4095", "5000", ""),
            ("mpls and arp", "behind `mpls` only", "arp", ""),
            ("mpls and vlan", "behind `mpls`", "vlan", ""),
            ("vni 16777216", "at most 16777215", "16777216", ""),
            ("vnni 5", "unknown word `vnni`", "vnni", "did you mean `vni`?"),
            ("vni 1 an tcp", "unknown word `an`", "an", "did you mean `and`?"),
            ("tcp ro udp", "unknown word `ro`", "ro", "did you mean `or`?"),
            ("an", "unknown word `an`", "an", "did you mean `ah`?"),
            (
                "tcp[tcpflasg] & tcp-sny != 0",
                "unknown word `tcpflasg`",
                "tcpflasg",
                "did you mean `tcpflags`?",
            ),
            ("endpoint vpce-xyz", "unknown word", "vpce-xyz", "write it as in"),
            ("outer tcp", "`tcp` stands where `(` should", "tcp", "`outer ( … )`"),
            ("ether proto \\nothing", "unknown protocol `nothing`", "\\nothing", ""),
            ("tcp port 0x1ffffffff", "needs more than 32 bits", "0x1ffffffff", ""),
            ("tcp é", "`é` means nothing here", "é", ""),
            ("isis proto 99", "below 32", "99", ""),
            ("pppoes and ether broadcast", "PPP has no addresses", "broadcast", ""),
            ("pppoes and multicast", "PPP has no addresses", "multicast", ""),
        ] {
            let error = Filter::parse(text).expect_err(text);
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert_eq!(&text[error.span.clone()], marked, "{text}");
            assert!(error.suggestion.as_deref().unwrap_or_default().contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn each_number_is_taken_up_to_its_greatest_and_no_further() {
        for (taken, refused) in [
            ("vlan 4095", "vlan 4096"),
            ("mpls 1048575", "mpls 1048576"),
            ("pppoes 65535", "pppoes 65536"),
            ("geneve 16777215", "geneve 16777216"),
            ("vni 0xffffff", "vni 0x1000000"),
            ("port 65535", "port 65536"),
            ("isis proto 31", "isis proto 32"),
            ("net 10.0.0.0/32", "net 10.0.0.0/33"),
            ("net 2001:db8::/128", "net 2001:db8::/129"),
            ("host 2001:db8::/128", "host 2001:db8::/127"),
            ("ip[0] << 31 = 1", "ip[0] << 32 = 1"),
            ("cookie 0xffffffff", "cookie 0x100000000"),
            ("attachment 0xffffffffffffffff", "attachment 0x10000000000000000"),
            ("len = 4294967295", "len = 4294967296"),
            // Neither is it taken where it means nothing.
            ("mpls and mpls", "mpls and vlan"),
            ("mpls and ip", "mpls and pppoes"),
            ("pppoes and mpls", "pppoes and vlan"),
            ("mpls and host 10.0.0.1", "mpls and arp host 10.0.0.1"),
            ("pppoes and ip multicast", "pppoes and ether multicast"),
            ("ip broadcast", "ip6 broadcast"),
            ("icmp6[0] = 1", "esp[0] = 1"),
            ("ip proto 6", "src proto 6"),
            ("ip6 protochain 6", "dst protochain 6"),
        ] {
            assert!(Filter::parse(taken).is_ok(), "{taken}: {}", refusal(taken));
            assert!(Filter::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_word_without_its_value_is_told_which_it_wants() {
        for (text, wanted) in [
            ("src", "`host`, `net`, `port` or an address"),
            ("host", "an address"),
            ("net", "a network"),
            ("udp port", "a port"),
            ("portrange", "a range of ports, as in `1024-65535`"),
            ("ip proto", "a protocol's number or name"),
            ("protochain", "a protocol's number or name"),
        ] {
            let message = Filter::parse(text).unwrap_err().message;
            assert!(message.contains(&format!("{wanted} should follow")), "{text}: {message}");
        }
    }

    #[test]
    fn an_error_is_told_in_one_line_too() {
        let error = Filter::parse("prot 443").unwrap_err();
        let line = error.to_string();
        assert!(line.contains(&error.message) && line.contains("did you mean `port`?"), "{line}");
    }

    #[test]
    fn hostile_texts_are_refused_within_the_limits() {
        let deep = "(".repeat(40_000);
        assert!(Filter::parse(&deep).unwrap_err().message.contains("nested deeper"));
        assert!(Filter::parse(&"not ".repeat(10_000)).unwrap_err().message.contains("nested deeper"));
        assert!(Filter::parse(&"ip[".repeat(10_000)).unwrap_err().message.contains("nested deeper"));
        assert!(Filter::parse(&"-".repeat(10_000)).unwrap_err().message.contains("nested deeper"));
        assert!(Filter::parse(&"1 % ".repeat(10_000)).unwrap_err().message.contains("nested deeper"));
        assert!(Filter::parse(&"outer (".repeat(5_000)).unwrap_err().message.contains("nested deeper"));
        assert!(
            Filter::parse(&format!("port {}", "(".repeat(5_000)))
                .unwrap_err()
                .message
                .contains("nested deeper")
        );
        let sum = format!("len{} = 1", " + len".repeat(1_000));
        assert!(Filter::parse(&sum).unwrap_err().message.contains("steps"));
        let wide = format!("tcp{}", " or udp".repeat(9_000));
        assert!(Filter::parse(&wide).unwrap_err().message.contains("more than"));
        assert!(Filter::parse(&"x".repeat(1_000_000)).unwrap_err().message.contains("bytes"));
        let padded = |len: usize| Filter::parse(&format!("tcp{}", " ".repeat(len - 3)));
        assert!(padded(MAX_TEXT_LEN).is_ok() && padded(MAX_TEXT_LEN + 1).is_err());
        assert!(Filter::parse(&format!("port {}", "9".repeat(60_000))).is_err());
        assert!(Filter::parse(&"geneve and ".repeat(9)).unwrap_err().message.contains("`geneve`"));
        let many = format!("tcp{}", " or tcp".repeat(MAX_NODES - 1));
        assert!(chooses(&many, SYN), "as many tests as are allowed");
        let beside = format!("(tcp){}", " or (tcp)".repeat(2 * MAX_DEPTH));
        assert!(chooses(&beside, SYN), "as deep again and again");
        let nested = format!("{}tcp{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
        assert!(chooses(&nested, SYN), "as deep as is allowed");
    }

    /// Texts of nearly `len` octets, each hard on another part of the lexer, the parser or the errors.
    fn hostile_texts(len: usize) -> Vec<String> {
        let pieces = [
            ("", "(", ""),
            ("", "not ", "tcp"),
            ("", "!", "tcp"),
            ("", "1+", "1 = 1"),
            ("len", " + len", " = 1"),
            ("", "1 % ", "1 = 1"),
            ("", "-", "1 = 1"),
            ("", "ip[", "0] = 1"),
            ("", "outer (", "tcp"),
            ("tcp", " or tcp", ""),
            ("port 1", " or 2", ""),
            ("host 1.1.1.1", " or 1.1.1.1", ""),
            ("", "vlan and ", "tcp"),
            ("", "mpls and ", "ip"),
            ("", "geneve and ", "ip"),
            ("tcp", "\0", ""),
            ("", "é", ""),
            ("host ", "\u{202e}", ""),
            ("tcp and ", "👩‍👩‍👧", ""),
            ("", "x", ""),
            ("tcp ", "9", ""),
            ("port ", "9", ""),
            ("len = 0x", "f", ""),
            ("vni ", "0", "1 x"),
            ("port ", "0", "-1"),
            ("net ", "0", ".256"),
            ("proto \\", "x", ""),
            ("endpoint ", "f", ""),
            ("host ", ":", ""),
            ("host 1", ":", "1"),
            ("", "1:", ""),
            ("", "1::", ""),
            ("", "a:b:", "z"),
            ("", "::1 ", ""),
            ("", "1.", ""),
            ("", "a-", ""),
            ("a", "-", "!"),
            ("", "a- ", ""),
            ("", "00:11:22:33:44:5", ""),
            ("", "\\", ""),
            ("", "\\x ", ""),
            ("", "\u{0}\n", ""),
        ];
        let text = |(first, again, last): (&str, &str, &str)| {
            let times = len.saturating_sub(first.len() + last.len()) / again.len();
            format!("{first}{}{last}", again.repeat(times))
        };
        pieces.map(text).to_vec()
    }

    #[test]
    fn every_hostile_text_is_refused_in_a_few_short_lines() {
        for text in hostile_texts(MAX_TEXT_LEN).into_iter().chain(hostile_texts(1 << 20)) {
            let shown: String = text.chars().take(12).collect();
            let error = Filter::parse(&text).expect_err(&shown);
            assert!(error.message.len() < 300, "{shown}: {}", error.message.len());
            assert!(text.get(error.span.clone()).is_some(), "{shown}");
            let rendered = error.render(&text);
            assert_eq!(rendered.lines().count(), 3, "{shown}");
            assert!(rendered.chars().count() < 800, "{shown}: {}", rendered.chars().count());
            assert!(complete(&text, text.len(), &Seen::default()).len() <= MAX_COMPLETIONS, "{shown}");
        }
    }
}
