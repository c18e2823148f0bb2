//! Reads what `aws elbv2 describe-*` prints of target groups, their attributes and targets, and security groups.
//!
//! A file may hold any of them, several one after another. The output of `describe-target-group-attributes` does
//! not say whose attributes it tells: they belong to the target group in the same place of the order given.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Deserialize;

use crate::aws::describe::{DescribeError, Text, documents, whole};

/// What the AWS CLI printed, in the order in which it was read.
#[derive(Clone, Debug, Default)]
pub struct AwsFacts {
    /// Target groups.
    pub target_groups: Vec<TargetGroup>,
    /// Attributes of target groups, of load balancers and of listeners: a map from key to value for each.
    pub attributes: Vec<BTreeMap<String, String>>,
    /// Targets and their health; `None` if nothing was read of any.
    pub targets: Option<Vec<TargetHealth>>,
    /// Security groups, all of which the interface is in; `None` if nothing was read of any.
    pub security_groups: Option<Vec<SecurityGroup>>,
}

/// A target group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// `GENEVE`.
    pub protocol: String,
    /// 6081.
    pub port: Option<u16>,
    /// `TCP`, `HTTP` or `HTTPS`.
    pub health_protocol: String,
    /// A number, or `traffic-port`.
    pub health_port: String,
    /// Seconds between checks.
    pub interval_s: Option<u32>,
    /// Checks that must fail in a row.
    pub unhealthy_threshold: Option<u32>,
    /// Checks that must succeed in a row.
    pub healthy_threshold: Option<u32>,
}

/// A target as the load balancer sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetHealth {
    /// Instance or address.
    pub id: String,
    /// `healthy`, `unhealthy`, `initial`, `unused`, `draining` or `unavailable`.
    pub state: String,
    /// Why, in AWS's words.
    pub reason: String,
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub id: String,
    /// What may come in.
    pub ingress: Vec<SecurityRule>,
}

/// What a rule lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityRule {
    /// `udp`, `tcp`, another name or number, or `-1` for all.
    pub protocol: String,
    /// First and last port; `None` for all.
    pub ports: Option<(u16, u16)>,
    /// Networks that may send.
    pub networks: Vec<IpNet>,
    /// Whether others may send too: members of a group, or of a prefix list.
    pub others: bool,
}

impl AwsFacts {
    /// Reads one file and adds it.
    ///
    /// # Errors
    /// When the text is no JSON, holds none of the known lists, or a value has the wrong type.
    pub fn add_json(&mut self, json: &[u8]) -> Result<(), DescribeError> {
        documents(json, WHAT, |document: Document| self.add(document))
    }

    fn add(&mut self, document: Document) -> Result<(), DescribeError> {
        let Document { target_groups, attributes, target_health_descriptions, security_groups } = document;
        if target_groups.is_none()
            && attributes.is_none()
            && target_health_descriptions.is_none()
            && security_groups.is_none()
        {
            let message =
                "none of TargetGroups, Attributes, TargetHealthDescriptions and SecurityGroups is in it";
            return Err(whole(message.into(), WHAT));
        }
        self.target_groups.extend(target_groups.unwrap_or_default().into_iter().map(WireGroup::into_group));
        let map =
            |list: Vec<WireAttribute>| list.into_iter().map(|item| (item.key.0, item.value.0)).collect();
        self.attributes.extend(attributes.map(map));
        if let Some(list) = target_health_descriptions {
            self.targets.get_or_insert_default().extend(list.into_iter().map(WireTarget::into_target));
        }
        if let Some(list) = security_groups {
            let groups = list.into_iter().map(WireSecurityGroup::into_group);
            self.security_groups.get_or_insert_default().extend(groups);
        }
        Ok(())
    }
}

const WHAT: &str = "give the output of `aws elbv2 describe-target-groups --output json`, of \
                    describe-target-group-attributes, describe-load-balancer-attributes, describe-target-health, \
                    or of `aws ec2 describe-security-groups`";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object as the AWS CLI prints it")]
