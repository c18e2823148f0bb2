//! GWLB and a mirror source in a box: packets are supplied, wrapped, damaged on request, and let out in time.

mod echo;
mod outlet;
pub(crate) mod pace;
mod report;
mod supply;
pub(crate) mod target;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mirrorscope_core::{
    Decoder,
    encap::{Datagram, FaultShares, Faults, Network, NetworkOptions, Passing, mix},
    generate::GeneratorOptions,
};

use crate::{failure::Failure, pipeline};
use echo::Echo;
use outlet::{FileOutlet, Outlet, SocketOutlet, Tag};
use pace::Pace;
use report::Report;
use supply::{Supplied, Supply};

/// How many packets pass between two looks at the clock and at the signals.
const LOOK_EVERY: u64 = 256;

/// What to send, how, and where to.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) source: Source,
    pub(crate) network: NetworkOptions,
    /// Share of flows that are routed through the endpoint.
    pub(crate) inline_share: f64,
    pub(crate) seed: u64,
    pub(crate) pace: Pace,
    /// Packets at most.
    pub(crate) count: Option<u64>,
    /// Time at most.
    pub(crate) duration: Option<Duration>,
    pub(crate) faults: FaultShares,
    pub(crate) goal: Goal,
}

/// Where packets come from.
#[derive(Debug)]
pub(crate) enum Source {
    Capture(PathBuf),
    Generated(GeneratorOptions),
}

/// Where they go.
#[derive(Debug)]
pub(crate) enum Goal {
    File(PathBuf),
    Socket { to: SocketAddr, from: IpAddr, sockets: u16, wait: Duration },
}

/// Carries out the plan.
pub(crate) fn run(plan: &Plan) -> Result<Report, Failure> {
    let network = Network::new(&plan.network);
    let mut supply = Supply::open(&plan.source, &network, plan.inline_share, plan.seed)?;
    match &plan.goal {
        Goal::File(path) => {
            let outlet = Outlet::File(Box::new(FileOutlet::create(path)?));
            Sender::new(plan, &network, outlet).run(&mut supply)
        }
        Goal::Socket { to, from, sockets, wait } => {
            let echo = match plan.inline_share > 0.0 {
                true => Some(Arc::new(Echo::listen(*from, *to)?)),
                false => None,
            };
            let outlet = SocketOutlet::bind(*from, *to, *sockets, echo.clone())?;
            let sender = Sender::new(plan, &network, Outlet::Sockets(Box::new(outlet)));
            run_with_echo(sender, &mut supply, echo.as_deref(), *wait)
        }
    }
}

/// Sends while another thread receives what comes back.
fn run_with_echo(
    sender: Sender<'_>,
    supply: &mut Supply<'_>,
    echo: Option<&Echo>,
    wait: Duration,
) -> Result<Report, Failure> {
    let Some(echo) = echo else { return sender.run(supply) };
    thread::scope(|scope| {
        let receiver = scope.spawn(|| echo.run(wait));
        let report = sender.run(supply);
        echo.stop();
        // A panic in the receiver is its own message; the counts stay readable.
        let _ = receiver.join();
        report.map(|report| Report { echo: Some(echo.outcome()), ..report })
    })
}

/// Wraps packets and lets them out.
struct Sender<'p> {
    plan: &'p Plan,
    network: &'p Network,
    decoder: Decoder,
    /// Varies the hashes of ports and cookies with the seed.
    key: u64,
    outlet: Outlet,
    faults: Faults,
    buffer: Vec<u8>,
    report: Report,
    start: Instant,
    first_ns: Option<i64>,
    interrupted: Arc<AtomicBool>,
}

impl<'p> Sender<'p> {
    fn new(plan: &'p Plan, network: &'p Network, outlet: Outlet) -> Self {
        let faults = Faults::new(plan.faults, outlet.spared_len(), mix(plan.seed ^ 0xfa017));
        Self {
            plan,
            network,
            decoder: Decoder::default(),
            key: mix(plan.seed),
            outlet,
            faults,
            buffer: Vec::new(),
            report: Report::default(),
            start: Instant::now(),
            first_ns: None,
            interrupted: pipeline::interrupt_flag(),
        }
    }

