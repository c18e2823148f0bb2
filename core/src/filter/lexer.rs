//! A filter's text cut into tokens, as libpcap's scanner cuts it: the longest token wins, then the more
//! special one.
//!
//! What one would otherwise get wrong: a name may contain `-` and `.`, so `50-100` is one token and `1-1` is
//! not a subtraction; and `00:11:22:33:44:55`, `00-11-22-33-44-55` and `0011.2233.4455` are all Ethernet
//! addresses.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::error::FilterError;
use super::parser::shortened;
use super::words::{self, Word};

/// One token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A word of the table.
    Word(Word),
    /// A decimal, octal or hexadecimal number; `None` above 64 bits or with a digit that is none.
    Number(Option<u64>),
    /// One to four decimal parts of an IPv4 address, joined by dots: at least two.
    Dotted,
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// An Ethernet address.
    Mac([u8; 6]),
    /// Any other name; `true` if written with a backslash, which is not part of the span's text.
    Name(bool),
    /// An operator or bracket.
    Symbol(Symbol),
    /// The end of the text.
    End,
}

/// Operators and brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Colon,
    Slash,
    Plus,
    Minus,
    Star,
    Percent,
    Ampersand,
    Bar,
    Caret,
    ShiftLeft,
    ShiftRight,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Longer runs of address characters are no address; keeps the search for the longest one short.
const LONGEST_ADDRESS: usize = 46;

/// The tokens of `text` up to the first mistake, and that mistake, which matters only once the parser gets
/// there.
pub(crate) fn tokens(text: &str) -> (Vec<Token>, Option<FilterError>) {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
        if at >= text.len() {
            tokens.push(Token { kind: Kind::End, span: text.len()..text.len() });
            return (tokens, None);
        }
        match next(&text[at..]) {
            Ok((kind, len)) => {
                tokens.push(Token { kind, span: at..at + len });
                at += len;
            }
            Err((message, len)) => {
                tokens.push(Token { kind: Kind::End, span: at..at + len });
                return (tokens, Some(FilterError::new(message, at..at + len)));
            }
        }
    }
}

type Cut = Result<(Kind, usize), (String, usize)>;

fn next(rest: &str) -> Cut {
    if let Some((symbol, len)) = symbol(rest) {
        return Ok((symbol, len));
    }
    if let Some(name) = rest.strip_prefix('\\') {
        let len = name.find([' ', '!', '(', ')', '\n', '\t']).unwrap_or(name.len());
        return if len == 0 {
            Err(("a name must follow `\\`".into(), 1))
        } else {
            Ok((Kind::Name(true), len + 1))
        };
    }
    let name_len = name_len(rest.as_bytes());
    let mac = mac(rest.as_bytes());
    let ipv6 = ipv6(rest);
    let bogus_len = colons_len(rest.as_bytes());
    let mac_len = mac.map_or(0, |(_, len)| len);
    let ipv6_len = ipv6.map_or(0, |(_, len)| len);
    if bogus_len > name_len.max(mac_len).max(ipv6_len) {
        return Err((
            format!("`{}` is no Ethernet or IPv6 address", shortened(&rest[..bogus_len])),
            bogus_len,
        ));
    }
    if let Some((address, len)) = ipv6
        && len > name_len.max(mac_len)
    {
        return Ok((Kind::Ipv6(address), len));
    }
    if name_len >= mac_len
        && let Some(row) = words::find(&rest[..name_len])
    {
        return Ok((Kind::Word(row.word), name_len));
    }
    if let Some((address, len)) = mac
        && len >= name_len
    {
        return Ok((Kind::Mac(address), len));
    }
    if name_len > 0 {
        return Ok((name(&rest[..name_len]), name_len));
    }
    let c = rest.chars().next().unwrap_or(' ');
    Err((format!("`{}` means nothing here", c.escape_debug()), c.len_utf8()))
}

