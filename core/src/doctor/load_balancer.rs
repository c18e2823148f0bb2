//! The load balancer: whether it notices an agent that fails, and what becomes of the mirror then.
//!
//! The trap is `no_rebalance`, the default: what a dead target received goes on being sent to it until it is idle
//! for 120 s. A mirrored interface has few source ports and steady traffic, so its mirror may never be idle.
//! (AWS, "Target groups for your Gateway Load Balancers", "Edit target group attributes".)

use std::collections::BTreeMap;

use super::{Facts, Finding, Intent, Mode, Severity, TargetGroup, TargetHealth};
use crate::layers::geneve;

type Attributes = BTreeMap<String, String>;

const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";
const STICKINESS: &str = "stickiness.enabled";
const STICKINESS_TYPE: &str = "stickiness.type";
const FAILOVER: [&str; 2] = ["target_failover.on_deregistration", "target_failover.on_unhealthy"];
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const TCP_IDLE: &str = "tcp.idle_timeout.seconds";
/// Seconds after which GWLB forgets a flow of TCP, unless its listener says otherwise.
const TCP_IDLE_S: u64 = 350;
/// Seconds after which GWLB forgets any other flow. Mirrored packets come in UDP.
const UDP_IDLE_S: u64 = 120;
/// Seconds after which a dead target should have been noticed.
const SLOW_DETECTION_S: u32 = 30;
const ARN_WANTED: &str = "ARN";

pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    let aws = &facts.aws;
    if aws.target_groups.is_empty() && aws.attributes.is_empty() && aws.targets.is_none() {
        findings.push(not_seen());
        return;
    }
    for group in &aws.target_groups {
        target_group(group, &facts.intent, findings);
    }
    let of_groups = aws.attributes.iter().filter(|attributes| is_of_group(attributes));
    for (at, attributes) in of_groups.enumerate() {
        let arn = aws.target_groups.get(at).map_or(ARN_WANTED, |group| group.arn.as_str());
        group_attributes(arn, attributes, facts, findings);
    }
    findings.extend(aws.attributes.iter().filter_map(|attributes| cross_zone(attributes, &facts.intent)));
    if let Some(targets) = &aws.targets {
        target_health(targets, findings);
    }
}

fn not_seen() -> Finding {
    let reason = "not seen: its defaults (TCP checks on port 80, no_rebalance) lose mirrors of a dead target";
    Finding::new("target-group", Severity::Note, "target group", reason).remedy(
        "for q in target-groups 'target-group-attributes --target-group-arn ARN' 'target-health \
         --target-group-arn ARN' 'load-balancer-attributes --load-balancer-arn ARN'; \
         do aws elbv2 describe-$q; done | mirrorscope doctor -",
    )
}

fn is_of_group(attributes: &Attributes) -> bool {
    let keys = [DEREGISTRATION_DELAY, STICKINESS, FAILOVER[0]];
    keys.iter().any(|key| attributes.contains_key(*key))
}

fn target_group(group: &TargetGroup, intent: &Intent, findings: &mut Vec<Finding>) {
    let arn = &group.arn;
    let new = |code, severity, reason: String| Finding::new(code, severity, arn, reason);
    let modify = |change: &str| format!("aws elbv2 modify-target-group --target-group-arn {arn} {change}");
    if group.protocol != "GENEVE" {
        let reason = format!("its protocol is {}: only a GENEVE group is fed by a GWLB", group.protocol);
        let make = "aws elbv2 create-target-group --protocol GENEVE --port 6081 --name NAME --vpc-id VPC";
        findings.push(new("target-group-protocol", Severity::Error, reason).remedy(make));
        return;
    }
    let port = group.port.unwrap_or(geneve::UDP_PORT);
    if port != intent.port {
        let reason = format!("GWLB sends to UDP port {port}, the agent receives on {}", intent.port);
        let remedy = format!("mirrorscope serve --port {port}");
        findings.push(new("target-group-port", Severity::Error, reason).remedy(remedy));
    }
    let right = format!("--health-check-protocol HTTP --health-check-port {}", intent.health_port);
    let is_our_port = group.health_port == intent.health_port.to_string();
    findings.push(match group.health_protocol.as_str() {
        _ if !is_our_port => {
            let reason = format!(
                "health checks go to port {}, the agent tells health on {}",
                group.health_port, intent.health_port
            );
            new("health-check-port", Severity::Error, reason).remedy(modify(&right))
        }
        "HTTPS" => {
            let reason = "health checks speak HTTPS, the agent speaks HTTP".to_owned();
            new("health-check-protocol", Severity::Error, reason).remedy(modify(&right))
        }
        "TCP" => {
            let reason =
                "health checks only connect: an agent that drains, or whose worker is stuck, accepts \
                          connections all the same, and is taken for healthy"
                    .to_owned();
            new("health-check-protocol", Severity::Warning, reason).remedy(modify(&right))
        }
        protocol => new("health-check", Severity::Fine, format!("{protocol} on port {}", group.health_port)),
    });
    findings.extend(detection(group).map(|(severity, reason)| {
        let finding = new("health-check-pace", severity, reason);
        match severity {
            Severity::Fine => finding,
            _ => finding.remedy(modify(
                "--health-check-interval-seconds 5 --unhealthy-threshold-count 2 --healthy-threshold-count 2",
            )),
        }
    }));
}

