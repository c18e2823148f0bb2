//! Flow logs of the running agent: every packet is in them once, while it runs, when it ends, and around its death.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use mirrorscope_tests::mirrorscope_bin;
use serde_json::Value;

use crate::{Sums, files_below, gunzip, mirrorscope, objects, scratch, wait_until};

/// An agent that receives on 127.0.0.1 and writes flow logs.
pub(crate) struct Agent {
    child: Child,
    pub(crate) udp: String,
    talk: Arc<Mutex<String>>,
}

impl Agent {
    pub(crate) fn start(words: &str, environment: &[(&str, &str)]) -> Self {
        let fixed = "serve --listen 127.0.0.1:0 --health none --api none --drain-quiet 1 --workers 2";
        let mut child = Command::new(mirrorscope_bin())
            .args(fixed.split_whitespace().chain(words.split_whitespace()))
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let talk = Arc::new(Mutex::new(String::new()));
        let udp = loop {
            let line = lines.next().expect("it says where it receives").expect("text");
            if let Some((_, rest)) = line.split_once("receiving on UDP ") {
                break rest.split(',').next().unwrap_or_default().to_owned();
            }
            talk.lock().unwrap().push_str(&format!("{line}\n"));
        };
        let heard = Arc::clone(&talk);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self { child, udp, talk }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it in order, which succeeds; what it said.
    pub(crate) fn stop(self) -> String {
        let (succeeds, talk) = self.end();
        assert!(succeeds, "{talk}");
        talk
    }

    /// Stops it in order, which does not succeed; what it said.
    pub(crate) fn fails(self) -> String {
        let (succeeds, talk) = self.end();
        assert!(!succeeds, "{talk}");
        talk
    }

    fn end(mut self) -> (bool, String) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        let mut status = None;
        wait_until("the agent stops", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        thread::sleep(Duration::from_millis(50));
        let talk = self.talk.lock().unwrap().clone();
        (status.is_some_and(|status| status.success()), talk)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn send(to: &str, words: &str) {
    let fixed = ["send", "--quiet", "--generate", "--wait", "0.1", "--to", to];
    mirrorscope(&[&fixed[..], &words.split_whitespace().collect::<Vec<_>>()].concat());
}

/// The sums of a capture of what `send` would send.
pub(crate) fn sums_of(folder: &Path, words: &str) -> Sums {
    let capture = folder.join("sent.pcap").display().to_string();
    mirrorscope(
        &[
            &["send", "--quiet", "--generate", "-w", &capture],
            &words.split_whitespace().collect::<Vec<_>>()[..],
        ]
        .concat(),
    );
    Sums::of_capture(&capture)
}

/// The records in whole files of JSON lines.
fn records(place: &Path) -> Vec<Value> {
    let is_whole = |path: &&PathBuf| !path.file_name().unwrap_or_default().to_string_lossy().starts_with('.');
    let files = files_below(place);
    files.iter().filter(is_whole).flat_map(|path| objects(&gunzip(path))).collect()
}

const WORDS: &str =
    "--packets 6000 --flows 300 --sessions 4 --endpoints 2 --inline 0.1 --ipv6 0.2 --rate 3000";

#[test]
fn every_packet_is_in_the_log_once_when_the_agent_has_ended() {
    let folder = scratch("agent-end");
    let place = folder.join("logs");
    let (vpc, json) = (folder.join("vpc"), place.display());
    let words = format!(
        "--flow-log json:{json} --flow-log vpc:{} --flow-log-interval 1 --flow-log-file 1",
        vpc.display()
    );
    let agent = Agent::start(&words, &[]);
    send(&agent.udp, WORDS);
    let talk = agent.stop();
    let records = records(&place);
    assert_eq!(Sums::of_records(&records), sums_of(&folder, WORDS), "{talk}");
    assert!(
        records.iter().any(|record| record["end_reason"] == "active"),
        "some flows lasted for longer than a second"
    );
    assert!(files_below(&place).len() > 1, "files are finished by age");
    let lines: String =
        files_below(&vpc).iter().map(|path| String::from_utf8(gunzip(path)).unwrap()).collect();
    assert_eq!(Sums::of_lines(&lines), Sums::of(&records, ["packets", "bytes"]));
    assert!(talk.contains("lost 0"), "{talk}");
}

#[test]
fn a_killed_agent_leaves_whole_files_and_the_next_one_adds_to_them() {
    let folder = scratch("agent-kill");
    let place = folder.join("logs");
    let words =
        format!("--agent-id one --flow-log json:{} --flow-log-interval 1 --flow-log-file 1", place.display());
    let agent = Agent::start(&words, &[]);
    send(&agent.udp, WORDS);
    let all = sums_of(&folder, WORDS);
    // What goes on is told of within a second, and its file is finished within another.
    wait_until("the files hold all packets", || Sums::of_records(&records(&place)) == all);
    agent.kill();
    let agent = Agent::start(&words, &[]);
    send(&agent.udp, WORDS);
    agent.stop();
    assert_eq!(Sums::of_records(&records(&place)), all + all);
}

#[test]
fn a_time_without_packets_is_told_of() {
    let folder = scratch("agent-silence");
    let place = folder.join("logs");
    let words = format!("--flow-log json:{} --flow-log-interval 1 --flow-log-file 1", place.display());
    let agent = Agent::start(&words, &[]);
    wait_until("an interval has passed", || {
        records(&place).iter().any(|record| record["log_status"] == "NODATA")
    });
    agent.stop();
    let records = records(&place);
    let silence = records.iter().find(|record| record["log_status"] == "NODATA").unwrap();
    assert_eq!(silence["end"].as_i64().unwrap() - silence["start"].as_i64().unwrap(), 1);
    assert!(silence["packets"].is_null() && silence["srcaddr"].is_null());
}

#[test]
fn a_check_of_the_options_writes_nothing() {
    let folder = scratch("agent-check");
    let place = folder.join("logs");
    mirrorscope(&["serve", "--check", "--flow-log", &format!("json:{}", place.display())]);
    assert!(fs::read_dir(&place).is_err());
}
