//! The columns of a flow log: one table, from which the lines, Parquet's schema and Athena's table follow.
//!
//! Those of AWS come first, in AWS's order, with AWS's names (Parquet's have `_` for `-`), types and meanings. AWS's
//! `sublocation-*`, `pkt-*-aws-service`, `traffic-path` and the columns of later versions are left out: packets do not
//! tell them.

use core::net::IpAddr;
use std::{borrow::Cow, fmt::Write};

use super::record::{FlowPart, LogRecord, Status, Subject};
use crate::{
    flow::{NameSource, key::TCP},
    sinks::sessions::Key as Session,
};

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in Parquet and JSON. In lines of text `-` stands for `_`, as with AWS.
    pub name: &'static str,
    /// What type its values have.
    pub kind: Kind,
    /// The version of VPC Flow Logs that brought it; `None` for our own.
    pub version: Option<u8>,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// How its value is computed.
    pub value: for<'a> fn(&'a LogRecord<'_>) -> Value<'a>,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 32 bits with a sign.
    Int,
    /// 64 bits with a sign.
    BigInt,
    /// UTF-8.
    Text,
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Not known, or does not apply.
    Null,
    /// Of [`Kind::Int`] and [`Kind::BigInt`].
    Int(i64),
    /// Of [`Kind::Text`].
    Text(Cow<'a, str>),
    /// Of [`Kind::Text`].
    Ip(IpAddr),
}

type Compute = for<'a> fn(&'a LogRecord<'_>) -> Value<'a>;

const fn aws(name: &'static str, kind: Kind, version: u8, meaning: &'static str, value: Compute) -> Column {
    Column { name, kind, version: Some(version), meaning, value }
}

const fn ours(name: &'static str, kind: Kind, meaning: &'static str, value: Compute) -> Column {
    Column { name, kind, version: None, meaning, value }
}

use Kind::{BigInt, Int, Text};

/// The version of VPC Flow Logs whose columns are here.
pub const VERSION: i64 = 5;

