//! One piece of work, Mirrorscope and the peers that do it too: run in turn, compared in what they said and what it cost.

use std::{io, path::Path, time::Duration};

use crate::{
    answer::Answer,
    measure::{self, Cost},
};

/// A command line with `{file}` for the capture and a name in braces for a program: see [`Programs`].
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) command: &'static str,
    pub(crate) answer: Answer,
    /// What the reader must know to judge the ratio fairly.
    pub(crate) note: &'static str,
}

/// A piece of work.
pub(crate) struct Contest {
    pub(crate) work: &'static str,
    pub(crate) ours: Entrant,
    pub(crate) peers: &'static [Entrant],
}

/// Where programs that are not on the path lie, by their name in braces.
pub(crate) type Programs = [(&'static str, String)];

/// What became of an entrant.
pub(crate) struct Result {
    pub(crate) name: &'static str,
    pub(crate) command: &'static str,
    pub(crate) note: &'static str,
    /// Medians of all rounds; `None` where it could not run.
    pub(crate) cost: Option<Cost>,
    /// Median, least and largest of its processor time over ours, round by round.
    pub(crate) ratio: Option<[f64; 3]>,
    pub(crate) peak_kib: Option<u64>,
    pub(crate) answer: Option<String>,
}

impl Contest {
    /// Runs all entrants in turn, `rounds` times; the first result is ours.
    pub(crate) fn run(&self, file: &Path, programs: &Programs, rounds: usize) -> io::Result<Vec<Result>> {
        let entrants: Vec<_> = std::iter::once(&self.ours).chain(self.peers).collect();
        let words: Vec<_> = entrants.iter().map(|entrant| words(entrant.command, file, programs)).collect();
        let mut first_runs = words.iter().map(|words| measure::run_and_read(words));
        let first_runs: Vec<_> = first_runs.by_ref().collect();
        let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); entrants.len()];
        for _ in 0..rounds {
            for ((words, costs), first) in words.iter().zip(&mut costs).zip(&first_runs) {
                if first.is_ok() {
                    costs.push(measure::run(words)?);
                }
            }
        }
        let ours = costs.first().cloned().unwrap_or_default();
        let rows = entrants.iter().zip(first_runs).zip(&costs);
        Ok(rows.map(|((entrant, first), costs)| entrant.result(first.ok(), costs, &ours)).collect())
    }
}

impl Entrant {
    fn result(&self, first: Option<(Vec<u8>, Option<u64>)>, costs: &[Cost], ours: &[Cost]) -> Result {
        let (output, peak_kib) = first.unwrap_or_default();
        Result {
            name: self.name,
            command: self.command,
            note: self.note,
            cost: median_cost(costs),
            ratio: ratios(costs, ours),
            peak_kib,
            answer: if costs.is_empty() { None } else { self.answer.read(&output) },
        }
    }
}

fn words(command: &str, file: &Path, programs: &Programs) -> Vec<String> {
    let mut words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    for word in &mut words {
        if word == "{file}" {
            *word = file.display().to_string();
        } else if let Some((_, path)) =
            programs.iter().find(|(name, _)| *name == word.trim_matches(['{', '}']))
        {
            word.clone_from(path);
        }
    }
    words
}

fn median_cost(costs: &[Cost]) -> Option<Cost> {
    let middle = |mut times: Vec<Duration>| {
        times.sort();
        times.get(times.len() / 2).copied()
    };
    Some(Cost {
        cpu: middle(costs.iter().map(|cost| cost.cpu).collect())?,
        wall: middle(costs.iter().map(|cost| cost.wall).collect())?,
    })
}

fn ratios(costs: &[Cost], ours: &[Cost]) -> Option<[f64; 3]> {
    let pairs = costs.iter().zip(ours);
    let mut ratios: Vec<f64> =
        pairs.map(|(peer, ours)| peer.cpu.as_secs_f64() / ours.cpu.as_secs_f64().max(1e-6)).collect();
    ratios.sort_by(f64::total_cmp);
    Some([*ratios.get(ratios.len() / 2)?, *ratios.first()?, *ratios.last()?])
}
