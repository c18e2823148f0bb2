//! The agent under an operator's hands: its options, systemd, and the privileges that it gives up.
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use mirrorscope_tests::{mirrorscope_bin, skip, tool};

#[path = "running.rs"]
mod running;
use running::{Agent, count, is_root, scratch, send, wait_for};

fn check(words: &[&str]) -> (bool, String) {
    let output = Command::new(mirrorscope_bin()).args(["serve", "--check"]).args(words).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_check_finds_what_is_wrong_and_leaves_everything_as_it_is() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = port.local_addr().unwrap().to_string();
    let capture = scratch("checked.pcapng");
    let words = ["--write", capture.to_str().unwrap(), "tcp port 443"];
    let (is_fine, text) = check(&[&["--listen", &taken], words.as_slice()].concat());
    assert!(is_fine && text.contains("in order"), "{text}");
    assert!(text.contains(&format!("{taken} is taken")) && text.contains("--port or --listen"), "{text}");
    assert!(!check(&[&["--listen", "127.0.0.1:0"], words.as_slice()].concat()).1.contains("taken"));
    assert!(!capture.exists());
    let apart = ["--health", "127.0.0.2:9", "--api", "127.0.0.1:9"];
    assert!(!check(&apart).1.contains("are one place"));
    for (words, wanted) in [
        (["tcp porrt 443"].as_slice(), "porrt"),
        (&["--mode", "auto"], "no mirror endpoint"),
        (&["--api", "0.0.0.0:8081"], "would show everyone"),
        (&["--write", "/no/such/folder/m.pcapng"], "no folder /no/such/folder"),
        (&["--keep-files", "3"], "--rotate-size"),
        (&["--outer"], "--write <FILE>"),
        (&["--text", "/"], "this is a directory"),
        (&["--health", "127.0.0.1:9", "--api", "127.0.0.1:9"], "are one place"),
        (&["--health", "0.0.0.0:9", "--api", "127.0.0.1:9"], "are one place"),
        (&["--health", "[::]:9", "--api", "127.0.0.1:9"], "are one place"),
        (&["--tap", "a/b"], "make a name"),
        (&["--vxlan", "10.0.0.1:4789,x"], "not an address with a port"),
        (&["--api-token-file", "/no/such/token"], "cannot read /no/such/token"),
        (&["--targets", "/no/such/targets.json"], "/no/such/targets.json"),
        (&["--listen", "192.0.2.1:6081"], "must be an address of this machine"),
        (&["--health", "192.0.2.1:8080"], "--health: cannot listen on 192.0.2.1:8080"),
    ] {
        let (is_fine, text) = check(words);
        assert!(!is_fine && text.contains(wanted), "{words:?}: {text}");
    }
}

#[test]
fn a_configuration_file_is_read_and_its_faults_are_told_by_line() {
    let file = scratch("operations.toml");
    let path = file.to_str().unwrap();
    fs::write(&file, "# the agent\nworkers = 2\nfilter = 'udp'\nallow-from = ['127.0.0.0/8']\n").unwrap();
    assert!(check(&["--config", path]).0);
    let agent = Agent::start(&format!("--config {path} --workers 3"));
    assert_eq!(agent.stats()["workers"], 3);
    fs::write(&file, "workers = 2\nworkres = 3\n").unwrap();
    let (is_fine, text) = check(&["--config", path]);
    assert!(!is_fine && text.contains("line 2: there is no option workres"), "{text}");
    assert!(text.contains("hint: did you mean workers?"), "{text}");
    // An option and what it needs may come from two places.
    fs::write(&file, "write = 'mirror.pcapng'\nkeep-files = 3\n").unwrap();
    let (is_fine, text) = check(&["--config", path]);
    assert!(!is_fine && text.contains("--rotate-size"), "{text}");
    let (is_fine, text) = check(&["--config", path, "--rotate-packets", "5", "--outer"]);
    assert!(is_fine, "{text}");
}

#[test]
fn systemd_is_told_of_every_state() {
    let path = scratch("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let hear = |wanted: &str| {
        let mut heard = Vec::new();
        let mut message = [0; 512];
        let until = Instant::now() + Duration::from_secs(10);
        // The watchdog's messages go on for ever.
        while let (Ok(len), true) = (socket.recv(&mut message), Instant::now() < until) {
            let text = String::from_utf8_lossy(&message[..len]).into_owned();
            if text.lines().any(|line| line == wanted) {
                return text;
            }
            heard.push(text);
        }
        panic!("it never says {wanted}: {heard:?}");
    };
    let mut agent = Agent::start_with(
        &[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "300000")],
        "127.0.0.1:0",
        "--drain-quiet 1",
    );
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    agent.signal("HUP");
    assert!(hear("RELOADING=1").contains("MONOTONIC_USEC="));
    hear("READY=1");
    agent.signal("TERM");
    hear("STOPPING=1");
    assert!(agent.wait().success());
}

