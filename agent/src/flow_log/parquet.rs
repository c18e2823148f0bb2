//! A Parquet file under construction in memory: core's columns, all optional, compressed with gzip as AWS's are.

use std::sync::Arc;

use mirrorscope_core::{
    flow_log::{COLUMNS, Kind, LogRecord, Value},
    sinks::line::Line,
};
use parquet::{
    basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical},
    data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};

/// Rows that are gathered before they are encoded: what a file takes in memory beside its encoded octets.
const GROUP_ROWS: usize = 16_384;
/// Present values of an optional column have this level, absent ones level 0.
const PRESENT: i16 = 1;

/// A file.
pub(super) struct Table {
    writer: SerializedFileWriter<Vec<u8>>,
    columns: Vec<Gathered>,
    rows: usize,
    text: Line,
}

/// The values of a column that are not encoded yet, and for each row whether it has one.
struct Gathered {
    values: Values,
    levels: Vec<i16>,
}

enum Values {
    Int(Vec<i32>),
    BigInt(Vec<i64>),
    Text(Vec<ByteArray>),
}

impl Table {
    pub(super) fn new() -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::GZIP(Default::default()))
            .set_created_by(concat!("mirrorscope ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema()?), Arc::new(properties))?;
        let columns = COLUMNS.iter().map(|column| Gathered::new(column.kind)).collect();
        Ok(Self { writer, columns, rows: 0, text: Line::default() })
    }

    pub(super) fn push(&mut self, record: &LogRecord<'_>) -> Result<(), ParquetError> {
        for (column, gathered) in COLUMNS.iter().zip(&mut self.columns) {
            gathered.push((column.value)(record), &mut self.text);
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS { self.encode() } else { Ok(()) }
    }

    /// Octets that are encoded.
    pub(super) fn len(&self) -> usize {
        self.writer.bytes_written()
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        self.encode()?;
        self.writer.into_inner()
    }

    fn encode(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            column.encode(&mut group)?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Gathered {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Int => Values::Int(Vec::new()),
            Kind::BigInt => Values::BigInt(Vec::new()),
            Kind::Text => Values::Text(Vec::new()),
        };
        Self { values, levels: Vec::new() }
    }

    fn push(&mut self, value: Value<'_>, text: &mut Line) {
        let is_present = match (&mut self.values, value) {
            // What 32 bits hold is known of each column of that kind; ports and VNIs have fewer.
            (Values::Int(values), Value::Int(value)) => {
                values.push(i32::try_from(value).unwrap_or(i32::MAX));
                true
            }
            (Values::BigInt(values), Value::Int(value)) => {
                values.push(value);
                true
            }
            (Values::Text(values), Value::Text(value)) => {
                values.push(ByteArray::from(&*value));
                true
            }
            (Values::Text(values), Value::Ip(address)) => {
                text.clear();
                values.push(ByteArray::from(text.ip(address).as_bytes().to_vec()));
                true
            }
            _ => false,
        };
        self.levels.push(if is_present { PRESENT } else { 0 });
    }

    fn encode(&mut self, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Result<(), ParquetError> {
        let Some(mut column) = group.next_column()? else { return Ok(()) };
        let levels = Some(&self.levels[..]);
        match &mut self.values {
            Values::Int(values) => {
                column.typed::<Int32Type>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::BigInt(values) => {
                column.typed::<Int64Type>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::Text(values) => {
                column.typed::<ByteArrayType>().write_batch(values, levels, None)?;
                values.clear();
            }
        }
        self.levels.clear();
        column.close()
    }
}

fn schema() -> Result<Type, ParquetError> {
    let fields: Result<Vec<_>, _> = COLUMNS
        .iter()
        .map(|column| {
            let physical = match column.kind {
                Kind::Int => Physical::INT32,
                Kind::BigInt => Physical::INT64,
                Kind::Text => Physical::BYTE_ARRAY,
            };
            let field =
                Type::primitive_type_builder(column.name, physical).with_repetition(Repetition::OPTIONAL);
            let field = match column.kind {
                Kind::Text => field
                    .with_logical_type(Some(LogicalType::String))
                    .with_converted_type(ConvertedType::UTF8),
                Kind::Int | Kind::BigInt => field,
            };
            field.build().map(Arc::new)
        })
        .collect();
    Type::group_type_builder("flow_log").with_fields(fields?).build()
}
