//! `deespec gate explain`: everything that is known of one rule now.

use clap::Args;
use deespec::gate::Explanation;

use super::configuration::Given;
use super::judging::Present;
use crate::args::{Cli, Json};
use crate::command::doctor::{self, Examination};
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{Ui, indented, printable};
use crate::values;

const AFTER_HELP: &str = "\
Examples:
  deespec gate explain success-rate
  deespec gate explain build-time --json

It judges the store as `deespec doctor --check-thresholds` does, and tells of
one rule what it was judged from: the runs before, what is normal, how likely as
much is by chance, what kept it from judging, and what to do now. Give it the
--branch and --host-class that the runs were recorded with.

Exit codes: 0 done, whatever the rule says; 3 it could not be judged.";

/// Explain what a rule says now, and why
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Explain {
    /// The rule's id
    rule: String,

    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    present: Present,

    #[command(flatten)]
    json: Json,
}

impl Explain {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        // Before the store is touched: a gate without its configuration judges nothing.
        let in_force = self.given.in_force(cli)?;
        let store = location::open(cli, ui, "gate explain")?;
        let examined = Examination::of(&store)?;
        let judged = doctor::judge(&in_force, &store, &examined, &self.present)?;
        let report = judged.report();
        let Some(found) = report.rules.iter().find(|rule| rule.rule == self.rule) else {
            let ids: Vec<&str> = report.rules.iter().map(|rule| rule.rule.as_str()).collect();
            let hint = match ids.is_empty() {
                true => "there are no rules".to_owned(),
                false => format!("the rules are {}", ids.join(", ")),
            };
            return Err(Failure::new(format!("there is no rule {:?}", self.rule)).hint(hint));
        };
        if self.json.json {
            ui.json(found)?;
            return Ok(Code::Done);
        }
        ui.print(&to_text(found, ui.width()));
        Ok(Code::Done)
    }
}

/// The sentence first; then what it was judged from, a line each, and within the width of a terminal.
fn to_text(found: &Explanation, width: Option<usize>) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let evidence = &found.evidence;
    let mut verdict = found.verdict.to_string();
    if found.effect.to_string() != verdict {
        verdict += &format!(", which counts as {}", found.effect);
    }
    rows.push(("verdict", verdict));
    rows.push(("metric", found.metric.clone()));
    let unit = match found.unit.as_str() {
        "" => String::new(),
        "ratio" => " %".to_owned(),
        unit => format!(" {unit}"),
    };
    let scale = if found.unit == "ratio" { 100.0 } else { 1.0 };
    let number = |value: f64| format!("{}{unit}", few(scale * value));
    let mut add = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    add("value", found.value.map(number));
    add("limit", found.limit.map(number));
    add("margin", found.margin.map(number));
    add("judged from", evidence.n.map(|n| n.to_string()));
    add(
        "normal",
        evidence.baseline.as_ref().map(|normal| {
            let since = match normal.since.as_str() {
                "" => String::new(),
                since => format!(", since run {since}"),
            };
            let spread = few(100.0 * normal.spread);
            format!(
                "{}, give or take {spread} % ({}){since}",
                number(normal.centre),
                normal.model
            )
        }),
    );
    add(
        "interval",
        evidence
            .interval
            .map(|(low, high)| format!("{} to {}", number(low), number(high))),
    );
    add("p", evidence.p.map(few));
    add("p, of all rules", evidence.p_adjusted.map(few));
    add(
        "effect",
        evidence
            .effect_percent
            .map(|effect| format!("{effect:+.1} %")),
    );
    add(
        "correlation",
        evidence.lag_one.map(|r| format!("{r:.2} from run to run")),
    );
    add(
        "slope",
        evidence
            .slope
            .map(|slope| format!("{} a run", number(slope))),
    );
    add(
        "level moved",
        evidence.change.as_ref().map(|change| {
            format!(
                "from {} ({} runs) to {} ({} runs) at run {}",
                number(change.before.mean),
                change.before.n,
                number(change.after.mean),
                change.after.n,
                change.run
            )
        }),
    );
    add(
        "confirmed",
        found.confirm.map(|confirm| {
            format!(
                "{} of the last {} runs, {} are needed",
                confirm.seen, confirm.of, confirm.k
            )
        }),
    );
    for burn in &evidence.burn {
        let rate = |rate: Option<f64>| rate.map_or("nothing".to_owned(), few);
        add(
            "burn rate",
            Some(format!(
                "{} in {} s, {} in {} s; {} is the limit",
                rate(burn.long),
                few(burn.long_seconds),
                rate(burn.short),
                few(burn.short_seconds),
                few(burn.factor)
            )),
        );
    }
    add("kept by", found.guard.clone());
    add(
        "hidden by",
        found
            .hidden_by
            .as_ref()
            .map(|rule| format!("{rule}, which fails")),
    );
    let together = found.moved_together.join(", ");
    add(
        "moved together",
        Some(together).filter(|text| !text.is_empty()),
    );
    add(
        "muted",
        found
            .muted
            .as_ref()
            .map(|muted| format!("until {}: {}", muted.until, muted.reason)),
    );
    add("why", found.why.clone());
    add("runbook", found.runbook.clone());
    add("next step", found.next_step.clone());
    add("rule", found.config_at.clone());
    add("fingerprint", Some(found.fingerprint.clone()));
    let rows = rows
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), printable(&value)]);
    let sentence = indented("", vec![vec![printable(&found.sentence)]], width);
    format!("{sentence}\n{}", indented("", rows.collect(), width))
}

/// Six digits that matter: what is compared by eye needs no more.
fn few(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    values::number(rounded)
}
