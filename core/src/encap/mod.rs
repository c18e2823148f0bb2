//! How AWS wraps traffic on its way to an appliance, written instead of read.
//!
//! ```text
//!  mirrored frame ── VXLAN ── UDP 4789 ── IP ─┐
//!                                             ├─ Geneve + three options ── UDP 6081 ── IPv4 ── Ethernet
//!  inline packet ─────────────────────────────┘  [`Datagram::put_payload`]  [`Outer::put_frame`]
//! ```
//!
//! Everything is appended to the caller's buffer, and nothing is allocated for a packet. A socket supplies the
//! outer UDP and IP headers by itself and takes [`Datagram::put_payload`]; a capture needs the whole frame.
//! What a reader would otherwise get wrong: the UDP checksum of VXLAN is 0, that of Geneve is computed.

mod datagram;
mod faults;
mod hash;
mod network;
mod outer;

pub use datagram::{Datagram, MAX_INLINE_LEN, Refused};
pub use faults::{FaultCounts, FaultShares, Faults, Passing};
pub use hash::{flow_hash, mix};
pub use network::{Addresses, MirrorSession, Network, NetworkOptions};
pub use outer::Outer;
