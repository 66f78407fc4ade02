//! A pass over the runs, forward in time: what each rule says at each, and what is remembered for the next.
//!
//! What is remembered: where the level of a metric last moved, and which incidents are open. A pass knows nothing of
//! the runs behind the one that it judges.

use super::adaptive;
use super::judged::{Alarm, Changed, Guard, Judged};
use super::series::Series;
use super::values::metric_value;
use super::{burn, limit, ratio, shift, trend};
use crate::gate::history::Run;
use crate::gate::report::Outcome;
use crate::gate::rules::{Kind, Metric, Rule, Rules, Term};
use crate::gate::statistics::multiplicity::holm;

/// So many clean runs end an incident.
const CLEAN: usize = 2;

/// What is remembered from run to run.
#[derive(Debug, Clone)]
pub(super) struct Pass<'a> {
    rules: &'a Rules,
    /// One for each metric that rules learn of.
    series: Vec<Series>,
    metrics: Vec<&'a Metric>,
    /// Where each level last moved.
    moved: Vec<Option<Changed>>,
    /// The series of each rule; `None` for rules that do not learn.
    series_of: Vec<Option<usize>>,
    incidents: Vec<Option<Incident>>,
    /// The newest level of each rule that somebody has accepted.
    accepted: Vec<Option<usize>>,
}

/// A rule that has alarmed and is not yet clean again.
#[derive(Debug, Clone, Copy)]
struct Incident {
    place: usize,
    alarm: Alarm,
    clean: usize,
}

/// A run to be judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judging<'a> {
    pub(super) place: usize,
    pub(super) run: &'a Run,
    /// What error budgets are judged from; `None` where only what is remembered matters.
    pub(super) happened: Option<&'a [&'a Run]>,
    /// Whether somebody wants to read more than the outcome.
    pub(super) is_told: bool,
    pub(super) now: f64,
}

impl<'a> Pass<'a> {
    /// Begins behind these runs, of which the values are known and nothing is remembered.
    pub(super) fn after(rules: &'a Rules, runs: &[(usize, &Run)]) -> Self {
        let mut metrics: Vec<&Metric> = Vec::new();
        let series_of = rules.rules.iter().map(|rule| {
            rule.kind.is_learned().then(|| {
                let known = metrics.iter().position(|metric| **metric == rule.metric);
                known.unwrap_or_else(|| {
                    metrics.push(&rule.metric);
                    metrics.len() - 1
                })
            })
        });
        let series_of: Vec<Option<usize>> = series_of.collect();
        let window = rules.policy.history.window;
        let series = metrics.iter().map(|metric| {
            let newest_first = runs.iter().rev().filter_map(|(place, run)| {
                let value = metric_value(metric, run)?;
                Some((*place, value))
            });
            let mut known: Vec<(usize, f64)> = newest_first.take(window).collect();
            known.reverse();
            Series::of(known)
        });
        Self {
            rules,
            series: series.collect(),
            moved: vec![None; metrics.len()],
            metrics,
            series_of,
            incidents: vec![None; rules.rules.len()],
            accepted: vec![None; rules.rules.len()],
        }
    }

    /// Somebody has accepted the level from this place on as the normal one of a rule's metric.
    pub(super) fn accept(&mut self, rule: &str, place: usize) {
        let found = self.rules.rules.iter().position(|one| one.id == rule);
        let Some(rule) = found else { return };
        // Told at each run, and new only once: what happens after it is remembered again.
        let is_known = self.accepted[rule].is_some_and(|known| known >= place);
        if let (Some(series), false) = (self.series_of[rule], is_known) {
            self.accepted[rule] = Some(place);
            self.series[series].begin_at(place);
            if self.moved[series].is_some_and(|moved| moved.place <= place) {
                self.moved[series] = None;
            }
            self.incidents[rule] = None;
        }
    }

