//! `cargo xtask dist`: everything that people install, in `target/packages/`, and its checks.
//!
//! `ROWS` is the table: what is made, and the check that looks at it as whoever installs it would. Each check has a
//! bad twin: something broken in one place, which the same check must refuse.

use std::path::PathBuf;
use std::time::Instant;

use crate::packages;
use crate::step::Failure;

mod binary;
mod binstall;
mod crates;
mod github;
mod gitlab;
mod image;
mod kubernetes;
mod linux;
mod made;
mod names;
mod order;
mod precommit;
mod release;
mod roots;
mod sbom;
mod services;
mod tools;
mod verdict;
mod workflows;

use made::Made;

/// One thing that is packaged or described, and its check; `Ok` says in short what was seen.
struct Row {
    name: &'static str,
    /// Whether the check needs nothing that is built: `--lint` runs those.
    is_lint: bool,
    check: fn(&Made) -> Result<String, Failure>,
}

const ROWS: &[Row] = &[
    Row {
        name: "static binary",
        is_lint: false,
        check: binary::check,
    },
    Row {
        name: "names",
        is_lint: false,
        check: names::check,
    },
    Row {
        name: "sbom",
        is_lint: false,
        check: sbom::check,
    },
    Row {
        name: "deb rpm apk arch",
        is_lint: false,
        check: linux::check,
    },
    Row {
        name: "systemd",
        is_lint: false,
        check: services::check,
    },
    Row {
        name: "image",
        is_lint: false,
        check: image::check,
    },
    Row {
        name: "Dockerfile",
        is_lint: true,
        check: image::lint,
    },
    Row {
        name: "Kubernetes",
        is_lint: true,
        check: kubernetes::check,
    },
    Row {
        name: "GitHub action",
        is_lint: false,
        check: github::check,
    },
    Row {
        name: "action's files",
        is_lint: true,
        check: github::lint,
    },
    Row {
        name: "GitLab",
        is_lint: false,
        check: gitlab::check,
    },
    Row {
        name: "GitLab's file",
        is_lint: true,
        check: gitlab::lint,
    },
    Row {
        name: "pre-commit",
        is_lint: false,
        check: precommit::check,
    },
    Row {
        name: "hook's manifest",
        is_lint: true,
        check: precommit::lint,
    },
    Row {
        name: "binstall",
        is_lint: false,
        check: binstall::check,
    },
    Row {
        name: "crates",
        is_lint: false,
        check: crates::check,
    },
    Row {
        name: "workflows",
        is_lint: true,
        check: workflows::lint,
    },
];

/// What was asked for.
#[derive(Default)]
struct Asked<'a> {
    check: bool,
    lint: bool,
    unpublished: bool,
    built: bool,
    only: Option<&'a str>,
    order: bool,
    release: Option<Release<'a>>,
}

/// What only the workflow of a release asks for.
enum Release<'a> {
    Tag(&'a str),
    Gather,
    Draft(&'a str),
    PublishCrates,
}

pub(crate) use binary::PROFILE;
pub(crate) use order::link;

/// The program as it is packaged, for this machine.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    binary::build(&Made::prepare()?.target)
}

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let asked = parse(args)?;
    let made = Made::prepare()?;
    match asked.release {
        Some(Release::Tag(tag)) => return release::tag(&made, tag),
        Some(Release::Gather) => return release::gather(&made),
        Some(Release::Draft(tag)) => return release::draft(&made, tag),
        Some(Release::PublishCrates) => return release::publish_crates(),
        None => {}
    }
    if asked.order {
        return order::write(&made);
    }
    if asked.lint {
        return check(&made, |row| row.is_lint && is_asked(row, asked.only));
    }
    if asked.only.is_none() {
        make(&made, &asked)?;
    }
    if asked.check {
        verdict::needs_root()?;
        packages::require_for_packages()?;
        return check(&made, |row| is_asked(row, asked.only));
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<Asked<'_>, Failure> {
    let mut asked = Asked::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || {
            let value = args.next().map(String::as_str);
            value.ok_or_else(|| Failure::usage(format!("{arg} needs a value")))
        };
        match arg.as_str() {
            "--check" => asked.check = true,
            "--lint" => asked.lint = true,
            "--built" => asked.built = true,
            "--unpublished" => asked.unpublished = true,
            "--order" => asked.order = true,
            "--only" => asked.only = Some(value()?),
            "--tag" => asked.release = Some(Release::Tag(value()?)),
            "--gather" => asked.release = Some(Release::Gather),
            "--draft" => asked.release = Some(Release::Draft(value()?)),
            "--publish-crates" => asked.release = Some(Release::PublishCrates),
            other => return Err(Failure::usage(format!("unexpected argument `{other}`"))),
        }
    }
    match asked.only {
        Some(only) if !ROWS.iter().any(|row| is_asked(row, Some(only))) => {
            let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
            let names = names.join(", ");
            Err(Failure::usage(format!(
                "no row `{only}`; there are {names}"
            )))
        }
        _ => Ok(asked),
    }
}

fn is_asked(row: &Row, only: Option<&str>) -> bool {
    only.is_none_or(|only| row.name.contains(only))
}

/// All files, in the order in which one is made from another.
fn make(made: &Made, asked: &Asked<'_>) -> Result<(), Failure> {
    if made.repository.is_empty() && !asked.unpublished {
        return Err(Failure::missing(
            "`workspace.package.repository` in Cargo.toml is empty, and packages would name no place that they \
             come from; write the address there, or say --unpublished for packages that stay here",
        ));
    }
    println!("profile {}, target {}", binary::PROFILE, made.target);
    let program = match asked.built {
        true => binary::path(&made.target),
        false => binary::build(&made.target)?,
    };
    made.begin()?;
    binary::make(made, &program)?;
    sbom::make(made)?;
    linux::make(made)?;
    image::make(made)?;
    made.finish()
}

/// Runs these rows, all of them whatever one says; one line a row at the end.
fn check(made: &Made, is_wanted: impl Fn(&Row) -> bool) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for row in ROWS.iter().filter(|row| is_wanted(row)) {
        println!("\n==> {}", row.name);
        let start = Instant::now();
        let outcome = (row.check)(made);
        let seconds = start.elapsed().as_secs_f64();
        let (word, said) = match outcome {
            Ok(said) => ("ok    ", said),
            Err(failure) => {
                failed.push(row.name);
                ("FAILED", failure.message)
            }
        };
        lines.push(format!("{:16} {word} {seconds:6.1} s  {said}", row.name));
    }
    println!();
    for line in &lines {
        println!("{line}");
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(Failure::step(format!(
            "not as it should be: {}",
            failed.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_chosen_by_its_name_and_a_wrong_name_is_told() {
        let args = ["--check", "--only", "names"].map(str::to_owned);
        let asked = parse(&args).ok().unwrap();
        assert!(asked.check && !asked.lint && !asked.unpublished);
        assert_eq!(
            ROWS.iter().filter(|row| is_asked(row, asked.only)).count(),
            1
        );
        assert!(parse(&args[..2]).is_err());
        assert!(parse(&["--only".to_owned(), "nothing".to_owned()]).is_err());
        assert!(parse(&["--chekc".to_owned()]).is_err());
    }
}
