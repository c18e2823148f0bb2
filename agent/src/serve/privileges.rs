//! What the agent may do, and how it gives up the rest: capabilities once its sockets are open, and the file system
//! but for what it reads and writes.
//!
//! Receiving takes no privilege. Linux keeps capabilities and Landlock's rules for each thread, and a new thread has
//! those of the one that made it: what is given up before threads are started is given up by all of them.

use std::path::{Path, PathBuf};

use caps::{CapSet, Capability, CapsHashSet};
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, path_beneath_rules,
};

use crate::failure::Failure;

/// The device that makes TAP devices.
pub(super) const TUN: &str = "/dev/net/tun";
/// What a program looks into while it runs: time zones, the resolver's files and certificates, and what the kernel
/// tells of the machine.
const SYSTEM: [&str; 4] = ["/etc", "/usr", "/proc", "/sys"];
/// Where names are resolved is often written elsewhere, such as below /run/systemd, and this is a link to it.
const RESOLVER: &str = "/etc/resolv.conf";

/// What a part of the agent cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Making network devices.
    Devices,
    /// Sending packets with the addresses and ports of others.
    Return,
    /// Seeing packets before they reach a socket.
    Ring,
}

impl Need {
    fn capability(self) -> Capability {
        match self {
            Self::Devices => Capability::CAP_NET_ADMIN,
            Self::Return | Self::Ring => Capability::CAP_NET_RAW,
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Devices => "--tap",
            Self::Return => "--mode inline or auto",
            Self::Ring => "--receive ring",
        }
    }
}

/// Says which capability is missing, before anything is opened.
pub(super) fn require(needs: &[Need]) -> Result<(), Failure> {
    for need in needs {
        let capability = need.capability();
        // Where it cannot be asked, the attempt will tell.
        if caps::has_cap(None, CapSet::Effective, capability).unwrap_or(true) {
            continue;
        }
        let name = capability.to_string();
        return Err(Failure::new(format_args!("{} takes {name}, which is missing", need.option())).hint(
            format_args!(
                "setcap {}+ep $(command -v mirrorscope), or AmbientCapabilities={name} in the unit; all else is \
                 given up at the start",
                name.to_ascii_lowercase()
            ),
        ));
    }
    Ok(())
}

/// Gives up every capability of this thread but those for `needs`. A thread started later has no more.
pub(super) fn keep_only(needs: &[Need]) {
    let keep: CapsHashSet = needs.iter().map(|need| need.capability()).collect();
    // The bounding set first: giving it up takes a capability. What was not held cannot be kept, and what cannot
    // be given up was not held.
    for capability in caps::all().difference(&keep) {
        let _ = caps::drop(None, CapSet::Bounding, *capability);
    }
    let _ = caps::clear(None, CapSet::Ambient);
    let _ = caps::clear(None, CapSet::Inheritable);
    let held = caps::read(None, CapSet::Permitted).unwrap_or_default();
    let kept = held.intersection(&keep).copied().collect();
    let _ = caps::set(None, CapSet::Effective, &kept);
    let _ = caps::set(None, CapSet::Permitted, &kept);
}

/// Files that are used while the agent runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    /// Files that are read again when the agent is told to.
    pub(crate) reads: Vec<PathBuf>,
    /// Files that sinks write, with others beside them, and folders and devices.
    pub(crate) writes: Vec<PathBuf>,
}

/// Keeps this thread, and those it starts, from all other files (Landlock). Returns whether the kernel does so.
pub(super) fn confine(paths: &Paths, needs: &[Need]) -> bool {
    matches!(restrict(paths, needs), Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced))
}

fn restrict(paths: &Paths, needs: &[Need]) -> Result<RulesetStatus, RulesetError> {
    // Older kernels know fewer rights, and do what they can.
    let abi = ABI::V5;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // Programs are never started.
    let write: BitFlags<AccessFs> = AccessFs::from_all(abi) & !AccessFs::Execute;
    let devices = needs.contains(&Need::Devices).then_some(TUN);
    let resolver = Path::new(RESOLVER).canonicalize().ok();
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules(resolver.as_deref().map(folder), read))?
        .add_rules(path_beneath_rules(paths.reads.iter().map(|path| folder(path)), read))?
        .add_rules(path_beneath_rules(paths.writes.iter().map(|path| place(path)), write))?
        .add_rules(path_beneath_rules(devices, write))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// A regular file is replaced and has others beside it; a folder, a device or a pipe stands for itself.
fn place(path: &Path) -> &Path {
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => path,
        _ => folder(path),
    }
}

/// The folder that a file lies in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::ErrorKind, thread};

    use super::*;

    #[test]
    fn a_confined_thread_writes_where_it_may_and_nowhere_else() {
        let root = std::env::temp_dir().join(format!("mirrorscope-confined-{}", std::process::id()));
        let [open, closed] = ["open", "closed"].map(|name| root.join(name));
        [&open, &closed].iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
        fs::write(closed.join("secret"), "x").unwrap();
        let paths = Paths { writes: vec![open.join("a.pcapng")], ..Paths::default() };
        let refused = |result: std::io::Result<()>| {
            result.expect_err("it is not allowed").kind() == ErrorKind::PermissionDenied
        };
        let outcome = thread::spawn(move || {
            if !confine(&paths, &[]) {
                return None;
            }
            let inside = fs::write(open.join("a.pcapng.partial"), "x")
                .and_then(|()| fs::rename(open.join("a.pcapng.partial"), open.join("a.pcapng")))
                .is_ok();
            let outside = refused(fs::write(closed.join("b"), "x"));
            let read = refused(fs::read(closed.join("secret")).map(|_| ()));
            let system = fs::read_to_string("/proc/self/status").is_ok();
            Some([inside, outside, read, system])
        });
        let outcome = outcome.join().unwrap();
        fs::remove_dir_all(&root).unwrap();
        match outcome {
            Some(outcome) => assert_eq!(outcome, [true; 4]),
            None => eprintln!("SKIPPED: this kernel has no Landlock"),
        }
    }

    #[test]
    fn a_thread_keeps_what_it_needs_and_gives_up_the_rest() {
        let held = thread::spawn(|| {
            let before = caps::read(None, CapSet::Effective).unwrap();
            keep_only(&[Need::Devices]);
            let between = caps::read(None, CapSet::Effective).unwrap();
            keep_only(&[]);
            (before, between, caps::read(None, CapSet::Permitted).unwrap())
        });
        let (before, between, after) = held.join().unwrap();
        let wanted = [Capability::CAP_NET_ADMIN].into_iter().collect();
        assert_eq!(between, before.intersection(&wanted).copied().collect());
        assert!(after.is_empty());
    }
}