    /// What each rule says at this run.
    pub(super) fn step(&mut self, at: &Judging<'_>) -> Vec<Judged> {
        for (series, metric) in self.series.iter_mut().zip(&self.metrics) {
            series.push(at.place, metric_value(metric, at.run));
        }
        let rules = &self.rules.rules;
        let is_trend = |rule: &Rule| matches!(rule.kind, Kind::Trend(_));
        let of = |pass: &Self, index: usize| match pass.series_of[index] {
            Some(series) => pass.learned(&rules[index], series, at.is_told),
            None => Found::of(fixed(&rules[index], at)),
        };
        let mut found: Vec<Found> = (0..rules.len())
            .map(|index| match is_trend(&rules[index]) {
                true => Found::of(Judged::new(Outcome::Pass, None)),
                false => of(self, index),
            })
            .collect();
        // Of a trend nothing is remembered. It takes long, and matters only to who asks, or to how surprising the others
        // must be that alarm beside it.
        if at.happened.is_some() || !found.iter().all(Found::is_quiet) {
            for (index, found) in found.iter_mut().enumerate() {
                if is_trend(&rules[index]) {
                    *found = of(self, index);
                }
            }
        }
        self.share_out_alpha(&mut found);
        for (index, found) in found.iter_mut().enumerate() {
            self.remember(index, found);
        }
        self.begin_new_levels(&found);
        found.into_iter().map(|found| found.judged).collect()
    }

    fn learned(&self, rule: &Rule, index: usize, is_told: bool) -> Found {
        let (series, moved) = (&self.series[index], self.moved[index]);
        if !series.is_newest() {
            return Found::of(Judged::missing());
        }
        let since = series.since();
        let window = self.rules.policy.history.window;
        let mut found = match &rule.kind {
            Kind::Adaptive(kind) => {
                let (judged, beyond) = adaptive::judge(kind, rule.bad, &since, window, is_told);
                Found {
                    place: beyond.first.map(|index| since.place(index)),
                    is_beyond: beyond.is_newest,
                    ..Found::of(judged)
                }
            }
            Kind::Shift(kind) => {
                let (judged, better) = shift::judge(kind, rule.bad, &since, window);
                Found {
                    better,
                    ..Found::of(judged)
                }
            }
            Kind::Trend(kind) => Found::of(trend::judge(kind, rule.bad, since.values)),
            _ => return Found::of(Judged::missing()),
        };
        if let (Some(Guard::TooFew(..)), Some(changed)) = (found.judged.guard, moved)
            && found.judged.outcome == Outcome::NoData
        {
            found.judged.guard = Some(Guard::Moved(changed, since.values.len()));
        }
        found
    }

    /// Holm: of many rules that learn, one alarms by chance more often than each of them. So the most surprising
    /// one must be the more surprising, the more there are.
    fn share_out_alpha(&self, found: &mut [Found]) {
        let judged: Vec<usize> = (0..found.len())
            .filter(|index| self.series_of[*index].is_some() && found[*index].judged.p.is_some())
            .collect();
        // A move for the better is no alarm, but by chance it would make a rule forget as well.
        let p_of = |found: &Found| found.better.map(|better| better.p).or(found.judged.p);
        let p: Vec<f64> = judged
            .iter()
            .filter_map(|index| p_of(&found[*index]))
            .collect();
        // Where nothing alarms, there is nothing to share out.
        if judged.iter().all(|index| found[*index].is_quiet()) {
            return;
        }
        for (index, adjusted) in judged.into_iter().zip(holm(&p)) {
            let alpha = self.rules.policy.alpha;
            if found[index].better.is_some() {
                found[index].better.take_if(|_| adjusted > alpha);
                continue;
            }
            let judged = &mut found[index].judged;
            judged.p_adjusted = Some(adjusted);
            if adjusted > alpha && judged.candidate.take().is_some() {
                judged.guard = Some(Guard::Alpha);
            }
        }
    }

    /// The outcome of a rule that learns, with what is known of its incident.
    fn remember(&mut self, index: usize, found: &mut Found) {
        let judged = &mut found.judged;
        if let Some(alarm) = judged.candidate {
            judged.outcome = match alarm {
                Alarm::Warn => Outcome::Warn,
                Alarm::Fail => Outcome::Fail,
            };
        }
        if !matches!(self.rules.rules[index].kind, Kind::Adaptive(_))
            || judged.outcome == Outcome::NoData
        {
            return;
        }
        let open = self.incidents[index];
        let next = match (judged.candidate, open) {
            (Some(alarm), _) => Some(Incident {
                place: open
                    .map(|open| open.place)
                    .or(found.place)
                    .unwrap_or_default(),
                alarm,
                clean: 0,
            }),
            (None, Some(open)) if found.is_beyond => Some(Incident { clean: 0, ..open }),
            (None, Some(open)) if open.clean + 1 < CLEAN => Some(Incident {
                clean: open.clean + 1,
                ..open
            }),
            (None, _) => None,
        };
        if let (None, Some(incident)) = (judged.candidate, next) {
            judged.outcome = match incident.alarm {
                Alarm::Warn => Outcome::Warn,
                Alarm::Fail => Outcome::Fail,
            };
            // One that is beyond again, but not confirmed again, is told as what it is.
            judged.guard = (!found.is_beyond).then_some(Guard::Clearing(CLEAN - incident.clean));
        }
        judged.began = next.map(|incident| incident.place);
        self.incidents[index] = next;
    }

