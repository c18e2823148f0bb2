//! Flow logs of the agent, in a thread of their own: takes the flows that ended from the workers, and has those that go
//! on reported at the end of each interval.
//!
//! A worker waits while its table is walked, so that this happens in parts. Intervals are multiples since 1970, as is
//! the age of files, so that those of several agents fit together.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mirrorscope_core::{flow::FlowRecord, flow_log::Status};

use super::Agent;
use crate::{
    failure::Failure,
    flow_log::{Delivery, FlowLog, Outbox},
    talk::say,
};

/// How often ended flows are taken from the workers.
const TICK: Duration = Duration::from_millis(250);
/// Places of a worker's table that are looked at while the worker waits: some hundred microseconds.
const SLOTS: u32 = 1024;
/// What the worker has to itself between two looks.
const BREATH: Duration = Duration::from_micros(200);
/// How long the end waits for a store.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a failure is told of.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// A flow log that is open.
pub(crate) struct OpenLog {
    /// What it is called in metrics and messages.
    pub(crate) name: String,
    /// Where records go.
    pub(crate) log: FlowLog,
    /// What delivers its files.
    pub(crate) delivery: Option<Delivery>,
}

/// When what happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// After so long, flows that go on are reported.
    pub(crate) interval: Duration,
    /// After so long, files are finished.
    pub(crate) files: Duration,
}

/// What the rest of the agent knows of a flow log.
#[derive(Debug)]
pub(crate) struct LogState {
    /// What it is called.
    pub(crate) name: String,
    /// Flows and parts of flows that it was given.
    pub(crate) flows: AtomicU64,
    /// Records that were lost: no room in the spool, or nobody to take them.
    pub(crate) lost: AtomicU64,
    failure: Mutex<Option<String>>,
    outbox: Option<Arc<Outbox>>,
}

impl LogState {
    /// Files that wait for their delivery.
    pub(crate) fn waiting_files(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.waiting_files())
    }

    /// Why it does not work, if it does not.
    pub(crate) fn failure(&self) -> Option<String> {
        let own = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        own.or_else(|| self.outbox.as_ref()?.failure())
    }
}

/// What is known of each of these logs.
pub(super) fn states(logs: &[OpenLog]) -> Vec<Arc<LogState>> {
    let state = |log: &OpenLog| {
        Arc::new(LogState {
            name: log.name.clone(),
            flows: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            failure: Mutex::default(),
            outbox: log.delivery.as_ref().map(Delivery::outbox),
        })
    };
    logs.iter().map(state).collect()
}

/// The thread, while it runs.
pub(super) struct Logging {
    thread: JoinHandle<Result<(), Failure>>,
    stopped: Arc<AtomicBool>,
}

impl Logging {
    /// Starts the thread, if there is any log.
    pub(super) fn start(agent: &Arc<Agent>, logs: Vec<OpenLog>, pace: Pace) -> Option<Self> {
        if logs.is_empty() {
            return None;
        }
        let (agent, stopped) = (Arc::clone(agent), Arc::new(AtomicBool::new(false)));
        let is_stopped = Arc::clone(&stopped);
        let thread = thread::spawn(move || Logger::new(agent, logs, pace).run(&is_stopped));
        Some(Self { thread, stopped })
    }

    /// Writes what is left, when the workers have ended.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.stopped.store(true, Ordering::Release);
        self.thread.join().unwrap_or_else(|_| Err(Failure::new("the thread of flow logs died")))
    }
}

struct Logger {
    agent: Arc<Agent>,
    logs: Vec<FlowLog>,
    deliveries: Vec<JoinHandle<Result<(), Failure>>>,
    pace: Pace,
    window: u64,
    file_window: u64,
    /// Of the interval: flows told of, and what was lost up to its beginning.
    told: u64,
    lost_before: u64,
    /// Flows that could not be taken from the workers.
    lost_flows: u64,
    warned: Option<Instant>,
}

