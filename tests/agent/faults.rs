//! What can go wrong around a running agent, one fault a test: packets go on, memory keeps to its bound, and health
//! tells the truth. Faults of sinks and clients that need nothing but loopback are in `serve.rs`.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::Write,
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::{mirrorscope_bin, skip, tool};

#[path = "running.rs"]
mod running;
use running::{Agent, get, is_root, memory_bound, scratch, send};

/// Waits until health answers `status`, and returns its reason.
fn wait_for_health(agent: &Agent, status: u16, within: Duration) -> String {
    let until = Instant::now() + within;
    loop {
        let (answer, reason) = agent.healthy();
        if answer == status {
            return reason;
        }
        assert!(Instant::now() < until, "health stays {answer}: {reason} {}", agent.talk.lock().unwrap());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_worker_that_dies_is_started_again_and_loses_only_the_packet_that_killed_it() {
    let json = scratch("died.json");
    let mut command = Command::new(mirrorscope_bin());
    command.args(["serve", "--health", "127.0.0.1:0", "--api", "127.0.0.1:0", "--listen", "127.0.0.1:0"]);
    command.args(["--workers", "1", "--drain-quiet", "1", "--json"]).arg(&json);
    let mut agent = Agent::spawn({
        command.env("MIRRORSCOPE_PANIC_AT", "700");
        command
    });
    send(&agent.udp, "--packets 2000 --rate 20000");
    if agent.counter("received") == 2000 {
        skip("only debug builds let a worker die: unset MIRRORSCOPE_BIN");
        return;
    }
    let reason = wait_for_health(&agent, 503, Duration::from_secs(2));
    assert!(reason.contains("worker 0 died"), "{reason}");
    wait_for_health(&agent, 200, Duration::from_secs(5));
    agent.settle(2000);
    agent.assert_sums();
    assert_eq!((agent.counter("malformed"), agent.counter("mirrored")), (1, 1999));
    agent.signal("TERM");
    assert!(agent.wait().success());
    assert_eq!(fs::read_to_string(json).unwrap().lines().count(), 1999);
    assert!(agent.talk.lock().unwrap().contains("worker 0 died; it is started again"));
}

#[test]
fn a_reload_under_load_drops_nothing() {
    let config = scratch("reload.toml");
    fs::write(&config, "allow-from = ['127.0.0.0/8']\n").unwrap();
    let agent = Agent::start(&format!("--workers 2 --config {}", config.display()));
    let to = agent.udp.clone();
    let sender = thread::spawn(move || send(&to, "--packets 15000 --rate 10000").0);
    while !sender.is_finished() {
        agent.signal("HUP");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(sender.join().unwrap()["sent"], 15_000);
    agent.settle(15_000);
    assert!(agent.talk.lock().unwrap().matches("reloaded;").count() > 10);
    assert_eq!((agent.counter("mirrored"), agent.counter("kernel_dropped")), (15_000, 0));
}

#[test]
fn a_disk_that_fills_up_costs_one_sink_its_packets_until_there_is_room_again() {
    let (Some(unshare), true) = (tool("unshare"), is_root()) else {
        skip("a small disk of its own takes root and util-linux: run the tests as root");
        return;
    };
    // A file system of 2 MiB that only the agent sees.
    let disk = scratch("disk");
    let _ = fs::create_dir_all(&disk);
    let beside = scratch("beside-disk.json");
    let script = format!(
        "mount -t tmpfs -o size=2m tmpfs {disk} && exec {program} serve --health 127.0.0.1:0 --api 127.0.0.1:0 \
         --listen 127.0.0.1:0 --workers 1 --require-sinks --drain-quiet 1 --disk-floor 0 --write {disk}/full.pcapng --json {beside}",
        disk = disk.display(),
        program = mirrorscope_bin().display(),
        beside = beside.display(),
    );
    let mut command = Command::new(unshare);
    command.args(["--mount", "sh", "-c", &script]);
    let mut agent = Agent::spawn(command);
    let to = agent.udp.clone();
    let sender = thread::spawn(move || send(&to, "--packets 15000 --rate 15000"));
    let reason = wait_for_health(&agent, 503, Duration::from_secs(20));
    assert!(reason.contains("full.pcapng"), "{reason}");
    sender.join().unwrap();
    agent.settle(15_000);
    let stats = agent.stats();
    let dropped = stats["sinks"].as_array().unwrap().iter().map(|sink| sink["dropped"].as_u64().unwrap());
    let dropped: Vec<_> = dropped.collect();
    assert!(dropped.contains(&0) && dropped.iter().any(|count| *count > 0), "{stats}");

    let seen = format!("/proc/{}/root{}", agent.child.id(), disk.display());
    for file in fs::read_dir(seen).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    wait_for_health(&agent, 200, Duration::from_secs(15));
    send(&agent.udp, "--packets 100 --rate 1000");
    agent.settle(15_100);
    agent.signal("TERM");
    assert!(agent.wait().success());
    assert_eq!(fs::read_to_string(beside).unwrap().lines().count(), 15_100);
}

#[test]
fn thousands_of_probes_under_load_are_all_answered_and_cost_no_packet() {
    let words = "--workers 2 --queue 1 --max-flows 1000";
    let agent = Agent::start(words);
    let to = agent.udp.clone();
    let sender = thread::spawn(move || send(&to, "--packets 20000 --rate 10000 --flows 500").0);
    let probers: Vec<_> = (0..4)
        .map(|_| {
            let health = agent.health.clone();
            thread::spawn(move || (0..750).filter(|_| get(&health, "/", "").0 == 200).count())
        })
        .collect();
    let answered: usize = probers.into_iter().map(|prober| prober.join().unwrap()).sum();
    assert_eq!(answered, 3000);
    assert_eq!(sender.join().unwrap()["sent"], 20_000);
    agent.settle(20_000);
    assert_eq!((agent.counter("received"), agent.counter("kernel_dropped")), (20_000, 0));
    let (held, bound) = (agent.memory_len(), memory_bound(words));
    assert!(held < bound, "it holds {held} octets, and promised {bound}");
}

#[test]
fn answers_that_nobody_reads_are_few_and_given_up_with_their_connections() {
    let words = "--workers 1 --queue 1 --max-flows 20000";
    let agent = Agent::start(words);
    let sent =
        send(&agent.udp, "--packets 60000 --rate 30000 --flows 20000 --small").0["sent"].as_u64().unwrap();
    agent.settle(sent);
    assert!(agent.stats()["flows"].as_u64().unwrap() > 10_000);
    let one_len = agent.get("/v1/flows?limit=100000").1.len() as u64;
    let stuck: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(&agent.api).unwrap();
            write!(stream, "GET /v1/flows?limit=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            stream
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(60);
    while get(&agent.api, "/v1/flows?limit=1", "").0 != 503 {
        assert!(Instant::now() < until, "{one_len} octets each, and nobody is refused");
        thread::sleep(Duration::from_millis(100));
    }
    let (held, bound) = (agent.memory_len(), memory_bound(words));
    assert!(held < bound && 50 * one_len > bound, "it holds {held} octets, and promised {bound}");
    assert_eq!((agent.healthy().0, agent.get("/v1/stats").0), (200, 200));
    drop(stuck);
    while get(&agent.api, "/v1/flows?limit=1", "").0 != 200 {
        assert!(Instant::now() < until, "nobody reads any more, and it still refuses");
        thread::sleep(Duration::from_millis(100));
    }
}