    /// Sends everything. The outlet is finished also where the source is damaged.
    fn run(mut self, supply: &mut Supply<'_>) -> Result<Report, Failure> {
        let result = self.send_all(supply);
        let Self { faults, outlet, report, .. } = &mut self;
        let flushed = faults.finish(|passing| let_out(outlet, report, &passing, None));
        let finished = outlet.finish();
        self.report.elapsed = self.start.elapsed();
        self.report.faults = self.faults.counts();
        if let Outlet::Sockets(sockets) = &mut self.outlet {
            self.report.errors = sockets.errors;
            self.report.sent -= sockets.errors;
            self.report.octets -= sockets.errors_len;
            self.report.first_error = sockets.first_error.take().map(|error| error.to_string());
        }
        result.and(flushed).and(finished).map(|()| self.report)
    }

    fn send_all(&mut self, supply: &mut Supply<'_>) -> Result<(), Failure> {
        while self.plan.count.is_none_or(|count| self.report.packets < count) {
            let must_look = self.plan.pace != Pace::Unbound || self.report.packets.is_multiple_of(LOOK_EVERY);
            if must_look && self.is_over() {
                break;
            }
            let Some(supplied) = supply.next(&self.decoder)? else { break };
            self.send(&supplied)?;
        }
        Ok(())
    }

    /// Whether time is up, or the user wants an end.
    fn is_over(&self) -> bool {
        let is_late = self.plan.duration.is_some_and(|duration| self.start.elapsed() >= duration);
        is_late || self.interrupted.load(Ordering::Relaxed)
    }

    #[inline]
    fn send(&mut self, supplied: &Supplied<'_>) -> Result<(), Failure> {
        let number = self.report.packets;
        self.report.packets += 1;
        let Some(datagram) = self.wrap(supplied) else {
            self.report.refused += 1;
            return Ok(());
        };
        self.report.inline += u64::from(datagram.is_inline());
        let first_ns = *self.first_ns.get_or_insert(supplied.timestamp_ns);
        let due_ns = self.plan.pace.due_ns(number, supplied.timestamp_ns.saturating_sub(first_ns));
        let timestamp_ns = first_ns.saturating_add(due_ns);
        let tag = Tag { timestamp_ns, source_port: datagram.source_port, inline: datagram.is_inline() };
        self.buffer.clear();
        self.outlet.put(&mut self.buffer, &datagram);
        if matches!(self.outlet, Outlet::Sockets(_)) {
            self.plan.pace.wait(self.start, due_ns, || self.is_over());
        }
        let Self { faults, outlet, report, buffer, .. } = self;
        faults.pass(buffer, tag.to_numbers(), |passing| let_out(outlet, report, &passing, Some(timestamp_ns)))
    }

    fn wrap<'a>(&self, supplied: &Supplied<'a>) -> Option<Datagram<'a>>
    where
        'p: 'a,
    {
        let session = self.network.session(supplied.session);
        if supplied.inline {
            Datagram::inline(session, &supplied.packet, self.key).ok()
        } else {
            Some(Datagram::mirrored(session, &supplied.packet, supplied.frame?, self.key))
        }
    }
}

/// A packet that others overtook arrives when they do.
fn let_out(
    outlet: &mut Outlet,
    report: &mut Report,
    passing: &Passing<'_>,
    now_ns: Option<i64>,
) -> Result<(), Failure> {
    let tag = Tag::from_numbers(passing.tags);
    let timestamp_ns = now_ns.map_or(tag.timestamp_ns, |now_ns| tag.timestamp_ns.max(now_ns));
    report.sent += 1;
    report.octets += passing.octets.len() as u64;
    outlet.take(passing, Tag { timestamp_ns, ..tag })
}
