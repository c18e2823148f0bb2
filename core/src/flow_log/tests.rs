use std::net::IpAddr;

use super::{
    columns::{self, COLUMNS, Value},
    ipfix::{self, Exporter},
    lines,
    record::{LogRecord, Status, Writer},
    sources::Sources,
};
use crate::{
    aws::{describe, inventory::Inventory, mirror::MirrorIdentity},
    flow::{DirectionRecord, EndReason, Endpoint, FlowRecord, tcp::flag},
    sinks::{line::Line, sessions::Key as Session},
};

/// A client at 10.0.0.1 whose interface has the primary address 10.0.0.9 asks a server at 10.0.0.2.
fn flow() -> FlowRecord {
    let endpoint = |last, port| Endpoint { address: IpAddr::from([10, 0, 0, last]), port };
    let session = |vni, source| {
        Session::Mirrored(MirrorIdentity { endpoint_id: None, vni, source: IpAddr::from([10, 0, 0, source]) })
    };
    let direction = |packets, flags| DirectionRecord {
        packets,
        bytes: packets * 100,
        first_ns: 1_999_999_999,
        last_ns: 3_000_000_000,
        tcp_flags: flags,
        ..DirectionRecord::default()
    };
    FlowRecord {
        number: 0,
        session: session(7, 9),
        also_seen_by: vec![session(3, 2)],
        client: endpoint(1, 40_000),
        server: endpoint(2, 443),
        protocol: 6,
        sent: direction(3, flag::SYN | flag::ACK | flag::PSH),
        received: direction(2, flag::SYN | flag::ACK | flag::FIN),
        first_ns: 1_999_999_999,
        last_ns: 3_000_000_000,
        state: None,
        news: None,
        end: Some(EndReason::Closed),
        handshake_rtt_ns: Some(5),
        server_rtt_ns: None,
        responses: 0,
        response_sum_ns: 0,
        response_max_ns: 0,
        name: None,
        flow_cookie: None,
    }
}

fn interfaces() -> Inventory {
    describe::parse(
        br#"{"NetworkInterfaces":[{"NetworkInterfaceId":"eni-1","OwnerId":"111122223333","VpcId":"vpc-1",
          "SubnetId":"subnet-1","AvailabilityZoneId":"use1-az1","Attachment":{"InstanceId":"i-1"},
          "PrivateIpAddress":"10.0.0.9","PrivateIpAddresses":[{"PrivateIpAddress":"10.0.0.1"}]}]}"#,
    )
    .unwrap()
}

