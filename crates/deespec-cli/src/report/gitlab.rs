//! The code quality report of GitLab: a JSON array with an entry for each rule that counts.

use deespec::gate::{Outcome, Report, Verdict};
use serde::Serialize;

use super::standing::worst_first;
use super::words::{clipped, hash, shown};
use super::{Look, place};
use crate::exit::Failure;
use crate::ui;

/// More is more than a merge request shows.
const DESCRIPTION: usize = 2000;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: String,
    /// GitLab compares it with the one on the target branch: the same incident is not new again.
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
}

pub(super) fn render(report: &Report, look: &Look) -> Result<String, Failure> {
    let location = |begin| Location {
        path: place::file(look),
        lines: Lines { begin },
    };
    let rules = worst_first(&report.rules).into_iter().map(|rule| Issue {
        description: clipped(&shown(&rule.sentence), DESCRIPTION),
        check_name: shown(&rule.rule),
        fingerprint: rule.fingerprint.clone(),
        severity: match (rule.effect, rule.verdict) {
            (Verdict::Fail, _) => "critical",
            (_, Outcome::NoData | Outcome::Inconclusive) => "minor",
            _ => "major",
        },
        location: location(place::line(rule)),
    });
    let problems = report.problems.iter().map(|problem| Issue {
        description: clipped(&shown(problem), DESCRIPTION),
        check_name: "deespec-store".to_owned(),
        fingerprint: hash(problem),
        severity: "major",
        location: location(1),
    });
    ui::pretty(&rules.chain(problems).collect::<Vec<_>>())
}
