//! The results as Markdown, in words that can be pasted where the figures are quoted.

use crate::{
    contest::{Contest, Result},
    corpus::Corpus,
};

/// What the machine is, in one line.
pub(crate) fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    format!("{model}, {cpus} cores, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// One contest as a table.
pub(crate) fn print(contest: &Contest, corpus: &Corpus, octets: u64, results: &[Result]) {
    println!(
        "\n### {}: {} ({} packets, {} flows, {} sessions, {} MB)\n",
        contest.work,
        corpus.name,
        corpus.packets,
        corpus.flows,
        corpus.sessions,
        octets / 1_000_000
    );
    println!(
        "| | CPU s | M packets/s per core | MB/s | peak MiB | CPU / ours (least to largest) | answer | |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (index, result) in results.iter().enumerate() {
        let Some(cost) = result.cost else {
            println!("| {} | could not run | | | | | | {} |", result.name, result.note);
            continue;
        };
        let seconds = cost.cpu.as_secs_f64().max(1e-6);
        let ratio = match (index, result.ratio) {
            (1.., Some([median, least, largest])) => format!("{median:.2} ({least:.2} to {largest:.2})"),
            _ => "1".to_owned(),
        };
        println!(
            "| {} | {seconds:.3} | {:.2} | {:.0} | {} | {ratio} | {} | {} |",
            result.name,
            corpus.packets as f64 / seconds / 1e6,
            octets as f64 / seconds / 1e6,
            result.peak_kib.map_or_else(|| "?".to_owned(), |kib| format!("{:.1}", kib as f64 / 1024.0)),
            result.answer.as_deref().unwrap_or("not compared"),
            result.note
        );
    }
    println!();
    for result in results {
        println!("    {}", result.command);
    }
}

/// Those whose answer is not ours, with both answers.
pub(crate) fn disagreements(results: &[Result]) -> Vec<String> {
    let Some((ours, peers)) = results.split_first() else { return Vec::new() };
    let Some(our_answer) = &ours.answer else { return Vec::new() };
    let differing = peers.iter().filter_map(|peer| Some((peer.name, peer.answer.as_ref()?)));
    differing
        .filter(|(_, answer)| *answer != our_answer)
        .map(|(name, answer)| format!("{name} found {answer}; {} found {our_answer}", ours.name))
        .collect()
}
