//! What a command said, made comparable: two that did the same work must have found the same.

use std::hash::{DefaultHasher, Hash, Hasher};

/// How the answer is read off what was printed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// The last whole number.
    LastNumber,
    /// Every octet.
    Octets,
    /// The number of lines.
    Lines,
    /// Lines that begin with `{"timestamp"`: packets in the form that Elasticsearch loads.
    ElasticPackets,
    /// Conversations and their packets, of the table of `tshark -z conv`.
    Conversations,
    /// The same of `mirrorscope flows --csv`.
    FlowsCsv,
    /// It says nothing that could be compared.
    Nothing,
}

impl Answer {
    /// The answer as text; `None` where there is none to compare.
    pub(crate) fn read(self, output: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(output);
        match self {
            Self::LastNumber => last_number(&text).map(|number| format!("{number} packets")),
            Self::Octets => Some(format!("{} octets, hash {:016x}", output.len(), hash(output))),
            Self::Lines => Some(format!("{} lines", text.lines().count())),
            Self::ElasticPackets => {
                let packets = text.lines().filter(|line| line.starts_with("{\"timestamp\"")).count();
                Some(format!("{packets} lines"))
            }
            Self::Conversations => Some(flows(text.lines().filter_map(tshark_conversation))),
            Self::FlowsCsv => Some(flows(flows_csv(&text))),
            Self::Nothing => None,
        }
    }
}

fn last_number(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).rfind(|digits| !digits.is_empty())?.parse().ok()
}

fn hash(output: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    output.hash(&mut hasher);
    hasher.finish()
}

fn flows(packets: impl Iterator<Item = u64>) -> String {
    let (flows, packets) = packets.fold((0u64, 0u64), |(flows, sum), packets| (flows + 1, sum + packets));
    format!("{flows} flows, {packets} packets")
}

/// `A <-> B  frames bytes unit  frames bytes unit  frames bytes unit  start  duration`: the third frames.
fn tshark_conversation(line: &str) -> Option<u64> {
    let (_, numbers) = line.split_once("<->")?;
    numbers.split_whitespace().nth(7)?.parse().ok()
}

fn flows_csv(text: &str) -> impl Iterator<Item = u64> {
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
    let columns = ["sent_packets", "received_packets"].map(|name| names.iter().position(|n| *n == name));
    lines.map(move |line| {
        let cells: Vec<_> = line.split(',').collect();
        let of = |column: Option<usize>| cells.get(column?)?.parse::<u64>().ok();
        columns.into_iter().filter_map(of).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_frames_of_a_conversation_are_its_packets() {
        let line = "10.0.0.4:1 <-> 198.18.0.2:80   213 142 kB   107 18 kB   320 160 kB   0.0002   0.0198";
        assert_eq!(tshark_conversation(line), Some(320));
        assert_eq!(tshark_conversation("TCP Conversations"), None);
    }

    #[test]
    fn both_directions_of_a_flow_are_added_up() {
        let csv = "kind,sent_packets,received_packets\nmirrored,2,3\nmirrored,4,5\n";
        assert_eq!(Answer::FlowsCsv.read(csv.as_bytes()).as_deref(), Some("2 flows, 14 packets"));
    }

    #[test]
    fn the_last_number_is_found_behind_words() {
        assert_eq!(last_number("Number of packets:   1000\n"), Some(1000));
        assert_eq!(last_number("none"), None);
    }
}
