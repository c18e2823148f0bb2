//! The two listeners: health, which a load balancer asks, and the API, which people and programs ask.
//!
//! Each has a thread of its own, so that no reader of the API can make health late, and neither touches the data
//! path but to read its counters.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use crate::{failure::Failure, serve::Agent, talk::say};

mod answer;
mod api;
mod capture;
mod guard;
mod health;
mod metrics;
mod page;
mod server;

pub(crate) use answer::MAX_WAITING_LEN;
pub(crate) use api::{ANSWERED_FLOW_LEN, MAX_FLOWS};
pub(crate) use capture::MAX_READERS;
pub(crate) use page::Page;

/// Where the API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// TCP.
    Address(SocketAddr),
    /// A socket in the file system.
    Path(PathBuf),
}

/// Sockets that are bound and not served yet.
pub(crate) struct Listeners {
    health: Option<TcpListener>,
    api: Option<Api>,
}

enum Api {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Binds both listeners.
pub(crate) fn open(health: Option<SocketAddr>, api: Option<&Listen>) -> Result<Listeners, Failure> {
    let health = health.map(|address| bind(address, "health", "--health")).transpose()?;
    let api = match api {
        None => None,
        Some(Listen::Address(address)) => Some(Api::Tcp(bind(*address, "the API", "--api")?)),
        Some(Listen::Path(path)) => Some(Api::Unix(bind_path(path)?)),
    };
    Ok(Listeners { health, api })
}

/// Serves both, each in a thread of its own, until the program ends.
pub(crate) fn serve(listeners: Listeners, agent: &Arc<Agent>, token: Option<String>, page: Option<Page>) {
    if let Some(listener) = listeners.health {
        say("health", &listener);
        let router = health::router(Arc::clone(agent));
        thread::spawn(move || server::run(|| on_tcp(listener), router, server::HEALTH));
    }
    let router = api::router(Arc::clone(agent));
    let page = page.map(Page::router).unwrap_or_default();
    match listeners.api {
        None => {}
        Some(Api::Tcp(listener)) => {
            say("API", &listener);
            let router = guard::guarded(router, guard::Guard::of_network(token)).merge(page);
            thread::spawn(move || server::run(|| on_tcp(listener), router, server::API));
        }
        Some(Api::Unix(listener)) => {
            let router = guard::guarded(router, guard::Guard::of_socket_file(token)).merge(page);
            thread::spawn(move || server::run(|| on_socket_file(listener), router, server::API));
        }
    }
}

/// Tells the runtime of the calling thread of the listener.
fn on_tcp(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

fn on_socket_file(listener: UnixListener) -> io::Result<tokio::net::UnixListener> {
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

fn say(what: &str, listener: &TcpListener) {
    if let Ok(address) = listener.local_addr() {
        say!("mirrorscope: {what} on http://{address}");
    }
}

fn bind(address: SocketAddr, what: &str, option: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        Failure::new(format_args!("cannot listen on {address} for {what}: {error}"))
            .hint(format_args!("{option} ADDR:PORT chooses another place, {option} none goes without"))
    })
}

fn bind_path(path: &PathBuf) -> Result<UnixListener, Failure> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let bind = || {
        // A socket that a killed agent left behind would keep the next one from starting.
        if path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket()) {
            match is_in_use(path)? {
                true => return Err(io::ErrorKind::AddrInUse.into()),
                false => std::fs::remove_file(path)?,
            }
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        Ok::<_, io::Error>(listener)
    };
    bind().map_err(|error| Failure::new(format_args!("cannot listen on {}: {error}", path.display())))
}

/// Whether somebody listens on a socket. An agent that hangs has a full queue sooner or later, in which a connection that
/// may wait would wait for ever.
fn is_in_use(path: &Path) -> io::Result<bool> {
    use socket2::{Domain, SockAddr, Socket, Type};
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock => Ok(true),
            io::ErrorKind::ConnectionRefused => Ok(false),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixStream, sync::mpsc, time::Duration};

    use socket2::{Domain, SockAddr, Socket, Type};

    use super::*;

    #[test]
    fn a_socket_whose_owner_hangs_is_in_use_and_one_without_owner_is_not() {
        let path = std::env::temp_dir().join(format!("mirrorscope-hangs-{}.sock", std::process::id()));
        let owner = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        owner.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        // It accepts nobody, and this many wait.
        owner.listen(0).unwrap();
        let _waiting = UnixStream::connect(&path).unwrap();
        let (sender, refusals) = mpsc::channel();
        let asked = path.clone();
        thread::spawn(move || sender.send(bind_path(&asked).err().map(|failure| failure.to_string())));
        let refusal = refusals.recv_timeout(Duration::from_secs(10)).expect("it does not wait");
        assert!(refusal.is_some_and(|refusal| refusal.contains("in use")));
        drop(owner);
        assert!(bind_path(&path).is_ok());
        std::fs::remove_file(path).unwrap();
    }
}
