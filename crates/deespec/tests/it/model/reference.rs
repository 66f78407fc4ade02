//! Which steps there are, and which may come next.

use deespec::TRANSACTIONS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::series::*;
use super::state::{Answer, Model};

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Count in one of the counters, which registers it; of nothing, only that.
    Add(usize, u64),
    /// Count in a family with a limit.
    AddLimited(usize, u64),
    /// Observe one of a few values, so often.
    Observe(usize, u64),
    /// Set one of the shared gauges.
    Set(usize, f64),
    /// Add to one of the shared gauges.
    Change(usize, f64),
    /// Set this process' share.
    SetShare(f64),
    /// Say something by labels.
    Inform,
    Remove(usize),
    /// Declare a family with one of a few texts, or declare it anew.
    Declare(usize),
    Redeclare(usize),
    Rotate,
    Keep(usize),
    Snapshot,
    /// Restore one of the snapshots, what was published last, or a document that was imported.
    Restore(usize),
    RestorePublished,
    RestoreDocument(usize),
    Import(Vec<(usize, u64)>),
    ImportAgain(usize),
    Sync,
    Prune(usize),
    /// Go on with the other of two handles.
    Switch,
    Reopen,
    /// Close both handles and open them in what looks like another boot.
    Reboot,
    /// Close both handles and build the store anew.
    Compact,
}

pub(super) struct Reference;

impl ReferenceStateMachine for Reference {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::new()).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Step> {
        let amount = || prop_oneof![8 => 0u64..1000, 1 => Just(u64::MAX / 3), 1 => any::<u64>()];
        let gauge = || prop_oneof![Just(0.0), Just(-1.5), Just(f64::INFINITY), -1e9..1e9];
        // Names of a counter, the histogram or a gauge, by number.
        let imported = COUNTERS.len() + 1 + GAUGES.len();
        let snapshots = model.snapshots.len();
        let documents = model.documents();
        prop_oneof![
            12 => (0..COUNTERS.len(), amount()).prop_map(|(which, n)| Step::Add(which, n)),
            3 => (0..LIMITED.len(), amount()).prop_map(|(which, n)| Step::AddLimited(which, n)),
            4 => (0..OBSERVED.len(), prop_oneof![Just(1), 0u64..5])
                .prop_map(|(which, n)| Step::Observe(which, n)),
            2 => (0..GAUGES.len(), gauge()).prop_map(|(which, value)| Step::Set(which, value)),
            1 => (0..GAUGES.len(), -99i32..99)
                .prop_map(|(which, n)| Step::Change(which, f64::from(n))),
            2 => gauge().prop_map(Step::SetShare),
            1 => Just(Step::Inform),
            3 => (0..removable().len()).prop_map(Step::Remove),
            1 => (0..3usize).prop_map(Step::Declare),
            1 => (0..3usize).prop_map(Step::Redeclare),
            3 => Just(Step::Rotate),
            1 => (0..4usize).prop_map(Step::Keep),
            2 => Just(Step::Snapshot),
            // Zero where there is none; the precondition then refuses it.
            u32::from(snapshots > 0) * 2 + 1 => (0..snapshots.max(1)).prop_map(Step::Restore),
            1 => Just(Step::RestorePublished),
            1 => (0..documents.max(1)).prop_map(Step::RestoreDocument),
            2 => vec((0..imported, amount()), 0..5).prop_map(Step::Import),
            1 => (0..documents.max(1)).prop_map(Step::ImportAgain),
            1 => Just(Step::Sync),
            1 => (0..6usize).prop_map(Step::Prune),
            3 => Just(Step::Switch),
            1 => Just(Step::Reopen),
            1 => Just(Step::Reboot),
            1 => Just(Step::Compact),
        ]
        .boxed()
    }

    fn preconditions(model: &Model, step: &Step) -> bool {
        match step {
            Step::Restore(index) => *index < model.snapshots.len(),
            Step::RestoreDocument(index) | Step::ImportAgain(index) => *index < model.documents(),
            _ => true,
        }
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        model.answer = Answer::Done;
        model.take(step);
        // Whatever closes an epoch looks at all series; the others only at what they show.
        let closes = matches!(
            step,
            Step::Rotate | Step::Restore(_) | Step::RestorePublished | Step::RestoreDocument(_)
        );
        if model.shows(SHARE) || closes {
            model.look_at_shares();
        }
        model
    }
}

/// A document without what it names twice, and without the built-in counters that it cannot name.
pub(super) fn document(amounts: &[(usize, u64)]) -> Vec<(usize, u64)> {
    let mut kept: Vec<(usize, u64)> = Vec::new();
    for (which, amount) in amounts {
        let built_in = (1..TRANSACTIONS.len()).contains(which);
        if !built_in && kept.iter().all(|(known, _)| known != which) {
            // Few enough observations for the sum of the histogram to stay in its bounds.
            let observed = *which == COUNTERS.len();
            kept.push((*which, if observed { amount % 100 } else { *amount }));
        }
    }
    kept
}
