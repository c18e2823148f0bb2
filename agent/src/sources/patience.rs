//! Whether standard input has anything to read, so that nobody waits for it in vain.
//!
//! A capture that comes through a pipe comes in bursts. In between, output is flushed and signals are heeded.

use std::{
    io::{self, Read},
    time::Duration,
};

/// Standard input without the standard library's buffer, in which octets would lie that [`has_octets`] cannot see.
#[cfg(unix)]
pub(crate) fn unbuffered() -> io::Result<Box<dyn Read + Send>> {
    use std::{fs::File, os::fd::AsFd};
    Ok(Box::new(File::from(io::stdin().as_fd().try_clone_to_owned()?)))
}

/// Standard input.
#[cfg(not(unix))]
pub(crate) fn unbuffered() -> io::Result<Box<dyn Read + Send>> {
    Ok(Box::new(io::stdin()))
}

/// Waits until there are octets, or the end, or `patience` has passed; `false` in the last case.
#[cfg(unix)]
pub(crate) fn has_octets(patience: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let stdin = io::stdin();
    let patience = Timespec::try_from(patience).ok();
    // An error, as a signal is one, is no reason to claim that there is something.
    poll(&mut [PollFd::new(&stdin, PollFlags::IN)], patience.as_ref()).is_ok_and(|ready| ready > 0)
}

/// Elsewhere nobody can tell, so the read itself waits.
#[cfg(not(unix))]
pub(crate) fn has_octets(_: Duration) -> bool {
    true
}