struct Document {
    target_groups: Option<Vec<WireGroup>>,
    attributes: Option<Vec<WireAttribute>>,
    target_health_descriptions: Option<Vec<WireTarget>>,
    security_groups: Option<Vec<WireSecurityGroup>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct WireGroup {
    target_group_arn: Text,
    protocol: Text,
    port: Option<u16>,
    health_check_protocol: Text,
    health_check_port: Text,
    health_check_interval_seconds: Option<u32>,
    unhealthy_threshold_count: Option<u32>,
    healthy_threshold_count: Option<u32>,
}

impl WireGroup {
    fn into_group(self) -> TargetGroup {
        TargetGroup {
            arn: self.target_group_arn.0,
            protocol: self.protocol.0,
            port: self.port,
            health_protocol: self.health_check_protocol.0,
            health_port: self.health_check_port.0,
            interval_s: self.health_check_interval_seconds,
            unhealthy_threshold: self.unhealthy_threshold_count,
            healthy_threshold: self.healthy_threshold_count,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireAttribute {
    key: Text,
    #[serde(default)]
    value: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireTarget {
    target: WireTargetId,
    #[serde(default)]
    target_health: WireHealth,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireTargetId {
    id: Text,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct WireHealth {
    state: Text,
    reason: Text,
    description: Text,
}

impl WireTarget {
    fn into_target(self) -> TargetHealth {
        let WireHealth { state, reason, description } = self.target_health;
        let reason = if description.0.is_empty() { reason } else { description };
        TargetHealth { id: self.target.id.0, state: state.0, reason: reason.0 }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireSecurityGroup {
    group_id: Text,
    #[serde(default)]
    ip_permissions: Vec<WirePermission>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct WirePermission {
    ip_protocol: Text,
    from_port: Option<i32>,
    to_port: Option<i32>,
    ip_ranges: Vec<WireRange>,
    ipv6_ranges: Vec<WireRange>,
    user_id_group_pairs: Vec<serde::de::IgnoredAny>,
    prefix_list_ids: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireRange {
    cidr_ip: Option<IpNet>,
    cidr_ipv6: Option<IpNet>,
}

impl WireSecurityGroup {
    fn into_group(self) -> SecurityGroup {
        let ingress = self.ip_permissions.into_iter().map(WirePermission::into_rule).collect();
        SecurityGroup { id: self.group_id.0, ingress }
    }
}

impl WirePermission {
    /// Ports of -1 are how EC2 writes "all".
    fn into_rule(self) -> SecurityRule {
        let port = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
        let ranges = self.ip_ranges.into_iter().chain(self.ipv6_ranges);
        SecurityRule {
            protocol: self.ip_protocol.0,
            ports: port(self.from_port).zip(port(self.to_port)),
            networks: ranges.filter_map(|range| range.cidr_ip.or(range.cidr_ipv6)).collect(),
            others: !self.user_id_group_pairs.is_empty() || !self.prefix_list_ids.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_may_hold_the_output_of_several_commands() {
        let json = br#"{"TargetGroups":[{"TargetGroupArn":"arn:a","Protocol":"GENEVE","Port":6081,"HealthCheckPort":"80",
              "HealthCheckProtocol":"TCP","HealthCheckIntervalSeconds":10,"Matcher":{"HttpCode":"200-399"}}]}
            {"Attributes":[{"Key":"stickiness.enabled","Value":"false"}]}
            {"TargetHealthDescriptions":[{"Target":{"Id":"i-1","Port":6081},"TargetHealth":{"State":"healthy"}}]}
            {"SecurityGroups":[{"GroupId":"sg-1","IpPermissions":[{"IpProtocol":"udp","FromPort":6081,"ToPort":6081,
              "IpRanges":[{"CidrIp":"10.0.0.0/24","Description":"x"}],"Ipv6Ranges":[],"UserIdGroupPairs":[{"GroupId":"sg-2"}]}]}]}"#;
        let mut facts = AwsFacts::default();
        facts.add_json(json).unwrap();
        assert_eq!((facts.target_groups[0].port, facts.target_groups[0].interval_s), (Some(6081), Some(10)));
        assert_eq!(facts.attributes[0]["stickiness.enabled"], "false");
        assert_eq!(facts.targets.unwrap()[0].state, "healthy");
        let rule = &facts.security_groups.unwrap()[0].ingress[0];
        assert_eq!((rule.ports, rule.networks.len(), rule.others), (Some((6081, 6081)), 1, true));
    }

    #[test]
    fn a_file_of_something_else_is_refused_with_what_was_wanted() {
        let error = AwsFacts::default().add_json(br#"{"Reservations":[]}"#).unwrap_err();
        assert!(error.to_string().contains("describe-target-groups"), "{error}");
        assert_eq!(AwsFacts::default().add_json(br#"{"TargetGroups":3}"#).unwrap_err().line, 1);
    }
}
