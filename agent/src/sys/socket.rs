//! Socket options that no safe crate has: a receive buffer beyond the limit, and the count of what was lost.

use std::{io, os::fd::AsRawFd};

/// What `SO_MEMINFO` returns: `SK_MEMINFO_VARS` numbers, the last of which counts dropped datagrams.
const MEMINFO_VARS: usize = 9;
const MEMINFO_DROPS: usize = 8;

/// Sets an option of level `SOL_SOCKET`.
pub(super) fn set<T: Copy>(socket: &impl AsRawFd, option: libc::c_int, value: &T) -> io::Result<()> {
    set_at(socket, libc::SOL_SOCKET, option, value)
}

/// Sets an option of `level`.
pub(super) fn set_at<T: Copy>(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of one live value; the kernel only reads it.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Asks for a receive buffer of `len` octets, beyond `net.core.rmem_max` where `CAP_NET_ADMIN` allows it; otherwise
/// the kernel gives what its limit allows.
pub(crate) fn enlarge_receive_buffer(socket: &impl AsRawFd, len: usize) -> io::Result<()> {
    let len = libc::c_int::try_from(len).unwrap_or(libc::c_int::MAX);
    set(socket, libc::SO_RCVBUFFORCE, &len).or_else(|_| set(socket, libc::SO_RCVBUF, &len))
}

/// Takes the smallest receive buffer that the kernel gives.
#[cfg(test)]
pub(crate) fn shrink_receive_buffer(socket: &impl AsRawFd) -> io::Result<()> {
    set(socket, libc::SO_RCVBUF, &0i32)
}

/// Datagrams that the kernel dropped because the socket's buffer was full, since the socket was made. The number
/// has 32 bits and starts again from 0.
pub(crate) fn dropped_datagrams(socket: &impl AsRawFd) -> io::Result<u32> {
    let mut info = [0u32; MEMINFO_VARS];
    read(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut info)?;
    Ok(info[MEMINFO_DROPS])
}

/// Reads an option into `value`, a plain number, structure or array of numbers.
pub(super) fn read<T: Copy>(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &mut T,
) -> io::Result<()> {
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` and `len` live through the call, and `len` is the size of `value`, beyond which the kernel
    // does not write. All callers read into integers, for which any bits are a value.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, option, std::ptr::from_mut(value).cast(), &raw mut len)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn the_kernel_counts_what_a_full_buffer_loses() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        set(&receiver, libc::SO_RCVBUF, &4096).unwrap();
        assert_eq!(dropped_datagrams(&receiver).unwrap(), 0);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1000], receiver.local_addr().unwrap()).unwrap();
        }
        let mut received = 0;
        receiver.set_nonblocking(true).unwrap();
        while receiver.recv(&mut [0; 1000]).is_ok() {
            received += 1;
        }
        assert_eq!(dropped_datagrams(&receiver).unwrap() + received, 100);
    }
}
