//! What could be written at the cursor: the words that fit there, and the values that the capture has shown.
//!
//! The parser itself answers: it reads the text before the word at the cursor and remembers what it would
//! have taken where that text ends. So completions follow the grammar, and no second grammar can drift from
//! it.

use std::net::IpAddr;
use std::ops::{BitOr, Range};

use super::build::{Qualifier, ValueKind};
use super::names;
use super::parser::Parser;
use super::words::{Keyword, Protocol, TunnelWord, WORDS, Word};
use crate::aws::gwlb::EndpointId;

/// Values seen in the capture, offered where they fit, in the order given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// VXLAN network identifiers of mirror sessions.
    pub vnis: &'a [u32],
    /// Gateway Load Balancer endpoints.
    pub endpoints: &'a [EndpointId],
    /// Who mirrored.
    pub sources: &'a [IpAddr],
    /// Attachment identifiers.
    pub attachments: &'a [u64],
    /// Flow cookies.
    pub cookies: &'a [u32],
    /// Addresses of the mirrored packets.
    pub hosts: &'a [IpAddr],
}

/// One thing that could be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What to write.
    pub text: String,
    /// What kind of thing it is.
    pub kind: CompletionKind,
    /// The bytes of the text that it replaces; empty to insert at the cursor.
    pub replace: Range<usize>,
    /// A line about it for people; empty if the text says all.
    pub detail: &'static str,
}

/// What kind of thing a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionKind {
    /// A test or qualifier of the tunnel.
    Tunnel,
    /// A protocol.
    Protocol,
    /// A test or qualifier of pcap-filter(7).
    Keyword,
    /// `and`, `or`, `not`, a bracket.
    Operator,
    /// A name for a number.
    Constant,
    /// An address, port, identifier or name.
    Value,
}

/// The most completions that are answered; what the person typed narrows them further.
pub const MAX_COMPLETIONS: usize = 100;

/// What could be written at byte `cursor` of `text`, the usual first.
///
/// Empty where the text before the cursor is faulty or complete as it is; then [`super::Filter::parse`] says
/// why. A cursor beyond the text counts as its end, one within a character as before it.
#[must_use]
pub fn complete(text: &str, cursor: usize, seen: &Seen<'_>) -> Vec<Completion> {
    let mut cursor = cursor.min(text.len());
    while !text.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let begun = begun_at(&text[..cursor]);
    let prefix = &text[begun..cursor];
    let expected = expected_behind(&text[..begun]);
    let mut found = Vec::new();
    let mut offer = |text: String, kind, detail| {
        if text.starts_with(prefix) && found.len() < MAX_COMPLETIONS {
            found.push(Completion { text, kind, replace: begun..cursor, detail });
        }
    };
    offer_values(expected, seen, &mut offer);
    for row in WORDS {
        if let Some(kind) = expected.takes(row.word).filter(|_| is_written_out(row.text)) {
            offer(row.text.to_owned(), kind, row.about);
        }
    }
    for (text, part) in [
        ("(", Expected::OPEN),
        (")", Expected::CLOSE),
        ("[", Expected::BRACKET),
        ("]", Expected::CLOSE_BRACKET),
    ] {
        if expected.has(part) {
            offer(text.to_owned(), CompletionKind::Operator, "");
        }
    }
    found
}

/// The words that fit behind `text`.
pub(crate) fn words_behind(text: &str) -> impl Iterator<Item = &'static str> + use<> {
    let expected = expected_behind(text);
    WORDS.iter().filter(move |row| expected.takes(row.word).is_some()).map(|row| row.text)
}

/// Where the word begins that the person is writing; a backslash belongs to it.
fn begun_at(before: &str) -> usize {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'\\');
    before.len() - before.bytes().rev().take_while(|b| word(*b)).count()
}

fn expected_behind(text: &str) -> Expected {
    if text.len() > super::MAX_TEXT_LEN {
        return Expected::NOTHING;
    }
    let mut parser = Parser::new(text);
    // Most texts end in the middle of a test: the error is not news, what was expected is.
    let _ = parser.filter();
    parser.expected
}

