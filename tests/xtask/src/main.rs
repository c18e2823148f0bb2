//! The project's tasks, so that the README needs to name only two commands: `cargo xtask run` and `cargo xtask test`.

mod bench;
mod bindings;
mod deploy;
mod install;
mod npm;
mod origins;
mod package;
mod page;
mod run;
mod shell;
mod snip;
mod split;
mod test;
mod wasm;

use std::process::ExitCode;

const USAGE: &str = "\
The project's tasks. Each installs what it needs where it can, and names the command where it cannot.

  cargo xtask run            build everything, read the two sample captures, and follow a simulated mirror in the page
  cargo xtask run --once     the same without waiting for Ctrl-C
  cargo xtask test           every check and every test of every crate
  cargo xtask bench          measure the program beside its peers
  cargo xtask bench js       measure the npm package beside the program, a decoder by hand, and Wireshark in WebAssembly
  cargo xtask package        the program as .deb and .rpm, for glibc 2.28 and later; quickly with --debug
  cargo xtask wasm           build the decoder for JavaScript: module, npm package, sizes
  cargo xtask page           build the page in web-demo/dist, with the decoder
  cargo xtask wasm --distro  the same with Debian's compiler, even if rustup has the target
";

fn main() -> ExitCode {
    if let Err(error) = std::env::set_current_dir(shell::workspace_root()) {
        eprintln!("error: cannot enter {}: {error}", shell::workspace_root().display());
        return ExitCode::FAILURE;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["run"] => run::run(run::Until::Interrupted),
        ["run", "--once"] => run::run(run::Until::Shown),
        ["test"] => test::test(),
        ["bench", "js"] => bench::javascript(),
        ["bench", words @ ..] => bench::bench(words),
        ["page"] => wasm::build(wasm::Compiler::First).and_then(|()| page::build()),
        ["package"] => package(package::Profile::Release),
        ["package", "--debug"] => package(package::Profile::Debug),
        ["wasm"] => wasm::build(wasm::Compiler::First),
        ["wasm", "--distro"] => wasm::build(wasm::Compiler::Distribution),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn package(profile: package::Profile) -> shell::Outcome {
    package::Tools::install()?.build(profile).map(drop)
}
