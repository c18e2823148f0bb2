use super::*;
use crate::aws::describe;

fn codes(json: &str) -> Vec<(&'static str, String)> {
    let lint = lint(&describe::parse(json.as_bytes()).unwrap());
    assert!(lint.findings.iter().all(|finding| !finding.reason.is_empty() && !finding.remedy.is_empty()));
    lint.findings.into_iter().map(|finding| (finding.code, finding.subject)).collect()
}

/// A rule by number, action, and whatever else is to be said of it.
fn rule(number: u32, action: &str, more: &str) -> String {
    let any = r#""SourceCidrBlock":"0.0.0.0/0","DestinationCidrBlock":"0.0.0.0/0""#;
    let more = if more.contains("CidrBlock") { more.to_owned() } else { format!("{more}{any}") };
    format!(
        r#"{{"TrafficMirrorFilterRuleId":"tmfr-{number}","RuleNumber":{number},"RuleAction":"{action}",{more}}}"#
    )
}

/// What is said of a filter whose egress direction is in order and whose ingress rules are these.
fn of_rules(rules: &[String]) -> Vec<(&'static str, String)> {
    let v6 = r#""SourceCidrBlock":"::/0","DestinationCidrBlock":"::/0""#;
    let egress = [rule(901, "accept", ""), rule(902, "accept", v6)].join(",");
    let ingress = [rules.join(","), rule(903, "accept", v6)].join(",");
    codes(&format!(
        r#"{{"TrafficMirrorFilters":[{{"TrafficMirrorFilterId":"tmf-1",
           "IngressFilterRules":[{ingress}],"EgressFilterRules":[{egress}]}}]}}"#
    ))
}

