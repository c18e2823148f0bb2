//! The queries that ship, over the logs of three agents that each saw a part: DuckDB and a Spark cluster give the same
//! answer, which is that of one agent which saw everything, also when a worker of the cluster dies meanwhile.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use mirrorscope_core::{Decoder, LinkType, Packet, layers::Layer};
use mirrorscope_tests::{everything::record, workspace_root};
use serde_json::Value;

use crate::{
    Sums,
    engines::{Cluster, ask, duckdb},
    generated, mirrorscope, scratch,
};

const QUERIES: [&str; 7] = [
    "top-talkers",
    "who-talks-to-whom",
    "new-destinations",
    "noise-by-port",
    "per-session",
    "retransmissions",
    "loss",
];

/// Records of a pcap file: the header of each with its octets.
fn records(capture: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = &capture[24..];
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_at_checked(16)?;
        let len = u32::from_le_bytes(header[8..12].try_into().unwrap());
        let (data, next) = behind.split_at(len as usize);
        rest = next;
        Some((header, data))
    })
}

/// The record as the other end of the flow mirrors it, if it is IPv4: another VNI, the other machine's address, one
/// router further on. And whether the mirrored machine of the record itself had sent it.
fn from_other_end(data: &[u8]) -> Option<(Vec<u8>, bool)> {
    let record = record(LinkType::ETHERNET.0, data.len() as u32, data);
    let packet = Packet::decode(&Decoder::default(), record);
    let layers = packet.stack.layers();
    let vxlan = layers.iter().find(|span| span.layer == Layer::Vxlan)?.offset as usize;
    let ip = layers.iter().rfind(|span| span.layer == Layer::Ipv4)?.offset as usize;
    let source = vxlan - 8 - 20 + 12;
    let mut copy = data.to_vec();
    let is_sent = data[ip + 12..ip + 16] == data[source..source + 4];
    let peer = if is_sent { ip + 16 } else { ip + 12 };
    copy[source..source + 4].copy_from_slice(&data[peer..peer + 4]);
    copy[vxlan + 6] ^= 0x40;
    copy[ip + 8] -= 1;
    Some((copy, is_sent))
}

/// A network of which every flow is mirrored at both ends, and the parts of it that a load balancer gave to three
/// agents. The directions go apart, and from the second hour on what the client's mirror sends goes elsewhere.
fn parts(folder: &Path) -> [String; 3] {
    let words = "--packets 9000 --flows 150 --sessions 3 --rate 2 --seed 7";
    let capture = fs::read(generated(&folder.join("one-end.pcap"), words)).unwrap();
    let mut parts = [0; 3].map(|_: u8| capture[..24].to_vec());
    let mut deal = |agent: usize, header: &[u8], data: &[u8]| parts[agent].extend([header, data].concat());
    let begin = u32::from_le_bytes(capture[24..28].try_into().unwrap());
    for (header, data) in records(&capture) {
        let is_late = u32::from_le_bytes(header[..4].try_into().unwrap()) - begin >= 3600;
        let (copy, is_sent) = from_other_end(data).expect("all of it is mirrored IPv4");
        let [own, others] = match (is_sent, is_late) {
            (true, false) => [0, 2],
            (true, true) => [2, 2],
            (false, _) => [1, 0],
        };
        deal(own, header, data);
        deal(others, header, &copy);
    }
    [0, 1, 2].map(|agent| {
        let path = folder.join(format!("agent-{agent}.pcap"));
        fs::write(&path, &parts[agent]).unwrap();
        path.display().to_string()
    })
}

/// The flow logs of three agents in one folder.
fn logs_of_three(folder: &Path) -> PathBuf {
    let place = folder.join("logs");
    for part in parts(folder) {
        mirrorscope(&["flows", "--quiet", "--flow-log", &format!("parquet:{}", place.display()), &part]);
    }
    place
}

/// The flow log of one agent that saw one copy of every packet.
fn logs_of_one(folder: &Path) -> PathBuf {
    let place = folder.join("whole");
    let capture = folder.join("one-end.pcap").display().to_string();
    mirrorscope(&["flows", "--quiet", "--flow-log", &format!("parquet:{}", place.display()), &capture]);
    place
}

fn script(query: &str, place: &Path, engine: &str) -> String {
    let words = ["fleet", query, &place.display().to_string(), "--engine", engine];
    String::from_utf8(mirrorscope(&words).stdout).unwrap()
}

/// Rows without what engines write in ways of their own: numbers as text, floats to two digits.
pub(crate) fn plain(rows: &[Value]) -> Vec<BTreeMap<String, String>> {
    let text = |value: &Value| match value {
        Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |row: &Value| {
        let cells = row.as_object().expect("a row is an object").iter();
        cells.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), text(value))).collect()
    };
    rows.iter().map(row).collect()
}

