//! The packages: installed and started in a root of their own, judged by their formats' linters, and linked to a C
//! library that is old enough.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mirrorscope_tests::{skip, tool};
use object::{
    Endianness,
    elf::FileHeader64,
    read::elf::{FileHeader, SectionHeader},
};

use super::{deploy, empty_dir, need, run};

/// The C library of RHEL 8 and Debian 10. Amazon Linux 2023 has 2.34.
const GLIBC: (u32, u32) = (2, 28);
/// `systemd-analyze security` counts from 0 (safe) to 10; the goal of the project.
const MAX_EXPOSURE: f64 = 2.5;
/// What Debian's policy asks of packages in its archive.
const NOT_ASKED: &str = "no-changelog,malformed-contact,\
    maintainer-script-calls-systemctl,no-manual-page";

/// Everything of this machine below, and what is written above it, gone at the end; no network but loopback.
const IN_A_ROOT: &str = r#"
mount -t tmpfs none "$SCRATCH"
mkdir "$SCRATCH/upper" "$SCRATCH/work" "$SCRATCH/root"
mount -t overlay none -o "lowerdir=/,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work" "$SCRATCH/root" || exit 77
cp "$PACKAGE" "$SCRATCH/root/root/"
mount --bind /dev "$SCRATCH/root/dev"
mount -t proc proc "$SCRATCH/root/proc"
ip link set lo up
exec chroot "$SCRATCH/root" /bin/sh -exc "$IN_ROOT"
"#;
/// The overlay that holds the root is not possible here, for example inside of some containers.
const NO_OVERLAY: i32 = 77;

/// What holds after the installation, whatever the package's format. The agent runs as it does under systemd.
const INSTALLED: &str = r#"
[ "$(stat -c %U:%G:%a /var/lib/mirrorscope)" = mirrorscope:mirrorscope:750 ]
[ "$(id -u mirrorscope)" -lt 1000 ]
systemd-analyze verify mirrorscope.service mirrorscope-lifecycle.service
[ -s /usr/share/man/man1/mirrorscope-serve.1.gz ]
bash -c '. /usr/share/bash-completion/completions/mirrorscope; complete -p mirrorscope'
mirrorscope serve --config /etc/mirrorscope/mirrorscope.toml --check
cd /var/lib/mirrorscope
setpriv --reuid mirrorscope --regid mirrorscope --init-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
  mirrorscope serve --config /etc/mirrorscope/mirrorscope.toml &
tries=0
until mirrorscope health; do tries=$((tries + 1)); [ "$tries" -lt 100 ]; sleep 0.1; done
kill -INT $!
wait $!
"#;
/// What the agent wrote outlives the package.
const REMOVED: &str = "[ ! -e /usr/bin/mirrorscope ]; [ -d /var/lib/mirrorscope ]";

#[test]
fn the_deb_installs_starts_and_goes() {
    let Some(package) = package("deb") else { return };
    // Without triggers, because the index of all manual pages takes long and is not ours.
    let install = "export PATH=\"$PATH:/usr/sbin:/sbin\"; dpkg --no-triggers --install /root/*.deb";
    in_a_root(
        &package,
        &format!("{install}\n{INSTALLED}\ndpkg --no-triggers --remove mirrorscope\n{REMOVED}"),
    );
}

#[test]
fn the_rpm_installs_starts_and_goes() {
    let Some(package) = package("rpm") else { return };
    if need("rpm", "the .rpm", "sudo apt-get install -y rpm").is_none() {
        return;
    }
    // The library that it needs is not in this machine's list of .rpm files.
    let install = "rpm --install --nodeps /root/*.rpm";
    in_a_root(&package, &format!("{install}\n{INSTALLED}\nrpm --erase mirrorscope\n{REMOVED}"));
    let requires = run(Command::new("rpm").args(["-qp", "--requires"]).arg(&package));
    assert!(requires.contains(&format!("glibc >= {}.{}", GLIBC.0, GLIBC.1)), "{requires}");
}

#[test]
fn lintian_finds_no_fault_in_the_deb() {
    let Some(package) = package("deb") else { return };
    let Some(lintian) =
        need("lintian", "the .deb against Debian's policy", "sudo apt-get install -y lintian")
    else {
        return;
    };
    let options = ["--allow-root", "--fail-on", "error,warning", "--suppress-tags", NOT_ASKED];
    run(Command::new(lintian).args(options).arg(package));
}

