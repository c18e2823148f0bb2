//! What is wrong with mirror filters, sessions and targets, why, and what would mend it.
//!
//! Nothing is said of what the files do not show: a session's filter is missing only where filters were given.

use core::fmt;
use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{
    explain::titled,
    inventory::{ById, Inventory, MirrorFilter, MirrorSession},
    lint_rules,
    table::{count, wrap},
    value::Fault,
};

/// The most octets of a mirrored frame that pass a GWLB endpoint whole: IPv4 8446, IPv6 20 fewer.
pub const MAX_WHOLE_LEN: u32 = 8446;
/// The least packet length that AWS accepts for IPv6; for IPv4 it is 35.
const MIN_PACKET_LENGTH: u32 = 55;
/// Ethernet, IPv6 and TCP with all its options: what the analysis of flows needs.
const HEADERS_LEN: u32 = 14 + 40 + 60;
const MAX_SESSIONS_PER_INTERFACE: usize = 3;
const MAX_VNI: u32 = (1 << 24) - 1;
const MAX_SESSION_NUMBER: u32 = 32_766;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A fixed word for the kind of fault, for example `rule-shadowed`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The id of the filter, rule, session or target.
    pub subject: String,
    /// The filter of a rule, or the name of the subject.
    pub context: Option<String>,
    /// What is wrong and why it matters.
    pub reason: String,
    /// What mends it: a command where there is one.
    pub remedy: String,
}

/// How bad a finding is. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Does not do what it was made for.
    Error,
    /// Probably does not.
    Warning,
    /// Worth knowing.
    Note,
}

/// All findings, the worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lint {
    /// The findings.
    pub findings: Vec<Finding>,
    /// Filters that were looked at.
    pub filters: usize,
    /// Sessions that were looked at.
    pub sessions: usize,
    /// Targets that were looked at.
    pub targets: usize,
}

/// Looks for faults in everything that `inventory` holds.
pub fn lint(inventory: &Inventory) -> Lint {
    let mut findings = Vec::new();
    for filter in &inventory.filters {
        lint_rules::filter(filter, &mut findings);
    }
    let by_id = inventory.by_id();
    for session in &inventory.sessions {
        links(inventory, &by_id, session, &mut findings);
        numbers(session, &mut findings);
        unreadable(subject(session), &session.faults, &mut findings);
    }
    for interface in &inventory.interfaces {
        unreadable((&interface.id, interface.name.as_deref()), &interface.faults, &mut findings);
    }
    shared_vnis(inventory, &by_id, &mut findings);
    interfaces(inventory, &by_id, &mut findings);
    targets(inventory, &mut findings);
    unused_filters(inventory, &mut findings);
    // A stable sort: within one severity the order of the files remains.
    findings.sort_by_key(|finding| finding.severity);
    Lint {
        findings,
        filters: inventory.filters.len(),
        sessions: inventory.sessions.len(),
        targets: inventory.targets.len(),
    }
}

impl Finding {
    pub(super) fn new(
        code: &'static str,
        severity: Severity,
        (subject, context): (&str, Option<&str>),
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (reason, remedy) = (reason.into(), remedy.into());
        Self { code, severity, subject: subject.into(), context: context.map(Into::into), reason, remedy }
    }
}

fn subject(session: &MirrorSession) -> (&str, Option<&str>) {
    (&session.id, session.name.as_deref())
}

fn unreadable(subject: (&str, Option<&str>), faults: &[Fault], findings: &mut Vec<Finding>) {
    findings.extend(faults.iter().map(|fault| {
        Finding::new("value-unreadable", Severity::Error, subject, fault.to_string(), lint_rules::CORRECT)
    }));
}

fn modify_session(session: &MirrorSession, change: &str) -> String {
    format!("aws ec2 modify-traffic-mirror-session --traffic-mirror-session-id {} {change}", session.id)
}

/// What a session points at, as far as the files could show it.
fn links(inventory: &Inventory, by_id: &ById<'_>, session: &MirrorSession, findings: &mut Vec<Finding>) {
    let links = [
        (inventory.has_filters, &by_id.filters, &session.filter_id, "session-without-filter", "filter"),
        (inventory.has_targets, &by_id.targets, &session.target_id, "session-without-target", "target"),
        (
            inventory.has_interfaces,
            &by_id.interfaces,
            &session.interface_id,
            "session-without-source",
            "interface",
        ),
    ];
    for (is_given, known, id, code, what) in links {
        if is_given && !known.contains_key(id.as_str()) {
            let id = if id.is_empty() { "(none)" } else { id };
            let owner = session.owner_id.as_deref().unwrap_or("another account");
            let reason = format!(
                "it points at the {what} {id}, which is not in the files: it was deleted, or it belongs to {owner} \
                 and is not shown to this one"
            );
            let remedy = match what {
                "filter" => modify_session(session, "--traffic-mirror-filter-id tmf-…"),
                "target" => modify_session(session, "--traffic-mirror-target-id tmt-…"),
                _ => format!(
                    "aws ec2 delete-traffic-mirror-session --traffic-mirror-session-id {}",
                    session.id
                ),
            };
            findings.push(Finding::new(code, Severity::Error, subject(session), reason, remedy));
        }
    }
}

