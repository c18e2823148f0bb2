//! The way from the workers to one sink or reader: a queue with a bound, and a count of what did not fit.
//!
//! A slow sink loses packets, never the memory of the agent nor the time of a worker: what finds the queue full is
//! dropped and counted. The reader looks into the queue some fifty times a second and takes all of it, so that
//! workers need no system call to wake it. Two buffers change places; in a steady state nothing is allocated.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use mirrorscope_core::{LinkType, Packet, Record, filter::Filter};

/// How often a reader looks into its queue.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Records, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    entries: Vec<Entry>,
    octets: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    timestamp_ns: i64,
    original_len: u32,
    end: usize,
}

impl Batch {
    fn push(&mut self, record: &Record<'_>) {
        self.octets.extend_from_slice(record.data);
        let Record { timestamp_ns, original_len, .. } = *record;
        self.entries.push(Entry { timestamp_ns, original_len, end: self.octets.len() });
    }

    fn len(&self) -> usize {
        self.octets.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Packets in it.
    pub(crate) fn packets(&self) -> u64 {
        self.entries.len() as u64
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.octets.clear();
    }

    /// The records, numbered from `first` on.
    pub(crate) fn records(&self, first: u64) -> impl Iterator<Item = Record<'_>> {
        let starts = std::iter::once(0).chain(self.entries.iter().map(|entry| entry.end));
        starts.zip(&self.entries).zip(first..).map(|((start, entry), number)| Record {
            number,
            timestamp_ns: entry.timestamp_ns,
            interface: 0,
            link_type: LinkType::ETHERNET,
            original_len: entry.original_len,
            offset: 0,
            data: self.octets.get(start..entry.end).unwrap_or_default(),
        })
    }
}

/// One queue.
#[derive(Debug)]
pub(crate) struct Feed {
    /// A sink's packets pass the filter of the settings, which a reload changes.
    is_for_sink: bool,
    filter: Option<Filter>,
    max_len: usize,
    queue: Mutex<Batch>,
    closed: AtomicBool,
    offered: AtomicU64,
    queue_dropped: AtomicU64,
}

impl Feed {
    /// A reader's queue, for at most `max_len` octets of the packets that pass `filter`.
    pub(crate) fn new(filter: Option<Filter>, max_len: usize) -> Self {
        Self {
            is_for_sink: false,
            filter,
            max_len,
            queue: Mutex::default(),
            closed: AtomicBool::new(false),
            offered: AtomicU64::new(0),
            queue_dropped: AtomicU64::new(0),
        }
    }

    /// A sink's queue, for at most `max_len` octets.
    pub(crate) fn for_sink(max_len: usize) -> Self {
        Self { is_for_sink: true, ..Self::new(None, max_len) }
    }

    /// Offers a packet. `passes` tells whether it passes the filter of the settings.
    pub(crate) fn offer(&self, packet: &Packet<'_>, passes: bool) {
        if self.is_for_sink && !passes {
            return;
        }
        if self.filter.as_ref().is_some_and(|filter| !filter.matches(packet)) {
            return;
        }
        let mut queue = self.lock();
        self.offered.fetch_add(1, Ordering::Relaxed);
        if queue.len() + packet.record.data.len() > self.max_len {
            self.queue_dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            queue.push(&packet.record);
        }
    }

    /// Takes all that is queued into `batch`, whose memory the queue uses from then on.
    pub(crate) fn take(&self, batch: &mut Batch) {
        batch.clear();
        mem::swap(&mut *self.lock(), batch);
    }

    /// Packets that were offered and passed the filter.
    pub(crate) fn offered(&self) -> u64 {
        self.offered.load(Ordering::Relaxed)
    }

    /// Packets that found the queue full.
    pub(crate) fn dropped(&self) -> u64 {
        self.queue_dropped.load(Ordering::Relaxed)
    }

    /// Says that nothing more will be offered (by the workers), or taken (by the reader).
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All queues of an agent. They come and go with the readers of the API.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    feeds: Mutex<Arc<[Arc<Feed>]>>,
    generation: AtomicU64,
}

impl Hub {
    /// Adds a queue; workers notice with their next batch.
    pub(crate) fn add(&self, feed: Arc<Feed>) {
        self.change(|feeds| feeds.push(feed));
    }

    /// Removes a queue.
    pub(crate) fn remove(&self, feed: &Arc<Feed>) {
        feed.close();
        self.change(|feeds| feeds.retain(|known| !Arc::ptr_eq(known, feed)));
    }

    /// Changes whenever the queues do.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The queues as they are now.
    pub(crate) fn feeds(&self) -> Arc<[Arc<Feed>]> {
        Arc::clone(&self.feeds.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Feed>>)) {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = feeds.to_vec();
        change(&mut changed);
        *feeds = changed.into();
        self.generation.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use mirrorscope_core::Decoder;

    use super::*;

    fn packet(data: &[u8]) -> Packet<'_> {
        let record = Record {
            number: 9,
            timestamp_ns: 7,
            interface: 0,
            link_type: LinkType::ETHERNET,
            original_len: 2000,
            offset: 0,
            data,
        };
        Packet::decode(&Decoder::default(), record)
    }

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let feed = Feed::new(None, 10_000);
        for len in [0, 60, 20] {
            feed.offer(&packet(&vec![len as u8; len]), true);
        }
        let mut batch = Batch::default();
        feed.take(&mut batch);
        let records: Vec<_> = batch.records(5).collect();
        assert_eq!(records.iter().map(|record| record.data.len()).collect::<Vec<_>>(), [0, 60, 20]);
        assert_eq!((records[2].number, records[2].timestamp_ns, records[2].original_len), (7, 7, 2000));
        assert!(records[2].data.iter().all(|octet| *octet == 20));
        feed.take(&mut batch);
        assert_eq!(batch.packets(), 0);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let feed = Feed::new(None, 1000);
        for _ in 0..100 {
            feed.offer(&packet(&[1; 100]), true);
        }
        let mut batch = Batch::default();
        feed.take(&mut batch);
        assert!(batch.packets() > 5);
        assert_eq!((feed.offered(), batch.packets() + feed.dropped()), (100, 100));
    }

    #[test]
    fn a_packet_that_the_filter_refuses_is_not_offered() {
        let feed = Feed::new(Some(Filter::parse("tcp").unwrap()), 1000);
        feed.offer(&packet(&[1; 60]), true);
        assert_eq!((feed.offered(), feed.dropped()), (0, 0));
    }

    #[test]
    fn the_filter_of_the_settings_is_for_sinks_alone() {
        let feeds = [Feed::for_sink(1000), Feed::new(None, 1000)];
        feeds.iter().for_each(|feed| feed.offer(&packet(&[1; 60]), false));
        assert_eq!(feeds.map(|feed| feed.offered()), [0, 1]);
    }

    #[test]
    fn workers_see_that_a_queue_came_or_went() {
        let hub = Hub::default();
        let feed = Arc::new(Feed::new(None, 1));
        let before = hub.generation();
        hub.add(Arc::clone(&feed));
        assert!(hub.generation() != before && hub.feeds().len() == 1);
        hub.remove(&feed);
        assert!(feed.is_closed() && hub.feeds().is_empty());
    }
}
