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
    let is_help = |arg: &&String| matches!(arg.as_str(), "--help" | "-h");
    let packaged = match profile == dist::PROFILE && !args.iter().any(is_help) {
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
    fn the_profile_is_for_cargo_and_the_rest_for_the_program() {
        let args = ["--quick", "--profile", "release", "--only", "lock"].map(str::to_owned);
        let (profile, others) = split(&args).ok().unwrap();
        assert_eq!(profile, "release");
        assert_eq!(others, ["--quick", "--only", "lock"]);
        assert_eq!(split(&args[..1]).ok().unwrap().0, PROFILE);
        assert!(split(&args[..2]).is_err());
    }
}
