//! JUnit's XML, which Jenkins, GitLab and most other services show as tests: a test case for each rule.

use deespec::gate::Report;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::Look;
use super::standing::{Standing, standing};
use super::words::{details, shown, value_and_limit, word};
use crate::exit::Failure;

/// What both the report and its only suite are called.
const NAME: &str = "deespec gate";

pub(super) fn render(report: &Report, look: &Look) -> Result<String, Failure> {
    let mut suite = TestSuite::new(NAME);
    let run = report.run.as_deref().map(|run| ("run", run));
    let at = report.checked_at.as_deref().map(|at| ("checked_at", at));
    let config = look.config.as_deref().map(|config| ("config", config));
    for (name, value) in [run, at, config].into_iter().flatten() {
        suite.add_property((name, shown(value).as_str()));
    }
    for rule in &report.rules {
        let sentence = shown(&rule.sentence);
        let facts: Vec<String> = ["value", "limit"]
            .into_iter()
            .zip(value_and_limit(rule))
            .filter(|(_, text)| !text.is_empty())
            .chain(details(rule, look))
            .map(|(word, text)| format!("{word}: {text}"))
            .collect();
        let facts = facts.join("\n");
        let mut out = None;
        let status = match standing(rule) {
            Standing::Passed => TestCaseStatus::success(),
            Standing::Warned => {
                out = Some(format!("warn: {sentence}\n{facts}"));
                TestCaseStatus::success()
            }
            Standing::Failed => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_type(word(rule));
                status.set_message(&sentence);
                status.set_description(format!("{sentence}\n{facts}"));
                status
            }
            Standing::Skipped | Standing::Muted => {
                let mut status = TestCaseStatus::skipped();
                status.set_type(word(rule));
                status.set_message(format!("{}: {sentence}", word(rule)));
                status
            }
        };
        let mut case = TestCase::new(shown(&rule.rule), status);
        case.set_classname(rule.kind);
        if let Some(out) = out {
            case.set_system_out(out);
        }
        suite.add_test_case(case);
    }
    suite.add_test_cases(store(report));
    let mut junit = quick_junit::Report::new(NAME);
    junit.add_test_suite(suite);
    junit
        .to_string()
        .map_err(|error| Failure::new(format!("cannot write the report as JUnit: {error}")))
}

/// What is wrong with the store, as a test case that warns.
fn store(report: &Report) -> Option<TestCase> {
    let problems: Vec<String> = report.problems.iter().map(|text| shown(text)).collect();
    if problems.is_empty() {
        return None;
    }
    let mut case = TestCase::new("problems", TestCaseStatus::success());
    case.set_classname("store");
    case.set_system_out(format!("warn: {}", problems.join("\nwarn: ")));
    Some(case)
}
