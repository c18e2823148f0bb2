//! The push-style reader: bytes go in as they come, records are lent out until more bytes are needed.
//!
//! Memory is bounded whatever the input claims: the buffer holds the octets of one record or describing block that
//! really arrived (at most [`MAX_RECORD_LEN`] and a chunk, and twice that for a moment while it grows), and the
//! descriptions of interfaces have bounds of their own.

use crate::record::{LinkType, Record};

use super::buffer::{Buffer, CHUNK_LEN};
use super::error::{CaptureError, Cause, Position};
use super::interface::{Interface, Interfaces, Section};
use super::options::Annotations;
use super::pcapng::Kind;
use super::{pcap, pcapng};

/// Longest packet record or packet block that is read, in octets. Longer claims are damage: the largest packets
/// that exist (BIG TCP, USB) stay far below.
pub const MAX_RECORD_LEN: u32 = 4 * 1024 * 1024;

/// Longest section header or interface description that is read, in octets.
pub const MAX_DESCRIPTION_LEN: u32 = 256 * 1024;

/// A container format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The classic format: one interface.
    Pcap,
    /// The block format: sections and interfaces.
    Pcapng,
}

/// Reads a capture from bytes that are pushed into it.
///
/// ```
/// use mirrorscope_core::capture::CaptureReader;
///
/// fn packets(mut file: &[u8]) -> Result<u64, mirrorscope_core::capture::CaptureError> {
///     let mut reader = CaptureReader::new();
///     while !file.is_empty() {
///         file = reader.push(file);
///         while let Some(_record) = reader.next()? {}
///     }
///     reader.finish();
///     while let Some(_record) = reader.next()? {}
///     Ok(reader.packets())
/// }
/// assert!(packets(b"not a capture").is_err());
/// ```
#[derive(Debug)]
pub struct CaptureReader {
    buffer: Buffer,
    state: State,
    interfaces: Interfaces,
    current: Option<Current>,
    max_record_len: u32,
    format: Option<Format>,
    ended: bool,
    packets: u64,
    blocks: u64,
    skipped_blocks: u64,
}

#[derive(Debug)]
enum State {
    Start,
    Pcap(pcap::File),
    Pcapng(Pcapng),
    Finished,
}

/// Where a pcapng file stands.
#[derive(Debug, Default)]
struct Pcapng {
    section: Section,
    sections: u32,
    /// Index of the section's first interface in the file's list.
    first_interface: u32,
    skip: Option<Skip>,
}

/// A block that is passed over without being kept.
#[derive(Clone, Copy, Debug)]
struct Skip {
    head: pcapng::Head,
    offset: u64,
    /// Octets before the trailing length that are still to come.
    left: u64,
}

/// A packet's place in the pending octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) timestamp_ns: i64,
    pub(super) interface: u32,
    pub(super) link_type: LinkType,
    pub(super) original_len: u32,
    pub(super) data: (usize, usize),
    pub(super) options: (usize, usize),
    /// Octets to the next record.
    pub(super) total_len: usize,
}

/// The packet found last: its frame, and where its first octet lies in the buffer and in the input.
#[derive(Clone, Copy, Debug)]
struct Current {
    frame: Frame,
    start: usize,
    offset: u64,
}

/// What the pending octets hold.
pub(super) enum Parsed {
    Frame(Frame),
    /// A part of this many octets, not all of which arrived.
    Needs(u64),
}

/// An error before its place is known.
struct Fault {
    cause: Cause,
    offset: u64,
}

impl Default for CaptureReader {
    fn default() -> Self {
        Self::new()
    }
}