fn numbers(session: &MirrorSession, findings: &mut Vec<Finding>) {
    let mut push = |code, severity, reason: String, change: &str| {
        findings.push(Finding::new(
            code,
            severity,
            subject(session),
            reason,
            modify_session(session, change),
        ));
    };
    match session.packet_length {
        Some(len) if len < MIN_PACKET_LENGTH => push(
            "packet-length-too-short",
            Severity::Error,
            format!(
                "a packet length of {len} cuts inside the IP header; AWS takes 35 for IPv4, 55 for IPv6 and more"
            ),
            "--packet-length 128",
        ),
        Some(len) if len < HEADERS_LEN => push(
            "packet-length-cuts-headers",
            Severity::Warning,
            format!(
                "a packet length of {len} cuts TCP headers with options: ports stay, sequence analysis suffers"
            ),
            "--packet-length 128",
        ),
        Some(len) if len > MAX_WHOLE_LEN => push(
            "packet-length-beyond-endpoint",
            Severity::Note,
            format!(
                "a packet length of {len} is more than the {MAX_WHOLE_LEN} octets that pass a GWLB endpoint whole"
            ),
            "--remove-fields packet-length",
        ),
        _ => {}
    }
    if let Some(vni) = session.vni.filter(|vni| *vni > MAX_VNI) {
        let reason = format!("VNI {vni} does not fit into 24 bits");
        push("vni-out-of-range", Severity::Error, reason, "--virtual-network-id 1");
    }
    if let Some(number) = session.number.filter(|number| !(1..=MAX_SESSION_NUMBER).contains(number)) {
        let reason = format!("session number {number} is not within 1 to {MAX_SESSION_NUMBER}");
        push("session-number-out-of-range", Severity::Error, reason, "--session-number 1");
    }
}

