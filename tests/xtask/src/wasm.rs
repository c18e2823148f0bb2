//! `cargo xtask wasm`: the module for JavaScript, built with the first compiler that can, and checked for what it imports.
//!
//! The standard library for wasm32 comes from rustup. Where rustup is missing or offline, Debian's compiler builds it
//! from Debian's sources; that takes minutes the first time and is kept in `target/wasm-distro`.
//!
//! The target is not in a `rust-toolchain.toml`: rustup would then ask the network at every cargo command.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use wasmparser::{Parser, Payload};

use crate::{
    install, npm,
    shell::{self, Outcome},
};

const TARGET: &str = "wasm32-unknown-unknown";
const FILE: &str = "wasm32-unknown-unknown/wasm/mirrorscope_wasm.wasm";
const BUILD: &str = "build --profile wasm --package mirrorscope-wasm";
const DEBIAN_PACKAGES: &str = "rustc-web cargo-web rust-web-src lld";
/// No places in the source for panics, whose words are cut off anyway (see `snip`): they tell about the builder's folders.
/// Relocations tell what is a pointer (see `origins`).
const FLAGS: (&str, &str) =
    ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Zlocation-detail=none -Clink-arg=--emit-relocs");
/// Lets a stable compiler take options that begin with `-Z`.
const UNSTABLE: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// Which compiler to build with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// The first of: the one in use, the one in use after `rustup target add`, the distribution's.
    First,
    /// Debian's.
    Distribution,
}

/// Builds the module and the npm package around it; without Node only the module.
pub(crate) fn build(compiler: Compiler) -> Outcome {
    let own = compiler == Compiler::First && has_target();
    let file = if own { with_own_compiler()? } else { with_distribution_compiler()? };
    check_file(&file)?;
    match npm::node() {
        Ok(()) => npm::build(&file),
        Err(command) => {
            eprintln!("SKIPPED: the npm package; to have it: {command}");
            Ok(())
        }
    }
}

/// Fails if the module needs anything from an operating system, and reports its size.
fn check_file(file: &Path) -> Outcome {
    let module = fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let imports = imports(&module).map_err(|error| format!("{}: {error}", file.display()))?;
    check(&imports)?;
    eprintln!("{}: {} bytes, {} imports, none from `env`", file.display(), module.len(), imports.len());
    Ok(())
}

fn has_target() -> bool {
    if has_standard_library() {
        return true;
    }
    let mut add = shell::command("rustup", &format!("target add {TARGET}"));
    match shell::run_within(RUSTUP_LIMIT, &mut add) {
        Ok(()) => has_standard_library(),
        Err(why) => {
            eprintln!("{why}; trying the distribution's compiler");
            false
        }
    }
}

fn has_standard_library() -> bool {
    let mut rustc = shell::command("rustc", &format!("--print target-libdir --target {TARGET}"));
    let Ok(output) = rustc.output() else { return false };
    let dir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let Ok(mut files) = fs::read_dir(dir) else { return false };
    files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
}

fn with_own_compiler() -> Outcome<PathBuf> {
    let mut cargo = shell::cargo(&format!("{BUILD} --target {TARGET}"));
    shell::run(cargo.envs([FLAGS, UNSTABLE]))?;
    Ok(shell::target_dir().join(FILE))
}

fn with_distribution_compiler() -> Outcome<PathBuf> {
    if install::debian(DEBIAN_PACKAGES, distribution_is_complete).is_err() {
        return Err(format!(
            "no compiler here can build for {TARGET}; install one with either of\n  \
             rustup target add {TARGET}\n  \
             sudo apt-get install -y {DEBIAN_PACKAGES}"
        ));
    }
    let target_dir = shell::target_dir().join("wasm-distro");
    eprintln!("building with Debian's compiler; the first time takes some minutes");
    shell::run(&mut distribution_cargo(&target_dir))?;
    Ok(target_dir.join(FILE))
}

fn distribution_is_complete() -> bool {
    let sources = Path::new("/usr/lib/rustlib/src/rust/library/std/Cargo.toml");
    let programs = ["/usr/bin/rustc", "/usr/bin/cargo", "/usr/bin/wasm-ld"];
    sources.is_file() && programs.iter().all(|program| Path::new(program).is_file())
}

fn distribution_cargo(target_dir: &Path) -> Command {
    let mut cargo = shell::command("/usr/bin/cargo", BUILD);
    cargo.args(["-Z", "build-std=std,panic_abort", "--target", TARGET]);
    // What the calling cargo set for its own compiler would mislead this one.
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        cargo.env_remove(name);
    }
    let path = env::var("PATH").unwrap_or_default();
    cargo
        .env("PATH", format!("/usr/bin:{path}"))
        .env("RUSTC", "/usr/bin/rustc")
        .envs([FLAGS, UNSTABLE])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld")
        .env("CARGO_TARGET_DIR", target_dir);
    cargo
}

/// An import of a module: which module it wants it from, and what.
pub(crate) type Import = (String, String);

/// What a module imports.
pub(crate) fn imports(module: &[u8]) -> Outcome<Vec<Import>> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload.map_err(|error| error.to_string())? {
            for import in section.into_imports() {
                let import = import.map_err(|error| error.to_string())?;
                found.push((import.module.to_owned(), import.name.to_owned()));
            }
        }
    }
    Ok(found)
}

/// `env` is where a linker puts what it could not find, and WASI is an operating system: core must need neither.
fn check(imports: &[Import]) -> Outcome {
    let foreign = |module: &str| module == "env" || module.starts_with("wasi");
    let names: Vec<_> = imports
        .iter()
        .filter(|(module, _)| foreign(module))
        .map(|(module, name)| format!("{module}.{name}"))
        .collect();
    if names.is_empty() { Ok(()) } else { Err(format!("the module imports {}", names.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module that imports the function `f` without parameters or results from `module`.
    fn importing(module: &str) -> Vec<u8> {
        let name_len = module.len() as u8;
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend([1, 4, 1, 0x60, 0, 0]); // type section: one type, () -> ()
        bytes.extend([2, name_len + 6, 1, name_len]); // import section: one import
        bytes.extend(module.as_bytes());
        bytes.extend([1, b'f', 0, 0]); // named f, a function of type 0
        bytes
    }

    #[test]
    fn an_import_from_env_fails_the_build() {
        let found = imports(&importing("env")).expect("the module is well formed");
        assert_eq!(check(&found), Err("the module imports env.f".to_owned()));
    }

    #[test]
    fn an_import_that_wasm_bindgen_supplies_passes() {
        let found = imports(&importing("__wbindgen_placeholder__")).expect("the module is well formed");
        assert_eq!(found.len(), 1);
        assert_eq!(check(&found), Ok(()));
    }

    #[test]
    fn a_file_that_is_no_module_is_an_error() {
        assert!(imports(b"not wasm").is_err());
    }
}
