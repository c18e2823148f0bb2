//! Where records come from on this machine.

mod decompress;
mod file;
pub(crate) mod stdin;

pub(crate) use file::{FileSource, STDIN, SourceError};
