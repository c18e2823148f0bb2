//! `mirrorscope aws` on the mission's captures and on broken files, through the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mirrorscope_tests::{fixture, mirrorscope_bin};
use serde_json::Value;

const WEB: &str = "mirror/ping-curl-traceroute.pcap";
const SSM: &str = "mirror/ssm-tcp443.pcap";

fn run(args: &[&str]) -> Output {
    Command::new(mirrorscope_bin()).args(args).output().expect("the program starts")
}

fn path(name: &str) -> String {
    fixture(name).to_string_lossy().into_owned()
}

fn describe(kind: &str) -> String {
    path(&format!("aws/describe-{kind}.json"))
}

fn json(args: &[&str]) -> Value {
    let output = run(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn explain(capture: &str, more: &[&str]) -> Value {
    let (capture, filters) = (path(capture), describe("traffic-mirror-filters"));
    json(&[&["aws", "explain", &capture, "--filters", &filters, "--json"], more].concat())
}

fn packets_by_rule(explanation: &Value) -> Vec<(u64, u64)> {
    let rules = explanation["filters"][0]["rules"].as_array().expect("rules");
    let number = |value: &Value| value.as_u64().expect("a number");
    rules.iter().map(|rule| (number(&rule["number"]), number(&rule["decided"]["packets"]))).collect()
}

#[test]
fn the_sample_filter_accepts_all_of_one_capture_and_nothing_of_the_other() {
    let web = explain(WEB, &[]);
    assert_eq!(packets_by_rule(&web), [(100, 4), (200, 57), (300, 2)]);
    assert_eq!(web["filters"][0]["accepted"]["packets"], 63);
    let ssm = explain(SSM, &[]);
    assert_eq!(packets_by_rule(&ssm), [(100, 0), (200, 0), (300, 0)]);
    assert_eq!(ssm["filters"][0]["unmatched"]["packets"], 27);
}

#[test]
fn with_sessions_the_packets_are_judged_by_the_filter_of_their_session() {
    let (sessions, targets) = (describe("traffic-mirror-sessions"), describe("traffic-mirror-targets"));
    let enis = describe("network-interfaces");
    let explanation = explain(WEB, &["--sessions", &sessions, "--targets", &targets, "--enis", &enis]);
    assert_eq!(explanation["sessions"][0]["id"], "tms-0c2f3a4b5d6e7f801");
    assert_eq!(explanation["sessions"][0]["accepted"]["packets"], 63);
    assert_eq!(explanation["without_session"]["packets"], 0);
}

#[test]
fn the_text_of_an_explanation_keeps_within_100_columns() {
    let output = run(&["aws", "explain", &path(SSM), "--filters", &describe("traffic-mirror-filters")]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        text.contains("0 of 27 packets accepted") && text.contains("Never matched: ingress 100"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn the_sample_set_up_has_no_errors_but_lacks_a_direction() {
    let files =
        ["traffic-mirror-filters", "traffic-mirror-sessions", "traffic-mirror-targets", "network-interfaces"];
    let files = files.map(describe);
    let report = json(&["aws", "lint", "--json", &files[0], &files[1], &files[2], &files[3]]);
    let codes: Vec<_> =
        report["findings"].as_array().expect("findings").iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["direction-missing", "family-missing"]);
}

#[test]
fn a_suggestion_reads_back_and_does_what_it_claims() {
    let suggestion = run(&["aws", "suggest", &path(SSM), "--drop", "port 443", "--format", "json"]);
    assert!(suggestion.status.success());
    let file = temporary("suggested.json", &suggestion.stdout);
    let file = file.to_string_lossy();
    let ssm = json(&["aws", "explain", &path(SSM), "--filters", &file, "--json"]);
    assert_eq!(ssm["filters"][0]["rejected"]["packets"], 27);
    let web = json(&["aws", "explain", &path(WEB), "--filters", &file, "--json"]);
    assert_eq!(web["filters"][0]["accepted"]["packets"], 63);
}

#[test]
fn an_expression_that_does_not_parse_is_shown_with_the_place() {
    let output = run(&["aws", "suggest", &path(SSM), "--drop", "prot 443"]);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("^^^^"));
}

#[test]
fn broken_json_is_named_with_file_line_and_column() {
    let file = temporary("broken.json", b"{\n  \"TrafficMirrorFilters\": [\n    {]\n}");
    let output = run(&["aws", "lint", &file.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("broken.json: line 3, column 6") && error.contains("hint:"), "{error}");
}

#[test]
fn hostile_json_is_named_with_its_file_in_a_few_short_lines() {
    let in_filters = |inside: &[u8]| [b"{\"TrafficMirrorFilters\":[", inside].concat();
    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let in_rule = [&b"{\"IngressFilterRules\":[{\"RuleNumber\":"[..], &b"9".repeat(10_000_000)].concat();
    for (name, content, said) in [
        ("lists", b"[".repeat(10_000_000), "the file holds a list"),
        ("deep", in_filters(&b"{\"Unknown\":[".repeat(1_000_000)), "line 1, column"),
        ("number", in_filters(&in_rule), "line 1, column"),
        (
            "text",
            in_filters(&[&b"{\"Description\":\""[..], &b"x".repeat(100_000_000)].concat()),
            "line 1, column",
        ),
        ("utf8", in_filters(b"{\"TrafficMirrorFilterId\":\"\xff\xfe\"}]}"), "not UTF-8"),
        ("utf16", utf16, "UTF-16"),
        ("nul", vec![0; 10_000_000], "line 1, column 1"),
        ("surrogate", in_filters(b"{\"TrafficMirrorFilterId\":\"\\ud800\"}]}"), "line 1, column"),
    ] {
        let file = temporary(&format!("hostile-{name}.json"), &content);
        let file = file.to_str().expect("a path in UTF-8");
        for args in
            [&["aws", "lint", "--filters", file][..], &["aws", "explain", &path(SSM), "--filters", file]]
        {
            let output = run(args);
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{name}: {complaint}");
            assert!(complaint.contains(said) && complaint.contains(file), "{name}: {complaint}");
            assert!(complaint.len() < 1_000 && output.stdout.is_empty(), "{name}: {}", complaint.len());
        }
        fs::remove_file(file).expect("the file was ours");
    }
}

/// A text may be as long as the file; what is printed of it is not.
#[test]
fn a_text_of_a_hundred_megabytes_is_cut_where_it_is_printed() {
    let id = "x".repeat(100_000_000);
    let json = format!(r#"{{"TrafficMirrorFilters":[{{"TrafficMirrorFilterId":"{id}"}}]}}"#);
    let file = temporary("hostile-id.json", json.as_bytes());
    let output = run(&["aws", "lint", "--filters", file.to_str().expect("a path in UTF-8")]);
    fs::remove_file(file).expect("the file was ours");
    assert!(output.stdout.len() < 10_000 && output.stderr.len() < 1_000, "{}", output.stdout.len());
}

#[test]
fn one_bad_value_is_a_finding_and_the_rest_of_the_file_is_checked_and_explained() {
    let text = fs::read_to_string(describe("traffic-mirror-filters")).expect("the sample");
    let broken = text.replacen("\"Protocol\": 6", "\"Protocol\": 300", 1);
    assert_ne!(text, broken);
    let file = temporary("one-bad-value.json", broken.as_bytes());
    let file = file.to_string_lossy();
    let output = run(&["aws", "lint", "--json", &file]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let errors: Vec<_> = findings.iter().filter(|finding| finding["severity"] == "error").collect();
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(error["code"], "value-unreadable");
    assert!(error["subject"].as_str().is_some_and(|id| id.starts_with("tmfr-")), "{error}");
    assert!(error["reason"].as_str().is_some_and(|reason| reason.contains("Protocol is 300")), "{error}");
    let output = run(&["aws", "explain", &path(WEB), "--filters", &file]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("could not be read and is left out"), "{text}");
}

#[test]
fn keeping_what_no_rule_sees_loses_none_of_it() {
    let capture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aws-flags.pcap");
    let capture = capture.to_string_lossy();
    let made = run(&["send", "--generate", "--packets", "5000", "--flows", "300", "-q", "-w", &capture]);
    assert!(made.status.success());
    let filter = run(&["aws", "suggest", &capture, "--keep", "tcp[13]&2!=0", "--format", "json", "-q"]);
    let filter = temporary("keep-syn.json", &filter.stdout);
    let syns = ["aws", "explain", &capture, "tcp[13]&2!=0", "--filters", &filter.to_string_lossy(), "--json"];
    let explained = json(&syns);
    let filter = &explained["filters"][0];
    assert!(filter["judged"]["packets"].as_u64() > Some(300), "{filter}");
    assert_eq!(filter["accepted"], filter["judged"], "every SYN is kept");
}

#[test]
fn what_could_not_be_read_at_all_has_no_result() {
    let missing = path("no-such-capture.pcap");
    for args in [
        &["aws", "suggest", &missing, "--keep", "tcp"][..],
        &["flows", "--csv", &missing],
        &["sessions", "--csv", &missing],
        &["read", "--count", &missing],
        &["read", "--count", &path(SSM), "tpc"],
        &["flows", "--csv", &path(SSM), "tpc"],
    ] {
        let output = run(args);
        assert!(
            !output.status.success() && output.stdout.is_empty() && !output.stderr.is_empty(),
            "{args:?}"
        );
    }
}

#[test]
fn names_take_the_place_of_addresses() {
    let enis = describe("network-interfaces");
    for command in ["read", "sessions"] {
        let output = run(&[command, &path(SSM), "--enis", &enis]);
        assert!(String::from_utf8_lossy(&output.stdout).contains("mirror-source"), "{command}");
    }
}

/// A file in cargo's own folder for tests, which a later run writes anew.
fn temporary(name: &str, content: &[u8]) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("aws-{name}"));
    fs::write(&file, content).expect("a temporary file");
    file
}
