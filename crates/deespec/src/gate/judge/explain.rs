//! From what a rule found, in numbers, to its explanation, in words.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::judged::{Changed, Guard, Judged};
use super::values::metric_value;
use super::words::{amount, chance, count, few, percent};
use super::{RECENT, effect, name};
use crate::gate::Verdict;
use crate::gate::history::{History, Run};
use crate::gate::report::{
    Baseline, BurnFound, ChangeFound, Evidence, Explanation, MutedFor, Outcome,
};
use crate::gate::rules::{Kind, Labels, Metric, Part, Rule, Rules};
use crate::gate::statistics::shift::Bad;

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
        let margin = found
            .value
            .zip(found.limit)
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
            limit: found.limit,
            margin,
            evidence: Evidence {
                n: found.n,
                window: looks_back.then_some(policy.history.window),
                excluded: looks_back.then_some(self.excluded),
                baseline: found.baseline.map(|normal| Baseline {
                    centre: normal.centre,
                    spread: normal.spread,
                    model: normal.model,
                    since: self.name(normal.since),
                }),
                interval: found.interval,
                p: found.p,
                p_adjusted: found.p_adjusted,
                effect_percent: found.effect.map(|effect| effect * 100.0),
                lag_one: found.lag_one,
                change: found.change.map(|change| self.change(&change)),
                slope: found.slope,
                burn: found.burn.clone(),
            },
            confirm: found.confirm,
            guard: found.guard.map(|guard| guard_key(guard).to_owned()),
            hidden_by: None,
            moved_together: Vec::new(),
            eta: found.eta,
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

    fn name(&self, place: usize) -> String {
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

    fn sentence(&self, rule: &Rule, found: &Judged, unit: &str) -> String {
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
            Guard::NotMeasured => format!("{metric} was not measured in this run."),
            Guard::NeverSeen => format!("{metric} has never been measured: no run has it."),
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
                "{metric} moved from {} to {} at run {}; {} since then are too few to judge.",
                amount(change.before.mean, unit),
                amount(change.after.mean, unit),
                self.name(change.place),
                count(have as u64, "run"),
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
                let seen = found.confirm.map(|confirm| {
                    format!(
                        "{} of the last {} runs were like that, ",
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

    fn next_step(&self, rule: &Rule, found: &Judged) -> Option<String> {
        let look = rule
            .runbook
            .as_ref()
            .map(|runbook| format!("read {runbook}"));
        match (found.outcome, found.guard) {
            (Outcome::Pass, _) => None,
            (_, Some(Guard::NeverSeen)) => Some(
                "check the name with `deespec show`, or give the value with `deespec gate record --set`"
                    .to_owned(),
            ),
            (Outcome::NoData, Some(Guard::TooFew(_, have, need))) if rule.kind.is_learned() => {
                let more = need.saturating_sub(have);
                Some(format!("record {} with `deespec gate record`", count(more, "more run")))
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

/// 16 digits that are the same for the same parts.
pub(in crate::gate) fn fingerprint(parts: &[&str]) -> String {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xff);
    }
    format!("{:016x}", hasher.finish())
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

/// The key of the file that a guard is set by, or a word for it.
fn guard_key(guard: Guard) -> &'static str {
    match guard {
        Guard::NotMeasured => "not_measured",
        Guard::NeverSeen => "never_measured",
        Guard::NotACount => "not_a_count",
        Guard::TooFew(key, ..) => key,
        Guard::Alpha => "gate.alpha",
        Guard::Clearing(_) => "clearing",
        Guard::Moved(..) => "moved",
    }
}
