//! The one list of system packages that tests need, and their installation where we may do that.

use std::env;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _};
use std::path::Path;
use std::process::Command;

use crate::step::{self, Failure};
use crate::workspace::which;

/// A Debian package, the program by which we know that it is there, and what tests do with it.
struct Package {
    name: &'static str,
    program: &'static str,
    /// With these arguments the program succeeds only where the package is there; none where that
    /// the program exists is enough.
    check: &'static [&'static str],
    why: &'static str,
    /// The tests that cannot run without it, as nextest selects them.
    tests: &'static str,
}

/// The tests that a Prometheus, or its tool, has a say in.
const PROMETHEUS: &str = "(package(deespec) & test(/^(oracles|native|readers|scrape|server)::/)) \
    | test(/^(assets|serve::prometheus|formats|report::tests)::/)";
/// The tests of the page.
const BROWSER: &str = "test(/^browser::/)";
/// The tests that ask packages of Python's.
const PYTHON: &str =
    "(package(deespec) & test(/^(oracles|native|readers)::/)) | test(/^(formats|report::tests)::/)";

/// Add a line here and nowhere else.
const PACKAGES: &[Package] = &[
    Package {
        name: "git",
        program: "git",
        check: &[],
        why: "`deespec demo` and its tests race commits onto a branch",
        tests: "test(/^demo::/)",
    },
    Package {
        name: "prometheus",
        program: "promtool",
        check: &[],
        why: "what Prometheus scrapes is checked by its own tool",
        tests: PROMETHEUS,
    },
    Package {
        name: "prometheus",
        program: "prometheus",
        check: &[],
        why: "a real server scrapes a store that is counting",
        tests: PROMETHEUS,
    },
    Package {
        name: "e2fsprogs",
        program: "mkfs.ext4",
        check: &[],
        why: "stores lie on real disks that fail, fill up and lose power",
        tests: "none()",
    },
    Package {
        name: "xfsprogs",
        program: "mkfs.xfs",
        check: &[],
        why: "as ext4, on a second file system",
        tests: "none()",
    },
    Package {
        name: "xfsprogs",
        program: "xfs_io",
        check: &[],
        why: "file systems are shut down under a store",
        tests: "none()",
    },
    Package {
        name: "btrfs-progs",
        program: "mkfs.btrfs",
        check: &[],
        why: "and on one that copies on write",
        tests: "none()",
    },
    Package {
        name: "util-linux",
        program: "losetup",
        check: &[],
        why: "those disks are files",
        tests: "none()",
    },
    Package {
        name: "util-linux",
        program: "setpriv",
        check: &[],
        why: "what another user may do is tried as another user",
        tests: "test(/^access::/)",
    },
    Package {
        name: "mount",
        program: "mount",
        check: &[],
        why: "those file systems are mounted, in a name space of their own",
        tests: "none()",
    },
    Package {
        name: "g++",
        program: "c++",
        check: &[],
        why: "the fuzzer is built from C++",
        tests: "none()",
    },
    Package {
        name: "libbenchmark-dev",
        program: "c++",
        check: &[
            "-x",
            "c++",
            "-fsyntax-only",
            "-include",
            "benchmark/benchmark.h",
            "/dev/null",
        ],
        why: "what Google Benchmark really writes is imported",
        tests: "test(/what_google_benchmark/)",
    },
    Package {
        name: "hyperfine",
        program: "hyperfine",
        check: &[],
        why: "and what hyperfine writes",
        tests: "test(/what_hyperfine/)",
    },
    Package {
        name: "chromium",
        program: "chromium",
        check: &[],
        why: "the page is used as somebody uses it: read, typed into, looked at",
        tests: BROWSER,
    },
    Package {
        name: "chromium-driver",
        program: "chromedriver",
        check: &[],
        why: "tests tell that browser what to do",
        tests: BROWSER,
    },
    Package {
        name: "fontconfig",
        program: "fc-list",
        check: &[],
        why: "says whether there is a font, without which a page has no widths",
        tests: BROWSER,
    },
    Package {
        name: "fonts-dejavu-core",
        program: "fc-list",
        check: &["-q", "DejaVu Sans"],
        why: "that font, the same one everywhere",
        tests: BROWSER,
    },
    Package {
        name: "python3-venv",
        program: "python3",
        check: &["-c", "import ensurepip, venv"],
        why: "Python's parsers read what is scraped and what the gate reports; axe-core comes as a Python package",
        tests: PYTHON,
    },
];

