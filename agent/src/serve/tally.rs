//! What became of every datagram: each is counted once, so that the sums can be checked.
//!
//! `received = decoded + malformed + refused`, and `decoded = mirrored + inline`. The rest are remarks on packets
//! that are among these already.

/// The counters of one worker. They change together, under its lock, so that a reader finds the sums true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Datagrams that the socket delivered.
    pub(crate) received: u64,
    /// Octets of their UDP payloads.
    pub(crate) received_bytes: u64,
    /// Mirrored packets.
    pub(crate) mirrored: u64,
    /// Packets routed through an endpoint, and Geneve that is no mirror's.
    pub(crate) inline: u64,
    /// Datagrams whose Geneve header could not be read, and those at which a worker died.
    pub(crate) malformed: u64,
    /// Datagrams from an address that is not allowed to send.
    pub(crate) refused_source: u64,
    /// Geneve control packets (O bit), which carry nothing to be handed on.
    pub(crate) refused_control: u64,
    /// Packets with a critical option that we do not know; RFC 8926 wants them dropped.
    pub(crate) refused_critical: u64,

    /// Decoded packets with a layer inside that could not be read.
    pub(crate) undecodable: u64,
    /// Decoded packets of which octets are missing.
    pub(crate) truncated: u64,
    /// Decoded packets that were longer than the 8500 octets that GWLB carries.
    pub(crate) oversized: u64,
    /// Packets sent back to GWLB.
    pub(crate) returned: u64,
    /// Packets that should have been sent back, and were truncated or not taken by the kernel.
    pub(crate) return_failed: u64,
    /// Inline packets that the policy dropped.
    pub(crate) policy_dropped: u64,
    /// Datagrams that the kernel dropped because the socket's buffer was full. Not among `received`.
    pub(crate) kernel_dropped: u64,
    /// Datagrams with wrong lengths or checksums, which the kernel drops before they reach a socket, and which only
    /// a ring shows. Not among `received`.
    pub(crate) unsound: u64,
}

impl Tally {
    /// Packets that were decoded.
    pub(crate) fn decoded(&self) -> u64 {
        self.mirrored + self.inline
    }

    /// Datagrams that were refused, whatever the cause.
    pub(crate) fn refused(&self) -> u64 {
        self.refused_source + self.refused_control + self.refused_critical
    }

    /// Adds another worker's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, (_, _, value)) in self.fields_mut().into_iter().zip(other.fields()) {
            *sum += value;
        }
    }

    /// Every counter with its name and its meaning.
    pub(crate) fn fields(&self) -> [(&'static str, &'static str, u64); 16] {
        [
            ("received", "Datagrams that the sockets delivered", self.received),
            ("received_bytes", "Octets of UDP payload that the sockets delivered", self.received_bytes),
            ("mirrored", "Mirrored packets decoded", self.mirrored),
            ("inline", "Packets decoded that are no mirror's: routed through an endpoint", self.inline),
            ("malformed", "Datagrams whose Geneve header could not be read", self.malformed),
            ("refused_source", "Datagrams from a source that is not allowed", self.refused_source),
            ("refused_control", "Geneve control packets", self.refused_control),
            ("refused_critical", "Packets with an unknown critical Geneve option", self.refused_critical),
            ("undecodable", "Decoded packets with an inner layer that could not be read", self.undecodable),
            ("truncated", "Decoded packets of which octets are missing", self.truncated),
            ("oversized", "Packets longer than the 8500 octets that GWLB carries", self.oversized),
            ("returned", "Inline packets sent back to GWLB", self.returned),
            ("return_failed", "Inline packets that could not be sent back", self.return_failed),
            ("policy_dropped", "Inline packets dropped by policy", self.policy_dropped),
            ("kernel_dropped", "Datagrams lost because a socket buffer was full", self.kernel_dropped),
            ("unsound", "Datagrams in a ring with a wrong length or checksum", self.unsound),
        ]
    }

    fn fields_mut(&mut self) -> [&mut u64; 16] {
        [
            &mut self.received,
            &mut self.received_bytes,
            &mut self.mirrored,
            &mut self.inline,
            &mut self.malformed,
            &mut self.refused_source,
            &mut self.refused_control,
            &mut self.refused_critical,
            &mut self.undecodable,
            &mut self.truncated,
            &mut self.oversized,
            &mut self.returned,
            &mut self.return_failed,
            &mut self.policy_dropped,
            &mut self.kernel_dropped,
            &mut self.unsound,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_reaches_every_counter() {
        let mut ones = Tally::default();
        ones.fields_mut().into_iter().enumerate().for_each(|(at, field)| *field = at as u64 + 1);
        let mut sum = ones;
        sum.add(&ones);
        for (at, (name, _, value)) in sum.fields().into_iter().enumerate() {
            assert_eq!(value, 2 * (at as u64 + 1), "{name}");
        }
    }
}
