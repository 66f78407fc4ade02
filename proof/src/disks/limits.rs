//! Processes that may have few files open, or little memory.
//!
//! A process does everything that a store can do, in a random order (`full.rs`), with a limit on its open
//! files (`RLIMIT_NOFILE`), from none left to enough, or on its address space (`RLIMIT_AS`), in steps of
//! 64 KiB. Then the store is opened without a limit and compared with what the process was told.
//!
//! Violations: as in `full.rs`. Where memory is short the process may also be ended by the allocator of
//! its language, which aborts: that is told apart from every other end, and what was acknowledged must
//! be there all the same.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;

use rustix::process::Signal;

use super::full::{Case, script};
use super::hand::{Hand, Limit};
use super::known::Known;
use super::orders;
use crate::Result;
use crate::harness::{Bench, Outcome};

/// Open files from the three streams on, and steps of memory.
const FILES: u64 = 14;
const STEPS: u64 = 60;

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let count = bench.count([20, 150, 1500, 15_000]);
    let papers = bench.folder.join("papers");
    orders::write_papers(&papers, 2)?;
    let (mut refused, mut aborted) = (0, 0);
    let mut violations = Vec::new();
    for number in 0..count {
        let limit = match number % 2 {
            0 => Limit::Files(3 + number / 2 % FILES),
            _ => Limit::Memory((number / 2 % STEPS) * (64 << 10)),
        };
        let root = bench.folder.join("store");
        let mut case = Case {
            papers: &papers,
            root: root.clone(),
            known: Mutex::new(Known::default()),
            violations: Vec::new(),
            refused: 0,
        };
        let is_made = bench.random.below(4) != 0;
        if is_made {
            case.prepare(&mut Hand::start(&root, &papers)?)?;
        }
        let mut hand = Hand::start_limited(&root, &papers, limit)?;
        let mut ended = false;
        for (_, order) in script(&mut bench.random) {
            let Ok(answer) = case.act(&mut hand, &order) else {
                ended = true;
                break;
            };
            if let Some(error) = answer.error {
                case.refused += 1;
                let short = [
                    "Too many open files",
                    "Cannot allocate memory",
                    "Resource temporarily unavailable",
                ];
                let clear = short.iter().any(|short| error.contains(short));
                let told = clear && case.names_a_path(&error);
                // What could not be made is not there.
                let missing = !is_made && error.contains("there is no store");
                if !(told || missing || error.contains("store is not open")) {
                    case.violations.push(format!("{order:?}: {error}"));
                }
            }
        }
        let status = hand.kill()?;
        if ended {
            let by_allocator = matches!(limit, Limit::Memory(_))
                && status.signal() == Some(Signal::ABORT.as_raw());
            aborted += u64::from(by_allocator);
            if !by_allocator {
                case.violations.push(format!("it ended with {status}"));
            }
        }
        case.judge();
        refused += case.refused;
        let told = case.violations.into_iter();
        violations.extend(told.map(|what| format!("{limit:?}: {what}")));
        fs::remove_dir_all(&root)?;
    }
    Ok(Outcome {
        done: format!(
            "{count} processes short of files or memory, {refused} orders refused, {aborted} ended by the allocator"
        ),
        violations,
    })
}