/// Older texts of AWS name other defaults than newer ones, so both numbers are worth being told.
fn detection(group: &TargetGroup) -> Option<(Severity, String)> {
    let (interval, threshold) = group.interval_s.zip(group.unhealthy_threshold)?;
    let after = interval.saturating_mul(threshold);
    let numbers = format!(
        "a dead target is noticed after {after} s (every {interval} s, {threshold} in a row), a new one \
         used after {} s",
        group.healthy_threshold.map_or(0, |healthy| healthy.saturating_mul(interval))
    );
    Some(match after > SLOW_DETECTION_S {
        true => (Severity::Warning, format!("{numbers}: until then what it should receive is lost")),
        false => (Severity::Fine, numbers),
    })
}

fn group_attributes(arn: &str, attributes: &Attributes, facts: &Facts, findings: &mut Vec<Finding>) {
    let intent = &facts.intent;
    let rebalances = failover(arn, attributes, intent, findings);
    findings.extend(stickiness(arn, attributes, facts));
    if let Some(delay) = attributes.get(DEREGISTRATION_DELAY).and_then(|value| value.parse::<u64>().ok()) {
        findings.push(deregistration(arn, delay, intent));
    }
    findings.extend(rebalances.filter(|rebalances| !rebalances).and_then(|_| drain_quiet(facts)));
}

/// A flow stays with its target until it has been idle for so long, so an agent that stops earlier loses some.
fn drain_quiet(facts: &Facts) -> Option<Finding> {
    let tcp_idle = facts.aws.attributes.iter().find_map(|attributes| attributes.get(TCP_IDLE)?.parse().ok());
    let idle_s = match facts.intent.mode {
        Mode::Mirror => UDP_IDLE_S,
        Mode::Inline => tcp_idle.unwrap_or(TCP_IDLE_S),
    };
    let Intent { drain_quiet_s, drain_deadline_s, .. } = facts.intent;
    let reason = format!(
        "the agent stops after {drain_quiet_s} s without a datagram, but a flow that is quiet for less than \
         {idle_s} s is still sent to it"
    );
    let (quiet, deadline) = (idle_s + 10, drain_deadline_s.max(idle_s + 20));
    let finding = Finding::new("drain-quiet", Severity::Warning, "serve --drain-quiet", reason)
        .remedy(format!("mirrorscope serve --drain-quiet {quiet} --drain-deadline {deadline}"));
    (drain_quiet_s <= idle_s).then_some(finding)
}

fn modify_group(arn: &str, attributes: &str) -> String {
    format!("aws elbv2 modify-target-group-attributes --target-group-arn {arn} --attributes {attributes}")
}

