//! The machine: whether GWLB's packets fit through its interfaces, and whether it keeps them.

use super::{Facts, Finding, Interface, Listener, Probe, ProbeAnswer, Severity};
use crate::encap::MAX_INLINE_LEN;

/// GWLB adds an IPv4 and a UDP header, and Geneve's with three options.
const GWLB_OVERHEAD_LEN: u32 = 20 + 8 + 40;
/// The least MTU that takes every packet of GWLB's.
const MIN_MTU: u32 = MAX_INLINE_LEN as u32 + GWLB_OVERHEAD_LEN;
/// The MTU that EC2 offers.
const JUMBO_MTU: u32 = 9001;

pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    for interface in &facts.interfaces {
        findings.push(mtu(interface));
        receive_offloads(interface, findings);
        queues(interface, facts.processors, findings);
    }
    findings.extend(facts.rmem_max.map(|rmem_max| receive_buffer(rmem_max, facts.intent.buffer_len)));
    findings.extend(facts.backlog_dropped.map(backlog));
    findings.extend(port(facts));
    findings.extend(facts.listeners.iter().filter_map(socket_drops));
    findings.extend(facts.health.as_ref().map(|probe| health(probe, facts.intent.health_port)));
}

fn mtu(interface: &Interface) -> Finding {
    let Interface { name, mtu, .. } = interface;
    if *mtu >= MIN_MTU {
        return Finding::new("interface-mtu", Severity::Fine, name, format!("MTU {mtu}"));
    }
    let reason = format!(
        "MTU {mtu}: packets of more than {} octets are lost. GWLB carries {MAX_INLINE_LEN} and adds \
         {GWLB_OVERHEAD_LEN}, so {MIN_MTU} are needed, and it neither fragments nor tells the sender",
        mtu.saturating_sub(GWLB_OVERHEAD_LEN)
    );
    Finding::new("interface-mtu", Severity::Error, name, reason)
        .remedy(format!("ip link set dev {name} mtu {JUMBO_MTU}"))
}

/// Both merge datagrams before anyone sees them.
fn receive_offloads(interface: &Interface, findings: &mut Vec<Finding>) {
    let name = &interface.name;
    let offloads = [
        ("interface-gro-list", "rx-gro-list", interface.gro_list),
        ("interface-udp-gro", "rx-udp-gro-forwarding", interface.udp_gro_forwarding),
    ];
    for (code, feature, state) in offloads {
        findings.extend(state.map(|is_on| {
            match is_on {
                false => Finding::new(code, Severity::Fine, name, format!("{feature} is off")),
                true => Finding::new(
                    code,
                    Severity::Warning,
                    name,
                    format!(
                        "{feature} is on: the kernel may merge several datagrams of GWLB's into one, whose \
                     Geneve headers behind the first are then read as payload"
                    ),
                )
                .remedy(format!("ethtool -K {name} {feature} off")),
            }
        }));
    }
}

fn queues(interface: &Interface, processors: Option<u32>, findings: &mut Vec<Finding>) {
    let name = &interface.name;
    if let Some((used, most)) = interface.queues {
        let wanted = most.min(processors.unwrap_or(most));
        findings.push(match used >= wanted {
            true => Finding::new("interface-queues", Severity::Fine, name, format!("{used} receive queues")),
            false => Finding::new(
                "interface-queues",
                Severity::Warning,
                name,
                format!(
                    "{used} of {most} receive queues are used: {used} processors do the work of {wanted}"
                ),
            )
            .remedy(format!("ethtool -L {name} combined {wanted}")),
        });
    }
    if interface.hashes_udp_ports == Some(false) && interface.queues.is_some_and(|(_, most)| most > 1) {
        let reason = "UDP ports do not choose the receive queue: all that one node of GWLB's sends ends in one \
                      queue, on one processor";
        findings.push(
            Finding::new("interface-hash", Severity::Warning, name, reason)
                .remedy(format!("ethtool -N {name} rx-flow-hash udp4 sdfn")),
        );
    }
    if let Some((used, most)) = interface.ring.filter(|(used, most)| used < most) {
        let reason = format!("a receive ring has {used} of {most} slots: short bursts find it full");
        findings.push(
            Finding::new("interface-ring", Severity::Note, name, reason)
                .remedy(format!("ethtool -G {name} rx {most}")),
        );
    }
}

