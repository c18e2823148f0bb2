//! Security groups: whether Geneve and the health checks come in, and whether too many others do.
//!
//! GWLB sends both from its own addresses in the target's subnet. A security group cannot name a GWLB, so the
//! rules must name the subnets.

use super::{Facts, Finding, SecurityGroup, SecurityRule, Severity};

pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    let (udp, tcp) = (facts.intent.port, facts.intent.health_port);
    let Some(groups) = &facts.aws.security_groups else {
        let reason = format!(
            "not seen: they must let in UDP {udp} and TCP {tcp} from the subnets of the load balancer, \
             and UDP {udp} from nowhere else"
        );
        let look = "aws ec2 describe-security-groups --group-ids sg-… > groups.json; \
                    mirrorscope doctor groups.json";
        findings.push(Finding::new("security-group", Severity::Note, "security groups", reason).remedy(look));
        return;
    };
    findings.push(opened(groups, "security-group-geneve", "udp", udp));
    findings.push(opened(groups, "security-group-health", "tcp", tcp));
    findings.extend(groups.iter().filter_map(|group| open_to_all(group, udp)));
}

/// Several groups of one interface add up.
fn opened(groups: &[SecurityGroup], code: &'static str, protocol: &str, port: u16) -> Finding {
    let opening = groups
        .iter()
        .find(|group| group.ingress.iter().any(|rule| rule.lets_in(protocol, port) && rule.has_sources()));
    if let Some(group) = opening {
        return Finding::new(code, Severity::Fine, &group.id, format!("lets in {protocol} port {port}"));
    }
    let id = groups.first().map_or("sg-…", |group| group.id.as_str());
    let what = if protocol == "udp" {
        "no mirrored packet arrives"
    } else {
        "every health check fails, and GWLB takes the target out"
    };
    Finding::new(code, Severity::Error, id, format!("no rule lets in {protocol} port {port}: {what}")).remedy(
        format!(
            "aws ec2 authorize-security-group-ingress --group-id {id} --protocol {protocol} --port {port} --cidr SUBNET"
        ),
    )
}

fn open_to_all(group: &SecurityGroup, port: u16) -> Option<Finding> {
    let networks =
        group.ingress.iter().filter(|rule| rule.lets_in("udp", port)).flat_map(|rule| &rule.networks);
    let world = networks.into_iter().find(|network| network.prefix_len() == 0)?;
    let reason = format!(
        "lets in UDP port {port} from {world}: Geneve has no signature, so anyone who reaches the machine can \
         make up mirrored packets"
    );
    let remedy = format!(
        "aws ec2 authorize-security-group-ingress --group-id {id} --protocol udp --port {port} --cidr SUBNET, \
         then revoke-security-group-ingress the rule for {world}",
        id = group.id
    );
    Some(Finding::new("security-group-world", Severity::Warning, &group.id, reason).remedy(remedy))
}

impl SecurityRule {
    fn lets_in(&self, protocol: &str, port: u16) -> bool {
        let is_protocol = match (self.protocol.as_str(), protocol) {
            ("-1", _) | ("17", "udp") | ("6", "tcp") => true,
            (ours, wanted) => ours == wanted,
        };
        is_protocol && self.ports.is_none_or(|(from, to)| (from..=to).contains(&port))
    }

    fn has_sources(&self) -> bool {
        self.others || !self.networks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rules: &str) -> Vec<(&'static str, Severity)> {
        let json = format!(r#"{{"SecurityGroups":[{{"GroupId":"sg-1","IpPermissions":[{rules}]}}]}}"#);
        let mut facts = Facts::default();
        facts.aws.add_json(json.as_bytes()).unwrap();
        let mut findings = Vec::new();
        judge(&facts, &mut findings);
        let bad = findings.into_iter().filter(|finding| finding.severity != Severity::Fine);
        bad.map(|finding| (finding.code, finding.severity)).collect()
    }

    fn rule(protocol: &str, port: u16, network: &str) -> String {
        format!(
            r#"{{"IpProtocol":"{protocol}","FromPort":{port},"ToPort":{port},"IpRanges":[{{"CidrIp":"{network}"}}]}}"#
        )
    }

    #[test]
    fn both_ports_must_be_open_and_geneve_not_to_everyone() {
        let (geneve, health) = (rule("udp", 6081, "10.0.1.0/24"), rule("tcp", 8080, "10.0.1.0/24"));
        assert_eq!(found(&format!("{geneve},{health}")), []);
        assert_eq!(found(&geneve), [("security-group-health", Severity::Error)]);
        assert_eq!(found(&health), [("security-group-geneve", Severity::Error)]);
        let world = rule("udp", 6081, "0.0.0.0/0");
        assert_eq!(found(&format!("{world},{health}")), [("security-group-world", Severity::Warning)]);
    }

    #[test]
    fn a_rule_for_all_protocols_opens_both() {
        assert_eq!(found(r#"{"IpProtocol":"-1","IpRanges":[{"CidrIp":"10.0.0.0/8"}]}"#), []);
        assert_eq!(found(r#"{"IpProtocol":"-1","UserIdGroupPairs":[{"GroupId":"sg-2"}]}"#), []);
    }

    #[test]
    fn groups_that_were_not_seen_are_asked_for() {
        let mut findings = Vec::new();
        judge(&Facts::default(), &mut findings);
        assert_eq!((findings[0].severity, findings.len()), (Severity::Note, 1));
    }
}