/// What the threads of a process may do, as the kernel tells it: name and effective capabilities.
fn capabilities(agent: &Agent) -> Vec<u64> {
    let tasks = fs::read_dir(format!("/proc/{}/task", agent.child.id())).unwrap();
    let effective = |status: String| {
        let line = status.lines().find(|line| line.starts_with("CapEff")).unwrap().to_owned();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    let mut all: Vec<_> = tasks
        .map(|task| effective(fs::read_to_string(task.unwrap().path().join("status")).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn after_the_start_only_the_thread_of_a_tap_has_a_capability() {
    if !is_root() {
        return skip("capabilities can only be given up by who has some: run the tests as root");
    }
    const NET_ADMIN: u64 = 1 << 12;
    for (words, wanted) in [("--json /dev/null", 0), ("--mode inline", 0), ("--tap mstap3", NET_ADMIN)] {
        let agent = Agent::start(&format!("--workers 2 {words}"));
        let all = capabilities(&agent);
        assert_eq!(
            all.iter().filter(|held| **held != 0).count(),
            usize::from(wanted != 0),
            "{words}: {all:x?}"
        );
        assert_eq!(*all.last().unwrap(), wanted, "{words}: {all:x?}");
        // Inline packets go back all the same.
        send(&agent.udp, "--packets 100 --rate 2000 --inline 0.5");
        agent.settle(100);
        let returned = agent.counter("returned");
        assert_eq!(returned > 0, words.contains("inline"), "{words}");
    }
}

/// The program in a folder that an ordinary user may enter, and a folder for its files.
fn for_nobody(name: &str) -> (PathBuf, PathBuf) {
    let folder = env::temp_dir().join(format!("mirrorscope-{name}-{}", std::process::id()));
    let (program, files) = (folder.join("mirrorscope"), folder.join("files"));
    fs::create_dir_all(&files).unwrap();
    fs::copy(mirrorscope_bin(), &program).unwrap();
    for (path, mode) in [(&folder, 0o755), (&program, 0o755), (&files, 0o777)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    (program, files)
}

#[test]
fn receiving_needs_no_privilege_and_what_does_says_which() {
    let Some(setpriv) = tool("setpriv").filter(|_| is_root()) else {
        return skip("running as nobody takes setpriv and root: run the tests as root");
    };
    let (program, files) = for_nobody("nobody");
    let as_nobody =
        ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];
    let capture = files.join("m.pcapng");
    let mut command = Command::new(&setpriv);
    command.args(as_nobody).arg(&program);
    let mut agent =
        Agent::start_by(command, "127.0.0.1:0", &format!("--write {} --drain-quiet 1", capture.display()));
    send(&agent.udp, "--packets 500 --rate 4000");
    agent.settle(500);
    assert!(capabilities(&agent).iter().all(|held| *held == 0));
    assert_eq!(agent.healthy().0, 200);
    agent.signal("INT");
    assert!(agent.wait().success());
    assert_eq!(count(&capture), 500);

    let refused = |words: &[&str]| -> Output {
        let fixed = ["serve", "--listen", "127.0.0.1:0", "--health", "none", "--api", "none"];
        // One that is not refused would run for ever.
        let mut command = Command::new("timeout");
        command.arg("10").arg(&setpriv).args(as_nobody).arg(&program).args(fixed).args(words);
        command.output().unwrap()
    };
    for (words, capability) in
        [(["--tap", "mstap4"].as_slice(), "CAP_NET_ADMIN"), (&["--mode", "inline"], "CAP_NET_RAW")]
    {
        let output = refused(words);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(capability), "{words:?}: {text}");
        let setcap = format!("setcap {}+ep", capability.to_ascii_lowercase());
        assert!(text.contains(&setcap), "{text}");
    }
    fs::remove_dir_all(files.parent().unwrap()).unwrap();
}

#[test]
fn a_check_finds_what_this_user_may_not() {
    let Some(setpriv) = tool("setpriv").filter(|_| is_root()) else {
        return skip("running as nobody takes setpriv and root: run the tests as root");
    };
    let (program, files) = for_nobody("check");
    let [closed, kept] = ["closed", "kept.json"].map(|name| files.join(name));
    fs::create_dir(&closed).unwrap();
    fs::write(&kept, "").unwrap();
    let path = |path: &PathBuf| path.display().to_string();
    let inside = path(&closed.join("m.pcapng"));
    let check = |user: &[&str], words: &[&str]| {
        let mut command = Command::new(&setpriv);
        let output =
            command.args(user).arg(&program).args(["serve", "--check"]).args(words).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    for (words, wanted) in [
        (["--write", inside.as_str()], "may not write to"),
        (["--json", &path(&kept)], "may not write to"),
        (["--api", &format!("unix:{}/api", path(&closed))], "--api: the agent may not write to"),
        (["--flow-log", &format!("json:{}/logs", path(&closed))], "--flow-log: the agent may not write to"),
        (["--tap", "mstap5"], "--tap takes CAP_NET_ADMIN"),
        (["--mode", "inline"], "--mode inline or auto takes CAP_NET_RAW"),
        (["--receive", "ring"], "--receive ring takes CAP_NET_RAW"),
    ] {
        let (is_fine, text) = check(&nobody, &words);
        assert!(!is_fine && text.contains(wanted) && text.contains("hint: "), "{words:?}: {text}");
    }
    assert!(check(&nobody, &["--write", &path(&files.join("m.pcapng"))]).0);
    // What root may only because it is root, the agent will not be able to.
    std::os::unix::fs::chown(&closed, Some(65534), Some(65534)).unwrap();
    let (is_fine, text) = check(&["--reuid=0"], &["--write", &inside]);
    assert!(!is_fine && text.contains("root has no more rights than others"), "{text}");
    assert!(check(&nobody, &["--write", &inside]).0);
    fs::remove_dir_all(files.parent().unwrap()).unwrap();
}

#[test]
fn whoever_has_read_enough_may_go() {
    let capture = scratch("enough.pcap");
    let made = Command::new(mirrorscope_bin())
        .args(["send", "--quiet", "--generate", "--packets", "20000", "-w"])
        .arg(&capture)
        .status();
    assert!(made.unwrap().success());
    let path = capture.to_str().unwrap();
    for words in [["read", path].as_slice(), &["read", "--json", path], &["flows", "--json", path]] {
        let mut command = Command::new(mirrorscope_bin());
        let mut child = command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty() && child.wait().unwrap().success(), "{words:?}");
    }
}

#[test]
fn nobody_who_listens_is_no_reason_to_stop() {
    let json = scratch("unheard.json");
    let mut command = Command::new(mirrorscope_bin());
    command.args(["serve", "--listen", "127.0.0.1:0", "--health", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    command.args(["--drain-quiet", "1", "--allow-from", "10.0.0.0/8,127.0.0.0/8", "--json"]).arg(&json);
    let mut agent = Agent::spawn_and_leave(command);
    // Each of these makes the agent say something.
    send(&agent.udp, "--packets 300 --rate 3000 --inline 0.5");
    agent.settle(300);
    agent.signal("HUP");
    std::thread::sleep(Duration::from_millis(1500));
    send(&agent.udp, "--packets 300 --rate 3000 --inline 0.5");
    agent.settle(600);
    assert_eq!(agent.healthy(), (200, "ok\n".to_owned()));
    agent.signal("TERM");
    assert!(agent.wait().success());
    assert_eq!(fs::read_to_string(json).unwrap().lines().count(), 600);
}

#[test]
fn a_filter_is_reloaded_and_a_broken_one_keeps_the_old() {
    let (config, json) = (scratch("reload.toml"), scratch("reload.json"));
    fs::write(&config, "filter = 'udp'\n").unwrap();
    let agent = Agent::start(&format!("--workers 1 --config {} --json {}", config.display(), json.display()));
    let offered = || agent.stats()["sinks"][0]["offered"].as_u64().unwrap();
    send(&agent.udp, "--packets 400 --rate 4000 --seed 1");
    agent.settle(400);
    let udp = offered();
    fs::write(&config, "filter = 'udp or'\n").unwrap();
    agent.signal("HUP");
    wait_for(&agent, "the old settings stay");
    send(&agent.udp, "--packets 400 --rate 4000 --seed 1");
    agent.settle(800);
    assert_eq!(offered(), 2 * udp);
    fs::write(&config, "filter = 'not udp'\n").unwrap();
    agent.signal("HUP");
    wait_for(&agent, "reloaded;");
    send(&agent.udp, "--packets 400 --rate 4000 --seed 1");
    agent.settle(1200);
    assert!(udp > 0 && udp < 400, "{udp}");
    assert_eq!(offered(), 2 * udp + (400 - udp));
}
