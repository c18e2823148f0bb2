//! How cost and memory grow: with flows, with sessions, with the size of packets and of the file.

use std::{io, path::Path};

use crate::{
    contest::Programs,
    corpus::{Corpus, IMIX, LONG, SMALL},
    measure,
};

const FLOWS: [u64; 7] = [10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const SESSIONS: [u64; 6] = [1, 10, 100, 1_000, 10_000, 100_000];

/// Measures and prints; `largest` bounds the packets of a capture.
pub(crate) fn run(programs: &Programs, dir: &Path, rounds: usize, largest: u64) -> io::Result<()> {
    let growth = Growth { programs, dir, rounds };
    let flows = FLOWS.into_iter().map(|flows| Corpus {
        name: "flows",
        packets: SMALL.packets.max(flows),
        flows,
        ..SMALL
    });
    growth.table("flows", "flows --quiet --csv", flows.filter(|corpus| corpus.packets <= largest), |c| {
        c.flows
    })?;
    let sessions = SESSIONS.into_iter().map(|sessions| Corpus { name: "sessions", sessions, ..SMALL });
    growth.table("sessions", "sessions --quiet --csv", sessions, |corpus| corpus.sessions)?;
    let sizes = [SMALL, IMIX].into_iter();
    growth.table(
        "octets a packet",
        "read --quiet --count",
        sizes,
        |corpus| if corpus.small { 178 } else { 490 },
    )?;
    let files = [IMIX, LONG].into_iter().filter(|corpus| corpus.packets <= largest);
    growth.table("packets in the file", "read --quiet --count", files, |corpus| corpus.packets)
}

struct Growth<'a> {
    programs: &'a Programs,
    dir: &'a Path,
    rounds: usize,
}

impl Growth<'_> {
    fn table(
        &self,
        what: &str,
        command: &str,
        corpora: impl Iterator<Item = Corpus>,
        of: impl Fn(&Corpus) -> u64,
    ) -> io::Result<()> {
        println!("\n### Growth with {what}: `mirrorscope {command} FILE`\n");
        println!("| {what} | packets | CPU ns a packet | peak MiB |\n|---|---|---|---|");
        let program = self.programs.iter().find(|(name, _)| *name == "mirrorscope");
        let program = program.map_or("mirrorscope", |(_, path)| path.as_str());
        for corpus in corpora {
            let file = corpus.make(Path::new(program), self.dir)?;
            let mut words = vec![program.to_owned()];
            words.extend(command.split_whitespace().map(str::to_owned));
            words.push(file.display().to_string());
            let (_, peak_kib) = measure::run_and_read(&words)?;
            let mut times = Vec::new();
            for _ in 0..self.rounds {
                times.push(measure::run(&words)?.cpu);
            }
            times.sort();
            let ns =
                times.get(times.len() / 2).map_or(0.0, |cpu| cpu.as_nanos() as f64) / corpus.packets as f64;
            let peak = peak_kib.map_or_else(|| "?".to_owned(), |kib| format!("{:.1}", kib as f64 / 1024.0));
            println!("| {} | {} | {ns:.0} | {peak} |", of(&corpus), corpus.packets);
        }
        Ok(())
    }
}
