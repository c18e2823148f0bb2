//! Bindings of `mirrorscope-core` for JavaScript.