fn offer_values(
    expected: Expected,
    seen: &Seen<'_>,
    offer: &mut impl FnMut(String, CompletionKind, &'static str),
) {
    let mut value = |text: String| offer(text, CompletionKind::Value, "seen in this capture");
    if expected.has(Expected::VNI) {
        seen.vnis.iter().for_each(|vni| value(vni.to_string()));
    }
    if expected.has(Expected::ENDPOINT) {
        seen.endpoints.iter().for_each(|endpoint| value(endpoint.to_string()));
    }
    if expected.has(Expected::SOURCE) {
        seen.sources.iter().for_each(|source| value(source.to_string()));
    }
    if expected.has(Expected::ATTACHMENT) {
        seen.attachments.iter().for_each(|attachment| value(format!("{attachment:#018x}")));
    }
    if expected.has(Expected::COOKIE) {
        seen.cookies.iter().for_each(|cookie| value(format!("{cookie:#010x}")));
    }
    if expected.has(Expected::ADDRESS) {
        seen.hosts.iter().for_each(|host| value(host.to_string()));
    }
    if expected.has(Expected::PORT) {
        names::PORTS.iter().for_each(|(name, ..)| offer((*name).to_owned(), CompletionKind::Value, "port"));
    }
    for (part, table) in
        [(Expected::IP_PROTOCOL, names::IP_PROTOCOLS), (Expected::LINK_PROTOCOL, names::LINK_PROTOCOLS)]
    {
        if expected.has(part) {
            table.iter().for_each(|(name, _)| offer(format!("\\{name}"), CompletionKind::Value, "protocol"));
        }
    }
}

fn is_written_out(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A set of things that the parser would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected(u32);

impl Expected {
    pub(crate) const NOTHING: Self = Self(0);
    /// What begins a test.
    pub(crate) const TERM: Self = Self(1 << 0 | Self::OPEN.0);
    pub(crate) const JOINT: Self = Self(1 << 1);
    /// What follows a protocol's name.
    pub(crate) const QUALIFIER: Self = Self(1 << 2 | Self::BRACKET.0);
    /// What follows `src`.
    pub(crate) const KIND: Self = Self(1 << 3 | Self::ADDRESS.0);
    pub(crate) const DIRECTION: Self = Self(1 << 4);
    pub(crate) const NUMBER: Self = Self(1 << 5);
    /// What a computation reads.
    pub(crate) const OPERAND: Self = Self(1 << 6 | Self::OPEN.0);
    pub(crate) const OPEN: Self = Self(1 << 7);
    pub(crate) const CLOSE: Self = Self(1 << 8);
    pub(crate) const BRACKET: Self = Self(1 << 9);
    pub(crate) const CLOSE_BRACKET: Self = Self(1 << 10);
    pub(crate) const ADDRESS: Self = Self(1 << 11);
    pub(crate) const PORT: Self = Self(1 << 12);
    pub(crate) const IP_PROTOCOL: Self = Self(1 << 13);
    pub(crate) const LINK_PROTOCOL: Self = Self(1 << 14);
    pub(crate) const VNI: Self = Self(1 << 15);
    pub(crate) const ENDPOINT: Self = Self(1 << 16);
    pub(crate) const SOURCE: Self = Self(1 << 17);
    pub(crate) const ATTACHMENT: Self = Self(1 << 18);
    pub(crate) const COOKIE: Self = Self(1 << 19);

    /// The values that follow a qualifier.
    pub(crate) fn value(qualifier: Qualifier) -> Self {
        match (qualifier.kind, qualifier.protocol) {
            (ValueKind::Implied | ValueKind::Host | ValueKind::Net, Some(Protocol::Link)) => Self::NOTHING,
            (ValueKind::Implied | ValueKind::Host | ValueKind::Net, _) => Self::ADDRESS,
            (ValueKind::Port, _) => Self::PORT,
            (ValueKind::PortRange, _) => Self::NOTHING,
            (ValueKind::Proto | ValueKind::ProtoChain, Some(Protocol::Link)) => Self::LINK_PROTOCOL,
            (ValueKind::Proto | ValueKind::ProtoChain, _) => Self::IP_PROTOCOL,
        }
    }

    /// The values that follow a word of ours.
    pub(crate) fn tunnel(word: TunnelWord) -> Self {
        match word {
            TunnelWord::Vni => Self::VNI,
            TunnelWord::Endpoint => Self::ENDPOINT,
            TunnelWord::Source => Self::SOURCE,
            TunnelWord::Attachment => Self::ATTACHMENT,
            TunnelWord::Cookie => Self::COOKIE,
            _ => Self::NOTHING,
        }
    }

    fn has(self, part: Self) -> bool {
        self.0 & part.0 == part.0
    }

    /// Whether a word of the table fits, and what it then is.
    fn takes(self, word: Word) -> Option<CompletionKind> {
        use Keyword::{
            And, Broadcast, Dst, Host, Len, Mask, Multicast, Net, Not, Or, Port, PortRange, Proto,
            ProtoChain, Src,
        };
        let kind = matches!(word, Word::Plain(Host | Net | Port | PortRange));
        let qualifier =
            kind || matches!(word, Word::Plain(Src | Dst | Proto | ProtoChain | Broadcast | Multicast));
        match word {
            Word::Tunnel(_) => self.has(Self::TERM).then_some(CompletionKind::Tunnel),
            Word::Protocol(_) => {
                (self.has(Self::TERM) || self.has(Self::OPERAND)).then_some(CompletionKind::Protocol)
            }
            Word::Plain(And | Or) => self.has(Self::JOINT).then_some(CompletionKind::Operator),
            Word::Plain(Not) => self.has(Self::TERM).then_some(CompletionKind::Operator),
            Word::Plain(Mask) => None,
            Word::Plain(Len) if self.has(Self::OPERAND) => Some(CompletionKind::Keyword),
            Word::Plain(_) => {
                let fits = self.has(Self::TERM)
                    || qualifier && self.has(Self::QUALIFIER)
                    || kind && self.has(Self::KIND)
                    || matches!(word, Word::Plain(Src | Dst)) && self.has(Self::DIRECTION);
                fits.then_some(CompletionKind::Keyword)
            }
            Word::Constant(_) => self.has(Self::OPERAND).then_some(CompletionKind::Constant),
            Word::Refused => None,
        }
    }
}

impl BitOr for Expected {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let seen = Seen {
            vnis: &[9325541, 4242],
            endpoints: &[EndpointId(0x0123_4567_89ab_cdef)],
            sources: &["10.0.0.7".parse().unwrap()],
            attachments: &[0xab],
            ..Seen::default()
        };
        complete(text, text.len(), &seen).into_iter().map(|completion| completion.text).collect()
    }

    #[test]
    fn an_empty_filter_offers_tests_and_our_words_first() {
        let texts = texts("");
        assert_eq!(&texts[..2], ["vni", "endpoint"]);
        assert!(texts.iter().any(|text| text == "tcp") && texts.iter().any(|text| text == "not"));
        assert!(!texts.iter().any(|text| text == "and" || text == "inbound" || text == "tcp-syn"));
    }

    #[test]
    fn values_of_the_capture_follow_their_word() {
        assert_eq!(texts("vni "), ["9325541", "4242"]);
        assert_eq!(texts("tcp and vni 4"), ["4242"]);
        assert_eq!(texts("source "), ["10.0.0.7"]);
        assert_eq!(texts("attachment "), ["0x00000000000000ab"]);
        assert_eq!(texts("endpoint vp"), ["vpce-00123456789abcdef"]);
        assert!(texts("vni 4242 or ").contains(&"9325541".to_owned()));
    }

    #[test]
    fn only_what_the_grammar_takes_is_offered() {
        assert_eq!(texts("tcp por"), ["port", "portrange"]);
        assert_eq!(texts("tcp a"), ["and"]);
        assert_eq!(texts("src p"), ["port", "portrange"]);
        assert_eq!(texts("ip proto \\tc"), ["\\tcp"]);
        assert_eq!(texts("tcp[tcpf"), ["tcpflags"]);
        assert_eq!(texts("src or d"), ["dst"]);
        assert!(texts("tcp port http").contains(&"https".to_owned()));
        assert_eq!(texts("(tcp "), texts("(tcp "));
        assert!(texts("(tcp ").contains(&")".to_owned()));
    }

    #[test]
    fn a_completion_replaces_the_word_begun() {
        let found = complete("vni 1 and tc and udp", 12, &Seen::default());
        assert_eq!(found[0].text, "tcp");
        assert_eq!(found[0].replace, 10..12);
    }

    #[test]
    fn a_faulty_beginning_offers_nothing() {
        assert_eq!(texts("tcp tcp tcp "), Vec::<String>::new());
        assert_eq!(texts("é"), Vec::<String>::new());
    }

    #[test]
    fn a_cursor_within_a_character_counts_as_before_it() {
        let at = |cursor| complete("tc€p", cursor, &Seen::default());
        assert!(!at(2).is_empty());
        assert_eq!((at(3), at(4)), (at(2), at(2)));
    }
}
