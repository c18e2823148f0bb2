//! A TAP device: an interface of this machine on which the mirrored frames appear, for any program that sniffs.
//!
//! Making one takes `CAP_NET_ADMIN`; writing frames to it takes nothing more. It goes when its file is closed.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, RawFd},
};

use socket2::{Domain, Socket, Type};

const DEVICE: &str = "/dev/net/tun";

/// Makes the interface `name`, with room for frames of `mtu` octets of payload, and brings it up.
pub(crate) fn open(name: &str, mtu: i32) -> io::Result<File> {
    let file = File::options().read(true).write(true).open(DEVICE)?;
    let mut request = request_for(name)?;
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    control(file.as_raw_fd(), libc::TUNSETIFF, &mut request)?;
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    let mut mtu_request = request_for(name)?;
    mtu_request.ifr_ifru.ifru_mtu = mtu;
    control(socket.as_raw_fd(), libc::SIOCSIFMTU, &mut mtu_request)?;
    let mut up = request_for(name)?;
    up.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    control(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &mut up)?;
    Ok(file)
}

pub(super) fn request_for(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: a C structure of integers and pointers, for which zeroes are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last octet stays zero: the kernel wants an end.
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a name has 1 to 15 octets"));
    }
    request.ifr_name.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from as libc::c_char);
    Ok(request)
}

fn control(file: RawFd, code: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: each of these requests takes a pointer to an `ifreq`, which is alive and whole.
    let result = unsafe { libc::ioctl(file, code, std::ptr::from_mut(request)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_frame_that_is_written_is_received_by_the_interface() {
        let Ok(mut tap) = open("mirrortest0", 9000) else {
            eprintln!("SKIPPED: a TAP device takes CAP_NET_ADMIN and /dev/net/tun");
            return;
        };
        tap.write_all(&[0xff; 60]).unwrap();
        let received = "/sys/class/net/mirrortest0/statistics/rx_packets";
        let Ok(count) = std::fs::read_to_string(received) else { return };
        assert!(count.trim().parse::<u64>().unwrap() >= 1);
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        assert!(request_for("").is_err() && request_for("sixteen-letters-").is_err());
        assert!(request_for("fifteen-letters").is_ok());
    }
}
