//! What becomes of a packet: one output, one file.

pub mod line;
pub mod time;
