//! How tasks start other programs: announced on standard error, and never reading standard input.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The outcome of a task; the error is a message for people.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn workspace_root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Where cargo puts what it builds. Our own tools are kept there too.
pub(crate) fn target_dir() -> PathBuf {
    let dir = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    workspace_root().join(dir)
}

/// The cargo that runs this task, with `arguments` separated by spaces.
pub(crate) fn cargo(arguments: &str) -> Command {
    command(&env::var("CARGO").unwrap_or_else(|_| "cargo".into()), arguments)
}

/// A command with `arguments` separated by spaces.
pub(crate) fn command(program: &str, arguments: &str) -> Command {
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs `command` to its end; an error if it cannot be started or fails.
pub(crate) fn run(command: &mut Command) -> Outcome {
    eprintln!("$ {}", as_typed(command));
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", as_typed(command))) }
}

/// Whether `command` can be started and succeeds; what it prints is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Like [`run`], but ends `command` after `limit`.
pub(crate) fn run_within(limit: Duration, command: &mut Command) -> Outcome {
    eprintln!("$ {}", as_typed(command));
    let mut child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("`{}` failed ({status})", as_typed(command))),
            Ok(None) if start.elapsed() < limit => thread::sleep(Duration::from_millis(100)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{}` took longer than {} s", as_typed(command), limit.as_secs()));
            }
        }
    }
}

/// Runs `command` and passes on what it prints while also keeping the lines. The flag tells whether it succeeded.
pub(crate) fn run_and_keep_lines(command: &mut Command) -> Outcome<(bool, Vec<String>)> {
    eprintln!("$ {}", as_typed(command));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_start(command, &error))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reader = thread::spawn(move || stderr.map(|pipe| pass_on(pipe, io::stderr())).unwrap_or_default());
    let mut lines = stdout.map(|pipe| pass_on(pipe, io::stdout())).unwrap_or_default();
    lines.extend(reader.join().unwrap_or_default());
    let status = child.wait().map_err(|error| format!("`{}`: {error}", as_typed(command)))?;
    Ok((status.success(), lines))
}

fn pass_on(from: impl io::Read, mut to: impl Write) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        // A closed terminal must not end the tests.
        let _ = writeln!(to, "{line}");
        lines.push(line);
    }
    lines
}

fn as_typed(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command, error: &io::Error) -> String {
    format!("cannot start `{}`: {error}", command.get_program().to_string_lossy())
}
