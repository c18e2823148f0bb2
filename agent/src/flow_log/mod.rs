//! Flow logs on their way out: records of flows become lines, files by the hour, or messages to a collector.
//!
//! ```text
//!  FlowRecord ─ core::flow_log ─┬─ lines ──────────────────────── standard output
//!                               ├─ a file for each hour ─ outbox ─ folder or bucket
//!                               └─ IPFIX ──────────────────────── collector
//! ```

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use mirrorscope_core::{
    aws::inventory::Inventory,
    flow::FlowRecord,
    flow_log::{LogRecord, Sources, Status, Writer, layout},
    sinks::line::Line,
};

use crate::{failure::Failure, output::Output};

#[cfg(feature = "s3")]
mod bucket;
mod collector;
mod format;
mod outbox;
mod parquet;
pub(crate) mod place;
mod store;

use collector::Collector;
use format::{File, Format};
pub(crate) use outbox::Outbox;
use place::{Place, Target};
use store::{Folder, Store};

/// Encoded octets that finish a file, or less where the spool holds less than four of them.
const FILE_LEN: usize = 32 << 20;
/// Records that finish a file.
const FILE_RECORDS: u64 = 1 << 20;
/// Hours of which files are under construction. A capture of more hours than these, all mixed, has more files.
const OPEN_HOURS: usize = 6;

/// Who writes, and what there is to know.
pub(crate) struct Options {
    /// What stands in all records.
    pub(crate) writer: Writer,
    /// What AWS says of the mirrored interfaces.
    pub(crate) inventory: Inventory,
    /// Tells the files of this run from those of others.
    pub(crate) run: Run,
    /// Where finished files wait that go to a bucket.
    pub(crate) spool: PathBuf,
    /// Octets that may wait.
    pub(crate) spool_len: u64,
    /// Waits for room where too much waits already, instead of losing records.
    pub(crate) waits: bool,
}

impl Options {
    /// For a source that can wait.
    pub(crate) fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }
}

/// What the files of a run have in their names.
#[derive(Debug)]
pub(crate) enum Run {
    /// This, which no other run has.
    Once(String),
    /// What follows from the packets: a second run over the same ones writes the same files, one over others of the same
    /// capture writes others. `choice` tells which ones of it were chosen, the time of the first record which capture.
    OfPackets {
        /// A checksum over what chose them.
        choice: u32,
    },
}

/// One flow log.
pub(crate) struct FlowLog {
    writer: Writer,
    sources: Sources,
    outlet: Outlet,
    lost: u64,
}

