//! The one list of system packages that tests need, and their installation where we may do that.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
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
}

/// Add a line here and nowhere else.
const PACKAGES: &[Package] = &[
    Package {
        name: "git",
        program: "git",
        check: &[],
        why: "`deespec demo` and its tests race commits onto a branch",
    },
    Package {
        name: "prometheus",
        program: "promtool",
        check: &[],
        why: "what Prometheus scrapes is checked by its own tool",
    },
    Package {
        name: "prometheus",
        program: "prometheus",
        check: &[],
        why: "a real server scrapes a store that is counting",
    },
    Package {
        name: "e2fsprogs",
        program: "mkfs.ext4",
        check: &[],
        why: "stores lie on real disks that fail, fill up and lose power",
    },
    Package {
        name: "xfsprogs",
        program: "mkfs.xfs",
        check: &[],
        why: "as ext4, on a second file system",
    },
    Package {
        name: "xfsprogs",
        program: "xfs_io",
        check: &[],
        why: "file systems are shut down under a store",
    },
    Package {
        name: "util-linux",
        program: "losetup",
        check: &[],
        why: "those disks are files",
    },
    Package {
        name: "util-linux",
        program: "setpriv",
        check: &[],
        why: "what another user may do is tried as another user",
    },
    Package {
        name: "mount",
        program: "mount",
        check: &[],
        why: "those file systems are mounted, in a name space of their own",
    },
    Package {
        name: "g++",
        program: "c++",
        check: &[],
        why: "the fuzzer is built from C++",
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
    },
    Package {
        name: "hyperfine",
        program: "hyperfine",
        check: &[],
        why: "and what hyperfine writes",
    },
    Package {
        name: "chromium",
        program: "chromium",
        check: &[],
        why: "the page is used as somebody uses it: read, typed into, looked at",
    },
    Package {
        name: "chromium-driver",
        program: "chromedriver",
        check: &[],
        why: "tests tell that browser what to do",
    },
    Package {
        name: "fontconfig",
        program: "fc-list",
        check: &[],
        why: "says whether there is a font, without which a page has no widths",
    },
    Package {
        name: "fonts-dejavu-core",
        program: "fc-list",
        check: &["-q", "DejaVu Sans"],
        why: "that font, the same one everywhere",
    },
    Package {
        name: "python3-venv",
        program: "python3",
        check: &["-c", "import ensurepip, venv"],
        why: "Python's parsers read what is scraped and what the gate reports; axe-core comes as a Python package",
    },
];

/// Makes sure that all packages are there, or says what to type.
pub(crate) fn require(skip_missing: bool) -> Result<(), Failure> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    for package in &missing {
        println!(
            "missing: {} (package {}): {}",
            package.program, package.name, package.why
        );
    }
    let why_not = match install(&missing) {
        Ok(()) => return Ok(()),
        Err(failure) => failure.message,
    };
    if skip_missing && !in_ci() {
        println!("going on without, as --skip-missing asks: {why_not}");
        return Ok(());
    }
    Err(Failure::missing(why_not))
}

/// Whether nothing may be left out.
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

fn missing() -> Vec<&'static Package> {
    PACKAGES
        .iter()
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
    step::run(command.env("DEBIAN_FRONTEND", "noninteractive"))?;
    match self::missing().first() {
        None => Ok(()),
        Some(package) => Err(Failure::missing(format!(
            "package {} is installed, yet there is no program {} on the PATH that works",
            package.name, package.program
        ))),
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0)
}
