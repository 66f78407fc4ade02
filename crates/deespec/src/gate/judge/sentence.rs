//! All that a rule found in one sentence, for a person who has no time.

use super::explain::Explaining;
use super::judged::{Guard, Judged};
use super::words::{amount, chance, count, few, percent};
use crate::gate::Verdict;
use crate::gate::report::{BurnFound, Outcome};
use crate::gate::rules::{Kind, Metric, Rule};
use crate::gate::statistics::shift::Bad;

impl Explaining<'_> {
    pub(super) fn sentence(&self, rule: &Rule, found: &Judged, unit: &str) -> String {
        let metric = &rule.metric;
        if let Some(guard) = found.guard
            && let Some(text) = self.guarded(rule, found, guard, unit)
        {
            return text;
        }
        let Some(value) = found.value else {
            return format!("{metric} was not measured in this run.");
        };
        let shown = amount(value, unit);
        match &rule.kind {
            Kind::Limit(_) => {
                let limit = found
                    .limit
                    .map(|limit| amount(limit, unit))
                    .unwrap_or_default();
                let relation = match (found.outcome, rule.bad) {
                    (Outcome::Pass, _) => "within",
                    (_, Bad::Up) => "above",
                    (_, Bad::Down) => "below",
                };
                format!("{metric} is {shown}, {relation} the limit {limit}.")
            }
            Kind::Ratio(_) => ratio(rule, found, value),
            Kind::Adaptive(_) => self.adaptive(rule, found, &shown, unit),
            Kind::Shift(_) => self.shift(rule, found, &shown, unit),
            Kind::Trend(_) => trend(rule, found, unit),
            Kind::Burn(_) => burn(rule, found),
        }
    }

    /// The sentence of a rule that was kept from judging, or from alarming.
    fn guarded(&self, rule: &Rule, found: &Judged, guard: Guard, unit: &str) -> Option<String> {
        let metric = &rule.metric;
        Some(match guard {
            Guard::Missing if self.was_seen(rule) => {
                format!("{metric} was not measured in this run.")
            }
            Guard::Missing if rule.kind.is_learned() && self.elsewhere(rule) > 0 => {
                format!(
                    "{metric} was not measured: no run of this branch and kind of machine has it."
                )
            }
            Guard::Missing => format!("{metric} has never been measured: no run has it."),
            Guard::NotACount => format!("{metric} is nothing that a rule of this kind can judge."),
            Guard::TooFew("min.total", have, need) => {
                format!("{metric}: {have} in all, {need} are needed to judge.")
            }
            Guard::TooFew("min.distinct", have, need) => format!(
                "{metric} is {}, unlike before, but earlier runs have only {}, and {need} are needed to \
                 tell how much it varies.",
                amount(found.value.unwrap_or_default(), unit),
                count(have, "different value"),
            ),
            Guard::TooFew(_, have, need) => {
                format!(
                    "{metric}: {} known, {need} are needed to judge.",
                    count(have, "run")
                )
            }
            Guard::Moved(change, have) => format!(
                "{metric} moved from {} to {} at run {}; {} since then {} too few to judge.",
                amount(change.before.mean, unit),
                amount(change.after.mean, unit),
                self.name(change.place),
                count(have as u64, "run"),
                if have == 1 { "is" } else { "are" },
            ),
            Guard::Clearing(more) => format!(
                "{metric} is {}, as expected again; {} more and the incident is over.",
                amount(found.value.unwrap_or_default(), unit),
                count(more as u64, "clean run"),
            ),
            Guard::Alpha => format!(
                "{metric} is {}, which is unusual, but not for as many rules as there are (p {} of {} \
                 after Holm).",
                amount(found.value.unwrap_or_default(), unit),
                few(found.p_adjusted.unwrap_or(1.0)),
                few(self.rules.policy.alpha),
            ),
        })
    }

    fn adaptive(&self, rule: &Rule, found: &Judged, shown: &str, unit: &str) -> String {
        let metric = &rule.metric;
        let normal = found
            .baseline
            .map(|normal| amount(normal.centre, unit))
            .unwrap_or_default();
        let n = count(found.n.unwrap_or_default(), "run");
        let effect = found
            .effect
            .map(|effect| format!("{} from ", percent(effect)))
            .unwrap_or_default();
        match found.outcome {
            Outcome::Pass => match found.limit {
                Some(limit) => format!(
                    "{metric} is {shown}; {normal} is normal ({n}), and {} would be unusual.",
                    amount(limit, unit),
                ),
                None => format!("{metric} is {shown}; {normal} is normal ({n})."),
            },
            _ => {
                let seen = found
                    .confirm
                    .filter(|confirm| confirm.of > 1)
                    .map(|confirm| {
                        let verb = if confirm.seen == 1 { "was" } else { "were" };
                        format!(
                            "{} of the last {} runs {verb} like that, ",
                            confirm.seen, confirm.of
                        )
                    });
                format!(
                    "{metric} is {shown}, {effect}the {normal} of {n} before; {}by chance {}{}.",
                    seen.unwrap_or_default(),
                    chance(found.p.unwrap_or(1.0)),
                    dependence(found),
                )
            }
        }
    }

    fn shift(&self, rule: &Rule, found: &Judged, shown: &str, unit: &str) -> String {
        let metric = &rule.metric;
        let Some(change) = found.change else {
            let normal = found
                .baseline
                .map(|normal| amount(normal.centre, unit))
                .unwrap_or_default();
            let n = count(found.n.unwrap_or_default(), "run");
            return format!("{metric} is {shown}, on the level of {n} before ({normal}).");
        };
        format!(
            "{metric} moved from {} to {}{} at run {}: {} since, {} before; by chance {}{}.",
            amount(change.before.mean, unit),
            amount(change.after.mean, unit),
            found
                .effect
                .map(|effect| format!(" ({})", percent(effect)))
                .unwrap_or_default(),
            self.name(change.place),
            count(change.after.n as u64, "run"),
            change.before.n,
            chance(found.p.unwrap_or(1.0)),
            dependence(found),
        )
    }
}

