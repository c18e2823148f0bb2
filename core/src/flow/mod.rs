//! Flows: who talked to whom inside the mirrored traffic, how much, and how well.
//!
//! ```text
//!  Packet ─ key ─────── fragments ─────── duplicates ───── table ──────── record ─ report
//!           innermost   ports of later    mirrored twice?  slab + index   plain    busiest
//!           5-tuple     pieces                             tcp, service   values   first
//! ```
//!
//! A flow is one mirror session's (or one GWLB endpoint's) innermost 5-tuple, both directions together. GWLB's flow
//! cookie and the VXLAN source port are no part of it: they differ between the two directions of one flow. Two
//! sessions' views of one flow become one flow when the same packet is seen in both (see [`duplicates`]).

pub(crate) mod arrival;
pub mod duplicates;
pub mod entry;
pub mod fragments;
mod idle;
mod index;
pub mod key;
pub mod options;
mod recent;
pub mod record;
pub mod report;
pub(crate) mod segment;
pub mod service;
mod session_index;
mod side;
mod slab;
pub mod table;
pub mod tcp;
#[cfg(test)]
mod testing;
pub mod trace;

pub use key::Endpoint;
pub use options::FlowOptions;
pub use record::{DirectionRecord, EndReason, FlowRecord};
pub use report::{Report, SortKey};
pub use service::{NameSource, ServiceName};
pub use table::{FlowCounters, FlowTable};
pub use tcp::TcpState;
pub use trace::{Placed, Trace};
