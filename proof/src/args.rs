//! The command line, read by hand: six options do not need a library.

use std::path::PathBuf;

use crate::harness::{HARNESSES, Plan, Size};

pub(crate) fn usage() -> String {
    let mut text = "\
Races, kills and fails processes that share a store, and counts everything again.

Usage: cargo xtask torture [--sample|--quick|--full] [--seed N] [--count N] [--dir DIR] [NAME…]

  --sample   what each run of the tests does: 2,000 random kills, one of some steps, all in a minute or two
  --quick    what a change of the store has to pass: 20,000 random kills, all in ten minutes
  --full     what a release has to pass: 1,000,000 random kills, all in some hours
             (without any of these: 100,000 random kills, all in an hour or so)
  --count N  do what is random N times, whatever the size
  --seed N   choose what is random as another run did, which printed N
  --dir DIR  make the stores in DIR instead of the folder for temporary files
  --list     only print the names of the harnesses that would be run

Harnesses (all of them unless some are named):
"
    .to_owned();
    for harness in HARNESSES {
        text.push_str(&format!("  {:<13}{}\n", harness.name, harness.about));
    }
    text.push_str("\nExit codes: 0 no violation, 1 violations, 3 a harness could not be run.");
    text
}

/// `None` when help was asked for.
pub(crate) fn parse(arguments: &[String]) -> Result<Option<Plan>, String> {
    let mut plan = Plan {
        size: Size::Long,
        count: None,
        seed: None,
        folder: std::env::temp_dir(),
        names: Vec::new(),
        only_list: false,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--list" => plan.only_list = true,
            "--sample" => plan.size = Size::Sample,
            "--quick" => plan.size = Size::Quick,
            "--full" => plan.size = Size::Full,
            "--count" => plan.count = Some(number(argument, value()?)?),
            "--seed" => plan.seed = Some(number(argument, value()?)?),
            "--dir" => plan.folder = PathBuf::from(value()?),
            name if HARNESSES.iter().any(|harness| harness.name == name) => {
                plan.names.push(name.to_owned());
            }
            other => return Err(format!("unexpected argument `{other}`")),
        }
    }
    Ok(Some(plan))
}

fn number(option: &str, text: &str) -> Result<u64, String> {
    text.replace('_', "")
        .parse()
        .map_err(|_| format!("{option} needs a number, not `{text}`"))
}
