//! Two network namespaces joined by a cable: GWLB in one, its target in the other. They go when they are dropped.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    net::UdpSocket,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::{skip, tool};

/// The load balancer's address, and the target's.
pub(crate) const GWLB: &str = "10.99.0.1";
pub(crate) const TARGET: &str = "10.99.0.2";
/// The same for IPv6.
pub(crate) const GWLB_V6: &str = "fd99::1";
pub(crate) const TARGET_V6: &str = "fd99::2";
/// The endpoints of `send --endpoints 3`.
pub(crate) const ENDPOINTS: &str = "vpce-00a1b2c3d4e5f6071,vpce-0151dd6f9b6a0b5b9,vpce-0cb23d33bb6da1ff5";
/// What AWS lets an interface carry.
const MTU: &str = "9001";

/// One of the two namespaces.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

/// The cable and what is at its ends.
#[derive(Debug)]
pub(crate) struct Cable {
    pub(crate) gwlb: Namespace,
    pub(crate) target: Namespace,
}

impl Cable {
    /// Lays the cable; says what is missing and returns `None` where this is not allowed or not possible.
    pub(crate) fn lay() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("ms-{}-{number}-{side}", std::process::id());
        if tool("ip").is_none() || !super::running::is_root() {
            skip(
                "network namespaces take root and iproute2: run the tests as root, apt-get install iproute2",
            );
            return None;
        }
        let (gwlb, target) = (Namespace::make(name("gwlb"))?, Namespace::make(name("target"))?);
        let cable =
            format!("link add cable netns {} type veth peer name cable netns {}", gwlb.name, target.name);
        if !ip(&cable) {
            skip("a pair of virtual interfaces cannot be made: modprobe veth");
            return None;
        }
        gwlb.configure(GWLB, GWLB_V6);
        target.configure(TARGET, TARGET_V6);
        let cable = Self { gwlb, target };
        cable.wait_for_neighbours();
        Some(cable)
    }

    /// What is sent before the neighbour's hardware address is known may be lost; IPv6 takes a second to find it.
    fn wait_for_neighbours(&self) {
        for (from, to) in
            [(GWLB.to_owned(), TARGET.to_owned()), (format!("[{GWLB_V6}]"), format!("[{TARGET_V6}]"))]
        {
            let (sender, receiver) =
                (self.gwlb.bind(&format!("{from}:0")), self.target.bind(&format!("{to}:0")));
            receiver.set_read_timeout(Some(Duration::from_millis(50))).expect("a time");
            let address = receiver.local_addr().expect("it is bound");
            let until = Instant::now() + Duration::from_secs(10);
            while sender.send_to(&[], address).is_err() || receiver.recv(&mut [0]).is_err() {
                assert!(Instant::now() < until, "nothing passes the cable to {address}");
            }
        }
    }
}

impl Namespace {
    fn make(name: String) -> Option<Self> {
        if ip(&format!("netns add {name}")) {
            return Some(Self { name });
        }
        skip("`ip netns add` is not allowed here: run the tests as root outside of a sandbox");
        None
    }

    fn configure(&self, address: &str, address_v6: &str) {
        for words in [
            "link set lo up".to_owned(),
            format!("link set cable mtu {MTU}"),
            format!("addr add {address}/24 dev cable"),
            // Without it the address could not be used for the second in which its uniqueness is checked.
            format!("addr add {address_v6}/64 dev cable nodad"),
            "link set cable up".to_owned(),
        ] {
            assert!(ip(&format!("-n {} {words}", self.name)), "ip {words}");
        }
    }

    /// A command that runs here.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(tool("ip").expect("the namespaces were made with it"));
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a command here to its end.
    pub(crate) fn run(&self, words: &str) -> Output {
        let mut words = words.split_whitespace();
        self.command(words.next().expect("a program")).args(words).output().expect("it starts")
    }

    /// A UDP socket that lives here.
    pub(crate) fn bind(&self, address: &str) -> UdpSocket {
        let address = address.to_owned();
        let open = move || UdpSocket::bind(address).expect("the address is free");
        // The socket stays where it was made.
        self.inside(open).join().expect("the socket is bound")
    }

    /// Does something here, in a thread of its own.
    pub(crate) fn inside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let path = format!("/run/netns/{}", self.name);
        thread::spawn(move || {
            let namespace = std::fs::File::open(path).expect("it was made");
            nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).expect("root may enter");
            work()
        })
    }

    /// A counter of the kernel for this namespace, as `/proc/net/snmp` names it.
    pub(crate) fn kernel_counter(&self, protocol: &str, name: &str) -> u64 {
        let output = self.run("cat /proc/net/snmp");
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(':'));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let place = names.split_whitespace().position(|known| known == name).expect("the kernel counts it");
        values.split_whitespace().nth(place).and_then(|value| value.parse().ok()).expect("a number")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.name));
    }
}

fn ip(words: &str) -> bool {
    let Some(ip) = tool("ip") else { return false };
    let status = Command::new(ip).args(words.split_whitespace()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
