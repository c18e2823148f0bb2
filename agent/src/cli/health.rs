//! `mirrorscope health`: asks a running agent what it tells the load balancer, where there is no curl to ask with.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use clap::Args as ClapArgs;

use crate::failure::Failure;

/// A healthy agent answers at once; a load balancer gives it five seconds too.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any answer; what comes after it is not read.
const MAX_ANSWER_LEN: u64 = 4096;

/// Ask a running agent whether it is healthy
#[derive(ClapArgs, Debug)]
#[command(after_help = "\
Examples:
  mirrorscope health                    ask the agent of this machine
  mirrorscope health 10.80.0.17:8080    ask another one

Exit status: 0 healthy, 1 not healthy or no answer.")]
pub(super) struct Args {
    /// Where the agent tells its health: its --health
    #[arg(value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    address: SocketAddr,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let answer = ask(args.address).map_err(|error| {
        Failure::new(format_args!("no answer from {}: {error}", args.address))
            .hint("is `mirrorscope serve` running, and is that its --health?")
    })?;
    let reason = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
    match answer.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(Failure::new(format_args!("not healthy: {}", reason.escape_debug()))),
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_LEN).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
