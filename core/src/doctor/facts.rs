//! What is known of a machine and its load balancer, before anyone judges it.

use core::net::SocketAddr;

use super::AwsFacts;

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What the agent is meant to do.
    pub intent: Intent,
    /// The interfaces on which GWLB's packets may arrive.
    pub interfaces: Vec<Interface>,
    /// `net.core.rmem_max`: the most octets of receive buffer that an unprivileged socket gets.
    pub rmem_max: Option<u64>,
    /// Packets that a processor dropped because its backlog was full (`/proc/net/softnet_stat`), since the boot.
    pub backlog_dropped: Option<u64>,
    /// Processors of the machine.
    pub processors: Option<u32>,
    /// UDP sockets that are bound to the agent's port.
    pub listeners: Vec<Listener>,
    /// What the health listener answered.
    pub health: Option<Probe>,
    /// What the AWS CLI printed.
    pub aws: AwsFacts,
}

/// What the agent is meant to do: the options that `serve` is started with.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Whether packets go back to GWLB.
    pub mode: Mode,
    /// UDP port.
    pub port: u16,
    /// TCP port of health.
    pub health_port: u16,
    /// Octets of receive buffer for each socket.
    pub buffer_len: u64,
    /// After SIGTERM: it stops when no datagram came for so many seconds...
    pub drain_quiet_s: u64,
    /// ... or after that many seconds.
    pub drain_deadline_s: u64,
}

/// Whether packets go back to GWLB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// None does.
    #[default]
    Mirror,
    /// All or some do.
    Inline,
}

impl Default for Intent {
    /// The defaults of `serve`.
    fn default() -> Self {
        Self {
            mode: Mode::Mirror,
            port: crate::layers::geneve::UDP_PORT,
            health_port: 8080,
            buffer_len: 64 << 20,
            drain_quiet_s: 130,
            drain_deadline_s: 310,
        }
    }
}

/// A network interface. What the driver does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// As the system calls it.
    pub name: String,
    /// Octets of the largest IP packet.
    pub mtu: u32,
    /// `rx-gro-list`: packets of one flow are chained.
    pub gro_list: Option<bool>,
    /// `rx-udp-gro-forwarding`: datagrams of one flow are merged.
    pub udp_gro_forwarding: Option<bool>,
    /// Receive queues in use, and the most that the driver offers.
    pub queues: Option<(u32, u32)>,
    /// Slots of a receive ring in use, and the most that the driver offers.
    pub ring: Option<(u32, u32)>,
    /// Whether UDP ports take part in the choice of a queue.
    pub hashes_udp_ports: Option<bool>,
}

/// A bound UDP socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where it is bound.
    pub address: SocketAddr,
    /// The process that holds it, if it can be seen: its id, its name, and its systemd unit.
    pub holder: Option<(u32, String, Option<String>)>,
    /// Datagrams that found its buffer full.
    pub dropped: u64,
}

/// A question to the health listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Where it was asked.
    pub address: SocketAddr,
    /// Whether the listener takes connections from beyond this machine.
    pub is_reachable_from_outside: Option<bool>,
    /// The answer, or why there was none.
    pub answer: Result<ProbeAnswer, String>,
}

/// An answer of the health listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// HTTP status.
    pub status: u16,
    /// The first line of the body.
    pub reason: String,
    /// Whether it told its length, as HTTP/1.1 wants.
    pub has_length: bool,
}
