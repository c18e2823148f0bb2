//! `mirrorscope flows`: the conversations inside the mirrored traffic of a capture, busiest first.

use std::{
    hash::{BuildHasher, RandomState},
    thread,
    time::Duration,
};

use clap::{ArgGroup, Args as ClapArgs, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use mirrorscope_core::{
    Packet,
    aws::mirror::NameOf,
    flow::{
        Endpoint, FlowCounters, FlowOptions, FlowRecord, FlowTable, Report, SortKey,
        options::{DEFAULT_MAX_FLOWS, LARGEST_MAX_FLOWS},
        report::LeftOut,
    },
    sinks::{
        flows::{self, Protocol},
        sessions::{self, Key},
    },
};

use super::{
    aws::files::SourceFiles,
    flow_log::{FlowLogArgs, options_of_logs},
    format::Format,
    input::Input,
};
use crate::{
    failure::Failure,
    flow_log::{
        Delivery, FlowLog, Run,
        place::{Place, Target},
    },
    output::Output,
    pipeline::Sink,
    talk::{counted, say},
};

/// Print the flows of a capture: who talked to whom inside the mirrored traffic
///
/// A flow is the innermost addresses, ports and protocol within one mirror session, both directions together. A
/// packet that was mirrored at both of its ends counts once, and the two sessions' flows become one; so does a packet
/// that one session delivers twice.
#[derive(ClapArgs, Debug)]
#[command(
    group(options_of_logs()),
    group(options_of_tables()),
    after_help = "\
Examples:
  mirrorscope flows mirror.pcap                          a table, the busiest flow first
  mirrorscope flows --sort loss --top 10 mirror.pcap     where the mirror lost most
  mirrorscope flows mirror.pcap 'tcp and port 443'        only some packets, in tcpdump's filter language
  mirrorscope flows --enis enis.json --sessions sessions.json mirror.pcap    with the names of the mirrored
  mirrorscope flows --csv mirror.pcap > flows.csv
  mirrorscope flows --json mirror.pcap | jq 'select(.sent.retransmissions > 0)'
  mirrorscope flows --flow-log vpc mirror.pcap            lines as VPC Flow Logs has them
  mirrorscope flows --flow-log parquet:logs mirror.pcap    a folder that DuckDB, Spark and Athena read:
    duckdb -c \"FROM 'logs/**/*.parquet' SELECT srcaddr, sum(bytes) GROUP BY ALL ORDER BY 2 DESC\"
  mirrorscope flows --flow-log ipfix:udp://127.0.0.1:4739 mirror.pcap    to a collector such as nfcapd

Notes in the table: retr retransmissions, ooo overtaken segments, lost octets that were acknowledged and never
seen, dup copies of the same packets, zwin closed windows, cut packets that were not captured whole.
Exit status: 0 done, 1 failed, 2 the capture is damaged (packets before the damage were counted)."
)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    sources: SourceFiles,

    #[command(flatten)]
    format: Format,

    /// What to sort by
    #[arg(long, value_enum, default_value_t, value_name = "KEY")]
    sort: Sort,

    /// Print the first N flows only; of a table the first 10000 unless this says otherwise
    #[arg(long, value_name = "N")]
    top: Option<usize>,

    /// Count every copy of a packet as a packet, in the flow of the session that shows it
    #[arg(long)]
    keep_duplicates: bool,

    /// Flows in memory at a time, at most 1.5 KiB each; when there are more, the one that was seen least recently
    /// ends. As many are printed, which takes 1 KiB more each
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_FLOWS, value_parser = max_flows)]
    max_flows: usize,

    /// Seconds without a packet that end a TCP flow; 0 for never
    #[arg(long, value_name = "S", default_value_t = 350)]
    tcp_timeout: u32,

    /// Seconds without a packet that end any other flow; 0 for never
    #[arg(long, value_name = "S", default_value_t = 120)]
    timeout: u32,

    #[command(flatten)]
    logs: FlowLogArgs,
}

/// The options that mean nothing where flow logs are written instead.
fn options_of_tables() -> ArgGroup {
    let options = ["json", "csv", "sort", "top"];
    ArgGroup::new("options of tables").args(options).multiple(true).conflicts_with("flow_log")
}

/// The sort keys under the names that core gives them.
#[derive(Clone, Copy, Debug, Default)]
struct Sort(SortKey);

