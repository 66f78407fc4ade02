//! What a harness is, the list of them, and how their results are told.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use crate::random::Random;
use crate::{Result, errors, holders, kills, race, shares, steps, ui};

/// Most violations that are printed for one harness.
const SHOWN: usize = 100;

/// How much is to be done.
pub(crate) struct Plan {
    pub(crate) kills: u64,
    pub(crate) seed: Option<u64>,
    pub(crate) folder: PathBuf,
    pub(crate) names: Vec<String>,
}

/// What a harness works with.
pub(crate) struct Bench {
    /// The number of random kills that is wanted; the other harnesses take their size from it.
    pub(crate) kills: u64,
    pub(crate) random: Random,
    /// An empty folder. It is kept when there are violations.
    pub(crate) folder: PathBuf,
}

/// What a harness found.
pub(crate) struct Outcome {
    /// What was done how often.
    pub(crate) done: String,
    pub(crate) violations: Vec<String>,
}

pub(crate) struct Harness {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    run: fn(&mut Bench) -> Result<Outcome>,
}

pub(crate) const HARNESSES: &[Harness] = &[
    Harness {
        name: "kills",
        about: "random kill -9 of writers, rotator, snapshotter, reader and registrar",
        run: kills::run,
    },
    Harness {
        name: "steps",
        about: "a kill at every disk operation, and a second one at every step of the repair",
        run: steps::run,
    },
    Harness {
        name: "errors",
        about: "an error of the disk at every disk operation",
        run: errors::run,
    },
    Harness {
        name: "race",
        about: "exact sums of racing processes, and names that all of them register at once",
        run: race::run,
    },
    Harness {
        name: "shares",
        about: "processes with shares in a gauge come and go, and leave nothing",
        run: shares::run,
    },
    Harness {
        name: "holders",
        about: "whoever holds the lock is killed, and others must get it",
        run: holders::run,
    },
];

/// Runs the harnesses that the plan names, one after the other.
pub(crate) fn run(plan: &Plan) -> ExitCode {
    let seed = plan.seed.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(1, |since| u64::from(since.subsec_nanos()))
    });
    let mut failed = false;
    let mut violated = false;
    let wanted = |harness: &&Harness| {
        plan.names.is_empty() || plan.names.iter().any(|name| name == harness.name)
    };
    for harness in HARNESSES.iter().filter(wanted) {
        match one(harness, plan, seed) {
            Ok(violations) => violated |= violations,
            Err(error) => {
                ui::complain(&format!("{}: {}", harness.name, ui::chain(error.as_ref())));
                failed = true;
            }
        }
    }
    match (failed, violated) {
        (_, true) => ExitCode::FAILURE,
        (true, _) => ExitCode::from(3),
        _ => ExitCode::SUCCESS,
    }
}

/// Whether there were violations.
fn one(harness: &Harness, plan: &Plan, seed: u64) -> Result<bool> {
    let begun = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("deespec-proof-")
        .tempdir_in(&plan.folder)?;
    let mut bench = Bench {
        kills: plan.kills,
        random: Random(seed),
        folder: folder.path().to_owned(),
    };
    let outcome = (harness.run)(&mut bench)?;
    let found = outcome.violations.len();
    ui::say(&format!(
        "{:<8} {}; {found} violations; {:.1} s (seed {seed})",
        harness.name,
        outcome.done,
        begun.elapsed().as_secs_f64()
    ));
    for violation in outcome.violations.iter().take(SHOWN) {
        ui::say(&format!("  violation: {violation}"));
    }
    if found > SHOWN {
        ui::say(&format!("  and {} more", found - SHOWN));
    }
    if found > 0 {
        ui::say(&format!("  kept: {}", folder.keep().display()));
    }
    Ok(found > 0)
}
