//! Texts in a report: ids and sentences come from files that others wrote, so no format may take a part of them
//! for its own marks.

use deespec::gate::{Evidence, Explanation, Outcome, Report, Verdict};

use super::Look;
use super::standing::{Standing, standing};
use crate::ui::{self, count};
use crate::values;

/// A text on one line, without characters that a terminal would obey or XML cannot hold.
pub(super) fn shown(text: &str) -> String {
    let text = ui::printable(text);
    if !text.contains(['\u{fffe}', '\u{ffff}']) {
        return text;
    }
    text.replace('\u{fffe}', "\\u{fffe}")
        .replace('\u{ffff}', "\\u{ffff}")
}

/// The beginning of a text, with a mark where there is more.
pub(super) fn clipped(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(characters.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

/// A number for a text, the same for the same text: FNV-1a of 64 bits, since nobody is to be kept from making a
/// second text of the same number.
pub(super) fn hash(text: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

/// The word for a verdict as a person reads it.
pub(super) fn word(rule: &Explanation) -> &'static str {
    match rule.verdict {
        _ if standing(rule) == Standing::Muted => "muted",
        Outcome::NoData => "no data",
        verdict => verdict.as_str(),
    }
}

/// The verdict on the whole, where it stands first.
pub(crate) fn loud(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    }
}

/// Whether a rule judges by earlier runs.
pub(super) fn learns(rule: &Explanation) -> bool {
    matches!(rule.kind, "adaptive" | "shift" | "trend")
}

/// How many rules say what: `1 fail, 2 warn, 9 pass`.
pub(super) fn tally(report: &Report) -> String {
    let words = ["fail", "warn", "inconclusive", "no data", "muted", "pass"];
    let counts = words.map(|one| report.rules.iter().filter(|rule| word(rule) == one).count());
    let mut told: Vec<String> = (words.iter().zip(counts))
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    if told.is_empty() {
        told.push("no rules".to_owned());
    }
    if !report.problems.is_empty() {
        told.push(count(report.problems.len(), "problem"));
    }
    told.join(", ")
}

/// A value and its limit with their unit; empty for none. Digits are left out unless that would hide the difference.
pub(super) fn value_and_limit(rule: &Explanation) -> [String; 2] {
    let known = [rule.value, rule.limit].map(|number| number.filter(|number| !number.is_nan()));
    let unit = shown(&rule.unit);
    let short = known.map(|number| number.map(|number| values::about(number, &unit)));
    let [value, limit] = &short;
    let is_hidden = value.is_some() && value == limit && known[0] != known[1];
    let told = if is_hidden {
        let spelled = |number: f64| format!("{} {unit}", values::number(number));
        known.map(|number| number.map(|number| spelled(number).trim_end().to_owned()))
    } else {
        short
    };
    told.map(Option::unwrap_or_default)
}

/// What there is to say below the sentence, a word and a text for each.
pub(super) fn details(rule: &Explanation, look: &Look) -> Vec<(&'static str, String)> {
    let mut told: Vec<(&'static str, String)> = Vec::new();
    if let Some(muted) = &rule.muted {
        told.push(("muted", format!("until {}: {}", muted.until, muted.reason)));
    }
    if is_mapped(rule) {
        told.push(("counts as", rule.effect.to_string()));
    }
    let hidden = rule.hidden_by.clone();
    told.extend(hidden.map(|other| ("hidden by", format!("{other}, which fails for the same"))));
    told.extend(rule.guard.clone().map(|guard| ("guard", guard)));
    told.push(("evidence", evidence(rule)));
    told.push(("with it", rule.moved_together.join("; ")));
    told.extend(rule.next_step.clone().map(|next| ("next", next)));
    told.extend(rule.why.clone().map(|why| ("why", why)));
    told.extend(rule.runbook.clone().map(|runbook| ("runbook", runbook)));
    told.extend(super::place::at(rule, look).map(|at| ("at", at)));
    told.retain(|(_, text)| !text.is_empty());
    for (_, text) in &mut told {
        *text = shown(text);
    }
    told
}

/// Whether the policy makes of a verdict what one would not expect.
fn is_mapped(rule: &Explanation) -> bool {
    let expected = match rule.verdict {
        Outcome::Pass => Verdict::Pass,
        Outcome::Fail => Verdict::Fail,
        Outcome::Warn | Outcome::NoData | Outcome::Inconclusive => Verdict::Warn,
    };
    rule.muted.is_none() && rule.effect != expected
}

/// From what a rule was judged, in a few words.
fn evidence(rule: &Explanation) -> String {
    let Evidence {
        n,
        excluded,
        interval,
        p,
        p_adjusted,
        effect_percent,
        ..
    } = &rule.evidence;
    let learns = learns(rule);
    let mut told = Vec::new();
    if let Some(n) = n {
        let thing = if learns { "run" } else { "attempt" };
        told.push(count(usize::try_from(*n).unwrap_or(usize::MAX), thing));
    }
    if let Some(excluded) = excluded.filter(|excluded| *excluded > 0) {
        told.push(format!("{excluded} left out"));
    }
    if let Some((lower, upper)) = interval {
        let [lower, upper] = [lower, upper].map(|bound| values::about(*bound, &rule.unit));
        let word = if learns { "expected" } else { "likely" };
        told.push(format!("{word} {lower} to {upper}"));
    }
    if let Some(p) = p_adjusted.or(*p) {
        told.push(format!("p = {}", values::about(p, "")));
    }
    if let Some(percent) = effect_percent {
        told.push(format!("{percent:+.1} %"));
    }
    if let Some(confirm) = rule.confirm {
        told.push(format!("{} of {} runs beyond", confirm.seen, confirm.of));
    }
    if let Some(eta) = rule.eta {
        let to = values::about(eta.to, &rule.unit);
        told.push(format!("{to} in about {:.0} runs", eta.runs));
    }
    for burn in &rule.evidence.burn {
        let long = values::about(burn.long_seconds, "seconds");
        let rate = burn.long.map_or_else(
            || "nothing".to_owned(),
            |rate| format!("{} x the budget", values::about(rate, "")),
        );
        told.push(format!("{rate} in {long}"));
    }
    told.join(", ")
}
