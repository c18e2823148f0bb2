//! The flows of a worker that ended: the last ones for whoever looks, and all of them for flow logs.

use std::{collections::VecDeque, mem};

use mirrorscope_core::flow::FlowRecord;

/// Ended flows that are kept to be looked at; the oldest give way.
const MAX_RECENT: usize = 4096;
/// Ended flows that wait for flow logs. They are taken four times a second; those beyond are lost, and counted.
const MAX_WAITING: usize = 1 << 18;

/// Flows that ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    recent: VecDeque<FlowRecord>,
    waiting: Vec<FlowRecord>,
    is_logged: bool,
    lost: u64,
}

impl Ended {
    /// Nothing yet; `is_logged` where flow logs take every flow.
    pub(super) fn new(is_logged: bool) -> Self {
        Self { is_logged, ..Self::default() }
    }

    pub(super) fn push(&mut self, flow: FlowRecord) {
        if self.is_logged && self.waiting.len() < MAX_WAITING {
            self.waiting.push(flow.clone());
        } else if self.is_logged {
            self.lost += 1;
        }
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(flow);
    }

    /// The last ones, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &FlowRecord> {
        self.recent.iter()
    }

    /// Those that flow logs have not taken, and how many were lost.
    pub(super) fn take(&mut self) -> (Vec<FlowRecord>, u64) {
        (mem::take(&mut self.waiting), mem::take(&mut self.lost))
    }
}
