//! Asks the health listener of this machine what a load balancer would ask it.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use mirrorscope_core::doctor::{Probe, ProbeAnswer};

use super::sockets;

/// The least timeout that a target group may have.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than a health answer has any reason to be.
const MAX_ANSWER_LEN: u64 = 64 * 1024;

/// Asks on `port`, at the address that is listened on, or over loopback.
pub(super) fn probe(port: u16) -> Probe {
    let bound = sockets::tcp(port);
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let address = match bound.first() {
        Some(address) if !address.ip().is_unspecified() => *address,
        _ => loopback,
    };
    let is_outside = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    Probe {
        address,
        is_reachable_from_outside: (!bound.is_empty()).then(|| bound.iter().any(is_outside)),
        answer: ask(address).map_err(|error| error.to_string()),
    }
}

fn ask(address: SocketAddr) -> io::Result<ProbeAnswer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_LEN).read_to_end(&mut answer)?;
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "what answers does not speak HTTP");
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(no_http)
}

fn parse(answer: &str) -> Option<ProbeAnswer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let is_length = |line: &str| {
        line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("content-length"))
    };
    let reason = body.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200);
    Some(ProbeAnswer { status, reason: reason.collect(), has_length: head.lines().any(is_length) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_anything_else_is_not() {
        let answer =
            parse("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\ndraining\n").unwrap();
        assert_eq!((answer.status, answer.reason.as_str(), answer.has_length), (503, "draining", true));
        assert!(!parse("HTTP/1.0 200 OK\r\n\r\n").unwrap().has_length);
        assert_eq!(parse("SSH-2.0-OpenSSH\r\n\r\n"), None);
    }
}