#[test]
fn a_filter_in_order_has_no_findings() {
    assert_eq!(of_rules(&[rule(1, "reject", r#""Protocol":17,"#), rule(2, "accept", "")]), []);
}

#[test]
fn a_rule_behind_a_wider_one_is_shadowed_or_redundant() {
    let shadowed = of_rules(&[rule(1, "accept", ""), rule(2, "reject", r#""Protocol":6,"#)]);
    assert_eq!(shadowed, [("rule-shadowed", "tmfr-2".into())]);
    let redundant = of_rules(&[rule(1, "accept", ""), rule(2, "accept", r#""Protocol":6,"#)]);
    assert_eq!(redundant, [("rule-redundant", "tmfr-2".into())]);
}

#[test]
fn several_rules_shadow_together_what_none_shadows_alone() {
    let half = |net: &str| format!(r#""SourceCidrBlock":"{net}","DestinationCidrBlock":"0.0.0.0/0""#);
    let found = of_rules(&[
        rule(1, "reject", &half("0.0.0.0/1")),
        rule(2, "reject", &half("128.0.0.0/1")),
        rule(3, "accept", ""),
    ]);
    assert!(found.contains(&("rule-shadowed", "tmfr-3".into())), "{found:?}");
}

#[test]
fn a_rule_that_changes_nothing_because_of_later_ones_is_redundant() {
    let early = of_rules(&[rule(1, "accept", r#""Protocol":6,"#), rule(2, "accept", "")]);
    assert_eq!(early, [("rule-redundant", "tmfr-1".into())]);
    let last = of_rules(&[rule(1, "accept", r#""Protocol":6,"#), rule(2, "reject", "")]);
    assert_eq!(last, [("rule-redundant", "tmfr-2".into())]);
    let needed = of_rules(&[
        rule(1, "accept", r#""Protocol":6,"#),
        rule(2, "reject", r#""SourceCidrBlock":"10.0.0.0/8","DestinationCidrBlock":"0.0.0.0/0""#),
        rule(3, "accept", ""),
    ]);
    assert_eq!(needed, []);
}

#[test]
fn rules_that_can_never_match_are_named_with_their_reason() {
    let mixed = r#""SourceCidrBlock":"10.0.0.0/8","DestinationCidrBlock":"::/0""#;
    let inverted = r#""Protocol":6,"SourcePortRange":{"FromPort":9,"ToPort":8},"#;
    let portless = r#""Protocol":1,"SourcePortRange":{"FromPort":8,"ToPort":9},"#;
    let wrong_icmp = r#""Protocol":58,"#;
    for (more, code) in [
        (mixed, "rule-mixes-families"),
        (inverted, "rule-inverted-ports"),
        (portless, "rule-ports-without-ports"),
        (wrong_icmp, "rule-wrong-icmp"),
    ] {
        let found = of_rules(&[rule(1, "reject", more), rule(2, "accept", "")]);
        assert_eq!(found, [(code, "tmfr-1".into())]);
    }
}

#[test]
fn numbers_must_be_within_bounds_and_unique_within_their_direction() {
    let twice = of_rules(&[rule(1, "reject", r#""Protocol":6,"#), rule(1, "accept", "")]);
    assert_eq!(twice, [("rule-number-clash", "tmfr-1".into())]);
    let far = of_rules(&[rule(32_767, "accept", "")]);
    assert_eq!(far, [("rule-number-out-of-range", "tmfr-32767".into())]);
}

#[test]
fn a_value_that_cannot_be_read_is_one_finding_of_its_rule_and_the_rest_is_looked_at() {
    let shadowed = [rule(2, "accept", ""), rule(3, "reject", r#""Protocol":6,"#)];
    for (more, reason) in [
        (r#""Protocol":300,"#, "its Protocol is 300; AWS wants a protocol number"),
        (r#""RuleNumber":"100","#, r#"its RuleNumber is "100"; AWS wants a number from 1 to 32766"#),
    ] {
        let broken = format!(
            r#"{{"TrafficMirrorFilterRuleId":"tmfr-1",{more}"RuleAction":"accept",
               "SourceCidrBlock":"0.0.0.0/0","DestinationCidrBlock":"0.0.0.0/0"}}"#
        );
        let json = format!(
            r#"{{"TrafficMirrorFilters":[{{"TrafficMirrorFilterId":"tmf-1","IngressFilterRules":[{broken},{}]}}]}}"#,
            shadowed.join(",")
        );
        let lint = lint(&describe::parse(json.as_bytes()).unwrap());
        let found: Vec<_> = lint.findings.iter().map(|one| (one.code, &*one.subject)).collect();
        assert_eq!(found, [("value-unreadable", "tmfr-1"), ("rule-shadowed", "tmfr-3")]);
        assert!(lint.findings[0].reason.starts_with(reason), "{}", lint.findings[0].reason);
        assert!(lint.findings[0].remedy.contains("modify-traffic-mirror-filter-rule"));
    }
}

#[test]
fn more_than_ten_rules_over_both_directions_are_too_many() {
    let mut rules: Vec<_> =
        (1..8).map(|n| rule(n, "reject", &format!(r#""Protocol":{},"#, n + 99))).collect();
    rules.push(rule(50, "accept", ""));
    assert_eq!(of_rules(&rules), [("too-many-rules", "tmf-1".into())]);
    assert_eq!(of_rules(&rules[1..]), []);
}

#[test]
fn a_missing_direction_and_a_missing_family_are_told() {
    let json = format!(
        r#"{{"TrafficMirrorFilters":[{{"TrafficMirrorFilterId":"tmf-1","IngressFilterRules":[{}]}}]}}"#,
        rule(1, "accept", "")
    );
    assert_eq!(codes(&json), [("direction-missing", "tmf-1".into()), ("family-missing", "tmf-1".into())]);
    let empty = r#"{"TrafficMirrorFilters":[{"TrafficMirrorFilterId":"tmf-1"}]}"#;
    assert_eq!(codes(empty), [("filter-mirrors-nothing", "tmf-1".into())]);
}

fn session(id: u32, more: &str) -> String {
    format!(r#"{{"TrafficMirrorSessionId":"tms-{id}","SessionNumber":{id},{more}}}"#)
}

#[test]
fn a_session_that_points_at_nothing_is_told_only_where_the_files_could_show_it() {
    let more =
        r#""TrafficMirrorFilterId":"tmf-9","TrafficMirrorTargetId":"tmt-9","NetworkInterfaceId":"eni-9""#;
    let sessions = format!(r#""TrafficMirrorSessions":[{}]"#, session(1, more));
    assert_eq!(codes(&format!("{{{sessions}}}")), []);
    let all = format!(
        r#"{{{sessions},"TrafficMirrorFilters":[],"TrafficMirrorTargets":[],"NetworkInterfaces":[]}}"#
    );
    let found: Vec<_> = codes(&all).into_iter().map(|(code, _)| code).collect();
    assert_eq!(found, ["session-without-filter", "session-without-target", "session-without-source"]);
}

#[test]
fn one_vni_twice_is_a_clash_only_where_the_interface_does_not_tell_them_apart() {
    let on = |id, eni: &str| {
        session(
            id,
            &format!(
                r#""VirtualNetworkId":7,"NetworkInterfaceId":"{eni}","TrafficMirrorFilterId":"tmf-{id}""#
            ),
        )
    };
    let two = |a: &str, b: &str| format!(r#"{{"TrafficMirrorSessions":[{},{}]}}"#, on(1, a), on(2, b));
    assert_eq!(codes(&two("eni-1", "eni-1")), [("vni-clash", "tms-2".into())]);
    assert_eq!(codes(&two("eni-1", "eni-2")), [("vni-shared", "tms-1".into())]);
}

#[test]
fn sessions_of_one_interface_must_not_starve_each_other() {
    let on = |id| session(id, r#""NetworkInterfaceId":"eni-1","TrafficMirrorFilterId":"tmf-1""#);
    let json = format!(r#"{{"TrafficMirrorSessions":[{},{}]}}"#, on(2), on(1));
    assert_eq!(codes(&json), [("session-starved", "tms-2".into())]);
}

#[test]
fn packet_lengths_that_cut_headers_are_told() {
    for (len, code) in [
        (40, "packet-length-too-short"),
        (80, "packet-length-cuts-headers"),
        (9000, "packet-length-beyond-endpoint"),
    ] {
        let json =
            format!(r#"{{"TrafficMirrorSessions":[{}]}}"#, session(1, &format!(r#""PacketLength":{len}"#)));
        assert_eq!(codes(&json), [(code, "tms-1".into())]);
    }
}

#[test]
fn a_target_that_is_no_endpoint_is_told() {
    let json = r#"{"TrafficMirrorTargets":[{"TrafficMirrorTargetId":"tmt-1","Type":"network-load-balancer"},
        {"TrafficMirrorTargetId":"tmt-2","Type":"gateway-load-balancer-endpoint",
         "GatewayLoadBalancerEndpointId":"vpce-00a1b2c3d4e5f6071"}]}"#;
    assert_eq!(codes(json), [("target-not-endpoint", "tmt-1".into())]);
}
