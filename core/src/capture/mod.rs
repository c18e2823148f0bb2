//! Capture files, read push-style and written: pcap and pcapng on one side, [`Record`](crate::Record)s on the other.
//!
//! The formats are those of [draft-ietf-opsawg-pcap] and [draft-ietf-opsawg-pcapng]. [`CaptureReader`] takes bytes
//! as they come and lends records out of its own buffer; any chunking gives the same records and the same error.
//! [`PcapngWriter`] appends whole blocks to the caller's buffer.
//!
//! What a reader would otherwise get wrong: the crate `pcap-parser` reads the file header and the blocks that
//! describe (section, interface, statistics), and the packets are framed here by hand, because that crate
//! - waits for as many octets as a record claims, where a claim must be refused before its octets are stored;
//! - allocates a list of options for each packet block that has any, checks no trailing length of unknown blocks,
//!   and hands out a packet's padding as its data;
//! - does not know the obsolete Packet Block, nor the big-endian form of "modified" pcap;
//! - reads numbers in options as little-endian in every section, and has no binary resolution (`if_tsresol` with
//!   its high bit set).
//!
//! [draft-ietf-opsawg-pcap]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/
//! [draft-ietf-opsawg-pcapng]: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/

mod buffer;
mod error;
mod interface;
mod options;
mod pcap;
mod pcapng;
mod reader;
mod timestamp;
mod writer;

pub use buffer::CHUNK_LEN;
pub use error::{CaptureError, Cause, Position};
pub use interface::{Interface, MAX_INTERFACE_TEXT_LEN, MAX_INTERFACES, Section, Statistics};
pub use options::Annotations;
pub use reader::{CaptureReader, Format, MAX_DESCRIPTION_LEN, MAX_RECORD_LEN};
pub use timestamp::Resolution;
pub use writer::{InterfaceHeader, Packet, PcapWriter, PcapngWriter, SectionHeader};
