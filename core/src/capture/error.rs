//! Why a capture could not be read further: where, what was wanted, what was there, and what to do.

use std::fmt;

/// The one error of a capture. Every good record before it has been delivered; nothing follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureError {
    /// Which part of the file is wrong.
    pub position: Position,
    /// Octet offset of that part's first octet in the uncompressed input.
    pub offset: u64,
    /// Packets delivered before.
    pub packets: u64,
    /// What is wrong.
    pub cause: Cause,
}

/// A part of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The first octets of the file.
    FileHeader,
    /// A record of a pcap file, counted from 1.
    Record(u64),
    /// A block of a pcapng file, counted from 1 (the first is the section header).
    Block(u64),
}

/// What is wrong with a capture. All lengths are octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The input has no octet.
    Empty,
    /// The input begins like no known capture format.
    NotACapture {
        /// The first octets, as far as there are any.
        magic: [u8; 4],
        /// How many of them there are.
        magic_len: u8,
    },
    /// A format version with an unknown layout.
    UnsupportedVersion {
        /// Major version, 2 in pcap and 1 in pcapng.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The input ends inside a header, record or block.
    Truncated {
        /// How long the part is, as far as its beginning tells.
        needed_len: u64,
        /// How much of it there is.
        had_len: u64,
    },
    /// A record or block claims to be longer than any sound one.
    TooLong {
        /// The length it claims.
        claimed_len: u64,
        /// The longest that is read.
        limit_len: u64,
    },
    /// A block's total length is no multiple of 4, or too short for its fixed fields.
    BlockLen {
        /// The length it claims.
        claimed_len: u32,
    },
    /// A block's trailing length differs from the leading one.
    BlockLenMismatch {
        /// The length in front of the block's body.
        leading_len: u32,
        /// The length behind it.
        trailing_len: u32,
    },
    /// A packet's captured length exceeds its block.
    CapturedLen {
        /// The length the packet claims.
        claimed_len: u32,
        /// What its block has room for.
        room_len: u32,
    },
    /// A packet names an interface that its section did not describe.
    UnknownInterface {
        /// The interface id in the packet block.
        id: u32,
        /// How many interfaces the section described so far.
        known: u32,
    },
    /// More interfaces than [`MAX_INTERFACES`](super::MAX_INTERFACES).
    TooManyInterfaces,
    /// A section header without a valid byte-order magic.
    ByteOrder {
        /// What stands in its place.
        magic: [u8; 4],
    },
    /// A describing block (section, interface) cannot be read although its length is sound.
    Description,
}

impl std::error::Error for CaptureError {}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Empty => write!(f, "the input is empty (0 bytes)")?,
            Cause::NotACapture { .. } => write!(f, "not a capture: {}", self.cause)?,
            cause => write!(f, "{} at byte offset {}: {cause}", self.position, self.offset)?,
        }
        write!(f, "\n  hint: ")?;
        self.cause.hint(self.packets, f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileHeader => write!(f, "file header"),
            Self::Record(number) => write!(f, "record {number}"),
            Self::Block(number) => write!(f, "block {number}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "no bytes"),
            Self::NotACapture { magic, magic_len } => {
                write!(f, "it begins with the bytes")?;
                magic.iter().take(magic_len.into()).try_for_each(|byte| write!(f, " {byte:02x}"))
            }
            Self::UnsupportedVersion { major, minor } => {
                write!(f, "format version {major}.{minor} is not supported")
            }
            Self::Truncated { needed_len, had_len } => {
                write!(f, "the input ends after {had_len} of {needed_len} bytes")
            }
            Self::TooLong { claimed_len, limit_len } => {
                write!(f, "claims {claimed_len} bytes, more than the limit of {limit_len}")
            }
            Self::BlockLen { claimed_len } => write!(f, "impossible block length {claimed_len}"),
            Self::BlockLenMismatch { leading_len, trailing_len } => {
                write!(f, "the block begins with length {leading_len} but ends with length {trailing_len}")
            }
            Self::CapturedLen { claimed_len, room_len } => {
                write!(f, "captured length {claimed_len} in a block with room for {room_len}")
            }
            Self::UnknownInterface { id, known } => {
                write!(f, "interface {id} is not described; the section has described {known}")
            }
            Self::TooManyInterfaces => write!(f, "more than {} interfaces", super::MAX_INTERFACES),
            Self::ByteOrder { magic: [a, b, c, d] } => {
                write!(f, "section header with byte-order magic {a:02x} {b:02x} {c:02x} {d:02x}")
            }
            Self::Description => write!(f, "the block's fields cannot be read"),
        }
    }
}

impl Cause {
    fn hint(&self, packets: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "check that the capture was written, for example with `ls -l`"),
            Self::NotACapture { magic, magic_len } => {
                let magic = magic.get(..usize::from(*magic_len)).unwrap_or(magic);
                write!(f, "{}", magic_hint(magic))
            }
            Self::UnsupportedVersion { .. } => {
                write!(f, "convert it with a tool that knows this version, for example `editcap`")
            }
            Self::Truncated { .. } => write!(
                f,
                "the capture was cut short (copy interrupted, disk full, or still being written); \
                 the {packets} packets before are whole"
            ),
            _ => write!(f, "the capture is damaged here; the {packets} packets before are good"),
        }
    }
}

/// What a file that is no capture probably is.
fn magic_hint(magic: &[u8]) -> &'static str {
    match magic {
        [0x1f, 0x8b, ..] => "this is gzip; decompress it first (`gunzip`)",
        [0x28, 0xb5, 0x2f, 0xfd] => "this is zstd; decompress it first (`unzstd`)",
        [b'B', b'Z', b'h', _] => "this is bzip2; decompress it first (`bunzip2`)",
        [0xfd, b'7', b'z', b'X'] => "this is xz; decompress it first (`unxz`)",
        [0x04, 0x22, 0x4d, 0x18] => "this is lz4; decompress it first (`unlz4`)",
        [b'P', b'K', ..] => "this is a zip archive; unpack it first (`unzip`)",
        [b's', b'n', b'o', b'o'] => "this may be a snoop capture; convert it with `editcap`",
        text if text.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            "this looks like text; a pcap or pcapng file is needed, as `tcpdump -w FILE` writes it"
        }
        _ => "a pcap or pcapng file is needed, as `tcpdump -w FILE` writes it",
    }
}
