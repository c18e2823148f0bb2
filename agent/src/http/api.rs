//! The API: metrics, sessions, flows, counters, and the endless capture. `agent/schema/openapi.yaml` describes it.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use mirrorscope_core::{
    filter::Filter,
    flow::{Report, SortKey},
    sinks::{
        flows,
        pcapng::Part,
        sessions::{self, Sessions},
    },
};
use serde::Deserialize;
use serde_json::json;

use super::{answer, capture, health, metrics};
use crate::serve::Agent;

/// Flows that one answer holds, unless the question says otherwise.
const DEFAULT_FLOWS: usize = 1000;
/// The most flows that one answer may hold.
pub(crate) const MAX_FLOWS: usize = 100_000;
/// Octets that a flow takes, at most, while an answer is made: its record, and its line as it grows.
pub(crate) const ANSWERED_FLOW_LEN: usize = 4 << 10;

type Shared = State<Arc<Agent>>;

type Answer = fn() -> MethodRouter<Arc<Agent>>;

/// What answers where. `agent/schema/openapi.yaml` describes each row.
const ROUTES: [(&str, Answer); 7] = [
    ("/health", || get(health)),
    ("/metrics", || get(metrics)),
    ("/v1/stats", || get(stats)),
    ("/v1/sessions", || get(sessions)),
    ("/v1/flows", || get(flows)),
    ("/v1/capture", || get(capture)),
    ("/openapi.yaml", || get(openapi)),
];

/// All routes, open to everyone who reaches them: see [`super::guard`].
pub(super) fn router(agent: Arc<Agent>) -> Router {
    let rows = ROUTES.into_iter();
    rows.fold(Router::new(), |router, (path, answer)| router.route(path, answer())).with_state(agent)
}

async fn health(State(agent): Shared) -> Response {
    health::answer(&agent)
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/yaml")], include_str!("../../schema/openapi.yaml")).into_response()
}

async fn metrics(State(agent): Shared, headers: HeaderMap) -> Response {
    let format = metrics::Format::wanted(headers.get(header::ACCEPT).map(|value| value.as_bytes()));
    match metrics::text(&agent, format) {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn stats(State(agent): Shared) -> Response {
    let tally = agent.tally();
    let mut counters: serde_json::Map<_, _> =
        tally.fields().into_iter().map(|(name, _, value)| (name.to_owned(), value.into())).collect();
    counters.insert("decoded".to_owned(), tally.decoded().into());
    counters.insert("refused".to_owned(), tally.refused().into());
    let sinks: Vec<_> = agent
        .sinks
        .iter()
        .map(|sink| {
            json!({
                "name": sink.name,
                "offered": sink.feed.offered(),
                "delivered": sink.delivered(),
                "dropped": sink.dropped(),
                "failure": sink.failure(),
            })
        })
        .collect();
    let answer = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": agent.started.elapsed().as_secs_f64(),
        "workers": agent.workers.len(),
        "healthy": agent.health().is_ok(),
        "draining": agent.is_draining(),
        "flows": agent.workers.iter().map(|worker| worker.state().flows.len()).sum::<usize>(),
        "counters": counters,
        "sinks": sinks,
    });
    ([(header::CONTENT_TYPE, "application/json")], format!("{answer}\n")).into_response()
}

async fn sessions(State(agent): Shared) -> Response {
    answer::json_lines(&agent, |line| {
        let mut all = Sessions::default();
        agent.workers.iter().for_each(|worker| all.merge(&worker.state().sessions));
        sessions::print_json(&all.rows(), &|_| None, line);
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowsQuestion {
    filter: Option<String>,
    limit: Option<usize>,
    /// Also the flows that ended last.
    #[serde(default)]
    ended: bool,
}

async fn flows(State(agent): Shared, Query(question): Query<FlowsQuestion>) -> Response {
    let filter = match parse(question.filter.as_deref()) {
        Ok(filter) => filter,
        Err(refusal) => return *refusal,
    };
    let limit = question.limit.unwrap_or(DEFAULT_FLOWS);
    if !(1..=MAX_FLOWS).contains(&limit) {
        return bad_request(&format!("limit is from 1 to {MAX_FLOWS}"));
    }
    let passes = |flow: &_| filter.as_ref().is_none_or(|filter| filter.matches_flow(flow));
    answer::json_lines(&agent, |line| {
        let mut report = Report::new(SortKey::Bytes, limit);
        for worker in &agent.workers {
            // The worker waits meanwhile; a copy of all its flows would take it as long, and memory besides.
            let state = worker.state();
            let ended = state.ended.iter().filter(|_| question.ended).cloned();
            state.flows.iter().chain(ended).filter(passes).for_each(|flow| report.push(flow));
        }
        report.finish().0.iter().for_each(|flow| flows::print_json(flow, &|_| None, line));
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaptureQuestion {
    filter: Option<String>,
    /// `1` or `true` keeps the tunnels.
    outer: Option<String>,
}

async fn capture(State(agent): Shared, Query(question): Query<CaptureQuestion>) -> Response {
    let part = match question.outer.as_deref() {
        None | Some("0" | "false") => Part::Subject,
        Some("1" | "true") => Part::Record,
        Some(_) => return bad_request("outer is 0 or 1"),
    };
    match parse(question.filter.as_deref()) {
        Ok(filter) => {
            let headers =
                [(header::CONTENT_TYPE, capture::CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
            match capture::body(&agent, filter, part) {
                Some(body) => (headers, body).into_response(),
                None => (StatusCode::SERVICE_UNAVAILABLE, "there are as many readers as there may be\n")
                    .into_response(),
            }
        }
        Err(refusal) => *refusal,
    }
}

fn parse(text: Option<&str>) -> Result<Option<Filter>, Box<Response>> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    Filter::parse(text).map(Some).map_err(|error| Box::new(bad_request(error.render(text).trim_end())))
}

fn bad_request(reason: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let text = include_str!("../../schema/openapi.yaml");
        let paths = text.lines().skip_while(|line| *line != "paths:").skip(1);
        let paths = paths.take_while(|line| line.starts_with(' '));
        let path = |line: &str| Some(line.strip_prefix("  /")?.strip_suffix(':')?.to_owned());
        let mut described: Vec<_> = paths.filter_map(path).map(|path| format!("/{path}")).collect();
        let mut routes: Vec<_> = ROUTES.iter().map(|(path, _)| (*path).to_owned()).collect();
        described.sort();
        routes.sort();
        assert_eq!(described, routes);
    }
}
