//! AWS's own description of mirror sessions and filters, laid beside a capture: explain, lint, suggest.

use std::fmt::Display;

use mirrorscope_core::{
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
                None
            }
            Err(error) => Some(fault::describe(&error)),
        }
    }

    /// Findings, as JSON with the text for people in `text`.
    pub fn lint(&self) -> String {
        report(&lint(&self.inventory))
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
    pub(crate) explainer: Option<Explainer>,
    pub(crate) suggester: Option<(Suggester, Filter)>,
    pub(crate) names: Option<Names>,
}

impl Learning {
    /// The name of a mirror source.
    pub(crate) fn name(&self, identity: &MirrorIdentity) -> Option<&str> {
        self.names.as_ref()?.lookup(identity)?.best()
    }
}

#[wasm_bindgen]
impl RawDecoder {
    /// Calls mirror sources by the names of the inventory.
    #[wasm_bindgen(js_name = setNames)]
    pub fn set_names(&mut self, inventory: &RawInventory) {
        self.learning_mut().names = Some(Names::new(inventory.inventory.clone()));
    }

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
