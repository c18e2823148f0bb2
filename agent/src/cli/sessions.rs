//! `mirrorscope sessions`: one row for each mirror session of a capture.

use clap::Args as ClapArgs;
use comfy_table::{CellAlignment, Table, presets};
use mirrorscope_core::{
    Packet,
    aws::mirror::NameOf,
    sinks::{
        line::Line,
        sessions::{self, Counters, Key, Sessions},
        time::{self, Clock, Precision, TimeStyle},
    },
};

use super::{aws::files::SourceFiles, format::Format, input::Input};
use crate::{failure::Failure, output::Output, pipeline::Sink, timezone};

/// Print a table of the mirror sessions in a capture
///
/// A session is the endpoint, the VNI and the address of the mirrored interface; the VNI alone would mix
/// sessions. Inline packets and those without a tunnel are counted apart.
#[derive(ClapArgs, Debug)]
#[command(after_help = "\
Examples:
  mirrorscope sessions mirror.pcap
  mirrorscope sessions --csv mirror.pcap > sessions.csv
  mirrorscope sessions --json mirror.pcap | jq 'select(.truncated > 0)'")]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    sources: SourceFiles,

    #[command(flatten)]
    format: Format,

    /// Show times in UTC instead of local time; JSON and CSV always do
    #[arg(long)]
    utc: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let names = args.sources.names()?;
    let mut counter = Counter(Sessions::default());
    let result = args.input.read(true, &mut counter)?;
    let rows = counter.0.rows();
    let lookup = names.lookup();
    let name_of: NameOf<'_> = &|identity| lookup(identity);
    let mut output = Output::new();
    output.print(|line| {
        if args.format.json {
            sessions::print_json(&rows, name_of, line);
        } else if args.format.csv {
            sessions::print_csv(&rows, name_of, line);
        } else if !rows.is_empty() {
            let offset_at = if args.utc { time::utc } else { timezone::local_offset };
            line.str(&table(&rows, name_of, offset_at).trim_fmt()).byte(b'\n');
        }
    })?;
    output.flush()?;
    result
}

struct Counter(Sessions);

impl Sink for Counter {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        self.0.observe(packet);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

const COLUMNS: [&str; 8] = ["endpoint", "vni", "source", "packets", "bytes", "first", "last", "cut"];
const LAST_COLUMN: &str = "undecodable";

fn table(rows: &[(Key, Counters)], name_of: NameOf<'_>, offset_at: time::OffsetAt) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(COLUMNS.iter().chain([&LAST_COLUMN]));
    for (key, counters) in rows {
        table.add_row(row(key, counters, name_of, offset_at));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if matches!(index, 1 | 3 | 4 | 7 | 8) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(key: &Key, counters: &Counters, name_of: NameOf<'_>, offset_at: time::OffsetAt) -> Vec<String> {
    let [endpoint, vni, source] = sessions::identity_cells(key);
    let name = match key {
        Key::Mirrored(identity) => name_of(identity),
        _ => Some(sessions::kind_name(key)),
    };
    let source = name.map_or(source, str::to_owned);
    let endpoint = if endpoint.is_empty() { "-".to_owned() } else { endpoint };
    let numbers = [counters.packets, counters.bytes].map(|number| number.to_string());
    let [first, last] = [counters.first_ns, counters.last_ns].map(|time| date_time(time, offset_at));
    let faults = [counters.truncated, counters.undecodable].map(|number| number.to_string());
    [endpoint, vni, source].into_iter().chain(numbers).chain([first, last]).chain(faults).collect()
}

fn date_time(timestamp_ns: i64, offset_at: time::OffsetAt) -> String {
    let mut line = Line::default();
    Clock::new(TimeStyle::DateTime, Precision::Micro, offset_at).write(timestamp_ns, &mut line);
    String::from_utf8_lossy(line.as_bytes()).trim_end().to_owned()
}
