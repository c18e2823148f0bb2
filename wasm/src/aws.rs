//! AWS's own description of mirror sessions and filters, laid beside a capture: explain, lint, suggest.

use std::{cell::OnceCell, fmt::Display};

use mirrorscope_core::{
    Packet,
    aws::{
        describe,
        explain::Explainer,
        inventory::Inventory,
        lint::lint,
        mirror::MirrorIdentity,
        names::Names,
        suggest::{Goal, Suggester, Suggestion},
    },
    filter::Filter,
};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{
    decoder::{Learn, RawDecoder},
    fault,
};

/// What the AWS CLI printed, read file by file.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct RawInventory {
    inventory: Inventory,
    names: OnceCell<Names>,
}

#[wasm_bindgen]
impl RawInventory {
    /// Nothing yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one file; returns what is wrong with it, as JSON.
    pub fn add(&mut self, text: &[u8]) -> Option<String> {
        match describe::parse(text) {
            Ok(more) => {
                self.inventory.merge(more);
                self.names = OnceCell::new();
                None
            }
            Err(error) => Some(fault::describe(&error)),
        }
    }

    /// Findings.
    pub fn lint(&self) -> JsValue {
        object(&Report::of(&lint(&self.inventory)))
    }

    /// What people call the source of a mirror session; nothing where it is not known.
    #[wasm_bindgen(js_name = nameOf)]
    pub fn name_of(&self, endpoint: Option<String>, vni: u32, source: &str) -> Option<String> {
        let endpoint_id = endpoint.map(|endpoint| endpoint.parse()).transpose().ok()?;
        let identity = MirrorIdentity { endpoint_id, vni, source: source.parse().ok()? };
        let names = self.names.get_or_init(|| Names::new(self.inventory.clone()));
        names.lookup(&identity)?.best().map(str::to_owned)
    }
}

/// A report of core with the members that its JSON has, and what the native program prints of it.
#[derive(Serialize)]
struct Report<'a, R> {
    report: &'a R,
    text: String,
}

/// The same of a suggestion, also as commands for the AWS CLI, as its JSON and as CloudFormation.
#[derive(Serialize)]
struct Suggested<'a> {
    report: &'a Suggestion,
    text: String,
    exact: bool,
    cli: String,
    json: String,
    cloudformation: String,
}

impl<'a, R: Display> Report<'a, R> {
    fn of(report: &'a R) -> Self {
        Self { report, text: report.to_string() }
    }
}

/// An object with the values that JSON would have. Fails only for numbers that are not exact in JavaScript.
fn object(value: &impl Serialize) -> JsValue {
    value.serialize(&Serializer::json_compatible()).unwrap_or(JsValue::NULL)
}

/// Learns what the mirror filters did.
#[derive(Debug)]
struct Explaining(Explainer);

impl Learn for Explaining {
    fn observe(&mut self, packet: &Packet<'_>) {
        self.0.add(packet);
    }

    fn report(self: Box<Self>) -> JsValue {
        object(&Report::of(&self.0.finish()))
    }
}

/// Learns a filter.
#[derive(Debug)]
struct Suggesting(Suggester, Filter);

impl Learn for Suggesting {
    fn observe(&mut self, packet: &Packet<'_>) {
        self.0.add(packet, |packet| self.1.matches(packet));
    }

    fn report(self: Box<Self>) -> JsValue {
        let suggestion = self.0.finish();
        let filter = &suggestion.filter;
        object(&Suggested {
            report: &suggestion,
            text: suggestion.to_string(),
            exact: suggestion.is_exact(),
            cli: filter.to_cli(),
            json: filter.to_json(),
            cloudformation: filter.to_cloudformation(),
        })
    }
}

/// Judges each packet that a decoder takes by the inventory's mirror filters.
#[wasm_bindgen(js_name = setExplain)]
pub fn set_explain(decoder: &mut RawDecoder, inventory: &RawInventory) {
    decoder.learn(Explaining(Explainer::new(inventory.inventory.clone())));
}

/// Learns a mirror filter that drops (or else keeps) what `expression` chooses; returns what is wrong with it.
#[wasm_bindgen(js_name = setSuggest)]
pub fn set_suggest(
    decoder: &mut RawDecoder,
    drop: bool,
    expression: &str,
    inventory: &RawInventory,
) -> Option<String> {
    let filter = match Filter::parse(expression) {
        Ok(filter) => filter,
        Err(error) => return Some(fault::filter(&error, expression)),
    };
    let goal = if drop { Goal::Drop } else { Goal::Keep };
    let suggester = Suggester::new(goal, decoder.decoder().clone(), inventory.inventory.clone());
    decoder.learn(Suggesting(suggester, filter));
    None
}
