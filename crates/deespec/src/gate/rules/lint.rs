//! What is lawful in a file of rules and surely not meant: rules that cannot fire, mutes of nothing.
//!
//! Pure functions over rules; whoever knows what is measured says so.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::{Adaptive, Burn, Kind, Ratio, Rule, Rules, Shift, Term, Trend};
use crate::gate::Verdict;
use crate::gate::statistics::shift::{self, Bad};
use crate::gate::statistics::trend::mann_kendall;

/// Something in a file of rules that is lawful and surely not meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintFinding {
    /// The file; `None` where the rules are not from a file.
    pub path: Option<PathBuf>,
    /// The line, from 1; 0 where it is about the whole file.
    pub line: usize,
    /// The rule's id; `None` where it is about none.
    pub rule: Option<String>,
    /// Which of the checks.
    pub check: LintCheck,
    /// What is wrong, in a sentence without the place.
    pub sentence: String,
}

/// The checks of [`Rules::lint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LintCheck {
    /// There is no rule, so that nothing is judged.
    NoRules,
    /// Nobody has ever measured it.
    UnknownMetric,
    /// Whatever is measured, it never warns or fails.
    NeverFires,
    /// Whatever is measured, it never passes.
    NeverPasses,
    /// It looks as if it could fail, and cannot.
    NeverFails,
    /// What fails is less than what warns.
    FailLooserThanWarn,
    /// A mute of a rule that is not there.
    OrphanedMute,
    /// A mute whose last day is over.
    ExpiredMute,
}

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}:", path.display())?;
            if self.line > 0 {
                write!(f, "{}:", self.line)?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.sentence)
    }
}

impl Rules {
    /// What is lawful in these rules and surely not meant, in the order of the file.
    ///
    /// `known` has the names of what has ever been measured; without it, metrics are not judged. A rule with
    /// `no_data = "pass"` may wait for its metric. `today`, as
    /// `2026-11-28`, tells which mutes are over; without it, none is.
    ///
    /// ```
    /// use deespec::gate::{LintCheck, Rules};
    /// use std::path::Path;
    ///
    /// let text = r#"
    /// schema = "deespec.gate/1"
    /// [[rule]]
    /// id = "budget"
    /// metric = { good = "commit_success", bad = "commit_failed" }
    /// kind = "burn"
    /// objective = 0.9
    /// windows = [ { long = "1h", short = "5m", factor = 14.4, level = "fail" } ]
    /// "#;
    /// let rules = Rules::parse(text, Path::new("gate.toml"))?;
    /// let findings = rules.lint(None, None);
    /// assert_eq!(findings[0].check, LintCheck::NeverFires);
    /// assert_eq!(
    ///     findings[0].to_string(),
    ///     "gate.toml:3: the window of 1h in budget never fires: even if all is bad, an objective of 0.9 burns \
    ///      10 times as fast as the budget allows, less than factor = 14.4",
    /// );
    /// # Ok::<(), deespec::gate::RulesError>(())
    /// ```
    pub fn lint(&self, known: Option<&BTreeSet<String>>, today: Option<&str>) -> Vec<LintFinding> {
        let mut found = Vec::new();
        let whole = |check, sentence: String| self.finding(0, None, check, sentence);
        if self.rules.is_empty() {
            let sentence = "there are no rules, so nothing is judged".to_owned();
            found.push(whole(LintCheck::NoRules, sentence));
        }
        let window = self.policy.history.window;
        for rule in &self.rules {
            let mut add = |check, sentence| {
                found.push(self.finding(rule.line, Some(&rule.id), check, sentence));
            };
            for term in rule.metric.terms() {
                if let Some(sentence) = known.and_then(|known| unknown(rule, term, known)) {
                    add(LintCheck::UnknownMetric, sentence);
                }
            }
            for (check, sentence) in of_kind(rule, window) {
                add(check, sentence);
            }
        }
        if let Some(correlate) = &self.correlate
            && correlate.runs > window
        {
            let sentence = format!(
                "[correlate] never compares anything: min_runs = {} is more than gate.history.window = {window}",
                correlate.runs
            );
            found.push(whole(LintCheck::NeverFires, sentence));
        }
        for mute in &self.mutes {
            let name = &mute.rule;
            let mut add = |check, sentence| {
                found.push(self.finding(mute.line, Some(name), check, sentence));
            };
            if !self.rules.iter().any(|rule| rule.id == *name) {
                let ids = self.rules.iter().map(|rule| rule.id.as_str());
                let near = did_you_mean(name, ids);
                add(
                    LintCheck::OrphanedMute,
                    format!("it mutes {name}, which is no rule of this file{near}"),
                );
            }
            // Days that are written so are in the order of the calendar.
            if today.is_some_and(|today| mute.until.as_str() < today) {
                let sentence = format!("the mute of {name} ended on {}: remove it", mute.until);
                add(LintCheck::ExpiredMute, sentence);
            }
        }
        found.sort_by_key(|finding| finding.line);
        found
    }