enum Outlet {
    Print { print: fn(&LogRecord<'_>, &mut Line), output: Output },
    Files(Files),
    Collector(Collector),
}

/// Files under construction.
struct Files {
    format: Format,
    run: Run,
    number: u64,
    /// Encoded octets that finish a file.
    file_len: usize,
    open: BTreeMap<i64, File>,
    waits: bool,
    outbox: Arc<Outbox>,
    /// Where files are written from here.
    folder: PathBuf,
}

/// What takes the files of a flow log, to be run beside it.
pub(crate) struct Delivery {
    outbox: Arc<Outbox>,
    store: Box<dyn Store>,
}

impl FlowLog {
    /// Opens a flow log; where it goes by files, also what delivers them.
    pub(crate) fn open(target: &Target, options: Options) -> Result<(Self, Option<Delivery>), Failure> {
        let Options { writer, inventory, run, spool, spool_len, waits } = options;
        let files = |spool: Option<PathBuf>, folder: PathBuf, store| {
            let outbox = Outbox::open(spool, spool_len);
            let outbox = outbox.map_err(|error| Failure::write("the spool", &error))?;
            let outbox = Arc::new(outbox);
            let format = target.format;
            let files = Files {
                format,
                run,
                number: 0,
                file_len: FILE_LEN.min(spool_len as usize / 4),
                open: BTreeMap::new(),
                waits,
                outbox: Arc::clone(&outbox),
                folder,
            };
            Ok::<_, Failure>((Outlet::Files(files), Some(Delivery { outbox, store })))
        };
        let (outlet, delivery) = match (&target.place, target.format.print()) {
            (Place::Output, Some(print)) => (Outlet::Print { print, output: Output::new() }, None),
            (Place::Collector { tcp, address }, _) => {
                (Outlet::Collector(Collector::open(*address, *tcp, &writer.agent_id)?), None)
            }
            // A folder takes a file as soon as a spool does.
            (Place::Folder(root), _) => {
                files(None, root.clone(), Box::new(Folder::open(root)?) as Box<dyn Store>)?
            }
            (Place::Bucket { name, prefix }, _) => {
                let spool = spool.join(name).join(prefix.replace('/', "-"));
                files(Some(spool.clone()), spool, open_bucket(name, prefix, writer.region.as_deref())?)?
            }
            (Place::Output, None) => return Err(Failure::new("this format has no lines to print")),
        };
        Ok((Self { writer, sources: Sources::new(inventory), outlet, lost: 0 }, delivery))
    }

    /// A file like those that are written while it is open, for whoever confines the program.
    #[cfg(target_os = "linux")]
    pub(crate) fn writes(&self) -> Option<PathBuf> {
        match &self.outlet {
            Outlet::Files(files) => Some(files.folder.join("file")),
            Outlet::Print { .. } | Outlet::Collector(_) => None,
        }
    }

    /// Tells what a flow did since it was last told of.
    pub(crate) fn flow(&mut self, flow: &FlowRecord) -> Result<(), Failure> {
        let Self { writer, sources, outlet, .. } = self;
        LogRecord::of_flow(writer, flow, sources).try_for_each(|record| outlet.push(&record))
    }

    /// Tells of a time without packets, or in which some were lost.
    pub(crate) fn status(&mut self, status: Status, start_ns: i64, end_ns: i64) -> Result<(), Failure> {
        self.outlet.push(&LogRecord::of_status(&self.writer, status, start_ns, end_ns))
    }

    /// Lets out what need not wait for more.
    pub(crate) fn idle(&mut self) -> Result<(), Failure> {
        match &mut self.outlet {
            Outlet::Files(_) => Ok(()),
            Outlet::Print { .. } | Outlet::Collector(_) => self.roll(),
        }
    }

    /// Counts a record that could not be written.
    pub(crate) fn lose(&mut self) {
        self.lost += 1;
    }

    /// Finishes the files under construction, and sends what waits.
    pub(crate) fn roll(&mut self) -> Result<(), Failure> {
        match &mut self.outlet {
            Outlet::Print { output, .. } => output.flush(),
            Outlet::Files(files) => files.finish_all(&self.writer),
            Outlet::Collector(collector) => {
                collector.flush();
                Ok(())
            }
        }
    }

    /// The last roll; no record follows.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        let rolled = self.roll();
        if let Outlet::Files(files) = &self.outlet {
            files.outbox.close();
        }
        rolled
    }

    /// Records that were lost: the spool was full, or the collector away.
    pub(crate) fn lost_records(&self) -> u64 {
        let unsent = match &self.outlet {
            Outlet::Print { .. } => 0,
            Outlet::Files(files) => {
                files.outbox.counts.lost_records.load(std::sync::atomic::Ordering::Relaxed)
            }
            Outlet::Collector(collector) => collector.lost_records,
        };
        self.lost + unsent
    }
}

impl Outlet {
    fn push(&mut self, record: &LogRecord<'_>) -> Result<(), Failure> {
        match self {
            Self::Print { print, output } => output.print(|line| print(record, line)),
            Self::Files(files) => files.push(record),
            Self::Collector(collector) => {
                collector.push(record);
                Ok(())
            }
        }
    }
}

impl Files {
    fn push(&mut self, record: &LogRecord<'_>) -> Result<(), Failure> {
        if let Run::OfPackets { choice } = self.run {
            self.run = Run::Once(format!("{:x}-{choice:08x}", record.start_ns));
        }
        let hour = layout::hour(record.start_ns);
        if !self.open.contains_key(&hour) {
            if self.open.len() >= OPEN_HOURS
                && let Some((earliest, file)) = self.open.pop_first()
            {
                self.finish(record.writer, earliest, file)?;
            }
            self.open.insert(hour, File::begin(self.format)?);
        }
        let Some(file) = self.open.get_mut(&hour) else { return Ok(()) };
        file.push(record)?;
        if (file.len() >= self.file_len || file.rows >= FILE_RECORDS)
            && let Some(file) = self.open.remove(&hour)
        {
            self.finish(record.writer, hour, file)?;
        }
        Ok(())
    }

    fn finish_all(&mut self, writer: &Writer) -> Result<(), Failure> {
        while let Some((hour, file)) = self.open.pop_first() {
            self.finish(writer, hour, file)?;
        }
        Ok(())
    }

    fn finish(&mut self, writer: &Writer, hour: i64, file: File) -> Result<(), Failure> {
        // Without a record there is no file.
        let Run::Once(run) = &self.run else { return Ok(()) };
        self.number += 1;
        let path = layout::path(writer, hour, run, self.number, self.format.extension());
        let records = file.rows;
        let octets = file.finish()?;
        if self.waits {
            self.outbox.wait_for_room(octets.len() as u64);
        }
        self.outbox.put(path, octets, records);
        Ok(())
    }
}

impl Delivery {
    /// Delivers until the log is finished and everything is there; where the store fails after the end, for so long.
    pub(crate) fn run(mut self, patience: Duration) -> Result<(), Failure> {
        let Err(reason) = self.outbox.deliver(&mut *self.store, patience) else { return Ok(()) };
        let left = self.outbox.waiting_files();
        Err(Failure::new(format_args!("{left} files of flow logs were not delivered: {reason}"))
            .hint("those for a bucket lie in the spool; the next run with this spool delivers them"))
    }

    /// What is known of the deliveries.
    pub(crate) fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }
}

#[cfg(feature = "s3")]
fn open_bucket(name: &str, prefix: &str, region: Option<&str>) -> Result<Box<dyn Store>, Failure> {
    Ok(Box::new(bucket::Bucket::open(name, prefix, region)?))
}

#[cfg(not(feature = "s3"))]
fn open_bucket(_: &str, _: &str, _: Option<&str>) -> Result<Box<dyn Store>, Failure> {
    Err(Failure::new("this program was built without S3"))
}
