//! The npm package `mirrorscope`, from the built module: bindings, a smaller module, JavaScript, sizes, tarball.
//!
//! wasm-bindgen's generator is a library here, so that one lock file gives both sides of the boundary the same
//! version. What comes from npm (compiler, wasm-opt) is pinned by `wasm/npm/package-lock.json`.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::GzEncoder};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    bindings,
    origins::Origins,
    shell::{self, Outcome},
    snip,
    split::{self, Cut},
    wasm,
};

const PACKAGE: &str = "wasm/npm";
const DIST: &str = "wasm/npm/dist";
const RUNTIMES: &str = "wasm/npm/test/runtimes";

/// A part of the module.
struct Part {
    /// Its name in the package.
    file: &'static str,
    /// The name of its JavaScript side.
    bindings: &'static str,
    cut: Cut,
    /// The most octets of it as a server sends it, gzip.
    max_gzip_len: usize,
}

/// What all others need; what passes over a capture; what `Capture` needs to open one and show its packets in a table;
/// what answers questions about packets, flows and sessions, and prints for people; what prints as tcpdump does, and
/// knows AWS's descriptions.
const PARTS: [Part; 5] = [
    Part {
        file: "mirrorscope.wasm",
        bindings: "bindings",
        cut: Cut { exports: &[], needs: &[] },
        max_gzip_len: 80_800,
    },
    Part {
        file: "decode.wasm",
        bindings: "bindings-decode",
        cut: Cut { exports: &["rawdecoder_", "__wbg_rawdecoder_", "checkFilter"], needs: &[] },
        max_gzip_len: 130 * 1024 - 80_800,
    },
    Part {
        file: "capture.wasm",
        bindings: "bindings-capture",
        cut: Cut { exports: &["rawcapture_", "__wbg_rawcapture_", "indexBytesPerPacket"], needs: &[] },
        max_gzip_len: 41 * 1024,
    },
    Part {
        file: "packet.wasm",
        bindings: "bindings-packet",
        cut: Cut {
            exports: &[
                "setText",
                "sessionsCsv",
                "flowsCsv",
                "dissect",
                "completeFilter",
                "rawcapture_complete",
                "rawcapture_dissect",
                "rawcapture_print",
                "rawcapture_visitPrint",
                "rawcapture_visitFollow",
                "rawcapture_talkers",
                "rawcapture_sessionsCsv",
                "rawcapture_overview",
                "rawcapture_problems",
                "rawcapture_flow",
                "rawcapture_timeline",
                "rawcapture_select",
            ],
            needs: &[1, 2],
        },
        max_gzip_len: 71 * 1024,
    },
    Part {
        file: "reports.wasm",
        bindings: "bindings-reports",
        cut: Cut {
            exports: &["rawinventory_", "__wbg_rawinventory_", "setExplain", "setSuggest", "setTcpdump"],
            needs: &[1, 2, 3],
        },
        max_gzip_len: 210 * 1024,
    },
];

/// The most octets of the JavaScript that every user loads, gzip: one entry with all that it imports at once.
const MAX_ENTRY_GZIP_LEN: usize = 8 * 1024;
/// The most octets of the tarball.
const MAX_TARBALL_LEN: u64 = 520_000;

/// What rustc's default wasm32 features need of wasm-opt. What is called once is inlined only while it is small:
/// printers inside the decoding loop would make it too large for a browser to compile well.
const WASM_OPT: &str = "--enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
    --enable-mutable-globals --enable-reference-types --enable-multivalue -O3 -ocimfs 100";

/// Whether Node and npm are there; otherwise the command that would help.
pub(crate) fn node() -> Outcome {
    let present = ["node", "npm"].iter().all(|tool| shell::succeeds(&mut shell::command(tool, "--version")));
    if present {
        Ok(())
    } else {
        Err("install Node 20.19 or later, for example from https://nodejs.org".into())
    }
}

