//! What AWS adds to a packet, and what AWS knows about the mirror sessions that packets come from.
//!
//! [`gwlb`] and [`mirror`] read packets. The rest works on what the AWS CLI prints ([`describe`]) and needs no
//! account: which session a packet belongs to ([`join`], [`names`]), what a mirror filter does with it
//! ([`rules`], [`explain`]), what is wrong with the set-up ([`lint`]), and which filter would do better ([`suggest`]).

pub mod describe;
pub mod explain;
pub mod gwlb;
pub mod inventory;
pub mod join;
pub mod lint;
pub mod mirror;
pub mod names;
pub mod rules;
pub mod suggest;
pub mod traffic;
pub mod value;

mod commands;
mod cover;
mod explain_text;
mod json_error;
mod lint_rules;
mod probe;
mod space;
pub(crate) mod table;
