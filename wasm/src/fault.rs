//! Faults as JSON text, from which the TypeScript side makes its errors.

use mirrorscope_core::aws::describe::DescribeError;
use mirrorscope_core::{
    capture::{CaptureError, Cause},
    filter::FilterError,
    sinks::{
        json::{self, Object},
        line::Line,
    },
};

use crate::output::text as json_text;

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
    fault(code, message, |json| {
        json.text("hint", hint).uint("packets", error.packets).uint("offset", error.offset);
    })
}

/// A filter that was not understood: `from` and `to` are indices into the JavaScript string.
pub(crate) fn filter(error: &FilterError, text: &str) -> String {
    let [from, to] = [error.span.start, error.span.end].map(|at| utf16(text, at) as u64);
    fault("FILTER", &error.message, |json| {
        json.uint("from", from).uint("to", to).text("rendered", &error.render(text));
        if let Some(suggestion) = &error.suggestion {
            json.text("suggestion", suggestion);
        }
    })
}

/// AWS JSON that could not be read: `line` and `column` count from 1; both are 0 for a fault of the whole text.
pub(crate) fn describe(error: &DescribeError) -> String {
    fault("AWS_JSON", &error.message, |json| {
        json.text("hint", error.hint).uint("line", error.line as u64).uint("column", error.column as u64);
    })
}

fn fault(code: &str, message: &str, more: impl FnOnce(&mut Object<'_>)) -> String {
    let mut line = Line::default();
    json::object(&mut line, |json| more(json.text("code", code).text("message", message)));
    json_text(&line)
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