/// What `cargo xtask dist --check` asks of the system.
const FOR_PACKAGES: &[Package] = &[
    Package {
        name: "file",
        program: "file",
        check: &[],
        why: "says how a program is linked",
        tests: "none()",
    },
    Package {
        name: "strace",
        program: "strace",
        check: &[],
        why: "shows whether the static program loads a module",
        tests: "none()",
    },
    Package {
        name: "rpm",
        program: "rpm",
        check: &[],
        why: "reads the package for Fedora",
        tests: "none()",
    },
    Package {
        name: "zstd",
        program: "zstd",
        check: &[],
        why: "unpacks the package for Arch",
        tests: "none()",
    },
    Package {
        name: "systemd",
        program: "systemd-analyze",
        check: &[],
        why: "judges the units",
        tests: "none()",
    },
    Package {
        name: "npm",
        program: "npm",
        check: &[],
        why: "brings action-validator",
        tests: "none()",
    },
];

/// Makes sure that these are there, or says what to type.
pub(crate) fn require_for_packages() -> Result<(), Failure> {
    let missing: Vec<_> = FOR_PACKAGES
        .iter()
        .filter(|package| !is_there(package))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => install(&missing),
    }
}

/// Makes sure that all packages are there, or says what to type. Where going on without them was asked for, the
/// tests that cannot run then.
pub(crate) fn require(skip_missing: bool) -> Result<Vec<String>, Failure> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    for package in &missing {
        println!(
            "missing: {} (package {}): {}",
            package.program, package.name, package.why
        );
    }
    let why_not = match install(&missing) {
        Ok(()) => return Ok(Vec::new()),
        Err(failure) => failure.message,
    };
    if skip_missing && !in_ci() {
        println!("going on without, as --skip-missing asks: {why_not}");
        return Ok(missing
            .iter()
            .map(|package| package.tests.to_owned())
            .collect());
    }
    Err(Failure::missing(why_not))
}

/// Whether nothing may be left out.
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

/// Packages that only root has a use for: the proofs that need them are skipped for others, by name.
const FOR_ROOT: [&str; 5] = [
    "e2fsprogs",
    "xfsprogs",
    "btrfs-progs",
    "util-linux",
    "mount",
];

fn missing() -> Vec<&'static Package> {
    PACKAGES
        .iter()
        .filter(|package| is_root() || !FOR_ROOT.contains(&package.name))
        .filter(|package| !is_there(package))
        .collect()
}

fn is_there(package: &Package) -> bool {
    let Some(program) = which(package.program) else {
        return false;
    };
    let checked = || {
        let output = Command::new(program).args(package.check).output();
        output.is_ok_and(|output| output.status.success())
    };
    package.check.is_empty() || checked()
}

fn install(wanted: &[&Package]) -> Result<(), Failure> {
    let mut command = Command::new("apt-get");
    command.args(["install", "-y", "--no-install-recommends"]);
    let mut names: Vec<_> = wanted.iter().map(|package| package.name).collect();
    names.dedup();
    command.args(names);
    if which("apt-get").is_none() {
        let programs: Vec<_> = wanted.iter().map(|package| package.program).collect();
        return Err(Failure::missing(format!(
            "this is not Debian; install these programs with your system's own means: {}",
            programs.join(", ")
        )));
    }
    if !is_root() {
        return Err(Failure::missing(format!(
            "not root; type: sudo apt-get update && sudo {}",
            step::shown(&command)
        )));
    }
    step::run(Command::new("apt-get").arg("update"))?;
    let quiet = NoServices::ask(wanted.iter().any(|package| package.name == "prometheus"));
    step::run(command.env("DEBIAN_FRONTEND", "noninteractive"))?;
    drop(quiet);
    match wanted.iter().find(|package| !is_there(package)) {
        None => Ok(()),
        Some(package) => Err(Failure::missing(format!(
            "package {} is installed, yet there is no program {} on the PATH that works",
            package.name, package.program
        ))),
    }
}

/// Asks Debian's packages to start no service of theirs, as long as this is held: no test uses one.
/// The means is Debian's own (`invoke-rc.d`), and whoever has one in place keeps it.
struct NoServices {
    policy: bool,
    /// Whether Prometheus comes with it, which has a service that is enabled.
    prometheus: bool,
}

impl NoServices {
    const POLICY: &str = "/usr/sbin/policy-rc.d";

    fn ask(prometheus: bool) -> Self {
        let made = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(Self::POLICY)
            .and_then(|mut file| file.write_all(b"#!/bin/sh\nexit 101\n"));
        Self {
            policy: made.is_ok(),
            prometheus,
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.policy {
            let _ = fs::remove_file(Self::POLICY);
            // Not at the next start either.
            if self.prometheus && Path::new("/run/systemd/system").is_dir() {
                let _ = Command::new("systemctl")
                    .args(["disable", "--quiet", "prometheus"])
                    .status();
            }
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0)
}
