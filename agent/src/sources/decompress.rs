//! Compressed input as a plain stream: gzip with any number of members, zstd with any number of frames.
//!
//! What a damaged input still gives before the damage is handed out first, and the error after it. Memory is the
//! decoder's window: 32 KiB for gzip, what the frame asks for up to [`MAX_ZSTD_WINDOW_LEN`] for zstd.

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
        let input = match self.input.fill_buf() {
            Ok(input) => input,
            Err(error) => return (0, Err(error)),
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
            Ok(_) if at_end && written_len == 0 => Err(ErrorKind::UnexpectedEof.into()),
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
/// last block ends it, so that those octets are not lost.
pub(crate) struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
    inside: bool,
    failed: Option<io::Error>,
}

/// A raw block of no octets with the mark of the last one (RFC 8878 section 3.1.1.2), and a checksum that is never
/// compared.
const EMPTY_LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

impl<R: BufRead> Zstd<R> {
    pub(crate) fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_ZSTD_WINDOW_LEN);
        Self { input, decoder, inside: false, failed: None }
    }

    pub(crate) fn input(&self) -> &R {
        &self.input
    }

    /// Begins the next frame; `false` at the end.
    fn begin_frame(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.input) {
                Ok(()) => {
                    self.inside = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    skip(&mut self.input, length.into())?;
                }
                Err(error) => return Err(self.error(error)),
            }
        }
        Ok(false)
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
        let at_end = self.input.fill_buf().is_ok_and(<[u8]>::is_empty);
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
            let decoded = self.decoder.decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1));
            if let Err(error) = decoded {
                let error = self.error(error);
                if self.failed.is_some() || self.end_early().is_err() {
                    return Err(error);
                }
                self.failed = Some(error);
            }
        }
    }
}

fn skip(input: &mut impl BufRead, len: u64) -> io::Result<()> {
    let skipped_len = io::copy(&mut input.take(len), &mut io::sink())?;
    if skipped_len < len { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
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
        assert!(read_all(Zstd::new(&frame[..])).1.is_some());
    }
}
