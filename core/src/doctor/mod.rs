//! What is wrong with a machine and a load balancer that are to carry mirrored traffic, why, and what mends it.
//!
//! [`Facts`] are what somebody saw on the machine and what the AWS CLI printed; [`diagnose`] judges them and looks
//! at nothing itself. What was not seen is `None` or empty and leads to no judgement, at most to a note that says
//! how it could be seen.
//! (AWS, "Gateway Load Balancers", "Health checks for Gateway Load Balancer target groups".)

use core::fmt;

use serde::Serialize;

mod describe;
mod facts;
mod host;
mod load_balancer;
mod security_group;

pub use describe::{AwsFacts, SecurityGroup, SecurityRule, TargetGroup, TargetHealth};
pub use facts::{Facts, Intent, Interface, Listener, Mode, Probe, ProbeAnswer};

use crate::aws::table::wrap;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A fixed word for what was looked at, for example `interface-mtu`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at: an interface, a setting, an ARN.
    pub subject: String,
    /// What was found, and why it matters.
    pub reason: String,
    /// What mends it, or what would tell more: a command where there is one.
    pub remedy: Option<String>,
}

/// How bad a finding is. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Packets are lost, or will be.
    Error,
    /// Packets may be lost under load or in a fault.
    Warning,
    /// Worth knowing, or not to be seen from here.
    Note,
    /// As it should be.
    Fine,
}

/// All findings, the worst first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The findings.
    pub findings: Vec<Finding>,
}

/// Judges what was seen.
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let mut findings = Vec::new();
    host::judge(facts, &mut findings);
    security_group::judge(facts, &mut findings);
    load_balancer::judge(facts, &mut findings);
    // A stable sort: within one severity the order of the looks remains.
    findings.sort_by_key(|finding| finding.severity);
    Diagnosis { findings }
}

impl Diagnosis {
    /// How many findings are of that severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

impl Finding {
    fn new(
        code: &'static str,
        severity: Severity,
        subject: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self { code, severity, subject: subject.into(), reason: reason.into(), remedy: None }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Fine => "fine",
        })
    }
}

impl fmt::Display for Diagnosis {
    /// The findings with their remedies, at most 100 columns wide but for commands, which are never broken.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let mut text = String::new();
            wrap(&mut text, "         ", &format!("{}: {}", finding.subject, finding.reason));
            write!(f, "{:<9}{}", finding.severity.to_string(), text.trim_start())?;
            if let Some(remedy) = &finding.remedy {
                writeln!(f, "         → {remedy}")?;
            }
        }
        let [errors, warnings, notes, fine] =
            [Severity::Error, Severity::Warning, Severity::Note, Severity::Fine].map(|kind| self.count(kind));
        writeln!(f, "errors {errors}, warnings {warnings}, notes {notes}, fine {fine}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_every_fault_says_what_to_do() {
        let interface = Interface { name: "eth0".into(), mtu: 1500, ..Interface::default() };
        let facts = Facts { interfaces: vec![interface], ..Facts::default() };
        let diagnosis = diagnose(&facts);
        assert!(diagnosis.findings.is_sorted_by_key(|finding| finding.severity));
        assert_eq!(diagnosis.findings[0].code, "interface-mtu");
        for finding in &diagnosis.findings {
            assert!(finding.severity == Severity::Fine || finding.remedy.is_some(), "{finding:?}");
        }
        let text = diagnosis.to_string();
        assert!(text.starts_with("error    eth0: MTU 1500"), "{text}");
        assert!(text.contains("\n         → ip link set dev eth0 mtu 9001\n"), "{text}");
    }
}
