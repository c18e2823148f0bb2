//! Where packets end up that needs an operating system: one sink, one file.

pub(crate) mod capture_file;
#[cfg(target_os = "linux")]
pub(crate) mod lines;
#[cfg(target_os = "linux")]
pub(crate) mod rotation;
#[cfg(target_os = "linux")]
pub(crate) mod runner;
#[cfg(target_os = "linux")]
pub(crate) mod tap;
#[cfg(target_os = "linux")]
pub(crate) mod vxlan;
