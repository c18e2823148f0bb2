//! Whatever is typed into the filter bar, the answer is a filter or an error with a place: never a panic,
//! never a wait.

use mirrorscope_core::filter::{Filter, Seen, complete};
use mirrorscope_core::{LinkType, Record};
use proptest::prelude::*;

/// Pieces of which most texts nearly parse.
const PIECES: &[&str] = &[
    "tcp",
    "udp",
    "ip",
    "ip6",
    "arp",
    "icmp6",
    "ether",
    "src",
    "dst",
    "host",
    "net",
    "port",
    "portrange",
    "proto",
    "protochain",
    "and",
    "or",
    "not",
    "(",
    ")",
    "[",
    "]",
    ":",
    "/",
    "+",
    "-",
    "*",
    "%",
    "&",
    "|",
    "^",
    "<<",
    ">>",
    "=",
    "!=",
    "<",
    ">=",
    "len",
    "less",
    "byte",
    "vlan",
    "mpls",
    "pppoes",
    "geneve",
    "vni",
    "endpoint",
    "source",
    "cookie",
    "outer",
    "mirrored",
    "mask",
    "10.0.0.1",
    "192.168",
    "::1",
    "00:11:22:33:44:55",
    "1",
    "0",
    "4294967295",
    "80-443",
    "http",
    "\\tcp",
    "vpce-0123",
    "é",
    "\u{202e}",
    "\0",
    "tcpflags",
    "gateway",
    "isis",
    "multicast",
    "1:2:3",
    "0x",
];

fn nearly_a_filter() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES);
    prop::collection::vec((piece, prop::sample::select(&[" ", "", "\t"][..])), 0..24)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(piece, space)| [piece, space]).collect())
}

/// Parses, renders, completes at every place, and judges a packet.
fn exercise(text: &str, packet: &[u8]) {
    match Filter::parse(text) {
        Ok(filter) => {
            for link_type in [0, 1, 12, 101, 108, 113, 228, 229, 276, 9999] {
                let link_type = LinkType(link_type);
                let (original_len, data) = (1500, packet);
                let record = Record {
                    number: 1,
                    timestamp_ns: 0,
                    interface: 0,
                    link_type,
                    original_len,
                    offset: 0,
                    data,
                };
                let _ = filter.matches_record(&record);
            }
        }
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "{text:?}: {error:?}");
            assert_eq!(error.render(text).lines().count(), 3, "{text:?}: {error:?}");
        }
    }
    for cursor in [0, text.len() / 2, text.len(), text.len() + 1] {
        for completion in complete(text, cursor, &Seen::default()) {
            assert!(text.get(completion.replace.clone()).is_some(), "{text:?}: {completion:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_filter_or_an_error_with_a_place(text in any::<String>()) {
        exercise(&text, &[0; 60]);
    }

    #[test]
    fn what_is_nearly_a_filter_is_one_or_an_error_with_a_place(
        text in nearly_a_filter(),
        packet in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        exercise(&text, &packet);
    }
}