/// Every column, in order.
pub const COLUMNS: &[Column] = &[
    aws(
        "version",
        Int,
        2,
        "The version of VPC Flow Logs that has these columns; 2 in the default text line.",
        |_| Value::Int(VERSION),
    ),
    aws(
        "account_id",
        Text,
        2,
        "The account that owns the mirrored interface, else the one the log belongs to.",
        |r| {
            let owner = r.part().and_then(|part| part.interface?.owner_id.as_deref());
            text(owner.or(r.writer.account_id.as_deref()))
        },
    ),
    aws("interface_id", Text, 2, "The mirrored interface.", |r| {
        text(r.part().and_then(|part| Some(part.interface?.id.as_str())))
    }),
    aws(
        "srcaddr",
        Text,
        2,
        "Who sent: the packets' address, or the mirrored interface's primary one for it.",
        |r| part(r, |part| Value::Ip(part.primary(part.src.address))),
    ),
    aws("dstaddr", Text, 2, "To whom, likewise.", |r| {
        part(r, |part| Value::Ip(part.primary(part.dst.address)))
    }),
    aws("srcport", Int, 2, "Source port; 0 where the protocol has none.", |r| int(r, |part| part.src.port)),
    aws("dstport", Int, 2, "Destination port.", |r| int(r, |part| part.dst.port)),
    aws("protocol", Int, 2, "IANA protocol number.", |r| int(r, |part| part.flow.protocol)),
    aws("packets", BigInt, 2, "Packets, each counted once however often it was mirrored.", |r| {
        count(r, |part| part.news.packets)
    }),
    aws("bytes", BigInt, 2, "Octets on the wire of the mirrored frames (inline: of the IP packets).", |r| {
        count(r, |part| part.news.bytes)
    }),
    aws("start", BigInt, 2, "Second since 1970 of the first packet.", |r| seconds(r.start_ns)),
    aws("end", BigInt, 2, "Second since 1970 of the last packet.", |r| seconds(r.end_ns)),
    aws("action", Text, 2, "ACCEPT: what is mirrored has passed.", |r| part(r, |_| text(Some("ACCEPT")))),
    aws("log_status", Text, 2, "OK; NODATA: no packets came; SKIPDATA: some were lost.", |r| {
        text(Some(match r.subject {
            Subject::Flow(_) => "OK",
            Subject::Status(Status::NoData) => "NODATA",
            Subject::Status(Status::SkipData) => "SKIPDATA",
        }))
    }),
    aws("vpc_id", Text, 3, "The VPC of the mirrored interface.", |r| {
        text(r.part().and_then(|part| part.interface?.vpc_id.as_deref()))
    }),
    aws("subnet_id", Text, 3, "Its subnet.", |r| {
        text(r.part().and_then(|part| part.interface?.subnet_id.as_deref()))
    }),
    aws("instance_id", Text, 3, "The instance that it is attached to.", |r| {
        text(r.part().and_then(|part| part.interface?.instance_id.as_deref()))
    }),
    aws("tcp_flags", Int, 3, "Flags seen, or'ed: FIN 1, SYN 2, RST 4, SYN-ACK 18.", |r| {
        int(r, |part| part.aws_tcp_flags())
    }),
    aws("type", Text, 3, "IPv4 or IPv6.", |r| {
        part(r, |part| text(Some(if part.src.address.is_ipv4() { "IPv4" } else { "IPv6" })))
    }),
    aws("pkt_srcaddr", Text, 3, "The packets' source address.", |r| {
        part(r, |part| Value::Ip(part.src.address))
    }),
    aws("pkt_dstaddr", Text, 3, "The packets' destination address.", |r| {
        part(r, |part| Value::Ip(part.dst.address))
    }),
    aws("region", Text, 4, "The region that the log belongs to.", |r| text(r.writer.region.as_deref())),
    aws("az_id", Text, 4, "The availability zone of the mirrored interface.", |r| {
        text(r.part().and_then(|part| part.interface?.zone_id.as_deref()))
    }),
    aws("flow_direction", Text, 5, "egress: the mirrored interface sent; ingress: it received.", |r| {
        text(r.part().and_then(FlowPart::is_egress).map(|egress| if egress { "egress" } else { "ingress" }))
    }),
    ours("agent_id", Text, "The agent that wrote the record.", |r| text(Some(&r.writer.agent_id))),
    ours("endpoint_id", Text, "The GWLB endpoint that the packets came through.", |r| {
        part(r, |part| match part.flow.session {
            Session::Mirrored(identity) => shown(identity.endpoint_id),
            Session::Inline(endpoint_id) => shown(endpoint_id),
            Session::Bare | Session::Overflow => Value::Null,
        })
    }),
    ours("vni", Int, "VXLAN network id of the mirror session.", |r| {
        part(r, |part| match part.flow.session {
            Session::Mirrored(identity) => Value::Int(identity.vni.into()),
            _ => Value::Null,
        })
    }),
    ours("mirror_source", Text, "Address of the mirrored interface.", |r| {
        part(r, |part| super::sources::mirror_source(&part.flow.session).map_or(Value::Null, Value::Ip))
    }),
    ours(
        "sessions",
        Text,
        "All sessions that mirrored the flow, as endpoint/vni/source, sorted, with spaces.",
        |r| part(r, |part| Value::Text(sessions(part).into())),
    ),
    ours("flow_cookie", BigInt, "GWLB's cookie on the first packet of the flow that had one.", |r| {
        part(r, |part| part.flow.flow_cookie.map_or(Value::Null, |cookie| Value::Int(cookie.into())))
    }),
    ours("initiator", Text, "Who opened the flow: src or dst.", |r| {
        part(r, |part| text(Some(if part.is_from_client { "src" } else { "dst" })))
    }),
    ours(
        "flow_start_ns",
        BigInt,
        "Nanosecond since 1970 of the flow's first packet, of both directions.",
        |r| part(r, |part| Value::Int(part.flow.first_ns)),
    ),
    ours("start_ns", BigInt, "Nanosecond since 1970 of the first packet.", |r| Value::Int(r.start_ns)),
    ours("end_ns", BigInt, "Nanosecond since 1970 of the last packet.", |r| Value::Int(r.end_ns)),
    ours("end_reason", Text, "Why the flow ended; active while it goes on.", |r| {
        part(r, |part| text(Some(part.flow.end.map_or("active", |end| end.name()))))
    }),
    ours("tcp_state", Text, "How far the TCP connection had come.", |r| {
        text(r.part().and_then(|part| part.flow.state).map(|state| state.name()))
    }),
    ours("payload_bytes", BigInt, "Octets of TCP or UDP payload; behind other IP headers all.", |r| {
        count(r, |part| part.news.payload_bytes)
    }),
    ours("handshake_rtt_ns", BigInt, "Round trip from SYN to the client's ACK.", |r| {
        part(r, |part| part.flow.handshake_rtt_ns.map_or(Value::Null, |rtt| Value::Int(rtt.into())))
    }),
    ours("server_rtt_ns", BigInt, "Round trip from SYN to SYN-ACK: between mirror and server.", |r| {
        part(r, |part| part.flow.server_rtt_ns.map_or(Value::Null, |rtt| Value::Int(rtt.into())))
    }),
    ours("retransmissions", BigInt, "TCP segments with octets that were sent before.", |r| {
        tcp(r, |part| part.news.retransmissions.into())
    }),
    ours("out_of_order", BigInt, "TCP segments that others had overtaken.", |r| {
        tcp(r, |part| part.news.out_of_order.into())
    }),
    ours("zero_windows", BigInt, "TCP segments that closed the window.", |r| {
        tcp(r, |part| part.news.zero_windows.into())
    }),
    ours("mirror_loss", BigInt, "Octets that the receiver acknowledged and the mirror did not show.", |r| {
        tcp(r, |part| part.news.gap_bytes)
    }),
    ours("truncated", BigInt, "Packets of which octets are missing.", |r| {
        count(r, |part| part.news.truncated)
    }),
    ours("duplicates", BigInt, "Copies that were mirrored or delivered again; not among packets.", |r| {
        count(r, |part| part.news.duplicates)
    }),
    ours("duplicate_bytes", BigInt, "Octets of these copies.", |r| {
        count(r, |part| part.news.duplicate_bytes)
    }),
    ours("sni", Text, "Server name of the TLS ClientHello.", |r| name(r, NameSource::Sni)),
    ours("http_host", Text, "Host of the HTTP request.", |r| name(r, NameSource::HttpHost)),
    ours("dns_name", Text, "Name of the first DNS question.", |r| name(r, NameSource::Dns)),
];

