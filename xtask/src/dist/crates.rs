//! The crates, as `cargo publish` would send them: packed, unpacked and built from what was packed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::dist::made::{self, Made};
use crate::dist::verdict::{accepts, ensure, io, refuses, text_of, twin};
use crate::step::Failure;
use crate::workspace::{root, target};

/// In the order in which they are published: each after those that it needs.
pub(crate) const CRATES: [&str; 4] = ["deespec", "deespec-client", "deespec-server", "deespec-cli"];

/// What each file list must have, whatever else it has.
const WANTED: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE"];

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    let mut files = 0;
    for name in CRATES {
        files += listed(name)?;
    }
    let mut publish = made::cargo(["publish", "--dry-run", "--locked", "--allow-dirty"]);
    // Without debug information and beside the other builds: only whether they build is asked.
    publish
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0");
    for name in CRATES {
        publish.args(["--package", name]);
    }
    let said = accepts(&mut publish)?;
    for name in CRATES {
        ensure(
            said.contains(&format!("Verifying {name} v{}", made.version)),
            || format!("{name} was not built from what was packed: {said}"),
        )?;
    }
    documented(made)?;
    refused(made)?;
    Ok(format!(
        "{files} files of four crates, packed and built from that; docs as docs.rs builds them"
    ))
}

fn list(name: &str) -> Result<Vec<String>, Failure> {
    let mut package = made::cargo(["package", "--list", "--allow-dirty", "--package", name]);
    Ok(text_of(&mut package)?.lines().map(str::to_owned).collect())
}

/// Sources, what describes them, and nothing else.
fn listed(name: &str) -> Result<usize, Failure> {
    let files = list(name)?;
    for wanted in WANTED {
        ensure(files.iter().any(|file| file == wanted), || {
            format!("{name} is packed without {wanted}")
        })?;
    }
    let known = |file: &String| {
        let ours = ["src/", "examples/"]
            .iter()
            .any(|folder| file.starts_with(folder));
        let cargo = [
            "Cargo.lock",
            "Cargo.toml.orig",
            ".cargo_vcs_info.json",
            "build.rs",
        ];
        ours || WANTED.contains(&file.as_str()) || cargo.contains(&file.as_str())
    };
    let others: Vec<_> = files.iter().filter(|file| !known(file)).collect();
    ensure(others.is_empty(), || {
        format!("{name} is packed with {others:?}")
    })?;
    Ok(files.len())
}

/// As docs.rs does it, from the packed crate, but for what only a nightly compiler knows.
fn documented(made: &Made) -> Result<(), Failure> {
    let manifest = root().join("crates/deespec/Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(io(&manifest))?;
    let told = text.contains("[package.metadata.docs.rs]") && text.contains("all-features = true");
    ensure(told, || {
        "docs.rs is not told to document all features".to_owned()
    })?;
    let packed = target()
        .join("package")
        .join(format!("deespec-{}", made.version));
    let mut doc = made::cargo(["doc", "--no-deps", "--all-features", "--manifest-path"]);
    doc.arg(packed.join("Cargo.toml"))
        .env("RUSTDOCFLAGS", "-D warnings");
    accepts(&mut doc).map(drop)
}

/// A dependency by its path alone is one that nobody else could have.
fn refused(made: &Made) -> Result<(), Failure> {
    let play = made.play("crates")?;
    let copy = |from: &Path, to: &Path| {
        let mut cp = Command::new("cp");
        accepts(
            cp.args(["--recursive", "--no-target-directory"])
                .arg(from)
                .arg(to),
        )
        .map(drop)
    };
    for name in [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "crates",
        "xtask",
        "bench",
        "proof",
        "rust-toolchain.toml",
    ] {
        copy(&root().join(name), &play.join(name))?;
    }
    let manifest = root().join("Cargo.toml");
    let with = format!(
        "deespec-client = {{ path = \"crates/deespec-client\", version = \"{}\" }}",
        made.version
    );
    twin(
        &manifest,
        &play.join("Cargo.toml"),
        &with,
        "deespec-client = { path = \"crates/deespec-client\" }",
    )?;
    let mut publish = made::cargo([
        "publish",
        "--dry-run",
        "--no-verify",
        "--allow-dirty",
        "--package",
        "deespec-cli",
    ]);
    refuses(publish.current_dir(&play), "must have a version")
}
