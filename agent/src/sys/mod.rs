//! What only the kernel can do and no safe crate offers: the only place where `unsafe` may be written.
//!
//! Each block says why it is sound (`SAFETY:`), and each file has a test that goes through the kernel.
#![allow(unsafe_code, reason = "system calls that have no safe face; kept small and in one place")]

mod bpf;
pub(crate) mod interface;
pub(crate) mod receive;
pub(crate) mod ring;
pub(crate) mod send;
pub(crate) mod socket;
pub(crate) mod steer;
pub(crate) mod tap;
