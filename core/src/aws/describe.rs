//! Reads what `aws ec2 describe-traffic-mirror-filters|sessions|targets` and `describe-network-interfaces` print.
//!
//! A file may hold any of them, several one after another, and keys that are not known here. Missing fields are
//! tolerated. A wrong value spoils its rule, session or interface alone and is kept with it, so that nothing is explained
//! by a rule that was misread. Every text is cleaned of
//! control characters, because it ends on terminals and pages.

use core::{fmt, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{
    inventory::{
        Action, Direction, Interface, Inventory, MirrorFilter, MirrorSession, MirrorTarget, PortRange, Rule,
    },
    json_error,
    value::{Fault, Given, RuleNumber},
};

pub(crate) use super::value::Text;

/// The longest file that is read, in octets: a full account (10,000 sessions, filters and targets, and ten times
/// as many interfaces) prints less.
pub const MAX_JSON_LEN: usize = 256 << 20;
/// The most rules that one filter may have: AWS allows 10.
pub const MAX_RULES_PER_FILTER: usize = 256;
/// The most filters, sessions, targets or interfaces of one file.
pub const MAX_ITEMS: usize = 500_000;

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeError {
    /// Line, counted from 1; 0 if the fault is the whole file's.
    pub line: usize,
    /// Column in octets, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl fmt::Display for DescribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.message)?,
            line => write!(f, "line {line}, column {}: {}", self.column, self.message)?,
        }
        write!(f, "\nhint: {}", self.hint)
    }
}

impl core::error::Error for DescribeError {}

impl Inventory {
    /// Reads one file and adds it.
    ///
    /// # Errors
    /// When the text is no JSON, holds none of the four lists, exceeds a bound, or a value has the wrong type.
    pub fn add_json(&mut self, json: &[u8]) -> Result<(), DescribeError> {
        self.merge(parse(json)?);
        Ok(())
    }
}

/// Reads one file.
///
/// # Errors
/// As [`Inventory::add_json`].
pub fn parse(json: &[u8]) -> Result<Inventory, DescribeError> {
    let mut inventory = Inventory::default();
    documents(json, WHAT, |document: Document| {
        inventory.merge(document.into_inventory()?);
        Ok(())
    })?;
    Ok(inventory)
}

/// Hands the JSON documents of a file to `each`. `what` tells the user which file is wanted.
pub(crate) fn documents<T: DeserializeOwned>(
    json: &[u8],
    what: &'static str,
    mut each: impl FnMut(T) -> Result<(), DescribeError>,
) -> Result<(), DescribeError> {
    if json.len() > MAX_JSON_LEN {
        return Err(whole(
            format!("{} octets are more than the {MAX_JSON_LEN} that are read", json.len()),
            NARROW,
        ));
    }
    if matches!(json, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Err(whole(
            "the file is UTF-16".into(),
            "save it as UTF-8, for example with `iconv -f UTF-16`",
        ));
    }
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    if json.trim_ascii_start().starts_with(b"[") {
        let message = "the file holds a list; AWS prints an object with the name of the list in it";
        return Err(whole(message.into(), "save the output of the AWS CLI without --query"));
    }
    let mut documents = 0;
    for document in serde_json::Deserializer::from_slice(json).into_iter() {
        each(document.map_err(|error| located(&error, what))?)?;
        documents += 1;
        if documents > MAX_DOCUMENTS {
            return Err(whole(format!("more than {MAX_DOCUMENTS} JSON documents in one file"), NARROW));
        }
    }
    match documents {
        0 => Err(whole("the file is empty".into(), what)),
        _ => Ok(()),
    }
}

/// The most JSON documents in one file.
const MAX_DOCUMENTS: usize = 64;
const WHAT: &str =
    "give the output of `aws ec2 describe-traffic-mirror-filters --output json`, or of its siblings";
const NARROW: &str = "ask the AWS CLI for less, with --filters or with the ids";

pub(crate) fn whole(message: String, hint: &'static str) -> DescribeError {
    DescribeError { line: 0, column: 0, message, hint }
}

