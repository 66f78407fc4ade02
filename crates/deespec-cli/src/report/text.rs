//! The report for a person, at a terminal or in a log: one line a rule, and below those that did not pass what to
//! do about them.

use deespec::gate::{Outcome, Report};

use super::words::{clipped, details, learns, loud, shown, tally, value_and_limit, word};
use super::{Look, place};
use crate::ui;

/// What is longer would push the other columns out of sight. Longer ids are told in full below the line.
const WIDEST: usize = 40;
const INDENT: &str = "      ";

pub(super) fn render(report: &Report, look: &Look) -> String {
    let head = vec![vec![
        format!("GATE {}", loud(report.verdict)),
        tally(report),
    ]];
    let mut text = ui::indented("", head, look.width);
    let mut about = vec![match &look.config {
        Some(_) => format!("rules: {}", shown(place::file(look))),
        None => "rules: defaults".to_owned(),
    }];
    about.extend(
        report
            .run
            .as_deref()
            .map(|run| format!("run: {}", shown(run))),
    );
    if report.history_runs > 0 || report.rules.iter().any(learns) {
        let known = ui::count(report.history_runs, "run");
        about.push(format!("history: {known}"));
    }
    let about = vec![vec![about.join(", ")]];
    text.push_str(&ui::indented("", about, look.width));
    let rows = report.rules.iter().map(|rule| {
        let [value, limit] = value_and_limit(rule).map(|text| clipped(&text, WIDEST));
        let sentence = match rule.verdict {
            Outcome::Pass => shown(&rule.sentence),
            _ => String::new(),
        };
        let id = clipped(&shown(&rule.rule), WIDEST);
        vec![word(rule).to_owned(), id, value, limit, sentence]
    });
    let header = ["VERDICT", "RULE", "VALUE", "LIMIT", ""];
    let lines = if report.rules.is_empty() {
        Vec::new()
    } else {
        ui::one_line_each(&header, &[2, 3], rows.collect(), look.width)
    };
    let mut lines = lines.into_iter();
    text.extend(lines.next().map(|header| format!("\n{header}\n")));
    for (rule, line) in report.rules.iter().zip(lines) {
        text.push_str(&line);
        text.push('\n');
        if rule.verdict == Outcome::Pass {
            continue;
        }
        let sentence = vec![vec![shown(&rule.sentence)]];
        text.push_str(&ui::indented(INDENT, sentence, look.width));
        let mut below = Vec::new();
        let id = shown(&rule.rule);
        if clipped(&id, WIDEST) != id {
            below.push(vec!["id".to_owned(), id]);
        }
        let details = details(rule, look).into_iter();
        below.extend(details.map(|(word, text)| vec![word.to_owned(), text]));
        if !below.is_empty() {
            text.push_str(&ui::indented(INDENT, below, look.width));
        }
    }
    if !report.problems.is_empty() {
        text.push_str("\nPROBLEMS\n");
        let rows = report.problems.iter().map(|problem| vec![shown(problem)]);
        text.push_str(&ui::indented("  ", rows.collect(), look.width));
    }
    text
}
