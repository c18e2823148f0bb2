//! The program `mirrorscope`.
fn main() {}
