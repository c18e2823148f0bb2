//! Flow logs: what a flow did in one interval, as rows that the tools for AWS VPC Flow Logs read.
//!
//! ```text
//!  FlowRecord ── LogRecord ────── columns ─────── text line, JSON line, (agent) Parquet, Athena's table
//!  both ways     one direction    one table       IPFIX message
//!                one interval
//! ```
//!
//! A record is one direction of one flow, because it is so in VPC Flow Logs: `srcaddr` sent these `packets` to
//! `dstaddr`. What belongs to the whole flow, such as round-trip times and names, stands in the records of both
//! directions. The records of a flow hold what it did since the record before, so that sums over records are sums
//! over packets: `packets` and `duplicates` of all records, the packets that are not IP, and copies whose flow had
//! ended ([`crate::flow::FlowCounters`]) are all packets.
//!
//! Columns and their meaning: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>.

pub mod athena;
pub mod columns;
pub mod ipfix;
pub mod layout;
pub mod lines;
pub mod record;
mod sources;

pub use columns::{COLUMNS, Column, Kind, Value};
pub use record::{LogRecord, Status, Writer};
pub use sources::Sources;

#[cfg(test)]
mod tests;
