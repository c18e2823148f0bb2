//! What is wrong with a filter's text, where, and what was perhaps meant.

use std::fmt;
use std::ops::Range;

/// Why a filter was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// What is wrong, one line without full stop.
    pub message: String,
    /// The bytes of the text it is about, on character boundaries; empty at the end of the text.
    pub span: Range<usize>,
    /// What to write instead or to do, one line.
    pub suggestion: Option<String>,
}

/// Characters of a long filter shown on each side of the faulty span.
const CONTEXT_CHARS: usize = 60;
/// Characters of the faulty span that are underlined at most.
const UNDERLINE_CHARS: usize = 60;

impl FilterError {
    pub(crate) fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self { message: message.into(), span, suggestion: None }
    }

    pub(crate) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    pub(crate) fn did_you_mean(mut self, word: Option<&str>) -> Self {
        if let Some(word) = word {
            self.suggestion = Some(format!("did you mean `{word}`?"));
        }
        self
    }

    /// The message, the text, and the span underlined below it with the suggestion, in three lines without
    /// colour.
    ///
    /// `text` is what was parsed. Of a long text only the neighbourhood is shown; tabs and other control
    /// characters become spaces, so that the underline stands below what it means.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        let start = floor_boundary(text, self.span.start);
        let end = floor_boundary(text, self.span.end).max(start);
        let before: Vec<char> = text[..start].chars().rev().take(CONTEXT_CHARS + 1).collect();
        let cut_left = before.len() > CONTEXT_CHARS;
        let faulty: Vec<char> = text[start..end].chars().take(UNDERLINE_CHARS + 1).collect();
        let cut_within = faulty.len() > UNDERLINE_CHARS;
        let mut line = String::new();
        if cut_left {
            line.push('…');
        }
        line.extend(before.iter().take(CONTEXT_CHARS).rev().map(|c| printable(*c)));
        let indent = line.chars().count();
        line.extend(faulty.iter().take(UNDERLINE_CHARS).map(|c| printable(*c)));
        if cut_within {
            line.push('…');
        } else {
            line.extend(text[end..].chars().take(CONTEXT_CHARS).map(printable));
            if text[end..].chars().nth(CONTEXT_CHARS).is_some() {
                line.push('…');
            }
        }
        let underline = "^".repeat(faulty.len().clamp(1, UNDERLINE_CHARS));
        let hint = self.suggestion.as_deref().map(|hint| format!(" {hint}")).unwrap_or_default();
        format!("error: {}\n  {line}\n  {}{underline}{hint}", self.message, " ".repeat(indent))
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {} of the filter)", self.message, self.span.start)?;
        match &self.suggestion {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}

/// The candidate nearest to `word` by insertions, deletions, replacements and swaps of neighbours, if it is
/// near enough to be a slip. Of equally near ones the one of equal length wins, then the earlier.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<u8> = word.bytes().take(LONGEST_WORD + 1).map(|b| b.to_ascii_lowercase()).collect();
    let allowed = match word.len() {
        0..=1 => 0,
        2..=3 => 1,
        4..=6 => 2,
        7..=LONGEST_WORD => 3,
        _ => return None,
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST_WORD)
        .map(|candidate| {
            let distance = edit_distance(&word, candidate.as_bytes());
            (distance, candidate.len() != word.len(), candidate)
        })
        .filter(|(distance, ..)| *distance <= allowed)
        .min_by_key(|(distance, other_len, _)| (*distance, *other_len))
        .map(|(.., candidate)| candidate)
}

/// Words longer than this are nobody's slip.
const LONGEST_WORD: usize = 32;

/// Optimal string alignment distance; both words are at most [`LONGEST_WORD`] long.
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows = [[0usize; LONGEST_WORD + 1]; 3];
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        let (now, last, before) = (i % 3, (i + 2) % 3, (i + 1) % 3);
        rows[now][0] = i;
        for j in 1..=b.len() {
            let replace = rows[last][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[last][j] + 1).min(rows[now][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[before][j - 2] + 1);
            }
            rows[now][j] = best;
        }
    }
    rows[a.len() % 3][b.len()]
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_far_ones_are_not() {
        let words = ["proto", "port", "portrange", "host", "vni"];
        assert_eq!(nearest("prot", words), Some("port"));
        assert_eq!(nearest("hsot", words), Some("host"));
        assert_eq!(nearest("nvi", words), Some("vni"));
        assert_eq!(nearest("banana", words), None);
        assert_eq!(nearest(&"p".repeat(10_000), words), None);
    }

    #[test]
    fn a_long_text_is_shown_only_around_the_fault() {
        let text = format!("{}prot {}", "tcp or ".repeat(100), "or udp ".repeat(100));
        let error = FilterError::new("unknown word `prot`", 700..704).did_you_mean(Some("port"));
        let shown = error.render(&text);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 3);
        let column = lines[2].chars().position(|c| c == '^').unwrap();
        let under: String = lines[1].chars().skip(column).take(4).collect();
        assert_eq!(under, "prot");
        assert!(lines[1].chars().count() < 140);
    }

    #[test]
    fn a_text_is_cut_only_where_that_makes_it_shorter() {
        let shown = |before: usize, within: usize, after: usize| {
            let text = ["a".repeat(before), "b".repeat(within), "c".repeat(after)].concat();
            let error = FilterError::new("no", before..before + within);
            error.render(&text).lines().nth(1).unwrap().trim_start().to_owned()
        };
        let whole =
            ["a".repeat(CONTEXT_CHARS), "b".repeat(UNDERLINE_CHARS), "c".repeat(CONTEXT_CHARS)].concat();
        assert_eq!(shown(CONTEXT_CHARS, UNDERLINE_CHARS, CONTEXT_CHARS), whole);
        let cut = shown(CONTEXT_CHARS + 1, 1, CONTEXT_CHARS + 1);
        assert_eq!(cut, format!("…{}b{}…", "a".repeat(CONTEXT_CHARS), "c".repeat(CONTEXT_CHARS)));
        assert_eq!(shown(0, UNDERLINE_CHARS + 1, 0), format!("{}…", "b".repeat(UNDERLINE_CHARS)));
    }

    #[test]
    fn a_span_off_a_character_boundary_does_not_panic() {
        let error = FilterError::new("x", 1..2);
        assert!(error.render("é").contains('^'));
        assert!(error.render("").contains('^'));
    }

    #[test]
    fn two_words_are_as_far_apart_as_the_slips_that_make_one_of_the_other() {
        for (a, b, distance) in [
            ("port", "port", 0),
            ("prot", "port", 1),  // two letters exchanged
            ("pott", "port", 1),  // another letter
            ("prt", "port", 1),   // a letter missing
            ("poort", "port", 1), // a letter too many
            ("", "port", 4),
            ("kitten", "sitting", 3),
            ("on", "no", 1),
            ("abcd", "badc", 2),
        ] {
            assert_eq!(edit_distance(a.as_bytes(), b.as_bytes()), distance, "{a}, {b}");
            assert_eq!(edit_distance(b.as_bytes(), a.as_bytes()), distance, "{b}, {a}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let floors = [0, 1, 2, 3, 4, 9].map(|at| floor_boundary("a€b", at));
        assert_eq!(floors, [0, 1, 1, 1, 4, 5]);
    }
}
