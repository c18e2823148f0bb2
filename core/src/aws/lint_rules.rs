//! What is wrong within one mirror filter.

use ipnet::IpNet;

use super::{
    inventory::{Action, Direction, MirrorFilter, Rule},
    lint::{Finding, Severity},
    space::{Region, overlap, regions, without},
    traffic::{TCP, UDP},
};

/// Rules that AWS allows in one filter, over both directions.
pub(super) const MAX_RULES: usize = 10;
/// Numbers that a rule may have.
const NUMBERS: core::ops::RangeInclusive<u32> = 1..=32_766;

/// Adds the faults of `filter` to `findings`.
pub(super) fn filter(filter: &MirrorFilter, findings: &mut Vec<Finding>) {
    whole(filter, findings);
    for direction in Direction::BOTH {
        let rules: Vec<&Rule> = filter.rules_of(direction).map(|(_, rule)| rule).collect();
        for rule in &rules {
            match rule.faults.is_empty() {
                true => alone(filter, rule, findings),
                false => unreadable(filter, rule, findings),
            }
        }
        numbers(filter, &rules, findings);
        order(filter, &rules, findings);
        coverage(filter, direction, &rules, findings);
    }
}

fn subject(filter: &MirrorFilter) -> (&str, Option<&str>) {
    (&filter.id, filter.name.as_deref())
}

/// A rule by its id, or by direction and number where it has none.
fn rule_id(rule: &Rule) -> String {
    match (rule.id.is_empty(), rule.number) {
        (false, _) => rule.id.clone(),
        (true, Some(number)) => format!("{} rule {number}", rule.direction.text()),
        (true, None) => format!("{} rule without number", rule.direction.text()),
    }
}

