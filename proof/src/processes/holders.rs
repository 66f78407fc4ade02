//! The holder of the lock is killed.
//!
//! A process syncs and rotates without end. In every other case it is stopped at a disk operation
//! chosen at random, and says so: then it holds the exclusive lock for certain; otherwise it is just
//! running. Another process, this one, begins an operation that needs the lock, and the holder is
//! killed. Then the operation must end.
//!
//! Violations: an error of the operation (also that the lock could not be had within its deadline);
//! a lock that nobody holds although the holder stands still in an operation; a holder that fails;
//! a count that is lost; whatever `audit.rs` finds at the end.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use deespec::{Rotate, Store};

use crate::audit::{History, audit};
use crate::child::{self, argument, output};
use crate::harness::{Bench, Outcome};
use crate::opening::options;
use crate::operations::fault::{Fault, Nth};
use crate::{Result, ui};

/// Disk operations among which a holder is stopped: some more than one sync and one rotation have.
const OPERATIONS: u64 = 30;

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let kills = bench.count([400, 10_000, 20_000, 1_000_000]);
    let root = bench.folder.join("store");
    let store = options().open(&root)?;
    let mut violations = Vec::new();
    for number in 0..kills {
        store.transactions().success.inc();
        let found = one(&store, number % 2 == 0, bench)
            .unwrap_or_else(|error| vec![ui::chain(error.as_ref())]);
        violations.extend(
            found
                .into_iter()
                .map(|what| format!("kill {number}: {what}")),
        );
        if !violations.is_empty() {
            break;
        }
    }
    drop(store);
    let audit = audit(&root, &History::default());
    violations.extend(audit.violations.iter().cloned());
    if violations.is_empty() && audit.count("commit_success") != kills {
        let counted = audit.count("commit_success");
        violations.push(format!("{counted} counted instead of {kills}"));
    }
    Ok(Outcome {
        done: format!("{kills} holders killed, {} epochs", audit.epoch),
        violations,
    })
}

fn one(store: &Store, stopped: bool, bench: &mut Bench) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    let n = if stopped {
        1 + bench.random.below(OPERATIONS)
    } else {
        0
    };
    let mut command = child::role("holder")?;
    command.arg(store.path()).arg(n.to_string());
    let mut holder = command.stdin(Stdio::piped()).spawn()?;
    let mut said = [0; 64];
    let pipe = holder.stdout.as_mut().ok_or("no pipe")?;
    let _ = pipe.read(&mut said)?;
    if stopped {
        let free = File::open(store.path().join("live/lock"))?
            .try_lock()
            .is_ok();
        if free {
            violations.push("the holder does not hold the lock".into());
        }
    } else {
        // Load only.
        std::thread::sleep(bench.random.moment(Duration::from_millis(3)));
    }
    let (begun, begins) = mpsc::channel();
    let done = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let _ = begun.send(());
            match n % 3 {
                0 => store.sync().map(drop),
                1 => store.rotate(Rotate::Reset).map(drop),
                _ => store.view().map(drop),
            }
        });
        let _ = begins.recv();
        let killed = child::kill(&holder);
        let done = waiting.join();
        killed.map(|()| done)
    })?;
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => violations.push(ui::chain(&error)),
        Err(_) => violations.push("the operation panicked".into()),
    }
    let output = holder.wait_with_output()?;
    if !child::was_killed(output.status) {
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        violations.push(format!(
            "the holder ended with {}: {complaint}",
            output.status
        ));
    }
    Ok(violations)
}

/// `holder ROOT N`: syncs and rotates, and stands still at the N-th disk operation; 0 for never.
pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let n: u64 = argument(arguments, 1)?;
    let faults = Nth::new(Fault::Stop, n);
    let options = options().faults(faults.clone());
    let store = options.open(root)?;
    if n == 0 {
        output()?.write_all(b"running")?;
    }
    faults.arm(true);
    loop {
        store.sync()?;
        store.rotate(Rotate::Reset)?;
    }
}
