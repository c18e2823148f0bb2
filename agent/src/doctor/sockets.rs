//! Who is bound to a port: sockets from `/proc/net`, and the processes that hold them, as far as they can be seen.
//!
//! A process of another user hides its files; its sockets are seen all the same.

use std::{
    collections::HashMap,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use mirrorscope_core::doctor::Listener;

/// UDP sockets that are bound to `port`.
pub(super) fn udp(port: u16) -> Vec<Listener> {
    let rows = bound("udp", port);
    let holders = if rows.is_empty() { HashMap::new() } else { holders() };
    let listener = |row: Row| Listener {
        address: row.address,
        holder: holders.get(&row.inode).cloned(),
        dropped: row.dropped,
    };
    rows.into_iter().map(listener).collect()
}

/// Where TCP sockets listen on `port`.
pub(super) fn tcp(port: u16) -> Vec<SocketAddr> {
    const LISTENING: &str = "0A";
    bound("tcp", port).into_iter().filter(|row| row.state == LISTENING).map(|row| row.address).collect()
}

struct Row {
    address: SocketAddr,
    state: String,
    inode: u64,
    dropped: u64,
}

fn bound(protocol: &str, port: u16) -> Vec<Row> {
    let read = |family: &str| fs::read_to_string(format!("/proc/net/{protocol}{family}")).unwrap_or_default();
    let rows = ["", "6"].map(read);
    rows.iter()
        .flat_map(|text| text.lines())
        .filter_map(row)
        .filter(|row| row.address.port() == port)
        .collect()
}

/// `  sl  local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref pointer drops`
fn row(line: &str) -> Option<Row> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [_, local, _, state, _, _, _, _, _, inode, ..] = words[..] else { return None };
    Some(Row {
        address: address(local)?,
        state: state.to_owned(),
        inode: inode.parse().ok()?,
        dropped: words.get(12).and_then(|word| word.parse().ok()).unwrap_or_default(),
    })
}

/// Addresses are words of 32 bits in the machine's own order, the port is a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let words: Vec<u32> = (0..address.len() / 8)
        .map(|at| address.get(8 * at..8 * at + 8).and_then(|word| u32::from_str_radix(word, 16).ok()))
        .collect::<Option<_>>()?;
    let octets: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    let address: IpAddr = match octets.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

type Holder = (u32, String, Option<String>);

/// Every socket's inode with the process that holds it: its id, its name, and its systemd unit.
fn holders() -> HashMap<u64, Holder> {
    let mut holders = HashMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let path = process.path();
        for file in fs::read_dir(path.join("fd")).into_iter().flatten().flatten() {
            let target = fs::read_link(file.path()).unwrap_or_default();
            let Some(inode) = socket_inode(&target.to_string_lossy()) else { continue };
            holders.entry(inode).or_insert_with(|| {
                let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
                let unit = fs::read_to_string(path.join("cgroup")).ok().and_then(|text| unit(&text));
                (pid, name.trim().to_owned(), unit)
            });
        }
    }
    holders
}

fn socket_inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn unit(cgroup: &str) -> Option<String> {
    let mut names = cgroup.lines().flat_map(|line| line.split('/'));
    names.rfind(|name| name.ends_with(".service")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_socket_of_ours_is_found_with_its_holder() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = UdpSocket::bind(address) else { continue };
            let address = socket.local_addr().unwrap();
            let found = udp(address.port());
            let ours = found.iter().find(|listener| listener.address == address).expect("it is bound");
            let (pid, name, _) = ours.holder.as_ref().expect("it is ours");
            assert_eq!(*pid, std::process::id());
            assert!(!name.is_empty());
        }
    }

    #[test]
    fn the_unit_is_the_innermost_service() {
        assert_eq!(unit("0::/system.slice/gwlbtun.service\n").as_deref(), Some("gwlbtun.service"));
        assert_eq!(unit("0::/user.slice/session-1.scope\n"), None);
    }
}
