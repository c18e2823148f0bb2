//! DNS messages (RFC 1035, section 4): the header, the questions, the records and their compressed names.
//!
//! ```text
//!  0              2                4          6          8          10         12
//!  | id           | flags          | questions| answers  | authority| additional| questions, records …
//! ```
//!
//! A name may continue at any earlier place of the message. What one would otherwise get wrong: pointers can
//! form loops. Here each pointer must lead to an earlier place than the one before it did, as every sound
//! writer does it, and a name has at most [`MAX_STEPS`] labels and pointers.

use core::fmt;

/// Octets of the header.
pub const HEADER_LEN: usize = 12;

/// Most labels and pointers that one name is followed through. A name that RFC 1035 allows has at most 127
/// labels; the rest is room for pointers that lead to pointers.
pub const MAX_STEPS: u32 = 512;

/// A message, from its header on; may be cut anywhere.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
}

/// The header's fields (RFC 1035, 4.1.1). The counts are what the header claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Identifies query and response.
    pub id: u16,
    /// QR, opcode, AA, TC, RD, RA, Z, AD, CD and the response code, as they stand on the wire.
    pub flags: u16,
    /// Questions announced.
    pub question_count: u16,
    /// Answers announced.
    pub answer_count: u16,
    /// Authority records announced.
    pub authority_count: u16,
    /// Additional records announced.
    pub additional_count: u16,
}

impl Header {
    /// Whether this is a response (QR).
    pub fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// The kind of query, 0 to 15.
    pub fn opcode(&self) -> u8 {
        (self.flags >> 11) as u8 & 0xf
    }

    /// The response code without the extension that an OPT record may carry, 0 to 15.
    pub fn response_code(&self) -> u8 {
        self.flags as u8 & 0xf
    }
}

/// A question (RFC 1035, 4.1.2).
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The name asked for.
    pub name: Name<'a>,
    /// QTYPE.
    pub record_type: u16,
    /// QCLASS, with mDNS's "QU" bit where that is set.
    pub class: u16,
}

/// A resource record (RFC 1035, 4.1.3).
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The name that it belongs to.
    pub name: Name<'a>,
    /// TYPE.
    pub record_type: u16,
    /// CLASS, with mDNS's "cache flush" bit where that is set; in an OPT record the sender's UDP size.
    pub class: u16,
    /// Seconds; in an OPT record the extended response code, version and flags.
    pub ttl: u32,
    /// Where RDATA begins, in octets from the start of the message.
    pub data_offset: usize,
    /// RDLENGTH in octets. May lead beyond the captured octets.
    pub data_len: u16,
}

