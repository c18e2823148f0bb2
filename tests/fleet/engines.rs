//! The engines that read flow logs: DuckDB in one process, Spark as a cluster of processes.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use mirrorscope_tests::{python_tool, skip, tool, workspace_root};
use serde_json::Value;

use crate::{Server, free_port, wait_until};

/// DuckDB's own program, or the reason why there is none.
pub(crate) fn duckdb() -> Option<PathBuf> {
    let found = python_tool("duckdb");
    if found.is_none() {
        skip("flow logs in DuckDB; to have it: pip install duckdb-cli");
    }
    found
}

/// The rows of the last statement.
pub(crate) fn ask(duckdb: &Path, sql: &str) -> Vec<Value> {
    let output = Command::new(duckdb).args(["-json", "-c", sql]).output().expect("duckdb starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{sql}\n{errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    // Statements that make views print an empty line or nothing.
    let rows = text.trim();
    if rows.is_empty() { Vec::new() } else { serde_json::from_str(rows).unwrap_or_else(|_| panic!("{rows}")) }
}

/// A Spark cluster on this machine: a master and two workers, each a process.
pub(crate) struct Cluster {
    python: PathBuf,
    master: String,
    victim: u32,
    _servers: Vec<Server>,
}

/// What the cluster said.
pub(crate) struct Answers {
    pub(crate) rows: Vec<Vec<Value>>,
    /// The rows of the query during which a worker died.
    pub(crate) again: Vec<Value>,
    pub(crate) executors_before: u64,
    pub(crate) executors_after: u64,
}

impl Cluster {
    /// Starts the cluster; `None`, and says why, where Spark or Java is missing.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let Some(spark) = python_tool("spark-class").filter(|_| tool("java").is_some()) else {
            skip(
                "queries on a Spark cluster; to have it: sudo apt-get install default-jre-headless && pip install pyspark==4.3.0",
            );
            return None;
        };
        let python = spark.with_file_name("python");
        let home = Command::new(&python)
            .args(["-c", "import pyspark, os; print(os.path.dirname(pyspark.__file__))"])
            .output()
            .ok()?;
        let home = PathBuf::from(String::from_utf8_lossy(&home.stdout).trim());
        let [port, web] = [free_port(), free_port()];
        let start = |name: &str, words: String| {
            let mut command = Command::new(home.join("bin/spark-class"));
            command
                .env("SPARK_HOME", &home)
                .env("SPARK_LOCAL_IP", "127.0.0.1")
                .env("SPARK_WORKER_DIR", folder.join(name));
            // Its other way to take applications has a port of its own that nobody needs.
            command.env("SPARK_MASTER_OPTS", "-Dspark.master.rest.enabled=false");
            command.env("SPARK_DAEMON_JAVA_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
            command.env("SPARK_DAEMON_MEMORY", "384m").env("PYSPARK_PYTHON", &python);
            command.args(words.split(' ')).current_dir(folder);
            Server::start(&mut command, &folder.join(format!("{name}.log")))
        };
        let deploy = "org.apache.spark.deploy";
        let master = start(
            "master",
            format!("{deploy}.master.Master --host 127.0.0.1 --port {port} --webui-port {web}"),
        );
        let worker = |number: u8| {
            let words = format!(
                "{deploy}.worker.Worker --host 127.0.0.1 --cores 1 --memory 768m --webui-port {} spark://127.0.0.1:{port}",
                free_port()
            );
            start(&format!("worker-{number}"), words)
        };
        let workers = [worker(1), worker(2)];
        let victim = workers[1].id();
        let cluster = Self {
            python,
            master: format!("spark://127.0.0.1:{port}"),
            victim,
            _servers: [master].into_iter().chain(workers).collect(),
        };
        wait_until("two workers are alive", || page(web).matches("\"state\" : \"ALIVE\"").count() == 2);
        Some(cluster)
    }

    /// The rows of each script; the worker dies while the one named `again` runs once more at the end.
    pub(crate) fn ask(&mut self, folder: &Path, scripts: &[(&str, String)], again: Option<&str>) -> Answers {
        let [plan, answer] = ["plan.json", "answer.json"].map(|name| folder.join(name));
        let content = serde_json::json!({
            "master": self.master, "folder": folder, "scripts": scripts, "again": again, "victim": self.victim,
            "answer": answer,
        });
        fs::write(&plan, content.to_string()).unwrap();
        let mut command = Command::new("timeout");
        command.arg("600").arg(&self.python).arg(workspace_root().join("tests/fleet/spark.py")).arg(plan);
        let output = command.env("SPARK_LOCAL_IP", "127.0.0.1").output().expect("python starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&fs::read(answer).expect("an answer")).unwrap();
        let rows = |value: &Value| value.as_array().expect("rows").clone();
        Answers {
            rows: answer["rows"].as_array().expect("a list").iter().map(rows).collect(),
            again: rows(&answer["again"]),
            executors_before: answer["executors_before"].as_u64().unwrap(),
            executors_after: answer["executors_after"].as_u64().unwrap(),
        }
    }
}

/// What the master says of itself.
fn page(port: u16) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut text = String::new();
    let asked = write!(stream, "GET /json/ HTTP/1.0\r\nHost: x\r\n\r\n");
    // A master that is not ready yet says nothing, or half of it.
    let _ = asked.and_then(|()| stream.read_to_string(&mut text));
    text
}
