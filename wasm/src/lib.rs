//! Bindings of `mirrorscope-core` for JavaScript: they translate and do not think.
//!
//! What is exported here is the inner side of the npm package; its TypeScript makes the API that people use. Nothing
//! here throws: a fault is returned as the JSON text of [`fault`], so that TypeScript can make its own errors of it.
//! Tables go over the boundary as JSON text too, which `JSON.parse` reads faster than a binding builds objects, and
//! which is what the native program prints; the tree of the packet in hand and reports go as objects. Packets of the
//! hot path go as columns, read in place.

pub mod aws;
pub mod capture;
mod columns;
pub mod complete;
pub mod decoder;
mod fault;
pub mod filter;
mod output;
pub mod packet;
mod tables;
pub mod tcpdump;
pub mod text;

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of the decoder.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
