//! `mirrorscope doctor` on this machine, in a network namespace of its own, and over files of the AWS CLI.
#![cfg(target_os = "linux")]

use std::{
    net::{TcpListener, UdpSocket},
    process::{Command, Output},
};

use mirrorscope_tests::{fixture, mirrorscope_bin, skip, tool};
use serde_json::Value;

fn doctor(words: &[&str]) -> (Value, Output) {
    let output = Command::new(mirrorscope_bin()).args(["doctor", "--json"]).args(words).output().unwrap();
    (serde_json::from_slice(&output.stdout).unwrap_or_default(), output)
}

/// The findings of one kind: severity, reason and remedy.
fn found(report: &Value, code: &str) -> Vec<[String; 3]> {
    let findings = report["findings"].as_array().expect("findings");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let of_code = findings.iter().filter(|finding| finding["code"] == code);
    of_code.map(|finding| ["severity", "reason", "remedy"].map(|key| text(finding, key))).collect()
}

#[test]
fn a_small_mtu_is_found_with_the_command_that_mends_it() {
    let Some(unshare) = tool("unshare").filter(|_| tool("ip").is_some()) else {
        return skip("doctor in a namespace; to have it: sudo apt-get install -y util-linux iproute2");
    };
    let script = "ip link add ms0 type veth peer name ms1 && ip link set ms0 mtu 1500 up && ip link set ms1 up \
                  && ip addr add 10.9.0.1/24 dev ms0 && ip route add default dev ms0 || exit 99; exec \"$0\" \"$@\"";
    let run = |words: &[&str]| {
        let mut command = Command::new(&unshare);
        command.args(["--net", "sh", "-c", script]).arg(mirrorscope_bin()).args(["doctor", "--json"]);
        command.args(words).output().unwrap()
    };
    let output = run(&[]);
    if output.status.code() == Some(99) || !output.stdout.starts_with(b"{") {
        return skip("doctor in a namespace: it takes root and virtual interfaces; run the tests as root");
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [severity, reason, remedy] = &found(&report, "interface-mtu")[0];
    assert_eq!((severity.as_str(), remedy.as_str()), ("error", "ip link set dev ms0 mtu 9001"));
    assert!(reason.contains("1432 octets are lost"), "{reason}");
    assert_eq!(output.status.code(), Some(1));
    // Both ends of a virtual cable can be asked for, whatever their routes.
    let report: Value = serde_json::from_slice(&run(&["--interface", "ms0,ms1"]).stdout).unwrap();
    assert_eq!(found(&report, "interface-mtu").len(), 2);
}

#[test]
fn whoever_holds_the_port_is_named() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let (report, output) = doctor(&["--port", &port]);
    let [severity, reason, remedy] = &found(&report, "port")[0];
    let pid = std::process::id().to_string();
    assert!(severity == "error" && reason.contains(&pid), "{reason}");
    assert!(remedy.contains("kill") || remedy.contains("systemctl stop"), "{remedy}");
    assert_eq!(output.status.code(), Some(1));
    drop(socket);
    assert_eq!(found(&doctor(&["--port", &port]).0, "port")[0][0], "fine");
}

#[test]
fn a_health_listener_that_does_not_answer_is_told() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let (report, _) = doctor(&["--health-port", &port]);
    let [severity, reason, _] = &found(&report, "health")[0];
    assert!(severity == "warning" && reason.contains("no answer"), "{reason}");
}

#[test]
fn files_of_the_aws_cli_are_judged_and_broken_ones_refused() {
    let names = ["target-groups", "target-group-attributes", "target-health", "security-groups"];
    let files = names.map(|name| fixture(&format!("aws/describe-{name}.json")).display().to_string());
    let (report, output) = doctor(&files.each_ref().map(String::as_str));
    for (code, severity) in [
        ("health-check-port", "error"),
        ("target-failover", "error"),
        ("target-health", "error"),
        ("security-group-world", "warning"),
        ("security-group-health", "error"),
        ("deregistration-delay", "fine"),
    ] {
        assert_eq!(found(&report, code)[0][0], severity, "{code}");
    }
    let remedy = &found(&report, "target-failover")[0][2];
    assert!(remedy.contains("targetgroup/mirror/") && remedy.contains("Value=rebalance"), "{remedy}");
    assert_eq!(output.status.code(), Some(1));
    let (_, output) = doctor(&[&fixture("mirror/ssm-tcp443.pcap").display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    let (_, output) = doctor(&["--interface", "mirrornone0"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no interface mirrornone0"));
}

#[test]
fn every_finding_of_the_text_stands_on_lines_of_its_own_with_its_remedy() {
    let output = Command::new(mirrorscope_bin()).arg("doctor").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words = ["error ", "warning ", "note ", "fine ", "errors ", "  "];
    assert!(text.lines().all(|line| words.iter().any(|word| line.starts_with(word))), "{text}");
    assert!(text.contains("note     security groups: "), "{text}");
}
