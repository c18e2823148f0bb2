//! IPFIX as collectors that others wrote receive it: nfcapd's totals are ours, and tshark finds nothing malformed.

use std::{
    io::Read,
    net::{TcpListener, UdpSocket},
    process::Command,
    thread,
    time::Duration,
};

use mirrorscope_tests::{skip, tool};

use crate::{Server, Sums, free_port, generated, mirrorscope, scratch, wait_until, write_datagrams};

const WORDS: &str = "--packets 8000 --flows 400 --sessions 4 --endpoints 2 --inline 0.2 --ipv6 0.3 --rate 5";

fn export(capture: &str, target: &str) {
    mirrorscope(&["flows", "--quiet", "--flow-log", target, capture]);
}

#[test]
fn the_totals_of_nfcapd_are_those_of_the_packets() {
    let (Some(nfcapd), Some(nfdump)) = (tool("nfcapd"), tool("nfdump")) else {
        return skip("IPFIX in nfcapd; to have it: sudo apt-get install nfdump");
    };
    let folder = scratch("nfcapd");
    let capture = generated(&folder.join("a.pcap"), WORDS);
    let (port, place) = (free_port(), folder.join("received"));
    std::fs::create_dir_all(&place).unwrap();
    let mut command = Command::new(nfcapd);
    command.args(["-b", "127.0.0.1", "-p", &port.to_string(), "-w"]).arg(&place).arg("-l").arg(&place);
    let mut server = Server::start(&mut command, &folder.join("nfcapd.log"));
    // It has no way to say that it is ready but to take its port.
    wait_until("nfcapd receives", || UdpSocket::bind(("127.0.0.1", port)).is_err());
    export(&capture, &format!("ipfix:udp://127.0.0.1:{port}"));
    thread::sleep(Duration::from_millis(500));
    server.end();
    let output = Command::new(nfdump).arg("-R").arg(&place).arg("-I").output().unwrap();
    let totals = String::from_utf8_lossy(&output.stdout);
    let total = |name: &str| -> u64 {
        let line = totals.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{totals}"));
        line.split(' ').next_back().unwrap().parse().unwrap()
    };
    let received = Sums { packets: total("Packets:"), bytes: total("Bytes:") };
    assert_eq!(received, Sums::of_capture(&capture), "no copies are in this capture");
    assert_eq!(total("Sequence failures:"), 0);
}

/// What a collector of UDP receives.
fn datagrams(capture: &str) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let target = format!("ipfix:udp://{}", socket.local_addr().unwrap());
    let reader = thread::spawn(move || {
        let mut datagrams = Vec::new();
        let mut buffer = [0; 2048];
        while let Ok(len) = socket.recv(&mut buffer) {
            datagrams.push(buffer[..len].to_vec());
        }
        datagrams
    });
    export(capture, &target);
    reader.join().unwrap()
}

#[test]
fn tshark_reads_every_record_and_finds_none_malformed() {
    let Some(tshark) = tool("tshark") else {
        return skip("IPFIX in tshark; to have it: sudo apt-get install tshark");
    };
    let folder = scratch("tshark");
    let capture = generated(&folder.join("a.pcap"), WORDS);
    let messages = folder.join("messages.pcap");
    write_datagrams(&messages, 4739, &datagrams(&capture));
    let ask = |words: &[&str]| {
        let output =
            Command::new(&tshark).arg("-r").arg(&messages).args(words).output().expect("tshark starts");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask(&["-Y", "_ws.malformed || _ws.expert.severity >= 6291456"]), "");
    let sum = |field: &str| -> u64 {
        let text = ask(&["-T", "fields", "-e", field]);
        text.split([',', '\n']).filter_map(|number| number.parse::<u64>().ok()).sum()
    };
    let read = Sums { packets: sum("cflow.packets"), bytes: sum("cflow.octets") };
    assert_eq!(read, Sums::of_capture(&capture));
}

#[test]
fn over_tcp_the_same_messages_come_in_one_stream() {
    let folder = scratch("tcp");
    let capture = generated(&folder.join("a.pcap"), WORDS);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("ipfix:tcp://{}", listener.local_addr().unwrap());
    let reader = thread::spawn(move || {
        let mut octets = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut octets).unwrap();
        octets
    });
    export(&capture, &target);
    let stream = reader.join().unwrap();
    let mut rest = &stream[..];
    let mut messages = Vec::new();
    while let [_, _, high, low, ..] = rest {
        let (message, behind) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        messages.push(message.to_vec());
        rest = behind;
    }
    assert!(rest.is_empty());
    // But for the time at which they were sent, and templates that UDP repeats.
    let records = |messages: &[Vec<u8>]| -> Vec<Vec<u8>> {
        messages
            .iter()
            .filter(|message| message[16..18] != [0, 2])
            .map(|message| message[8..].to_vec())
            .collect()
    };
    assert_eq!(records(&messages), records(&datagrams(&capture)));
}