    fn finding(
        &self,
        line: usize,
        rule: Option<&String>,
        check: LintCheck,
        sentence: String,
    ) -> LintFinding {
        LintFinding {
            path: self.source.clone(),
            line,
            rule: rule.cloned(),
            check,
            sentence,
        }
    }
}

fn unknown(rule: &Rule, term: &Term, known: &BTreeSet<String>) -> Option<String> {
    if known.contains(&term.name) {
        return None;
    }
    let near = did_you_mean(&term.name, known.iter().map(String::as_str));
    // A rule that is content without data waits for its metric, unless that looks like a slip of the pen.
    let waits = rule.no_data == Some(Verdict::Pass) && near.is_empty();
    (!waits).then(|| {
        format!(
            "{} judges {}, which nothing has ever counted or recorded{near}",
            rule.id, term.name
        )
    })
}

/// A question for the name that may be meant, where there is one.
fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let distance = |one: &'a str| (strsim::osa_distance(name, one), one);
    let nearest = known
        .filter(|one| name.len() <= 200 && one.len() <= 200)
        .map(distance)
        .min();
    match nearest {
        Some((far, one)) if far <= (name.len() / 3).min(3) => format!(", did you mean {one}?"),
        _ => String::new(),
    }
}

type Finding = (LintCheck, String);

fn of_kind(rule: &Rule, window: usize) -> Vec<Finding> {
    let id = &rule.id;
    match &rule.kind {
        // Any number can be on either side of a limit.
        Kind::Limit(_) => Vec::new(),
        Kind::Ratio(ratio) => of_ratio(id, ratio, rule.bad),
        Kind::Adaptive(adaptive) => of_adaptive(id, adaptive, window),
        Kind::Shift(shift) => of_shift(id, shift, window),
        Kind::Trend(trend) => of_trend(id, trend, window),
        Kind::Burn(burn) => of_burn(id, burn),
    }
}

fn of_ratio(id: &str, ratio: &Ratio, bad: Bad) -> Vec<Finding> {
    let (best, worst) = match bad {
        Bad::Down => (1.0, 0.0),
        Bad::Up => (0.0, 1.0),
    };
    let mut found = Vec::new();
    for (key, limit) in [("warn", ratio.warn), ("fail", ratio.fail)] {
        if limit == Some(worst) {
            let sentence = format!("{key} of {id} never fires: no share is beyond {worst}");
            found.push((LintCheck::NeverFires, sentence));
        }
    }
    if ratio.prove && ratio.fail == Some(best) {
        let sentence = format!(
            "{id} never passes: that a share is {best} cannot be proved by any number of tries"
        );
        found.push((LintCheck::NeverPasses, sentence));
    }
    found
}

fn of_adaptive(id: &str, adaptive: &Adaptive, window: usize) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, least) in [("runs", adaptive.runs), ("distinct", adaptive.distinct)] {
        found.extend(beyond_window(id, key, least, window));
    }
    let looser = adaptive
        .fail
        .is_some_and(|fail| fail.alpha > adaptive.warn.alpha || fail.by < adaptive.warn.by);
    let fail = adaptive.fail.is_some();
    found.extend(of_fail(id, fail, adaptive.can_fail, looser, "alpha and by"));
    found
}

fn of_shift(id: &str, rule: &Shift, window: usize) -> Vec<Finding> {
    let mut found: Vec<Finding> = beyond_window(id, "before", rule.before, window).collect();
    if found.is_empty() {
        found.extend(too_improbable(id, rule, window));
    }
    let fail = rule.fail;
    let looser = fail.is_some_and(|fail| fail.p > rule.warn.p || fail.by < rule.warn.by);
    found.extend(of_fail(
        id,
        fail.is_some(),
        rule.can_fail,
        looser,
        "p and by",
    ));
    found
}

