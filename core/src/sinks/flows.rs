//! Flows as JSON lines and as CSV: one flow, one line; what does not apply is left out (JSON) or empty (CSV).
//!
//! | JSON | CSV | meaning |
//! |---|---|---|
//! | `kind` | `kind` | `mirrored`, `inline` or `other` |
//! | `mirror` {`endpoint`,`vni`,`source`,`name`} | `endpoint`, `vni`, `mirror_source`, `mirror_name` | who mirrored it |
//! | `also_seen_by` [`mirror`…] | `also_seen_by` (a number) | further sessions that mirrored the same packets |
//! | `protocol` | `protocol` | `tcp`, `udp`, `icmp`, … or the IP protocol number |
//! | `client`, `client_port` | the same | who opened the flow; ports only where the protocol has them |
//! | `server`, `server_port` | the same | the other side |
//! | `service` | `service` | what is usual on the server's port |
//! | `sni`, `http_host`, `dns_name` | `name_source`, `name` | the name that the client asked for |
//! | `state`, `end` | the same | how far TCP had come; why the flow ended |
//! | `first`, `last` | the same | RFC 3339, UTC, nanoseconds |
//! | `handshake_rtt_ns` | the same | SYN to the client's ACK |
//! | `server_rtt_ns` | the same | SYN to SYN-ACK |
//! | `responses`, `response_mean_ns`, `response_max_ns` | the same | the client's last payload to the server's first |
//! | `flow_cookie` | the same | GWLB's, of the first packet |
//! | `sent` {…}, `received` {…} | `sent_…`, `received_…` | client to server, server to client, see below |
//!
//! Of each direction: `packets`, `bytes` (of the mirrored frames on the wire), `payload_bytes`, `first`, `last`,
//! `duplicates` and `duplicate_bytes` (copies, not among the packets), `truncated`, and for TCP
//! `flags`, `retransmissions`, `out_of_order`, `duplicate_acks`, `zero_windows`, `keep_alives`, `gap_bytes`
//! (acknowledged and never seen: the mirror's loss).

use std::fmt;

use super::{
    json::{self, Object},
    line::Line,
    sessions::{self, Key},
    time,
};
use crate::{
    aws::mirror::NameOf,
    flow::{
        DirectionRecord, FlowRecord,
        key::{self, Endpoint},
        tcp::flag,
    },
};

/// Appends one flow as a JSON object and a line end.
pub fn print_json(flow: &FlowRecord, name_of: NameOf<'_>, line: &mut Line) {
    json::object(line, |json| members(flow, name_of, json));
    line.byte(b'\n');
}

fn members(flow: &FlowRecord, name_of: NameOf<'_>, json: &mut Object<'_>) {
    json.text("kind", sessions::kind_name(&flow.session));
    if !matches!(flow.session, Key::Bare | Key::Overflow) {
        json.object("mirror", |json| session(&flow.session, name_of, json));
    }
    if !flow.also_seen_by.is_empty() {
        json.array("also_seen_by", flow.also_seen_by.iter(), |line, key| {
            json::object(line, |json| session(key, name_of, json));
        });
    }
    json.text("protocol", &Protocol(flow.protocol).to_string());
    endpoint(["client", "client_port"], flow.client, flow, json);
    endpoint(["server", "server_port"], flow.server, flow, json);
    purpose(flow, json);
    json.time("first", flow.first_ns).time("last", flow.last_ns);
    for (key, value) in times(flow) {
        if let Some(value) = value {
            json.uint(key, value);
        }
    }
    if let Some(cookie) = flow.flow_cookie {
        json.uint("flow_cookie", cookie);
    }
    json.object("sent", |json| direction(flow, &flow.sent, json));
    json.object("received", |json| direction(flow, &flow.received, json));
}

fn session(key: &Key, name_of: NameOf<'_>, json: &mut Object<'_>) {
    match key {
        Key::Mirrored(identity) => {
            json::identity(identity, json);
            if let Some(name) = name_of(identity) {
                json.text("name", name);
            }
        }
        Key::Inline(Some(endpoint_id)) => {
            json.text("endpoint", &endpoint_id.to_string());
        }
        Key::Inline(None) | Key::Bare | Key::Overflow => {}
    }
}

fn endpoint(keys: [&str; 2], endpoint: Endpoint, flow: &FlowRecord, json: &mut Object<'_>) {
    json.ip(keys[0], endpoint.address);
    if has_ports(flow) {
        json.uint(keys[1], endpoint.port);
    }
}

fn has_ports(flow: &FlowRecord) -> bool {
    matches!(flow.protocol, key::TCP | key::UDP) || flow.client.port != 0 || flow.server.port != 0
}

