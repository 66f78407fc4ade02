//! `cargo xtask bench`: starts the benchmark program, after preparing what its peers need.

use crate::step::{self, Failure};
use crate::{dist, venv, workspace};

/// What is measured unless somebody asks for another: what is packaged.
const PROFILE: &str = dist::PROFILE;

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let (profile, args) = split(args)?;
    let without_peers = args
        .iter()
        .any(|arg| matches!(arg.as_str(), "--no-peers" | "--help" | "-h"));
    if !without_peers {
        // A peer that cannot run is skipped by name, so this is never a reason to stop.
        if let Err(reason) = venv::prepare("bench-venv", "bench/requirements.txt") {
            println!("no Python peers: {}", reason.message);
        }
    }
    let packaged = match profile == dist::PROFILE && wants_packaged(&args) {
        true => Some(dist::program()?),
        false => None,
    };
    let cargo = ["run", "--locked", "-p", "deespec-bench", "--profile"];
    let mut command = workspace::cargo(cargo);
    command.arg(profile).arg("--").args(args);
    if let Some(packaged) = packaged {
        command.env("DEESPEC_BENCH_PACKAGED", packaged);
    }
    step::pass_through(&mut command)
}

/// Whether the row of the packaged program (`bench/src/rows/process.rs`) is asked for, by the name of its group: it is built for minutes.
fn wants_packaged(args: &[&String]) -> bool {
    let is_help = |arg: &&&String| matches!(arg.as_str(), "--help" | "-h");
    let only = args.iter().position(|arg| *arg == "--only");
    let only = only.and_then(|position| args.get(position + 1));
    let row = "a whole process";
    !args.iter().any(|arg| is_help(&arg)) && only.is_none_or(|text| row.contains(text.as_str()))
}

/// The profile, which is for Cargo, and what is for the program.
fn split(args: &[String]) -> Result<(&str, Vec<&String>), Failure> {
    let (mut profile, mut others) = (PROFILE, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--profile" => {
                let name = args.next();
                profile = name.ok_or_else(|| Failure::usage("--profile needs a name"))?;
            }
            _ => others.push(arg),
        }
    }
    Ok((profile, others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_program_is_built_where_its_row_is_asked_for() {
        let wants = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            wants_packaged(&args.iter().collect::<Vec<_>>())
        };
        assert!(wants(&["--quick"]) && wants(&["--only", "whole process"]));
        assert!(!wants(&["--only", "lock"]) && !wants(&["--help"]));
    }

    #[test]
    fn the_profile_is_for_cargo_and_the_rest_for_the_program() {
        let args = ["--quick", "--profile", "release", "--only", "lock"].map(str::to_owned);
        let (profile, others) = split(&args).ok().unwrap();
        assert_eq!(profile, "release");
        assert_eq!(others, ["--quick", "--only", "lock"]);
        assert_eq!(split(&args[..1]).ok().unwrap().0, PROFILE);
        assert!(split(&args[..2]).is_err());
    }
}
