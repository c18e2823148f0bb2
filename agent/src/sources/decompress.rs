//! Compressed input as a plain stream: gzip with any number of members, zstd with any number of frames.
//!
//! What a damaged input still gives before the damage is handed out first, and the error after it. An input that has
//! nothing yet ([`ErrorKind::WouldBlock`]) is no damage: the next read goes on where it was. Memory is the decoder's
//! window: 32 KiB for gzip, what the frame asks for up to [`MAX_ZSTD_WINDOW_LEN`] for zstd, and a block.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Largest zstd window that is accepted, in octets: what `zstd --long` and `--ultra` write at most by default.
pub(crate) const MAX_ZSTD_WINDOW_LEN: u64 = 128 * 1024 * 1024;

/// First octets of a gzip member (RFC 1952 section 2.3.1).
pub(crate) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// First octets of a zstd frame (RFC 8878 section 3.1.1).
pub(crate) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Window of deflate as zlib counts it: 2 to this power octets, the format's maximum.
const DEFLATE_WINDOW_BITS: u8 = 15;

/// Decompresses gzip, checks its checksums, and ignores what follows the last member, as `gzip -d` does.
///
/// `flate2`'s own reader drops up to a whole buffer of good octets when it meets damage; this one does not.
pub(crate) struct Gzip<R> {
    input: R,
    inflate: Decompress,
    member: Member,
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Inside,
    Between,
}

impl<R: BufRead> Gzip<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            inflate: Decompress::new_gzip(DEFLATE_WINDOW_BITS),
            member: Member::Inside,
            failed: None,
        }
    }

    pub(crate) fn input(&self) -> &R {
        &self.input
    }

    pub(crate) fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// Begins the next member; `false` at the end.
    fn begin_member(&mut self) -> io::Result<bool> {
        // One octet decides when the buffer ends between the two; a wrong second one is found by the decoder.
        let next = self.input.fill_buf()?;
        if next.is_empty() || !next.iter().zip(GZIP_MAGIC).all(|(found, magic)| *found == magic) {
            return Ok(false);
        }
        self.inflate.reset(true);
        self.member = Member::Inside;
        Ok(true)
    }

    /// One step of the decoder: octets written, and whether it can go on.
    fn inflate(&mut self, out: &mut [u8]) -> (usize, io::Result<()>) {
        let (input, absent) = match self.input.fill_buf() {
            Ok(input) => (input, None),
            // What the decoder has got out of the octets before need not wait.
            Err(error) => (&[][..], Some(error)),
        };
        let at_end = input.is_empty();
        let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, out, FlushDecompress::None);
        let taken_len = (self.inflate.total_in() - in_before) as usize;
        let written_len = (self.inflate.total_out() - out_before) as usize;
        self.input.consume(taken_len);
        let result = match status {
            Ok(Status::StreamEnd) => {
                self.member = Member::Between;
                Ok(())
            }
            Ok(_) if at_end && written_len == 0 => {
                Err(absent.unwrap_or_else(|| ErrorKind::UnexpectedEof.into()))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(io::Error::new(ErrorKind::InvalidData, error)),
        };
        (written_len, result)
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if out.is_empty() || (self.member == Member::Between && !self.begin_member()?) {
                return Ok(0);
            }
            let (written_len, result) = self.inflate(out);
            self.failed = result.err();
            if written_len > 0 {
                return Ok(written_len);
            }
        }
    }
}

/// Decompresses zstd, checks its checksums, and passes over skippable frames.
///
/// `ruzstd` keeps a window of decoded octets back until a frame ends; where a frame is damaged or cut, an empty
/// last block ends it, so that those octets are not lost. It cannot go on in the middle of a block either, so that a
/// block is gathered before it is decoded.
pub(crate) struct Zstd<R> {
    input: R,
    /// The next header or block, as far as it came.
    ahead: Vec<u8>,
    /// Octets of a skippable frame that are still to come.
    skip_len: u64,
    decoder: FrameDecoder,
    has_checksum: bool,
    inside: bool,
    failed: Option<io::Error>,
}

/// Longest header of a frame with its magic number (RFC 8878 section 3.1.1.1), octets. No frame that holds anything is
/// much shorter.
const MAX_FRAME_HEADER_LEN: usize = 18;
/// Of the frame header's descriptor, which follows the magic number: a checksum follows the last block.
const CHECKSUM_FLAG: u8 = 1 << 2;
/// Header of a block, octets.
const BLOCK_HEADER_LEN: usize = 3;
/// Of a skippable frame: octets that are passed over at a time.
const SKIP_LEN: u64 = 64 * 1024;

/// A raw block of no octets with the mark of the last one (RFC 8878 section 3.1.1.2), and a checksum that is never
/// compared.
const EMPTY_LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

