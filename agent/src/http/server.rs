//! Connections: how many at a time, and for how long a client may keep one waiting.
//!
//! A client that sends its request octet by octet is cut off; one that connects when all places are taken waits
//! in the kernel's queue.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time,
};

/// The most that a request may ask of the listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    connections: usize,
    /// Time for the request line and headers.
    header: Duration,
    /// Time for a whole connection; `None` for streams, which have no end.
    connection: Option<Duration>,
}

/// Health answers one short question a connection.
pub(super) const HEALTH: Bounds =
    Bounds { connections: 512, header: Duration::from_secs(2), connection: Some(Duration::from_secs(5)) };
/// The API streams.
pub(super) const API: Bounds = Bounds { connections: 128, header: Duration::from_secs(5), connection: None };

/// Octets of request line and headers.
const MAX_HEADERS_LEN: usize = 16 * 1024;
/// How long to wait where no connection can be accepted, for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What connections come from.
pub(super) enum Socket {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// A socket in the file system.
    Unix(std::os::unix::net::UnixListener),
}

/// Serves until the program ends. Runs in a thread of its own.
pub(super) fn run(socket: Socket, router: Router, bounds: Bounds) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.and_then(|runtime| runtime.block_on(serve(socket, router, bounds)));
    if let Err(error) = result {
        eprintln!("mirrorscope: an HTTP listener cannot go on: {error}");
    }
}

async fn serve(socket: Socket, router: Router, bounds: Bounds) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(bounds.connections));
    match socket {
        Socket::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
                match listener.accept().await {
                    Ok((stream, _)) => {
                        spawn(stream, router.clone(), bounds, place);
                    }
                    Err(_) => time::sleep(ACCEPT_AGAIN).await,
                }
            }
        }
        Socket::Unix(listener) => {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::UnixListener::from_std(listener)?;
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
                match listener.accept().await {
                    Ok((stream, _)) => {
                        spawn(stream, router.clone(), bounds, place);
                    }
                    Err(_) => time::sleep(ACCEPT_AGAIN).await,
                }
            }
        }
    }
}

fn spawn<S>(stream: S, router: Router, bounds: Bounds, place: tokio::sync::OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.header)
            .max_buf_size(MAX_HEADERS_LEN)
            .keep_alive(bounds.connection.is_none())
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        // How a client ends its connection is no news.
        match bounds.connection {
            Some(bound) => drop(time::timeout(bound, connection).await),
            None => drop(connection.await),
        }
        drop(place);
    });
}
