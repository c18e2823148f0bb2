//! Whether an input has anything to read, so that nobody waits for it in vain.
//!
//! A capture that comes through a pipe comes in bursts. In between, output is flushed and signals are heeded.

use std::{fs::File, io, time::Duration};

/// Standard input without the standard library's buffer, in which octets would lie that [`has_octets`] cannot see.
#[cfg(unix)]
pub(super) fn standard_input() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Standard input.
#[cfg(windows)]
pub(super) fn standard_input() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}

/// Waits until there are octets, or the end, or `patience` has passed; `false` in the last case.
#[cfg(unix)]
pub(super) fn has_octets(input: &File, patience: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let patience = Timespec::try_from(patience).ok();
    // An error, as a signal is one, is no reason to claim that there is something.
    poll(&mut [PollFd::new(input, PollFlags::IN)], patience.as_ref()).is_ok_and(|ready| ready > 0)
}

/// Elsewhere nobody can tell, so the read itself waits.
#[cfg(windows)]
pub(super) fn has_octets(_: &File, _: Duration) -> bool {
    true
}
