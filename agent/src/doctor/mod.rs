//! Looks at this machine for `mirrorscope doctor`: reads, asks, and changes nothing.
//!
//! What cannot be read is left out. `core` judges what was found.

mod health;
mod interfaces;
mod sockets;

use std::{fs, thread};

use mirrorscope_core::doctor::{AwsFacts, Facts, Intent};

/// Everything that can be seen from here. Without names, the interfaces with a route to elsewhere are looked at.
pub(crate) fn look(intent: Intent, interfaces: &[String], aws: AwsFacts) -> Facts {
    Facts {
        interfaces: interfaces::look(interfaces),
        rmem_max: number("/proc/sys/net/core/rmem_max"),
        backlog_dropped: fs::read_to_string("/proc/net/softnet_stat").ok().map(|text| backlog_dropped(&text)),
        processors: thread::available_parallelism().ok().map(|number| number.get() as u32),
        listeners: sockets::udp(intent.port),
        health: Some(health::probe(intent.health_port)),
        intent,
        aws,
    }
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// One line for each processor, of hexadecimal numbers, the second of which counts drops.
fn backlog_dropped(text: &str) -> u64 {
    let dropped = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    text.lines().filter_map(dropped).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn drops_of_all_processors_are_added_up() {
        let text = "0000272d 0000000a 00000000\n00000011 00000001 00000000\n";
        assert_eq!(super::backlog_dropped(text), 11);
    }
}