/// Builds the package from the linked module and packs it; fails where a size is over its budget.
pub(crate) fn build(module: &Path) -> Outcome {
    let _ = fs::remove_dir_all(DIST);
    install()?;
    bind(module)?;
    for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
        fs::copy(license, Path::new(PACKAGE).join(license)).map_err(|error| format!("{license}: {error}"))?;
    }
    shell::run(&mut npm("run --silent build"))?;
    check_sizes()?;
    pack()
}

/// Runs the package's own tests; `None` where Node is missing.
pub(crate) fn tests() -> Command {
    npm("test --silent")
}

/// The runtimes and bundlers that the packed package is tried in, from npm; otherwise the command that would install them.
pub(crate) fn runtimes() -> Outcome {
    if Path::new(RUNTIMES).join("node_modules/.package-lock.json").is_file() {
        return Ok(());
    }
    let arguments = format!("ci --no-audit --no-fund --prefix {RUNTIMES}");
    shell::run(&mut shell::command("npm", &arguments)).map_err(|_| format!("npm {arguments}"))
}

/// Measures the package; the program is the native one to compare it with.
pub(crate) fn bench(program: &Path, captures: &Path) -> Outcome {
    let mut bench = shell::command("node", "wasm/npm/bench/bench.js");
    shell::run(bench.env("MIRRORSCOPE_BIN", program).env("MIRRORSCOPE_BENCH_DIR", captures))
}

/// Runs the checks of what a user of the package gets: its exports and types.
pub(crate) fn lint() -> Outcome {
    shell::run(&mut npm("run --silent check"))
}

/// Writes the parts of the module, and their JavaScript sides with types.
fn bind(module: &Path) -> Outcome {
    let origins = fs::read(module).map_err(|error| format!("{}: {error}", module.display()))?;
    let origins = Origins::read(&origins)?;
    let mut bindgen = Bindgen::new();
    bindgen.input_module("bindings", snip::panics(module)?).out_name("bindings").typescript(true);
    bindgen.web(true).map_err(|error| error.to_string())?;
    bindgen.remove_producers_section(true).omit_default_module_path(true).demangle(false);
    bindgen.generate(DIST).map_err(|error| format!("wasm-bindgen: {error:#}"))?;
    let _ = fs::remove_file(Path::new(DIST).join("bindings_bg.wasm.d.ts"));
    let whole = take("bindings_bg.wasm")?;
    let cuts = PARTS.map(|part| part.cut);
    let mut imports = Vec::new();
    for (part, octets) in PARTS.iter().zip(split::split(&whole, &origins, &cuts)?) {
        let found = wasm::imports(&octets).map_err(|error| format!("{}: {error}", part.file))?;
        imports.push(found.into_iter().map(|(_, name)| name).collect());
        shrink(part, &octets)?;
    }
    let script = String::from_utf8(take("bindings.js")?).map_err(|error| error.to_string())?;
    let names = PARTS.map(|part| part.bindings);
    for (part, text) in PARTS.iter().zip(bindings::split(&script, &cuts, &names, &imports)?) {
        write(&format!("../src/{}.js", part.bindings), text.as_bytes())?;
    }
    // The compiler looks for types beside the sources, and the package's own types refer to them, too.
    let types = String::from_utf8(take("bindings.d.ts")?).map_err(|error| error.to_string())?;
    let types = bindings::types(&types)?;
    for folder in [".", "../src"] {
        write(&format!("{folder}/bindings.d.ts"), types.as_bytes())?;
        for part in PARTS.iter().skip(1) {
            write(&format!("{folder}/{}.d.ts", part.bindings), b"export * from './bindings.js';\n")?;
        }
    }
    Ok(())
}

/// Reads a file that something else is made of, and removes it.
fn take(file: &str) -> Outcome<Vec<u8>> {
    let octets = read(file)?;
    fs::remove_file(Path::new(DIST).join(file)).map_err(|error| format!("{file}: {error}"))?;
    Ok(octets)
}

