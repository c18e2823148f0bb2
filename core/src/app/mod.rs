//! Protocols above the transport, read only for names and text: whom a client asked for, and what tcpdump would
//! print. Nothing here reassembles a stream; each reader takes the octets of one segment and keeps what it
//! could read of them.
//!
//! They are written by hand because the well-kept crates for these protocols refuse a message that was cut (by
//! a mirror session's packet length, or because a ClientHello goes on in the next segment), or allocate for
//! each record of it. Here every reader borrows, and its work is bounded by the octets given.

pub mod dns;
pub mod http;
pub mod tls;
