//! `/v1/capture`: what the agent receives, as a pcapng file without an end.
//!
//! A reader that is too slow loses packets, which the stream tells it in interface statistics blocks; it never
//! costs more memory than its queue and the piece that is on its way.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::body::{Body, Bytes};
use futures_util::stream;
use mirrorscope_core::{
    Packet,
    capture::Statistics,
    filter::Filter,
    sinks::pcapng::{Part, PcapngSink},
};

use crate::serve::{
    Agent,
    feed::{Batch, Feed, LOOK_EVERY},
};

/// Readers at a time. Each may hold queues' worth of packets, so that their number bounds the agent's memory.
pub(crate) const MAX_READERS: usize = 8;

/// The media type of pcapng, as Wireshark's users name it.
pub(super) const CONTENT_TYPE: &str = "application/x-pcapng";

/// An endless body for one reader; `None` where there are [`MAX_READERS`] already.
pub(super) fn body(agent: &Arc<Agent>, filter: Option<Filter>, part: Part) -> Option<Body> {
    let one_more = |readers: usize| (readers < MAX_READERS).then_some(readers + 1);
    agent.readers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
    let reader = Reader::new(Arc::clone(agent), filter, part);
    Some(Body::from_stream(stream::unfold(reader, |mut reader| async move {
        let piece = reader.next().await?;
        Some((Ok::<_, Infallible>(piece), reader))
    })))
}

/// One of [`Agent::readers`]: counted before it is made, and no more once it is dropped.
struct Reader {
    agent: Arc<Agent>,
    feed: Arc<Feed>,
    batch: Batch,
    sink: PcapngSink,
    out: Vec<u8>,
    number: u64,
    told_dropped: u64,
}

impl Reader {
    fn new(agent: Arc<Agent>, filter: Option<Filter>, part: Part) -> Self {
        let feed = Arc::new(Feed::new(filter, agent.queue_len));
        agent.hub.add(Arc::clone(&feed));
        let mut out = Vec::new();
        let sink = PcapngSink::begin(&mut out, part, concat!("mirrorscope ", env!("CARGO_PKG_VERSION")));
        Self { agent, feed, batch: Batch::default(), sink, out, number: 1, told_dropped: 0 }
    }

    /// The next piece: the file's beginning at once, then whatever has come together.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            let is_last = self.feed.is_closed();
            self.feed.take(&mut self.batch);
            if self.batch.packets() > 0 {
                self.write();
            } else if is_last {
                return None;
            } else {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Some(Bytes::from(std::mem::take(&mut self.out)))
    }

    fn write(&mut self) {
        for record in self.batch.records(self.number) {
            let packet = Packet::decode(&self.agent.decoder, record);
            self.sink.packet(&packet, &|_| None, &mut self.out);
        }
        self.number += self.batch.packets();
        let dropped = self.feed.dropped();
        if dropped != self.told_dropped {
            self.told_dropped = dropped;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let received = Some(self.feed.offered());
            let statistics = Statistics { received, dropped: Some(dropped), ..Statistics::default() };
            self.sink.statistics(now.as_nanos() as i64, &statistics, &mut self.out);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.agent.hub.remove(&self.feed);
        self.agent.readers.fetch_sub(1, Ordering::Relaxed);
    }
}
