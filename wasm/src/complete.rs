//! The filter language for an editor: what could be written at the cursor.

use std::net::IpAddr;

use mirrorscope_core::{
    aws::gwlb::EndpointId,
    filter::{CompletionKind, Seen, complete},
    order,
    sinks::{
        json,
        line::Line,
        sessions::{Key, Sessions},
    },
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{fault, output};

/// What could be written at index `cursor` of `text`, as a JSON array.
#[wasm_bindgen(js_name = completeFilter)]
pub fn complete_filter(text: &str, cursor: usize) -> String {
    completions(text, cursor, &Values::default())
}

pub(crate) fn completions(text: &str, cursor: usize, values: &Values) -> String {
    let seen = Seen {
        vnis: &values.vnis,
        endpoints: &values.endpoints,
        sources: &values.sources,
        hosts: &values.hosts,
        ..Seen::default()
    };
    let mut line = Line::default();
    line.byte(b'[');
    for (index, completion) in complete(text, fault::utf8(text, cursor), &seen).iter().enumerate() {
        if index > 0 {
            line.byte(b',');
        }
        let [from, to] = [completion.replace.start, completion.replace.end].map(|at| fault::utf16(text, at));
        json::object(&mut line, |json| {
            json.text("text", &completion.text).text("kind", kind(completion.kind));
            json.uint("from", from as u64).uint("to", to as u64).text("detail", completion.detail);
        });
    }
    output::text(line.byte(b']'))
}

/// The identities of the mirror sessions seen, each value once, and addresses inside.
#[derive(Default)]
pub(crate) struct Values {
    vnis: Vec<u32>,
    endpoints: Vec<EndpointId>,
    sources: Vec<IpAddr>,
    hosts: Vec<IpAddr>,
}

impl Values {
    pub(crate) fn of(sessions: &Sessions, hosts: Vec<IpAddr>) -> Self {
        let mut values = Self { hosts, ..Self::default() };
        for (key, _) in sessions.rows() {
            let Key::Mirrored(identity) = key else { continue };
            values.vnis.push(identity.vni);
            values.endpoints.extend(identity.endpoint_id);
            values.sources.push(identity.source);
        }
        once(&mut values.vnis);
        once(&mut values.endpoints);
        once(&mut values.sources);
        values
    }
}

fn once<T: Ord>(values: &mut Vec<T>) {
    order::sort_by(values, T::cmp);
    values.dedup();
}

fn kind(kind: CompletionKind) -> &'static str {
    match kind {
        CompletionKind::Tunnel => "tunnel",
        CompletionKind::Protocol => "protocol",
        CompletionKind::Keyword => "keyword",
        CompletionKind::Operator => "operator",
        CompletionKind::Constant => "constant",
        CompletionKind::Value => "value",
    }
}
