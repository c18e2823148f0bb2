//! One worker: receives from its socket or ring, decodes, counts, and offers packets to the sinks, in one thread.
//!
//! What it counts lies behind a lock that it takes once a batch, so that a reader of the counters finds them
//! true together. Nobody else holds the lock but to read.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use mirrorscope_core::{
    Decoder, Layer, LinkType, Packet, Record,
    aws::gwlb,
    encap::MAX_INLINE_LEN,
    flow::{FlowOptions, FlowTable},
    layers::geneve,
    packet::Envelope,
    sinks::sessions::Sessions,
};

use super::{
    ended::Ended,
    feed::{Feed, Hub},
    gather::Gather,
    inline::{Fate, ReturnPath},
    intake::{Datagram, Receive},
    settings::{Settings, Shared},
    tally::Tally,
};
use crate::sys::send::Outgoing;

/// What a worker shares with the rest of the agent.
#[derive(Debug)]
pub(crate) struct Worker {
    state: Mutex<State>,
    /// Milliseconds between the start of the agent and the last turn of the loop.
    last_turn_ms: AtomicU64,
    /// Milliseconds between the start of the agent and the last datagram.
    last_datagram_ms: AtomicU64,
    stopped: AtomicBool,
    is_down: AtomicBool,
    flow_options: FlowOptions,
    /// Times that the thread died and was started again.
    pub(crate) restarts: AtomicU64,
}

/// What a worker has seen.
#[derive(Debug)]
pub(crate) struct State {
    /// What became of the datagrams.
    pub(crate) tally: Tally,
    /// Who mirrored what.
    pub(crate) sessions: Sessions,
    /// The flows that go on.
    pub(crate) flows: FlowTable,
    /// The flows that ended.
    pub(crate) ended: Ended,
}

impl Worker {
    /// A worker that has not begun; `is_logged` where flow logs take its flows.
    pub(crate) fn new(flows: FlowOptions, is_logged: bool) -> Self {
        let state = State {
            tally: Tally::default(),
            sessions: Sessions::default(),
            flows: FlowTable::new(flows.clone()),
            ended: Ended::new(is_logged),
        };
        Self {
            state: Mutex::new(state),
            last_turn_ms: AtomicU64::new(0),
            last_datagram_ms: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            flow_options: flows,
            restarts: AtomicU64::new(0),
        }
    }

    /// What it has seen. The worker waits meanwhile: be quick.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds from the start of the agent to the last turn of its loop.
    pub(crate) fn last_turn_ms(&self) -> u64 {
        self.last_turn_ms.load(Ordering::Relaxed)
    }

    /// Milliseconds from the start of the agent to its last datagram.
    pub(crate) fn last_datagram_ms(&self) -> u64 {
        self.last_datagram_ms.load(Ordering::Relaxed)
    }

    /// Whether it died or cannot receive, and does not run again yet.
    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// Ends the loop after what lies in the socket's buffer.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }
}

/// What the loop needs.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) worker: Arc<Worker>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) settings: Arc<Shared>,
    pub(crate) return_path: Option<ReturnPath>,
    pub(crate) started: Instant,
    pub(crate) decoder: Decoder,
}

impl Loop {
    /// Receives until the worker is stopped and nothing is left that has come.
    pub(crate) fn run(&self, intake: &mut impl Receive) -> std::io::Result<()> {
        let (mut feeds_generation, mut feeds) = (self.hub.generation(), self.hub.feeds());
        let (mut settings, mut settings_generation) = self.settings.current();
        // What a worker that died has left.
        self.batch(intake, &settings, &feeds);
        let mut looked_ms = 0;
        // Who is to have datagrams back wants them at once.
        let may_gather = self.return_path.is_none() && intake.may_gather();
        let (mut gather, mut turned) = (Gather::default(), self.started.elapsed());
        loop {
            let is_last = self.worker.stopped.load(Ordering::Acquire);
            if is_last {
                intake.close()?;
            }
            if let Some(pause) = gather.pause().filter(|_| may_gather) {
                thread::sleep(pause);
            }
            let received = intake.receive()?;
            if self.hub.generation() != feeds_generation {
                (feeds_generation, feeds) = (self.hub.generation(), self.hub.feeds());
            }
            if self.settings.generation() != settings_generation {
                (settings, settings_generation) = self.settings.current();
            }
            let now = self.started.elapsed();
            gather.turned(received, now - turned);
            turned = now;
            let now_ms = now.as_millis() as u64;
            self.worker.last_turn_ms.store(now_ms, Ordering::Relaxed);
            self.worker.is_down.store(false, Ordering::Relaxed);
            if received > 0 {
                self.worker.last_datagram_ms.store(now_ms, Ordering::Relaxed);
                self.batch(intake, &settings, &feeds);
            } else if is_last {
                self.look_at_the_clock(intake);
                return Ok(());
            }
            if now_ms >= looked_ms + 1000 {
                looked_ms = now_ms;
                self.look_at_the_clock(intake);
            }
        }
    }

    /// Puts right what a panic left half done: the datagram at hand is counted, and flows begin anew.
    pub(crate) fn recover(&self) {
        self.worker.is_down.store(true, Ordering::Relaxed);
        let mut state = self.worker.state();
        let tally = &mut state.tally;
        tally.malformed = tally.received - tally.decoded() - tally.refused();
        state.flows = FlowTable::new(self.worker.flow_options.clone());
    }