impl<R: BufRead> Zstd<R> {
    pub(crate) fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_ZSTD_WINDOW_LEN);
        Self {
            input,
            ahead: Vec::new(),
            skip_len: 0,
            decoder,
            has_checksum: false,
            inside: false,
            failed: None,
        }
    }

    pub(crate) fn input(&self) -> &R {
        &self.input
    }

    pub(crate) fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// Begins the next frame; `false` at the end.
    fn begin_frame(&mut self) -> io::Result<bool> {
        loop {
            self.skip()?;
            self.gather(MAX_FRAME_HEADER_LEN)?;
            if self.ahead.is_empty() {
                return Ok(false);
            }
            let descriptor = self.ahead.get(ZSTD_MAGIC.len()).copied().unwrap_or_default();
            match self.decode(|decoder, input| decoder.reset(input)) {
                Ok(()) => {
                    self.has_checksum = descriptor & CHECKSUM_FLAG != 0;
                    self.inside = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => self.skip_len = length.into(),
                Err(FrameDecoderError::WindowSizeTooBig { requested, max }) => {
                    let message = format!(
                        "to decompress it takes {} MiB of memory, and at most {} MiB are given to that",
                        requested.div_ceil(1 << 20),
                        max >> 20
                    );
                    return Err(io::Error::new(ErrorKind::Unsupported, message));
                }
                Err(error) => return Err(self.error(error)),
            }
        }
    }

    /// Passes over what is left of a skippable frame.
    fn skip(&mut self) -> io::Result<()> {
        while self.skip_len > 0 {
            let len = self.skip_len.min(SKIP_LEN) as usize;
            self.gather(len)?;
            if self.ahead.len() < len {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.ahead.drain(..len);
            self.skip_len -= len as u64;
        }
        Ok(())
    }

    /// Reads on until so many octets are ahead, or all that there are.
    fn gather(&mut self, len: usize) -> io::Result<()> {
        while self.ahead.len() < len {
            let input = self.input.fill_buf()?;
            if input.is_empty() {
                break;
            }
            let taken = &input[..input.len().min(len - self.ahead.len())];
            self.ahead.extend_from_slice(taken);
            let taken_len = taken.len();
            self.input.consume(taken_len);
        }
        Ok(())
    }

    /// Gathers a block, and the checksum that may follow it (RFC 8878 section 3.1.1.2).
    fn gather_block(&mut self) -> io::Result<()> {
        const LAST: u32 = 1;
        const ONE_OCTET_REPEATED: u32 = 1;
        self.gather(BLOCK_HEADER_LEN)?;
        let Some(&[low, middle, high]) = self.ahead.first_chunk() else { return Ok(()) };
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let body_len = if (header >> 1) & 3 == ONE_OCTET_REPEATED { 1 } else { (header >> 3) as usize };
        let checksum_len = if self.has_checksum && header & LAST != 0 { 4 } else { 0 };
        self.gather(BLOCK_HEADER_LEN + body_len + checksum_len)
    }

    /// Lets the decoder have what is ahead; what it leaves stays there.
    fn decode<T>(&mut self, work: impl FnOnce(&mut FrameDecoder, &mut &[u8]) -> T) -> T {
        let mut left = self.ahead.as_slice();
        let result = work(&mut self.decoder, &mut left);
        let used_len = self.ahead.len() - left.len();
        self.ahead.drain(..used_len);
        result
    }

    fn decode_block(&mut self) -> io::Result<()> {
        self.gather_block()?;
        let decoded =
            self.decode(|decoder, input| decoder.decode_blocks(input, BlockDecodingStrategy::UptoBlocks(1)));
        decoded.map(drop).map_err(|error| self.error(error))
    }

    fn end_early(&mut self) -> Result<bool, FrameDecoderError> {
        self.decoder.decode_blocks(&EMPTY_LAST_BLOCK[..], BlockDecodingStrategy::UptoBlocks(1))
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.inside = false;
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(stored), Some(calculated)) if stored != calculated => {
                Err(io::Error::new(ErrorKind::InvalidData, "zstd checksum does not match"))
            }
            _ => Ok(()),
        }
    }

    /// The decoder reports a missing end as one of many errors; what tells it is that nothing is left to read.
    fn error(&mut self, error: FrameDecoderError) -> io::Error {
        let at_end = self.ahead.is_empty() && self.input.fill_buf().is_ok_and(<[u8]>::is_empty);
        io::Error::new(
            if at_end { ErrorKind::UnexpectedEof } else { ErrorKind::InvalidData },
            error.to_string(),
        )
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if out.is_empty() || (!self.inside && !self.begin_frame()?) {
                return Ok(0);
            }
            let written_len = self.decoder.read(out)?;
            if written_len > 0 {
                return Ok(written_len);
            }
            if self.decoder.is_finished() {
                self.end_frame()?;
                continue;
            }
            match self.decode_block() {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    return Err(error);
                }
                Err(error) if self.failed.is_some() || self.end_early().is_err() => return Err(error),
                Err(error) => self.failed = Some(error),
                Ok(()) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).expect("a Vec takes all");
        encoder.finish().expect("a Vec takes all")
    }

    fn zstd(plain: &[u8]) -> Vec<u8> {
        compress_to_vec(plain, CompressionLevel::Fastest)
    }

    fn read_all(mut input: impl Read) -> (Vec<u8>, Option<ErrorKind>) {
        let (mut plain, mut piece) = (Vec::new(), [0; 1000]);
        loop {
            match input.read(&mut piece) {
                Ok(0) => return (plain, None),
                Ok(len) => plain.extend_from_slice(&piece[..len]),
                Err(error) => return (plain, Some(error.kind())),
            }
        }
    }

    #[test]
    fn all_members_and_frames_are_read_one_after_another() {
        let gzip = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
        assert_eq!(read_all(Gzip::new(&gzip[..])), (b"one two".to_vec(), None));
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let zstd = [&zstd(b"one ")[..], &skippable, &zstd(b"two")].concat();
        assert_eq!(read_all(Zstd::new(&zstd[..])), (b"one two".to_vec(), None));
    }

    #[test]
    fn what_follows_the_last_gzip_member_is_ignored() {
        let padded = [&gzip(b"one")[..], &[0; 512]].concat();
        assert_eq!(read_all(Gzip::new(&padded[..])), (b"one".to_vec(), None));
    }

    #[test]
    fn a_cut_input_gives_its_beginning_and_then_says_that_it_is_cut() {
        let plain: Vec<u8> =
            (0..200_000_u32).flat_map(|number| number.wrapping_mul(number).to_le_bytes()).collect();
        let gzip = gzip(&plain);
        for cut in [gzip.len() / 2, gzip.len() - 9, gzip.len() - 1] {
            let (read, error) = read_all(Gzip::new(&gzip[..cut]));
            assert!(read.len() > plain.len() / 3 && plain.starts_with(&read), "{cut}: {}", read.len());
            assert_eq!(error, Some(ErrorKind::UnexpectedEof), "{cut}");
        }
        let zstd = zstd(&plain);
        let (read, error) = read_all(Zstd::new(&zstd[..zstd.len() / 2]));
        assert!(read.len() > plain.len() / 3 && plain.starts_with(&read), "{}", read.len());
        assert_eq!(error, Some(ErrorKind::UnexpectedEof));
    }

    /// Gives a few octets at a time, and has nothing yet before each of them.
    struct Slow<'a> {
        left: &'a [u8],
        has_some: bool,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.has_some = !self.has_some;
            match self.has_some {
                true => Err(ErrorKind::WouldBlock.into()),
                false => (&mut self.left).take(5).read(out),
            }
        }
    }

    #[test]
    fn an_input_that_has_nothing_yet_is_read_on_where_it_was() {
        let plain: Vec<u8> = (0..20_000_u32).flat_map(|number| (number * number).to_le_bytes()).collect();
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 9, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        let slow = |octets| io::BufReader::new(Slow { left: octets, has_some: false });
        let [gzip, zstd] =
            [[gzip(&plain), gzip(b"end")].concat(), [&zstd(&plain)[..], &skippable, &zstd(b"end")].concat()];
        let inputs: [Box<dyn Read + '_>; 2] =
            [Box::new(Gzip::new(slow(&gzip))), Box::new(Zstd::new(slow(&zstd)))];
        for mut input in inputs {
            let (mut read, mut piece, mut waits) = (Vec::new(), [0; 1000], 0);
            loop {
                match input.read(&mut piece) {
                    Ok(0) => break,
                    Ok(len) => read.extend_from_slice(&piece[..len]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => waits += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            assert!(read.ends_with(b"end") && read.starts_with(&plain) && read.len() == plain.len() + 3);
            assert!(waits > 1000, "{waits}");
        }
    }

    #[test]
    fn a_changed_octet_is_found_by_the_checksum() {
        let mut gzip = gzip(b"some octets that are stored");
        let crc = gzip.len() - 8;
        gzip[crc] ^= 1;
        assert_eq!(read_all(Gzip::new(&gzip[..])).1, Some(ErrorKind::InvalidData));
    }

    #[test]
    fn a_huge_zstd_window_is_refused() {
        // Magic, descriptor without single segment, window descriptor 2^(10+30), then an empty last block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 30 << 3, 0x01, 0x00, 0x00];
        assert_eq!(read_all(Zstd::new(&frame[..])).1, Some(ErrorKind::Unsupported));
    }
}