fn located(error: &serde_json::Error, what: &'static str) -> DescribeError {
    let (line, column) = (error.line(), error.column());
    let (message, hint) = json_error::explained(error, what);
    // Not even its beginning is JSON: it is another file.
    let hint = if error.is_syntax() && line == 1 && column <= 1 { what } else { hint };
    DescribeError { line, column, message, hint }
}

#[derive(Deserialize)]
#[serde(
    rename_all = "PascalCase",
    expecting = "an object with TrafficMirrorFilters, TrafficMirrorSessions and so on"
)]
struct Document {
    traffic_mirror_filters: Option<Vec<WireFilter>>,
    traffic_mirror_filter_rules: Option<Vec<WireRule>>,
    traffic_mirror_sessions: Option<Vec<WireSession>>,
    traffic_mirror_targets: Option<Vec<WireTarget>>,
    network_interfaces: Option<Vec<WireInterface>>,
}

impl Document {
    fn into_inventory(self) -> Result<Inventory, DescribeError> {
        let mut inventory = Inventory {
            has_filters: self.traffic_mirror_filters.is_some() || self.traffic_mirror_filter_rules.is_some(),
            has_sessions: self.traffic_mirror_sessions.is_some(),
            has_targets: self.traffic_mirror_targets.is_some(),
            has_interfaces: self.network_interfaces.is_some(),
            ..Inventory::default()
        };
        let has = &inventory;
        if !(has.has_filters || has.has_sessions || has.has_targets || has.has_interfaces) {
            let message = "none of TrafficMirrorFilters, TrafficMirrorSessions, TrafficMirrorTargets \
                           and NetworkInterfaces is in it";
            return Err(whole(message.into(), WHAT));
        }
        inventory.sessions = convert(self.traffic_mirror_sessions, "sessions", WireSession::into_session)?;
        inventory.targets = convert(self.traffic_mirror_targets, "targets", WireTarget::into_target)?;
        inventory.interfaces = convert(self.network_interfaces, "interfaces", WireInterface::into_interface)?;
        inventory.filters = convert(self.traffic_mirror_filters, "filters", WireFilter::into_filter)?;
        add_loose_rules(&mut inventory.filters, self.traffic_mirror_filter_rules.unwrap_or_default());
        for filter in &mut inventory.filters {
            if filter.rules.len() > MAX_RULES_PER_FILTER {
                let message = format!(
                    "filter {} has {} rules; at most {MAX_RULES_PER_FILTER} are read",
                    filter.id,
                    filter.rules.len()
                );
                return Err(whole(message, "AWS allows 10 rules in a filter"));
            }
            filter.sort();
        }
        Ok(inventory)
    }
}

fn convert<W, T>(items: Option<Vec<W>>, what: &str, each: fn(W) -> T) -> Result<Vec<T>, DescribeError> {
    let items = items.unwrap_or_default();
    match items.len() {
        0..=MAX_ITEMS => Ok(items.into_iter().map(each).collect()),
        count => Err(whole(format!("{count} {what} are more than the {MAX_ITEMS} that are read"), NARROW)),
    }
}

/// `describe-traffic-mirror-filter-rules` names the filter in each rule.
fn add_loose_rules(filters: &mut Vec<MirrorFilter>, rules: Vec<WireRule>) {
    let mut places: std::collections::HashMap<String, usize> =
        filters.iter().enumerate().map(|(at, filter)| (filter.id.clone(), at)).collect();
    for mut rule in rules {
        let id = core::mem::take(&mut rule.traffic_mirror_filter_id.0);
        let at = *places.entry(id.clone()).or_insert_with(|| {
            filters.push(MirrorFilter { id, ..MirrorFilter::default() });
            filters.len() - 1
        });
        let rule = rule.into_rule(Direction::Ingress);
        let rules = &mut filters[at].rules;
        // One more than is allowed is enough for the error, and keeps the search for repeats short.
        if rules.len() <= MAX_RULES_PER_FILTER && !rules.contains(&rule) {
            rules.push(rule);
        }
    }
}

