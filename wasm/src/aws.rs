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
        suggest::{Goal, Suggester},
    },
    filter::Filter,
};
use serde::Serialize;
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

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

    /// Findings, as JSON with the text for people in `text`.
    pub fn lint(&self) -> String {
        report(&lint(&self.inventory))
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

/// A report of core and what the native program prints of it, as JSON.
fn report(report: &(impl Display + Serialize)) -> String {
    match serde_json::to_value(report) {
        Ok(value) => json!({ "report": value, "text": report.to_string() }).to_string(),
        // Reports are plain structures, which serde can always write.
        Err(error) => json!({ "report": null, "text": error.to_string() }).to_string(),
    }
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

    /// What the filters did, as JSON; nothing where it was not asked for.
    #[wasm_bindgen(js_name = takeExplanation)]
    pub fn take_explanation(&mut self) -> Option<String> {
        self.learning_mut().explainer.take().map(|explainer| report(&explainer.finish()))
    }

    /// The suggested filter, as JSON, also as commands for the AWS CLI, as its JSON and as CloudFormation.
    #[wasm_bindgen(js_name = takeSuggestion)]
    pub fn take_suggestion(&mut self) -> Option<String> {
        let (suggester, _) = self.learning_mut().suggester.take()?;
        let suggestion = suggester.finish();
        let filter = &suggestion.filter;
        Some(
            json!({
                "report": serde_json::to_value(&suggestion).unwrap_or_default(), "text": suggestion.to_string(),
                "exact": suggestion.is_exact(), "cli": filter.to_cli(), "json": filter.to_json(),
                "cloudformation": filter.to_cloudformation(),
            })
            .to_string(),
        )
    }
}
