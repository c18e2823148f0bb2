//! Source → decode → filter → sink, until the source ends or the sink has enough.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mirrorscope_core::{Decoder, Envelope, Packet, Record, filter::Filter};

use crate::{failure::Failure, progress::Progress, sources::FileSource};

/// Takes packets.
pub(crate) trait Sink {
    /// Takes one packet. An error ends the run.
    fn packet(&mut self, packet: &Packet<'_>) -> Result<(), Failure>;
    /// Takes one packet that nobody had to decode yet. A sink that does not look at layers spares itself the work.
    #[inline]
    fn record(&mut self, decoder: &Decoder, record: Record<'_>) -> Result<(), Failure> {
        let mut packet = Packet::undecoded(record);
        packet.decode_in_place(decoder);
        self.packet(&packet)
    }
    /// Is told that the next packet may take a while: what has been gathered can go out. Where this succeeds,
    /// every packet taken so far has been delivered.
    fn idle(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Is told that no packet follows, also where the run ends early.
    fn finish(&mut self) -> Result<(), Failure>;
}

/// Which packets of a source go on.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Packets to pass over first.
    pub(crate) skip: u64,
    /// What the packets must be like.
    pub(crate) filter: Option<Filter>,
    /// Packets to take at most, counted behind the filter.
    pub(crate) count: Option<u64>,
}

/// What a run saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    /// Packets that the source delivered.
    pub(crate) read: u64,
    /// Packets that the sink took.
    pub(crate) taken: u64,
    /// Whether a packet was in Geneve or in VXLAN, among those read and not skipped.
    pub(crate) tunnelled: bool,
    /// Whether a layer reads the link type of any of them.
    pub(crate) known_link: bool,
}

/// How many packets pass between two looks at the clock and at the signals.
const LOOK_EVERY: u64 = 4096;

/// How long a wait for a pipe lasts before the signals are looked at again.
const PATIENCE: Duration = Duration::from_millis(200);

/// Runs `source` into `sink`. The sink is finished whatever happens; a damaged source is reported after that,
/// with the summary of what came before the damage.
pub(crate) fn run(
    source: &mut FileSource,
    decoder: &Decoder,
    selection: &Selection,
    mut progress: Progress,
    sink: &mut impl Sink,
) -> (Summary, Result<(), Failure>) {
    let mut summary = Summary::default();
    let interrupted = interrupt_flag();
    source.do_not_wait();
    let mut is_closed = false;
    let result = loop {
        if summary.read.is_multiple_of(LOOK_EVERY) {
            progress.update(source.progress().read_len);
            if interrupted.load(Ordering::Relaxed) && !is_closed {
                break Ok(());
            }
        }
        match step(source, decoder, selection, sink, &mut summary) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) if source.is_waiting() => {
                if let Err(failure) = sink.idle() {
                    break Err(failure);
                }
                while !source.has_octets(PATIENCE) && !interrupted.load(Ordering::Relaxed) {}
                if interrupted.load(Ordering::Relaxed) {
                    // Nothing more is awaited, but a decoder may hold what came before.
                    source.close();
                    is_closed = true;
                }
            }
            Ok(ControlFlow::Break(())) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    progress.finish();
    let finished = sink.finish();
    (summary, result.and(finished))
}

#[inline]
fn step(
    source: &mut FileSource,
    decoder: &Decoder,
    selection: &Selection,
    sink: &mut impl Sink,
    summary: &mut Summary,
) -> Result<ControlFlow<()>, Failure> {
    if selection.count == Some(summary.taken) {
        return Ok(ControlFlow::Break(()));
    }
    let Some(record) = source.next()? else { return Ok(ControlFlow::Break(())) };
    summary.read += 1;
    if summary.read <= selection.skip {
        return Ok(ControlFlow::Continue(()));
    }
    if selection.filter.is_none() && summary.tunnelled {
        sink.record(decoder, record)?;
        summary.taken += 1;
        return Ok(ControlFlow::Continue(()));
    }
    let mut packet = Packet::undecoded(record);
    packet.decode_in_place(decoder);
    summary.look_at(&packet);
    if selection.filter.as_ref().is_none_or(|filter| filter.matches(&packet)) {
        sink.packet(&packet)?;
        summary.taken += 1;
    }
    Ok(ControlFlow::Continue(()))
}

impl Summary {
    #[inline]
    fn look_at(&mut self, packet: &Packet<'_>) {
        self.tunnelled |= packet.envelope != Envelope::Bare;
        self.known_link |= !packet.stack.layers().is_empty();
    }
}

/// A flag that an interrupt (Ctrl-C) or a request to terminate sets, so that sinks are finished in order. A
/// second one ends the program at once.
pub(crate) fn interrupt_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Where no handler can be set, the default action stays, which is no worse than having none.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag));
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    flag
}
