//! Not written yet.

use super::Ctx;
use crate::sinks::line::Line;

/// Appends the text of one message, a marker of truncation included.
pub(super) fn print(_line: &mut Line, _bytes: &[u8], _wire_len: u32, _ctx: &Ctx<'_>) {}