/// The column of that name.
pub fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

fn part<'a>(record: &'a LogRecord<'_>, value: impl FnOnce(&'a FlowPart<'_>) -> Value<'a>) -> Value<'a> {
    record.part().map_or(Value::Null, value)
}

fn int<N: Into<i64>>(record: &LogRecord<'_>, value: impl FnOnce(&FlowPart<'_>) -> N) -> Value<'static> {
    record.part().map_or(Value::Null, |part| Value::Int(value(part).into()))
}

/// Counters do not come near 2^63.
fn count(record: &LogRecord<'_>, value: impl FnOnce(&FlowPart<'_>) -> u64) -> Value<'static> {
    int(record, |part| i64::try_from(value(part)).unwrap_or(i64::MAX))
}

fn tcp(record: &LogRecord<'_>, value: impl FnOnce(&FlowPart<'_>) -> u64) -> Value<'static> {
    match record.part() {
        Some(part) if part.flow.protocol == TCP => count(record, value),
        _ => Value::Null,
    }
}

fn seconds(ns: i64) -> Value<'static> {
    Value::Int(ns.div_euclid(1_000_000_000))
}

/// A text that AWS does not have is as good as none.
fn text(text: Option<&str>) -> Value<'_> {
    text.filter(|text| !text.is_empty()).map_or(Value::Null, |text| Value::Text(text.into()))
}

fn shown(value: Option<impl ToString>) -> Value<'static> {
    value.map_or(Value::Null, |value| Value::Text(value.to_string().into()))
}

fn name<'a>(record: &'a LogRecord<'_>, source: NameSource) -> Value<'a> {
    let name = record.part().and_then(|part| part.flow.name.as_ref());
    text(name.filter(|name| name.source == source).map(|name| &*name.text))
}

fn sessions(part: &FlowPart<'_>) -> String {
    let mut text = String::new();
    for session in part.sessions() {
        let separator = if text.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = match session {
            Session::Mirrored(identity) => {
                let endpoint = identity.endpoint_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
                write!(text, "{separator}{endpoint}/{}/{}", identity.vni, identity.source)
            }
            Session::Inline(Some(endpoint_id)) => write!(text, "{separator}{endpoint_id}"),
            Session::Inline(None) | Session::Bare | Session::Overflow => write!(text, "{separator}-"),
        };
    }
    text
}
