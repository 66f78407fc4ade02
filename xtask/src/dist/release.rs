//! What the workflow of a release does beside making packages.

use std::env;
use std::fs;
use std::process::Command;

use crate::dist::crates::CRATES;
use crate::dist::made::{self, Made};
use crate::dist::verdict::{accepts, ensure, io};
use crate::step::{self, Failure};
use crate::workspace::root;

/// The tag, the version and the changelog must say the same.
pub(crate) fn tag(made: &Made, tag: &str) -> Result<(), Failure> {
    let path = root().join("CHANGELOG.md");
    let changelog = fs::read_to_string(&path).map_err(io(&path))?;
    agree(tag, made.version, &changelog)
}

fn agree(tag: &str, version: &str, changelog: &str) -> Result<(), Failure> {
    ensure(tag == format!("v{version}"), || {
        format!("the tag is {tag}, and the version {version}")
    })?;
    let heading = format!("## [{version}]");
    let newest = changelog.lines().find(|line| line.starts_with("## ["));
    ensure(
        newest.is_some_and(|line| line.starts_with(&heading)),
        || {
            format!(
                "CHANGELOG.md begins with `{}`, not with `{heading}`",
                newest.unwrap_or_default()
            )
        },
    )
}

/// Packages of several machines in one folder: each archive is what its machine made, and one list names them all.
pub(crate) fn gather(made: &Made) -> Result<(), Failure> {
    let sums = made::files(&made.folder)?;
    let sums: Vec<_> = sums
        .iter()
        .filter(|name| name.ends_with(".sha256"))
        .collect();
    ensure(!sums.is_empty(), || {
        format!("{}: no package", made.folder.display())
    })?;
    for name in sums {
        let mut check = Command::new("sha256sum");
        accepts(
            check
                .args(["--check", "--strict", name])
                .current_dir(&made.folder),
        )?;
    }
    // Each machine has brought one; the last one has replaced the others.
    let list = made.folder.join("SHA256SUMS");
    match fs::remove_file(&list) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(&list)(error)),
        _ => {}
    }
    made.finish()
}

/// A draft, which a person reads and releases.
pub(crate) fn draft(made: &Made, tag: &str) -> Result<(), Failure> {
    let mut gh = Command::new("gh");
    gh.args([
        "release",
        "create",
        tag,
        "--draft",
        "--verify-tag",
        "--title",
        tag,
        "--notes",
    ]);
    gh.arg("See CHANGELOG.md.").current_dir(root());
    gh.args(
        made::files(&made.folder)?
            .iter()
            .map(|name| made.folder.join(name)),
    );
    step::run(&mut gh)
}

/// All crates, in order.
pub(crate) fn publish_crates() -> Result<(), Failure> {
    ensure(env::var_os("CARGO_REGISTRY_TOKEN").is_some(), || {
        "CARGO_REGISTRY_TOKEN is not set".to_owned()
    })?;
    let mut publish = made::cargo(["publish", "--locked"]);
    for name in CRATES {
        publish.args(["--package", name]);
    }
    step::run(&mut publish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_released_where_version_and_changelog_say_the_same() {
        let changelog = "# Changelog\n\n## [1.2.3] - 2027-01-01\n\n## [1.2.2] - 2026-12-01\n";
        assert!(agree("v1.2.3", "1.2.3", changelog).is_ok());
        assert!(agree("1.2.3", "1.2.3", changelog).is_err());
        assert!(agree("v1.2.4", "1.2.3", changelog).is_err());
        assert!(agree("v1.2.2", "1.2.2", changelog).is_err());
        assert!(agree("v1.2.3", "1.2.3", "## [Unreleased]\n").is_err());
    }
}