#[derive(Deserialize)]
#[serde(
    rename_all = "PascalCase",
    expecting = "a mirror filter, an object with TrafficMirrorFilterId and its rules"
)]
struct WireFilter {
    #[serde(default)]
    traffic_mirror_filter_id: Text,
    #[serde(default, deserialize_with = "or_default")]
    ingress_filter_rules: Vec<WireRule>,
    #[serde(default, deserialize_with = "or_default")]
    egress_filter_rules: Vec<WireRule>,
    #[serde(default, deserialize_with = "or_default")]
    network_services: Vec<Text>,
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<WireTag>,
}

impl WireFilter {
    fn into_filter(self) -> MirrorFilter {
        let ingress = self.ingress_filter_rules.into_iter().map(|rule| rule.into_rule(Direction::Ingress));
        let egress = self.egress_filter_rules.into_iter().map(|rule| rule.into_rule(Direction::Egress));
        MirrorFilter {
            id: self.traffic_mirror_filter_id.0,
            name: name(self.tags),
            rules: ingress.chain(egress).collect(),
            mirrors_amazon_dns: self
                .network_services
                .iter()
                .any(|service| service.0.eq_ignore_ascii_case("amazon-dns")),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "a rule, an object with RuleNumber and RuleAction")]
struct WireRule {
    #[serde(default)]
    traffic_mirror_filter_rule_id: Text,
    #[serde(default)]
    traffic_mirror_filter_id: Text,
    #[serde(default)]
    traffic_direction: Given<Direction>,
    #[serde(default)]
    rule_number: Given<RuleNumber>,
    #[serde(default)]
    rule_action: Given<Action>,
    #[serde(default)]
    protocol: Given<Option<u8>>,
    source_port_range: Option<WirePortRange>,
    destination_port_range: Option<WirePortRange>,
    #[serde(default)]
    source_cidr_block: Given<IpNet>,
    #[serde(default)]
    destination_cidr_block: Given<IpNet>,
}

impl WireRule {
    fn into_rule(self, list: Direction) -> Rule {
        let mut faults = Vec::new();
        Rule {
            id: self.traffic_mirror_filter_rule_id.0,
            direction: self.traffic_direction.or_fault("TrafficDirection", &mut faults).unwrap_or(list),
            number: self.rule_number.or_fault("RuleNumber", &mut faults).map(|number| number.0),
            action: self.rule_action.or_fault("RuleAction", &mut faults),
            protocol: self.protocol.or_fault("Protocol", &mut faults).flatten(),
            source_ports: self.source_port_range.map(|range| range.into_range(SOURCE_PORTS, &mut faults)),
            destination_ports: self
                .destination_port_range
                .map(|range| range.into_range(DESTINATION_PORTS, &mut faults)),
            source: self.source_cidr_block.or_fault("SourceCidrBlock", &mut faults),
            destination: self.destination_cidr_block.or_fault("DestinationCidrBlock", &mut faults),
            faults,
        }
    }
}

const SOURCE_PORTS: [&str; 2] = ["SourcePortRange.FromPort", "SourcePortRange.ToPort"];
const DESTINATION_PORTS: [&str; 2] = ["DestinationPortRange.FromPort", "DestinationPortRange.ToPort"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "a port range, an object with FromPort and ToPort")]
struct WirePortRange {
    #[serde(default)]
    from_port: Given<u16>,
    #[serde(default)]
    to_port: Given<u16>,
}

