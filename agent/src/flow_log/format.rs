//! The formats of flow logs, and a file of one of them under construction in memory.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use mirrorscope_core::{
    flow_log::{LogRecord, lines},
    sinks::line::Line,
};

use super::parquet::Table;
use crate::failure::Failure;

/// How flow logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The default line of VPC Flow Logs.
    Vpc,
    /// JSON lines with every column.
    Json,
    /// Parquet with every column.
    Parquet,
    /// IPFIX messages.
    Ipfix,
}

impl Format {
    /// Every format, as the command line names it.
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("vpc", Self::Vpc), ("json", Self::Json), ("parquet", Self::Parquet), ("ipfix", Self::Ipfix)];

    /// How a record becomes a line, where it does.
    pub(super) fn print(self) -> Option<fn(&LogRecord<'_>, &mut Line)> {
        match self {
            Self::Vpc => Some(lines::print_default),
            Self::Json => Some(lines::print_json),
            Self::Parquet | Self::Ipfix => None,
        }
    }

    /// What the names of its files end with.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Vpc => "gz",
            Self::Json => "json.gz",
            Self::Parquet | Self::Ipfix => "parquet",
        }
    }
}

/// A file of flow logs.
pub(super) struct File {
    content: Content,
    pub(super) rows: u64,
}

enum Content {
    Lines { print: fn(&LogRecord<'_>, &mut Line), line: Line, packed: GzEncoder<Vec<u8>> },
    Table(Table),
}

impl File {
    pub(super) fn begin(format: Format) -> Result<Self, Failure> {
        let content = match format.print() {
            Some(print) => {
                let mut line = Line::default();
                if format == Format::Vpc {
                    lines::print_default_header(&mut line);
                }
                Content::Lines { print, line, packed: GzEncoder::new(Vec::new(), Compression::default()) }
            }
            None => Content::Table(Table::new().map_err(Failure::new)?),
        };
        Ok(Self { content, rows: 0 })
    }

    pub(super) fn push(&mut self, record: &LogRecord<'_>) -> Result<(), Failure> {
        self.rows += 1;
        match &mut self.content {
            Content::Lines { print, line, packed } => {
                print(record, line);
                packed.write_all(line.as_bytes()).map_err(Failure::new)?;
                line.clear();
                Ok(())
            }
            Content::Table(table) => table.push(record).map_err(Failure::new),
        }
    }

    /// Octets so far, less those that are not encoded yet.
    pub(super) fn len(&self) -> usize {
        match &self.content {
            Content::Lines { packed, .. } => packed.get_ref().len(),
            Content::Table(table) => table.len(),
        }
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, Failure> {
        match self.content {
            Content::Lines { packed, .. } => packed.finish().map_err(Failure::new),
            Content::Table(table) => table.finish().map_err(Failure::new),
        }
    }
}
