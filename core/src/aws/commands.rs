//! A suggested filter in the forms in which it can be made: AWS CLI commands, JSON, CloudFormation.
//!
//! The JSON is what `describe-traffic-mirror-filters` would print, so that `explain` and `lint` read it back.

use core::fmt::{self, Write};

use serde_json::{Value, json};

use super::{
    explain::Tally,
    inventory::{Action, Direction, MirrorFilter, PortRange, Rule},
    suggest::{Goal, MAX_CELLS, Suggestion},
    table::{Align, Table, count, share, wrap},
};

impl MirrorFilter {
    /// Shell commands that make the filter and its rules.
    pub fn to_cli(&self) -> String {
        let mut out = String::from(
            "FILTER=$(aws ec2 create-traffic-mirror-filter --description 'suggested by mirrorscope' \\\n  \
             --query TrafficMirrorFilter.TrafficMirrorFilterId --output text)\n",
        );
        for rule in &self.rules {
            out.push_str(&cli_rule(rule));
        }
        out
    }

    /// What `describe-traffic-mirror-filters` would print of the filter.
    pub fn to_json(&self) -> String {
        let rules =
            |direction| -> Vec<Value> { self.rules_of(direction).map(|(_, rule)| json_rule(rule)).collect() };
        let services: &[&str] = if self.mirrors_amazon_dns { &["amazon-dns"] } else { &[] };
        let document = json!({ "TrafficMirrorFilters": [{
            "TrafficMirrorFilterId": self.id,
            "IngressFilterRules": rules(Direction::Ingress),
            "EgressFilterRules": rules(Direction::Egress),
            "NetworkServices": services,
        }]});
        let mut text = format!("{document:#}");
        text.push('\n');
        text
    }

    /// A CloudFormation template in YAML.
    pub fn to_cloudformation(&self) -> String {
        let mut out = String::from(
            "AWSTemplateFormatVersion: '2010-09-09'\nDescription: Traffic mirror filter suggested by mirrorscope\n\
             Resources:\n  MirrorFilter:\n    Type: AWS::EC2::TrafficMirrorFilter\n    Properties:\n      \
             Description: suggested by mirrorscope\n",
        );
        for rule in &self.rules {
            out.push_str(&yaml_rule(rule));
        }
        out.push_str("Outputs:\n  MirrorFilterId:\n    Value: !Ref MirrorFilter\n");
        out
    }
}

fn number(rule: &Rule) -> u32 {
    rule.number.unwrap_or_default()
}

fn action(rule: &Rule) -> &'static str {
    rule.action.map_or("reject", Action::text)
}

fn net(net: Option<ipnet::IpNet>) -> String {
    net.map_or_else(|| "0.0.0.0/0".to_owned(), |net| net.to_string())
}

fn port_fields(rule: &Rule) -> impl Iterator<Item = (&'static str, PortRange)> {
    let ranges = [("Source", rule.source_ports), ("Destination", rule.destination_ports)];
    ranges.into_iter().filter_map(|(side, range)| Some((side, range?)))
}

fn cli_rule(rule: &Rule) -> String {
    let mut out = format!(
        "aws ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id \"$FILTER\" \\\n  \
         --traffic-direction {} --rule-number {} --rule-action {}",
        rule.direction.text(),
        number(rule),
        action(rule)
    );
    if let Some(protocol) = rule.protocol {
        let _ = write!(out, " --protocol {protocol}");
    }
    for (side, PortRange { from, to }) in port_fields(rule) {
        let _ = write!(out, " --{}-port-range FromPort={from},ToPort={to}", side.to_lowercase());
    }
    let (source, destination) = (net(rule.source), net(rule.destination));
    let _ = writeln!(out, " \\\n  --source-cidr-block {source} --destination-cidr-block {destination}");
    out
}

