//! Where it is allowed to send, and from which address: loopback, or an address that was given twice.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use mirrorscope_core::layers::geneve;

use crate::failure::Failure;

/// Parses `ADDR` or `ADDR:PORT`; names are not looked up.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    let in_brackets = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address =
        text.parse().or_else(|_| in_brackets.unwrap_or_default().parse::<Ipv6Addr>().map(IpAddr::V6));
    let to = text
        .parse::<SocketAddr>()
        .or_else(|_| address.map(|address| (address, geneve::UDP_PORT).into()))
        .map_err(|_| "not an IP address, with or without :PORT ([ADDR]:PORT for IPv6)".to_owned())?;
    if to.port() == 0 { Err("port 0 is no one's".to_owned()) } else { Ok(to) }
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

/// The address to send from. On loopback it differs from the target's, because what comes back is addressed to it
/// and to the target's own port.
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

/// Refuses to wait for inline packets at the very address that they are sent to: they would seem to come back.
pub(crate) fn check_source(to: SocketAddr, from: IpAddr) -> Result<(), Failure> {
    if from != to.ip() {
        return Ok(());
    }
    Err(Failure::new(format_args!("inline packets cannot be sent from {from} to itself")).hint(
        "what comes back goes to the sender's address at the target's port: give another address of this machine with --from, or leave out --inline",
    ))
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
        assert!(parse("[127.0.0.1]").is_err() && parse("[::1").is_err() && parse("127.0.0.1:0").is_err());
        for address in ["127.0.0.1", "::1", "[::1]"] {
            assert_eq!(parse(address).unwrap().port(), 6081, "{address}");
        }
    }

    #[test]
    fn inline_packets_are_not_sent_to_where_they_are_awaited() {
        let to = parse("::1").unwrap();
        let from = source_address(to, None).unwrap_or(to.ip());
        assert!(check_source(to, from).is_err());
        let to = parse("127.0.0.1").unwrap();
        assert!(check_source(to, source_address(to, None).unwrap()).is_ok());
    }

    #[test]
    fn on_loopback_the_load_balancer_has_an_address_of_its_own() {
        for to in ["127.0.0.1", "127.0.0.2"] {
            let to = parse(to).unwrap();
            assert_ne!(source_address(to, None).unwrap(), to.ip());
        }
    }
}
