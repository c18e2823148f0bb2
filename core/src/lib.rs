//! What a mirrored packet is, read from its bytes: the decoder, the capture formats, and the words for both.
//!
//! ```text
//!  source                     decode                          filter        sinks
//!  capture file  ─┐                                                     ┌─ text, json, pcapng
//!  UDP 6081      ─┼─ Record ── Stack ── Envelope ────────── Filter ─────┼─ sessions, flows
//!  browser chunk ─┘   │        outer → geneve → ip → udp →              └─ whatever comes next
//!              capture/        vxlan → inner     who mirrored it
//! ```
//!
//! Nothing here knows of an operating system: no file, socket, clock, thread or print.
#![forbid(unsafe_code)]

pub mod app;
pub mod aws;
pub mod capture;
pub mod doctor;
pub mod encap;
pub mod error;
mod express;
pub mod field;
pub mod filter;
pub mod flow;
pub mod flow_log;
pub mod generate;
pub mod index;
pub mod layers;
pub mod order;
pub mod packet;
pub mod record;
pub mod sinks;
pub mod stack;

pub use error::{Cause, DecodeError};
pub use filter::{Filter, FilterError};
pub use layers::Layer;
pub use packet::{Envelope, Packet};
pub use record::{LinkType, Record};
pub use stack::{Decoder, Span, Stack};
