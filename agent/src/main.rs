//! The program `mirrorscope`.
#[allow(dead_code, unused_imports, reason = "the command line that reads files comes next")]
mod sources;

fn main() {}
