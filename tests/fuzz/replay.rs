//! The corpus of every fuzz target on the ordinary compiler: what was once found stays found.

// Public for the drivers, which are crates of their own.
#[allow(unreachable_pub)]
mod targets;

use std::fs;

use mirrorscope_tests::workspace_root;

#[test]
fn every_target_takes_its_corpus_and_the_edges() {
    for (name, target) in targets::TARGETS {
        let corpus = workspace_root().join("tests/fuzz/corpus").join(name);
        let files = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
        let mut inputs: Vec<_> =
            files.flatten().map(|file| fs::read(file.path()).expect("it can be read")).collect();
        assert!(!inputs.is_empty(), "{name} has no corpus");
        inputs.extend([Vec::new(), vec![0], vec![0xff; 1], vec![0; 4096], vec![0xff; 4096]]);
        inputs.iter().for_each(|input| target(input));
    }
}

#[test]
fn every_target_has_a_driver_and_a_row() {
    let drivers = fs::read_dir(workspace_root().join("tests/fuzz/fuzz_targets")).expect("it is there");
    let mut drivers: Vec<_> =
        drivers.flatten().map(|file| file.file_name().into_string().expect("a name")).collect();
    let mut rows: Vec<_> = targets::TARGETS.iter().map(|(name, _)| format!("{name}.rs")).collect();
    drivers.sort_unstable();
    rows.sort_unstable();
    assert_eq!(drivers, rows);
}
