//! Every format holds every packet of a capture once, however often flows are told of.

use std::fs;

use mirrorscope_tests::fixture;

use crate::{
    Sums,
    engines::{ask, duckdb},
    files_below, generated, gunzip, mirrorscope, objects, scratch,
};

/// Hours of traffic of all kinds, and the two captures of the mission.
fn captures(folder: &std::path::Path) -> Vec<String> {
    let words =
        "--packets 4000 --flows 100 --sessions 4 --endpoints 2 --inline 0.2 --ipv6 0.3 --vlan 0.2 --rate 1";
    let own = ["ping-curl-traceroute", "ssm-tcp443"].map(|name| fixture(&format!("mirror/{name}.pcap")));
    let own = own.map(|path| path.display().to_string());
    [vec![generated(&folder.join("hours.pcap"), words)], own.to_vec()].concat()
}

fn log(capture: &str, target: &str, interval: &str) -> Vec<u8> {
    let words = ["flows", "--quiet", "--flow-log", target, "--flow-log-interval", interval, capture];
    mirrorscope(&words).stdout
}

#[test]
fn lines_hold_every_packet_at_any_interval() {
    let folder = scratch("lines");
    for capture in captures(&folder) {
        let all = Sums::of_capture(&capture);
        let mut counts = Vec::new();
        for interval in ["3600", "60", "5"] {
            let records = objects(&log(&capture, "json", interval));
            assert_eq!(Sums::of_records(&records), all, "{capture} {interval}");
            let lines = String::from_utf8(log(&capture, "vpc", interval)).unwrap();
            let expected = Sums::of(&records, ["packets", "bytes"]);
            assert_eq!((Sums::of_lines(&lines), lines.lines().count()), (expected, records.len()));
            counts.push(records.len());
        }
        assert!(counts.is_sorted(), "shorter intervals have more records: {counts:?}");
    }
}

#[test]
fn a_record_lies_in_one_interval() {
    let folder = scratch("intervals");
    let capture = generated(&folder.join("a.pcap"), "--packets 3000 --flows 20 --rate 10");
    let records = objects(&log(&capture, "json", "60"));
    let minute =
        |key: &str| records.iter().map(|record| record[key].as_i64().unwrap() / 60).collect::<Vec<_>>();
    assert_eq!(minute("start"), minute("end"));
    assert!(records.iter().any(|record| record["end_reason"] == "active"));
}

#[test]
fn files_hold_what_lines_hold() {
    let folder = scratch("files");
    for (at, capture) in captures(&folder).into_iter().enumerate() {
        let place = |format: &str| folder.join(format!("{format}-{at}"));
        let target = |format: &str| format!("{format}:{}", place(format).display());
        for format in ["vpc", "json", "parquet"] {
            log(&capture, &target(format), "60");
        }
        let unpacked = |format: &str| -> Vec<u8> {
            files_below(&place(format)).iter().flat_map(|path| gunzip(path)).collect()
        };
        let mut lines = String::from_utf8(log(&capture, "vpc", "60"))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let vpc = String::from_utf8(unpacked("vpc")).unwrap();
        let mut in_files: Vec<_> =
            vpc.lines().filter(|line| !line.starts_with("version ")).map(str::to_owned).collect();
        lines.sort();
        in_files.sort();
        assert_eq!(in_files, lines);
        assert_eq!(Sums::of_records(&objects(&unpacked("json"))), Sums::of_capture(&capture));
    }
}

#[test]
fn duckdb_reads_the_folder_with_no_hint() {
    let Some(duckdb) = duckdb() else { return };
    let folder = scratch("duckdb");
    for (at, capture) in captures(&folder).into_iter().enumerate() {
        let place = folder.join(format!("logs-{at}"));
        log(&capture, &format!("parquet:{}", place.display()), "60");
        let records = objects(&log(&capture, "json", "60"));
        let rows = ask(&duckdb, &format!("FROM '{}/**/*.parquet' ORDER BY ALL", place.display()));
        assert_eq!(rows.len(), records.len());
        assert_eq!(Sums::of_records(&rows), Sums::of_capture(&capture));
        // Every value of every record, in whatever order.
        let columns: Vec<_> = records[0].as_object().unwrap().keys().cloned().collect();
        let mut expected: Vec<_> = records.iter().map(|record| values(record, &columns)).collect();
        let mut read: Vec<_> = rows.iter().map(|row| values(row, &columns)).collect();
        expected.sort();
        read.sort();
        assert_eq!(read, expected);
        assert!(rows.iter().all(|row| row["aws-service"] == "mirrorscope" && !row["hour"].is_null()));
    }
}