fn json_rule(rule: &Rule) -> Value {
    let mut value = json!({
        "TrafficDirection": rule.direction.text(),
        "RuleNumber": number(rule),
        "RuleAction": action(rule),
        "SourceCidrBlock": net(rule.source),
        "DestinationCidrBlock": net(rule.destination),
    });
    if let Some(protocol) = rule.protocol {
        value["Protocol"] = protocol.into();
    }
    for (side, PortRange { from, to }) in port_fields(rule) {
        value[format!("{side}PortRange")] = json!({ "FromPort": from, "ToPort": to });
    }
    value
}

fn yaml_rule(rule: &Rule) -> String {
    let title = match rule.direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    };
    let mut out = format!(
        "  {title}Rule{0}:\n    Type: AWS::EC2::TrafficMirrorFilterRule\n    Properties:\n      \
         TrafficMirrorFilterId: !Ref MirrorFilter\n      TrafficDirection: {1}\n      RuleNumber: {0}\n      \
         RuleAction: {2}\n",
        number(rule),
        rule.direction.text(),
        action(rule)
    );
    if let Some(protocol) = rule.protocol {
        let _ = writeln!(out, "      Protocol: {protocol}");
    }
    for (side, PortRange { from, to }) in port_fields(rule) {
        let _ = writeln!(out, "      {side}PortRange:\n        FromPort: {from}\n        ToPort: {to}");
    }
    // Quoted, because an IPv6 block begins with a colon.
    let (source, destination) = (net(rule.source), net(rule.destination));
    let _ = writeln!(out, "      SourceCidrBlock: '{source}'\n      DestinationCidrBlock: '{destination}'");
    out
}

/// The report for people, at most 100 columns wide.
impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        let verb = if self.goal == Goal::Drop { "drop" } else { "keep" };
        let Tally { packets, bytes } = self.seen;
        let title = format!(
            "To {verb} the {} of {} mirrored packets that the expression chooses, {}:",
            self.chosen.packets,
            packets + self.unchecked.packets,
            count(self.filter.rules.len() as u64, "rule")
        );
        wrap(&mut out, "", &title);
        let mut table = Table::new(&[
            ("direction", Align::Left),
            ("rule", Align::Right),
            ("action", Align::Left),
            ("matches", Align::Flexible),
        ]);
        for rule in &self.filter.rules {
            let direction = rule.direction.text().into();
            table.row([direction, number(rule).to_string(), action(rule).into(), rule.to_string()]);
        }
        if !self.filter.rules.is_empty() {
            table.write(&mut out);
        }
        let saved = format!(
            "Of what was checked it mirrors {} and saves {} ({}), {} ({}).",
            count(self.kept.packets, "packet"),
            count(self.dropped.packets, "packet"),
            share(self.dropped.packets, packets),
            count(self.dropped.bytes, "octet"),
            share(self.dropped.bytes, bytes),
        );
        wrap(&mut out, "", &saved);
        wrap(&mut out, "", &self.exactness());
        for note in &self.notes {
            wrap(&mut out, "  ", note);
        }
        f.write_str(&out)
    }
}

impl Suggestion {
    /// How well the filter does on the capture, in one sentence.
    pub fn exactness(&self) -> String {
        if self.is_exact() {
            return format!(
                "It is exact: checked against all {} packets, none is judged wrongly.",
                self.seen.packets
            );
        }
        let (extra, lost) = (self.wrongly_kept.packets, self.wrongly_dropped.packets);
        let wanted = self.kept.packets - extra + lost;
        let lost = match lost {
            0 => "none is lost of those that should be".to_owned(),
            _ => format!("{lost} ({}) are lost of those that should be", share(lost, wanted)),
        };
        let mut text = format!("It is not exact: {extra} packets are mirrored that should not be, {lost}");
        if self.by_kind.packets > 0 {
            let _ = write!(
                text,
                ", and {} beyond the first {MAX_CELLS} different ones were judged by another of their kind",
                self.by_kind.packets
            );
        }
        if self.unchecked.packets > 0 {
            let _ = write!(text, ", {} were too many to be checked", self.unchecked.packets);
        }
        text.push('.');
        text
    }
}