fn each(inventory: Inventory, mut look: impl FnMut(&LogRecord<'_>)) {
    let writer = Writer { agent_id: "a".to_owned(), ..Writer::default() };
    let (flow, mut sources) = (flow(), Sources::new(inventory));
    LogRecord::of_flow(&writer, &flow, &mut sources).for_each(|record| look(&record));
}

fn text(record: &LogRecord<'_>) -> String {
    let mut line = Line::default();
    lines::print_default(record, &mut line);
    String::from_utf8(line.as_bytes().to_vec()).unwrap()
}

fn value(record: &LogRecord<'_>, name: &str) -> String {
    match (columns::column(name).unwrap().value)(record) {
        Value::Null => "-".to_owned(),
        Value::Int(value) => value.to_string(),
        Value::Text(text) => text.into_owned(),
        Value::Ip(address) => address.to_string(),
    }
}

fn values(inventory: Inventory, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    each(inventory, |record| values.push(value(record, name)));
    values
}

#[test]
fn a_flow_is_a_line_for_each_direction_as_aws_writes_it() {
    let mut lines = String::new();
    each(Inventory::default(), |record| lines += &text(record));
    assert_eq!(
        lines,
        "2 - - 10.0.0.1 10.0.0.2 40000 443 6 3 300 1 3 ACCEPT OK\n\
         2 - - 10.0.0.2 10.0.0.1 443 40000 6 2 200 1 3 ACCEPT OK\n"
    );
}

#[test]
fn what_aws_says_of_the_mirrored_interface_stands_in_its_columns() {
    let known = |name| values(interfaces(), name);
    assert_eq!(known("interface_id"), ["eni-1", "eni-1"]);
    assert_eq!(known("account_id"), ["111122223333", "111122223333"]);
    assert_eq!(known("az_id"), ["use1-az1", "use1-az1"]);
    assert_eq!(known("srcaddr"), ["10.0.0.9", "10.0.0.2"], "the primary address");
    assert_eq!(known("dstaddr"), ["10.0.0.2", "10.0.0.9"]);
    assert_eq!(known("pkt_srcaddr"), ["10.0.0.1", "10.0.0.2"], "the packet's");
    assert_eq!(known("flow_direction"), ["egress", "ingress"]);
    assert_eq!(
        values(Inventory::default(), "flow_direction"),
        ["-", "-"],
        "neither end is the mirror source"
    );
}

#[test]
fn flags_are_told_as_aws_tells_them() {
    assert_eq!(values(Inventory::default(), "tcp_flags"), ["2", "19"]);
}

#[test]
fn sessions_stand_in_the_same_order_whoever_saw_the_flow_first() {
    assert_eq!(values(Inventory::default(), "sessions")[0], "-/3/10.0.0.2 -/7/10.0.0.9");
}

#[test]
fn a_time_without_packets_is_a_line_without_a_flow() {
    let writer = Writer { account_id: Some("111122223333".to_owned()), ..Writer::default() };
    let record = LogRecord::of_status(&writer, Status::NoData, 1_000_000_000, 61_000_000_000);
    assert_eq!(text(&record), "2 111122223333 - - - - - - - - 1 61 - NODATA\n");
}

#[test]
fn a_json_line_has_every_column() {
    each(Inventory::default(), |record| {
        let mut line = Line::default();
        lines::print_json(record, &mut line);
        let object: serde_json::Value = serde_json::from_slice(line.as_bytes()).unwrap();
        let keys: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(object.as_object().unwrap().len(), keys.len());
        assert!(keys.iter().all(|key| object.get(key).is_some()));
        assert_eq!(object["interface_id"], serde_json::Value::Null);
    });
}

#[test]
fn names_of_columns_are_aws_s_and_no_two_are_the_same() {
    let mut header = Line::default();
    lines::print_default_header(&mut header);
    assert_eq!(
        std::str::from_utf8(header.as_bytes()).unwrap(),
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
    );
    let names: std::collections::HashSet<_> = COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(names.len(), COLUMNS.len());
}

fn messages(records: usize) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    let mut exporter = Exporter::new(ipfix::domain("a"), true);
    for _ in 0..records / 2 {
        each(Inventory::default(), |record| {
            exporter.push(record, 5, &mut |message| sent.push(message.to_vec()))
        });
    }
    exporter.flush(5, &mut |message| sent.push(message.to_vec()));
    sent
}

#[test]
fn ipfix_messages_fit_into_a_packet_and_count_their_records() {
    let sent = messages(200);
    let word = |message: &[u8], at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let mut records = 0;
    for (at, message) in sent.iter().enumerate() {
        assert!(message.len() <= ipfix::MAX_MESSAGE_LEN);
        assert_eq!((word(message, 0), usize::from(word(message, 2))), (10, message.len()));
        assert_eq!(u32::from_be_bytes(message[8..12].try_into().unwrap()), records, "the sequence number");
        match word(message, 16) {
            2 => assert_eq!(at, 0, "templates come first, and again only after a while"),
            256 => records += u32::from(word(message, 18) - 4) / 54,
            other => panic!("set {other}"),
        }
    }
    assert_eq!(records, 200);
}

#[test]
fn over_udp_templates_come_again() {
    let templates = messages(4000).iter().filter(|message| message[17] == 2 && message[16] == 0).count();
    assert!(templates > 1, "{templates}");
}