impl ValueEnum for Sort {
    fn value_variants<'a>() -> &'a [Self] {
        const VARIANTS: [Sort; SortKey::ALL.len()] = {
            let mut variants = [Sort(SortKey::Bytes); SortKey::ALL.len()];
            let mut at = 0;
            while at < variants.len() {
                variants[at] = Sort(SortKey::ALL[at].0);
                at += 1;
            }
            variants
        };
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let (_, name) = SortKey::ALL.iter().find(|(key, _)| *key == self.0)?;
        Some(clap::builder::PossibleValue::new(*name))
    }
}

pub(super) fn max_flows(text: &str) -> Result<usize, String> {
    let number = text.parse().map_err(|error| format!("{error}"))?;
    match number {
        1..=LARGEST_MAX_FLOWS => Ok(number),
        _ => Err(format!("not between 1 and {LARGEST_MAX_FLOWS}")),
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if !args.logs.flow_log.is_empty() {
        return log(args);
    }
    let names = args.sources.names()?;
    let limit = args.limit();
    let mut collector =
        Collector { table: FlowTable::new(args.options()), report: Report::new(args.sort.0, limit) };
    let result = args.input.read(true, &mut collector)?;
    let counters = collector.table.counters();
    let (records, left_out) = collector.report.finish();
    let lookup = names.lookup();
    let name_of: NameOf<'_> = &|identity| lookup(identity);
    let mut output = Output::new();
    if args.format.csv {
        output.print(flows::print_csv_header)?;
    }
    if args.format.csv || args.format.json {
        let print = if args.format.csv { flows::print_csv } else { flows::print_json };
        for record in &records {
            output.print(|line| print(record, name_of, line))?;
        }
    } else if !records.is_empty() {
        output.print(|line| {
            line.str(&table(&records, name_of).trim_fmt()).byte(b'\n');
        })?;
    }
    output.flush()?;
    if !args.input.quiet {
        note(&counters, left_out, args);
    }
    result
}

/// How long a bucket that fails after the last packet is tried again. A folder that fails will go on to.
const PATIENCE: Duration = Duration::from_secs(120);

/// Writes flow logs instead of a table.
fn log(args: &Args) -> Result<(), Failure> {
    let targets = args.log_targets();
    let open = targets.iter().map(|target| open_log(args, target)).collect::<Result<Vec<_>, _>>()?;
    let (logs, deliveries): (Vec<_>, Vec<_>) = open.into_iter().unzip();
    let start = |(target, delivery): (&&Target, Option<Delivery>)| {
        let patience = if matches!(target.place, Place::Folder(_)) { Duration::ZERO } else { PATIENCE };
        delivery.map(|delivery| thread::spawn(move || delivery.run(patience)))
    };
    let deliveries: Vec<_> = targets.iter().zip(deliveries).filter_map(start).collect();
    let table = FlowTable::new(args.options());
    let mut logger =
        Logger { table, logs, interval_ns: args.logs.interval_ns(), window: None, result: Ok(()) };
    let mut result = args.input.run(true, &mut logger);
    for delivery in deliveries {
        let delivered = delivery.join();
        result =
            result.and(delivered.unwrap_or_else(|_| Err(Failure::new("the delivery of flow logs died"))));
    }
    if !args.input.quiet {
        note(&logger.table.counters(), LeftOut::default(), args);
    }
    for (target, log) in targets.iter().zip(&logger.logs) {
        result = result.and(match log.lost_records() {
            0 => Ok(()),
            lost => Err(Failure::new(format_args!("{lost} records could not be sent to {}", target.text))),
        });
    }
    result
}

fn open_log(args: &Args, target: &Target) -> Result<(FlowLog, Option<Delivery>), Failure> {
    let name = args.input.file.file_stem().unwrap_or_default().to_string_lossy();
    let mut choice = flate2::Crc::new();
    choice.update(format!("{} {}", args.input.choice(), args.keep_duplicates).as_bytes());
    let run = Run::OfPackets { choice: choice.sum() };
    FlowLog::open(target, args.logs.options(args.sources.read()?, &name, run).waiting())
}

/// Tells of flows when they end, and of those that go on at the end of each interval of the packets' time.
struct Logger {
    table: FlowTable,
    logs: Vec<FlowLog>,
    interval_ns: i64,
    window: Option<i64>,
    result: Result<(), Failure>,
}

impl Logger {
    fn table_and_tell(
        &mut self,
        work: impl FnOnce(&mut FlowTable, &mut dyn FnMut(FlowRecord)),
    ) -> Result<(), Failure> {
        let Self { table, logs, result, .. } = self;
        work(table, &mut |flow| {
            if result.is_ok() {
                *result = logs.iter_mut().try_for_each(|log| log.flow(&flow));
            }
        });
        std::mem::replace(result, Ok(()))
    }
}

impl Sink for Logger {
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        let window = packet.record.timestamp_ns.div_euclid(self.interval_ns);
        // A packet that was overtaken belongs to the window that it comes in.
        if self.window.is_some_and(|last| window > last) {
            self.table_and_tell(|table, mut tell| {
                table.report(0, u32::MAX, &mut tell);
            })?;
        }
        self.window = self.window.max(Some(window));
        self.table_and_tell(|table, mut tell| {
            table.gather(packet, &mut tell);
        })
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.logs.iter_mut().try_for_each(FlowLog::idle)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let told = self.table_and_tell(|table, mut tell| table.finish(&mut tell));
        self.logs.iter_mut().map(FlowLog::finish).fold(told, Result::and)
    }
}

