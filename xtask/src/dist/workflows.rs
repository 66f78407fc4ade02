//! The workflows of `.github/workflows/`: by schema and linter, and each step is a command of xtask that exists.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dist::github::{by_schema, zizmor};
use crate::dist::made::{self, Made};
use crate::dist::verdict::{accepts, ensure, io, refuses, twin};
use crate::step::Failure;
use crate::workspace::root;

const SCHEMA: &str = "vendor.github-workflows";

fn folder() -> PathBuf {
    root().join(".github/workflows")
}

pub(crate) fn lint(made: &Made) -> Result<String, Failure> {
    let mut steps = 0;
    for name in made::files(&folder())? {
        let path = folder().join(name);
        accepts(&mut by_schema(SCHEMA, &path)?)?;
        accepts(&mut zizmor(&path)?)?;
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        pinned(&text)?;
        steps += commands(&text)?;
    }
    twins(&folder().join("release.yml"), &made.play("workflows")?)?;
    Ok(format!(
        "schema, zizmor, actions by commit, and {steps} steps that are commands of xtask; GitHub was not asked"
    ))
}

fn twins(good: &Path, play: &Path) -> Result<(), Failure> {
    let bad = play.join("bad.yml");
    twin(good, &bad, "runs-on:", "run-on:")?;
    refuses(&mut by_schema(SCHEMA, &bad)?, "run-on")?;
    twin(
        good,
        &bad,
        "with: {persist-credentials: false}",
        "with: {fetch-depth: 1}",
    )?;
    refuses(&mut zizmor(&bad)?, "artipacked")?;
    let text = fs::read_to_string(good).map_err(io(good))?;
    let broken = [
        ("cargo xtask dist --gather", "cargo xtask dits --gather"),
        ("cargo xtask dist --gather", "cargo xtask dist --gathers"),
        ("cargo xtask dist --gather", "make release"),
    ];
    for (old, new) in broken {
        ensure(commands(&text.replace(old, new)).is_err(), || {
            format!("`{new}` passes")
        })?;
    }
    let tagged = text.replace(
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
        "actions/checkout@v7",
    );
    ensure(tagged != text && pinned(&tagged).is_err(), || {
        "an action by its tag passes".to_owned()
    })
}

/// A tag can be moved to another commit, by whoever holds the action.
fn pinned(text: &str) -> Result<(), Failure> {
    for line in text
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "))
    {
        let (action, tag) = line.split_once(" # ").unwrap_or((line, ""));
        let commit = action.rsplit('@').next().unwrap_or_default();
        let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        ensure(is_commit && tag.starts_with('v'), || {
            format!("{line}: not by its commit, with the tag behind it")
        })?;
    }
    Ok(())
}

/// How many steps there are; all are `cargo xtask COMMAND`, with options that `cargo xtask help` names.
fn commands(text: &str) -> Result<usize, Failure> {
    let runs = text
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("run: "));
    let mut number = 0;
    for run in runs {
        number += 1;
        let unknown = || Failure::step(format!("`run: {run}` is no command of xtask"));
        let (before, after) = run.split_once("cargo xtask ").ok_or_else(unknown)?;
        ensure(before.is_empty() || before.starts_with("sudo "), || {
            run.to_owned()
        })?;
        let mut words = after.split(' ');
        let command = words.next().unwrap_or_default();
        let section = usage(command).ok_or_else(unknown)?;
        for option in words.filter(|word| word.starts_with("--")) {
            ensure(
                section.split_whitespace().any(|word| word == option),
                || format!("`run: {run}`: `cargo xtask {command}` has no {option}"),
            )?;
        }
    }
    Ok(number)
}

/// What `cargo xtask help` says of one command.
fn usage(command: &str) -> Option<String> {
    let mut lines = crate::USAGE.lines().skip_while(|line| {
        let line = line.strip_prefix("  ").unwrap_or_default();
        line.split([' ', '[']).next() != Some(command)
    });
    let first = lines.next()?;
    let rest = lines.take_while(|line| line.starts_with("   "));
    Some(
        std::iter::once(first)
            .chain(rest)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}