fn symbol(rest: &str) -> Option<(Kind, usize)> {
    const SYMBOLS: &[(&str, Symbol)] = &[
        (">=", Symbol::AtLeast),
        ("<=", Symbol::AtMost),
        ("!=", Symbol::NotEqual),
        ("==", Symbol::Equal),
        ("<<", Symbol::ShiftLeft),
        (">>", Symbol::ShiftRight),
        ("=", Symbol::Equal),
        ("<", Symbol::Less),
        (">", Symbol::Greater),
        ("(", Symbol::Open),
        (")", Symbol::Close),
        ("[", Symbol::OpenBracket),
        ("]", Symbol::CloseBracket),
        ("/", Symbol::Slash),
        ("+", Symbol::Plus),
        ("-", Symbol::Minus),
        ("*", Symbol::Star),
        ("%", Symbol::Percent),
        ("^", Symbol::Caret),
    ];
    for word in ["&&", "||"] {
        if rest.starts_with(word) {
            return words::find(word).map(|row| (Kind::Word(row.word), word.len()));
        }
    }
    let found = SYMBOLS.iter().find(|(text, _)| rest.starts_with(text));
    if let Some((text, symbol)) = found {
        return Some((Kind::Symbol(*symbol), text.len()));
    }
    match rest.as_bytes().first()? {
        b'!' => Some((Kind::Word(words::find("not")?.word), 1)),
        b'&' => Some((Kind::Symbol(Symbol::Ampersand), 1)),
        b'|' => Some((Kind::Symbol(Symbol::Bar), 1)),
        b':' if !rest.starts_with("::") => Some((Kind::Symbol(Symbol::Colon), 1)),
        _ => None,
    }
}

/// Length of the name at the start: letters, digits, `-`, `_` and `.`, ending in a letter, digit or `.`.
fn name_len(rest: &[u8]) -> usize {
    if !rest.first().is_some_and(u8::is_ascii_alphanumeric) {
        return 0;
    }
    let run =
        rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')).count();
    run - rest[..run].iter().rev().take_while(|b| matches!(b, b'-' | b'_')).count()
}

fn name(text: &str) -> Kind {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if digits(text) {
        let radix = if text.len() > 1 && text.starts_with('0') { 8 } else { 10 };
        return Kind::Number(u64::from_str_radix(text, radix).ok());
    }
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
        && !hex.is_empty()
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
    {
        return Kind::Number(u64::from_str_radix(hex, 16).ok());
    }
    if (2..=4).contains(&text.split('.').count()) && text.split('.').all(digits) {
        return Kind::Dotted;
    }
    Kind::Name(false)
}

/// The Ethernet address at the start and its length.
fn mac(rest: &[u8]) -> Option<([u8; 6], usize)> {
    [b':', b'-', b'.']
        .into_iter()
        .find_map(|separator| mac_of_six(rest, separator))
        .or_else(|| mac_of_hex(rest))
}

/// Six groups of one or two digits.
fn mac_of_six(rest: &[u8], separator: u8) -> Option<([u8; 6], usize)> {
    let mut address = [0u8; 6];
    let mut at = 0;
    for (i, octet) in address.iter_mut().enumerate() {
        if i > 0 {
            if rest.get(at) != Some(&separator) {
                return None;
            }
            at += 1;
        }
        let digits = rest[at..].iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
        *octet = hex(&rest[at..at + digits])?;
        at += digits;
    }
    Some((address, at))
}

/// Twelve digits, or three groups of four with dots.
fn mac_of_hex(rest: &[u8]) -> Option<([u8; 6], usize)> {
    let dotted = rest.get(4) == Some(&b'.');
    let len = if dotted { 14 } else { 12 };
    let mut digits = [0u8; 12];
    let mut filled = 0;
    for (i, byte) in rest.get(..len)?.iter().enumerate() {
        if dotted && (i == 4 || i == 9) {
            if *byte != b'.' {
                return None;
            }
            continue;
        }
        *digits.get_mut(filled)? = *byte;
        filled += 1;
    }
    let mut address = [0u8; 6];
    for (octet, pair) in address.iter_mut().zip(digits.chunks_exact(2)) {
        *octet = hex(pair)?;
    }
    Some((address, len))
}

