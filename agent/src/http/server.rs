//! Connections: how many at a time, and for how long a client may keep one waiting.
//!
//! A client that sends its request octet by octet is cut off; one that connects when all places are taken waits
//! in the kernel's queue.

use std::{io, sync::Arc, time::Duration};

use axum::{Router, serve::Listener};
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

use crate::talk::say;

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
/// Serves what `listen` makes of a socket until the program ends. Runs in a thread of its own, with a runtime of
/// its own, in which `listen` is called.
pub(super) fn run<L: Listener>(listen: impl FnOnce() -> io::Result<L>, router: Router, bounds: Bounds) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let serve = |runtime: tokio::runtime::Runtime| {
        runtime.block_on(async {
            accept(listen()?, router, bounds).await;
            Ok(())
        })
    };
    if let Err(error) = runtime.and_then(serve) {
        say!("mirrorscope: an HTTP listener cannot go on: {error}");
    }
}

/// Where no connection can be accepted, for want of descriptors, the listener waits and tries again.
async fn accept<L: Listener>(mut listener: L, router: Router, bounds: Bounds) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, _) = listener.accept().await;
        let router = router.clone();
        tokio::spawn(async move {
            serve(stream, router, bounds).await;
            drop(place);
        });
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, router: Router, bounds: Bounds) {
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
}
