//! The filter language for whoever writes one: what is wrong where.

use mirrorscope_core::filter::Filter;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault;

/// What is wrong with a filter, as JSON; nothing if it can be used.
#[wasm_bindgen(js_name = checkFilter)]
pub fn check_filter(text: &str) -> Option<String> {
    Filter::parse(text).err().map(|error| fault::filter(&error, text))
}
