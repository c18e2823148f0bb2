//! A filter is a yes or no on a packet, written in tcpdump's language with our words for the tunnel.
//!
//! The language is pcap-filter(7) as libpcap 1.10.3 (tcpdump 4.99.3) understands it, oddities included, and is judged on
//! the **mirrored packet**: `tcp port 443` means the traffic of the instance that is mirrored. Beside it stand
//!
//! | test | holds for packets |
//! |---|---|
//! | `vni N` | of mirror sessions with this VXLAN network identifier |
//! | `endpoint vpce-…` | that came through this Gateway Load Balancer endpoint (bare hexadecimal digits also do) |
//! | `source ADDRESS`, `source 10.0.0.0/8` | mirrored by this interface, or one in this network |
//! | `attachment N`, `cookie N` | with this GWLB attachment identifier or flow cookie |
//! | `mirrored`, `inline` | that are copies, or the traffic itself |
//! | `truncated` | of which the capture or the mirror session kept only the beginning |
//! | `outer ( … )` | whose record passes the filter in parentheses from its first byte on: the tunnel's own headers |
//!
//! What one would otherwise get wrong: `and` and `or` have EQUAL precedence; `vlan` moves all that stands right of it; a
//! read behind the captured octets rejects the packet, even under `not`; ports of later fragments are unknown.
//!
//! Different from tcpdump, on purpose: names of hosts are not resolved; `inbound`, `llc` and words for links that are not
//! read here are refused; one filter serves all link types, so a test that a link type cannot answer is false where tcpdump
//! refuses the filter; `protochain` steps over AH by its length, where libpcap forgets what it stepped over before.

mod arithmetic;
mod build;
mod complete;
mod error;
mod eval;
mod frame;
mod lexer;
mod names;
mod parser;
pub mod tree;
mod values;
mod words;

use std::str::FromStr;

pub use complete::{Completion, CompletionKind, MAX_COMPLETIONS, Seen, complete};
pub use error::FilterError;
use tree::Expr;

use crate::packet::Packet;
use crate::record::Record;

/// Longest text of a filter, in bytes.
pub const MAX_TEXT_LEN: usize = 64 * 1024;
/// Deepest nesting of parentheses, `not` and computations.
pub const MAX_DEPTH: usize = 64;
/// Most tests and numbers in one filter.
pub const MAX_NODES: usize = 4096;
/// Most `geneve` in one filter.
pub const MAX_GENEVE: u8 = 4;

/// A filter, parsed once and asked for every packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    expr: Option<Expr>,
}

impl Filter {
    /// Parses `text`; blank text makes a filter that every packet passes.
    ///
    /// # Errors
    /// What is wrong, where, and what was perhaps meant; also where the text is longer, deeper or larger than
    /// [`MAX_TEXT_LEN`], [`MAX_DEPTH`] and [`MAX_NODES`] allow.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_TEXT_LEN {
            let message = format!("the filter has {} bytes, at most {MAX_TEXT_LEN} are read", text.len());
            return Err(FilterError::new(message, 0..0));
        }
        Ok(Self { expr: parser::Parser::new(text).filter()? })
    }

    /// Whether `packet` passes: the mirrored or inline packet is judged, or the whole record where there is no tunnel.
    #[must_use]
    pub fn matches(&self, packet: &Packet<'_>) -> bool {
        self.expr.as_ref().is_none_or(|expr| eval::passes(expr, packet))
    }

    /// Whether `record` passes from its first byte on, as tcpdump would judge it, with no tunnel looked for; words for the
    /// tunnel hold for none.
    #[must_use]
    pub fn matches_record(&self, record: &Record<'_>) -> bool {
        self.expr.as_ref().is_none_or(|expr| eval::passes_record(expr, record))
    }

    /// The parsed tree; `None` for a filter that every packet passes.
    #[must_use]
    pub fn tree(&self) -> Option<&Expr> {
        self.expr.as_ref()
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}
