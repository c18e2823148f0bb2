//! Where packets end up that needs an operating system: one sink, one file.

pub(crate) mod capture_file;