fn finding(
    filter: &MirrorFilter,
    rule: &Rule,
    (code, severity): (&'static str, Severity),
    reason: String,
    remedy: String,
) -> Finding {
    let number = rule.number.map(|number| format!(" {number}")).unwrap_or_default();
    let context = format!("{}{number} of {}", rule.direction.text(), filter.id);
    Finding::new(code, severity, (&rule_id(rule), Some(&context)), reason, remedy)
}

fn delete(rule: &Rule) -> String {
    format!("aws ec2 delete-traffic-mirror-filter-rule --traffic-mirror-filter-rule-id {}", rule_id(rule))
}

fn modify(rule: &Rule, change: &str) -> String {
    format!(
        "aws ec2 modify-traffic-mirror-filter-rule --traffic-mirror-filter-rule-id {} {change}",
        rule_id(rule)
    )
}

/// Values that are not what AWS writes. Of the rule nothing else is said: one cause, one finding.
fn unreadable(filter: &MirrorFilter, rule: &Rule, findings: &mut Vec<Finding>) {
    for fault in &rule.faults {
        let remedy = match rule.id.is_empty() {
            true => CORRECT.to_owned(),
            false => modify(rule, &option(fault.field)),
        };
        let code = ("value-unreadable", Severity::Error);
        findings.push(finding(filter, rule, code, fault.to_string(), remedy));
    }
}

/// The option of the AWS CLI that sets a field.
fn option(field: &str) -> String {
    match field {
        "TrafficDirection" => "--traffic-direction ingress   # or egress".into(),
        "RuleNumber" => "--rule-number N   # from 1 to 32766".into(),
        "RuleAction" => "--rule-action accept   # or reject".into(),
        "Protocol" => "--protocol 6   # TCP; 17 UDP, 1 ICMP".into(),
        "SourceCidrBlock" => "--source-cidr-block 0.0.0.0/0".into(),
        "DestinationCidrBlock" => "--destination-cidr-block 0.0.0.0/0".into(),
        ports if ports.starts_with("Source") => "--source-port-range FromPort=N,ToPort=N".into(),
        _ => "--destination-port-range FromPort=N,ToPort=N".into(),
    }
}

/// What mends a value that AWS never wrote.
pub(super) const CORRECT: &str = "correct the value in the file, or save the output of the AWS CLI again";

fn whole(filter: &MirrorFilter, findings: &mut Vec<Finding>) {
    let count = filter.rules.len();
    if count > MAX_RULES {
        let reason = format!("it has {count} rules; AWS allows {MAX_RULES} over both directions together");
        let remedy =
            "merge rules that differ in one port or prefix; `mirrorscope aws suggest` finds a small set";
        findings.push(Finding::new("too-many-rules", Severity::Error, subject(filter), reason, remedy));
    }
    let accepts =
        filter.rules.iter().any(|rule| rule.action == Some(Action::Accept) && !regions(rule).is_empty());
    let is_readable = filter.rules.iter().all(|rule| rule.faults.is_empty());
    if !accepts && !filter.mirrors_amazon_dns && is_readable {
        let reason = "no rule can accept anything: a session with this filter mirrors nothing";
        let remedy = create(filter, Direction::Ingress, "0.0.0.0/0");
        findings.push(Finding::new(
            "filter-mirrors-nothing",
            Severity::Error,
            subject(filter),
            reason,
            remedy,
        ));
    }
}

fn create(filter: &MirrorFilter, direction: Direction, any: &str) -> String {
    format!(
        "aws ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id {} --traffic-direction {} \
         --rule-number 1000 --rule-action accept --source-cidr-block {any} --destination-cidr-block {any}",
        if filter.id.is_empty() { "tmf-…" } else { &filter.id },
        direction.text()
    )
}

/// What a direction leaves out altogether.
fn coverage(filter: &MirrorFilter, direction: Direction, rules: &[&Rule], findings: &mut Vec<Finding>) {
    if filter.rules.iter().any(|rule| !rule.faults.is_empty()) {
        // What cannot be read may be just what is missing.
        return;
    }
    let accepting: Vec<_> = rules.iter().filter(|rule| rule.action == Some(Action::Accept)).collect();
    let has_any = filter.rules.iter().any(|rule| rule.action == Some(Action::Accept));
    let text = direction.text();
    if accepting.is_empty() && has_any {
        let reason =
            format!("no {text} rule accepts anything: only one half of each conversation is mirrored");
        let remedy = create(filter, direction, "0.0.0.0/0");
        findings.push(Finding::new("direction-missing", Severity::Warning, subject(filter), reason, remedy));
    }
    let is_of = |rule: &Rule, is_ipv6: bool| {
        let nets = [rule.source, rule.destination];
        nets.iter().all(|net| net.is_none_or(|net| matches!(net, IpNet::V6(_)) == is_ipv6))
    };
    if !accepting.is_empty() && !accepting.iter().any(|rule| is_of(rule, true)) {
        let reason = format!("no {text} rule is about IPv6: none of it is mirrored");
        let remedy = create(filter, direction, "::/0");
        findings.push(Finding::new("family-missing", Severity::Note, subject(filter), reason, remedy));
    }
}

/// What is wrong with a rule whatever stands around it.
fn alone(filter: &MirrorFilter, rule: &Rule, findings: &mut Vec<Finding>) {
    let mut push = |code, severity, reason: String, remedy: String| {
        findings.push(finding(filter, rule, (code, severity), reason, remedy));
    };
    if rule.action.is_none() || rule.number.is_none() || rule.source.is_none() || rule.destination.is_none() {
        let reason = "its action, number, source or destination is missing from the file".to_owned();
        push("rule-incomplete", Severity::Warning, reason, "save the output of the AWS CLI again".into());
    }
    if let (Some(source), Some(destination)) = (rule.source, rule.destination)
        && matches!(source, IpNet::V4(_)) != matches!(destination, IpNet::V4(_))
    {
        let reason = format!("it can never match: {source} and {destination} are of different families");
        let any = if matches!(source, IpNet::V4(_)) { "0.0.0.0/0" } else { "::/0" };
        let remedy = modify(rule, &format!("--destination-cidr-block {any}"));
        push("rule-mixes-families", Severity::Error, reason, remedy);
    }
    ports(rule, &mut push);
    let is_ipv6 = [rule.source, rule.destination].iter().flatten().any(|net| matches!(net, IpNet::V6(_)));
    if let Some(other) = wrong_icmp(rule.protocol, is_ipv6).filter(|_| rule.source.is_some()) {
        let family = if is_ipv6 { "IPv6" } else { "IPv4" };
        let reason =
            format!("it can hardly match: {family} does not carry protocol {}", rule.protocol.unwrap_or(0));
        push("rule-wrong-icmp", Severity::Warning, reason, modify(rule, &format!("--protocol {other}")));
    }
}

fn ports(rule: &Rule, push: &mut impl FnMut(&'static str, Severity, String, String)) {
    let ranges = [("source", rule.source_ports), ("destination", rule.destination_ports)];
    for (side, range) in ranges.into_iter().filter_map(|(side, range)| Some((side, range?))) {
        if range.from > range.to {
            let reason =
                format!("it can never match: the {side} ports run from {} down to {}", range.from, range.to);
            let change = format!("--{side}-port-range FromPort={},ToPort={}", range.to, range.from);
            push("rule-inverted-ports", Severity::Error, reason, modify(rule, &change));
        }
    }
    let fields = ranges.iter().filter(|(_, range)| range.is_some());
    let fields: Vec<_> = fields.map(|(side, _)| format!("{side}-port-range")).collect();
    match rule.protocol {
        _ if fields.is_empty() => {}
        Some(TCP | UDP) => {}
        Some(protocol) => push(
            "rule-ports-without-ports",
            Severity::Error,
            format!("it can never match: protocol {protocol} has no ports, only TCP and UDP have"),
            modify(rule, &format!("--remove-fields {}", fields.join(" "))),
        ),
        None => push(
            "rule-ports-of-any-protocol",
            Severity::Warning,
            "it asks for ports but for no protocol: only TCP and UDP have ports".into(),
            modify(rule, "--protocol 6"),
        ),
    }
}

fn wrong_icmp(protocol: Option<u8>, is_ipv6: bool) -> Option<u8> {
    match (protocol, is_ipv6) {
        (Some(1), true) => Some(58),
        (Some(58), false) => Some(1),
        _ => None,
    }
}

fn numbers(filter: &MirrorFilter, rules: &[&Rule], findings: &mut Vec<Finding>) {
    for pair in rules.windows(2) {
        if let [before, rule] = pair
            && rule.number.is_some()
            && before.number == rule.number
        {
            let reason =
                format!("{} has the same number and direction: their order is not defined", rule_id(before));
            let remedy = modify(rule, "--rule-number N   # one that is free");
            let code = ("rule-number-clash", Severity::Error);
            findings.push(finding(filter, rule, code, reason, remedy));
        }
    }
    for rule in rules.iter().filter(|rule| rule.number.is_some_and(|number| !NUMBERS.contains(&number))) {
        let reason = "its number is not within 1 to 32766".to_owned();
        let code = ("rule-number-out-of-range", Severity::Error);
        findings.push(finding(filter, rule, code, reason, modify(rule, "--rule-number 100")));
    }
}

/// Rules that decide nothing because of others.
fn order(filter: &MirrorFilter, rules: &[&Rule], findings: &mut Vec<Finding>) {
    let sets: Vec<Vec<Region>> =
        rules.iter().map(|rule| if rule.action.is_some() { regions(rule) } else { Vec::new() }).collect();
    // Filters far beyond the limit have a worse fault, and comparing their rules would take long.
    if rules.len() > 3 * MAX_RULES {
        return;
    }
    for (at, rule) in rules.iter().enumerate().filter(|(at, _)| !sets[*at].is_empty()) {
        let earlier: Vec<usize> =
            (0..at).filter(|earlier| !overlap(&sets[at], &sets[*earlier]).is_empty()).collect();
        let covers: Vec<Region> = earlier.iter().flat_map(|earlier| sets[*earlier].iter().copied()).collect();
        let Some(effective) = without(&sets[at], &covers) else { continue };
        let found = match effective.is_empty() {
            true => Some(covered(rule, &earlier, rules)),
            false => is_idle(rule, &effective, rules, &sets, at)
                .map(|reason| ("rule-redundant", Severity::Note, reason)),
        };
        if let Some((code, severity, reason)) = found {
            findings.push(finding(filter, rule, (code, severity), reason, delete(rule)));
        }
    }
}

fn covered(rule: &Rule, earlier: &[usize], rules: &[&Rule]) -> (&'static str, Severity, String) {
    let names: Vec<_> = earlier
        .iter()
        .map(|at| {
            let earlier = rules[*at];
            let number = earlier.number.map_or("?".into(), |number| number.to_string());
            format!("{number} ({}, {})", earlier.action.map_or("?", Action::text), rule_id(earlier))
        })
        .collect();
    let reason =
        format!("it never decides: all that it matches is decided before by rule {}", names.join(" and "));
    match earlier.iter().all(|at| rules[*at].action == rule.action) {
        true => ("rule-redundant", Severity::Warning, reason),
        false => ("rule-shadowed", Severity::Error, reason),
    }
}

/// Why the filter would do the same without the rule: everything that it decides would be decided alike behind it.
fn is_idle(
    rule: &Rule,
    effective: &[Region],
    rules: &[&Rule],
    sets: &[Vec<Region>],
    at: usize,
) -> Option<String> {
    let mut left = effective.to_vec();
    let mut deciders = Vec::new();
    for later in at + 1..rules.len() {
        if overlap(&left, &sets[later]).is_empty() {
            continue;
        }
        if rules[later].action != rule.action {
            return None;
        }
        left = without(&left, &sets[later])?;
        deciders.push(rules[later].number.map_or("?".into(), |number| number.to_string()));
    }
    match (left.is_empty(), rule.action) {
        (true, _) => Some(format!("without it, rule {} would decide the same", deciders.join(" and "))),
        (false, Some(Action::Reject)) => {
            Some("it rejects what no later rule accepts and so would not be mirrored anyway".into())
        }
        (false, _) => None,
    }
}
