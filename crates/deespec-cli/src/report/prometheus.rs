//! Samples for Prometheus, as the textfile collector and a push gateway take them.
//!
//! What a rule says is a set of states, of which one is 1, as `kube_pod_status_phase` has it: an alert names the
//! state that it wants, and none has to know numbers. What is not known has no sample: NaN would be compared with.

use deespec::gate::{Explanation, Outcome, Report, Verdict};

use crate::values::number;

const OUTCOMES: [Outcome; 5] = [
    Outcome::Pass,
    Outcome::Warn,
    Outcome::Fail,
    Outcome::NoData,
    Outcome::Inconclusive,
];

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    let name = "deespec_gate_status";
    head(
        &mut text,
        name,
        "What the gate says; 1 for the verdict that holds.",
    );
    for verdict in [Verdict::Pass, Verdict::Warn, Verdict::Fail] {
        let holds = u8::from(verdict == report.verdict);
        text.push_str(&format!("{name}{{verdict=\"{verdict}\"}} {holds}\n"));
    }
    if report.rules.is_empty() {
        return text;
    }
    let name = "deespec_gate_verdict";
    head(
        &mut text,
        name,
        "What a rule of the gate says; 1 for the verdict that holds.",
    );
    for rule in &report.rules {
        for outcome in OUTCOMES {
            let holds = u8::from(outcome == rule.verdict);
            text.push_str(&format!(
                "{name}{{{},verdict=\"{outcome}\"}} {holds}\n",
                labels(rule)
            ));
        }
    }
    let name = "deespec_gate_effect";
    head(
        &mut text,
        name,
        "What the verdict of a rule counts as; 1 for what holds.",
    );
    for rule in &report.rules {
        for effect in [Verdict::Pass, Verdict::Warn, Verdict::Fail] {
            let holds = u8::from(effect == rule.effect);
            text.push_str(&format!(
                "{name}{{{},effect=\"{effect}\"}} {holds}\n",
                labels(rule)
            ));
        }
    }
    samples(
        &mut text,
        report,
        "value",
        "The value that a rule judged, in its unit.",
        |rule| rule.value,
    );
    samples(
        &mut text,
        report,
        "limit",
        "What the value was held against, in its unit.",
        |rule| rule.limit,
    );
    // A count, which a floating-point number holds up to 2^53.
    samples(
        &mut text,
        report,
        "samples",
        "From how many runs or attempts a rule judged.",
        |rule| rule.evidence.n.map(|n| n as f64),
    );
    text
}

fn head(text: &mut String, name: &str, help: &str) {
    text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
}

fn samples(
    text: &mut String,
    report: &Report,
    what: &str,
    help: &str,
    of: impl Fn(&Explanation) -> Option<f64>,
) {
    let name = format!("deespec_gate_{what}");
    let known = report.rules.iter().filter_map(|rule| {
        let value = of(rule).filter(|value| !value.is_nan())?;
        Some((rule, value))
    });
    let known: Vec<_> = known.collect();
    if !known.is_empty() {
        head(text, &name, help);
    }
    for (rule, value) in known {
        text.push_str(&format!("{name}{{{}}} {}\n", labels(rule), number(value)));
    }
}

fn labels(rule: &Explanation) -> String {
    format!("rule=\"{}\",kind=\"{}\"", escaped(&rule.rule), rule.kind)
}

/// The value of a label, which may have any character but these.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
