//! From what a rule found, in numbers, to its explanation, in words.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::judged::{Changed, Guard, Judged, Normal};
use super::values::metric_value;
use super::words::count;
use super::{effect, name};
use crate::gate::Verdict;
use crate::gate::history::{History, Run};
use crate::gate::report::{
    Baseline, ChangeFound, Evidence, Explanation, MutedFor, Outcome, RECENT,
};
use crate::gate::rules::{Kind, Labels, Likeness, Metric, Part, Rule, Rules};

/// What explanations need besides the numbers.
pub(super) struct Explaining<'a> {
    pub(super) rules: &'a Rules,
    pub(super) history: &'a History,
    pub(super) known: &'a [(usize, &'a Run)],
    pub(super) present: &'a Run,
    pub(super) excluded: usize,
    pub(super) today: &'a str,
}

impl Explaining<'_> {
    pub(super) fn explain(&self, rule: &Rule, found: &Judged) -> Explanation {
        let policy = &self.rules.policy;
        let mute = self
            .rules
            .mutes
            .iter()
            .find(|mute| mute.rule == rule.id && self.today <= mute.until.as_str());
        let muted = mute.map(|mute| MutedFor {
            until: mute.until.clone(),
            reason: mute.reason.clone(),
        });
        let unit = unit(rule);
        let limit = finite(found.limit);
        let margin = found
            .value
            .zip(limit)
            .map(|(value, limit)| rule.bad.sign() * (limit - value));
        let looks_back = rule.kind.is_learned();
        Explanation {
            rule: rule.id.clone(),
            kind: rule.kind.name(),
            verdict: found.outcome,
            effect: match muted {
                Some(_) => Verdict::Pass,
                None => effect(self.rules, rule, found.outcome),
            },
            metric: rule.metric.to_string(),
            labels: labels(&rule.metric),
            value: found.value,
            limit,
            margin: finite(margin),
            evidence: Evidence {
                n: found.n,
                window: looks_back.then_some(policy.history.window),
                excluded: looks_back.then_some(self.excluded),
                baseline: found.baseline.filter(is_finite).map(|normal| Baseline {
                    centre: normal.centre,
                    spread: normal.spread,
                    model: normal.model,
                    since: self.name(normal.since),
                }),
                interval: found
                    .interval
                    .filter(|(low, high)| low.is_finite() && high.is_finite()),
                p: finite(found.p),
                p_adjusted: found.p_adjusted,
                effect_percent: finite(found.effect.map(|effect| effect * 100.0)),
                lag_one: found.lag_one,
                change: found.change.map(|change| self.change(&change)),
                slope: finite(found.slope),
                burn: found.burn.clone(),
            },
            confirm: found.confirm,
            guard: found
                .guard
                .map(|guard| self.guard_key(rule, guard).to_owned()),
            hidden_by: None,
            moved_together: Vec::new(),
            eta: found.eta.filter(|eta| eta.runs.is_finite()),
            sentence: self.sentence(rule, found, &unit),
            next_step: self.next_step(rule, found),
            why: rule.why.clone(),
            runbook: rule.runbook.clone(),
            fingerprint: self.fingerprint(rule, found),
            config_at: self.rules.source.as_ref().map(|path| {
                let file = path.file_name().unwrap_or(path.as_os_str());
                format!("{}:{}", file.to_string_lossy(), rule.line)
            }),
            muted,
            recent: self.recent(rule),
            unit,
        }
    }

    pub(super) fn name(&self, place: usize) -> String {
        name(self.history, self.present, place)
    }

    fn change(&self, change: &Changed) -> ChangeFound {
        ChangeFound {
            index: change.place,
            run: self.name(change.place),
            before: change.before,
            after: change.after,
        }
    }

    /// The same for the same incident, whatever run it is told of: the rule, its metric, and where it began.
    fn fingerprint(&self, rule: &Rule, found: &Judged) -> String {
        let place = found.change.map(|change| change.place).or(found.began);
        let began = place.map(|place| self.name(place)).unwrap_or_default();
        fingerprint(&[&rule.id, &rule.metric.to_string(), &began])
    }

    fn recent(&self, rule: &Rule) -> Vec<f64> {
        let before = self.known.iter().rev().map(|(_, run)| *run);
        let newest_first = [self.present].into_iter().chain(before);
        let mut values: Vec<f64> = newest_first
            .take(RECENT)
            .filter_map(|run| metric_value(&rule.metric, run))
            .collect();
        values.reverse();
        values
    }

    /// The key of the file that a guard is set by, or a word for it.
    fn guard_key(&self, rule: &Rule, guard: Guard) -> &'static str {
        match guard {
            Guard::Missing if self.was_seen(rule) => "not_measured",
            Guard::Missing => "never_measured",
            Guard::NotACount => "not_a_count",
            Guard::TooFew(key, ..) => key,
            Guard::Alpha => "gate.alpha",
            Guard::Clearing(_) => "clearing",
            Guard::Moved(..) => "moved",
        }
    }

    /// Whether any run that this one is compared with, or any snapshot, has the metric.
    pub(super) fn was_seen(&self, rule: &Rule) -> bool {
        let has = |run: &Run| {
            rule.metric
                .terms()
                .any(|term| run.value(term.text()).is_some())
        };
        let mut known = self
            .known
            .iter()
            .map(|(_, run)| *run)
            .chain(&self.history.increments);
        known.any(has)
    }

    /// How many runs have the metric and are not compared with this one.
    pub(super) fn elsewhere(&self, rule: &Rule) -> usize {
        let scope = &self.rules.policy.history;
        let is_elsewhere = |run: &&Run| {
            !scope.holds(run, self.present) && metric_value(&rule.metric, run).is_some()
        };
        self.history.runs.iter().filter(is_elsewhere).count()
    }

    /// How many other runs were recorded from what is judged now.
    fn of_this_epoch(&self) -> usize {
        let present = self.present;
        let is_of_it = |run: &&Run| {
            !run.epoch.is_empty() && run.epoch == present.epoch && run.id != present.id
        };
        match present.id.is_empty() {
            // It may be one of them.
            true => self
                .history
                .runs
                .iter()
                .filter(is_of_it)
                .count()
                .saturating_sub(1),
            false => self.history.runs.iter().filter(is_of_it).count(),
        }
    }

    /// Whether nobody said what this run is like, though runs are compared by it.
    fn is_unnamed(&self) -> bool {
        let scope = &self.rules.policy.history;
        scope.same.iter().any(|likeness| match likeness {
            Likeness::Branch => scope.branch.is_none() && self.present.branch.is_empty(),
            Likeness::HostClass => self.present.host_class.is_empty(),
        })
    }

    fn next_step(&self, rule: &Rule, found: &Judged) -> Option<String> {
        let look = rule
            .runbook
            .as_ref()
            .map(|runbook| format!("read {runbook}"));
        let was_never_seen = found.guard == Some(Guard::Missing) && !self.was_seen(rule);
        let lacks_runs = was_never_seen || matches!(found.guard, Some(Guard::TooFew(..)));
        match (found.outcome, found.guard) {
            (Outcome::Pass, _) => None,
            (Outcome::NoData, guard)
                if (lacks_runs || matches!(guard, Some(Guard::Moved(..))))
                    && rule.kind.is_learned()
                    && self.of_this_epoch() > 0 =>
            {
                Some(format!(
                    "{} of the present epoch of the store, so not of the past: `deespec rotate` after each run lets \
                     the next one begin anew",
                    are(self.of_this_epoch()),
                ))
            }
            (Outcome::NoData, _)
                if lacks_runs
                    && rule.kind.is_learned()
                    && self.is_unnamed()
                    && self.elsewhere(rule) > 0 =>
            {
                Some(format!(
                    "{} of another branch or kind of machine: say with --branch and --host-class what this one is, as \
                     `deespec gate record` was told",
                    are(self.elsewhere(rule)),
                ))
            }
            _ if was_never_seen => Some(
                "check the name with `deespec show`, or give the value with `deespec gate record --set`"
                    .to_owned(),
            ),
            (Outcome::NoData, Some(Guard::TooFew(_, have, need))) if rule.kind.is_learned() => {
                let more = need.saturating_sub(have);
                Some(format!("record {} with `deespec gate record`", count(more, "more run")))
            }
            (Outcome::NoData, Some(Guard::Moved(change, _))) => {
                let learned = format!(
                    "see what changed in run {}; the new level is learned from the runs that follow",
                    self.name(change.place),
                );
                look.into_iter().chain([learned]).reduce(|one, other| format!("{one}; {other}"))
            }
            (Outcome::NoData | Outcome::Inconclusive, _) => look,
            (_, _) => {
                let place = found.change.map(|change| change.place).or(found.began);
                let accept = place.map(|place| {
                    format!(
                        "see what changed in run {}; if it is meant to be so, `deespec gate accept {} --at {} \
                         --reason TEXT`",
                        self.name(place),
                        rule.id,
                        self.name(place),
                    )
                });
                look.into_iter().chain(accept).reduce(|one, other| format!("{one}; {other}"))
            }
        }
    }
}

