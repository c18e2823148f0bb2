//! The sockets of the data path: one a worker, all on one port, steered by the mirrored packet's addresses.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    failure::Failure,
    sys::{receive::Receiver, socket, steer},
    talk::say,
};

/// How long a worker waits for a datagram before it turns its loop all the same.
const TURN: Duration = Duration::from_millis(100);

/// Opens `workers` sockets on `address`. The address `::` receives IPv4 as well.
pub(super) fn open(address: SocketAddr, workers: usize, buffer_len: usize) -> Result<Vec<Receiver>, Failure> {
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        // A port of 0 is chosen by the kernel for the first socket, and shared by the others.
        let address = sockets.first().and_then(local_address).unwrap_or(address);
        sockets.push(bind(address).map_err(|error| cannot_bind(address, &error))?);
    }
    for socket in &sockets {
        // Where the kernel gives less, the warning tells.
        let _ = socket::enlarge_receive_buffer(socket, buffer_len);
    }
    if let [first, _, ..] = sockets.as_slice() {
        steer::by_mirrored_addresses(first, workers as u32).map_err(|error| {
            Failure::new(format_args!("the kernel does not steer datagrams by their content: {error}"))
                .hint("--workers 1 needs no steering; more need Linux 4.5")
        })?;
    }
    warn_of_small_buffers(&sockets, buffer_len);
    let receivers = sockets.into_iter().map(Receiver::new).collect::<io::Result<_>>();
    receivers.map_err(|error| Failure::new(format_args!("cannot prepare the socket: {error}")))
}

/// A socket that keeps `address` and receives nothing.
pub(super) fn deaf(address: SocketAddr) -> Result<Socket, Failure> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        steer::keep_nothing(&socket)?;
        if address.ip() == IpAddr::from([0u16; 8]) {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        Ok(socket)
    };
    bind().map_err(|error| cannot_bind(address, &error))
}

/// Where both families are received, or only IPv4 where the machine has no IPv6.
pub(super) fn any_address(port: u16) -> SocketAddr {
    let both = SocketAddr::from(([0u16; 8], port));
    match Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)) {
        Ok(_) => both,
        Err(_) => (Ipv4Addr::UNSPECIFIED, port).into(),
    }
}

pub(super) fn local_address(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok()?.as_socket()
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.ip() == IpAddr::from([0u16; 8]) {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(true)?;
    socket.set_read_timeout(Some(TURN))?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Octets of a socket's receive buffer. The kernel counts its own book-keeping, and so reports twice what was asked for.
pub(super) fn buffer_len(socket: &Socket) -> usize {
    socket.recv_buffer_size().unwrap_or_default() / 2
}

fn warn_of_small_buffers(sockets: &[Socket], buffer_len: usize) {
    let given = sockets.first().map(self::buffer_len).unwrap_or_default();
    if given < buffer_len {
        say!(
            "mirrorscope: the kernel gives {} KiB of receive buffer to each worker instead of {} KiB: bursts will be lost",
            given / 1024,
            buffer_len / 1024
        );
        say!("  hint: sysctl -w net.core.rmem_max={buffer_len}");
    }
}

/// Why not, and what to do.
pub(super) fn cannot_bind(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::new(format_args!("cannot listen on UDP {address}: {error}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => failure.hint(format_args!(
            "another program receives there; `ss -ulpn sport = :{}` names it",
            address.port()
        )),
        io::ErrorKind::AddrNotAvailable => failure.hint("--listen must be an address of this machine"),
        io::ErrorKind::PermissionDenied => failure.hint("ports below 1024 need CAP_NET_BIND_SERVICE"),
        _ => failure,
    }
}
