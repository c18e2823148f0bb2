//! Where the agent's packets end up: series of captures, TAP devices, collectors of VXLAN.
#![cfg(target_os = "linux")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mirrorscope_tests::{mirrorscope_bin, skip, tool};

#[path = "running.rs"]
mod running;
use running::{Agent, count, is_root, scratch, send};

/// An empty folder.
fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "never: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_series_by_count_holds_every_packet_once_and_keeps_the_last_files_across_restarts() {
    for ending in ["pcapng", "pcapng.gz", "pcapng.zst"] {
        let folder = folder(&format!("series-{ending}"));
        let stranger = folder.join(format!("mirror-of-somebody-else.{ending}"));
        fs::write(&stranger, "not ours").unwrap();
        let target = folder.join(format!("mirror.{ending}"));
        let words = |keep: &str| {
            format!("--workers 1 --write {} --rotate-packets 100 --drain-quiet 1 {keep}", target.display())
        };
        let mut agent = Agent::start(&words(""));
        send(&agent.udp, "--packets 1000 --rate 4000");
        agent.settle(1000);
        agent.signal("INT");
        assert!(agent.wait().success());
        let series: Vec<_> = files(&folder).into_iter().filter(|file| *file != stranger).collect();
        assert!(series.len() > 2 && series.iter().all(|file| file.to_string_lossy().ends_with(ending)));
        assert_eq!(series.iter().map(count).sum::<u64>(), 1000, "{series:?}");
        let magic = fs::read(&series[0]).unwrap()[..2].to_vec();
        let wanted: &[u8] = match ending {
            "pcapng.gz" => &[0x1f, 0x8b],
            "pcapng.zst" => &[0x28, 0xb5],
            _ => &[0x0a, 0x0d],
        };
        assert_eq!(magic, wanted);
        if let Some(capinfos) = tool("capinfos").filter(|_| ending != "pcapng.zst") {
            let told = Command::new(capinfos).arg("-c").args(&series).output().unwrap();
            assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        }

        let mut agent = Agent::start(&words("--keep-files 2"));
        send(&agent.udp, "--packets 500 --rate 4000");
        agent.settle(500);
        agent.signal("INT");
        assert!(agent.wait().success());
        let kept: Vec<_> = files(&folder).into_iter().filter(|file| *file != stranger).collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(stranger.exists() && kept.iter().all(|file| !series.contains(file)), "{kept:?}");
    }
}

#[test]
fn a_series_by_time_finishes_files_although_no_packet_comes() {
    let folder = folder("series-time");
    let agent = Agent::start(&format!("--write {}/m.pcapng --rotate-seconds 1", folder.display()));
    send(&agent.udp, "--packets 10 --rate 1000");
    agent.settle(10);
    let is_finished = || files(&folder).iter().any(|file| file.extension().is_some_and(|e| e == "pcapng"));
    wait_until("a file is finished", is_finished);
    let finished = files(&folder).into_iter().find(|file| file.extension().is_some_and(|e| e == "pcapng"));
    assert_eq!(count(&finished.unwrap()), 10);
}

/// A small disk of our own, unmounted when it goes.
struct Disk(PathBuf);

impl Disk {
    fn mount(name: &str, mib: u32) -> Option<Self> {
        let folder = folder(name);
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(&folder);
        mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.0).status();
    }
}

