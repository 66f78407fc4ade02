//! The families of a view: grouped, named, in the order in which every format shows them.

use std::cmp::Ordering;
use std::time::SystemTime;

use crate::metric::{Kind, LabelSet, TRANSACTIONS};
use crate::snapshot::{Sample, View};

use super::naming::{self, Candidate};

/// All series of one metric.
pub(super) struct Family<'a> {
    /// As it is exposed, without the suffixes of its samples.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) help: Option<String>,
    /// Sorted by label set.
    pub(super) series: Vec<Series<'a>>,
}

/// One series: a label set and what it counted.
pub(super) struct Series<'a> {
    labels: &'a LabelSet,
    pub(super) total: u64,
    pub(super) created: SystemTime,
}

impl<'a> Series<'a> {
    /// The labels that have a value: an empty one is the same as none.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&'a String, &'a String)> + use<'a> {
        self.labels.iter().filter(|(_, value)| !value.is_empty())
    }

    fn has_empty_label(&self) -> bool {
        self.labels.values().any(String::is_empty)
    }
}

/// The families, sorted by name.
pub(super) fn families(view: &View) -> Vec<Family<'_>> {
    let mut samples: Vec<&Sample> = view
        .samples()
        .filter(|sample| sample.total.kind() == Kind::Counter)
        .collect();
    samples.sort_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
    let groups: Vec<&[&Sample]> = samples.chunk_by(|a, b| a.name == b.name).collect();
    let candidates: Vec<Candidate<'_>> =
        groups.iter().filter_map(|group| candidate(group)).collect();
    let names = naming::names(&candidates);
    let mut families: Vec<Family<'_>> = groups
        .iter()
        .zip(candidates.iter().zip(names))
        .map(|(group, (candidate, name))| Family {
            help: help(candidate, &name),
            name,
            kind: candidate.kind,
            series: series(group),
        })
        .collect();
    families.sort_by(|a, b| a.name.cmp(&b.name));
    families
}

fn candidate<'a>(group: &[&'a Sample]) -> Option<Candidate<'a>> {
    let first = group.first()?;
    Some(Candidate {
        registered: &first.name,
        kind: first.total.kind(),
        created: group.iter().map(|sample| sample.created).min()?,
    })
}

fn series<'a>(group: &[&'a Sample]) -> Vec<Series<'a>> {
    let one = |sample: &&'a Sample| Series {
        labels: &sample.labels,
        total: sample.total.counter().unwrap_or_default(),
        created: sample.created,
    };
    let mut series: Vec<Series<'a>> = group.iter().map(one).collect();
    if series.iter().any(Series::has_empty_label) {
        series.sort_by(|a, b| a.labels().cmp(b.labels()));
        series.dedup_by(|twin, kept| {
            let same = twin.labels().cmp(kept.labels()) == Ordering::Equal;
            if same {
                kept.total = kept.total.saturating_add(twin.total);
                kept.created = kept.created.min(twin.created);
            }
            same
        });
    }
    series
}

/// What a family's HELP line says; a name that had to be changed is told there.
fn help(candidate: &Candidate<'_>, name: &str) -> Option<String> {
    let registered = candidate.registered;
    if !registered.starts_with('_') && name == naming::wanted(registered, candidate.kind) {
        return transaction_help(registered).map(str::to_owned);
    }
    let kind = candidate.kind.as_str();
    let about = transaction_help(registered).unwrap_or_default();
    let text = format!("The {kind} {registered}, whose own name is taken or reserved. {about}");
    Some(text.trim_end().to_owned())
}

fn transaction_help(name: &str) -> Option<&'static str> {
    let index = TRANSACTIONS.iter().position(|&four| four == name)?;
    Some(
        [
            "Commits that succeeded.",
            "Commits that failed.",
            "Compare-and-swap operations that found another value than expected.",
            "Recoveries.",
        ][index],
    )
}
