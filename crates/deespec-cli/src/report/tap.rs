//! The Test Anything Protocol, version 14: a test point for each rule.

use deespec::gate::{Explanation, Report};

use super::Look;
use super::standing::{Standing, standing};
use super::words::{clipped, details, shown, value_and_limit, word};
use crate::ui;

/// A test point stands on one line, which has to be read.
const DESCRIPTION: usize = 500;

pub(super) fn render(report: &Report, look: &Look) -> String {
    let points = report.rules.len();
    let mut text = format!("TAP version 14\n1..{points}\n");
    text.push_str(&format!("# gate {}\n", report.verdict));
    for problem in &report.problems {
        text.push_str(&format!("# warn: {}\n", shown(problem)));
    }
    for (number, rule) in (1..).zip(&report.rules) {
        let description = escaped(&rule.rule);
        let sentence = escaped(&rule.sentence);
        match standing(rule) {
            Standing::Passed => text.push_str(&format!("ok {number} - {description}\n")),
            Standing::Warned => {
                text.push_str(&format!("ok {number} - {description}\n"));
                text.push_str(&format!("# warn: {sentence}\n"));
            }
            Standing::Skipped => {
                let reason = format!("{}: {sentence}", word(rule));
                text.push_str(&format!("ok {number} - {description} # SKIP {reason}\n"));
            }
            // A point that is known to fail, and does not count.
            Standing::Muted => {
                let reason = rule.muted.as_ref().map_or_else(String::new, |muted| {
                    escaped(&format!("muted until {}: {}", muted.until, muted.reason))
                });
                text.push_str(&format!(
                    "not ok {number} - {description} # TODO {reason}\n"
                ));
                text.push_str(&block(rule, look));
            }
            Standing::Failed => {
                text.push_str(&format!("not ok {number} - {description}\n"));
                text.push_str(&block(rule, look));
            }
        }
    }
    text
}

/// What went wrong, as YAML. Each text is a string of JSON, which is one of YAML too.
fn block(rule: &Explanation, look: &Look) -> String {
    let facts = [
        ("id", rule.rule.clone()),
        ("message", rule.sentence.clone()),
        ("severity", rule.effect.to_string()),
        ("verdict", rule.verdict.to_string()),
        ("kind", rule.kind.to_owned()),
        ("metric", rule.metric.clone()),
    ];
    let told = ["value", "limit"].into_iter().zip(value_and_limit(rule));
    let told = told.filter(|(_, text)| !text.is_empty());
    let mut block = String::from("  ---\n");
    for (key, text) in facts.into_iter().chain(told).chain(details(rule, look)) {
        let key = key.replace(' ', "_");
        block.push_str(&format!("  {key}: {}\n", quoted(&text)));
    }
    block.push_str("  ...\n");
    block
}

/// A string that YAML 1.1 and 1.2 read back: nothing in it that YAML does not allow in a document.
fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    ui::harmless(&json)
        .replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff")
}

/// A text in a test point. There `#` begins a directive; version 14 has an escape for it, which older readers do
/// not know, so it is spelled in the way of other characters that cannot be shown.
fn escaped(text: &str) -> String {
    clipped(&shown(text), DESCRIPTION)
        .replace('\\', "\\\\")
        .replace('#', "\\\\u{23}")
}
