//! A sink in a thread of its own: takes packets from its queue, and is opened again where it failed.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mirrorscope_core::{Decoder, Packet};

use crate::{
    failure::Failure,
    pipeline::Sink,
    serve::feed::{Batch, Feed, LOOK_EVERY},
    talk::say,
};

/// How long a sink that failed is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Opens a sink, for the first time or after a failure.
pub(crate) type Open = Box<dyn FnMut() -> Result<Box<dyn Sink>, Failure> + Send>;

/// A sink that nobody has opened yet.
pub(crate) struct Wanted {
    /// What it is called in metrics and messages.
    pub(crate) name: String,
    /// Opens it.
    pub(crate) open: Open,
    /// The file that it writes; others beside it may be written too.
    pub(crate) writes: Option<PathBuf>,
    /// Whether it makes network devices as packets come.
    pub(crate) makes_devices: bool,
}

impl Wanted {
    /// A sink that writes no file and makes no device.
    pub(crate) fn new(name: String, open: Open) -> Self {
        Self { name, open, writes: None, makes_devices: false }
    }
}

/// What the rest of the agent knows of a sink. Of the packets offered, each is delivered, dropped, or in the queue.
#[derive(Debug)]
pub(crate) struct SinkState {
    /// What it is called in metrics and messages.
    pub(crate) name: String,
    /// Its queue.
    pub(crate) feed: Arc<Feed>,
    delivered: AtomicU64,
    failed: AtomicU64,
    failure: Mutex<Option<String>>,
    last_turn: Mutex<Instant>,
}

impl SinkState {
    /// A sink that takes from `feed`.
    pub(crate) fn new(name: String, feed: Arc<Feed>) -> Self {
        Self {
            name,
            feed,
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failure: Mutex::default(),
            last_turn: Mutex::new(Instant::now()),
        }
    }

    /// Packets that the sink took and handed on.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Packets that found the queue full or the sink failed.
    pub(crate) fn dropped(&self) -> u64 {
        self.feed.dropped() + self.failed.load(Ordering::Relaxed)
    }

    /// Why it does not work, if it does not.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long ago its thread last looked into the queue: long where the sink blocks.
    pub(crate) fn silent_for(&self) -> Duration {
        self.last_turn.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn turn(&self) {
        *self.last_turn.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn set_failure(&self, failure: Option<String>) {
        let mut known = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &failure) {
            (None, Some(reason)) => say!("mirrorscope: {} fails: {reason}", self.name),
            (Some(_), None) => say!("mirrorscope: {} works again", self.name),
            _ => {}
        }
        *known = failure;
    }
}

/// Runs a sink until its queue is closed and empty.
///
/// # Errors
/// Something that it wrote could not be finished. That packets were lost while it failed is in the counters, and a
/// reader that went away is no failure.
pub(crate) fn run(state: &SinkState, decoder: &Decoder, open: Open) -> Result<(), Failure> {
    let mut runner =
        Runner { state, decoder, open, sink: None, retry_at: Instant::now(), number: 1, unfinished: None };
    let mut batch = Batch::default();
    runner.reopen();
    loop {
        let is_last = state.feed.is_closed();
        state.turn();
        state.feed.take(&mut batch);
        if batch.packets() > 0 {
            runner.deliver(&batch);
        } else if is_last {
            break;
        } else {
            runner.idle();
            thread::sleep(LOOK_EVERY);
        }
    }
    runner.finish();
    runner.unfinished.map_or(Ok(()), Err)
}

struct Runner<'a> {
    state: &'a SinkState,
    decoder: &'a Decoder,
    open: Open,
    sink: Option<Box<dyn Sink>>,
    retry_at: Instant,
    number: u64,
    unfinished: Option<Failure>,
}

impl Runner<'_> {
    /// A batch counts as delivered when all of it was handed on.
    fn deliver(&mut self, batch: &Batch) {
        self.reopen();
        let counter = match self.write(batch) {
            true => &self.state.delivered,
            false => &self.state.failed,
        };
        counter.fetch_add(batch.packets(), Ordering::Relaxed);
        self.number += batch.packets();
    }

    fn write(&mut self, batch: &Batch) -> bool {
        let Some(sink) = &mut self.sink else { return false };
        let mut write = || {
            for record in batch.records(self.number) {
                sink.packet(&Packet::decode(self.decoder, record))?;
            }
            sink.idle()
        };
        let result = write();
        self.judge(result)
    }

    /// Files that are full by age end although no packet comes.
    fn idle(&mut self) {
        self.reopen();
        if let Some(sink) = &mut self.sink {
            let result = sink.idle();
            self.judge(result);
        }
    }

    fn judge(&mut self, result: Result<(), Failure>) -> bool {
        let Err(failure) = result else { return true };
        self.retry_at = Instant::now() + RETRY_AFTER;
        self.state.set_failure(Some(failure.to_string()));
        // What it wrote before gets its name.
        self.finish();
        false
    }

    fn reopen(&mut self) {
        if self.sink.is_some() || Instant::now() < self.retry_at {
            return;
        }
        match (self.open)() {
            Ok(sink) => {
                self.sink = Some(sink);
                self.state.set_failure(None);
            }
            Err(failure) => {
                self.retry_at = Instant::now() + RETRY_AFTER;
                self.state.set_failure(Some(failure.to_string()));
            }
        }
    }

    fn finish(&mut self) {
        if let Some(Err(failure)) = self.sink.take().map(|mut sink| sink.finish()) {
            self.state.set_failure(Some(failure.to_string()));
            self.unfinished = self.unfinished.take().or((!failure.is_closed_pipe()).then_some(failure));
        }
    }
}

#[cfg(test)]
mod tests {
    use mirrorscope_core::{LinkType, Record};

    use super::*;

    struct Flaky {
        works: bool,
    }

    impl Sink for Flaky {
        fn packet(&mut self, _: &Packet<'_>) -> Result<(), Failure> {
            if self.works { Ok(()) } else { Err(Failure::new("full")) }
        }

        fn finish(&mut self) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn offer(feed: &Feed, packets: usize) {
        let record = Record {
            number: 1,
            timestamp_ns: 0,
            interface: 0,
            link_type: LinkType::ETHERNET,
            original_len: 60,
            offset: 0,
            data: &[0; 60],
        };
        (0..packets).for_each(|_| feed.offer(&Packet::decode(&Decoder::default(), record), true));
    }

    #[test]
    fn every_packet_is_delivered_or_dropped_also_where_the_sink_fails() {
        for works in [true, false] {
            let feed = Arc::new(Feed::new(None, 1 << 20));
            let state = SinkState::new("test".to_owned(), Arc::clone(&feed));
            offer(&feed, 100);
            feed.close();
            run(&state, &Decoder::default(), Box::new(move || Ok(Box::new(Flaky { works })))).unwrap();
            assert_eq!((state.delivered(), state.dropped()), if works { (100, 0) } else { (0, 100) });
            assert_eq!(state.failure().is_some(), !works);
        }
    }

    #[test]
    fn a_sink_that_cannot_be_opened_says_why() {
        let feed = Arc::new(Feed::new(None, 1 << 20));
        let state = SinkState::new("test".to_owned(), Arc::clone(&feed));
        offer(&feed, 3);
        feed.close();
        run(&state, &Decoder::default(), Box::new(|| Err(Failure::new("no such folder")))).unwrap();
        assert_eq!((state.delivered(), state.dropped()), (0, 3));
        assert_eq!(state.failure().as_deref(), Some("no such folder"));
    }
}
