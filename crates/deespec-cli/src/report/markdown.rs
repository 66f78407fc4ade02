//! Markdown, for the summary of a job or a comment: a table with a line of blocks for each rule, and below it what
//! to do about those that did not pass.

use deespec::gate::{Explanation, Outcome, Report};

use super::Look;
use super::place;
use super::sparkline::sparkline;
use super::words::{clipped, details, shown, tally, value_and_limit, word};

/// The most characters of a text in the table, and below it. Whoever wants more reads the JSON.
const CELL: usize = 300;
const TEXT: usize = 2000;

pub(super) fn render(report: &Report, look: &Look) -> String {
    within(report, look, usize::MAX)
}

/// As much of the report as these bytes can hold, up to the end of a rule; a line says what is missing.
pub(super) fn within(report: &Report, look: &Look, bytes: usize) -> String {
    let mut text = format!("## Gate: {}\n\n{}.", report.verdict, tally(report));
    if look.config.is_some() {
        let file = escaped(place::file(look), CELL);
        text.push_str(&format!(" The rules are those of {file}."));
    }
    if let Some(run) = &report.run {
        text.push_str(&format!(" The run is {}.", escaped(run, CELL)));
    }
    text.push('\n');
    if !report.rules.is_empty() {
        text.push_str(
            "\n| Verdict | Rule | Value | Limit | Recent | |\n|---|---|--:|--:|---|---|\n",
        );
    }
    let rows = report.rules.iter().map(row);
    let missing = fill(&mut text, bytes, rows);
    if missing > 0 {
        cut(&mut text, missing);
        return text;
    }
    let problems = report.problems.iter().enumerate().map(|(index, problem)| {
        let title = if index == 0 { "\n### Problems\n\n" } else { "" };
        format!("{title}- {}\n", escaped(problem, TEXT))
    });
    let rules = report.rules.iter();
    let rules = rules.filter(|rule| rule.verdict != Outcome::Pass);
    let below = problems.chain(rules.map(|rule| section(rule, look)));
    let missing = fill(&mut text, bytes, below);
    if missing > 0 {
        cut(&mut text, missing);
    }
    text
}

/// Room for the line that says what is missing.
const CUT: usize = 200;

/// Adds parts while there is room, and tells how many there was none for.
fn fill(text: &mut String, bytes: usize, parts: impl Iterator<Item = String>) -> usize {
    let mut missing = 0;
    for part in parts {
        if missing > 0 || text.len().saturating_add(part.len()).saturating_add(CUT) > bytes {
            missing += 1;
        } else {
            text.push_str(&part);
        }
    }
    missing
}

fn cut(text: &mut String, missing: usize) {
    text.push_str(&format!(
        "\n**This is cut here: {missing} more would be too long.** `--report json=FILE` has everything.\n"
    ));
}

fn row(rule: &Explanation) -> String {
    let [value, limit] = value_and_limit(rule).map(|text| escaped(&text, CELL));
    let word = match rule.verdict {
        Outcome::Pass => word(rule).to_owned(),
        _ => format!("**{}**", word(rule)),
    };
    format!(
        "| {word} | {} | {value} | {limit} | {} | {} |\n",
        escaped(&rule.rule, CELL),
        sparkline(&rule.recent),
        escaped(&rule.sentence, CELL),
    )
}

fn section(rule: &Explanation, look: &Look) -> String {
    let id = escaped(&rule.rule, CELL);
    let sentence = escaped(&rule.sentence, TEXT);
    let mut text = format!("\n### {}: {id}\n\n{sentence}\n\n", word(rule));
    for (word, told) in details(rule, look) {
        text.push_str(&format!("- {word}: {}\n", escaped(&told, TEXT)));
    }
    text
}

/// A text that is text only, in every dialect: what could begin a mark of Markdown or HTML is spelled as a
/// character reference, which never does. An underscore within a word begins nothing and can stay.
fn escaped(text: &str, characters: usize) -> String {
    let text = clipped(&shown(text), characters);
    let mut safe = String::with_capacity(text.len() + 16);
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_inner = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_mark = match c {
            '_' => !(is_inner(before) && is_inner(chars.peek().copied())),
            // The mark of a list or of a heading, which only begins a text.
            '-' | '+' | '=' => before.is_none(),
            // A number with a dot begins a list.
            '.' | ')' => {
                text.starts_with(|c: char| c.is_ascii_digit())
                    && before.is_some_and(|c| c.is_ascii_digit())
                    && chars.peek() == Some(&' ')
            }
            _ => matches!(
                c,
                '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '$' | '#' | '<' | '>' | '&' | '@' | '!'
            ),
        };
        if is_mark {
            safe.push_str(&format!("&#{};", u32::from(c)));
        } else {
            safe.push(c);
        }
        before = Some(c);
    }
    safe
}
