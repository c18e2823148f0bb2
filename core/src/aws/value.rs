//! One value of what the AWS CLI prints: read, absent, or something else than AWS writes there.
//!
//! A value that cannot be read is kept as a [`Fault`] of the rule, session or interface to which it belongs, so that
//! it spoils nothing else. The words for what was wanted are those of AWS's API reference.

use core::{fmt, marker::PhantomData, net::IpAddr};

use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::inventory::{Action, Direction};

/// The longest id, name or description that is kept, in characters. AWS allows 255.
pub const MAX_TEXT_LEN: usize = 255;
/// As much of a wrong value as is shown, in characters.
const MAX_SHOWN_LEN: usize = 40;

/// A value that is not what AWS prints there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Fault {
    /// The name of the field, as AWS writes it.
    pub field: &'static str,
    /// What stands there, as far as it can be shown.
    pub found: String,
    /// What AWS writes there.
    pub wanted: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, found, wanted } = self;
        write!(f, "its {field} is {found}; AWS wants {wanted}")
    }
}

/// A value as it was given.
#[derive(Default)]
pub(super) enum Given<T> {
    #[default]
    Absent,
    Read(T),
    Wrong(String),
}

impl<T: Awaited> Given<T> {
    /// The value, if it could be read; if not, `faults` get to know why.
    pub(super) fn or_fault(self, field: &'static str, faults: &mut Vec<Fault>) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Read(value) => Some(value),
            Self::Wrong(found) => {
                faults.push(Fault { field, found, wanted: T::WANTED });
                None
            }
        }
    }
}

/// What can stand in a field.
pub(super) trait Awaited: Sized {
    /// In AWS's words.
    const WANTED: &'static str;
    fn of(value: Plain<'_>) -> Given<Self>;
}

/// A value of JSON that is neither a list nor an object.
#[derive(Clone, Copy)]
pub(super) enum Plain<'a> {
    Number(i64),
    Text(&'a str),
}

impl Plain<'_> {
    fn wrong<T>(self) -> Given<T> {
        Given::Wrong(match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("\"{}\"", clean(text, MAX_SHOWN_LEN)),
        })
    }

    fn number<T: TryFrom<i64>>(self) -> Given<T> {
        match self {
            Self::Number(number) => T::try_from(number).map_or_else(|_| self.wrong(), Given::Read),
            Self::Text(_) => self.wrong(),
        }
    }

    fn word<T: Copy>(self, words: &[(&str, T)]) -> Given<T> {
        let Self::Text(text) = self else { return self.wrong() };
        // CloudFormation and old tools write these words in capitals.
        let found = words.iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
        match found {
            Some((_, value)) => Given::Read(*value),
            None if text.is_empty() => Given::Absent,
            None => self.wrong(),
        }
    }
}

/// `RuleNumber`. Numbers beyond the range are read, so that more can be said of them.
pub(super) struct RuleNumber(pub(super) u32);

impl Awaited for RuleNumber {
    const WANTED: &'static str = "a number from 1 to 32766, without quotes";

    fn of(value: Plain<'_>) -> Given<Self> {
        match value.number() {
            Given::Read(number) => Given::Read(Self(number)),
            Given::Absent => Given::Absent,
            Given::Wrong(found) => Given::Wrong(found),
        }
    }
}

/// `PacketLength`, `SessionNumber`, `VirtualNetworkId`.
impl Awaited for u32 {
    const WANTED: &'static str = "a positive number, without quotes";

    fn of(value: Plain<'_>) -> Given<Self> {
        value.number()
    }
}

/// `Protocol`, where -1 is how the rest of EC2 writes "all": `None`.
impl Awaited for Option<u8> {
    const WANTED: &'static str = "a protocol number of IANA from 0 to 255, without quotes, such as 6 for TCP";

    fn of(value: Plain<'_>) -> Given<Self> {
        match value {
            Plain::Number(-1) => Given::Read(None),
            Plain::Number(number) => {
                u8::try_from(number).map_or_else(|_| value.wrong(), |n| Given::Read(Some(n)))
            }
            Plain::Text(_) => value.wrong(),
        }
    }
}

/// `FromPort`, `ToPort`.
impl Awaited for u16 {
    const WANTED: &'static str = "a port from 0 to 65535, without quotes";

    fn of(value: Plain<'_>) -> Given<Self> {
        value.number()
    }
}

impl Awaited for Direction {
    const WANTED: &'static str = "\"ingress\" or \"egress\"";