impl CaptureReader {
    /// A reader at the beginning of its input.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_record_len(MAX_RECORD_LEN)
    }

    /// A reader that takes longer records for damage. Its memory is bounded by this length and a chunk.
    #[must_use]
    pub fn with_max_record_len(max_record_len: u32) -> Self {
        Self {
            buffer: Buffer::default(),
            state: State::Start,
            interfaces: Interfaces::default(),
            current: None,
            max_record_len: max_record_len.min(1 << 30),
            format: None,
            ended: false,
            packets: 0,
            blocks: 0,
            skipped_blocks: 0,
        }
    }

    /// Copies the beginning of `chunk` into the reader and returns what did not fit yet. Take all records with
    /// [`next`](Self::next) before the rest is pushed.
    #[must_use = "the returned octets were not taken"]
    pub fn push<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let (now, later) = chunk.split_at(chunk.len().min(CHUNK_LEN));
        self.space(now.len()).copy_from_slice(now);
        self.commit(now.len());
        later
    }

    /// Room for `len` octets behind those pushed so far, to read a file into without a copy; [`commit`](Self::commit)
    /// says how many were filled. Take all records first, or the buffer grows.
    pub fn space(&mut self, len: usize) -> &mut [u8] {
        self.current = None;
        self.buffer.space(len)
    }

    /// Takes the first `len` octets of the last [`space`](Self::space).
    pub fn commit(&mut self, len: usize) {
        self.buffer.commit(len);
        if matches!(self.state, State::Finished) {
            self.buffer.clear();
        }
    }

    /// Says that no more octets will come: what is incomplete now is an error.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// The next packet; `None` asks for more octets, or after [`finish`](Self::finish) is the end.
    ///
    /// # Errors
    /// One [`CaptureError`] where the capture is damaged, cut or none at all; afterwards `None` for ever.
    // Not an iterator: the record borrows the reader's buffer.
    #[allow(clippy::should_implement_trait)]
    #[inline(always)]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, CaptureError> {
        Ok(if self.advance()? { self.record() } else { None })
    }

    /// As [`next`](Self::next), but only says whether there is a packet; [`record`](Self::record) lends it. For
    /// callers that fetch more octets in between, where a record lent at once would still be borrowed.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline(always)]
    pub fn advance(&mut self) -> Result<bool, CaptureError> {
        if let State::Pcap(file) = &self.state
            && let Ok(Parsed::Frame(frame)) = file.record(self.buffer.pending())
        {
            self.take(frame);
            return Ok(true);
        }
        self.advance_slowly()
    }

    /// As [`advance`](Self::advance), for everything but a whole pcap record.
    #[inline(never)]
    fn advance_slowly(&mut self) -> Result<bool, CaptureError> {
        self.current = None;
        match self.frame() {
            Ok(Some(frame)) => self.take(frame),
            Ok(None) => return Ok(false),
            Err(fault) => return Err(self.fail(fault)),
        }
        Ok(true)
    }

    #[inline(always)]
    fn take(&mut self, frame: Frame) {
        self.current = Some(Current { frame, start: self.buffer.start(), offset: self.buffer.offset() });
        self.buffer.consume(frame.total_len);
        self.packets += 1;
    }

    /// The packet that was found last; `None` before the first and once octets were added.
    #[inline(always)]
    #[must_use]
    pub fn record(&self) -> Option<Record<'_>> {
        let Current { frame, start, offset } = self.current?;
        Some(Record {
            number: self.packets,
            timestamp_ns: frame.timestamp_ns,
            interface: frame.interface,
            link_type: frame.link_type,
            original_len: frame.original_len,
            offset: offset + frame.data.0 as u64,
            data: self.buffer.slice(start + frame.data.0..start + frame.data.1),
        })
    }

    /// The options of that packet's block; empty in pcap.
    #[must_use]
    pub fn annotations(&self) -> Annotations<'_> {
        let Some(Current { frame, start, .. }) = self.current else { return Annotations::default() };
        let options = self.buffer.slice(start + frame.options.0..start + frame.options.1);
        let big_endian = matches!(&self.state, State::Pcapng(file) if file.section.big_endian);
        Annotations::new(options, big_endian)
    }

    /// The format, once the first octets told.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The interfaces described so far, indexed by [`Record::interface`].
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        self.interfaces.list()
    }

    /// The pcapng section that the last packet stood in.
    #[must_use]
    pub fn section(&self) -> Option<&Section> {
        match &self.state {
            State::Pcapng(file) if file.sections > 0 => Some(&file.section),
            _ => None,
        }
    }

    /// Packets delivered so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Blocks passed over so far because they hold neither packet nor description.
    #[must_use]
    pub fn skipped_blocks(&self) -> u64 {
        self.skipped_blocks
    }

    /// Octets of the uncompressed input that were read so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.buffer.offset()
    }

    #[inline]
    fn frame(&mut self) -> Result<Option<Frame>, Fault> {
        loop {
            match &self.state {
                State::Pcap(file) => {
                    let parsed = file.record(self.buffer.pending()).map_err(|cause| self.fault(cause))?;
                    return match parsed {
                        Parsed::Frame(frame) => Ok(Some(frame)),
                        Parsed::Needs(len) => self.wait(len).map(|()| None),
                    };
                }
                State::Pcapng(_) => return self.next_block(),
                State::Finished => return Ok(None),
                State::Start => {
                    if !self.recognise()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Decides on the format; `false` asks for more octets.
    #[cold]
    fn recognise(&mut self) -> Result<bool, Fault> {
        let pending = self.buffer.pending();
        let start = pending.get(..4).unwrap_or(pending);
        let pcapng = pcapng::SECTION_HEADER_MAGIC.starts_with(start);
        if start.is_empty() && self.ended {
            return Err(self.fault(Cause::Empty));
        }
        if !pcapng && !pcap::has_magic(start) && (start.len() == 4 || self.ended) {
            return Err(self.fault(not_a_capture(start)));
        }
        if pcapng && start.len() == 4 {
            self.state = State::Pcapng(Pcapng::default());
            self.format = Some(Format::Pcapng);
            return Ok(true);
        }
        let Some((&header, _)) = pending.split_first_chunk::<{ pcap::FILE_HEADER_LEN }>() else {
            let needed_len = if pcapng { pcapng::BLOCK_FRAME_LEN } else { pcap::FILE_HEADER_LEN };
            return self.wait(needed_len as u64).map(|()| false);
        };
        let parsed = pcap::parse_file_header(header, self.max_record_len);
        let (file, interface) = parsed.map_err(|cause| self.fault(cause))?;
        self.interfaces.add(interface);
        self.buffer.consume(pcap::FILE_HEADER_LEN);
        self.state = State::Pcap(file);
        self.format = Some(Format::Pcap);
        Ok(true)
    }

    /// Reads blocks up to the next packet.
    #[inline]
    fn next_block(&mut self) -> Result<Option<Frame>, Fault> {
        loop {
            let State::Pcapng(file) = &self.state else { return Ok(None) };
            if let Some(skip) = file.skip
                && !self.pass_over(skip)?
            {
                return Ok(None);
            }
            let State::Pcapng(file) = &self.state else { return Ok(None) };
            let pending = self.buffer.pending();
            if pending.is_empty() {
                return Ok(None);
            }
            let head =
                pcapng::parse_head(pending, file.section.big_endian).map_err(|cause| self.fault(cause))?;
            let Some(head) = head else {
                return self.wait(pcapng::BLOCK_FRAME_LEN as u64).map(|()| None);
            };
            let Some(limit_len) = self.limit(head) else {
                self.skip(head);
                continue;
            };
            if head.total_len > limit_len {
                let cause =
                    Cause::TooLong { claimed_len: head.total_len.into(), limit_len: limit_len.into() };
                return Err(self.fault(cause));
            }
            let Some(block) = pending.get(..head.total_len as usize) else {
                return self.wait(head.total_len.into()).map(|()| None);
            };
            pcapng::check_trailer(head, block).map_err(|cause| self.fault(cause))?;
            let interfaces = self.interfaces.list().get(file.first_interface as usize..).unwrap_or(&[]);
            let frame = match head.kind {
                Kind::EnhancedPacket | Kind::ObsoletePacket => {
                    pcapng::parse_packet(head, block, interfaces, file.first_interface)
                }
                Kind::SimplePacket => {
                    pcapng::parse_simple_packet(head, block, interfaces, file.first_interface)
                }
                _ => {
                    self.describe(head).map_err(|cause| self.fault(cause))?;
                    self.buffer.consume(head.total_len as usize);
                    self.blocks += 1;
                    continue;
                }
            };
            let frame = frame.map_err(|cause| self.fault(cause))?;
            self.blocks += 1;
            return Ok(Some(frame));
        }
    }

    /// The longest block of this kind that is kept whole; `None` where it is passed over.
    #[inline]
    fn limit(&self, head: pcapng::Head) -> Option<u32> {
        match head.kind {
            Kind::EnhancedPacket | Kind::ObsoletePacket | Kind::SimplePacket => Some(self.max_record_len),
            Kind::Section | Kind::Interface => Some(MAX_DESCRIPTION_LEN),
            Kind::Statistics => (head.total_len <= MAX_DESCRIPTION_LEN).then_some(MAX_DESCRIPTION_LEN),
            Kind::Other => None,
        }
    }

    /// Reads a whole describing block at the beginning of the pending octets.
    #[cold]
    fn describe(&mut self, head: pcapng::Head) -> Result<(), Cause> {
        let State::Pcapng(file) = &mut self.state else { return Ok(()) };
        let block = self.buffer.pending().get(..head.total_len as usize).unwrap_or(&[]);
        match head.kind {
            Kind::Section => {
                file.section = pcapng::parse_section(block, file.sections)?;
                file.sections = file.sections.saturating_add(1);
                file.first_interface = self.interfaces.list().len() as u32;
            }
            Kind::Interface => {
                let interface = pcapng::parse_interface(block, file.section.number, head.big_endian)?;
                if !self.interfaces.add(interface) {
                    return Err(Cause::TooManyInterfaces);
                }
            }
            _ => {
                let interfaces = self.interfaces.tail_mut(file.first_interface as usize);
                pcapng::parse_statistics(block, head.big_endian, interfaces)?;
            }
        }
        Ok(())
    }

    fn skip(&mut self, head: pcapng::Head) {
        let (offset, left) = (self.buffer.offset(), u64::from(head.total_len) - 4);
        if let State::Pcapng(file) = &mut self.state {
            file.skip = Some(Skip { head, offset, left });
        }
    }

    /// Passes over a block as far as it arrived; `true` when its end was reached and is sound.
    fn pass_over(&mut self, mut skip: Skip) -> Result<bool, Fault> {
        let len = usize::try_from(skip.left).unwrap_or(usize::MAX).min(self.buffer.pending().len());
        self.buffer.consume(len);
        skip.left -= len as u64;
        let pending = self.buffer.pending();
        let arrived = skip.left == 0 && pending.len() >= 4;
        let fault = |cause| Fault { cause, offset: skip.offset };
        if arrived {
            pcapng::check_trailer(skip.head, pending.get(..4).unwrap_or(&[])).map_err(fault)?;
            self.buffer.consume(4);
            self.blocks += 1;
            self.skipped_blocks += 1;
        } else if self.ended {
            let had_len = self.buffer.offset() + pending.len() as u64 - skip.offset;
            return Err(fault(Cause::Truncated { needed_len: skip.head.total_len.into(), had_len }));
        }
        if let State::Pcapng(file) = &mut self.state {
            file.skip = (!arrived).then_some(skip);
        }
        Ok(arrived)
    }

    /// More octets are needed for a part of `needed_len`: fine while they may come, or where the part has none.
    fn wait(&self, needed_len: u64) -> Result<(), Fault> {
        let had_len = self.buffer.pending().len() as u64;
        if !self.ended || had_len == 0 {
            return Ok(());
        }
        Err(self.fault(Cause::Truncated { needed_len, had_len }))
    }

    #[cold]
    fn fault(&self, cause: Cause) -> Fault {
        Fault { cause, offset: self.buffer.offset() }
    }

    #[cold]
    fn fail(&mut self, fault: Fault) -> CaptureError {
        let position = match self.state {
            State::Pcap(_) => Position::Record(self.packets + 1),
            State::Pcapng(_) => Position::Block(self.blocks + 1),
            State::Start | State::Finished => Position::FileHeader,
        };
        self.state = State::Finished;
        self.buffer.clear();
        CaptureError { position, offset: fault.offset, packets: self.packets, cause: fault.cause }
    }
}

fn not_a_capture(start: &[u8]) -> Cause {
    let mut magic = [0; 4];
    magic.iter_mut().zip(start).for_each(|(to, from)| *to = *from);
    Cause::NotACapture { magic, magic_len: start.len().min(4) as u8 }
}
