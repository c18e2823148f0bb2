//! The agent: receives what GWLB sends on UDP 6081, and hands it on until it is told to stop.
//!
//! The line of data is that of the other commands, source → decode → filter → sinks. It runs in the workers, a
//! thread and a socket each. Beside it stand the sinks' threads, the health and the API listener, and this
//! file's loop, which looks after all of them.

use std::{
    net::SocketAddr,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use mirrorscope_core::{Decoder, flow::FlowOptions};
use sd_notify::NotifyState;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    failure::Failure,
    http,
    sinks::runner::{self, SinkState, Wanted},
    talk::say,
};

mod check;
mod ended;
pub(crate) mod feed;
pub(crate) mod flow_logs;
mod gather;
mod inline;
pub(crate) mod intake;
mod news;
mod outer;
pub(crate) mod privileges;
pub(crate) mod settings;
mod sockets;
pub(crate) mod tally;
mod worker;

pub(crate) use self::{check::check, worker::Worker};
use feed::{Feed, Hub};
use flow_logs::{LogState, Logging, OpenLog, Pace};
use inline::ReturnPath;
use intake::{Intake, Receive, Way};
use news::Warnings;
use privileges::{Need, Paths};
use settings::{Mode, Settings, Shared};
use tally::Tally;
use worker::Loop;

/// A worker whose loop has not turned for so long is stuck. It turns ten times a second without any traffic.
const WORKER_BOUND: Duration = Duration::from_secs(2);
/// How long a worker that died stays down, so that what kills it again and again does not take all the time.
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// A sink that has not looked into its queue for so long is stuck.
const SINK_BOUND: Duration = Duration::from_secs(10);
/// How long the end waits for sinks that do not take what is queued.
const SINK_PATIENCE: Duration = Duration::from_secs(10);
/// How often the loop of this file looks around.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is to be done, as the command line said it.
pub(crate) struct Plan {
    /// How to receive.
    pub(crate) way: Way,
    /// Where to receive; `None` for every address of the machine on [`Plan::port`].
    pub(crate) listen: Option<SocketAddr>,
    /// UDP port, if `listen` does not say.
    pub(crate) port: u16,
    /// Threads and sockets.
    pub(crate) workers: usize,
    /// Receive buffer of each socket, or memory of each ring, octets.
    pub(crate) buffer_len: usize,
    /// Octets that may wait for each sink, and for each reader of the API.
    pub(crate) queue_len: usize,
    /// The settings that a reload changes.
    pub(crate) settings: Settings,
    /// Reads the settings again.
    pub(crate) reload: Box<dyn Fn() -> Result<Settings, Failure>>,
    /// How flows are kept.
    pub(crate) flows: FlowOptions,
    /// The sinks.
    pub(crate) sinks: Vec<Wanted>,
    /// The flow logs.
    pub(crate) flow_logs: Vec<OpenLog>,
    /// When they tell of flows that go on, and finish files.
    pub(crate) pace: Pace,
    /// Whether a sink or a flow log that fails makes the agent unhealthy.
    pub(crate) sinks_required: bool,
    /// Where health is told; `None` for nowhere.
    pub(crate) health: Option<SocketAddr>,
    /// Where the API is; `None` for nowhere.
    pub(crate) api: Option<http::Listen>,
    /// What the API asks for.
    pub(crate) api_token: Option<String>,
    /// The page that the API's listener also serves.
    pub(crate) page: Option<http::Page>,
    /// How the agent stops.
    pub(crate) drain: Drain,
    /// Files that a reload reads.
    pub(crate) reads: Vec<PathBuf>,
}

impl Plan {
    /// Octets that the program never exceeds, whatever comes, without what the kernel holds for it.
    pub(crate) fn memory_bound(&self) -> usize {
        /// The program itself, threads and connections.
        const PROGRAM_LEN: usize = 32 << 20;
        /// Full queue, batch in work, and what becomes of it on its way out.
        const COPIES: usize = 3;
        let worker_len = intake::WORKER_LEN + self.flows.memory_bound();
        let readers_len = http::MAX_READERS * COPIES * self.queue_len + http::MAX_WAITING_LEN;
        let answered = http::MAX_FLOWS.min(self.workers * self.flows.max_flows);
        let api_len = readers_len + answered * http::ANSWERED_FLOW_LEN;
        PROGRAM_LEN
            + self.workers * worker_len
            + self.sinks.len() * COPIES * self.queue_len
            + if self.api.is_some() { api_len } else { 0 }
    }