fn receive_buffer(rmem_max: u64, wanted: u64) -> Finding {
    const SUBJECT: &str = "net.core.rmem_max";
    if rmem_max >= wanted {
        let reason = format!("{} KiB", rmem_max / 1024);
        return Finding::new("receive-buffer", Severity::Fine, SUBJECT, reason);
    }
    let reason = format!(
        "a socket gets {} KiB of receive buffer instead of {} KiB, unless the agent has CAP_NET_ADMIN: what \
         arrives while a worker is away for longer than that lasts is lost",
        rmem_max / 1024,
        wanted / 1024
    );
    Finding::new("receive-buffer", Severity::Warning, SUBJECT, reason)
        .remedy(format!("sysctl -w {SUBJECT}={wanted}"))
}

fn backlog(dropped: u64) -> Finding {
    const SUBJECT: &str = "net.core.netdev_max_backlog";
    if dropped == 0 {
        return Finding::new("backlog", Severity::Fine, SUBJECT, "no packet was dropped since the boot");
    }
    let reason =
        format!("{dropped} packets were dropped since the boot because a processor's backlog was full");
    Finding::new("backlog", Severity::Warning, SUBJECT, reason).remedy(format!("sysctl -w {SUBJECT}=10000"))
}

/// The agent's own sockets are as it should be; anybody else's keep the agent from starting, or take its packets.
fn port(facts: &Facts) -> Option<Finding> {
    let port = facts.intent.port;
    let subject = format!("UDP port {port}");
    let is_agent = |listener: &&Listener| {
        listener.holder.as_ref().is_some_and(|(_, name, _)| name.starts_with("mirrorscope"))
    };
    let Some(other) = facts.listeners.iter().find(|listener| !is_agent(listener)) else {
        let reason = match facts.listeners.len() {
            0 => "free".to_owned(),
            sockets => format!("{sockets} sockets of the agent"),
        };
        return Some(Finding::new("port", Severity::Fine, subject, reason));
    };
    let look = format!("ss -ulpn 'sport = :{port}'");
    let (reason, remedy) = match &other.holder {
        Some((pid, name, unit)) => {
            let stop = unit.as_ref().map_or(format!("kill {pid}"), |unit| format!("systemctl stop {unit}"));
            (format!("{name} (process {pid}) receives at {}", other.address), stop)
        }
        None => (
            format!(
                "somebody receives at {} who cannot be seen from here: a process of another user, or a tunnel \
                 device of the kernel's",
                other.address
            ),
            format!("sudo {look}; ip -details link show type geneve"),
        ),
    };
    Some(Finding::new("port", Severity::Error, subject, reason).remedy(remedy))
}

fn socket_drops(listener: &Listener) -> Option<Finding> {
    let Listener { address, dropped, .. } = listener;
    let reason = format!("{dropped} datagrams were lost because its receive buffer was full");
    let finding = Finding::new("socket-drops", Severity::Warning, format!("socket {address}"), reason);
    (*dropped > 0).then(|| finding.remedy("mirrorscope serve --buffer MIB, or --workers N"))
}

