//! Faults as JSON text, from which the TypeScript side makes its errors.

use mirrorscope_core::{
    aws::describe::DescribeError,
    capture::{CaptureError, Cause},
    filter::FilterError,
};
use serde_json::json;

/// A damaged capture: `code`, `message`, `hint`, `packets` before the damage, `offset` in octets.
pub(crate) fn capture(error: &CaptureError) -> String {
    let text = error.to_string();
    let (message, hint) = text.split_once("\n  hint: ").unwrap_or((&text, ""));
    let code = match error.cause {
        Cause::Empty => "EMPTY",
        Cause::NotACapture { .. } => "NOT_A_CAPTURE",
        Cause::UnsupportedVersion { .. } => "UNSUPPORTED_VERSION",
        Cause::Truncated { .. } => "TRUNCATED",
        _ => "DAMAGED",
    };
    json!({ "code": code, "message": message, "hint": hint, "packets": error.packets, "offset": error.offset })
        .to_string()
}

/// A filter that was not understood: `from` and `to` are indices into the JavaScript string.
pub(crate) fn filter(error: &FilterError, text: &str) -> String {
    let [from, to] = [error.span.start, error.span.end].map(|at| utf16(text, at));
    json!({
        "code": "FILTER", "message": error.message, "from": from, "to": to, "suggestion": error.suggestion,
        "rendered": error.render(text),
    })
    .to_string()
}

/// AWS JSON that could not be read: `line` and `column` count from 1; both are 0 for a fault of the whole text.
pub(crate) fn describe(error: &DescribeError) -> String {
    json!({
        "code": "AWS_JSON", "message": error.message, "hint": error.hint, "line": error.line, "column": error.column,
    })
    .to_string()
}

/// The index in a JavaScript string of byte `at` of the same text.
pub(crate) fn utf16(text: &str, at: usize) -> usize {
    text.char_indices().take_while(|(index, _)| *index < at).map(|(_, c)| c.len_utf16()).sum()
}

/// The byte of `text` at index `at` of the JavaScript string.
pub(crate) fn utf8(text: &str, at: usize) -> usize {
    let mut units = 0;
    for (index, c) in text.char_indices() {
        if units >= at {
            return index;
        }
        units += c.len_utf16();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_as_javascript_counts() {
        let text = "vni 😀 x";
        assert_eq!((utf16(text, 4), utf16(text, 8), utf16(text, 99)), (4, 6, 8));
        assert_eq!((utf8(text, 4), utf8(text, 6), utf8(text, 99)), (4, 8, 10));
    }
}
