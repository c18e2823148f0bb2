//! The script that answers Auto Scaling, with instance metadata, the AWS command line and systemctl played by the test.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::{deploy, empty_dir, need};

/// What metadata and the agent answer at the moment.
#[derive(Default)]
struct World {
    wanted: &'static str,
    healthy: bool,
}

#[test]
fn launch_waits_for_health_and_termination_for_the_drain() {
    if need("curl", "the lifecycle script", "sudo apt-get install -y curl").is_none() {
        return;
    }
    let dir = empty_dir("lifecycle");
    let log = dir.join("log");
    fs::write(&log, "").expect("it can be written");
    // It takes a while to drain, and only then may the hook be completed.
    program(&dir, "systemctl", "echo \"systemctl $*\" >> \"$LOG\"; sleep 0.3; echo drained >> \"$LOG\"");
    program(&dir, "aws", "echo \"aws $*\" >> \"$LOG\"");

    let world = Arc::new(Mutex::new(World { wanted: "InService", healthy: false }));
    let address = serve(Arc::clone(&world));
    let mut script = Command::new(deploy().join("package/lifecycle"))
        .env("PATH", format!("{}:{}", dir.display(), std::env::var("PATH").expect("a path")))
        .envs([("AUTO_SCALING_GROUP", "a-group"), ("AWS_REGION", "eu-west-1"), ("MIRRORSCOPE_PAUSE", "0.1")])
        .env("MIRRORSCOPE_METADATA", format!("http://{address}"))
        .env("MIRRORSCOPE_HEALTH", format!("http://{address}/health"))
        .env("LOG", &log)
        .stderr(Stdio::inherit())
        .spawn()
        .expect("it starts");

    thread::sleep(Duration::from_millis(500));
    assert_eq!(read(&log), "", "it completed the launch of an agent that is not healthy");
    world.lock().expect("nobody panicked").healthy = true;
    wait_for(&log, "--lifecycle-hook-name launch");
    world.lock().expect("nobody panicked").wanted = "Terminated";
    wait_for(&log, "--lifecycle-hook-name terminate");
    assert!(script.wait().expect("it is our child").success());

    let hook = |name: &str| {
        format!(
            "aws autoscaling complete-lifecycle-action --region eu-west-1 --auto-scaling-group-name a-group \
             --lifecycle-hook-name {name} --instance-id i-0123 --lifecycle-action-result CONTINUE\n"
        )
    };
    let wanted =
        format!("{}systemctl stop mirrorscope.service\ndrained\n{}", hook("launch"), hook("terminate"));
    assert_eq!(read(&log), wanted);
}

fn program(dir: &Path, name: &str, script: &str) {
    let file = dir.join(name);
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

fn read(log: &Path) -> String {
    fs::read_to_string(log).expect("it is there")
}

fn wait_for(log: &Path, text: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    while !read(log).contains(text) {
        assert!(Instant::now() < until, "never: {text}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn serve(world: Arc<Mutex<World>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, &world)));
    address
}

/// Version 2 of instance metadata: nothing without a token.
fn answer(mut stream: TcpStream, world: &Mutex<World>) {
    let lines: Vec<String> =
        BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let has_token = lines.iter().any(|line| line == "X-aws-ec2-metadata-token: a-token");
    let world = world.lock().expect("nobody panicked");
    let words: Vec<&str> = lines.first().map_or("", String::as_str).split(' ').collect();
    let (status, body) = match words.as_slice() {
        ["PUT", "/latest/api/token", ..] => ("200 OK", "a-token"),
        ["GET", "/health", ..] if world.healthy => ("200 OK", "ok"),
        ["GET", "/health", ..] => ("503 Service Unavailable", "starting"),
        ["GET", "/latest/meta-data/instance-id", ..] if has_token => ("200 OK", "i-0123"),
        ["GET", "/latest/meta-data/autoscaling/target-lifecycle-state", ..] if has_token => {
            ("200 OK", world.wanted)
        }
        _ => ("401 Unauthorized", ""),
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}