    /// Once a level has moved, what came before it is no measure any more.
    fn begin_new_levels(&mut self, found: &[Found]) {
        for (index, found) in found.iter().enumerate() {
            let Some(series) = self.series_of[index] else {
                continue;
            };
            let is_confirmed = found.judged.candidate.is_some();
            let worse = found.judged.change.filter(|_| is_confirmed);
            let moved = worse.or(found.better.map(|better| better.changed));
            if let Some(changed) = moved
                // Another rule of the same metric may have seen the same.
                && self.moved[series].is_none_or(|known| known.place < changed.place)
            {
                self.series[series].begin_at(changed.place);
                self.moved[series] = Some(changed);
                for (rule, of) in self.series_of.iter().enumerate() {
                    if *of == Some(series) {
                        self.incidents[rule] = None;
                    }
                }
            }
        }
    }
}

/// What a rule finds, with what is needed to remember it.
#[derive(Debug)]
struct Found {
    judged: Judged,
    better: Option<shift::Better>,
    /// For an adaptive rule: the place of the first run beyond, and whether the newest is.
    place: Option<usize>,
    is_beyond: bool,
}

impl Found {
    fn of(judged: Judged) -> Self {
        Self {
            judged,
            better: None,
            place: None,
            is_beyond: false,
        }
    }

    /// Whether nothing is to be told or remembered of it.
    fn is_quiet(&self) -> bool {
        self.judged.candidate.is_none() && self.better.is_none()
    }
}

/// A rule that does not learn. It remembers nothing, so it is judged only where somebody asks.
fn fixed(rule: &Rule, at: &Judging<'_>) -> Judged {
    let Some(happened) = at.happened else {
        return Judged::new(Outcome::Pass, None);
    };
    match (&rule.kind, &rule.metric) {
        (Kind::Limit(kind), metric) => match metric_value(metric, at.run) {
            Some(value) => limit::judge(kind, rule.bad, value),
            None => Judged::missing(),
        },
        (Kind::Ratio(kind), Metric::Share { good, bad }) => {
            match (counted(at.run, good), counted(at.run, bad)) {
                (None, None) => Judged::missing(),
                // A counter that was never counted has no series: it is 0.
                (good, bad) => ratio::judge(
                    kind,
                    rule.bad,
                    good.unwrap_or_default(),
                    bad.unwrap_or_default(),
                ),
            }
        }
        (Kind::Burn(kind), Metric::Share { good, bad }) => {
            let counts = |run: &&Run| {
                let is_count = |count: &f64| (0.0..2f64.powi(63)).contains(count);
                let (good, bad) = (
                    counted(run, good).filter(is_count),
                    counted(run, bad).filter(is_count),
                );
                // Nobody knows in which window a run without a time was; the present one is now.
                let is_present = std::ptr::eq(*run, at.run);
                let time = run.at.or(is_present.then_some(at.now))?;
                let is_counted = good.is_some() || bad.is_some();
                is_counted.then(|| burn::Happened {
                    at: time,
                    good: good.unwrap_or_default(),
                    bad: bad.unwrap_or_default(),
                })
            };
            let happened: Vec<burn::Happened> = happened.iter().filter_map(counts).collect();
            match happened.is_empty() {
                true => Judged::missing(),
                false => burn::judge(kind, &happened, at.now),
            }
        }
        // A file cannot say so; who builds rules by hand gets no verdict, and no panic.
        _ => Judged::kept(Outcome::NoData, None, Guard::NotACount),
    }
}

/// A count by its own name: a value without a name is never one of two.
fn counted(run: &Run, term: &Term) -> Option<f64> {
    run.values.get(term.text()).copied()
}