fn write(file: &str, octets: &[u8]) -> Outcome {
    fs::write(Path::new(DIST).join(file), octets).map_err(|error| format!("{file}: {error}"))
}

fn install() -> Outcome {
    if Path::new(PACKAGE).join("node_modules/binaryen").is_dir() {
        return Ok(());
    }
    shell::run(&mut npm("ci --no-audit --no-fund"))
}

fn shrink(part: &Part, octets: &[u8]) -> Outcome {
    write("unoptimised.wasm", octets)?;
    let wasm_opt = Path::new(PACKAGE).join("node_modules/binaryen/bin/wasm-opt");
    let mut command = shell::command("node", "");
    command.arg(wasm_opt).args(WASM_OPT.split_whitespace());
    command.arg(Path::new(DIST).join("unoptimised.wasm")).arg("-o").arg(Path::new(DIST).join(part.file));
    shell::run(&mut command)?;
    take("unoptimised.wasm").map(drop)
}

fn check_sizes() -> Outcome {
    let mut sizes = vec![("entry", gzip_len(&entry_files()?)?, MAX_ENTRY_GZIP_LEN)];
    for part in &PARTS {
        sizes.push((part.file, gzip_len(&[part.file])?, part.max_gzip_len));
    }
    for (what, len, max_len) in &sizes {
        eprintln!("{what}: {len} of {max_len} bytes, gzip");
    }
    if sizes.iter().any(|(_, len, max_len)| len > max_len) {
        return Err("the package is over its size budget".into());
    }
    Ok(())
}

/// The browser's entry and what it imports statically, each once.
fn entry_files() -> Outcome<Vec<String>> {
    let mut files = vec!["web.js".to_owned()];
    let mut next = 0;
    while let Some(file) = files.get(next).cloned() {
        next += 1;
        let text = read(&file)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        for import in static_imports(&text) {
            if !files.iter().any(|known| known == import) {
                files.push(import.to_owned());
            }
        }
    }
    Ok(files)
}

/// `x.js` of every `from"./x.js"` and `import"./x.js"`, as the bundler writes them; what is imported when it is needed
/// stands in parentheses.
fn static_imports(text: &str) -> Vec<&str> {
    let starts = ["from\"./", "import\"./"].into_iter().flat_map(|word| text.split(word).skip(1));
    starts.filter_map(|rest| rest.split('"').next()).collect()
}

fn gzip_len(files: &[impl AsRef<str>]) -> Outcome<usize> {
    files.iter().try_fold(0, |sum, file| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&read(file.as_ref())?).map_err(|error| error.to_string())?;
        Ok(sum + encoder.finish().map_err(|error| error.to_string())?.len())
    })
}

fn read(file: &str) -> Outcome<Vec<u8>> {
    fs::read(Path::new(DIST).join(file)).map_err(|error| format!("{DIST}/{file}: {error}"))
}

fn pack() -> Outcome {
    shell::run(&mut npm("pack --silent --pack-destination dist"))?;
    let tarball = tarball().ok_or("npm pack wrote no tarball")?;
    let len = fs::metadata(&tarball).map_err(|error| error.to_string())?.len();
    eprintln!("{}: {len} of {MAX_TARBALL_LEN} bytes", tarball.display());
    if len > MAX_TARBALL_LEN { Err("the tarball is over its size budget".into()) } else { Ok(()) }
}

fn tarball() -> Option<PathBuf> {
    let files = fs::read_dir(DIST).ok()?.filter_map(|file| Some(file.ok()?.path()));
    files.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "tgz"))
}

fn npm(arguments: &str) -> Command {
    let mut npm = shell::command("npm", arguments);
    npm.current_dir(PACKAGE);
    npm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_that_load_with_the_entry_are_found_and_later_ones_are_not() {
        let text = "import{a}from\"./a.js\";import\"./b.js\";const c=await import(\"./c.js\");";
        assert_eq!(static_imports(text), ["a.js", "b.js"]);
    }
}
