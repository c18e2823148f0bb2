//! Tests that span the crates; this library holds what they share.
