//! The store's algorithms under a model checker: every interleaving of a few threads, and every value
//! that the memory model lets each of them read (`cargo xtask loom`).
//!
//! The threads stand for processes, the segment is plain memory, `modelled::Lock` is the kernel's
//! lock, and everything else is the code that a program runs. A process may be killed behind any of
//! its changes. Each model has its counterpart in which one protection is left out, or memory keeps
//! no order: it must fail, or the model proves nothing.
//!
//! Each model is checked twice, see `modelled::Memory`. Whoever only looks comes last, behind those
//! who change something: in that order the checker sees every pair that may change places.
//!
//! What a model cannot show: the checker tries no execution in which a load sees a store that comes
//! later in program order, and the kernel, the disk and the registry of several segments are not in
//! it. The proofs with real processes are for those.

mod epochs;
mod families;
mod forks;
mod gauges;
mod registration;
mod removal;
mod shares;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use loom::model::Builder;

use super::layout::Geometry;
use super::registry::{self, Form, NewEntry, Place};
use super::segment::Segment;
use crate::metric::Key;
use crate::protection::Protection;
use crate::sync::Ordering;
use crate::sync::modelled::{self, Memory};

/// As small as the algorithms allow: few words, and keys that meet in the index.
const TINY: Geometry = Geometry {
    stripes: 2,
    cells: 4,
};

/// What is wrong in a model that must fail.
#[derive(Clone, Copy)]
enum Flaw {
    Without(Protection),
    Disorder,
    /// The model itself.
    Own,
}

/// Most preemptions that are tried in a sequential and in a weak memory; `None` is all of them.
type Bounds = [Option<usize>; 2];

const ALL: Bounds = [None, None];

/// Tries the executions of a model.
fn explore(name: &str, bounds: Bounds, model: impl Fn() + Copy + Send + Sync + 'static) {
    Protection::leave_out(None);
    check(name, Memory::Sequential, bounds[0], model);
    check(name, Memory::Weak, bounds[1], model);
}

/// Tries a model with a flaw.
fn explore_flawed(name: &str, flaw: Flaw, model: impl Fn() + Copy + Send + Sync + 'static) {
    Protection::leave_out(match flaw {
        Flaw::Without(protection) => Some(protection),
        Flaw::Disorder | Flaw::Own => None,
    });
    match flaw {
        Flaw::Disorder => check(name, Memory::Disordered, None, model),
        _ => check(name, Memory::Sequential, None, model),
    }
}

fn check(
    name: &str,
    memory: Memory,
    preemptions: Option<usize>,
    model: impl Fn() + Send + Sync + 'static,
) {
    let executions = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&executions);
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    modelled::set_memory(memory);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        modelled::run(false);
        model();
        modelled::run(false);
    });
    let executions = executions.load(Ordering::Relaxed);
    println!("model {name}, {memory:?}: {executions} executions");
}

/// Everything that is needed to register and find a series.
struct Known {
    key: Key,
    hash: u64,
}

impl Known {
    fn of(key: Key) -> Self {
        let hash = key.hash([1, 2]);
        Self { key, hash }
    }

    /// Its entry has one block where the label has at most eight bytes.
    fn series(label: &str) -> Self {
        Self::of(Key::new("a", &[("k", label)]))
    }

    fn find(&self, segment: &Segment) -> Option<Place> {
        registry::find(segment, &self.key, self.hash)
    }

    /// Appends a series; the caller holds the lock.
    fn append(&self, segment: &Segment, form: Form, cells: u32) -> Place {
        let entry = NewEntry::series(&self.key, self.hash, form, cells, 7);
        registry::append(segment, &entry).unwrap().unwrap()
    }
}
