//! What a command costs: processor time and peak memory of the whole process, as the operating system accounts for it.

use std::{
    io,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{Usage, UsageWho, getrusage},
    time::TimeVal,
};

/// One run of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Processor time of the process and its children, user and system.
    pub(crate) cpu: Duration,
    /// Time that went by.
    pub(crate) wall: Duration,
}

/// Runs a command to its end with its output thrown away.
pub(crate) fn run(words: &[String]) -> io::Result<Cost> {
    let mut command = command(words)?;
    command.stdout(Stdio::null());
    let (before, started) = (children_cpu()?, Instant::now());
    let status = command.status()?;
    let wall = started.elapsed();
    let cpu = children_cpu()?.saturating_sub(before);
    if status.success() { Ok(Cost { cpu, wall }) } else { Err(failed(words)) }
}

/// Runs a command and returns what it printed, with its peak memory in KiB where GNU time is there to tell.
pub(crate) fn run_and_read(words: &[String]) -> io::Result<(Vec<u8>, Option<u64>)> {
    const TIME: &str = "/usr/bin/time";
    let report = std::env::temp_dir().join(format!("mirrorscope-bench-{}.peak", std::process::id()));
    let mut timed = Command::new(TIME);
    timed.args(["-f", "%M", "-o"]).arg(&report).args(words);
    timed.stdin(Stdio::null()).stderr(Stdio::null());
    let output = match timed.output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => command(words)?.output()?,
        Err(error) => return Err(error),
    };
    let peak = std::fs::read_to_string(&report).ok().and_then(|text| text.trim().parse().ok());
    let _ = std::fs::remove_file(&report);
    if output.status.success() { Ok((output.stdout, peak)) } else { Err(failed(words)) }
}

fn command(words: &[String]) -> io::Result<Command> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env("TZ", "UTC").stdin(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

fn failed(words: &[String]) -> io::Error {
    io::Error::other(format!("`{}` failed", words.join(" ")))
}

/// Processor time of all children that have ended.
fn children_cpu() -> io::Result<Duration> {
    let usage: Usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    Duration::new(time.tv_sec().unsigned_abs(), time.tv_usec().unsigned_abs() as u32 * 1000)
}
