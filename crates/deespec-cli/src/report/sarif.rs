//! SARIF 2.1.0, which GitHub shows among the alerts of code scanning. Each result stands at its rule's line:
//! GitHub refuses a whole file for one result without a place.
//!
//! Own structures: `docs/design/0046-reports-by-libraries-where-they-are-light.md` says why.

use deespec::gate::{Explanation, Outcome, Report, Verdict};
use serde::Serialize;

use super::standing::worst_first;
use super::words::{clipped, hash, shown};
use super::{Look, place};
use crate::exit::Failure;
use crate::ui;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The longest description of a rule that GitHub takes.
const DESCRIPTION: usize = 1000;
const MESSAGE: usize = 4000;

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
struct Run<'a> {
    tool: Tool,
    invocations: [Invocation; 1],
    results: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    short_description: Text,
    full_description: Text,
    help: Text,
    /// A link; only what is a URI for sure.
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    /// What is wrong with the store has no place in a file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding<'a> {
    rule_id: String,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location<'a>; 1],
    partial_fingerprints: Fingerprints<'a>,
    properties: Properties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: Physical<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical<'a> {
    artifact_location: Artifact<'a>,
    region: Region,
}

#[derive(Serialize)]
struct Artifact<'a> {
    uri: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Fingerprints<'a> {
    #[serde(rename = "deespecIncident/v1")]
    incident: &'a str,
    /// The only one that GitHub looks at; without it GitHub takes a hash of the lines in the file.
    #[serde(rename = "primaryLocationLineHash")]
    github: &'a str,
}

/// What there is of the explanation that is a number or a word.
#[derive(Serialize)]
struct Properties<'a> {
    verdict: Outcome,
    kind: &'a str,
    metric: String,
    value: Option<f64>,
    limit: Option<f64>,
    unit: String,
}

pub(super) fn render(report: &Report, look: &Look) -> Result<String, Failure> {
    let uri = place::uri(place::file(look));
    let of = |rule: &Explanation| {
        report
            .rules
            .iter()
            .position(|other| std::ptr::eq(rule, other))
    };
    let results = worst_first(&report.rules).into_iter().map(|rule| Finding {
        rule_id: id(rule),
        rule_index: of(rule).unwrap_or_default(),
        level: level(rule),
        message: text(message(rule), MESSAGE),
        locations: [Location {
            physical_location: Physical {
                artifact_location: Artifact { uri: &uri },
                region: Region {
                    start_line: place::line(rule),
                },
            },
        }],
        partial_fingerprints: Fingerprints {
            incident: &rule.fingerprint,
            github: &rule.fingerprint,
        },
        properties: Properties {
            verdict: rule.verdict,
            kind: rule.kind,
            metric: shown(&rule.metric),
            value: rule.value,
            limit: rule.limit,
            unit: shown(&rule.unit),
        },
    });
    let notifications = report.problems.iter().map(|problem| Notification {
        level: "warning",
        message: text(shown(problem), MESSAGE),
    });
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "deespec",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: report.rules.iter().map(rule).collect(),
                },
            },
            invocations: [Invocation {
                execution_successful: true,
                tool_execution_notifications: notifications.collect(),
            }],
            results: results.collect(),
        }],
    };
    ui::pretty(&log)
}

fn text(text: String, characters: usize) -> Text {
    Text {
        text: clipped(&text, characters),
    }
}

/// GitHub takes 255 characters. Ids differ, and so they do where they are cut.
fn id(rule: &Explanation) -> String {
    let whole = shown(&rule.rule);
    match clipped(&whole, 230) {
        cut if cut == whole => whole,
        cut => format!("{cut}{}", hash(&whole)),
    }
}

fn level(rule: &Explanation) -> &'static str {
    match (rule.effect, rule.verdict) {
        (Verdict::Fail, _) => "error",
        (_, Outcome::NoData | Outcome::Inconclusive) => "note",
        _ => "warning",
    }
}

fn message(rule: &Explanation) -> String {
    let sentence = shown(&rule.sentence);
    match &rule.next_step {
        Some(next) => format!("{sentence}\n{}", shown(next)),
        None => sentence,
    }
}

fn rule(rule: &Explanation) -> Rule {
    let what = format!("{} ({})", shown(&rule.metric), rule.kind);
    let why = rule.why.as_deref().map_or_else(|| what.clone(), shown);
    let runbook = rule.runbook.as_deref().map(shown);
    let help = match &runbook {
        Some(runbook) => format!("{why}\n{runbook}"),
        None => why.clone(),
    };
    let is_plain = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    let is_address = |text: &String| {
        let rest = text.strip_prefix("https://");
        let rest = rest.or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_plain))
    };
    Rule {
        id: id(rule),
        short_description: text(what, DESCRIPTION),
        full_description: text(why, DESCRIPTION),
        help: text(help, MESSAGE),
        help_uri: runbook.filter(is_address),
    }
}
