//! What AWS adds to a packet: the options of Gateway Load Balancer and the identity of a mirror session.

pub mod gwlb;
pub mod mirror;
