//! Flow logs as text: the default line of VPC Flow Logs, and JSON lines with every column.

use super::{
    columns::{COLUMNS, Column, Value},
    record::LogRecord,
};
use crate::sinks::{json, line::Line};

/// The version that a line of the default format names.
const DEFAULT_VERSION: u8 = 2;

/// The columns of AWS's default format: those of version 2.
pub fn default_columns() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.version == Some(DEFAULT_VERSION))
}

/// Appends the line that AWS puts at the beginning of a file: the names of the columns.
pub fn print_default_header(line: &mut Line) {
    for (at, column) in default_columns().enumerate() {
        if at > 0 {
            line.byte(b' ');
        }
        line.str(&column.name.replace('_', "-"));
    }
    line.byte(b'\n');
}

/// Appends a record as a line of AWS's default format; `-` stands for what is not known.
pub fn print_default(record: &LogRecord<'_>, line: &mut Line) {
    for (at, column) in default_columns().enumerate() {
        if at > 0 {
            line.byte(b' ');
        }
        match (column.value)(record) {
            _ if column.name == "version" => line.uint(DEFAULT_VERSION),
            Value::Null => line.byte(b'-'),
            Value::Int(value) => line.int(value),
            // A name with a space in it must not look like two columns.
            Value::Text(text) => line.str(&text.replace(char::is_whitespace, "_")),
            Value::Ip(address) => line.ip(address),
        };
    }
    line.byte(b'\n');
}

/// Appends a record as a JSON object with all columns, `null` where there is no value, and a line end.
pub fn print_json(record: &LogRecord<'_>, line: &mut Line) {
    json::object(line, |json| {
        for column in COLUMNS {
            match (column.value)(record) {
                Value::Null => json.null(column.name),
                Value::Int(value) => json.int(column.name, value),
                Value::Text(text) => json.text(column.name, &text),
                Value::Ip(address) => json.ip(column.name, address),
            };
        }
    });
    line.byte(b'\n');
}
