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

use crate::{decoder::RawDecoder, fault};

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

/// What a pass over a capture learns for AWS.
#[derive(Debug, Default)]
pub(crate) struct Learning {
    explainer: Option<Explainer>,
    suggester: Option<(Suggester, Filter)>,
}

impl Learning {
    pub(crate) fn observe(&mut self, packet: &Packet<'_>) {
        if let Some(explainer) = &mut self.explainer {
            explainer.add(packet);
        }
        if let Some((suggester, filter)) = &mut self.suggester {
            suggester.add(packet, |packet| filter.matches(packet));
        }
    }
}

#[wasm_bindgen]
impl RawDecoder {
    /// Judges each packet by the inventory's mirror filters.
    #[wasm_bindgen(js_name = setExplain)]
    pub fn set_explain(&mut self, inventory: &RawInventory) {
        self.learning_mut().explainer = Some(Explainer::new(inventory.inventory.clone()));
    }

    /// Learns a mirror filter that drops (or else keeps) what `expression` chooses; returns what is wrong with it.
    #[wasm_bindgen(js_name = setSuggest)]
    pub fn set_suggest(&mut self, drop: bool, expression: &str, inventory: &RawInventory) -> Option<String> {
        let filter = match Filter::parse(expression) {
            Ok(filter) => filter,
            Err(error) => return Some(fault::filter(&error, expression)),
        };
        let goal = if drop { Goal::Drop } else { Goal::Keep };
        let suggester = Suggester::new(goal, self.decoder().clone(), inventory.inventory.clone());
        self.learning_mut().suggester = Some((suggester, filter));
        None
    }

    /// What the filters did; nothing where it was not asked for.
    #[wasm_bindgen(js_name = takeExplanation)]
    pub fn take_explanation(&mut self) -> Option<JsValue> {
        self.learning_mut().explainer.take().map(|explainer| object(&Report::of(&explainer.finish())))
    }

    /// The suggested filter; nothing where it was not asked for.
    #[wasm_bindgen(js_name = takeSuggestion)]
    pub fn take_suggestion(&mut self) -> Option<JsValue> {
        let (suggester, _) = self.learning_mut().suggester.take()?;
        let suggestion = suggester.finish();
        let filter = &suggestion.filter;
        Some(object(&Suggested {
            report: &suggestion,
            text: suggestion.to_string(),
            exact: suggestion.is_exact(),
            cli: filter.to_cli(),
            json: filter.to_json(),
            cloudformation: filter.to_cloudformation(),
        }))
    }
}