fn health(probe: &Probe, port: u16) -> Finding {
    let subject = format!("health at {}", probe.address);
    let new = |severity, reason: String| Finding::new("health", severity, &subject, reason);
    match &probe.answer {
        Err(error) => new(Severity::Warning, format!("no answer: {error}. GWLB would take the target out"))
            .remedy(format!("mirrorscope serve --health 0.0.0.0:{port}")),
        Ok(ProbeAnswer { status: 200..=399, has_length: true, .. }) => {
            if probe.is_reachable_from_outside == Some(false) {
                let reason = "it answers on this machine only, and GWLB asks from its own address";
                return new(Severity::Error, reason.into())
                    .remedy(format!("mirrorscope serve --health 0.0.0.0:{port}"));
            }
            new(Severity::Fine, "answers that all is well".into())
        }
        Ok(ProbeAnswer { status: 200..=399, .. }) => {
            let reason = "the answer has no Content-Length; GWLB's checks have failed on that";
            new(Severity::Warning, reason.into()).remedy(format!("curl -i http://{}/", probe.address))
        }
        Ok(ProbeAnswer { status, reason, .. }) => {
            new(Severity::Error, format!("answers {status}: {reason}. GWLB takes the target out"))
                .remedy(format!("curl -i http://{}/", probe.address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(facts: &Facts) -> Vec<(&'static str, Severity)> {
        let mut findings = Vec::new();
        judge(facts, &mut findings);
        for finding in &findings {
            let needs_remedy = finding.severity != Severity::Fine;
            assert_eq!(finding.remedy.is_some(), needs_remedy, "{finding:?}");
        }
        let severity = |finding: Finding| (finding.code, finding.severity);
        findings.into_iter().map(severity).filter(|(code, _)| *code != "port").collect()
    }

    fn of_interface(change: impl FnOnce(&mut Interface)) -> Vec<(&'static str, Severity)> {
        let mut interface = Interface { name: "ens5".into(), mtu: 9001, ..Interface::default() };
        change(&mut interface);
        let facts = Facts { interfaces: vec![interface], processors: Some(4), ..Facts::default() };
        found(&facts).into_iter().filter(|(_, severity)| *severity != Severity::Fine).collect()
    }

    #[test]
    fn an_interface_must_take_8568_octets() {
        assert_eq!(of_interface(|interface| interface.mtu = 8568), []);
        assert_eq!(of_interface(|interface| interface.mtu = 8567), [("interface-mtu", Severity::Error)]);
    }

    #[test]
    fn offloads_that_merge_datagrams_are_warned_of() {
        assert_eq!(
            of_interface(|interface| {
                interface.gro_list = Some(true);
                interface.udp_gro_forwarding = Some(true);
            }),
            [("interface-gro-list", Severity::Warning), ("interface-udp-gro", Severity::Warning)]
        );
        assert_eq!(of_interface(|interface| interface.gro_list = Some(false)), []);
    }

    #[test]
    fn as_many_queues_as_processors_are_enough() {
        assert_eq!(of_interface(|interface| interface.queues = Some((4, 8))), []);
        assert_eq!(
            of_interface(|interface| interface.queues = Some((1, 8))),
            [("interface-queues", Severity::Warning)]
        );
        let blind = |interface: &mut Interface| {
            (interface.queues, interface.hashes_udp_ports) = (Some((4, 4)), Some(false));
        };
        assert_eq!(of_interface(blind), [("interface-hash", Severity::Warning)]);
    }

    #[test]
    fn the_buffer_that_the_kernel_allows_is_compared_with_the_one_that_is_wanted() {
        let facts = |rmem_max| Facts { rmem_max: Some(rmem_max), ..Facts::default() };
        assert_eq!(found(&facts(64 << 20)), [("receive-buffer", Severity::Fine)]);
        assert_eq!(found(&facts(212_992)), [("receive-buffer", Severity::Warning)]);
    }

    fn listener(name: Option<&str>, unit: Option<&str>) -> Listener {
        let holder = name.map(|name| (7, name.to_owned(), unit.map(str::to_owned)));
        Listener { address: "0.0.0.0:6081".parse().unwrap(), holder, dropped: 0 }
    }

    #[test]
    fn whoever_else_holds_the_port_is_named_with_the_command_that_stops_him() {
        let of = |listeners| port(&Facts { listeners, ..Facts::default() }).unwrap();
        assert_eq!(of(vec![]).severity, Severity::Fine);
        assert_eq!(of(vec![listener(Some("mirrorscope"), None)]).severity, Severity::Fine);
        let other = of(vec![listener(Some("mirrorscope"), None), listener(Some("gwlbtun"), None)]);
        assert_eq!((other.severity, other.remedy.as_deref()), (Severity::Error, Some("kill 7")));
        let unit = of(vec![listener(Some("gwlbtun"), Some("gwlbtun.service"))]);
        assert_eq!(unit.remedy.as_deref(), Some("systemctl stop gwlbtun.service"));
        assert!(of(vec![listener(None, None)]).reason.contains("cannot be seen"));
    }

    #[test]
    fn health_is_what_a_load_balancer_would_make_of_the_answer() {
        let of = |status, has_length, outside| {
            let answer = Ok(ProbeAnswer { status, reason: "draining".into(), has_length });
            let address = "127.0.0.1:8080".parse().unwrap();
            health(&Probe { address, is_reachable_from_outside: outside, answer }, 8080).severity
        };
        assert_eq!(of(200, true, Some(true)), Severity::Fine);
        assert_eq!(of(200, true, Some(false)), Severity::Error);
        assert_eq!(of(200, false, None), Severity::Warning);
        assert_eq!(of(503, true, None), Severity::Error);
    }
}
