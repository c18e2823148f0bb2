//! What becomes of a packet: one output, one file.

pub mod brief;
pub mod csv;
pub mod detail;
pub mod flows;
pub mod json;
pub mod line;
pub mod pcapng;
pub mod sessions;
pub mod tcpdump;
pub mod time;
