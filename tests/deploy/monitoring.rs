//! The alert rules and the dashboard: right for Prometheus, and about counters that the agent really has.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::{mirrorscope_bin, workspace_root};
use serde_json::Value;

use super::{deploy, empty_dir, need, run};

const DASHBOARD: &str = "monitoring/grafana/dashboard.json";
const PROMETHEUS: &str = "sudo apt-get install -y prometheus";

#[test]
fn promtool_finds_no_fault_and_every_alert_fires_on_what_it_is_for() {
    let Some(promtool) = need("promtool", "the alert rules", PROMETHEUS) else { return };
    run(Command::new(&promtool).args(["check", "rules", "monitoring/alerts.yaml"]));
    run(Command::new(&promtool).args(["check", "config", "monitoring/prometheus.yaml"]));
    run(Command::new(&promtool).args(["test", "rules", "monitoring/alerts.test.yaml"]));
    let [rules, tests] = ["alerts.yaml", "alerts.test.yaml"]
        .map(|file| fs::read_to_string(deploy().join("monitoring").join(file)).expect("it is there"));
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let fires = tests.contains(&format!("- alertname: {alert}\n"));
        assert!(fires && tests.contains(&format!("alertname: {alert}, ")), "{alert} is not tested");
    }
}

#[test]
fn every_counter_that_is_looked_at_is_one_that_the_agent_has() {
    let agent = Agent::start();
    let scraped = counters(&agent.metrics());
    for file in ["monitoring/alerts.yaml", DASHBOARD] {
        let text = fs::read_to_string(deploy().join(file)).expect("it is there");
        let named = counters(&text);
        assert!(named.len() > 5, "{file}: {named:?}");
        let unknown: Vec<_> = named.difference(&scraped).collect();
        assert!(unknown.is_empty(), "{file} looks at {unknown:?}; there is {scraped:?}");
    }
}

#[test]
fn prometheus_scrapes_the_agent_and_answers_every_panel() {
    let Some(prometheus) = need("prometheus", "the dashboard's questions", PROMETHEUS) else { return };
    let agent = Agent::start();
    let dir = empty_dir("prometheus");
    let settings = fs::read_to_string(deploy().join("monitoring/prometheus.yaml")).expect("it is there");
    let settings = settings.replace("127.0.0.1:8081", &agent.api).replace("15s", "1s");
    fs::write(dir.join("prometheus.yaml"), settings).expect("it can be written");
    fs::copy(deploy().join("monitoring/alerts.yaml"), dir.join("alerts.yaml")).expect("it can be copied");
    let address = free_address();
    let _server = Server(
        Command::new(prometheus)
            .arg(format!("--config.file={}", dir.join("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts"),
    );
    let uptime = || query(&address, "mirrorscope_uptime_seconds");
    wait_until("prometheus has scraped the agent", || {
        uptime().is_some_and(|answer| answer["data"]["result"][0]["value"][1] != Value::Null)
    });
    for expression in expressions() {
        let answer = query(&address, &expression).expect("prometheus answers");
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
    }
    let healthy = query(&address, "sum(mirrorscope_healthy)").expect("prometheus answers");
    assert_eq!(healthy["data"]["result"][0]["value"][1], "1", "{healthy}");
}

/// Every question of the dashboard, its variables filled in.
fn expressions() -> Vec<String> {
    let text = fs::read_to_string(deploy().join(DASHBOARD)).expect("it is there");
    let dashboard: Value = serde_json::from_str(&text).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions: Vec<String> = targets
        .map(|target| target["expr"].as_str().expect("a text"))
        .map(|text| text.replace("$instance", ".*").replace("$__rate_interval", "1m"))
        .collect();
    assert!(expressions.len() > 10);
    expressions
}

/// Every name in the text that begins as the agent's do.
fn counters(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("mirrorscope_")).map(str::to_owned).collect()
}

struct Agent {
    child: Child,
    api: String,
}

impl Agent {
    /// An agent with a sink, because the counters of sinks exist only where there is one.
    fn start() -> Self {
        let words = "serve --listen 127.0.0.1:0 --health 127.0.0.1:0 --api 127.0.0.1:0 --text /dev/null";
        let mut child = Command::new(mirrorscope_bin())
            .args(words.split(' '))
            .current_dir(workspace_root())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut talk =
            BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let line = talk.find(|line| line.contains("API on")).expect("the agent says where its API is");
        let api = line.rsplit('/').next().expect("an address").to_owned();
        assert!(talk.any(|line| line.contains("receiving on")), "the agent says that it receives");
        thread::spawn(move || talk.for_each(drop));
        Self { child, api }
    }

    fn metrics(&self) -> String {
        get(&self.api, "/metrics").expect("the agent answers")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("it is bound").to_string()
}

fn query(address: &str, expression: &str) -> Option<Value> {
    let escaped: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
    serde_json::from_str(&get(address, &format!("/api/v1/query?query={escaped}"))?).ok()
}

/// The body of an answer. HTTP/1.0, so that it comes in one piece.
fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < until, "never: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}
