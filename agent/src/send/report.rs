//! What was sent and what came back, for people and as JSON.

use std::{fmt::Write, time::Duration};

use mirrorscope_core::encap::FaultCounts;
use serde_json::{Value, json};

use super::echo::{EchoCounts, Latency};
use crate::{failure::Failure, output::Output, talk::say};

/// The summary of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Packets that the source gave.
    pub(crate) packets: u64,
    /// Datagrams that went out, duplicates included.
    pub(crate) sent: u64,
    /// Of the packets, those that are inline.
    pub(crate) inline: u64,
    /// Octets that went out: UDP payload, or the frames of a file.
    pub(crate) octets: u64,
    /// Packets that cannot be wrapped: without IP, or too long for GWLB.
    pub(crate) refused: u64,
    /// Datagrams that the kernel did not take.
    pub(crate) errors: u64,
    /// Why not, the first time.
    pub(crate) first_error: Option<String>,
    /// What was done to packets on purpose.
    pub(crate) faults: FaultCounts,
    /// How long it took, without waiting for the last packets to come back.
    pub(crate) elapsed: Duration,
    /// What came back, if anything was to.
    pub(crate) echo: Option<(EchoCounts, Latency)>,
}

impl Report {
    /// Prints the summary to standard output, or to standard error where that is a capture.
    pub(crate) fn print(&self, json: bool, onto_stderr: bool) -> Result<(), Failure> {
        let text = if json { format!("{}\n", self.to_json()) } else { self.to_text() };
        if onto_stderr {
            say!("{}", text.trim_end_matches('\n'));
            return Ok(());
        }
        let mut output = Output::new();
        output.print(|line| {
            line.str(&text);
        })?;
        output.flush()
    }

    /// A failure where the kernel took nothing, or something came back that should not have, or not so.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        if let (0, Some(error)) = (self.sent, &self.first_error) {
            return Err(Failure::new(format_args!("nothing could be sent: {error}")));
        }
        let (counts, _) = self.echo.unwrap_or_default();
        let wrong = counts.header_changed + counts.port_changed + counts.unknown + counts.mirrored;
        if wrong == 0 {
            return Ok(());
        }
        let failure = Failure::new(format_args!("{wrong} packets came back that GWLB would drop"));
        Err(failure.hint(if wrong == counts.mirrored {
            "copies of a mirror session are for the appliance alone; `serve --mode auto --mirror-endpoint VPCE` swallows them"
        } else {
            "an appliance returns the Geneve header octet for octet, ports as they came, addresses swapped"
        }))
    }

    fn packets_per_second(&self) -> f64 {
        self.sent as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "sent {} packets ({} inline), {} octets in {:.3} s: {:.0} packets/s\n",
            self.sent,
            self.inline,
            self.octets,
            self.elapsed.as_secs_f64(),
            self.packets_per_second()
        );
        let faults = &self.faults;
        line(
            &mut text,
            "faults",
            &[
                ("lost", faults.lost),
                ("duplicated", faults.duplicated),
                ("reordered", faults.reordered),
                ("corrupted", faults.corrupted),
                ("truncated", faults.truncated),
            ],
        );
        line(&mut text, "not sent", &[("refused", self.refused), ("errors", self.errors)]);
        if let Some(error) = &self.first_error {
            let _ = writeln!(text, "first error: {error}");
        }
        if let Some((counts, latency)) = &self.echo {
            let _ = writeln!(text, "came back {} of {} inline packets", counts.returned, counts.expected);
            line(&mut text, "  among them", &[("reordered", counts.reordered)]);
            line(&mut text, "  missing", &[("lost", counts.lost)]);
            line(&mut text, "  damaged on purpose", &[("came back as they were sent", counts.damaged)]);
            line(&mut text, "  this program was too slow for", &[("that came back", counts.overflowed)]);
            line(&mut text, "  wrong", &wrong(counts));
            if counts.returned > 0 {
                let _ = writeln!(text, "latency {}", latency_text(latency));
            } else if counts.expected > 0 {
                text.push_str("  hint: nothing answers as an inline appliance; does one listen there?\n");
            }
        }
        text
    }

    fn to_json(&self) -> Value {
        let faults = &self.faults;
        let mut report = json!({
            "packets": self.packets,
            "sent": self.sent,
            "inline": self.inline,
            "octets": self.octets,
            "refused": self.refused,
            "errors": self.errors,
            "first_error": self.first_error,
            "seconds": self.elapsed.as_secs_f64(),
            "packets_per_second": self.packets_per_second(),
            "faults": {
                "lost": faults.lost,
                "duplicated": faults.duplicated,
                "reordered": faults.reordered,
                "corrupted": faults.corrupted,
                "truncated": faults.truncated,
            },
        });
        if let (Some((counts, latency)), Some(members)) = (&self.echo, report.as_object_mut()) {
            members.insert("returned".to_owned(), echo_json(counts, latency));
        }
        report
    }
}

fn wrong(counts: &EchoCounts) -> [(&'static str, u64); 4] {
    [
        ("header changed", counts.header_changed),
        ("port changed", counts.port_changed),
        ("changed inside or never sent", counts.unknown),
        ("mirrored packets", counts.mirrored),
    ]
}

fn echo_json(counts: &EchoCounts, latency: &Latency) -> Value {
    let time = |time_ns: u64| (counts.returned > 0).then_some(time_ns);
    json!({
        "expected": counts.expected,
        "intact": counts.returned,
        "reordered": counts.reordered,
        "lost": counts.lost,
        "overflowed": counts.overflowed,
        "header_changed": counts.header_changed,
        "port_changed": counts.port_changed,
        "unknown": counts.unknown,
        "mirrored": counts.mirrored,
        "damaged": counts.damaged,
        "latency_ns": {
            "min": time(latency.min_ns),
            "p50": time(latency.p50_ns),
            "p90": time(latency.p90_ns),
            "p99": time(latency.p99_ns),
            "p99.9": time(latency.p999_ns),
            "max": time(latency.max_ns),
        },
    })
}

/// One line of the counts that are not zero; nothing where all are.
fn line(text: &mut String, title: &str, counts: &[(&str, u64)]) {
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    if !counts.is_empty() {
        let _ = writeln!(text, "{title}: {}", counts.join(", "));
    }
}

fn latency_text(latency: &Latency) -> String {
    let times = [
        ("min", latency.min_ns),
        ("p50", latency.p50_ns),
        ("p90", latency.p90_ns),
        ("p99", latency.p99_ns),
        ("p99.9", latency.p999_ns),
        ("max", latency.max_ns),
    ];
    times.map(|(name, time_ns)| format!("{name} {:.1} µs", time_ns as f64 / 1000.0)).join(", ")
}
