//! What the counters say to people: warnings while the agent runs, and the sums at its end.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{Agent, settings::Mode};
use crate::talk::say;

/// How often the counters are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the same warning may be given.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What the user should know, said when it begins and at most once a minute.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    looked: Option<Instant>,
    inline: u64,
    kernel_dropped: u64,
    refused: u64,
    oversized: u64,
}

impl Warnings {
    /// Looks, and warns of what is new.
    pub(super) fn look(&mut self, agent: &Agent) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        let tally = agent.tally();
        let mirror_only = agent.settings.current().0.mode == Mode::Mirror;
        let news = [
            (
                tally.inline > self.inline && mirror_only,
                format!(
                    "{} packets are inline, not mirrored, and are not returned: GWLB's clients lose them",
                    tally.inline
                ),
                "--mode inline returns them; --mode auto swallows mirrored packets and returns the rest",
            ),
            (
                tally.kernel_dropped > self.kernel_dropped,
                format!("{} datagrams were lost because a socket buffer was full", tally.kernel_dropped),
                "--buffer gives it more room, --workers more threads",
            ),
            (
                tally.oversized > self.oversized,
                format!(
                    "{} packets are longer than the 8500 octets that GWLB carries: others like them are cut or lost",
                    tally.oversized
                ),
                "an MTU of 8500 at the clients, or clamping TCP's MSS, keeps packets below it",
            ),
            (
                tally.refused_source > self.refused,
                format!("{} datagrams came from addresses outside --allow-from", tally.refused_source),
                "--allow-from CIDR lets them in, a security group keeps them out",
            ),
        ];
        if news.iter().any(|(is_new, _, _)| *is_new) {
            for (_, message, hint) in news.iter().filter(|(is_new, _, _)| *is_new) {
                say!("mirrorscope: {message}");
                say!("  hint: {hint}");
            }
            self.looked = Some(Instant::now() + WARN_EVERY);
        } else {
            self.looked = Some(Instant::now());
        }
        (self.inline, self.kernel_dropped) = (tally.inline, tally.kernel_dropped);
        (self.refused, self.oversized) = (tally.refused_source, tally.oversized);
    }
}

/// Says what became of every datagram, and what each sink and flow log did.
pub(super) fn report(agent: &Agent) {
    let tally = agent.tally();
    say!(
        "mirrorscope: received {} = decoded {} + malformed {} + refused {}; lost in the kernel {}",
        tally.received,
        tally.decoded(),
        tally.malformed,
        tally.refused(),
        tally.kernel_dropped
    );
    if tally.returned + tally.return_failed + tally.policy_dropped > 0 {
        say!(
            "mirrorscope: returned {}, failed to return {}, dropped by policy {}",
            tally.returned,
            tally.return_failed,
            tally.policy_dropped
        );
    }
    for sink in &agent.sinks {
        let (name, delivered, dropped) = (&sink.name, sink.delivered(), sink.dropped());
        say!("mirrorscope: sink {name}: delivered {delivered}, dropped {dropped}");
    }
    for log in &agent.logs {
        let [flows, lost] = [&log.flows, &log.lost].map(|count| count.load(Ordering::Relaxed));
        let waiting = log.waiting_files();
        say!("mirrorscope: flow log {}: flows {flows}, lost {lost}, files that wait {waiting}", log.name);
    }
}
