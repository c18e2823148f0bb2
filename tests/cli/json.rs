//! `read --json` keeps to the schema that the project publishes, for every capture there is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mirrorscope_tests::{fixture, mirrorscope_bin, schema::Schema, shared_dir, skip};

fn assert_valid(captures: &[PathBuf]) {
    let schema = Schema::named("packet.schema.json");
    for capture in captures {
        let output = Command::new(mirrorscope_bin()).args(["read", "--json", "-q"]).arg(capture).output();
        let output = output.expect("the program starts").stdout;
        for line in output.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
            let packet = serde_json::from_slice(line).expect("each line is JSON");
            schema.assert_allows(&packet, &capture.display().to_string());
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] })
        .collect()
}

#[test]
fn the_missions_captures_keep_to_the_schema() {
    assert_valid(&["mirror/ping-curl-traceroute.pcap", "mirror/ssm-tcp443.pcap"].map(fixture));
}

#[test]
fn every_shared_capture_keeps_to_the_schema() {
    match shared_dir() {
        Some(shared) => assert_valid(&files(&shared.join("captures/peers"))),
        None => skip("the JSON of the shared captures (no ../shared)"),
    }
}

#[test]
fn the_schema_refuses_what_is_not_in_it() {
    let schema = Schema::named("packet.schema.json");
    let output = Command::new(mirrorscope_bin())
        .args(["read", "--json", "-c", "1"])
        .arg(fixture("mirror/ssm-tcp443.pcap"))
        .output()
        .expect("the program starts");
    let mut packet: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert!(schema.allows(&packet));
    packet["mirror"]["vni"] = "9325541".into();
    assert!(!schema.allows(&packet), "a number as text");
}

#[test]
fn names_from_the_aws_cli_stand_beside_the_identity() {
    let (sessions, enis) =
        ["aws/describe-traffic-mirror-sessions.json", "aws/describe-network-interfaces.json"]
            .map(fixture)
            .into();
    let output = Command::new(mirrorscope_bin())
        .args(["read", "--json", "--sessions"])
        .arg(sessions)
        .arg("--enis")
        .arg(enis)
        .arg(fixture("mirror/ssm-tcp443.pcap"))
        .output()
        .expect("the program starts");
    let schema = Schema::named("packet.schema.json");
    for line in output.stdout.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
        let packet: serde_json::Value = serde_json::from_slice(line).expect("it is JSON");
        assert_eq!(packet["mirror"]["name"], "mirror-source");
        assert!(schema.allows(&packet));
    }
}