    fn makes_devices(&self) -> bool {
        self.sinks.iter().any(|sink| sink.makes_devices)
    }

    fn sends_back(&self) -> bool {
        self.settings.mode != Mode::Mirror
    }

    fn needs(&self) -> Vec<Need> {
        let needs = [
            self.makes_devices().then_some(Need::Devices),
            self.sends_back().then_some(Need::Return),
            (self.way == Way::Ring).then_some(Need::Ring),
        ];
        needs.into_iter().flatten().collect()
    }
}

/// How the agent stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    /// It stops when no datagram came for so long...
    pub(crate) quiet: Duration,
    /// ... or so long after it was told.
    pub(crate) deadline: Duration,
}

/// Where a reload would want another socket or sink: what cannot be changed while it runs.
pub(crate) const NOT_RELOADED: &str = "sockets, sinks and listeners stay as they are until a restart";

/// What all parts of the agent share.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The workers.
    pub(crate) workers: Vec<Arc<Worker>>,
    /// The queues of sinks and readers.
    pub(crate) hub: Arc<Hub>,
    /// The sinks.
    pub(crate) sinks: Vec<Arc<SinkState>>,
    /// The flow logs.
    pub(crate) logs: Vec<Arc<LogState>>,
    /// How packets are decoded.
    pub(crate) decoder: Decoder,
    /// The settings.
    pub(crate) settings: Arc<Shared>,
    /// Octets that may wait for a reader of the API.
    pub(crate) queue_len: usize,
    /// Readers of the API's endless stream.
    pub(crate) readers: AtomicUsize,
    /// Octets of answers that the API's clients have not read.
    pub(crate) answers_len: AtomicUsize,
    /// When it all began.
    pub(crate) started: Instant,
    sinks_required: bool,
    draining: AtomicBool,
}

impl Agent {
    /// Whether it works, and if not, why: the truth that the health listener tells.
    pub(crate) fn health(&self) -> Result<(), String> {
        if self.draining.load(Ordering::Acquire) {
            return Err("draining: this appliance is about to stop".to_owned());
        }
        let now_ms = self.started.elapsed().as_millis() as u64;
        for (index, worker) in self.workers.iter().enumerate() {
            if worker.is_down() {
                return Err(format!("worker {index} died and is being started again"));
            }
            let silent_ms = now_ms.saturating_sub(worker.last_turn_ms());
            if silent_ms > WORKER_BOUND.as_millis() as u64 {
                return Err(format!("worker {index} has not turned its loop for {silent_ms} ms"));
            }
        }
        self.sinks.iter().filter(|_| self.sinks_required).try_for_each(|sink| match sink.failure() {
            Some(reason) => Err(format!("sink {} fails: {reason}", sink.name)),
            None if sink.silent_for() > SINK_BOUND => {
                Err(format!("sink {} has been stuck for {} s", sink.name, sink.silent_for().as_secs()))
            }
            None => Ok(()),
        })?;
        self.logs.iter().filter(|_| self.sinks_required).try_for_each(|log| match log.failure() {
            Some(reason) => Err(format!("flow log {} fails: {reason}", log.name)),
            None => Ok(()),
        })
    }

    /// The counters of all workers together.
    pub(crate) fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        self.workers.iter().for_each(|worker| sum.add(&worker.state().tally));
        sum
    }

    /// Whether it is about to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    fn quiet_for(&self) -> Duration {
        let last = self.workers.iter().map(|worker| worker.last_datagram_ms()).max().unwrap_or_default();
        self.started.elapsed().saturating_sub(Duration::from_millis(last))
    }
}

