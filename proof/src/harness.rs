//! What a harness is, the list of them, and how their results are told.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use crate::disks::{cuts, eio, full, limits, places, shutdown};
use crate::input::{files, flips};
use crate::operations::{errors, instructions, steps};
use crate::processes::{holders, kills, observers, race, replaced, shares};
use crate::random::Random;
use crate::{Result, ui};

/// Most violations that are printed for one harness.
const SHOWN: usize = 100;

/// How much is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// What each run of the tests can afford: some seconds each, a part of what could be done.
    Sample,
    /// What a change of the store has to pass: ten minutes for all of them.
    Quick,
    /// What nothing was asked for: an hour.
    Long,
    /// What a release has to pass, however long that takes.
    Full,
}

/// What was asked for on the command line.
pub(crate) struct Plan {
    pub(crate) size: Size,
    /// How often, instead of what the size says.
    pub(crate) count: Option<u64>,
    pub(crate) seed: Option<u64>,
    pub(crate) folder: PathBuf,
    pub(crate) names: Vec<String>,
    /// Nothing is run.
    pub(crate) only_list: bool,
}

/// What a harness works with.
pub(crate) struct Bench {
    pub(crate) size: Size,
    count: Option<u64>,
    pub(crate) random: Random,
    /// An empty folder. It is kept when there are violations.
    pub(crate) folder: PathBuf,
}

impl Bench {
    /// Where to begin and how far to go on, where all of many numbers are tried: from 0 by 1, but a sample
    /// takes one of `every`, others each time.
    pub(crate) fn stride(&mut self, every: u64) -> (u64, usize) {
        match self.size {
            Size::Sample => (self.random.below(every), every as usize),
            Size::Quick | Size::Long | Size::Full => (0, 1),
        }
    }

    /// How often something is to be done, by the sizes from the smallest to the largest.
    pub(crate) fn count(&self, sizes: [u64; 4]) -> u64 {
        self.count.unwrap_or(sizes[self.size as usize])
    }
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
    /// Why it cannot run on this machine.
    pub(crate) lacks: fn() -> Option<String>,
    run: fn(&mut Bench) -> Result<Outcome>,
}

/// It runs wherever the library does.
fn nothing() -> Option<String> {
    None
}

pub(crate) const HARNESSES: &[Harness] = &[
    Harness {
        name: "kills",
        about: "random kill -9 of writers, rotator, snapshotter, reader and registrar",
        lacks: nothing,
        run: kills::run,
    },
    Harness {
        name: "instructions",
        about: "a kill at every instruction of counting and of whole operations",
        lacks: nothing,
        run: instructions::run,
    },
    Harness {
        name: "steps",
        about: "a kill at every disk operation, and a second one at every step of the repair",
        lacks: nothing,
        run: steps::run,
    },
    Harness {
        name: "errors",
        about: "an error of the disk at every disk operation",
        lacks: nothing,
        run: errors::run,
    },
    Harness {
        name: "race",
        about: "exact sums of racing processes, and names that all of them register at once",
        lacks: nothing,
        run: race::run,
    },
    Harness {
        name: "shares",
        about: "processes with shares in a gauge come and go, and leave nothing",
        lacks: nothing,
        run: shares::run,
    },
    Harness {
        name: "observers",
        about: "observers are killed inside the call, and the sum is never more than that observation off",
        lacks: nothing,
        run: observers::run,
    },
    Harness {
        name: "holders",
        about: "whoever holds the lock is killed, and others must get it",
        lacks: nothing,
        run: holders::run,
    },
    Harness {
        name: "replaced",
        about: "files that are removed, moved, replaced or cut short under a running writer",
        lacks: nothing,
        run: replaced::run,
    },
    Harness {
        name: "cuts",
        about: "simulated power cuts: a disk with a write cache loses what was not flushed",
        lacks: cuts::lacks,
        run: cuts::run,
    },
    Harness {
        name: "shutdown",
        about: "file systems that are shut down under a store, as by a loss of power",
        lacks: shutdown::lacks,
        run: shutdown::run,
    },
    Harness {
        name: "eio",
        about: "a disk that fails at a write, once or for good, under a store in use",
        lacks: eio::lacks,
        run: eio::run,
    },
    Harness {
        name: "full",
        about: "disks with room for k blocks, for every k",
        lacks: full::lacks,
        run: full::run,
    },
    Harness {
        name: "places",
        about: "each class of file system: containers, copies of blocks, full disks",
        lacks: places::lacks,
        run: places::run,
    },
    Harness {
        name: "limits",
        about: "processes with few files or little memory",
        lacks: nothing,
        run: limits::run,
    },
    Harness {
        name: "flips",
        about: "every flipped bit and every other length of every file of a small store",
        lacks: nothing,
        run: flips::run,
    },
    Harness {
        name: "files",
        about: "bad files of every sort, and what each command makes of them",
        lacks: nothing,
        run: files::run,
    },
    #[cfg(deespec_controls)]
    Harness {
        name: "controls",
        about: "each protection left out, which a harness must notice",
        lacks: nothing,
        run: crate::controls::run,
    },
];

/// How a harness ended.
enum End {
    Lawful,
    Violated,
    /// It was not run, or not to its end.
    NotRun,
}

/// Runs the harnesses that the plan names, one after the other.
pub(crate) fn run(plan: &Plan) -> ExitCode {
    let seed = plan.seed.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(1, |since| u64::from(since.subsec_nanos()))
    });
    let wanted = |harness: &&Harness| {
        plan.names.is_empty() || plan.names.iter().any(|name| name == harness.name)
    };
    if plan.only_list {
        let names = HARNESSES.iter().filter(wanted);
        names.for_each(|harness| ui::say(harness.name));
        return ExitCode::SUCCESS;
    }
    let ends = HARNESSES.iter().filter(wanted).map(|harness| {
        one(harness, plan, seed).unwrap_or_else(|error| {
            ui::complain(&format!("{}: {}", harness.name, ui::chain(error.as_ref())));
            End::NotRun
        })
    });
    let ends: Vec<End> = ends.collect();
    if ends.iter().any(|end| matches!(end, End::Violated)) {
        ExitCode::FAILURE
    } else if ends.iter().any(|end| matches!(end, End::NotRun)) {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    }
}

fn one(harness: &Harness, plan: &Plan, seed: u64) -> Result<End> {
    if let Some(lacking) = (harness.lacks)() {
        ui::say(&format!("{:<12} skipped: {lacking}", harness.name));
        // Whoever asked for it by name, and a build server, must not take that for a proof.
        let must = !plan.names.is_empty() || std::env::var("CI").is_ok_and(|ci| ci == "true");
        return Ok(if must { End::NotRun } else { End::Lawful });
    }
    let begun = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("deespec-proof-")
        .tempdir_in(&plan.folder)?;
    let mut bench = Bench {
        size: plan.size,
        count: plan.count,
        random: Random(seed),
        folder: folder.path().to_owned(),
    };
    let outcome = (harness.run)(&mut bench)?;
    let found = outcome.violations.len();
    ui::say(&format!(
        "{:<12} {}; {found} violations; {:.1} s (seed {seed})",
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
    if found == 0 {
        return Ok(End::Lawful);
    }
    ui::say(&format!("  kept: {}", folder.keep().display()));
    Ok(End::Violated)
}
