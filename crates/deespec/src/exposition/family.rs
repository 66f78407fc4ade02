//! The families of a view: grouped, named, in the order in which every format shows them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::metric::{
    self, Distribution, Kind, LabelSet, Observations, TRANSACTIONS, Value, WideSum,
};
use crate::snapshot::{Sample, View};

use super::naming::{self, Candidate};

/// All series of one metric; there is at least one.
pub(super) struct Family<'a> {
    /// As it is exposed, without the suffixes of its samples.
    pub(super) name: Cow<'a, str>,
    pub(super) kind: Kind,
    /// Empty where there is none, or where the exposed name does not end in it.
    pub(super) unit: &'a str,
    /// Empty where there is none.
    pub(super) help: Cow<'a, str>,
    /// Sorted by label set.
    pub(super) series: Vec<Series<'a>>,
}

/// One series: a label set and what is shown of it.
pub(super) struct Series<'a> {
    labels: &'a LabelSet,
    pub(super) shown: Shown<'a>,
    created: SystemTime,
}

/// What a series shows: lifetime totals, and a gauge as it is now.
pub(super) enum Shown<'a> {
    Counter(u64),
    Gauge(f64),
    /// A gauge with all its digits.
    Sum(WideSum),
    Histogram(Cow<'a, Distribution>),
    Fractions(WideSum),
    Summary(Observations),
    Info,
}

impl<'a> Series<'a> {
    /// `None` where there is nothing to show: the smallest or largest share of no process.
    fn new(sample: &'a Sample) -> Option<Self> {
        let shown = match &sample.total {
            Value::Counter(total) => Shown::Counter(*total),
            Value::Gauge(value) => Shown::Gauge(*value),
            Value::Sum(sum) => Shown::Sum(*sum),
            Value::Processes(processes) => Shown::Gauge(processes.value()?),
            Value::Histogram(found) => Shown::Histogram(Cow::Borrowed(found)),
            Value::Fractions(sum) => Shown::Fractions(*sum),
            Value::Summary(found) => Shown::Summary(*found),
            Value::Info => Shown::Info,
        };
        Some(Self {
            labels: &sample.labels,
            shown,
            created: sample.created,
        })
    }

    /// The labels that have a value: an empty one is the same as none.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.labels.iter().filter(|(_, value)| !value.is_empty())
    }

    /// When it was created, since 1970.
    pub(super) fn created(&self) -> Duration {
        self.created.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn has_empty_label(&self) -> bool {
        self.labels.values().any(str::is_empty)
    }

    /// Takes over a series that differs in empty labels only: counters and histograms are added up,
    /// of two gauges the first stays, unless they are sums.
    fn join(&mut self, twin: &Self) {
        match (&mut self.shown, &twin.shown) {
            (Shown::Counter(total), Shown::Counter(other)) => *total = total.saturating_add(*other),
            (Shown::Histogram(total), Shown::Histogram(other)) => {
                if let Some(both) = total.plus(other) {
                    *total = Cow::Owned(both);
                }
            }
            (Shown::Fractions(total), Shown::Fractions(other))
            | (Shown::Sum(total), Shown::Sum(other)) => *total = total.plus(*other),
            (Shown::Summary(total), Shown::Summary(other)) => *total = total.plus(*other),
            (_, _) => {}
        }
        self.created = self.created.min(twin.created);
    }
}

/// The families, sorted by name.
pub(super) fn families(view: &View) -> Vec<Family<'_>> {
    let mut samples: Vec<&Sample> = view.samples().collect();
    // Within a family a view has them in the order of their labels, and this keeps it. One name has
    // one kind, unless a declaration was damaged: then it becomes two families.
    let family = |sample: &&'_ Sample| sample.total.kind().as_str();
    samples.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| family(a).cmp(family(b))));
    let groups: Vec<&[&Sample]> = samples
        .chunk_by(|a, b| a.name == b.name && a.total.kind() == b.total.kind())
        .collect();
    let candidates: Vec<Candidate<'_>> =
        groups.iter().filter_map(|group| candidate(group)).collect();
    let names = naming::names(&candidates);
    let mut declared = view.families.iter().peekable();
    let mut families = Vec::with_capacity(groups.len());
    for (group, (candidate, name)) in groups.iter().zip(candidates.iter().zip(names)) {
        // Both are sorted by name, so that one walk over the declarations serves all families.
        while declared
            .next_if(|next| next.name() < candidate.registered)
            .is_some()
        {}
        let declared = declared
            .peek()
            .filter(|next| next.name() == candidate.registered);
        let series = series(group);
        if series.is_empty() {
            continue;
        }
        families.push(Family {
            unit: declared.map_or("", |family| unit(family, &name)),
            help: help(
                candidate,
                declared.map_or("", |family| family.help()),
                &name,
            ),
            name,
            kind: candidate.kind,
            series,
        });
    }
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
    let mut series: Vec<Series<'a>> = group.iter().copied().filter_map(Series::new).collect();
    if series.iter().any(Series::has_empty_label) {
        series.sort_by(|a, b| a.labels().cmp(b.labels()));
        series.dedup_by(|twin, kept| {
            let same = twin.labels().cmp(kept.labels()) == Ordering::Equal;
            if same {
                kept.join(twin);
            }
            same
        });
    }
    series
}

/// The declared unit, where the exposed name still ends in it.
fn unit<'a>(declared: &'a metric::Family, name: &str) -> &'a str {
    let unit = declared.unit();
    match name.strip_suffix(unit) {
        Some(rest) if rest.ends_with('_') => unit,
        Some(_) | None => "",
    }
}

/// What a family's HELP line says; a name that had to be changed is told there.
fn help<'a>(candidate: &Candidate<'a>, declared: &'a str, name: &str) -> Cow<'a, str> {
    let registered = candidate.registered;
    let about = match declared {
        "" => transaction_help(registered),
        text => text,
    };
    if !registered.starts_with('_') && name == naming::wanted(registered, candidate.kind) {
        return Cow::Borrowed(about);
    }
    let kind = candidate.kind.as_str();
    let text = format!("The {kind} {registered}, whose own name is taken or reserved. {about}");
    Cow::Owned(text.trim_end().to_owned())
}

fn transaction_help(name: &str) -> &'static str {
    let index = TRANSACTIONS.iter().position(|&four| four == name);
    index.map_or("", |index| {
        [
            "Commits that succeeded.",
            "Commits that failed.",
            "Compare-and-swap operations that found another value than expected.",
            "Recoveries.",
        ][index]
    })
}
