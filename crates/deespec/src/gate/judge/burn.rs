//! An error budget that is used up too fast: the multi-window burn rate of *The Site Reliability Workbook* (Beyer et
//! al. 2018, chapter 5). The long window shows that it matters, the short one that it goes on.

use super::judged::{Guard, Judged};
use crate::gate::Verdict;
use crate::gate::report::{BurnFound, Outcome};
use crate::gate::rules::{Burn, Window};

/// What happened until a time, in seconds: how many good, how many bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Happened {
    pub(super) at: f64,
    pub(super) good: f64,
    pub(super) bad: f64,
}

/// From what happened when; `now` in the same seconds. What is said to have happened later than now is left out:
/// a clock went back.
pub(super) fn judge(burn: &Burn, happened: &[Happened], now: f64) -> Judged {
    let within = |seconds: f64| {
        let inside = happened
            .iter()
            .filter(|one| one.at <= now && one.at > now - seconds);
        inside.fold((0.0, 0.0), |(good, bad), one| {
            (good + one.good, bad + one.bad)
        })
    };
    let budget = 1.0 - burn.objective;
    let rate = |(good, bad): (f64, f64)| (good + bad > 0.0).then(|| bad / (good + bad) / budget);
    let mut most = 0.0_f64;
    let mut outcome = Outcome::Pass;
    let mut worst: Option<(f64, f64)> = None;
    let mut found = Vec::new();
    for window in &burn.windows {
        let Window {
            long,
            short,
            factor,
            level,
        } = *window;
        let (long, short) = (long.as_secs_f64(), short.as_secs_f64());
        let (in_long, in_short) = (within(long), within(short));
        let total = in_long.0 + in_long.1;
        most = most.max(total);
        let (long_rate, short_rate) = (rate(in_long), rate(in_short));
        let burns = |rate: Option<f64>| rate.is_some_and(|rate| rate >= factor);
        let is_alarm = total >= burn.total as f64
            && in_long.1 >= burn.bad as f64
            && burns(long_rate)
            && burns(short_rate);
        let says = match level {
            Verdict::Fail => Outcome::Fail,
            _ => Outcome::Warn,
        };
        if is_alarm && says.severity() > outcome.severity() {
            (outcome, worst) = (says, long_rate.map(|rate| (rate, factor)));
        }
        found.push(BurnFound {
            long_seconds: long,
            short_seconds: short,
            factor,
            long: long_rate,
            short: short_rate,
            level,
        });
    }
    let fastest = found
        .iter()
        .filter_map(|window| window.long)
        .fold(None, |most: Option<f64>, rate| {
            Some(most.map_or(rate, |most| most.max(rate)))
        });
    if most < burn.total.max(1) as f64 {
        let guard = Guard::TooFew("min.total", most as u64, burn.total.max(1));
        return Judged {
            burn: found,
            n: Some(most as u64),
            ..Judged::kept(Outcome::NoData, fastest, guard)
        };
    }
    Judged {
        burn: found,
        n: Some(most as u64),
        limit: worst.map(|(_, factor)| factor),
        ..Judged::new(outcome, worst.map(|(rate, _)| rate).or(fastest))
    }
}
