//! Why decoding stopped: which layer, at which octet, what it needed and what was there.
//!
//! The error is `Copy` and holds no text of its own, so that a flood of bad packets costs no allocation.

use core::fmt;

use crate::layers::Layer;

/// Where and why the walk through a packet ended early. Everything before it was read and is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The layer whose header could not be read.
    pub layer: Layer,
    /// Octet of the record at which the unreadable part begins.
    pub offset: u32,
    /// What was wanted: octets for [`Cause::Cut`], the least acceptable value for [`Cause::Bad`].
    pub needed: u32,
    /// What was there, in the same unit.
    pub had: u32,
    /// What kind of fault it is.
    pub cause: Cause,
}

/// The kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The header needs more octets than were captured, or than the layer around it holds.
    Cut,
    /// A field holds a value that its RFC forbids; the text names the field.
    Bad(&'static str),
    /// More layers than [`crate::stack::MAX_LAYERS`].
    TooDeep,
}

/// A fault as a layer's parser reports it: the walker adds the layer and makes the offset absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Octets from the start of the layer.
    pub(crate) at: u32,
    pub(crate) needed: u32,
    pub(crate) had: u32,
    pub(crate) cause: Cause,
}

impl Fault {
    /// The header needs `needed` octets and only `had` are there.
    pub(crate) const fn cut(needed: usize, had: usize) -> Self {
        Self { at: 0, needed: needed as u32, had: had as u32, cause: Cause::Cut }
    }

    /// The field `what`, `at` octets into the header, holds `had` where at least (or exactly) `needed` is right.
    pub(crate) const fn bad(what: &'static str, at: u32, needed: u32, had: u32) -> Self {
        Self { at, needed, had, cause: Cause::Bad(what) }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, offset, needed, had, cause } = self;
        match cause {
            Cause::Cut => write!(f, "{layer} at octet {offset} is cut: {needed} octets needed, {had} there"),
            Cause::Bad(what) => write!(f, "{layer} at octet {offset}: {what} is {had}, not {needed}"),
            Cause::TooDeep => write!(f, "{layer} at octet {offset} lies deeper than {needed} layers"),
        }
    }
}

impl core::error::Error for DecodeError {}