fn hex(digits: &[u8]) -> Option<u8> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u8, |value, b| Some(value << 4 | u8::try_from((*b as char).to_digit(16)?).ok()?))
}

/// The longest IPv6 address at the start and its length.
fn ipv6(rest: &str) -> Option<(Ipv6Addr, usize)> {
    let run = rest
        .bytes()
        .take(LONGEST_ADDRESS)
        .take_while(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
        .count();
    if !rest[..run].contains(':') {
        return None;
    }
    (2..=run).rev().find_map(|len| Some((rest[..len].parse().ok()?, len)))
}

/// Length of pairs of digits with colons at the start: what looks like an address of Ethernet and is none.
fn colons_len(rest: &[u8]) -> usize {
    let (mut at, mut groups) = (0, 0);
    loop {
        let digits = rest[at..].iter().take(3).take_while(|b| b.is_ascii_hexdigit()).count();
        // Colons are looked for behind digits only, or each of very many would be counted from all before it.
        let has_digits = (1..=2).contains(&digits);
        let colons = rest[at + digits..].iter().take_while(|b| has_digits && **b == b':').count();
        if colons == 0 {
            return if groups >= 2 { at } else { 0 };
        }
        at += digits + colons;
        groups += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        let (tokens, error) = tokens(text);
        assert_eq!(error, None, "{text}");
        tokens.into_iter().map(|token| token.kind).filter(|kind| *kind != Kind::End).collect()
    }

    #[test]
    fn ethernet_addresses_are_known_in_all_four_spellings() {
        for text in
            ["00:11:22:33:44:55", "0:11:22:33:44:55", "00-11-22-33-44-55", "0011.2233.4455", "001122334455"]
        {
            assert_eq!(kinds(text), [Kind::Mac([0, 0x11, 0x22, 0x33, 0x44, 0x55])], "{text}");
        }
    }

    #[test]
    fn colons_within_brackets_are_not_an_address() {
        use Symbol::{CloseBracket, Colon, OpenBracket};
        let expected = [
            Kind::Word(words::find("ip").unwrap().word),
            Kind::Symbol(OpenBracket),
            Kind::Number(Some(6)),
            Kind::Symbol(Colon),
            Kind::Number(Some(2)),
            Kind::Symbol(CloseBracket),
        ];
        assert_eq!(kinds("ip[6:2]"), expected);
    }

    #[test]
    fn the_longest_address_wins() {
        assert_eq!(kinds("::"), [Kind::Ipv6(Ipv6Addr::UNSPECIFIED)]);
        assert_eq!(kinds("2001:db8::1"), [Kind::Ipv6("2001:db8::1".parse().unwrap())]);
        assert_eq!(kinds("::ffff:1.2.3.4"), [Kind::Ipv6("::ffff:1.2.3.4".parse().unwrap())]);
        assert_eq!(kinds("1.2.3.4"), [Kind::Dotted]);
        assert_eq!(kinds("1.2.3.4.5"), [Kind::Name(false)]);
        assert_eq!(kinds("10"), [Kind::Number(Some(10))]);
        assert_eq!(kinds("010"), [Kind::Number(Some(8))]);
        assert_eq!(kinds("09"), [Kind::Number(None)]);
        assert_eq!(kinds("0x1F"), [Kind::Number(Some(31))]);
        assert_eq!(kinds("50-100"), [Kind::Name(false)]);
        assert_eq!(kinds("vpce-0f1e"), [Kind::Name(false)]);
    }

    #[test]
    fn what_is_no_token_is_named_with_its_place() {
        let (tokens, error) = tokens("tcp é");
        assert_eq!(tokens.len(), 2);
        assert_eq!(error.unwrap().span, 4..6);
        assert_eq!(super::tokens("1:2:3").1.unwrap().span, 0..4);
    }
}