/// Serves until a signal ends it.
pub(crate) fn run(plan: Plan) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])
        .map_err(|error| Failure::new(format_args!("cannot watch for signals: {error}")))?;
    let (makes_devices, sends_back) = (plan.makes_devices(), plan.sends_back());
    privileges::require(&plan.needs())?;
    let address = plan.listen.unwrap_or_else(|| sockets::any_address(plan.port));
    let (intakes, _guard, address) = intake::open(plan.way, address, plan.workers, plan.buffer_len)?;
    let return_paths = (0..plan.workers).map(|_| match sends_back {
        true => ReturnPath::open(address.port()).map(Some),
        false => Ok(None),
    });
    let return_paths = return_paths.collect::<Result<Vec<_>, _>>()?;

    let feeds: Vec<_> = plan.sinks.iter().map(|_| Arc::new(Feed::for_sink(plan.queue_len))).collect();
    let names = plan.sinks.iter().map(|sink| sink.name.clone());
    let hub = Arc::new(Hub::default());
    feeds.iter().for_each(|feed| hub.add(Arc::clone(feed)));
    let decoder = Decoder {
        geneve_ports: mirrorscope_core::stack::Ports::new(&[address.port()]),
        ..Decoder::default()
    };
    let agent = Arc::new(Agent {
        workers: (0..plan.workers)
            .map(|_| Arc::new(Worker::new(plan.flows.clone(), !plan.flow_logs.is_empty())))
            .collect(),
        hub,
        sinks: names
            .zip(&feeds)
            .map(|(name, feed)| Arc::new(SinkState::new(name, Arc::clone(feed))))
            .collect(),
        logs: flow_logs::states(&plan.flow_logs),
        decoder,
        settings: Arc::new(Shared::new(plan.settings)),
        queue_len: plan.queue_len,
        readers: AtomicUsize::new(0),
        answers_len: AtomicUsize::new(0),
        started: Instant::now(),
        sinks_required: plan.sinks_required,
        draining: AtomicBool::new(false),
    });

    let listeners = http::open(plan.health, plan.api.as_ref())?;
    let writes = plan.sinks.iter().filter_map(|sink| sink.writes.clone());
    let logged = plan.flow_logs.iter().flat_map(|log| log.log.writes());
    let writes = writes.chain(logged).collect();
    give_up_privileges(makes_devices, &Paths { reads: plan.reads, writes });
    let wanted = agent.sinks.iter().zip(plan.sinks);
    let sinks: Vec<_> = wanted.map(|(state, wanted)| start_sink(&agent, state, wanted)).collect();
    privileges::keep_only(&[]);
    let logging = Logging::start(&agent, plan.flow_logs, plan.pace);
    let mut workers = Vec::new();
    let parts = agent.workers.iter().zip(intakes).zip(return_paths);
    for (index, ((worker, intake), return_path)) in parts.enumerate() {
        let work = Loop {
            worker: Arc::clone(worker),
            hub: Arc::clone(&agent.hub),
            settings: Arc::clone(&agent.settings),
            return_path,
            started: agent.started,
            decoder: agent.decoder.clone(),
        };
        workers.push(start_worker(index, work, intake)?);
    }
    let page = plan.page.map(|page| page.of_agent(address.port()));
    http::serve(listeners, &agent, plan.api_token, page);
    say!("mirrorscope: receiving on UDP {address}, {} workers", plan.workers);
    notify(&[NotifyState::Ready]);

    watch(&agent, &mut signals, &plan.reload, plan.drain);
    stop(&agent, workers, sinks, logging)
}

/// Everything is open. The threads of sinks that make devices keep what that takes.
fn give_up_privileges(makes_devices: bool, paths: &Paths) {
    let needs = if makes_devices { [Need::Devices].as_slice() } else { &[] };
    privileges::keep_only(needs);
    if !privileges::confine(paths, needs) {
        say!("mirrorscope: this kernel has no Landlock: the agent could write beside its own files");
    }
}

fn start_sink(agent: &Arc<Agent>, state: &Arc<SinkState>, wanted: Wanted) -> JoinHandle<Result<(), Failure>> {
    let (state, decoder) = (Arc::clone(state), agent.decoder.clone());
    thread::spawn(move || {
        if !wanted.makes_devices {
            privileges::keep_only(&[]);
        }
        runner::run(&state, &decoder, wanted.open)
    })
}

fn start_worker(index: usize, work: Loop, intake: Intake) -> Result<JoinHandle<()>, Failure> {
    let thread = thread::Builder::new().name(format!("worker-{index}"));
    let run = move || match intake {
        Intake::Socket(mut socket) => keep_working(index, &work, &mut socket),
        Intake::Ring(mut ring) => keep_working(index, &work, &mut ring),
    };
    thread.spawn(run).map_err(|error| Failure::new(format_args!("cannot start a worker: {error}")))
}

/// A worker that panics is started again on the same socket or ring, so that nothing that waits there is lost.
fn keep_working(index: usize, work: &Loop, intake: &mut impl Receive) {
    loop {
        match panic::catch_unwind(AssertUnwindSafe(|| work.run(intake))) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                say!("mirrorscope: worker {index} cannot receive: {error}; it tries again");
            }
            Err(_) => say!("mirrorscope: worker {index} died; it is started again"),
        }
        work.recover();
        work.worker.restarts.fetch_add(1, Ordering::Relaxed);
        thread::sleep(RESTART_AFTER);
    }
}