fn purpose(flow: &FlowRecord, json: &mut Object<'_>) {
    if let Some(service) = flow.service() {
        json.text("service", service);
    }
    if let Some(name) = &flow.name {
        json.text(name.source.key(), &name.text);
    }
    if let Some(state) = flow.state {
        json.text("state", state.name());
    }
    if let Some(end) = flow.end {
        json.text("end", end.name());
    }
}

/// The round trips and answers, by the keys of both formats.
fn times(flow: &FlowRecord) -> [(&'static str, Option<u64>); 5] {
    let answered = flow.responses > 0;
    [
        ("handshake_rtt_ns", flow.handshake_rtt_ns.map(u64::from)),
        ("server_rtt_ns", flow.server_rtt_ns.map(u64::from)),
        ("responses", answered.then_some(flow.responses.into())),
        ("response_mean_ns", flow.response_mean_ns()),
        ("response_max_ns", answered.then_some(flow.response_max_ns)),
    ]
}

type Counter = (&'static str, fn(&DirectionRecord) -> u64);

/// The counters of every direction, by the keys of both formats.
const COUNTERS: [Counter; 6] = [
    ("packets", |direction| direction.packets),
    ("bytes", |direction| direction.bytes),
    ("payload_bytes", |direction| direction.payload_bytes),
    ("duplicates", |direction| direction.duplicates),
    ("duplicate_bytes", |direction| direction.duplicate_bytes),
    ("truncated", |direction| direction.truncated),
];

/// The counters of TCP.
const TCP_COUNTERS: [Counter; 6] = [
    ("retransmissions", |direction| direction.retransmissions.into()),
    ("out_of_order", |direction| direction.out_of_order.into()),
    ("duplicate_acks", |direction| direction.duplicate_acks.into()),
    ("zero_windows", |direction| direction.zero_windows.into()),
    ("keep_alives", |direction| direction.keep_alives.into()),
    ("gap_bytes", |direction| direction.gap_bytes),
];

fn direction(flow: &FlowRecord, direction: &DirectionRecord, json: &mut Object<'_>) {
    for (key, value) in COUNTERS {
        json.uint(key, value(direction));
    }
    if direction.packets > 0 {
        json.time("first", direction.first_ns).time("last", direction.last_ns);
    }
    if flow.is_tcp() {
        json.plain("flags", |line| tcp_flags(direction.tcp_flags, line));
        for (key, value) in TCP_COUNTERS {
            json.uint(key, value(direction));
        }
    }
}

/// The flags that were seen, as letters: `SA`, `FPA`.
pub fn tcp_flags(flags: u8, line: &mut Line) {
    const LETTERS: [(u8, u8); 8] = [
        (flag::FIN, b'F'),
        (flag::SYN, b'S'),
        (flag::RST, b'R'),
        (flag::PSH, b'P'),
        (flag::ACK, b'A'),
        (flag::URG, b'U'),
        (flag::ECE, b'E'),
        (flag::CWR, b'C'),
    ];
    for (_, letter) in LETTERS.iter().filter(|(bit, _)| flags & bit != 0) {
        line.byte(*letter);
    }
}

/// An IP protocol as a word, else as its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol(pub u8);

impl Protocol {
    /// The word, for those that have one here.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "icmp",
            2 => "igmp",
            6 => "tcp",
            17 => "udp",
            33 => "dccp",
            47 => "gre",
            50 => "esp",
            51 => "ah",
            58 => "icmp6",
            89 => "ospf",
            103 => "pim",
            112 => "vrrp",
            132 => "sctp",
            136 => "udplite",
            _ => return None,
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Appends the header row of [`print_csv`].
pub fn print_csv_header(line: &mut Line) {
    line.str("kind,endpoint,vni,mirror_source,mirror_name,also_seen_by,protocol,client,client_port,server,");
    line.str("server_port,service,name_source,name,state,end,first,last,handshake_rtt_ns,server_rtt_ns,");
    line.str("responses,response_mean_ns,response_max_ns,flow_cookie");
    for side in ["sent_", "received_"] {
        for (key, _) in COUNTERS {
            line.byte(b',').str(side).str(key);
        }
        for key in ["first", "last", "flags"] {
            line.byte(b',').str(side).str(key);
        }
        for (key, _) in TCP_COUNTERS {
            line.byte(b',').str(side).str(key);
        }
    }
    line.byte(b'\n');
}

/// Appends one flow as a row of CSV (RFC 4180 but for the line end, which is `\n`).
pub fn print_csv(flow: &FlowRecord, name_of: NameOf<'_>, line: &mut Line) {
    sessions::csv_identity(&flow.session, line.str(sessions::kind_name(&flow.session)).byte(b','));
    let mirror_name = match &flow.session {
        Key::Mirrored(identity) => name_of(identity),
        _ => None,
    };
    sessions::csv_cell(line.byte(b','), mirror_name.unwrap_or_default());
    line.byte(b',').uint(flow.also_seen_by.len() as u64).byte(b',');
    match Protocol(flow.protocol).name() {
        Some(name) => line.str(name),
        None => line.uint(flow.protocol),
    };
    for endpoint in [flow.client, flow.server] {
        line.byte(b',').ip(endpoint.address).byte(b',');
        if has_ports(flow) {
            line.uint(endpoint.port);
        }
    }
    csv_purpose(flow, line);
    time::rfc3339(line.byte(b','), flow.first_ns);
    time::rfc3339(line.byte(b','), flow.last_ns);
    for (_, value) in times(flow) {
        csv_number(value, line);
    }
    csv_number(flow.flow_cookie.map(u64::from), line);
    csv_direction(flow, &flow.sent, line);
    csv_direction(flow, &flow.received, line);
    line.byte(b'\n');
}

fn csv_purpose(flow: &FlowRecord, line: &mut Line) {
    line.byte(b',').str(flow.service().unwrap_or_default());
    let name = flow.name.as_ref();
    line.byte(b',').str(name.map_or("", |name| name.source.key()));
    sessions::csv_cell(line.byte(b','), name.map_or("", |name| &name.text));
    line.byte(b',').str(flow.state.map_or("", |state| state.name()));
    line.byte(b',').str(flow.end.map_or("", |end| end.name()));
}

fn csv_number(value: Option<u64>, line: &mut Line) {
    line.byte(b',');
    if let Some(value) = value {
        line.uint(value);
    }
}

fn csv_direction(flow: &FlowRecord, direction: &DirectionRecord, line: &mut Line) {
    for (_, value) in COUNTERS {
        csv_number(Some(value(direction)), line);
    }
    for time_ns in [direction.first_ns, direction.last_ns] {
        line.byte(b',');
        if direction.packets > 0 {
            time::rfc3339(line, time_ns);
        }
    }
    tcp_flags(direction.tcp_flags, line.byte(b','));
    for (_, value) in TCP_COUNTERS {
        csv_number(flow.is_tcp().then(|| value(direction)), line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{FlowOptions, FlowTable, NameSource, ServiceName};
    use crate::{
        packet::Packet,
        record::{LinkType, Record},
        stack::Decoder,
    };

    /// A UDP packet of 3 octets of payload, cut behind its ports.
    fn flow() -> FlowRecord {
        let mut data = vec![0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        data.extend([0x9c, 0x40, 0, 53]);
        let record = Record {
            number: 1,
            timestamp_ns: 1_000_000_001,
            interface: 0,
            link_type: LinkType::RAW,
            original_len: 31,
            offset: 0,
            data: &data,
        };
        let mut table = FlowTable::new(FlowOptions::default());
        table.observe(&Packet::decode(&Decoder::default(), record), &mut |_| {});
        let mut flow = table.iter().next().unwrap();
        flow.name = Some(ServiceName { source: NameSource::Dns, text: "a,\"b\"".into() });
        flow
    }

    fn text(print: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::default();
        print(&mut line);
        String::from_utf8(line.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_flow_is_one_json_object_without_what_does_not_apply() {
        assert_eq!(
            text(|line| print_json(&flow(), &|_| None, line)),
            concat!(
                r#"{"kind":"other","protocol":"udp","client":"10.0.0.1","client_port":40000,"#,
                r#""server":"10.0.0.2","server_port":53,"service":"dns","dns_name":"a,\"b\"","#,
                r#""first":"1970-01-01T00:00:01.000000001Z","last":"1970-01-01T00:00:01.000000001Z","#,
                r#""sent":{"packets":1,"bytes":31,"payload_bytes":3,"duplicates":0,"duplicate_bytes":0,"#,
                r#""truncated":1,"first":"1970-01-01T00:00:01.000000001Z","#,
                r#""last":"1970-01-01T00:00:01.000000001Z"},"#,
                r#""received":{"packets":0,"bytes":0,"payload_bytes":0,"duplicates":0,"duplicate_bytes":0,"#,
                r#""truncated":0}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn every_csv_row_has_as_many_cells_as_the_header() {
        let header = text(print_csv_header);
        let row = text(|line| print_csv(&flow(), &|_| None, line));
        assert!(row.contains(r#","a,""b""","#));
        let cells = row.replace(r#""a,""b""""#, "name").matches(',').count();
        assert_eq!(cells, header.matches(',').count());
    }

    #[test]
    fn flags_are_letters_in_the_order_of_the_bits() {
        assert_eq!(text(|line| tcp_flags(flag::SYN | flag::ACK | flag::FIN, line)), "FSA");
    }
}
