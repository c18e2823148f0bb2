//! `mirrorscope read` and `sessions` as their users meet them: outputs, options, and every kind of wrong input.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use mirrorscope_tests::{fixture, mirrorscope_bin, tool};

const PING: &str = "mirror/ping-curl-traceroute.pcap";
const SSM: &str = "mirror/ssm-tcp443.pcap";

fn mirrorscope(args: &[&str]) -> Output {
    Command::new(mirrorscope_bin()).args(args).env("TZ", "UTC").output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

/// A folder of its own, removed when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("mirrorscope-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).expect("the temporary folder is writable");
        Self(dir)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).expect("the temporary folder is writable");
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Asserts that the command fails with `status`, says all of `words` on standard error, and gives a hint.
fn assert_fails(args: &[&str], status: i32, words: &[&str]) -> Output {
    let output = mirrorscope(args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
    for word in words.iter().chain(&["hint: "]) {
        assert!(said.contains(word), "{args:?} does not say {word:?}: {said}");
    }
    output
}

#[test]
fn the_mirrored_packet_comes_first_and_its_session_after() {
    let output = mirrorscope(&["read", &path(PING)]);
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 63);
    assert!(
        lines.lines().all(|line| line.contains(" HTTP ") || line.len() <= 100),
        "a line is longer than 100 columns"
    );
    let first = lines.lines().next().expect("there are lines");
    assert!(first.starts_with("2022-06-30 09:27:49.266963 8.8.8.8 > 10.10.0.4: ICMP echo reply"), "{first}");
    assert!(first.ends_with("| 9325541 10.10.0.4 *6071"), "{first}");
    assert!(!lines.contains('\x1b'), "colour without a terminal");
}

#[test]
fn standard_input_gives_what_the_file_gives() {
    let from_file = mirrorscope(&["read", &path(SSM)]);
    let capture = fs::File::open(fixture(SSM)).expect("the fixture is there");
    let from_stdin =
        Command::new(mirrorscope_bin()).args(["read", "-"]).env("TZ", "UTC").stdin(capture).output();
    assert_eq!(from_stdin.expect("the program starts").stdout, from_file.stdout);
}

#[test]
fn skip_and_max_packets_choose_a_part() {
    let all = text(&mirrorscope(&["read", &path(SSM)]).stdout);
    let part = text(&mirrorscope(&["read", "--skip", "5", "-c", "3", &path(SSM)]).stdout);
    assert_eq!(part.lines().collect::<Vec<_>>(), all.lines().skip(5).take(3).collect::<Vec<_>>());
    assert_eq!(text(&mirrorscope(&["read", "--count", &path(SSM)]).stdout), "27 packets\n");
}

#[test]
fn times_follow_tcpdumps_options() {
    let line = |options: &[&str]| {
        let file = path(SSM);
        let args = [&["read", "-c", "2"], options, &[&file]].concat();
        text(&mirrorscope(&args).stdout)
            .lines()
            .last()
            .expect("two lines")
            .split(" 209.")
            .next()
            .map(str::to_owned)
    };
    assert_eq!(line(&["-tt"]).as_deref(), Some("1656579317.501537"));
    assert_eq!(line(&["-ttt"]).as_deref(), Some(" 00:00:02.559799"));
    assert_eq!(line(&["-tttt"]).as_deref(), Some("2022-06-30 08:55:17.501537"));
    assert_eq!(line(&["--nano"]).as_deref(), Some("2022-06-30 08:55:17.501537000"));
}