fn are(runs: usize) -> String {
    let verb = if runs == 1 { "is" } else { "are" };
    format!("{} {verb}", count(runs as u64, "run"))
}

/// 16 digits that are the same for the same parts.
pub(in crate::gate) fn fingerprint(parts: &[&str]) -> String {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xff);
    }
    format!("{:016x}", hasher.finish())
}

/// JSON has no word for what is no number; neither has anybody use for one.
fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

fn is_finite(normal: &Normal) -> bool {
    normal.centre.is_finite() && normal.spread.is_finite()
}

/// The unit that a rule says, or that the metric's name ends with.
fn unit(rule: &Rule) -> String {
    if !rule.unit.is_empty() || matches!(rule.kind, Kind::Burn(_)) {
        return rule.unit.clone();
    }
    match &rule.metric {
        Metric::Share { .. } => "ratio".to_owned(),
        Metric::One(term) if term.rate || term.part == Part::Count => String::new(),
        Metric::One(term) => ["seconds", "bytes", "ratio"]
            .into_iter()
            .find(|unit| {
                term.name
                    .strip_suffix(unit)
                    .is_some_and(|name| name.ends_with('_'))
            })
            .unwrap_or_default()
            .to_owned(),
    }
}

fn labels(metric: &Metric) -> Labels {
    match metric {
        Metric::One(term) => term.labels.clone(),
        Metric::Share { good, .. } => good.labels.clone(),
    }
}
