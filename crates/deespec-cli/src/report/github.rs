//! Commands to the runner of GitHub Actions, which shows them as annotations at the rule's line, and the summary
//! of the step.
//!
//! GitHub shows at most ten errors and ten warnings of a step and drops the rest without a word. So the worst nine
//! are printed, and then how many more there are.

use deespec::gate::{Explanation, Report, Verdict};

use super::standing::worst_first;
use super::words::{clipped, loud, shown, tally};
use super::{Look, markdown, place};

/// Annotations of a level, of which the last says how many more there are.
const SHOWN: usize = 10;
/// The longest title that GitHub takes has 255 characters, the longest message 4,096 bytes.
const TITLE: usize = 200;
const MESSAGE: usize = 900;
/// What a step may write to its summary; more and GitHub drops all of it.
pub(super) const SUMMARY: usize = 1 << 20;

pub(super) fn render(report: &Report, look: &Look) -> String {
    // Our own words only: a runner looks for commands in the middle of a line, too.
    let mut text = format!("GATE {}  {}\n", loud(report.verdict), tally(report));
    let counted = worst_first(&report.rules);
    for (level, effect) in [("error", Verdict::Fail), ("warning", Verdict::Warn)] {
        let rules = counted.iter().filter(|rule| rule.effect == effect);
        let mut all: Vec<String> = rules.map(|rule| of_rule(level, rule, look)).collect();
        if effect == Verdict::Warn {
            all.extend(report.problems.iter().map(|problem| of_problem(problem)));
        }
        let more = if all.len() > SHOWN {
            all.len() - (SHOWN - 1)
        } else {
            0
        };
        text.extend(all.drain(..all.len() - more));
        if more > 0 {
            let place = if look.has_summary {
                "the summary of this job has them all"
            } else {
                "`deespec doctor --format text` shows them all"
            };
            let message = format!("and {more} more; {place}");
            text.push_str(&command(level, &[("title", "deespec gate")], &message));
        }
    }
    text
}

/// What is added to the summary of a step that has written so many bytes already.
pub(super) fn summary(report: &Report, look: &Look, written: usize) -> String {
    markdown::within(report, look, SUMMARY.saturating_sub(written))
}

fn of_rule(level: &str, rule: &Explanation, look: &Look) -> String {
    let mut message = clipped(&shown(&rule.sentence), MESSAGE);
    if let Some(next) = &rule.next_step {
        message.push('\n');
        message.push_str(&clipped(&shown(next), MESSAGE));
    }
    let line = place::line(rule).to_string();
    let title = clipped(&shown(&rule.rule), TITLE);
    let place = [
        ("file", place::file(look)),
        ("line", &line),
        ("title", &title),
    ];
    command(
        level,
        &place[if look.config.is_some() { 0 } else { 2 }..],
        &message,
    )
}

fn of_problem(problem: &str) -> String {
    let message = clipped(&shown(problem), MESSAGE);
    command("warning", &[("title", "deespec store")], &message)
}

fn command(level: &str, properties: &[(&str, &str)], message: &str) -> String {
    let properties: Vec<String> = (properties.iter())
        .map(|(name, value)| format!("{name}={}", property(value)))
        .collect();
    format!("::{level} {}::{}\n", properties.join(","), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
