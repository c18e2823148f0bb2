//! Tables of the text reports: aligned columns, at most 100 characters wide.

use core::fmt::Write;

/// The widest line.
pub(super) const WIDTH: usize = 100;
const INDENT: &str = "  ";

/// A table under construction.
pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

/// Where a column's cells stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    /// Left, and shortened where the line would be too wide.
    Flexible,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Appends the table to `out`, a title line first.
    pub(super) fn write(&self, out: &mut String) {
        let widths = self.widths();
        let titles: Vec<String> = self.columns.iter().map(|(title, _)| (*title).to_owned()).collect();
        for row in core::iter::once(&titles).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                line.push_str(INDENT);
                let cell = shorten(cell, *width);
                // Writing to a string cannot fail.
                let _ = match align {
                    Align::Right => write!(line, "{cell:>width$}"),
                    Align::Left | Align::Flexible => write!(line, "{cell:<width$}"),
                };
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }

    fn widths(&self) -> Vec<usize> {
        let cell_width =
            |column: usize| self.rows.iter().filter_map(move |row| Some(row.get(column)?.chars().count()));
        let titles = self.columns.iter().map(|(title, _)| title.chars().count());
        let mut widths: Vec<usize> =
            titles.enumerate().map(|(at, title)| cell_width(at).fold(title, usize::max)).collect();
        let total: usize = widths.iter().map(|width| width + INDENT.len()).sum();
        let flexible = self.columns.iter().position(|(_, align)| *align == Align::Flexible);
        if let Some(width) = flexible.and_then(|at| widths.get_mut(at)) {
            *width = width.saturating_sub(total.saturating_sub(WIDTH)).max(8).min(*width);
        }
        widths
    }
}

fn shorten(cell: &str, width: usize) -> String {
    match cell.chars().count() <= width {
        true => cell.to_owned(),
        false => cell.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Breaks `text` at spaces into lines of at most [`WIDTH`] characters, each begun with `indent`.
pub(crate) fn wrap(out: &mut String, indent: &str, text: &str) {
    let mut line = indent.to_owned();
    for word in text.split_whitespace() {
        let is_first = line.len() == indent.len();
        if !is_first && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = indent.to_owned();
        } else if !is_first {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

/// A number with its noun: `1 rule`, `2 rules`.
pub(super) fn count(number: impl Into<u64>, noun: &str) -> String {
    match number.into() {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// `part` of `whole` in percent, with one decimal; empty where there is no whole.
pub(super) fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => String::new(),
        whole => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_long_line_is_shortened_to_the_width() {
        let mut table = Table::new(&[("a", Align::Right), ("text", Align::Flexible), ("end", Align::Left)]);
        table.row(["100".into(), "x".repeat(200), "z".into()]);
        let mut out = String::new();
        table.write(&mut out);
        let lines: Vec<_> = out.lines().collect();
        assert!(lines[0].starts_with("    a  text"), "{out}");
        assert!(lines[1].chars().count() <= WIDTH && lines[1].contains('…'), "{out}");
    }

    #[test]
    fn wrapped_text_keeps_within_the_width_and_loses_no_word() {
        let text = "word ".repeat(60);
        let mut out = String::new();
        wrap(&mut out, "    ", &text);
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH && line.starts_with("    word")));
        assert_eq!(out.split_whitespace().count(), 60);
    }
}
