//! The text of an explanation: totals, a table of sessions, a table of rules for each filter.

use core::fmt;

use super::{
    explain::{Explanation, FilterUse, Kind, RuleUse, Tally, titled},
    inventory::Action,
    table::{Align, Table, share, wrap},
    traffic::Side,
};

/// The report for people, at most 100 columns wide.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write_totals(&mut out);
        if !self.sessions.is_empty() {
            out.push('\n');
            self.write_sessions(&mut out);
        }
        for filter in &self.filters {
            out.push('\n');
            filter.write(&mut out);
        }
        f.write_str(&out)
    }
}

impl Explanation {
    fn write_totals(&self, out: &mut String) {
        let total = self.total.packets;
        wrap(
            out,
            "",
            &format!(
                "{} of {total} packets in the capture came from a mirror session.",
                self.mirrored.packets
            ),
        );
        let notes = [
            (self.inline, "came inline through a GWLB endpoint: no mirror filter judges them."),
            (self.bare, "have no tunnel: they were not mirrored, or not captured at the target."),
            (self.without_ip, "are mirrored but hold no IP: no rule is about them."),
            (self.direction_assumed, "do not show their direction and were taken as ingress."),
            (self.without_session, "belong to no session in the files."),
            (self.without_filter, "belong to a session whose filter is not in the files."),
        ];
        for (tally, note) in notes {
            if tally.packets > 0 {
                wrap(out, "  ", &format!("{} {note}", tally.packets));
            }
        }
    }

    fn write_sessions(&self, out: &mut String) {
        let mut table = Table::new(&[
            ("session", Align::Flexible),
            ("vni", Align::Right),
            ("packets", Align::Right),
            ("accepted", Align::Right),
            ("length", Align::Right),
            ("cut", Align::Right),
            ("octets cut", Align::Right),
            ("incomplete", Align::Right),
        ]);
        for session in &self.sessions {
            table.row([
                titled(&session.id, session.name.as_deref()),
                session.vni.map_or("?".into(), |vni| vni.to_string()),
                session.seen.packets.to_string(),
                session.accepted.packets.to_string(),
                session.packet_length.map_or("whole".into(), |len| len.to_string()),
                session.cut.packets.to_string(),
                session.cut_len.to_string(),
                session.incomplete.packets.to_string(),
            ]);
        }
        table.write(out);
        for session in &self.sessions {
            let (id, earlier, ambiguous) = (&session.id, session.taken_earlier, session.ambiguous);
            if earlier.packets > 0 {
                let note = format!(
                    "{} packets of {id} are accepted by an earlier session of the same interface, which should \
                     have mirrored them: sessions or filters have changed since the capture.",
                    earlier.packets
                );
                wrap(out, "  ", &note);
            }
            if ambiguous.packets > 0 {
                let note = format!(
                    "{} packets of {id} may belong to other sessions with the same VNI: give the interfaces \
                     and targets as well.",
                    ambiguous.packets
                );
                wrap(out, "  ", &note);
            }
        }
    }
}

impl FilterUse {
    fn write(&self, out: &mut String) {
        let title = format!(
            "Filter {}: {} of {} packets accepted, {} rejected, {} not matched by any rule",
            titled(&self.id, self.name.as_deref()),
            self.accepted.packets,
            self.judged.packets,
            self.rejected.packets,
            self.unmatched.packets,
        );
        wrap(out, "", &title);
        let mut table = Table::new(&[
            ("direction", Align::Left),
            ("rule", Align::Right),
            ("action", Align::Left),
            ("matches", Align::Flexible),
            ("packets", Align::Right),
            ("bytes", Align::Right),
            ("share", Align::Right),
            ("rule id", Align::Left),
        ]);
        for rule in &self.rules {
            table.row([
                rule.direction.text().into(),
                rule.number.map_or("?".into(), |number| number.to_string()),
                rule.action.map_or("?", Action::text).into(),
                rule.condition.clone(),
                rule.decided.packets.to_string(),
                rule.decided.bytes.to_string(),
                self.share_of(rule.decided),
                rule.id.clone(),
            ]);
        }
        let rest = [("service", "amazon-dns", self.by_service), ("none", "no rule matches", self.unmatched)];
        for (action, text, tally) in
            rest.into_iter().filter(|(action, _, tally)| *action == "none" || tally.packets > 0)
        {
            let (packets, bytes) = (tally.packets.to_string(), tally.bytes.to_string());
            let share = self.share_of(tally);
            table.row([
                "any".into(),
                "*".into(),
                action.into(),
                text.into(),
                packets,
                bytes,
                share,
                "-".into(),
            ]);
        }
        table.write(out);
        self.write_notes(out);
    }

    fn share_of(&self, tally: Tally) -> String {
        share(tally.packets, self.judged.packets)
    }

    fn write_notes(&self, out: &mut String) {
        let never: Vec<_> = self.rules.iter().filter(|rule| rule.never_matched).map(RuleUse::short).collect();
        if !never.is_empty() {
            wrap(out, "  ", &format!("Never matched: {}.", never.join(", ")));
        }
        for rule in &self.rules {
            for fault in &rule.faults {
                wrap(out, "  ", &format!("{} could not be read and is left out: {fault}.", rule.short()));
            }
        }
        if self.in_doubt.packets > 0 {
            let why = match self.rules.iter().all(|rule| rule.faults.is_empty()) {
                true => {
                    "show no port to a rule that asks for one (later fragments, other protocols); AWS does not say \
                     what happens to them, here the rule does not match"
                }
                false => {
                    "may fare otherwise with AWS: they met a rule that could not be read, or show no port to one"
                }
            };
            let note = format!("{} packets {why}.", self.in_doubt.packets);
            wrap(out, "  ", &note);
        }
        if !self.unmatched_groups.is_empty() {
            let groups: Vec<_> = self
                .unmatched_groups
                .iter()
                .map(|group| format!("{} ({})", group.kind, group.tally.packets))
                .collect();
            wrap(out, "  ", &format!("Not matched: {}.", groups.join("; ")));
        }
    }
}

impl RuleUse {
    fn short(&self) -> String {
        let number = self.number.map_or("without number".into(), |number| number.to_string());
        format!("{} {number}", self.direction.text())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match (self.protocol, self.is_ipv6) {
            (1, false) => "icmp".into(),
            (6, false) => "tcp".into(),
            (6, true) => "ip6 tcp".into(),
            (17, false) => "udp".into(),
            (17, true) => "ip6 udp".into(),
            (58, true) => "icmp6".into(),
            (other, is_ipv6) => format!("{} proto {other}", if is_ipv6 { "ip6" } else { "ip" }),
        };
        write!(f, "{} {protocol}", self.direction.text())?;
        match self.service {
            Some((Side::Source, port)) => write!(f, " src port {port}"),
            Some((Side::Destination, port)) => write!(f, " dst port {port}"),
            None => Ok(()),
        }
    }
}