impl<'a> Message<'a> {
    /// The message that begins at the first of `bytes`; none if the header is cut.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        (bytes.len() >= HEADER_LEN).then_some(Self { bytes })
    }

    /// The message's captured octets.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The header.
    pub fn header(&self) -> Header {
        let word = |index: usize| self.u16(2 * index).unwrap_or_default();
        Header {
            id: word(0),
            flags: word(1),
            question_count: word(2),
            answer_count: word(3),
            authority_count: word(4),
            additional_count: word(5),
        }
    }

    /// The questions, as far as the octets go.
    pub fn questions(&self) -> Questions<'a> {
        Questions { message: *self, offset: HEADER_LEN, left: self.header().question_count }
    }

    /// Answers, authority and additional records in their order, as far as the octets go.
    pub fn records(&self) -> Records<'a> {
        let header = self.header();
        let mut questions = self.questions();
        let whole = questions.by_ref().count() == usize::from(header.question_count);
        let counts = [header.answer_count, header.authority_count, header.additional_count];
        let left = if whole { counts.map(u32::from).iter().sum() } else { 0 };
        Records { message: *self, offset: questions.offset, left }
    }

    /// The name that begins `offset` octets into the message.
    pub fn name_at(&self, offset: usize) -> Name<'a> {
        Name { message: *self, offset }
    }

    /// The question that begins at `offset`, and the offset behind it.
    pub fn question_at(&self, offset: usize) -> Option<(Question<'a>, usize)> {
        let fixed = self.skip_name(offset)?;
        let [record_type, class] = [self.u16(fixed)?, self.u16(fixed + 2)?];
        Some((Question { name: self.name_at(offset), record_type, class }, fixed + 4))
    }

    /// The record that begins at `offset`. The octets behind it begin at [`Record::end`].
    pub fn record_at(&self, offset: usize) -> Option<Record<'a>> {
        let fixed = self.skip_name(offset)?;
        Some(Record {
            name: self.name_at(offset),
            record_type: self.u16(fixed)?,
            class: self.u16(fixed + 2)?,
            ttl: self.u32(fixed + 4)?,
            data_offset: fixed + 10,
            data_len: self.u16(fixed + 8)?,
        })
    }

    /// The offset behind the name that begins at `offset`, without following its pointer. None where the
    /// name's length octets are cut or unknown; the result may lie beyond the captured octets.
    pub fn skip_name(&self, mut offset: usize) -> Option<usize> {
        loop {
            let length = usize::from(*self.bytes.get(offset)?);
            offset += 1;
            match length & 0xc0 {
                0xc0 => return Some(offset + 1),
                0x40 if length == BIT_LABEL => offset += 1 + bit_label_len(*self.bytes.get(offset)?),
                0 if length == 0 => return Some(offset),
                0 => offset += length,
                _ => return None,
            }
        }
    }

    /// The 16-bit number at `offset`.
    pub fn u16(&self, offset: usize) -> Option<u16> {
        Some(u16::from_be_bytes(*self.bytes.get(offset..)?.first_chunk()?))
    }

    /// The 32-bit number at `offset`.
    pub fn u32(&self, offset: usize) -> Option<u32> {
        Some(u32::from_be_bytes(*self.bytes.get(offset..)?.first_chunk()?))
    }
}

impl Record<'_> {
    /// The offset behind the record's data; may lie beyond the captured octets.
    pub fn end(&self) -> usize {
        self.data_offset + usize::from(self.data_len)
    }
}

/// The name of the first question of a DNS message over UDP: what a lookup was about.
pub fn first_question_name(bytes: &[u8]) -> Option<Name<'_>> {
    let name = Message::parse(bytes)?.questions().next()?.name;
    name.labels().all(|label| label.is_ok()).then_some(name)
}

/// The questions of a message.
#[derive(Clone, Debug)]
pub struct Questions<'a> {
    message: Message<'a>,
    offset: usize,
    left: u16,
}

impl<'a> Iterator for Questions<'a> {
    type Item = Question<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (question, behind) = self.message.question_at(self.offset)?;
        self.offset = behind;
        Some(question)
    }
}

/// The records of a message.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    message: Message<'a>,
    offset: usize,
    left: u32,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let record = self.message.record_at(self.offset)?;
        self.offset = record.end();
        Some(record)
    }
}

/// A name somewhere in a message. Displayed as text with dots and without the last one; octets that are not
/// printable, dots inside a label and backslashes are escaped as RFC 4343 has it.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    message: Message<'a>,
    offset: usize,
}

impl<'a> Name<'a> {
    /// The labels, first to last. After an error there is nothing more.
    pub fn labels(&self) -> Labels<'a> {
        Labels {
            message: self.message,
            next: Some(self.offset),
            pointer_bound: self.offset,
            steps_left: MAX_STEPS,
        }
    }
}

/// One label of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label<'a> {
    /// Octets, at most 63.
    Text(&'a [u8]),
    /// A bit string (RFC 2673, historic): its length in bits, 1 to 256, and its octets.
    Bits(u16, &'a [u8]),
}

/// Why a name ends before its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError<'a> {
    /// The octets end; those of the last label that are there.
    Cut(&'a [u8]),
    /// A pointer that does not lead backwards.
    BadPointer,
    /// A label of the reserved type.
    BadLabelType,
    /// An extended label of this unknown type, 0 to 63.
    UnknownExtension(u8),
    /// More than [`MAX_STEPS`] labels and pointers.
    TooLong,
}

/// The labels of a name.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    message: Message<'a>,
    next: Option<usize>,
    /// The next pointer must lead before this offset.
    pointer_bound: usize,
    steps_left: u32,
}