    fn of(value: Plain<'_>) -> Given<Self> {
        value.word(&[("ingress", Self::Ingress), ("egress", Self::Egress)])
    }
}

impl Awaited for Action {
    const WANTED: &'static str = "\"accept\" or \"reject\"";

    fn of(value: Plain<'_>) -> Given<Self> {
        value.word(&[("accept", Self::Accept), ("reject", Self::Reject)])
    }
}

/// `SourceCidrBlock` and its like; an address alone is a block of one.
impl Awaited for IpNet {
    const WANTED: &'static str = "a CIDR block such as \"10.0.0.0/8\"";

    fn of(value: Plain<'_>) -> Given<Self> {
        let Plain::Text(text) = value else { return value.wrong() };
        let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(Self::from));
        match net {
            Ok(net) => Given::Read(net.trunc()),
            Err(_) if text.is_empty() => Given::Absent,
            Err(_) => value.wrong(),
        }
    }
}

impl Awaited for IpAddr {
    const WANTED: &'static str = "an IP address such as \"10.0.0.4\"";

    fn of(value: Plain<'_>) -> Given<Self> {
        let Plain::Text(text) = value else { return value.wrong() };
        match text.parse() {
            Ok(address) => Given::Read(address),
            Err(_) if text.is_empty() => Given::Absent,
            Err(_) => value.wrong(),
        }
    }
}

/// A text that is safe to show: at most [`MAX_TEXT_LEN`] characters, none of them a control character or one that
/// turns the direction of writing. What is no text is the text of a number, or empty.
#[derive(Default)]
pub(crate) struct Text(pub(crate) String);

impl Awaited for Text {
    const WANTED: &'static str = "a text";

    fn of(value: Plain<'_>) -> Given<Self> {
        Given::Read(Self(match value {
            Plain::Number(number) => number.to_string(),
            Plain::Text(text) => clean(text, MAX_TEXT_LEN),
        }))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Given::<Self>::deserialize(from)? {
            Given::Read(text) => text,
            Given::Absent | Given::Wrong(_) => Self::default(),
        })
    }
}

fn clean(text: &str, len: usize) -> String {
    let is_harmless = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().take(len).map(|c| if is_harmless(c) { c } else { '\u{fffd}' }).collect()
}

impl<'de, T: Awaited> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(GivenVisitor(PhantomData))
    }
}

struct GivenVisitor<T>(PhantomData<T>);

impl<'de, T: Awaited> Visitor<'de> for GivenVisitor<T> {
    type Value = Given<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_unit<E>(self) -> Result<Given<T>, E> {
        Ok(Given::Absent)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Given<T>, E> {
        Ok(Given::Wrong(value.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Given<T>, E> {
        Ok(T::of(Plain::Number(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Given<T>, E> {
        Ok(i64::try_from(number)
            .map_or_else(|_| Given::Wrong(number.to_string()), |n| T::of(Plain::Number(n))))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Given<T>, E> {
        Ok(Given::Wrong(format!("{number:e}")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Given<T>, E> {
        Ok(T::of(Plain::Text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Given<T>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Given::Wrong("a list".into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Given<T>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Given::Wrong("an object".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault<T: Awaited>(json: &str) -> Option<(String, &'static str)> {
        let mut faults = Vec::new();
        serde_json::from_str::<Given<T>>(json).unwrap().or_fault("Field", &mut faults);
        faults.pop().map(|fault| (fault.found, fault.wanted))
    }

    #[test]
    fn what_is_wrong_is_shown_as_it_was_written_and_cut() {
        assert_eq!(fault::<Option<u8>>("300").unwrap().0, "300");
        assert_eq!(fault::<RuleNumber>("\"100\""), Some(("\"100\"".into(), RuleNumber::WANTED)));
        assert_eq!(fault::<u16>("[[{}], 1]").unwrap().0, "a list");
        assert_eq!(fault::<u16>("1e300").unwrap().0, "1e300");
        let long = format!("\"{}\"", "\\u001b".repeat(500));
        assert_eq!(fault::<IpNet>(&long).unwrap().0.chars().count(), MAX_SHOWN_LEN + 2);
    }

    #[test]
    fn what_is_absent_is_no_fault() {
        for json in ["null", "\"\""] {
            assert_eq!((fault::<IpNet>(json), fault::<Action>(json)), (None, None));
        }
        assert_eq!(fault::<Option<u8>>("-1"), None);
    }
}
