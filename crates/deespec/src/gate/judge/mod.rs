//! Judging: what the rules say of a run, from what is known of the runs before it.
//!
//! Pure functions over rules, a history and the present run; no file, no clock. `pass` goes forward in time and
//! remembers; one file a kind judges; `explain` makes words of numbers.

mod adaptive;
mod burn;
mod correlate;
mod explain;
mod judged;
mod limit;
mod pass;
mod ratio;
mod replay;
mod sentence;
mod series;
mod shift;
#[cfg(test)]
mod tests;
mod trend;
mod values;
mod words;

pub(super) use explain::fingerprint;
pub use replay::{Replayed, ReplayedRule, RunName};

use self::explain::Explaining;
use self::pass::{Judging, Pass};
use super::Verdict;
use super::history::{Accepted, History, Run};
use super::report::{Explanation, Outcome, REPORT_SCHEMA, Report};
use super::rules::{FailOn, Likeness, Rules, Scope};

impl Rules {
    /// What the rules say of a run.
    ///
    /// `history` has the earlier runs, the oldest first. Those of another branch or machine, and those that failed,
    /// are left out as the policy says; so is a record of the present run itself. `present` has the values of the
    /// run, by [`Term::text`](super::Term::text). `today`, as `2026-11-28`, ends mutes.
    ///
    /// ```
    /// use deespec::gate::{History, Outcome, Rules, Run, Verdict};
    /// use std::path::Path;
    ///
    /// let text = r#"
    /// schema = "deespec.gate/1"
    /// [[rule]]
    /// id = "conflicts"
    /// metric = "cas_conflicts"
    /// kind = "limit"
    /// fail = 100
    /// "#;
    /// let rules = Rules::parse(text, Path::new("gate.toml"))?;
    /// let present = Run {
    ///     values: [("cas_conflicts".to_owned(), 120.0)].into(),
    ///     ..Run::default()
    /// };
    /// let report = rules.judge(&History::default(), &present, "2026-11-28");
    /// assert_eq!((report.verdict, report.rules[0].verdict), (Verdict::Fail, Outcome::Fail));
    /// # Ok::<(), deespec::gate::RulesError>(())
    /// ```
    pub fn judge(&self, history: &History, present: &Run, today: &str) -> Report {
        let scope = &self.policy.history;
        let is_itself = |run: &Run| {
            let is_same = |one: &str, other: &str| !one.is_empty() && one == other;
            is_same(&run.id, &present.id) || is_same(&run.epoch, &present.epoch)
        };
        let known: Vec<(usize, &Run)> = history
            .runs
            .iter()
            .enumerate()
            .filter(|(_, run)| scope.holds(run, present) && scope.counts(run) && !is_itself(run))
            .collect();
        let increments: Vec<&Run> = match history.increments.is_empty() {
            true => known.iter().map(|(_, run)| *run).chain([present]).collect(),
            false => history.increments.iter().collect(),
        };
        let accepted = acceptances(&history.accepted, &known);
        let place = history.runs.len();
        let mut pass = resumed(self, &known, &accepted);
        accept(&mut pass, &accepted, place, present.at);
        let found = pass.step(&Judging {
            place,
            run: present,
            happened: Some(&increments),
            is_told: true,
            now: now(present, &known),
        });
        let explaining = Explaining {
            rules: self,
            history,
            known: &known,
            present,
            excluded: history.runs.len() - known.len(),
            today,
        };
        let mut explanations: Vec<Explanation> = self
            .rules
            .iter()
            .zip(&found)
            .map(|(rule, judged)| explaining.explain(rule, judged))
            .collect();
        correlate::moved_together(self, &known, present, &mut explanations);
        hide_behind_failures(&mut explanations);
        let problems = match self.rules.is_empty() {
            true => vec!["There are no rules, so nothing was judged".to_owned()],
            false => Vec::new(),
        };
        let mut report = Report {
            schema: REPORT_SCHEMA,
            verdict: Verdict::Pass,
            checked_at: None,
            config: self.source.as_ref().map(|path| path.display().to_string()),
            run: Some(present.id.clone()).filter(|id| !id.is_empty()),
            history_runs: known.len(),
            problems,
            rules: explanations,
        };
        report.verdict = self.verdict(&report);
        report
    }

    /// The verdict on all of it, as the policy maps it. For who adds to the problems of a report.
    pub fn verdict(&self, report: &Report) -> Verdict {
        let effects = report.rules.iter().map(|rule| rule.effect);
        let problems = report.problems.iter().map(|_| Verdict::Warn);
        let worst = effects.chain(problems).max().unwrap_or(Verdict::Pass);
        self.policy.fail_on.of(worst)
    }
}

impl FailOn {
    /// What a verdict counts as.
    fn of(self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (Self::Warn, Verdict::Warn) => Verdict::Fail,
            (Self::Never, Verdict::Fail) => Verdict::Warn,
            _ => verdict,
        }
    }
}