/// Whether flows of a dead target move, if that can be told.
fn failover(
    arn: &str,
    attributes: &Attributes,
    intent: &Intent,
    findings: &mut Vec<Finding>,
) -> Option<bool> {
    let [deregistration, unhealthy] = FAILOVER.map(|key| attributes.get(key).map(String::as_str));
    let (deregistration, unhealthy) = (deregistration?, unhealthy?);
    let remedy = modify_group(
        arn,
        "Key=target_failover.on_deregistration,Value=rebalance Key=target_failover.on_unhealthy,Value=rebalance",
    );
    let finding = |severity, reason: &str| Finding::new("target-failover", severity, arn, reason);
    findings.push(match (deregistration, unhealthy, intent.mode) {
        (a, b, _) if a != b => finding(
            Severity::Error,
            "on_deregistration and on_unhealthy differ, which GWLB does not allow",
        )
        .remedy(remedy),
        ("rebalance", _, Mode::Mirror) => finding(Severity::Fine, "flows of a dead target move to others"),
        ("rebalance", _, Mode::Inline) => finding(
            Severity::Note,
            "flows move to another target when theirs fails: right for this agent, which keeps no state; \
             a stateful appliance in the same group would see them begin in the middle",
        )
        .remedy("nothing, if the agents are alone in the group"),
        (_, _, Mode::Mirror) => finding(
            Severity::Error,
            "no_rebalance: flows stay with a target that is dead or deregistered until they are idle for \
             120 s. A mirrored interface sends from few ports and without pause, so its mirror may be lost for ever",
        )
        .remedy(remedy),
        (_, _, Mode::Inline) => finding(
            Severity::Warning,
            "no_rebalance: flows stay with a target that is dead or deregistered until they are idle, 350 s \
             for TCP and 120 s for others; their packets are lost meanwhile",
        )
        .remedy(remedy),
    });
    Some(deregistration == "rebalance")
}

/// Neither choice is wrong for everyone.
fn stickiness(arn: &str, attributes: &Attributes, facts: &Facts) -> Option<Finding> {
    let enabled = attributes.get(STICKINESS)? == "true";
    let targets = facts.aws.targets.as_ref().map(Vec::len);
    let new = |severity, reason: &str| Finding::new("stickiness", severity, arn, reason);
    Some(match enabled {
        _ if targets == Some(1) => new(Severity::Fine, "there is one target, which gets everything"),
        false => new(
            Severity::Note,
            "5-tuple: the two directions of a mirrored flow, and a DNS query and its answer, may reach \
             different targets, whose flows are then half-seen",
        )
        .remedy(modify_group(
            arn,
            "Key=stickiness.enabled,Value=true Key=stickiness.type,Value=source_ip_dest_ip_proto",
        )),
        true => new(
            Severity::Note,
            &format!(
                "{}: all that one interface mirrors goes to one target, whole but perhaps too much for it; \
                 the TCP idle timeout cannot be set",
                attributes.get(STICKINESS_TYPE).map_or("by addresses", String::as_str)
            ),
        )
        .remedy(modify_group(arn, "Key=stickiness.enabled,Value=false")),
    })
}

fn deregistration(arn: &str, delay: u64, intent: &Intent) -> Finding {
    let deadline = intent.drain_deadline_s;
    if deadline >= delay {
        let reason =
            format!("GWLB lets go of a target after {delay} s, the agent after {deadline} s at the latest");
        return Finding::new("deregistration-delay", Severity::Fine, arn, reason);
    }
    let reason = format!(
        "GWLB sends to a deregistered target for up to {delay} s, but the agent stops {deadline} s after SIGTERM: \
         what comes in between is lost"
    );
    Finding::new("deregistration-delay", Severity::Error, arn, reason)
        .remedy(format!("mirrorscope serve --drain-deadline {}", delay + 10))
}

fn cross_zone(attributes: &Attributes, intent: &Intent) -> Option<Finding> {
    let is_on = attributes.get(CROSS_ZONE)? == "true";
    let new = |severity, reason: &str| Finding::new("cross-zone", severity, "load balancer", reason);
    if is_on {
        return Some(new(Severity::Fine, "a zone without a healthy target uses those of other zones"));
    }
    let severity = if intent.mode == Mode::Mirror { Severity::Warning } else { Severity::Note };
    let reason = "cross-zone load balancing is off: where the targets of one zone die, its mirrors go to a dead \
                  target although others live";
    Some(new(severity, reason).remedy(format!(
        "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {ARN_WANTED} \
         --attributes Key={CROSS_ZONE},Value=true"
    )))
}