impl Logger {
    fn new(agent: Arc<Agent>, open: Vec<OpenLog>, pace: Pace) -> Self {
        let (mut logs, mut deliveries) = (Vec::new(), Vec::new());
        for OpenLog { log, delivery, .. } in open {
            logs.push(log);
            deliveries.extend(delivery.map(|delivery| thread::spawn(move || delivery.run(PATIENCE))));
        }
        let now = now();
        Self {
            agent,
            logs,
            deliveries,
            pace,
            window: window(now, pace.interval),
            file_window: window(now, pace.files),
            told: 0,
            lost_before: 0,
            lost_flows: 0,
            warned: None,
        }
    }

    fn run(mut self, stopped: &AtomicBool) -> Result<(), Failure> {
        while !stopped.load(Ordering::Acquire) {
            thread::sleep(TICK);
            self.take_ended();
            let now = now();
            if window(now, self.pace.interval) != self.window {
                self.report();
                self.end_interval(now);
            }
            if window(now, self.pace.files) != self.file_window {
                self.file_window = window(now, self.pace.files);
                self.each(FlowLog::roll);
            }
            self.each(FlowLog::idle);
        }
        self.finish()
    }

    fn take_ended(&mut self) {
        for worker in self.agent.clone().workers.iter() {
            let (flows, lost) = worker.state().ended.take();
            self.lost_flows += lost;
            self.tell(&flows);
        }
    }

    /// Tells of the flows that go on, part by part.
    fn report(&mut self) {
        for worker in self.agent.clone().workers.iter() {
            let mut place = Some(0);
            while let Some(from) = place {
                let mut flows = Vec::new();
                place = worker.state().flows.report(from, SLOTS, &mut |flow| flows.push(flow));
                self.tell(&flows);
                thread::sleep(BREATH);
            }
        }
    }

    /// An interval of which nothing was told, or not all, says so.
    fn end_interval(&mut self, now: Duration) {
        let length = self.pace.interval.as_nanos() as i64;
        let [start_ns, end_ns] = [self.window, self.window + 1].map(|window| window as i64 * length);
        let lost = self.lost();
        if lost > self.lost_before {
            self.each(|log| log.status(Status::SkipData, start_ns, end_ns));
        } else if self.told == 0 {
            self.each(|log| log.status(Status::NoData, start_ns, end_ns));
        }
        (self.window, self.told, self.lost_before) = (window(now, self.pace.interval), 0, lost);
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.take_ended();
        for worker in self.agent.clone().workers.iter() {
            let mut flows = Vec::new();
            worker.state().flows.finish(&mut |flow| flows.push(flow));
            self.tell(&flows);
        }
        if self.lost() > self.lost_before {
            self.end_interval(now());
        }
        self.each(FlowLog::finish);
        let mut result = Ok(());
        for delivery in self.deliveries {
            let delivered = delivery.join();
            result = result.and(delivered.unwrap_or_else(|_| Err(Failure::new("a delivery died"))));
        }
        result
    }

    fn tell(&mut self, flows: &[FlowRecord]) {
        self.told += flows.len() as u64;
        for flow in flows {
            self.each(|log| log.flow(flow));
        }
        for state in &self.agent.logs {
            state.flows.fetch_add(flows.len() as u64, Ordering::Relaxed);
        }
    }

    /// Does something with every log. One that fails says so and loses what it was given; the others go on.
    fn each(&mut self, mut work: impl FnMut(&mut FlowLog) -> Result<(), Failure>) {
        for (log, state) in self.logs.iter_mut().zip(&self.agent.logs) {
            let failure = work(log).err().map(|failure| failure.to_string());
            if failure.is_some() {
                log.lose();
            }
            state.lost.store(log.lost_records() + self.lost_flows, Ordering::Relaxed);
            if let Some(reason) = &failure
                && self.warned.is_none_or(|warned| warned.elapsed() >= WARN_EVERY)
            {
                say!("mirrorscope: flow log {}: {reason}", state.name);
                self.warned = Some(Instant::now());
            }
            *state.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        }
    }

    /// Whatever is missing from the logs: packets that the kernel dropped, and records.
    fn lost(&self) -> u64 {
        let records: u64 = self.logs.iter().map(FlowLog::lost_records).sum();
        self.agent.tally().kernel_dropped + self.lost_flows + records
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Which of the times of that length since 1970 it is.
fn window(now: Duration, length: Duration) -> u64 {
    (now.as_nanos() / length.as_nanos().max(1)) as u64
}