impl Scope {
    /// Whether a run may be compared with the present one.
    fn holds(&self, run: &Run, present: &Run) -> bool {
        let branch = self.branch.as_deref().unwrap_or(&present.branch);
        self.is_base(run)
            && self.same.iter().all(|likeness| match likeness {
                Likeness::Branch => run.branch == branch,
                Likeness::HostClass => run.host_class == present.host_class,
            })
    }

    /// Whether a run is of the branch that all are compared with, where there is one.
    fn is_base(&self, run: &Run) -> bool {
        self.branch
            .as_ref()
            .is_none_or(|branch| run.branch == *branch)
    }

    /// Whether anything is to be learned from a run.
    fn counts(&self, run: &Run) -> bool {
        !self.exclude.contains(&run.status)
    }
}

/// Where a pass begins that judges the run behind so many: one to two blocks before it. So a run is judged alike
/// whether it is the last of thousands or one of a replay, and never costs more than two blocks.
fn beginning(known: usize, rules: &Rules) -> usize {
    let block = rules.policy.history.window.max(1);
    (known / block).saturating_sub(1) * block
}

/// A pass that has seen all of these runs.
fn resumed<'a>(rules: &'a Rules, known: &[(usize, &Run)], accepted: &[Acceptance<'_>]) -> Pass<'a> {
    let (before, seen) = known.split_at(beginning(known.len(), rules));
    let mut pass = Pass::after(rules, before);
    for (place, run) in seen {
        accept(&mut pass, accepted, *place, run.at);
        pass.step(&Judging {
            place: *place,
            run,
            happened: None,
            is_told: false,
            now: 0.0,
        });
    }
    pass
}

/// A level that somebody has accepted, looked up once.
struct Acceptance<'a> {
    rule: &'a str,
    at: Option<f64>,
    /// Where runs of that name are, among those that others are compared with.
    places: Vec<usize>,
}

fn acceptances<'a>(accepted: &'a [Accepted], known: &[(usize, &Run)]) -> Vec<Acceptance<'a>> {
    let acceptance = |one: &'a Accepted| {
        let at = one.at.parse::<jiff::Timestamp>().ok();
        let named = known.iter().filter(|(_, run)| run.id == one.run);
        Acceptance {
            rule: &one.rule,
            at: at.map(|at| at.as_duration().as_secs_f64()),
            places: named.map(|(place, _)| *place).collect(),
        }
    };
    accepted.iter().map(acceptance).collect()
}

/// Levels that somebody had accepted when the run at this place was judged; without times, as soon as their run is
/// known.
fn accept(pass: &mut Pass<'_>, accepted: &[Acceptance<'_>], place: usize, now: Option<f64>) {
    for one in accepted {
        let is_early = one.at.zip(now).is_some_and(|(at, now)| at > now);
        // The newest of that name.
        let known = one.places.partition_point(|known| *known < place);
        if let (false, Some(newest)) = (is_early, one.places[..known].last()) {
            pass.accept(one.rule, *newest);
        }
    }
}

/// When a run was; where it does not say, when the latest before it was.
fn now(present: &Run, known: &[(usize, &Run)]) -> f64 {
    let times = known.iter().filter_map(|(_, run)| run.at);
    present.at.unwrap_or_else(|| times.fold(0.0, f64::max))
}

/// Where a rule fails, another that only warns of the same metric says nothing new.
fn hide_behind_failures(rules: &mut [Explanation]) {
    let failed: Vec<(String, String)> = rules
        .iter()
        .filter(|rule| rule.verdict == Outcome::Fail && rule.muted.is_none())
        .map(|rule| (rule.metric.clone(), rule.rule.clone()))
        .collect();
    for rule in rules
        .iter_mut()
        .filter(|rule| rule.verdict == Outcome::Warn)
    {
        let behind = failed.iter().find(|(metric, _)| *metric == rule.metric);
        rule.hidden_by = behind.map(|(_, rule)| rule.clone());
    }
}

/// Text of a run's name by its place, for sentences.
fn name(history: &History, present: &Run, place: usize) -> String {
    let run = history.runs.get(place).unwrap_or(present);
    match run.id.as_str() {
        "" => "this one".to_owned(),
        id => id.to_owned(),
    }
}

/// What the policy makes of an outcome.
fn effect(rules: &Rules, rule: &super::rules::Rule, outcome: Outcome) -> Verdict {
    let policy = &rules.policy;
    policy.fail_on.of(match outcome {
        Outcome::Pass => Verdict::Pass,
        Outcome::Warn => Verdict::Warn,
        Outcome::Fail => Verdict::Fail,
        Outcome::NoData => rule.no_data.unwrap_or(policy.no_data),
        Outcome::Inconclusive => rule.inconclusive.unwrap_or(policy.inconclusive),
    })
}