#[test]
fn the_program_starts_with_the_c_library_of_amazon_linux_2023() {
    let Some(packages) = packages() else { return };
    let program = fs::read(packages.join("root/mirrorscope")).expect("the program is there");
    let newest = needed_glibc(&program).into_iter().max().expect("it needs a C library");
    assert!(newest <= GLIBC, "it needs glibc {}.{}", newest.0, newest.1);
}

#[test]
fn the_units_are_hardened() {
    let Some(analyze) = need("systemd-analyze", "the units", "sudo apt-get install -y systemd") else {
        return;
    };
    for unit in ["mirrorscope.service", "mirrorscope-lifecycle.service"] {
        let unit = deploy().join("package").join(unit);
        let said = run(Command::new(&analyze).args(["security", "--offline=yes", "--no-pager"]).arg(&unit));
        let exposure = said.lines().last().and_then(|line| line.split("service: ").nth(1)).expect("a sum");
        let exposure: f64 = exposure.split(' ').next().expect("a number").parse().expect("a number");
        assert!(exposure <= MAX_EXPOSURE, "{}: {exposure}", unit.display());
    }
}

/// The folder that `cargo xtask` built the packages into.
fn packages() -> Option<PathBuf> {
    let folder = std::env::var_os("MIRRORSCOPE_PACKAGES").map(PathBuf::from);
    if folder.is_none() {
        skip(
            "the packages: none were built; to have it: cargo xtask package, and MIRRORSCOPE_PACKAGES=target/package",
        );
    }
    folder
}

fn package(ending: &str) -> Option<PathBuf> {
    let mut files =
        fs::read_dir(packages()?).expect("the folder is there").flatten().map(|entry| entry.path());
    let found = files.find(|file| file.extension().is_some_and(|extension| extension == ending));
    Some(found.unwrap_or_else(|| panic!("there is no .{ending}")))
}

/// Runs `commands` as root in a root that has the package at `/root`.
fn in_a_root(package: &Path, commands: &str) {
    let needed = ["unshare", "chroot", "setpriv", "ip", "systemd-analyze"];
    if let Some(missing) = needed.into_iter().find(|name| tool(name).is_none()) {
        return skip(&format!("installing {}: {missing} is missing", package.display()));
    }
    let scratch = empty_dir(&package.extension().unwrap_or_default().to_string_lossy());
    let output = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "/bin/sh", "-euc", IN_A_ROOT])
        .env("SCRATCH", scratch)
        .env("PACKAGE", package)
        .env("IN_ROOT", commands)
        .output()
        .expect("unshare starts");
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {}
        Some(NO_OVERLAY) => {
            skip("installing the packages: no overlay file system; to have it: a kernel with it")
        }
        Some(1) if said.contains("Operation not permitted") && said.starts_with("unshare") => {
            skip("installing the packages: only root may; to have it: sudo -E cargo xtask test");
        }
        code => panic!("{code:?}\n{}\n{said}", String::from_utf8_lossy(&output.stdout)),
    }
}

/// The versions of glibc's symbols that a program wants (`.gnu.version_r`).
fn needed_glibc(program: &[u8]) -> Vec<(u32, u32)> {
    let header = FileHeader64::<Endianness>::parse(program).expect("it is ELF");
    let endian = header.endian().expect("it has an order of octets");
    let sections = header.sections(endian, program).expect("it has sections");
    let mut versions = Vec::new();
    for section in sections.iter() {
        let Some((mut files, strings)) = section.gnu_verneed(endian, program).expect("it is in order") else {
            continue;
        };
        let strings = sections.strings(endian, program, strings).expect("they are there");
        while let Some((_, mut wanted)) = files.next().expect("it is in order") {
            while let Some(version) = wanted.next().expect("it is in order") {
                let name = version.name(endian, strings).expect("it has a name");
                versions.extend(glibc_version(&String::from_utf8_lossy(name)));
            }
        }
    }
    versions
}

fn glibc_version(name: &str) -> Option<(u32, u32)> {
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}
