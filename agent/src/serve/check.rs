//! `serve --check`: what would keep the agent from starting or from working here, tried without leaving a trace.
//!
//! Rights are judged as the agent will have them: root gives up those over other people's files. A port that is taken
//! is no fault, because the agent whose next configuration is being checked may well be running.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::{
    Plan,
    privileges::{self, Need, TUN},
    sockets,
};
use crate::{failure::Failure, http::Listen, talk::say};

/// Looks at everything that `plan` will need, and at `folders`, which it will write to or make.
pub(crate) fn check(plan: &Plan, folders: &[PathBuf]) -> Result<(), Failure> {
    let needs = plan.needs();
    privileges::require(&needs)?;
    ports(plan)?;
    privileges::keep_only(&needs);
    if needs.contains(&Need::Devices) {
        may(Path::new(TUN), Access::READ_OK | Access::WRITE_OK, "--tap", "modprobe tun makes it")?;
    }
    for path in &plan.reads {
        may(path, Access::READ_OK, "SIGHUP reads it again", OWN_RIGHTS)?;
    }
    for sink in &plan.sinks {
        sink.writes.as_deref().map_or(Ok(()), |path| may_put(path, &sink.name))?;
    }
    if let Some(Listen::Path(path)) = &plan.api {
        may_put(path, "--api")?;
    }
    folders.iter().try_for_each(|folder| {
        let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
        may(existing, INTO, "--flow-log", OWN_RIGHTS)
    })
}

/// What it takes to make a file in a folder.
const INTO: Access = Access::WRITE_OK.union(Access::EXEC_OK);
const OWN_RIGHTS: &str = "root has no more rights than others once the agent runs: chown it, or run as its owner, as \
                          `sudo -u mirrorscope mirrorscope serve --check` does";

fn ports(plan: &Plan) -> Result<(), Failure> {
    let udp = plan.listen.unwrap_or_else(|| sockets::any_address(plan.port));
    free(udp, UdpSocket::bind(udp).map(drop), "--port or --listen", |error| {
        sockets::cannot_bind(udp, error)
    })?;
    let api = match &plan.api {
        Some(Listen::Address(address)) => Some(*address),
        _ => None,
    };
    if let (Some(health), Some(api)) = (plan.health, api)
        && health.port() == api.port()
        && health.port() != 0
        && (takes(health.ip(), api.ip()) || takes(api.ip(), health.ip()))
    {
        return Err(Failure::new(format_args!("--health {health} and --api {api} are one place"))
            .hint("give one of them another port, or `none`"));
    }
    for (option, address) in [("--health", plan.health), ("--api", api)] {
        let Some(address) = address else { continue };
        free(address, TcpListener::bind(address).map(drop), option, |error| {
            Failure::new(format_args!("{option}: cannot listen on {address}: {error}"))
                .hint("give an address of this machine, and a port from 1024 on")
        })?;
    }
    Ok(())
}

/// Whether who listens on `one` takes what comes to `other`: every address of IPv6 stands for those of IPv4 too.
fn takes(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_unspecified() && (one.is_ipv6() || other.is_ipv4())
}

fn free(
    address: SocketAddr,
    bound: io::Result<()>,
    option: &str,
    failure: impl FnOnce(&io::Error) -> Failure,
) -> Result<(), Failure> {
    match bound {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            say!("mirrorscope: note: {address} is taken, which is fine if the agent itself runs");
            say!("  hint: `mirrorscope doctor` names who holds it; {option} chooses another");
            Ok(())
        }
        Err(error) => Err(failure(&error)),
    }
}

/// A regular file is put into its folder, and is written where there is one; anything else stands for itself.
fn may_put(path: &Path, who: &str) -> Result<(), Failure> {
    let is_file = path.metadata().map(|metadata| metadata.is_file()).ok();
    if is_file.is_some() {
        may(path, Access::WRITE_OK, who, OWN_RIGHTS)?;
    }
    match is_file {
        Some(false) => Ok(()),
        _ => may(privileges::folder(path), INTO, who, OWN_RIGHTS),
    }
}

fn may(path: &Path, rights: Access, who: &str, hint: &str) -> Result<(), Failure> {
    access(path, rights).map_err(|error| {
        let deed = if rights.contains(Access::WRITE_OK) { "write to" } else { "read" };
        Failure::new(format_args!("{who}: the agent may not {deed} {}: {error}", path.display())).hint(hint)
    })
}