#[test]
fn local_time_is_that_of_tz_and_utc_overrules_it() {
    let hour = |options: &[&str]| {
        let file = path(SSM);
        let args = [&["read", "-c", "1"], options, &[&file]].concat();
        let output = Command::new(mirrorscope_bin()).args(args).env("TZ", "Asia/Tokyo").output();
        text(&output.expect("the program starts").stdout)[11..13].to_owned()
    };
    assert_eq!((hour(&[]), hour(&["--local"]), hour(&["--utc"])), ("17".into(), "17".into(), "08".into()));
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_failure() {
    let mut reader = Command::new(mirrorscope_bin())
        .args(["read", "--json", &path(PING)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(reader.stdout.take());
    let output = reader.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn what_is_no_capture_is_refused_with_what_to_do() {
    let scratch = Scratch::new("wrong");
    assert_fails(&["read", "/no/such/file"], 1, &["/no/such/file", "no such file"]);
    assert_fails(&["read", &scratch.0.display().to_string()], 1, &["directory"]);
    assert_fails(&["read", &scratch.file("empty", b"")], 2, &["empty", "0 bytes"]);
    assert_fails(&["read", &scratch.file("text", b"hello, world\n")], 2, &["not a capture", "68 65 6c 6c"]);
}

#[test]
fn a_truncated_capture_gives_its_whole_packets_and_then_says_where_it_ends() {
    let scratch = Scratch::new("cut");
    let capture = fs::read(fixture(PING)).expect("the fixture is there");
    let cut = scratch.file("cut.pcap", &capture[..3000]);
    let output = assert_fails(&["read", &cut], 2, &["record 13", "byte offset 2839", "161 of 236 bytes"]);
    assert_eq!(text(&output.stdout).lines().count(), 12);
    let output = assert_fails(&["sessions", "--json", &cut], 2, &["record 13"]);
    assert!(text(&output.stdout).contains("\"packets\":12"), "{}", text(&output.stdout));
}

#[test]
fn a_capture_without_tunnels_is_decoded_and_said_to_be_one() {
    let scratch = Scratch::new("plain");
    let inner = scratch.path("inner.pcapng");
    assert!(mirrorscope(&["read", "-w", &inner, &path(SSM)]).status.success());
    let output = mirrorscope(&["read", &inner]);
    assert!(output.status.success());
    assert_eq!(text(&output.stdout).lines().count(), 27);
    assert!(
        text(&output.stderr).contains("neither Geneve nor VXLAN in 27 packets"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(text(&mirrorscope(&["read", "-q", &inner]).stderr), "");
}

#[test]
fn an_unknown_link_type_is_named() {
    let scratch = Scratch::new("link");
    let mut capture = fs::read(fixture(SSM)).expect("the fixture is there");
    capture[20..24].copy_from_slice(&147_u32.to_le_bytes());
    let output = mirrorscope(&["read", &scratch.file("user0.pcap", &capture)]);
    assert!(text(&output.stdout).contains("link type 147 (not decoded)"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("link type is not known"), "{}", text(&output.stderr));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = Path::new("/dev/full");
    if full.exists() {
        let stdout = fs::OpenOptions::new().write(true).open(full).expect("it opens");
        let output =
            Command::new(mirrorscope_bin()).args(["read", "--json", &path(PING)]).stdout(stdout).output();
        let output = output.expect("the program starts");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("No space left"), "{}", text(&output.stderr));
        assert_fails(&["read", "-w", "/dev/full", &path(PING)], 1, &["/dev/full", "No space left"]);
    }
    assert_fails(&["read", "-w", "/no/such/folder/x.pcapng", &path(PING)], 1, &["/no/such/folder/x.pcapng"]);
}

#[test]
fn a_written_capture_holds_the_mirrored_frames_with_exact_times_and_lengths() {
    let scratch = Scratch::new("write");
    for (options, len) in [(&[][..], 98), (&["--outer"][..], 216)] {
        let target = scratch.path("out.pcapng");
        let file = path(PING);
        let args = [&["read", "-w", &target], options, &[&file]].concat();
        let output = mirrorscope(&args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!Path::new(&format!("{target}.partial")).exists());
        let again = text(&mirrorscope(&["read", "--json", "-q", &target]).stdout);
        let first = again.lines().next().expect("63 lines");
        assert_eq!(again.lines().count(), 63);
        assert!(first.contains("\"time\":\"2022-06-30T09:27:49.266963000Z\""), "{first}");
        assert!(first.contains(&format!("\"len\":{len},\"captured_len\":{len}")), "{first}");
    }
}

#[test]
fn a_damaged_source_still_leaves_a_whole_capture() {
    let scratch = Scratch::new("damaged");
    let capture = fs::read(fixture(PING)).expect("the fixture is there");
    let target = scratch.path("out.pcapng");
    assert_fails(&["read", "-w", &target, &scratch.file("cut.pcap", &capture[..3000])], 2, &["record 13"]);
    assert_eq!(text(&mirrorscope(&["read", "--count", "-q", &target]).stdout), "12 packets\n");
}

#[test]
fn wireshark_opens_a_written_capture_without_a_complaint() {
    let Some(tshark) = tool("tshark") else {
        return mirrorscope_tests::skip("tshark opens what `read -w` writes (apt-get install tshark)");
    };
    let scratch = Scratch::new("tshark");
    let target = scratch.path("out.pcapng");
    assert!(mirrorscope(&["read", "-w", &target, &path(PING)]).status.success());
    let fields =
        ["-r", &target, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment", "-e", "ip.src"];
    let output = Command::new(tshark).args(fields).output().expect("tshark starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 63);
    let expected = "vni9325541\tmirror vni 9325541 source 10.10.0.4 endpoint vpce-00a1b2c3d4e5f6071 attachment 0x0 cookie 0x";
    assert!(lines.starts_with(expected), "{lines}");
    assert!(lines.lines().next().is_some_and(|line| line.ends_with("\t8.8.8.8")), "{lines}");
}

#[test]
fn compressed_captures_are_recognised_by_their_content() {
    let (Some(gzip), Some(zstd)) = (tool("gzip"), tool("zstd")) else {
        return mirrorscope_tests::skip("gzip and zstd input (apt-get install gzip zstd)");
    };
    let scratch = Scratch::new("compressed");
    for program in [gzip, zstd] {
        let output = Command::new(&program).args(["-c", &path(PING)]).output().expect("the program starts");
        let file = scratch.file("no-telling-name", &output.stdout);
        assert_eq!(
            text(&mirrorscope(&["read", "--count", &file]).stdout),
            "63 packets\n",
            "{}",
            program.display()
        );
    }
}

#[test]
fn the_tree_names_the_aws_options_and_the_octets_they_cover() {
    let output = text(&mirrorscope(&["read", "-c", "1", "-v", "-x", &path(PING)]).stdout);
    for line in [
        "Endpoint: vpce-00a1b2c3d4e5f6071  [geneve.aws.endpoint @54+8]",
        "VNI: 9325541  [vxlan.vni @114+3]",
        "* Ethernet, octets 118..132",
        "0x0060:  3637",
    ] {
        assert!(output.contains(line), "{line:?} is missing from\n{output}");
    }
}

#[test]
fn sessions_are_told_apart_in_table_csv_and_json() {
    let table = text(&mirrorscope(&["sessions", &path(PING)]).stdout);
    assert!(table.contains("vpce-00a1b2c3d4e5f6071  9325541  10.10.0.4       63   6841"), "{table}");
    let csv = text(&mirrorscope(&["sessions", "--csv", &path(SSM)]).stdout);
    let row = csv.lines().nth(1).expect("a row");
    assert!(row.starts_with("mirrored,vpce-00a1b2c3d4e5f6071,9325541,10.10.0.4,,27,"), "{csv}");
    let json = text(&mirrorscope(&["sessions", "--json", &path(SSM)]).stdout);
    let json: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
    assert_eq!(json["packets"], 27);
    assert_eq!(json["first"], "2022-06-30T08:55:14.941738000Z");
}

#[test]
fn an_interrupted_write_leaves_a_whole_capture() {
    let scratch = Scratch::new("interrupted");
    let capture = fs::read(fixture(PING)).expect("the fixture is there");
    let (target, partial) = (scratch.path("out.pcapng"), scratch.path("out.pcapng.partial"));
    let mut writer = Command::new(mirrorscope_bin())
        .args(["read", "-w", &target, "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = writer.stdin.take().expect("it is piped");
    stdin.write_all(&capture).expect("the program reads");
    // What came so far is written as soon as the pipe has nothing more for the moment.
    while fs::metadata(&partial).map_or(0, |metadata| metadata.len()) < 1000 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let kill = Command::new("kill").args(["-INT", &writer.id().to_string()]).status();
    assert!(kill.expect("kill starts").success());
    // Records keep coming until the program has seen the signal.
    while stdin.write_all(&capture[24..]).is_ok() {}
    writer.wait().expect("the program ends");
    let count = text(&mirrorscope(&["read", "--count", "-q", &target]).stdout);
    let count: u64 = count.split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
    assert!(count > 0);
    assert!(!Path::new(&partial).exists());
}

#[test]
fn packets_of_a_slow_pipe_come_out_as_they_arrive() {
    come_out_as_they_arrive(&[], "8.8.8.8 > 10.10.0.4: ICMP echo reply");
    come_out_as_they_arrive(&["--style", "tcpdump"], "Geneve");
}

fn come_out_as_they_arrive(style: &[&str], wanted: &str) {
    let mut reader = Command::new(mirrorscope_bin())
        .args([&["read", "-"], style].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let capture = fs::read(fixture(PING)).expect("the fixture is there");
    let mut stdin = reader.stdin.take().expect("it is piped");
    stdin.write_all(&capture[..2000]).expect("the program reads");
    let stdout = reader.stdout.take().expect("it is piped");
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || BufReader::new(stdout).lines().for_each(|line| drop(sender.send(line))));
    // Standard input stays open: without a flush nothing would come before the pipe is closed.
    let first = lines.recv_timeout(Duration::from_secs(30)).expect("a line comes while the pipe is open");
    let first = first.expect("it is text");
    assert!(first.contains(wanted), "{first}");
    drop(stdin);
    assert_eq!(reader.wait().expect("the program ends").code(), Some(2), "the capture was cut");
}

/// The first line of `read` of an input that stays open, which an interrupt then ends.
#[cfg(unix)]
fn interrupted_after_a_line(name: &str, input: impl FnOnce() -> fs::File, stdin: Stdio, octets: &[u8]) {
    let mut command = Command::new(mirrorscope_bin());
    let mut reader =
        command.args(["read", name]).stdin(stdin).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut input = input();
    input.write_all(octets).expect("the program reads");
    let (sender, lines) = std::sync::mpsc::channel();
    let stdout = BufReader::new(reader.stdout.take().expect("it is piped"));
    std::thread::spawn(move || stdout.lines().for_each(|line| drop(sender.send(line))));
    let first = lines.recv_timeout(Duration::from_secs(30));
    let kill = Command::new("kill").args(["-INT", &reader.id().to_string()]).status();
    assert!(kill.expect("kill starts").success());
    let until = Instant::now() + Duration::from_secs(30);
    while reader.try_wait().expect("it is our child").is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = reader.try_wait().expect("it is our child");
    let _ = reader.kill();
    drop(input);
    let first = first.expect("a line comes while the input is open").expect("it is text");
    assert!(first.contains("ICMP echo reply"), "{first}");
    assert!(status.is_some_and(|status| status.success()), "the first interrupt ends it: {status:?}");
}

#[cfg(unix)]
#[test]
fn every_pipe_is_read_as_it_comes_and_ends_at_the_first_interrupt() {
    let scratch = Scratch::new("pipes");
    let begin = fs::read(fixture(PING)).expect("the fixture is there")[..2000].to_vec();
    let packed = |program: &str| {
        let file = scratch.file("begin.pcap", &begin);
        Command::new(program).args(["-q", "-c", &file]).output().expect("an installed program starts").stdout
    };
    let mut octets = vec![begin.clone()];
    octets.extend(["gzip", "zstd"].into_iter().filter(|name| tool(name).is_some()).map(packed));
    for (number, octets) in octets.iter().enumerate() {
        let (theirs, ours) = std::io::pipe().expect("a pipe");
        interrupted_after_a_line(
            "-",
            || fs::File::from(std::os::fd::OwnedFd::from(ours)),
            theirs.into(),
            octets,
        );
        let fifo = scratch.path(&format!("fifo-{number}"));
        assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo starts").success());
        let open = || fs::File::options().write(true).open(&fifo).expect("the program opens it too");
        interrupted_after_a_line(&fifo, open, Stdio::null(), octets);
    }
}

#[test]
fn the_capture_that_is_read_is_never_overwritten() {
    let scratch = Scratch::new("same");
    let original = fs::read(fixture(SSM)).expect("the fixture is there");
    let file = scratch.file("same.pcap", &original);
    assert_fails(&["read", &file, "-w", &file], 1, &["same.pcap", "is the capture that is read"]);
    assert_fails(&["send", "-q", &file, "-w", &file], 1, &["same.pcap", "is the capture that is read"]);
    assert_eq!(fs::read(&file).expect("it is still there"), original);
    let output = Command::new(mirrorscope_bin())
        .args(["read", "-", "-w", &file])
        .stdin(fs::File::open(&file).expect("it is there"))
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read(&file).expect("it is still there"), original);
    // What a killed run left is read under the very name that a new one would write to.
    let partial = scratch.file("left.pcapng.partial", &original);
    let left = scratch.path("left.pcapng");
    assert_fails(&["read", &partial, "-w", &left], 1, &["left.pcapng.partial is there", "hint:"]);
    assert_eq!(fs::read(&partial).expect("it is still there"), original);
}

#[cfg(unix)]
#[test]
fn a_written_capture_keeps_the_link_and_the_mode_of_what_it_replaces() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let scratch = Scratch::new("link");
    let (file, link) = (scratch.file("real.pcapng", b"old"), scratch.path("link.pcapng"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    symlink(&file, &link).expect("links can be made");
    assert!(mirrorscope(&["read", "-q", &path(SSM), "-w", &link]).status.success());
    assert!(Path::new(&link).is_symlink());
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert_eq!(text(&mirrorscope(&["read", "--count", "-q", &file]).stdout), "27 packets\n");
}

#[test]
fn a_word_without_end_is_not_said_again_as_a_whole() {
    let word = "x".repeat(60_000);
    for words in [[word.as_str()].as_slice(), &["read", "--style", &word], &["serve", "--port", &word]] {
        let output = mirrorscope(words);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(said.contains("xxx …") && said.contains("--help") && said.len() < 2_000, "{}", said.len());
    }
}

#[test]
fn wrong_words_are_no_damaged_capture() {
    for words in [&["read", "-c", "0", "x"][..], &["read"], &["no-such-command"]] {
        assert_eq!(mirrorscope(words).status.code(), Some(1), "{words:?}");
    }
    assert_eq!(mirrorscope(&["read", "--help"]).status.code(), Some(0));
}