fn values(record: &serde_json::Value, columns: &[String]) -> String {
    columns.iter().map(|column| record[column].to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_hours_of_a_capture_lie_in_their_folders() {
    let folder = scratch("hours");
    let capture = generated(&folder.join("a.pcap"), "--packets 9000 --flows 30 --rate 1");
    log(&capture, &format!("json:{}", folder.join("logs").display()), "60");
    let files = files_below(&folder.join("logs"));
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let path = file.display().to_string();
        let hour: i64 = path.split("hour=").nth(1).unwrap()[..2].parse().unwrap();
        let records = objects(&gunzip(&file));
        assert!(records.iter().all(|record| record["start"].as_i64().unwrap() / 3600 % 24 == hour), "{path}");
    }
}

#[test]
fn a_run_that_was_killed_and_is_done_again_leaves_every_record_once() {
    use std::{process::Command, thread, time::Duration};
    let folder = scratch("killed");
    let capture = generated(&folder.join("a.pcap"), "--packets 8000 --flows 100 --rate 2");
    let place = folder.join("logs");
    let target = format!("json:{}", place.display());
    for patience in [100, 500, 1500] {
        let words = ["flows", "--quiet", "--flow-log", &target, "--flow-log-interval", "20", &capture];
        let mut child = Command::new(mirrorscope_tests::mirrorscope_bin()).args(words).spawn().unwrap();
        thread::sleep(Duration::from_millis(patience));
        child.kill().unwrap();
        child.wait().unwrap();
        let is_whole =
            |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "gz");
        files_below(&place).iter().filter(|path| is_whole(path)).for_each(|path| {
            gunzip(path);
        });
    }
    log(&capture, &target, "20");
    let records: Vec<u8> = files_below(&place)
        .iter()
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
        .flat_map(|path| gunzip(path))
        .collect();
    assert_eq!(Sums::of_records(&objects(&records)), Sums::of_capture(&capture));
}

#[test]
fn a_run_that_is_done_again_replaces_its_own_files_and_not_those_of_another_filter() {
    let folder = scratch("again");
    let capture = generated(&folder.join("a.pcap"), "--packets 500 --flows 20");
    let place = folder.join("logs");
    let target = format!("json:{}", place.display());
    let log = |choice: &[&str]| {
        mirrorscope(&[&["flows", "--quiet", "--flow-log", &target, &capture], choice].concat());
        let files = files_below(&place).into_iter();
        files.map(|path| (fs::read(&path).unwrap(), path)).collect::<std::collections::BTreeSet<_>>()
    };
    let once = log(&[]);
    assert!(!once.is_empty());
    assert_eq!(log(&[]), once);
    // All of these begin with the same packet.
    let mut before = once;
    for choice in [["ip or ip6"].as_slice(), &["-c", "400"], &["--keep-duplicates"]] {
        let after = log(choice);
        assert!(after.len() > before.len() && before.is_subset(&after), "{choice:?}");
        assert_eq!(log(choice), after, "{choice:?}");
        before = after;
    }
}

#[test]
fn several_logs_of_one_input_hold_the_same_flows() {
    let folder = scratch("several");
    let capture = generated(&folder.join("a.pcap"), "--packets 500 --flows 20");
    let [one, other] = ["one", "other"].map(|name| folder.join(name));
    let output = std::process::Command::new(mirrorscope_tests::mirrorscope_bin())
        .args(["flows", "--quiet", "-", "--flow-log", "json"])
        .args([&one, &other, &one].map(|place| format!("--flow-log=json:{}", place.display())))
        .stdin(fs::File::open(&capture).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let logged = |place| files_below(place).iter().flat_map(|path| gunzip(path)).collect::<Vec<u8>>();
    for records in [output.stdout, logged(&one), logged(&other)] {
        assert_eq!(Sums::of_records(&objects(&records)), Sums::of_capture(&capture));
    }
}

#[test]
fn what_cannot_be_written_is_an_error_that_says_so() {
    let folder = scratch("unwritable");
    let capture = generated(&folder.join("a.pcap"), "--packets 10");
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    for (target, reason) in [
        (format!("json:{}", file.display()), "cannot write to"),
        ("ipfix:tcp://127.0.0.1:1".to_owned(), "cannot reach the collector"),
        ("csv".to_owned(), "there is no format"),
    ] {
        let words = ["flows", "--flow-log", &target, &capture];
        let output =
            std::process::Command::new(mirrorscope_tests::mirrorscope_bin()).args(words).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(reason), "{errors}");
    }
}