#[test]
fn three_agents_that_saw_parts_tell_what_one_tells_that_saw_all() {
    let Some(duckdb) = duckdb() else { return };
    let folder = scratch("three");
    let (three, one) = (logs_of_three(&folder), logs_of_one(&folder));
    let capture = Sums::of_capture(&folder.join("one-end.pcap").display().to_string());
    for place in [&three, &one] {
        let script = script("top-talkers", place, "duckdb");
        let views = script.rsplit_once(";\n\n").unwrap().0.to_owned();
        let sums = ask(
            &duckdb,
            &format!("{views}; SELECT sum(packets) AS packets, sum(bytes) AS bytes FROM conversations"),
        );
        assert_eq!(Sums::of(&plain_numbers(&sums), ["packets", "bytes"]), capture, "{}", place.display());
    }
    for query in ["top-talkers", "who-talks-to-whom", "noise-by-port"] {
        let [of_three, of_one] =
            [&three, &one].map(|place| plain(&ask(&duckdb, &script(query, place, "duckdb"))));
        assert!(!of_one.is_empty());
        let without_rtt = |rows: Vec<BTreeMap<String, String>>| -> Vec<_> {
            rows.into_iter()
                .map(|mut row| {
                    row.remove("least_rtt_ns");
                    row
                })
                .collect()
        };
        assert_eq!(
            without_rtt(of_three),
            without_rtt(of_one),
            "{query}: an agent that sees one direction knows no round trip"
        );
    }
}

/// DuckDB gives sums of 128 bits as text.
fn plain_numbers(rows: &[Value]) -> Vec<Value> {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse::<u64>().map_or(value.clone(), Value::from),
        other => other.clone(),
    };
    let row = |row: &Value| {
        row.as_object().unwrap().iter().map(|(key, value)| (key.clone(), number(value))).collect()
    };
    rows.iter().map(row).collect()
}

#[test]
fn the_table_of_athena_has_the_columns_and_types_of_the_files() {
    let Some(duckdb) = duckdb() else { return };
    let folder = scratch("athena");
    let capture = generated(&folder.join("a.pcap"), "--packets 100");
    let place = folder.join("logs");
    mirrorscope(&["flows", "--quiet", "--flow-log", &format!("parquet:{}", place.display()), &capture]);
    let file = crate::files_below(&place).remove(0);
    let rows = ask(
        &duckdb,
        &format!(
            "SELECT name, type, converted_type FROM parquet_schema('{}') WHERE type IS NOT NULL",
            file.display()
        ),
    );
    let in_files: Vec<_> = rows
        .iter()
        .map(|row| {
            let kind = match (row["type"].as_str().unwrap(), row["converted_type"].as_str()) {
                ("INT32", None) => "int",
                ("INT64", None) => "bigint",
                ("BYTE_ARRAY", Some("UTF8")) => "string",
                other => panic!("{other:?}"),
            };
            format!("`{}` {kind}", row["name"].as_str().unwrap())
        })
        .collect();
    let statement = script("loss", &folder, "athena");
    let table = statement.lines().filter(|line| line.contains(" COMMENT '"));
    let in_table: Vec<_> =
        table.map(|line| line.trim().split(" COMMENT").next().unwrap().to_owned()).collect();
    assert_eq!(in_table, in_files);
    assert!(in_files.len() > 40);
}

#[test]
fn every_query_is_tried() {
    let folder = workspace_root().join("agent/queries");
    let files = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    let count = files.filter(|name| name.ends_with(".sql") && name != "conversations.sql").count();
    assert_eq!(count, QUERIES.len());
}

#[test]
fn spark_gives_duckdbs_answers_also_when_a_worker_dies_during_a_query() {
    let (Some(duckdb), Some(mut cluster)) = (duckdb(), Cluster::start(&scratch("spark-cluster"))) else {
        return;
    };
    let folder = scratch("spark");
    let place = logs_of_three(&folder);
    let scripts = QUERIES.map(|query| (query, script(query, &place, "spark")));
    let answers = cluster.ask(&folder, &scripts, Some("who-talks-to-whom"));
    for (query, rows) in QUERIES.iter().zip(&answers.rows) {
        let expected = plain(&ask(&duckdb, &script(query, &place, "duckdb")));
        assert_eq!(plain(rows), expected, "{query}");
    }
    assert!(!answers.rows[0].is_empty());
    assert_eq!((answers.executors_before, answers.executors_after), (2, 1), "a worker died");
    assert_eq!(plain(&answers.again), plain(&answers.rows[1]), "the query whose worker died");
}
