//! How a file of rules writes shares, numbers of runs, times and days. This room knows words and numbers, and no
//! rule.

use std::time::Duration;

use super::super::RulesError;
use super::table::Value;

/// The most runs that a rule may ask for: far beyond any history, and safe to add up.
pub(super) const MOST: u64 = 1_000_000;
/// The most that a rule may ask to be counted: what a number of a file can tell exactly.
pub(super) const MOST_COUNTED: u64 = 1 << 53;

/// A share from 0 to `most`: a number, or a percentage as text.
pub(super) fn share(value: &Value<'_>, most: f64) -> Result<f64, RulesError> {
    let share = value.as_text().and_then(percent).or(value.as_number());
    share
        .filter(|share| (0.0..=most).contains(share))
        .ok_or_else(|| {
            let range = if most.is_finite() {
                format!("from 0 to {most}")
            } else {
                "of 0 or more".to_owned()
            };
            value.must_be(format!("a share {range}, as 0.05 or \"5%\""))
        })
}

/// A share that is neither none nor all.
pub(super) fn inner_share(value: &Value<'_>) -> Result<f64, RulesError> {
    let share = value.as_text().and_then(percent).or(value.as_number());
    share
        .filter(|share| 0.0 < *share && *share < 1.0)
        .ok_or_else(|| value.must_be("a share between 0 and 1, as 0.95 or \"95%\""))
}

pub(super) fn probability(value: &Value<'_>) -> Result<f64, RulesError> {
    value
        .as_number()
        .filter(|p| 0.0 < *p && *p < 1.0)
        .ok_or_else(|| value.must_be("a probability between 0 and 1, as 0.01"))
}

/// A change from run to run, as a share: `"5%/run"` or 0.05.
pub(super) fn slope(value: &Value<'_>) -> Result<f64, RulesError> {
    let text = value.as_text();
    let share = text.and_then(|text| percent(text.strip_suffix("/run")?));
    share
        .or(value.as_number())
        .filter(|slope| 0.0 <= *slope)
        .ok_or_else(|| value.must_be("a share a run of 0 or more, as \"5%/run\" or 0.05"))
}

/// A number of runs, `"14 runs"` or 14.
pub(super) fn runs(value: &Value<'_>, least: u64) -> Result<u64, RulesError> {
    let text = value.as_text();
    let written = text.and_then(|text| {
        let digits = text
            .strip_suffix(" runs")
            .or_else(|| text.strip_suffix(" run"))?;
        digits_only(digits)?.parse().ok()
    });
    written
        .or(value.count(least, MOST).ok())
        .filter(|runs| (least..=MOST).contains(runs))
        .ok_or_else(|| {
            value.must_be(format!(
                "a number of runs from {least} to {MOST}, as \"14 runs\" or 14"
            ))
        })
}

/// A time of one unit, as `"90s"`, `"5m"`, `"1h"`, `"3d"` or `"1w"`.
pub(super) fn time(value: &Value<'_>) -> Result<Duration, RulesError> {
    let seconds = value.as_text().and_then(|text| {
        let unit = text.chars().next_back()?;
        let unit_seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            'w' => 7 * 24 * 60 * 60,
            _ => return None,
        };
        let digits = digits_only(text.strip_suffix(unit)?)?;
        digits.parse::<u64>().ok()?.checked_mul(unit_seconds)
    });
    // Ten years: further back no counts are kept, and the end of time is not in sight.
    const LONGEST: u64 = 10 * 366 * 24 * 60 * 60;
    seconds
        .filter(|seconds| (1..=LONGEST).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| {
            value.must_be(
                "a time of up to ten years in one unit, as \"90s\", \"5m\", \"1h\", \"3d\" or \"1w\"",
            )
        })
}

/// A day of the calendar, as `2026-12-31`.
pub(super) fn day(value: &Value<'_>) -> Result<String, RulesError> {
    let text = value.date_text().filter(|text| {
        let is_written_so = text.len() == 10
            && text.bytes().enumerate().all(|(place, byte)| match place {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        is_written_so && text.parse::<jiff::civil::Date>().is_ok()
    });
    text.ok_or_else(|| value.must_be("a day as \"2026-12-31\""))
}

fn percent(text: &str) -> Option<f64> {
    let number = text.strip_suffix('%')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    digits_only(whole)?;
    digits_only(fraction)?;
    // Dividing by 100 would round a second time.
    format!("{number}e-2").parse().ok()
}

/// The text where it is digits, and not too many of them.
fn digits_only(text: &str) -> Option<&str> {
    let is_number =
        (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(text)
}
