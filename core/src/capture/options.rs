//! The options of a pcapng block ([draft-ietf-opsawg-pcapng] section 3.5): found by code, read in the section's
//! byte order.
//!
//! `pcap-parser` cuts the list; its own readers of numbers assume little-endian, so the values are read here.
//!
//! [draft-ietf-opsawg-pcapng]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/

use std::borrow::Cow;

use pcap_parser::{OptionCode, PcapNGOption, parse_option_be, parse_option_le};

/// The option `epb_flags` (section 4.3).
const EPB_FLAGS: OptionCode = OptionCode(2);

/// What a pcapng packet block says of its packet beside the octets; read only when asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Annotations<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Annotations<'a> {
    pub(super) fn new(bytes: &'a [u8], big_endian: bool) -> Self {
        Self { bytes, big_endian }
    }

    /// Whether there is any option at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The comments (`opt_comment`), in the file's order.
    pub fn comments(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        self.values(OptionCode::Comment).map(String::from_utf8_lossy)
    }

    /// The link-layer flags (`epb_flags`): direction in bits 0 and 1, reception type in bits 2 to 4.
    #[must_use]
    pub fn flags(&self) -> Option<u32> {
        let value = <[u8; 4]>::try_from(self.values(EPB_FLAGS).next()?).ok()?;
        Some(if self.big_endian { u32::from_be_bytes(value) } else { u32::from_le_bytes(value) })
    }

    fn values(&self, code: OptionCode) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (mut rest, big_endian) = (self.bytes, self.big_endian);
        let options = std::iter::from_fn(move || {
            let parsed = if big_endian {
                parse_option_be::<pcap_parser::PcapError<&[u8]>>(rest)
            } else {
                parse_option_le::<pcap_parser::PcapError<&[u8]>>(rest)
            };
            let (after, option) = parsed.ok()?;
            let value = rest.get(4..4 + usize::from(option.len))?;
            rest = after;
            (option.code != OptionCode::EndOfOpt).then_some((option.code, value))
        });
        options.filter(move |(found, _)| *found == code).map(|(_, value)| value)
    }
}

/// The options of a describing block before its end-of-options mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptionList<'a> {
    pub(super) options: &'a [PcapNGOption<'a>],
    pub(super) big_endian: bool,
}

impl<'a> OptionList<'a> {
    /// The first option of this code, cut to its length.
    pub(super) fn bytes(&self, code: OptionCode) -> Option<&'a [u8]> {
        self.all(code).next()
    }

    /// Every option of this code as text, joined by newlines; `None` where there is none.
    pub(super) fn text(&self, code: OptionCode) -> Option<Box<str>> {
        let mut text: Option<String> = None;
        for value in self.all(code) {
            let value = String::from_utf8_lossy(value);
            let value = value.trim_end_matches('\0');
            match &mut text {
                Some(text) => {
                    text.push('\n');
                    text.push_str(value);
                }
                None => text = Some(value.to_owned()),
            }
        }
        text.map(String::into_boxed_str)
    }

    /// An 8-octet number.
    pub(super) fn u64(&self, code: OptionCode) -> Option<u64> {
        let value = <[u8; 8]>::try_from(self.bytes(code)?).ok()?;
        Some(if self.big_endian { u64::from_be_bytes(value) } else { u64::from_le_bytes(value) })
    }

    /// A timestamp: two 4-octet halves, the high one first in either byte order.
    pub(super) fn ticks(&self, code: OptionCode) -> Option<u64> {
        let value = self.u64(code)?;
        Some(if self.big_endian { value } else { value.rotate_left(32) })
    }

    fn all(&self, code: OptionCode) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let valid = self.options.iter().take_while(|option| option.code != OptionCode::EndOfOpt);
        valid.filter(move |option| option.code == code).filter_map(|option| option.as_bytes().ok())
    }
}
