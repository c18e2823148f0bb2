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

use std::net::{IpAddr, Ipv6Addr};

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of the decoder.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// An address of 16 octets as text; IPv4 lies in `::ffff:0:0/96`. Empty for any other length.
#[wasm_bindgen(js_name = formatAddress)]
pub fn format_address(octets: &[u8]) -> String {
    let Ok(octets) = <[u8; 16]>::try_from(octets) else { return String::new() };
    let address = Ipv6Addr::from(octets);
    address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_everywhere_else() {
        let mapped =
            "192.0.2.7".parse::<std::net::Ipv4Addr>().map(|address| address.to_ipv6_mapped().octets());
        assert_eq!(mapped.map(|octets| format_address(&octets)).as_deref(), Ok("192.0.2.7"));
        assert_eq!(format_address(&Ipv6Addr::LOCALHOST.octets()), "::1");
        assert_eq!(format_address(&[1, 2, 3]), "");
    }
}
