//! Where records come from on this machine.

mod decompress;
mod file;
mod patience;

pub(crate) use file::{FileSource, STDIN, SourceError};