/// Rows of a table, which takes much more memory for each than one line of CSV or JSON.
const MAX_ROWS: usize = 10_000;

impl Args {
    /// What is said twice is written once: both would be the same files.
    fn log_targets(&self) -> Vec<&Target> {
        let mut targets = Vec::new();
        for target in &self.logs.flow_log {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }

    /// Flows to print.
    fn limit(&self) -> usize {
        let is_table = !self.format.json && !self.format.csv;
        self.top.unwrap_or(if is_table { self.max_flows.min(MAX_ROWS) } else { self.max_flows })
    }

    fn options(&self) -> FlowOptions {
        FlowOptions {
            max_flows: self.max_flows,
            tcp_idle_ns: timeout_ns(self.tcp_timeout),
            other_idle_ns: timeout_ns(self.timeout),
            keep_duplicates: self.keep_duplicates,
            seed: RandomState::new().hash_one(0),
            ..FlowOptions::default()
        }
    }
}

fn timeout_ns(seconds: u32) -> u64 {
    match seconds {
        0 => mirrorscope_core::flow::options::NEVER_NS,
        _ => u64::from(seconds) * 1_000_000_000,
    }
}

/// What the printed flows do not show.
fn note(counters: &FlowCounters, left_out: LeftOut, args: &Args) {
    if counters.duplicates > 0 {
        let copies = counted(counters.duplicates, "packet");
        say!("note: {copies} came again, mirrored or delivered another time, and counted once");
        say!("  hint: --keep-duplicates counts each, in the flow of the session that shows it");
    }
    if counters.not_ip > 0 {
        let packets = counted(counters.not_ip, "packet");
        say!("note: {packets} went into no flow: not IP, or not to be read");
    }
    if counters.lone_fragments > 0 {
        let fragments = counted(counters.lone_fragments, "fragment");
        say!("note: {fragments} came without the first one, and counted without ports");
    }
    if counters.evicted > 0 {
        let flows = counted(counters.evicted, "flow");
        say!("note: the table was full: {flows} ended early and may be in several parts");
        say!("  hint: --max-flows holds more than {}", args.max_flows);
    }
    if left_out.flows > 0 && args.top.is_none() {
        let LeftOut { flows, packets, bytes } = left_out;
        let [flows, packets, octets] = [(flows, "further flow"), (packets, "packet"), (bytes, "octet")]
            .map(|(count, noun)| counted(count, noun));
        say!("note: not printed: {flows} ({packets}, {octets})");
        let limit = args.limit();
        match limit < args.max_flows {
            true => say!("  hint: --top prints more than {limit}, --csv and --json all"),
            false => say!("  hint: --max-flows prints more than {limit}"),
        }
    }
}

struct Collector {
    table: FlowTable,
    report: Report,
}

impl Sink for Collector {
    #[inline]
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure> {
        let report = &mut self.report;
        self.table.gather(packet, &mut |flow| report.push(flow));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let report = &mut self.report;
        self.table.finish(&mut |flow| report.push(flow));
        Ok(())
    }
}

const COLUMNS: [&str; 10] =
    ["proto", "client", "server", "service", "packets", "bytes", "seconds", "state", "rtt", "mirror"];
const LAST_COLUMN: &str = "notes";
const NUMBERS: [usize; 4] = [4, 5, 6, 8];

fn table(records: &[FlowRecord], name_of: NameOf<'_>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(COLUMNS.iter().chain([&LAST_COLUMN]));
    for record in records {
        table.add_row(row(record, name_of));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if NUMBERS.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(flow: &FlowRecord, name_of: NameOf<'_>) -> [String; 11] {
    let service = flow.name.as_ref().map(|name| &*name.text).or(flow.service()).unwrap_or("-");
    [
        Protocol(flow.protocol).to_string(),
        endpoint(flow.client),
        endpoint(flow.server),
        service.to_owned(),
        flow.packets().to_string(),
        flow.bytes().to_string(),
        format!("{:.3}", flow.duration_ns() as f64 / 1e9),
        flow.state.map_or("-", |state| state.name()).to_owned(),
        flow.handshake_rtt_ns.map_or("-".to_owned(), |rtt_ns| format!("{:.1} ms", f64::from(rtt_ns) / 1e6)),
        mirror(&flow.session, name_of),
        notes(flow),
    ]
}

fn endpoint(endpoint: Endpoint) -> String {
    match (endpoint.port, endpoint.address.is_ipv6()) {
        (0, _) => endpoint.address.to_string(),
        (port, false) => format!("{}:{port}", endpoint.address),
        (port, true) => format!("[{}]:{port}", endpoint.address),
    }
}

/// The VNI and the address of the mirrored interface tell sessions apart well enough for the eye.
fn mirror(key: &Key, name_of: NameOf<'_>) -> String {
    match key {
        Key::Mirrored(identity) => match name_of(identity) {
            Some(name) => name.to_owned(),
            None => format!("{} {}", identity.vni, identity.source),
        },
        Key::Inline(Some(endpoint_id)) => format!("inline {endpoint_id}"),
        _ => sessions::kind_name(key).to_owned(),
    }
}

fn notes(flow: &FlowRecord) -> String {
    let notes = [
        ("retr", flow.total(|direction| direction.retransmissions.into())),
        ("ooo", flow.total(|direction| direction.out_of_order.into())),
        ("lost", flow.total(|direction| direction.gap_bytes)),
        ("dup", flow.total(|direction| direction.duplicates)),
        ("zwin", flow.total(|direction| direction.zero_windows.into())),
        ("cut", flow.total(|direction| direction.truncated)),
    ];
    let seen = notes.into_iter().filter(|(_, count)| *count > 0);
    seen.map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_key_of_core_can_be_named() {
        let names: Vec<_> =
            Sort::value_variants().iter().filter_map(|sort| sort.to_possible_value()).collect();
        assert_eq!(names.len(), SortKey::ALL.len());
        assert!(matches!(Sort::from_str("loss", false), Ok(Sort(SortKey::Loss))));
    }

    #[test]
    fn an_address_with_a_port_reads_as_in_a_url() {
        let address = std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST);
        assert_eq!(endpoint(Endpoint { address, port: 53 }), "[::1]:53");
        assert_eq!(endpoint(Endpoint { address, port: 0 }), "::1");
    }

    #[test]
    fn a_flow_takes_no_more_memory_than_the_help_says() {
        use mirrorscope_core::flow::service::MAX_NAME_LEN;
        const KIB: usize = 1024;
        let of_all = FlowOptions { max_flows: 1, ..FlowOptions::default() }.memory_bound();
        let of_two = FlowOptions { max_flows: 2, ..FlowOptions::default() }.memory_bound();
        assert!(of_two - of_all <= 15 * KIB / 10, "{}", of_two - of_all);
        // A report holds a quarter more than it prints.
        let printed = (size_of::<FlowRecord>() + MAX_NAME_LEN) * 5 / 4;
        assert!(printed <= KIB, "{printed}");
    }

    #[test]
    fn a_table_of_no_flow_at_all_is_refused() {
        assert_eq!(max_flows("5"), Ok(5));
        assert!(max_flows("0").is_err() && max_flows("99999999999").is_err() && max_flows("x").is_err());
    }
}