fn target_health(targets: &[TargetHealth], findings: &mut Vec<Finding>) {
    if targets.is_empty() {
        let reason = "no target is registered: nothing is sent to this machine";
        let register = "aws elbv2 register-targets --target-group-arn ARN --targets Id=i-…";
        findings.push(Finding::new("targets", Severity::Error, "target group", reason).remedy(register));
        return;
    }
    let is_any_healthy = targets.iter().any(|target| target.state == "healthy");
    for target in targets {
        let TargetHealth { id, state, reason } = target;
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let severity = match state.as_str() {
            "healthy" => Severity::Fine,
            "initial" | "draining" => Severity::Note,
            "unused" => Severity::Warning,
            _ => Severity::Error,
        };
        let finding = Finding::new("target-health", severity, id, format!("{state}{why}"));
        findings.push(match severity {
            Severity::Fine => finding,
            _ => finding.remedy(match state.as_str() {
                "unused" => "add the target's zone to the load balancer, and the group to its listener",
                "initial" => "wait until the first checks are over",
                "draining" => "nothing, if it was deregistered on purpose",
                _ => "run `mirrorscope doctor` on that machine",
            }),
        });
    }
    if !is_any_healthy {
        let reason = "no target is healthy: GWLB then sends each flow to a target at random, working or not";
        let look = "run `mirrorscope doctor` on the targets";
        findings.push(Finding::new("targets", Severity::Error, "target group", reason).remedy(look));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = r#"{"TargetGroups":[{"TargetGroupArn":"arn:tg","Protocol":"GENEVE","Port":6081,
        "HealthCheckProtocol":"HTTP","HealthCheckPort":"8080","HealthCheckIntervalSeconds":5,
        "UnhealthyThresholdCount":2,"HealthyThresholdCount":2}]}"#;
    const ATTRIBUTES: &str = r#"{"Attributes":[
        {"Key":"deregistration_delay.timeout_seconds","Value":"300"},
        {"Key":"target_failover.on_deregistration","Value":"rebalance"},
        {"Key":"target_failover.on_unhealthy","Value":"rebalance"}]}"#;
    const TARGETS: &str =
        r#"{"TargetHealthDescriptions":[{"Target":{"Id":"i-1"},"TargetHealth":{"State":"healthy"}}]}"#;
    const BALANCER: &str = r#"{"Attributes":[{"Key":"load_balancing.cross_zone.enabled","Value":"true"}]}"#;

    fn findings(json: &str, intent: Intent) -> Vec<Finding> {
        let mut facts = Facts { intent, ..Facts::default() };
        facts.aws.add_json(json.as_bytes()).unwrap();
        let mut findings = Vec::new();
        judge(&facts, &mut findings);
        findings.retain(|finding| finding.severity != Severity::Fine);
        assert!(findings.iter().all(|finding| finding.remedy.is_some()), "{findings:?}");
        findings
    }

    fn found(json: &str) -> Vec<(&'static str, Severity)> {
        let findings = findings(json, Intent::default());
        findings.into_iter().map(|finding| (finding.code, finding.severity)).collect()
    }

    #[test]
    fn a_set_up_in_order_has_no_findings() {
        assert_eq!(found(&[GROUP, ATTRIBUTES, TARGETS, BALANCER].concat()), []);
    }

    #[test]
    fn the_defaults_of_a_target_group_are_the_trap() {
        let group = GROUP.replace("\"HTTP\"", "\"TCP\"").replace("8080", "80");
        let attributes = ATTRIBUTES.replace("\"rebalance\"", "\"no_rebalance\"");
        assert_eq!(
            found(&format!("{group}{attributes}")),
            [("health-check-port", Severity::Error), ("target-failover", Severity::Error)]
        );
        let inline = Intent { mode: Mode::Inline, ..Intent::default() };
        assert_eq!(findings(&attributes, inline)[0].severity, Severity::Warning);
    }

    #[test]
    fn checks_that_see_only_a_connection_are_warned_of_and_https_fails() {
        let of = |protocol: &str| found(&GROUP.replace("\"HTTP\"", protocol));
        assert_eq!(of("\"TCP\""), [("health-check-protocol", Severity::Warning)]);
        assert_eq!(of("\"HTTPS\""), [("health-check-protocol", Severity::Error)]);
    }

    #[test]
    fn checks_that_notice_late_are_warned_of() {
        let slow = GROUP.replace("Seconds\":5", "Seconds\":30");
        assert_eq!(found(&slow), [("health-check-pace", Severity::Warning)]);
    }

    #[test]
    fn the_agent_must_not_stop_before_the_load_balancer_lets_go() {
        let long = ATTRIBUTES.replace("\"300\"", "\"600\"");
        let finding = &findings(&long, Intent::default())[0];
        assert_eq!(finding.code, "deregistration-delay");
        assert_eq!(finding.remedy.as_deref(), Some("mirrorscope serve --drain-deadline 610"));
        let hasty = Intent { drain_quiet_s: 100, ..Intent::default() };
        let sticky = ATTRIBUTES.replace("\"rebalance\"", "\"no_rebalance\"");
        let codes: Vec<_> = findings(&sticky, hasty).into_iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["target-failover", "drain-quiet"]);
    }

    #[test]
    fn inline_flows_of_tcp_are_quiet_for_longer_than_a_mirror() {
        let sticky = ATTRIBUTES.replace("\"rebalance\"", "\"no_rebalance\"");
        let listener = r#"{"Attributes":[{"Key":"tcp.idle_timeout.seconds","Value":"60"}]}"#;
        let quiet = |json: &str, mode| {
            let found = findings(json, Intent { mode, ..Intent::default() });
            found.into_iter().find(|finding| finding.code == "drain-quiet").and_then(|finding| finding.remedy)
        };
        assert_eq!(quiet(&sticky, Mode::Mirror), None);
        let wanted = "mirrorscope serve --drain-quiet 360 --drain-deadline 370";
        assert_eq!(quiet(&sticky, Mode::Inline).as_deref(), Some(wanted));
        assert_eq!(quiet(&format!("{sticky}{listener}"), Mode::Inline), None);
    }

    #[test]
    fn failover_that_is_set_by_halves_is_an_error() {
        let half = ATTRIBUTES.replacen("\"rebalance\"", "\"no_rebalance\"", 1);
        assert_eq!(found(&half), [("target-failover", Severity::Error)]);
    }

    #[test]
    fn a_group_of_another_protocol_or_port_is_never_fed() {
        assert_eq!(found(&GROUP.replace("GENEVE", "TCP")), [("target-group-protocol", Severity::Error)]);
        assert_eq!(found(&GROUP.replace("6081", "6082")), [("target-group-port", Severity::Error)]);
    }

    #[test]
    fn targets_are_told_by_their_state() {
        let of = |state: &str| found(&TARGETS.replace("healthy", state));
        assert_eq!(of("unhealthy"), [("target-health", Severity::Error), ("targets", Severity::Error)]);
        assert_eq!(of("initial"), [("target-health", Severity::Note), ("targets", Severity::Error)]);
        assert_eq!(found(r#"{"TargetHealthDescriptions":[]}"#), [("targets", Severity::Error)]);
    }

    #[test]
    fn stickiness_and_zones_are_weighed_not_condemned() {
        let five = r#"{"Attributes":[{"Key":"stickiness.enabled","Value":"false"}]}"#;
        assert_eq!(found(five), [("stickiness", Severity::Note)]);
        assert_eq!(found(&format!("{five}{TARGETS}")), []);
        let off = BALANCER.replace("true", "false");
        assert_eq!(found(&off), [("cross-zone", Severity::Warning)]);
    }

    #[test]
    fn attributes_belong_to_the_group_in_the_same_place() {
        let two = GROUP.replace("arn:tg", "arn:one") + &GROUP.replace("arn:tg", "arn:two");
        let sticky = ATTRIBUTES.replace("\"rebalance\"", "\"no_rebalance\"");
        let findings = findings(&(two + ATTRIBUTES + &sticky), Intent::default());
        assert_eq!((findings[0].code, findings[0].subject.as_str()), ("target-failover", "arn:two"));
    }
}
