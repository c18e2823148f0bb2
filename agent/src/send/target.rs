//! Where it is allowed to send, and from which address: loopback, or an address that was given twice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use mirrorscope_core::layers::geneve;

use crate::failure::Failure;

/// Parses `ADDR` or `ADDR:PORT`; names are not looked up.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    text.parse::<SocketAddr>()
        .or_else(|_| text.parse::<IpAddr>().map(|address| (address, geneve::UDP_PORT).into()))
        .map_err(|_| "not an IP address, with or without :PORT ([ADDR]:PORT for IPv6)".to_owned())
}

/// Refuses to send anywhere but to loopback, unless the user said the address again.
///
/// An address in a network namespace is not loopback either: from here nobody can tell where it leads.
pub(crate) fn check(to: SocketAddr, confirmed: Option<IpAddr>) -> Result<(), Failure> {
    let address = to.ip();
    if address.is_loopback() || confirmed == Some(address) {
        return Ok(());
    }
    let refusal = match confirmed {
        None => Failure::new(format_args!("refused to send to {address}, which is not loopback")),
        Some(other) => {
            Failure::new(format_args!("refused to send to {address}: --yes-send-to names {other}"))
        }
    };
    Err(refusal.hint(format_args!(
        "made-up traffic disturbs whoever receives it; if you mean it, add --yes-send-to {address}"
    )))
}

/// The address to send from. It must differ from the target's, because what comes back is addressed to it and
/// to the target's own port.
pub(crate) fn source_address(to: SocketAddr, from: Option<IpAddr>) -> Result<IpAddr, Failure> {
    const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    const THIRD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
    match from {
        Some(from) if from.is_ipv4() != to.is_ipv4() => {
            Err(Failure::new(format_args!("--from {from} and --to {to} are of different address families")))
        }
        Some(from) => Ok(from),
        None if to.ip() == SECOND => Ok(THIRD),
        None if to.is_ipv4() && to.ip().is_loopback() => Ok(SECOND),
        None => route_to(to).map_err(|error| Failure::new(format_args!("no way to {to}: {error}"))),
    }
}

/// Asks the kernel which address it would use. Connecting a UDP socket sends nothing.
fn route_to(to: SocketAddr) -> std::io::Result<IpAddr> {
    let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_needs_no_confirmation() {
        for loopback in ["127.0.0.1", "127.8.9.10:99", "[::1]:6081"] {
            assert!(check(parse(loopback).unwrap(), None).is_ok(), "{loopback}");
        }
        for other in ["0.0.0.0", "10.0.0.1", "169.254.169.254", "255.255.255.255", "::", "::ffff:127.0.0.1"] {
            assert!(check(parse(other).unwrap(), None).is_err(), "{other}");
        }
    }

    #[test]
    fn the_confirmation_must_name_the_same_address() {
        let to = parse("192.0.2.1:6081").unwrap();
        assert!(check(to, Some("192.0.2.1".parse().unwrap())).is_ok());
        assert!(check(to, Some("192.0.2.2".parse().unwrap())).is_err());
        assert!(check(to, Some("127.0.0.1".parse().unwrap())).is_err());
    }

    #[test]
    fn names_are_no_addresses() {
        assert!(parse("localhost").is_err());
        assert_eq!(parse("127.0.0.1").unwrap().port(), 6081);
    }

    #[test]
    fn on_loopback_the_load_balancer_has_an_address_of_its_own() {
        for to in ["127.0.0.1", "127.0.0.2"] {
            let to = parse(to).unwrap();
            assert_ne!(source_address(to, None).unwrap(), to.ip());
        }
    }
}