/// Sessions with one VNI at one target are told apart by the interface's address alone.
fn shared_vnis(inventory: &Inventory, by_id: &ById<'_>, findings: &mut Vec<Finding>) {
    let mut groups: HashMap<(u32, &str), Vec<&MirrorSession>> = HashMap::new();
    for session in &inventory.sessions {
        if let Some(vni) = session.vni {
            groups.entry((vni, &session.target_id)).or_default().push(session);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().filter(|(_, sessions)| sessions.len() > 1).collect();
    groups.sort_by_key(|(key, _)| *key);
    for ((vni, target), sessions) in groups {
        let mut first_at = HashMap::new();
        let mut is_clash = false;
        for session in sessions.iter().filter(|session| !session.interface_id.is_empty()) {
            let interface = by_id.interfaces.get(session.interface_id.as_str());
            let address = interface.and_then(|at| inventory.interfaces.get(*at)?.addresses.first());
            let source = address.map_or_else(|| session.interface_id.clone(), ToString::to_string);
            if let Some(first) = first_at.insert(source.clone(), *session) {
                is_clash = true;
                let reason = format!(
                    "it and {} send with VNI {vni} from {source} to the same target: their packets cannot be told \
                     apart",
                    titled(&first.id, first.name.as_deref())
                );
                let remedy =
                    modify_session(session, "--virtual-network-id N   # one that no other session uses");
                findings.push(Finding::new("vni-clash", Severity::Error, subject(session), reason, remedy));
            }
        }
        if !is_clash {
            let reason = format!(
                "{} sessions send with VNI {vni} to target {target}; only the interface's address tells them apart, \
                 which fails where addresses overlap",
                sessions.len()
            );
            let remedy = modify_session(sessions[1], "--virtual-network-id N   # and so on");
            findings.push(Finding::new("vni-shared", Severity::Note, subject(sessions[0]), reason, remedy));
        }
    }
}

/// What the sessions of one interface do to each other.
fn interfaces(inventory: &Inventory, by_id: &ById<'_>, findings: &mut Vec<Finding>) {
    let mut groups: HashMap<&str, Vec<&MirrorSession>> = HashMap::new();
    for session in inventory.sessions.iter().filter(|session| !session.interface_id.is_empty()) {
        groups.entry(&session.interface_id).or_default().push(session);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(id, _)| *id);
    for (id, mut sessions) in groups {
        sessions.sort_by_key(|session| session.number);
        let interface = by_id.interfaces.get(id).and_then(|at| inventory.interfaces.get(*at));
        let kind = interface.and_then(|interface| interface.kind.as_deref());
        if let Some(kind) = kind.filter(|kind| *kind != "interface") {
            let reason = format!("its source {id} is a {kind}; only interfaces of instances can be mirrored");
            let remedy = "mirror the instances' own interfaces";
            findings.push(Finding::new(
                "source-not-mirrorable",
                Severity::Error,
                subject(sessions[0]),
                reason,
                remedy,
            ));
        }
        if sessions.len() > MAX_SESSIONS_PER_INTERFACE {
            let reason =
                format!("{id} has {} sessions; AWS allows {MAX_SESSIONS_PER_INTERFACE}", sessions.len());
            let last = sessions[sessions.len() - 1];
            let remedy =
                format!("aws ec2 delete-traffic-mirror-session --traffic-mirror-session-id {}", last.id);
            findings.push(Finding::new("too-many-sessions", Severity::Error, subject(last), reason, remedy));
        }
        in_order(&sessions, findings);
    }
}

fn in_order(sessions: &[&MirrorSession], findings: &mut Vec<Finding>) {
    let mut by_filter: HashMap<&str, &MirrorSession> = HashMap::new();
    let mut before: Option<&MirrorSession> = None;
    for session in sessions {
        let same_number = before.filter(|before| session.number.is_some() && before.number == session.number);
        if let Some(before) = same_number {
            let reason = format!("it has the session number of {} on the same interface", before.id);
            let remedy = modify_session(session, "--session-number N   # one that is free");
            findings.push(Finding::new(
                "session-number-clash",
                Severity::Error,
                subject(session),
                reason,
                remedy,
            ));
        }
        let earlier = by_filter.insert(&session.filter_id, session).filter(|_| !session.filter_id.is_empty());
        if let Some(earlier) = earlier {
            let reason = format!(
                "it never mirrors anything: a packet is mirrored once, and {} on the same interface comes first \
                 with the same filter",
                earlier.id
            );
            let remedy =
                format!("aws ec2 delete-traffic-mirror-session --traffic-mirror-session-id {}", session.id);
            findings.push(Finding::new(
                "session-starved",
                Severity::Warning,
                subject(session),
                reason,
                remedy,
            ));
        }
        before = Some(session);
    }
}

fn targets(inventory: &Inventory, findings: &mut Vec<Finding>) {
    let used: HashSet<&str> = inventory.sessions.iter().map(|session| session.target_id.as_str()).collect();
    for target in &inventory.targets {
        let subject = (target.id.as_str(), target.name.as_deref());
        let kind = target.kind.as_deref();
        if let Some(kind) = kind.filter(|kind| *kind != "gateway-load-balancer-endpoint") {
            let reason = format!(
                "it is a {kind}: its packets come in VXLAN alone, without endpoint id, and not by way of GWLB"
            );
            let remedy = "aws ec2 create-traffic-mirror-target --gateway-load-balancer-endpoint-id vpce-…";
            findings.push(Finding::new("target-not-endpoint", Severity::Warning, subject, reason, remedy));
        } else if target.endpoint_id.is_none() {
            let reason =
                "it names no readable GWLB endpoint: packets cannot be joined to its sessions by endpoint";
            let remedy =
                format!("aws ec2 describe-traffic-mirror-targets --traffic-mirror-target-ids {}", target.id);
            findings.push(Finding::new(
                "target-without-endpoint",
                Severity::Warning,
                subject,
                reason,
                remedy,
            ));
        }
        if inventory.has_sessions && !used.contains(target.id.as_str()) {
            let remedy =
                format!("aws ec2 delete-traffic-mirror-target --traffic-mirror-target-id {}", target.id);
            findings.push(Finding::new(
                "target-unused",
                Severity::Note,
                subject,
                "no session uses it",
                remedy,
            ));
        }
    }
}

fn unused_filters(inventory: &Inventory, findings: &mut Vec<Finding>) {
    let used: HashSet<&str> = inventory.sessions.iter().map(|session| session.filter_id.as_str()).collect();
    let is_used = |filter: &MirrorFilter| used.contains(filter.id.as_str());
    for filter in inventory.filters.iter().filter(|filter| inventory.has_sessions && !is_used(filter)) {
        let subject = (filter.id.as_str(), filter.name.as_deref());
        let remedy = format!("aws ec2 delete-traffic-mirror-filter --traffic-mirror-filter-id {}", filter.id);
        findings.push(Finding::new("filter-unused", Severity::Note, subject, "no session uses it", remedy));
    }
}

impl Severity {
    /// The word that reports use.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl Lint {
    /// Findings of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// The report for people, at most 100 columns wide but for commands, which stay on one line to be copied.
impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        for finding in &self.findings {
            let Finding { code, severity, reason, remedy, .. } = finding;
            let subject = titled(&finding.subject, finding.context.as_deref());
            wrap(&mut out, "", &format!("{}[{code}] {subject}", severity.text()));
            wrap(&mut out, "  ", reason);
            out.push_str(&format!("  remedy: {remedy}\n\n"));
        }
        let [errors, warnings, notes] =
            [Severity::Error, Severity::Warning, Severity::Note].map(|severity| self.count(severity));
        let (filters, sessions, targets) = (self.filters, self.sessions, self.targets);
        let total = format!(
            "{}, {}, {} in {}, {}, {}",
            count(errors as u64, "error"),
            count(warnings as u64, "warning"),
            count(notes as u64, "note"),
            count(filters as u64, "filter"),
            count(sessions as u64, "session"),
            count(targets as u64, "target"),
        );
        wrap(&mut out, "", &total);
        f.write_str(&out)
    }
}

#[cfg(test)]
mod tests;