    fn batch(&self, intake: &mut impl Receive, settings: &Settings, feeds: &[Arc<Feed>]) {
        let mut replies = Vec::new();
        // Packets of one sender come many at a time, and need be asked for their networks once.
        let mut allowed = None;
        let mut state = self.worker.state();
        for datagram in intake.datagrams() {
            state.tally.received += 1;
            state.tally.received_bytes += datagram.meta.wire_len as u64;
            fault::strike(state.tally.received);
            let source = datagram.meta.src.ip();
            if allowed != Some(source) {
                if !settings.allows(source) {
                    state.tally.refused_source += 1;
                    continue;
                }
                allowed = Some(source);
            }
            replies.extend(self.datagram(&datagram, settings, feeds, &mut state));
        }
        let State { flows, ended, .. } = &mut *state;
        flows.settle(&mut |flow| ended.push(flow));
        self.give_back(&replies, &mut state.tally);
    }

    fn datagram<'a>(
        &self,
        datagram: &Datagram<'a>,
        settings: &Settings,
        feeds: &[Arc<Feed>],
        state: &mut State,
    ) -> Option<Outgoing<'a>> {
        let meta = &datagram.meta;
        let mut packet = Packet::undecoded(Record {
            number: state.tally.received,
            timestamp_ns: meta.timestamp_ns,
            interface: 0,
            link_type: LinkType::ETHERNET,
            original_len: datagram.original_len,
            offset: 0,
            data: datagram.frame,
        });
        packet.decode_in_place(&self.decoder);
        let Some(geneve_header) = geneve_header(&packet) else {
            state.tally.malformed += 1;
            return None;
        };
        if !is_for_us(geneve_header, &mut state.tally) {
            return None;
        }
        let inner_len = meta.wire_len.saturating_sub(geneve_header.len());
        state.tally.oversized += u64::from(inner_len > MAX_INLINE_LEN);
        count(&packet, state);
        let passes = feeds.is_empty() || settings.passes(&packet);
        for feed in feeds {
            feed.offer(&packet, passes);
        }
        self.reply(datagram, &packet, settings, &mut state.tally)
    }

    fn reply<'a>(
        &self,
        datagram: &Datagram<'a>,
        packet: &Packet<'_>,
        settings: &Settings,
        tally: &mut Tally,
    ) -> Option<Outgoing<'a>> {
        let path = self.return_path.as_ref()?;
        match settings.fate(packet) {
            Fate::Swallow => None,
            Fate::Drop => {
                tally.policy_dropped += 1;
                None
            }
            Fate::Return => {
                let reply = path.reply(datagram);
                tally.return_failed += u64::from(reply.is_none());
                reply
            }
        }
    }

    fn give_back(&self, replies: &[Outgoing<'_>], tally: &mut Tally) {
        let Some(path) = self.return_path.as_ref().filter(|_| !replies.is_empty()) else { return };
        let returned = path.send(replies);
        tally.returned += returned;
        tally.return_failed += replies.len() as u64 - returned;
    }

    /// Once a second: what was lost on the way, and flows that no packet ends.
    fn look_at_the_clock(&self, intake: &mut impl Receive) {
        let lost = intake.lost();
        let mut state = self.worker.state();
        let State { tally, flows, ended, .. } = &mut *state;
        tally.kernel_dropped += lost.kernel_dropped;
        tally.unsound += lost.unsound;
        let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as i64;
        flows.expire(now_ns, &mut |flow| ended.push(flow));
    }
}

/// A fault on purpose, for the test that a worker which dies is started again: debug builds alone have it.
mod fault {
    /// Panics at the worker's datagram whose number the environment names.
    #[cfg(debug_assertions)]
    pub(super) fn strike(number: u64) {
        use std::sync::OnceLock;
        static AT: OnceLock<Option<u64>> = OnceLock::new();
        let at = AT.get_or_init(|| std::env::var("MIRRORSCOPE_PANIC_AT").ok()?.parse().ok());
        assert!(*at != Some(number), "asked to die at datagram {number}");
    }

    #[cfg(not(debug_assertions))]
    pub(super) fn strike(_: u64) {}
}

/// The header of the Geneve layer at its place, if it was read whole.
fn geneve_header<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    const AT: usize = 3;
    let span = packet.stack.layers().get(AT)?;
    (span.layer == Layer::Geneve && packet.stack.is_complete(AT)).then(|| packet.stack.header(span))
}

/// Whether RFC 8926 lets an endpoint hand the packet on; counts where not.
fn is_for_us(header: &[u8], tally: &mut Tally) -> bool {
    let Some(geneve) = geneve::header(header) else { return true };
    if geneve.oam {
        tally.refused_control += 1;
        return false;
    }
    let unknown_critical = geneve.critical
        && geneve::known_options(header).any(|option| option.is_critical() && option.class != gwlb::CLASS);
    tally.refused_critical += u64::from(unknown_critical);
    !unknown_critical
}

fn count(packet: &Packet<'_>, state: &mut State) {
    let State { tally, sessions, flows, ended, .. } = state;
    match packet.envelope {
        Envelope::Mirrored(_) => tally.mirrored += 1,
        Envelope::Inline(_) | Envelope::Bare => tally.inline += 1,
    }
    tally.undecodable += u64::from(packet.stack.stop().is_some());
    tally.truncated += u64::from(packet.stack.is_truncated());
    sessions.observe(packet);
    flows.gather(packet, &mut |flow| ended.push(flow));
}