fn ratio(rule: &Rule, found: &Judged, share: f64) -> String {
    let what = match (&rule.metric, rule.bad) {
        (Metric::Share { good, .. }, Bad::Down) => good.to_string(),
        (Metric::Share { bad, .. }, Bad::Up) => bad.to_string(),
        (one, _) => one.to_string(),
    };
    let limit = found.limit.map(|limit| amount(limit, "ratio"));
    let limit = limit.unwrap_or_default();
    let (low, high) = found.interval.unwrap_or((0.0, 1.0));
    let shown = format!(
        "{what} is {} of {} (likely {} to {})",
        amount(share, "ratio"),
        found.n.unwrap_or_default(),
        amount(low, "ratio"),
        amount(high, "ratio"),
    );
    let worse = match rule.bad {
        Bad::Up => "above",
        Bad::Down => "below",
    };
    match found.outcome {
        Outcome::Pass => format!("{shown}: within the limit {limit}."),
        Outcome::Inconclusive => {
            format!("{shown}: perhaps {worse} the limit {limit}, which so few cannot tell.")
        }
        _ => format!("{shown}: surely {worse} the limit {limit}."),
    }
}

fn trend(rule: &Rule, found: &Judged, unit: &str) -> String {
    let metric = &rule.metric;
    let n = count(found.n.unwrap_or_default(), "run");
    let slope = amount(found.slope.unwrap_or_default(), unit);
    let share = found
        .effect
        .map(|share| format!(" ({})", percent(share)))
        .unwrap_or_default();
    let eta = found.eta.map(|eta| match eta.runs {
        0.0 => format!("; {} is reached", amount(eta.to, unit)),
        runs => format!(
            "; {} is reached in about {} runs",
            amount(eta.to, unit),
            few(runs.ceil())
        ),
    });
    match found.outcome {
        Outcome::Pass => format!("{metric} is steady: {slope}{share} a run over {n}."),
        _ => format!(
            "{metric} drifts by {slope}{share} a run over {n}, by chance {}{}.",
            chance(found.p.unwrap_or(1.0)),
            eta.unwrap_or_default(),
        ),
    }
}

fn burn(rule: &Rule, found: &Judged) -> String {
    let metric = &rule.metric;
    let objective = match &rule.kind {
        Kind::Burn(kind) => amount(kind.objective, "ratio"),
        _ => String::new(),
    };
    let level = match found.outcome {
        Outcome::Fail => Verdict::Fail,
        _ => Verdict::Warn,
    };
    let is_alarm = |one: &&BurnFound| {
        let burns = |rate: Option<f64>| rate.is_some_and(|rate| rate >= one.factor);
        one.level == level && burns(one.long) && burns(one.short)
    };
    match (found.outcome, found.burn.iter().find(is_alarm)) {
        (Outcome::Warn | Outcome::Fail, Some(one)) => format!(
            "{metric}: the error budget of {objective} burns {} times as fast as it lasts in the last {} \
             ({} in the last {}); {} is the limit.",
            few(one.long.unwrap_or_default()),
            duration(one.long_seconds),
            few(one.short.unwrap_or_default()),
            duration(one.short_seconds),
            few(one.factor),
        ),
        _ => format!(
            "{metric}: the error budget of {objective} burns at most {} times as fast as it lasts.",
            few(found.value.unwrap_or_default()),
        ),
    }
}

fn duration(seconds: f64) -> String {
    for (size, unit) in [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min")] {
        if seconds >= size {
            return format!("{} {unit}", few(seconds / size));
        }
    }
    format!("{} s", few(seconds))
}

/// Said where runs that repeat each other were counted as fewer.
fn dependence(found: &Judged) -> String {
    match found.lag_one {
        Some(r) if r >= 0.01 => {
            format!(" (runs depend on each other, r {r:.2}, and count as fewer)")
        }
        _ => String::new(),
    }
}