/// Where not even the clearest shift after as many runs as are looked at is as improbable as the rule asks.
fn too_improbable(id: &str, rule: &Shift, window: usize) -> Option<Finding> {
    // Few runs are enough for most rules, and soon tried; beyond 500 they make no difference any more.
    let tried = [rule.before.max(12), 50, 500];
    if tried.iter().any(|before| shows(rule, window.min(*before))) {
        return None;
    }
    let sentence = format!(
        "{id} never fires: after {window} runs not even the clearest shift is as improbable as warn.p = {}",
        rule.warn.p
    );
    Some((LintCheck::NeverFires, sentence))
}

/// Whether the clearest shift after so many runs is found.
fn shows(rule: &Shift, before: usize) -> bool {
    // Runs that differ a little, and a level far above that is as steady.
    let value = |run: usize| (if run < before { 1e3 } else { 1e9 }) + (run * 7 % 11) as f64;
    let runs: Vec<f64> = (0..before + rule.after.max(*shift::LENGTHS.end()))
        .map(value)
        .collect();
    let limits = shift::Limits {
        bad: Bad::Up,
        p: rule.warn.p,
        by: 0.0,
        before: rule.before.min(before),
        after: rule.after,
        window: before,
    };
    // At each length, since the rule looks at each run.
    (before..=runs.len()).any(|end| shift::newest(&runs[..end], &limits).is_some())
}

fn of_trend(id: &str, trend: &Trend, window: usize) -> Vec<Finding> {
    let mut found: Vec<Finding> = beyond_window(id, "runs", trend.runs, window).collect();
    // A drift that each run confirms.
    let clearest: Vec<f64> = (0..trend.over.min(1_000)).map(|run| run as f64).collect();
    if trend.runs > trend.over {
        let sentence = format!(
            "{id} never fires: min.runs = {} is more than over = {}",
            trend.runs, trend.over
        );
        found.push((LintCheck::NeverFires, sentence));
    } else if mann_kendall(&clearest) >= trend.warn.p {
        let sentence = format!(
            "{id} never fires: over {} runs not even a drift that each of them confirms is as improbable as warn.p = {}",
            trend.over, trend.warn.p
        );
        found.push((LintCheck::NeverFires, sentence));
    }
    let fail = trend.fail;
    let looser = fail.is_some_and(|fail| fail.p > trend.warn.p || fail.slope < trend.warn.slope);
    found.extend(of_fail(
        id,
        fail.is_some(),
        trend.can_fail,
        looser,
        "slope and p",
    ));
    found
}

fn of_burn(id: &str, burn: &Burn) -> Vec<Finding> {
    let most = 1.0 / (1.0 - burn.objective);
    // So that 1 / (1 - 0.95) is the 20 that a person writes.
    let most = (most * 1e9).round() / 1e9;
    let never = burn.windows.iter().filter(|window| window.factor > most);
    never
        .map(|window| {
            let sentence = format!(
                "the window of {} in {id} never fires: even if all is bad, an objective of {} burns {most} times \
                 as fast as the budget allows, less than factor = {}",
                time(window.long.as_secs()),
                burn.objective,
                window.factor
            );
            (LintCheck::NeverFires, sentence)
        })
        .collect()
}

/// A time in the largest unit that says it.
pub(super) fn time(seconds: u64) -> String {
    let units = [
        ("w", 7 * 24 * 60 * 60),
        ("d", 24 * 60 * 60),
        ("h", 60 * 60),
        ("m", 60),
    ];
    let unit = units.iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
    unit.map_or(format!("{seconds}s"), |(name, unit)| {
        format!("{}{name}", seconds / unit)
    })
}

/// A rule that asks for more runs than the policy looks at.
fn beyond_window(
    id: &str,
    key: &str,
    least: usize,
    window: usize,
) -> impl Iterator<Item = Finding> {
    let sentence = format!(
        "{id} never fires: min.{key} = {least} is more than gate.history.window = {window}"
    );
    (least > window)
        .then_some((LintCheck::NeverFires, sentence))
        .into_iter()
}

/// What a learned rule says of failing.
fn of_fail(id: &str, fail: bool, can_fail: bool, is_looser: bool, keys: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    match (fail, can_fail) {
        (true, false) => found.push((
            LintCheck::NeverFails,
            format!("{id} has fail but only warns: say can_fail = true, or leave fail out"),
        )),
        (false, true) => found.push((
            LintCheck::NeverFails,
            format!("{id} has can_fail = true but only warns: say what fails, with fail = {{ … }}"),
        )),
        _ => {}
    }
    if is_looser {
        let sentence = format!(
            "fail of {id} is looser than warn in {keys}: what fails must be at least as clear as what warns"
        );
        found.push((LintCheck::FailLooserThanWarn, sentence));
    }
    found
}