#[test]
fn a_file_that_cannot_be_finished_is_told_of_and_the_name_stays_with_who_took_it() {
    let folder = folder("unfinished");
    let target = folder.join("m.pcapng");
    let mut agent = Agent::start(&format!("--workers 1 --write {}", target.display()));
    send(&agent.udp, "--packets 300 --rate 4000");
    agent.settle(300);
    fs::write(&target, "not ours").unwrap();
    agent.signal("INT");
    let status = agent.wait();
    wait_until("it is said", || agent.talk.lock().unwrap().contains("cannot finish"));
    let talk = agent.talk.lock().unwrap();
    assert_eq!(status.code(), Some(1), "{talk}");
    assert!(talk.contains(&format!("cannot finish {}", target.display())), "{talk}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "not ours");
    assert_eq!(count(&folder.join("m.pcapng.partial")), 300);
}

#[test]
fn what_the_disk_floor_leaves_free_stays_free_and_health_tells() {
    let Some(disk) = Disk::mount("floor", 16) else {
        return skip("a disk that fills up takes mount: run the tests as root");
    };
    let target = disk.0.join("m.pcapng");
    let mut agent =
        Agent::start(&format!("--write {} --disk-floor 8 --require-sinks --drain-quiet 1", target.display()));
    send(&agent.udp, "--packets 200 --rate 4000");
    agent.settle(200);
    assert_eq!(agent.healthy().0, 200);
    let filler = disk.0.join("filler");
    fs::write(&filler, vec![1; 10 << 20]).unwrap();
    wait_until("health tells", || agent.healthy().1.contains("--disk-floor"));
    send(&agent.udp, "--packets 300 --rate 4000");
    agent.settle(500);
    let stats = agent.stats();
    assert_eq!(
        (stats["sinks"][0]["delivered"].as_u64(), stats["sinks"][0]["dropped"].as_u64()),
        (Some(200), Some(300))
    );
    assert_eq!(count(&target), 200, "what was written before has its name and is whole");
    fs::remove_file(&filler).unwrap();
    wait_until("it works again", || agent.healthy().0 == 200);
    send(&agent.udp, "--packets 100 --rate 4000");
    agent.settle(600);
    agent.signal("INT");
    assert!(agent.wait().success());
    let captures: Vec<_> = files(&disk.0);
    assert_eq!(captures.len(), 2, "{captures:?}");
    assert_eq!(captures.iter().map(count).sum::<u64>(), 300, "the second file does not replace the first");
}

/// tcpdump on a device, and the file that it writes.
struct Watch {
    child: Child,
    file: PathBuf,
}

impl Watch {
    fn start(device: &str) -> Self {
        let file = scratch(&format!("{device}.pcap"));
        let tcpdump = tool("tcpdump").unwrap();
        let child = Command::new(tcpdump)
            .args(["-i", device, "-Q", "in", "-U", "-B", "20000", "-w"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Its file has a header when it listens.
        wait_until("tcpdump listens", || fs::metadata(&file).is_ok_and(|file| file.len() >= 24));
        Self { child, file }
    }

    fn packets(&self) -> u64 {
        count(&self.file)
    }

    /// The frames in hexadecimal. Devices that come up say so themselves by ICMPv6 and the like, which goes out.
    fn frames(mut self) -> Vec<String> {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        frames(&self.file)
    }
}

fn frames(file: &Path) -> Vec<String> {
    let output = Command::new(mirrorscope_bin()).args(["read", "--json"]).arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let packet = |line: &str| {
        let packet: serde_json::Value = serde_json::from_str(line).unwrap();
        format!("{} {}", packet["length"], packet["layers"])
    };
    let mut frames: Vec<_> = text.lines().map(packet).collect();
    frames.sort();
    frames
}

#[test]
fn a_tap_shows_tcpdump_the_packets_that_a_capture_without_tunnels_holds() {
    if tool("tcpdump").is_none() || !is_root() {
        return skip("a TAP takes CAP_NET_ADMIN, and tcpdump to look at it: run the tests as root");
    }
    let sent = scratch("tap-sent.pcap");
    let traffic = "--packets 1500 --vlan 0.2 --ipv6 0.2 --sessions 3 --seed 9";
    let made = Command::new(mirrorscope_bin())
        .args(["send", "--quiet", "--generate", "-w"])
        .arg(&sent)
        .args(traffic.split_whitespace())
        .status();
    assert!(made.unwrap().success());
    let inner = scratch("tap-inner.pcapng");
    let read = Command::new(mirrorscope_bin()).arg("read").arg(&sent).arg("-w").arg(&inner).status();
    assert!(read.unwrap().success());
    let agent = Agent::start("--workers 1 --tap mstap1");
    wait_until("the device is there", || Path::new("/sys/class/net/mstap1").exists());
    let watch = Watch::start("mstap1");
    send(&agent.udp, &format!("{traffic} --rate 3000"));
    agent.settle(1500);
    wait_until("tcpdump has seen all", || watch.packets() >= 1500);
    assert_eq!(watch.frames(), frames(&inner));
}

#[test]
fn suricata_on_a_tap_decodes_as_many_packets_as_were_mirrored() {
    const CONFIGURATION: &str = "/etc/suricata/suricata.yaml";
    let suricata = tool("suricata").filter(|_| is_root() && Path::new(CONFIGURATION).is_file());
    let Some(suricata) = suricata else {
        return skip("Suricata on a TAP; to have it: run as root, sudo apt-get install -y suricata");
    };
    let agent = Agent::start("--workers 1 --tap mstap6");
    wait_until("the device is there", || Path::new("/sys/class/net/mstap6").exists());
    // What the machine itself would say there is not ours.
    fs::write("/proc/sys/net/ipv6/conf/mstap6/disable_ipv6", "1").unwrap();
    let logs = folder("suricata");
    let said = logs.join("said");
    let mut watcher = Command::new(suricata)
        .args(["-c", CONFIGURATION, "-i", "mstap6", "-k", "none", "-S", "/dev/null", "-l"])
        .arg(&logs)
        .stdout(fs::File::create(&said).unwrap())
        .stderr(fs::File::options().append(true).open(&said).unwrap())
        .spawn()
        .unwrap();
    let log = || {
        fs::read_to_string(&said).unwrap()
            + &fs::read_to_string(logs.join("suricata.log")).unwrap_or_default()
    };
    wait_until("Suricata listens", || log().to_lowercase().contains("engine started"));
    send(&agent.udp, "--packets 1500 --vlan 0.2 --ipv6 0.2 --sessions 3 --rate 2000");
    agent.settle(1500);
    thread::sleep(Duration::from_secs(1));
    let _ = Command::new("kill").args(["-INT", &watcher.id().to_string()]).status();
    assert!(watcher.wait().unwrap().success());
    let events = fs::read_to_string(logs.join("eve.json")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let decoded = events.filter_map(|event| event["stats"]["decoder"]["pkts"].as_u64()).next_back();
    assert_eq!(decoded, Some(1500));
}

#[test]
fn each_session_has_a_tap_of_its_own() {
    if tool("tcpdump").is_none() || !is_root() {
        return skip("a TAP takes CAP_NET_ADMIN, and tcpdump to look at it: run the tests as root");
    }
    let agent = Agent::start("--workers 2 --tap msv{vni} --require-sinks");
    send(&agent.udp, "--packets 60 --sessions 3 --vni 40 --rate 2000 --seed 3");
    agent.settle(60);
    let devices = || -> BTreeSet<String> {
        let names = fs::read_dir("/sys/class/net").unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with("msv")).collect()
    };
    let sessions = agent.get("/v1/sessions").1;
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for line in sessions.lines() {
        let session: serde_json::Value = serde_json::from_str(line).unwrap();
        let vni = format!(
            "msv{}",
            session["mirror"]["vni"].as_u64().unwrap_or_else(|| session["vni"].as_u64().unwrap())
        );
        *expected.entry(vni).or_default() += session["packets"].as_u64().unwrap();
    }
    assert_eq!(devices(), expected.keys().cloned().collect());
    for (device, packets) in expected {
        let text = fs::read_to_string(format!("/sys/class/net/{device}/statistics/rx_packets")).unwrap();
        assert_eq!(text.trim().parse::<u64>().unwrap(), packets, "{device}");
    }
    drop(agent);
    wait_until("the devices go with the agent", || devices().is_empty());
}

#[test]
fn a_tap_that_was_removed_comes_back_and_one_that_is_down_is_told() {
    if !is_root() {
        return skip("a TAP takes CAP_NET_ADMIN: run the tests as root");
    }
    let agent = Agent::start("--workers 1 --tap mstap2 --require-sinks");
    let ip = |words: &str| Command::new("ip").args(words.split_whitespace()).status().unwrap().success();
    let is_there = || Path::new("/sys/class/net/mstap2").exists();
    wait_until("the device is there", is_there);
    assert!(ip("link del mstap2") && !is_there());
    send(&agent.udp, "--packets 50 --rate 1000");
    agent.settle(50);
    let sink = |key: &str| agent.stats()["sinks"][0][key].as_u64().unwrap();
    assert!(is_there() && sink("delivered") == 50 && sink("dropped") == 0, "{}", agent.stats());
    assert!(ip("link set mstap2 down"));
    send(&agent.udp, "--packets 50 --rate 1000");
    agent.settle(100);
    assert!(sink("dropped") > 0 && sink("delivered") + sink("dropped") == 100, "{}", agent.stats());
    assert!(agent.healthy().1.contains("tap:mstap2"), "{:?}", agent.healthy());
    wait_until("it works again", || agent.healthy().0 == 200);
}

#[test]
fn collectors_share_the_flows_and_each_flow_stays_with_one() {
    let sockets = [(), (), ()].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let [first, second, copy] = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    let agent = Agent::start(&format!("--workers 1 --vxlan {first},{second} --vxlan {copy}"));
    // What each collector gets, read while it comes. A socket has room for half a second of it.
    let readers = sockets.map(|socket| {
        socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        thread::spawn(move || {
            let mut flows = BTreeMap::<Vec<u8>, BTreeSet<u16>>::new();
            let (mut packets, mut datagram) = (0, [0; 9300]);
            while let Ok((len, from)) = socket.recv_from(&mut datagram) {
                packets += 1;
                assert_eq!(datagram[..8], [8, 0, 0, 0, 0, 0, 77, 0], "the VNI is the session's");
                // Addresses of the mirrored IPv4 packet, either direction: both ends sorted.
                let ip = &datagram[8 + 14..len];
                let mut ends = [ip[12..16].to_vec(), ip[16..20].to_vec()];
                let ports = [ip[20..22].to_vec(), ip[22..24].to_vec()];
                ends.iter_mut().zip(ports).for_each(|(end, port)| end.extend(port));
                ends.sort();
                flows.entry(ends.concat()).or_default().insert(from.port());
            }
            (packets, flows)
        })
    });
    send(&agent.udp, "--packets 1000 --rate 500 --small --flows 60 --vni 77");
    agent.settle(1000);
    let [a, b, all] = readers.map(|reader| reader.join().unwrap());
    assert_eq!((a.0 + b.0, all.0), (1000, 1000));
    assert!(a.1.len() > 5 && b.1.len() > 5, "{} and {} flows", a.1.len(), b.1.len());
    assert!(a.1.keys().all(|flow| !b.1.contains_key(flow)), "no flow is split");
    assert!(all.1.values().all(|ports| ports.len() == 1), "a flow has one source port");
}