impl WirePortRange {
    fn into_range(self, [from, to]: [&'static str; 2], faults: &mut Vec<Fault>) -> PortRange {
        PortRange {
            from: self.from_port.or_fault(from, faults).unwrap_or(PortRange::ALL.from),
            to: self.to_port.or_fault(to, faults).unwrap_or(PortRange::ALL.to),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "a mirror session, an object with TrafficMirrorSessionId")]
struct WireSession {
    #[serde(default)]
    traffic_mirror_session_id: Text,
    #[serde(default)]
    traffic_mirror_target_id: Text,
    #[serde(default)]
    traffic_mirror_filter_id: Text,
    #[serde(default)]
    network_interface_id: Text,
    owner_id: Option<Text>,
    #[serde(default)]
    packet_length: Given<u32>,
    #[serde(default)]
    session_number: Given<u32>,
    #[serde(default)]
    virtual_network_id: Given<u32>,
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<WireTag>,
}

impl WireSession {
    fn into_session(self) -> MirrorSession {
        let mut faults = Vec::new();
        MirrorSession {
            id: self.traffic_mirror_session_id.0,
            name: name(self.tags),
            target_id: self.traffic_mirror_target_id.0,
            filter_id: self.traffic_mirror_filter_id.0,
            interface_id: self.network_interface_id.0,
            owner_id: self.owner_id.map(|id| id.0),
            packet_length: self.packet_length.or_fault("PacketLength", &mut faults),
            number: self.session_number.or_fault("SessionNumber", &mut faults),
            vni: self.virtual_network_id.or_fault("VirtualNetworkId", &mut faults),
            faults,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "a mirror target, an object with TrafficMirrorTargetId")]
struct WireTarget {
    #[serde(default)]
    traffic_mirror_target_id: Text,
    #[serde(rename = "Type")]
    kind: Option<Text>,
    gateway_load_balancer_endpoint_id: Option<Text>,
    owner_id: Option<Text>,
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<WireTag>,
}

impl WireTarget {
    fn into_target(self) -> MirrorTarget {
        MirrorTarget {
            id: self.traffic_mirror_target_id.0,
            name: name(self.tags),
            kind: self.kind.map(|kind| kind.0.to_ascii_lowercase()),
            endpoint_id: self.gateway_load_balancer_endpoint_id.and_then(|id| id.0.parse().ok()),
            owner_id: self.owner_id.map(|id| id.0),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "a network interface, an object with NetworkInterfaceId")]
struct WireInterface {
    #[serde(default)]
    network_interface_id: Text,
    interface_type: Option<Text>,
    mac_address: Option<Text>,
    #[serde(default)]
    private_ip_address: Given<IpAddr>,
    #[serde(default, deserialize_with = "or_default")]
    private_ip_addresses: Vec<WireAddress>,
    #[serde(default, deserialize_with = "or_default")]
    ipv6_addresses: Vec<WireAddress>,
    #[serde(default, deserialize_with = "or_default")]
    ipv4_prefixes: Vec<WirePrefix>,
    #[serde(default, deserialize_with = "or_default")]
    ipv6_prefixes: Vec<WirePrefix>,
    attachment: Option<WireAttachment>,
    owner_id: Option<Text>,
    vpc_id: Option<Text>,
    subnet_id: Option<Text>,
    availability_zone: Option<Text>,
    availability_zone_id: Option<Text>,
    #[serde(default, deserialize_with = "or_default")]
    tag_set: Vec<WireTag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object with an address")]
struct WireAddress {
    #[serde(default)]
    private_ip_address: Given<IpAddr>,
    #[serde(default)]
    ipv6_address: Given<IpAddr>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object with a prefix")]
struct WirePrefix {
    #[serde(default)]
    ipv4_prefix: Given<IpNet>,
    #[serde(default)]
    ipv6_prefix: Given<IpNet>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object with InstanceId")]
struct WireAttachment {
    instance_id: Option<Text>,
}

impl WireInterface {
    fn into_interface(self) -> Interface {
        let mut faults = Vec::new();
        let primary = self.private_ip_address.or_fault("PrivateIpAddress", &mut faults);
        let mut addresses: Vec<IpAddr> = primary.into_iter().collect();
        for listed in self.private_ip_addresses.into_iter().chain(self.ipv6_addresses) {
            let private = listed.private_ip_address.or_fault("PrivateIpAddress", &mut faults);
            let address = private.or(listed.ipv6_address.or_fault("Ipv6Address", &mut faults));
            addresses.extend(address.filter(|address| Some(*address) != primary));
        }
        let mut prefixes = Vec::new();
        for prefix in self.ipv4_prefixes.into_iter().chain(self.ipv6_prefixes) {
            prefixes.extend(prefix.ipv4_prefix.or_fault("Ipv4Prefix", &mut faults));
            prefixes.extend(prefix.ipv6_prefix.or_fault("Ipv6Prefix", &mut faults));
        }
        // The primary address is also listed: its fault is one.
        faults.dedup();
        Interface {
            id: self.network_interface_id.0,
            name: name(self.tag_set),
            kind: self.interface_type.map(|kind| kind.0),
            mac: self.mac_address.and_then(|mac| parse_mac(&mac.0)),
            addresses,
            prefixes,
            faults,
            instance_id: self.attachment.and_then(|attachment| attachment.instance_id).map(|id| id.0),
            owner_id: self.owner_id.map(|id| id.0),
            vpc_id: self.vpc_id.map(|id| id.0),
            subnet_id: self.subnet_id.map(|id| id.0),
            zone: self.availability_zone.map(|zone| zone.0),
            zone_id: self.availability_zone_id.map(|zone| zone.0),
        }
    }
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split([':', '-']);
    for octet in &mut mac {
        *octet = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "a tag, an object with Key and Value")]
struct WireTag {
    #[serde(default)]
    key: Text,
    #[serde(default)]
    value: Text,
}

fn name(tags: Vec<WireTag>) -> Option<String> {
    tags.into_iter().find(|tag| tag.key.0 == "Name").map(|tag| tag.value.0).filter(|name| !name.is_empty())
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(json: &str) -> DescribeError {
        parse(json.as_bytes()).expect_err(json)
    }

    #[test]
    fn one_file_may_hold_any_of_the_lists_and_several_documents() {
        let json = br#"{"TrafficMirrorSessions":[{"TrafficMirrorSessionId":"tms-1","VirtualNetworkId":7}],
            "NetworkInterfaces":[{"NetworkInterfaceId":"eni-1","MacAddress":"0e:00:00:00:00:01","Unknown":[[{}]]}]}
            {"TrafficMirrorTargets":[{"TrafficMirrorTargetId":"tmt-1","Type":"GATEWAY-LOAD-BALANCER-ENDPOINT"}]}"#;
        let inventory = parse(json).unwrap();
        assert_eq!(inventory.sessions[0].vni, Some(7));
        assert_eq!(inventory.interfaces[0].mac, Some([0x0e, 0, 0, 0, 0, 1]));
        assert_eq!(inventory.targets[0].kind.as_deref(), Some("gateway-load-balancer-endpoint"));
        assert!(inventory.has_sessions && !inventory.has_filters);
    }

    #[test]
    fn words_are_read_in_any_case_and_absent_fields_are_absent() {
        let json = br#"{"TrafficMirrorFilters":[{"IngressFilterRules":[{"RuleAction":"ACCEPT","Tags":null}],
            "EgressFilterRules":[{"TrafficDirection":"EGRESS","Protocol":-1,"SourceCidrBlock":"10.1.2.3/8"}],
            "NetworkServices":["amazon-dns"],"Tags":[{"Key":"Name","Value":"a\u001b[31mb"}]}]}"#;
        let filter = parse(json).unwrap().filters.remove(0);
        assert_eq!(filter.rules[0].action, Some(Action::Accept));
        assert_eq!((filter.rules[0].direction, filter.rules[0].number), (Direction::Ingress, None));
        assert_eq!(filter.rules[1].source, "10.0.0.0/8".parse().ok());
        assert_eq!((filter.rules[1].direction, filter.rules[1].action), (Direction::Egress, None));
        assert!(filter.mirrors_amazon_dns);
        assert_eq!(filter.name.as_deref(), Some("a\u{fffd}[31mb"));
    }

    #[test]
    fn an_error_says_line_column_and_what_to_do() {
        let error = fails("{\n  \"TrafficMirrorFilters\": [\n    oops\n  ]\n}");
        assert_eq!((error.line, error.column), (3, 5));
        assert!(error.to_string().contains("\nhint: "), "{error}");
        let error = fails("{\"TrafficMirrorFilters\":[{\"IngressFilterRules\":[\n7]}]}");
        assert_eq!(error.line, 2);
        assert!(error.message.contains("here stands a number; AWS prints a rule, an object"), "{error}");
        assert!(fails("{\"TrafficMirrorFilters\":[").hint.contains("ends early"));
        assert!(fails("").message.contains("empty"));
        assert!(fails(" [1]").hint.contains("--query"));
        assert!(fails("{}").message.contains("none of TrafficMirrorFilters"));
        assert!(fails("TrafficMirrorFilters:").hint.contains("--output json"));
    }

    #[test]
    fn a_wrong_value_is_a_fault_of_its_rule_alone() {
        for (rule, field, found) in [
            (r#"{"Protocol":"tcp"}"#, "Protocol", r#""tcp""#),
            (r#"{"Protocol":300}"#, "Protocol", "300"),
            (r#"{"RuleNumber":"100"}"#, "RuleNumber", r#""100""#),
            (r#"{"RuleNumber":-1}"#, "RuleNumber", "-1"),
            (r#"{"RuleNumber":18446744073709551615}"#, "RuleNumber", "18446744073709551615"),
            (r#"{"SourcePortRange":{"FromPort":65536}}"#, "SourcePortRange.FromPort", "65536"),
            (r#"{"RuleAction":"mirror"}"#, "RuleAction", r#""mirror""#),
            (r#"{"TrafficDirection":[]}"#, "TrafficDirection", "a list"),
            (r#"{"SourceCidrBlock":"10/8/8"}"#, "SourceCidrBlock", r#""10/8/8""#),
        ] {
            let json = format!(
                r#"{{"TrafficMirrorFilters":[{{"IngressFilterRules":[{rule},{{"RuleNumber":7}}]}}]}}"#
            );
            let rules = parse(json.as_bytes()).unwrap().filters.remove(0).rules;
            let faults: Vec<_> = rules.iter().flat_map(|rule| &rule.faults).collect();
            let [fault] = &faults[..] else { panic!("{rule}: {faults:?}") };
            assert_eq!((fault.field, &*fault.found), (field, found));
            assert!(rules.iter().any(|rule| rule.number == Some(7) && rule.faults.is_empty()));
        }
    }

    #[test]
    fn what_is_no_rule_at_all_and_numbers_without_end_are_errors() {
        for rule in ["[]", "7", r#"{"Protocol":1e400}"#] {
            let json = format!(r#"{{"TrafficMirrorFilters":[{{"IngressFilterRules":[{rule}]}}]}}"#);
            assert_eq!(fails(&json).line, 1, "{rule}");
        }
    }

    #[test]
    fn deep_and_large_input_ends_with_an_error_and_not_with_a_crash() {
        for opener in ["[", "{\"a\":", "{\"TrafficMirrorFilters\":[", "{\"Unknown\":["] {
            let json = opener.repeat(5_000_000 / opener.len());
            assert!(parse(json.as_bytes()).is_err());
        }
        let rules = vec!["{}"; MAX_RULES_PER_FILTER + 1].join(",");
        let json = format!(r#"{{"TrafficMirrorFilters":[{{"IngressFilterRules":[{rules}]}}]}}"#);
        assert!(fails(&json).message.contains("rules"));
        assert!(
            fails(&"{\"TrafficMirrorFilters\":[]}".repeat(MAX_DOCUMENTS + 1)).message.contains("documents")
        );
    }

    #[test]
    fn the_later_of_two_descriptions_of_one_thing_is_kept() {
        let mut inventory = Inventory::default();
        for vni in [1, 2] {
            let json = format!(
                r#"{{"TrafficMirrorSessions":[{{"TrafficMirrorSessionId":"tms-1","VirtualNetworkId":{vni}}}]}}"#
            );
            inventory.add_json(json.as_bytes()).unwrap();
        }
        assert_eq!(inventory.sessions.len(), 1);
        assert_eq!(inventory.sessions[0].vni, Some(2));
    }

    #[test]
    fn rules_that_were_listed_alone_find_their_filter() {
        let json =
            br#"{"TrafficMirrorFilterRules":[{"TrafficMirrorFilterId":"tmf-1","TrafficDirection":"egress",
            "RuleNumber":7,"RuleAction":"reject"}]}"#;
        let inventory = parse(json).unwrap();
        assert_eq!(inventory.filters[0].id, "tmf-1");
        assert_eq!(inventory.filters[0].rules[0].direction, Direction::Egress);
    }
}