/// Looks after signals and the watchdog until it is time to stop.
fn watch(agent: &Agent, signals: &mut Signals, reload: &dyn Fn() -> Result<Settings, Failure>, drain: Drain) {
    let mut stop_by: Option<Instant> = None;
    let watchdog = sd_notify::watchdog_enabled();
    let mut notified = Instant::now();
    let mut warnings = Warnings::default();
    loop {
        for signal in signals.pending() {
            match (signal, stop_by) {
                (SIGHUP, _) => reload_settings(agent, reload),
                (SIGTERM, None) => {
                    agent.draining.store(true, Ordering::Release);
                    notify(&[NotifyState::Stopping]);
                    say!(
                        "mirrorscope: draining; stops after {} s without a datagram, at the latest in {} s",
                        drain.quiet.as_secs(),
                        drain.deadline.as_secs()
                    );
                    stop_by = Some(Instant::now() + drain.deadline);
                }
                // A second SIGTERM hastens, and whoever presses Ctrl-C does not want to wait.
                _ => {
                    agent.draining.store(true, Ordering::Release);
                    return;
                }
            }
        }
        if stop_by.is_some_and(|deadline| Instant::now() >= deadline || agent.quiet_for() >= drain.quiet) {
            return;
        }
        if watchdog.is_some_and(|interval| notified.elapsed() >= interval / 3)
            && (agent.is_draining() || agent.health().is_ok())
        {
            notify(&[NotifyState::Watchdog]);
            notified = Instant::now();
        }
        warnings.look(agent);
        thread::sleep(LOOK_EVERY);
    }
}

fn reload_settings(agent: &Agent, reload: &dyn Fn() -> Result<Settings, Failure>) {
    // systemd waits for both words, and takes the time to tell this reload from the one before.
    notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now().unwrap_or(NotifyState::Reloading)]);
    match reload() {
        Ok(mut settings) => {
            // The way back is opened at the start, while there are privileges.
            settings.mode = agent.settings.current().0.mode;
            agent.settings.replace(settings);
            say!("mirrorscope: reloaded; {NOT_RELOADED}");
        }
        Err(failure) => say!("mirrorscope: not reloaded, the old settings stay: {failure}"),
    }
    notify(&[NotifyState::Ready]);
}

/// Ends the workers, then the sinks and the flow logs, and prints the last counters.
fn stop(
    agent: &Agent,
    workers: Vec<JoinHandle<()>>,
    sinks: Vec<JoinHandle<Result<(), Failure>>>,
    logging: Option<Logging>,
) -> Result<(), Failure> {
    agent.workers.iter().for_each(|worker| worker.stop());
    for worker in workers {
        // Its panics were caught, so there is nothing to be told.
        let _ = worker.join();
    }
    agent.hub.feeds().iter().for_each(|feed| feed.close());
    let patience = Instant::now() + SINK_PATIENCE;
    while sinks.iter().any(|sink| !sink.is_finished()) && Instant::now() < patience {
        thread::sleep(Duration::from_millis(5));
    }
    let logged = logging.map_or(Ok(()), Logging::finish);
    news::report(agent);
    let stuck = agent.sinks.iter().zip(&sinks).find(|(_, thread)| !thread.is_finished());
    match stuck {
        Some((sink, _)) => Err(Failure::new(format_args!(
            "sink {} did not take what was queued within {} s: packets are lost",
            sink.name,
            SINK_PATIENCE.as_secs()
        ))),
        None => sinks.into_iter().map(finished).fold(Ok(()), Result::and).and(logged),
    }
}

fn finished(sink: JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    sink.join().unwrap_or_else(|_| Err(Failure::new("the thread of a sink died")))
}

/// Tells systemd, if it started us.
fn notify(state: &[NotifyState<'_>]) {
    // Without systemd there is nobody to be told, and an error would be no news to anyone.
    let _ = sd_notify::notify(state);
}

/// The path of a file that holds the API's token, read and trimmed.
pub(crate) fn read_token(path: &PathBuf) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format_args!("cannot read {}: {error}", path.display())))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::new(format_args!("{} holds no token", path.display())));
    }
    Ok(token.to_owned())
}
