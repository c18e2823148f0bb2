//! What a load balancer asks: 200 while the agent does its work, 503 and one line of reason while it does not.
//!
//! Any path is answered, so that a target group's default (`/`) is right.

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::serve::Agent;

/// Nothing but health.
pub(super) fn router(agent: Arc<Agent>) -> Router {
    Router::new().fallback(move || {
        let agent = Arc::clone(&agent);
        async move { answer(&agent) }
    })
}

/// The answer, also at the API's `/health`.
pub(super) fn answer(agent: &Agent) -> Response {
    let (status, text) = match agent.health() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    };
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}
