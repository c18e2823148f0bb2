//! Answers of many lines, which may wait for a reader who does not read: all together hold no more than a bound.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use mirrorscope_core::sinks::line::Line;

use crate::serve::Agent;

/// Octets of answers that may wait when another is given.
pub(crate) const MAX_WAITING_LEN: usize = 16 << 20;

/// What `write` writes as JSON lines, or a refusal where others have not read theirs. Nothing is written then, which
/// takes longer than anything else here.
pub(super) fn json_lines(agent: &Arc<Agent>, write: impl FnOnce(&mut Line)) -> Response {
    if agent.answers_len.load(Ordering::Relaxed) >= MAX_WAITING_LEN {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many answers wait for their readers\n")
            .into_response();
    }
    let mut lines = Line::default();
    write(&mut lines);
    let octets = lines.as_bytes().to_vec();
    agent.answers_len.fetch_add(octets.len(), Ordering::Relaxed);
    let body = Body::from(Bytes::from_owner(Waiting { octets, agent: Arc::clone(agent) }));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

/// Counted in [`Agent::answers_len`] until it is written or its connection has gone.
struct Waiting {
    octets: Vec<u8>,
    agent: Arc<Agent>,
}

impl AsRef<[u8]> for Waiting {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.agent.answers_len.fetch_sub(self.octets.len(), Ordering::Relaxed);
    }
}