const BIT_LABEL: usize = 0x41;

/// Octets of a bit label whose length octet is `bits`.
fn bit_label_len(bits: u8) -> usize {
    usize::from(bit_label_bits(bits)).div_ceil(8)
}

/// Zero stands for 256.
fn bit_label_bits(bits: u8) -> u16 {
    if bits == 0 { 256 } else { bits.into() }
}

impl<'a> Iterator for Labels<'a> {
    type Item = Result<Label<'a>, NameError<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.next.take()?;
        match self.step(offset) {
            Ok(Some((label, behind))) => {
                self.next = Some(behind);
                Some(Ok(label))
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl<'a> Labels<'a> {
    /// The label at `offset` and the offset behind it, through any pointers; none at the root.
    fn step(&mut self, mut offset: usize) -> Result<Option<(Label<'a>, usize)>, NameError<'a>> {
        let bytes = self.message.bytes;
        loop {
            self.steps_left = self.steps_left.checked_sub(1).ok_or(NameError::TooLong)?;
            let length = *bytes.get(offset).ok_or(NameError::Cut(&[]))?;
            offset += 1;
            match length & 0xc0 {
                0xc0 => offset = self.follow(length, offset)?,
                0x40 if usize::from(length) == BIT_LABEL => return self.bits(offset).map(Some),
                0x40 => return Err(NameError::UnknownExtension(length & 0x3f)),
                0x80 => return Err(NameError::BadLabelType),
                _ if length == 0 => return Ok(None),
                _ => {
                    let behind = offset + usize::from(length);
                    let text = bytes.get(offset..behind);
                    let rest = || bytes.get(offset..).unwrap_or_default();
                    return Ok(Some((Label::Text(text.ok_or_else(|| NameError::Cut(rest()))?), behind)));
                }
            }
        }
    }

    fn follow(&mut self, high: u8, at: usize) -> Result<usize, NameError<'a>> {
        let low = *self.message.bytes.get(at).ok_or(NameError::Cut(&[]))?;
        let target = usize::from(u16::from_be_bytes([high & 0x3f, low]));
        if target >= self.pointer_bound {
            return Err(NameError::BadPointer);
        }
        self.pointer_bound = target;
        Ok(target)
    }

    fn bits(&self, offset: usize) -> Result<(Label<'a>, usize), NameError<'a>> {
        let bytes = self.message.bytes;
        let bits = *bytes.get(offset).ok_or(NameError::Cut(&[]))?;
        let behind = offset + 1 + bit_label_len(bits);
        let octets = bytes.get(offset + 1..behind).ok_or(NameError::Cut(&[]))?;
        Ok((Label::Bits(bit_label_bits(bits), octets), behind))
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut labels = self.labels().peekable();
        if labels.peek().is_none() {
            return f.write_str(".");
        }
        let mut separator = "";
        for label in labels {
            f.write_str(separator)?;
            separator = ".";
            match label {
                Ok(Label::Text(octets)) => write_escaped(f, octets)?,
                Ok(Label::Bits(bits, octets)) => {
                    f.write_str("\\[x")?;
                    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                    write!(f, "/{bits}]")?;
                }
                Err(_) => f.write_str("…")?,
            }
        }
        Ok(())
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    let is_plain = |octet: &u8| octet.is_ascii_graphic() && !matches!(octet, b'.' | b'\\');
    for run in octets.chunk_by(|one, next| is_plain(one) && is_plain(next)) {
        match (core::str::from_utf8(run), run) {
            (Ok(text), [first, ..]) if is_plain(first) => f.write_str(text)?,
            (_, [odd @ (b'.' | b'\\')]) => write!(f, "\\{}", char::from(*odd))?,
            (_, others) => others.iter().try_for_each(|octet| write!(f, "\\{octet:03}"))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A response with one question and three answers; the answers' names are pointers.
    const RESPONSE: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x02\0\0\0\x01\
        \x03www\x07example\x03com\0\0\x01\0\x01\
        \xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03web\xc0\x10\
        \xc0\x2d\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01\
        \0\0\x29\x10\0\0\0\0\0\0\0";

    fn name(message: &[u8], offset: usize) -> String {
        Message { bytes: message }.name_at(offset).to_string()
    }

    #[test]
    fn header_question_and_records_are_read_through_pointers() {
        let message = Message::parse(RESPONSE).unwrap();
        let header = message.header();
        assert_eq!((header.id, header.opcode(), header.response_code()), (0x1234, 0, 0));
        assert!(header.is_response());
        assert_eq!(first_question_name(RESPONSE).unwrap().to_string(), "www.example.com");
        let records: Vec<_> = message.records().map(|it| (it.name.to_string(), it.record_type)).collect();
        let expected = [("www.example.com", 5), ("web.example.com", 1), (".", 41)];
        assert_eq!(records, expected.map(|(name, kind)| (name.to_owned(), kind)));
        assert_eq!(message.records().map(|it| it.end()).last(), Some(RESPONSE.len()));
    }

    #[test]
    fn pointer_that_does_not_lead_backwards_ends_the_name() {
        for bytes in [&b"\x01a\xc0\x00"[..], b"\x01a\xc0\x02", b"\x01a\xc0\x03", b"\x01a\xff\xff"] {
            let last = Message { bytes }.name_at(0).labels().last();
            assert_eq!(last, Some(Err(NameError::BadPointer)), "{bytes:x?}");
        }
        // A pointer back into a name whose own pointer leads behind it would go round and round.
        let round = b"\x01a\xc0\x04\xc0\x00";
        assert_eq!(name(round, 4), "a.…");
    }

    #[test]
    fn ladder_of_pointers_ends_after_a_stated_number_of_steps() {
        let mut ladder = vec![0, 0];
        for rung in 0..2000u16 {
            ladder.extend((0xc000 | (rung * 2)).to_be_bytes());
        }
        let top = Message { bytes: &ladder }.name_at(ladder.len() - 2);
        assert_eq!(top.labels().last(), Some(Err(NameError::TooLong)));
        assert_eq!(top.labels().count(), 1);
    }

    #[test]
    fn label_that_is_cut_or_of_unknown_type_is_named() {
        let last = |bytes| Message { bytes }.name_at(0).labels().last();
        assert_eq!(last(b"\x03ab"), Some(Err(NameError::Cut(b"ab"))));
        assert_eq!(last(b"\x80"), Some(Err(NameError::BadLabelType)));
        assert_eq!(last(b"\x42"), Some(Err(NameError::UnknownExtension(2))));
        assert_eq!(last(b"\x41\x0c\xab\xc0\0"), Some(Ok(Label::Bits(12, b"\xab\xc0"))));
    }

    #[test]
    fn name_with_control_octets_is_escaped_when_shown() {
        assert_eq!(name(b"\x04a.\x1b\\\x02\xc3\xa9\0", 0), "a\\.\\027\\\\.\\195\\169");
        assert_eq!(name(b"\0", 0), ".");
    }

    #[test]
    fn any_prefix_of_a_message_is_read_without_a_panic() {
        for len in 0..RESPONSE.len() {
            let cut = &RESPONSE[..len];
            if let Some(message) = Message::parse(cut) {
                assert!(message.records().count() <= 3);
                assert_eq!(message.questions().count(), usize::from(len >= 33));
            }
            assert_eq!(first_question_name(cut).is_some(), len >= 33);
        }
    }
}
