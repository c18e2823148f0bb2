//! What is wrong with a file that is no JSON, or not in the shape that the AWS CLI prints, in words for its reader.
//!
//! The parser speaks of its own types and states; whoever edited a file by hand wants to know what stands there,
//! what belongs there and what to do.

use serde_json::error::Category;

/// What is wrong, and what to do about it; `what` tells which file is wanted.
pub(super) fn explained(error: &serde_json::Error, what: &'static str) -> (String, &'static str) {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    let known = KNOWN.iter().find(|(start, ..)| text.starts_with(start));
    match known {
        Some((_, message, hint)) => ((*message).to_owned(), hint.unwrap_or(what)),
        None => (wrong_type(text), if error.classify() == Category::Eof { AGAIN } else { CORRECT }),
    }
}

const AGAIN: &str = "the file ends early; save the whole output again";
const EDITED: &str = "check for edits by hand, or save the output again with --output json";
const CORRECT: &str = "the value is not what AWS prints there; correct it or save the output again";
const UTF_8: &str = "save it as UTF-8, for example with `iconv -t UTF-8`";

/// How the parser begins to speak, what it means, and what to do: `None` to give the file that is wanted.
const KNOWN: [(&str, &str, Option<&str>); 17] = [
    ("EOF while parsing a list", "the file ends inside a list: `]` is missing", Some(AGAIN)),
    ("EOF while parsing an object", "the file ends inside an object: `}` is missing", Some(AGAIN)),
    ("EOF while parsing a string", "the file ends inside a text: `\"` is missing", Some(AGAIN)),
    ("EOF while parsing", "the file ends where a value should stand", Some(AGAIN)),
    ("expected value", "a value was expected: a text in quotes, a number, a list or an object", Some(EDITED)),
    ("expected ident", "a value was expected; a text needs quotes", Some(EDITED)),
    ("expected `:`", "a colon was expected between a name and its value", Some(EDITED)),
    ("expected `,` or `]`", "a comma or the end of the list was expected", Some(EDITED)),
    ("expected `,` or `}`", "a comma or the end of the object was expected", Some(EDITED)),
    ("trailing comma", "a comma stands before the end of a list or an object", Some(EDITED)),
    ("trailing characters", "something stands behind the end of the output", Some(EDITED)),
    ("key must be a string", "a name in quotes was expected", Some(EDITED)),
    ("control character", "a line break or another control character stands inside a text", Some(EDITED)),
    ("number out of range", "the number is larger than any that AWS prints", Some(CORRECT)),
    ("invalid number", "a number is not finished", Some(EDITED)),
    ("recursion limit", "lists and objects are nested deeper than AWS nests them", None),
    ("invalid unicode", "the text is not UTF-8", Some(UTF_8)),
];

/// From "invalid type: X, expected Y", where Y was said by the types of [`super::describe`].
fn wrong_type(text: &str) -> String {
    let found_and_wanted = match text.strip_prefix("invalid length ") {
        // An object may not be written as a list of its values.
        Some(rest) => rest.split_once(", expected ").map(|(_, wanted)| ("sequence", wanted)),
        None => text.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")),
    };
    let Some((found, wanted)) = found_and_wanted else {
        return match text.strip_prefix("duplicate field ") {
            Some(name) => format!("{name} stands twice in one object"),
            None => text.to_owned(),
        };
    };
    let found = match found.split_once(' ').map_or(found, |(kind, _)| kind) {
        "string" => "a text",
        "integer" | "floating" => "a number",
        "boolean" => "`true` or `false`",
        "map" => "an object",
        "sequence" => "a list",
        _ => "nothing",
    };
    let wanted = match wanted {
        "a sequence" => "a list",
        "a string" => "a text",
        "a boolean" => "`true` or `false`",
        "u8" | "u16" | "u32" | "u64" | "i32" | "i64" | "f64" => "a number",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    format!("here stands {found}; AWS prints {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_speaks_the_parsers_language() {
        for json in [
            "[",
            "{",
            "\"",
            "",
            "x",
            "nul",
            "{\"a\" 1}",
            "[1 2]",
            "{\"a\":1 \"b\"}",
            "[1,]",
            "{1:2}",
            "\"\n\"",
            "1e999",
            "-",
            "{\"a\":1,}",
            "[1] x",
            "\"\\x\"",
            "\"\\ud800\"",
        ] {
            let error = serde_json::from_str::<serde_json::Value>(json).unwrap_err();
            let (message, hint) = explained(&error, "");
            assert!(!message.contains("EOF") && !message.contains("parsing"), "{json}: {message}");
            assert!(!hint.is_empty(), "{json}");
        }
    }

    #[test]
    fn a_wrong_shape_says_what_stands_there_and_what_belongs_there() {
        let error = serde_json::from_str::<Vec<u8>>("{}").unwrap_err();
        assert_eq!(explained(&error, "").0, "here stands an object; AWS prints a list");
    }
}
