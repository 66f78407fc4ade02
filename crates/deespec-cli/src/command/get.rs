//! `deespec get`: one value, for a script.

use std::collections::BTreeMap;

use clap::Args;
use deespec::gate::{Part, Term};
use deespec::{Sample, TRANSACTIONS, Value, View};

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::location;
use crate::series::Labels;
use crate::ui::Ui;
use crate::values;

const AFTER_HELP: &str = "\
Example:
  deespec get jobs_total -l job=backup
  deespec get jobs_total --sum --total
  deespec get run_seconds.p99 -l job=tests
  if [ \"$(deespec get retries_total --default 0)\" -gt 3 ]; then …; fi

A name is what rules call it: `.count`, `.sum`, `.mean` and `.p99`, or another
quantile, are parts of a histogram. It prints the number alone, whole for a
counter. A gauge is what it is now. No such series is exit code 3.";

/// Print the value of one series
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Get {
    /// The metric's name; of a histogram with the part that is meant
    name: String,

    #[command(flatten)]
    labels: Labels,

    /// What was counted in all epochs, not in this one alone
    #[arg(long)]
    total: bool,

    /// All series of that name that have these labels together: counters and
    /// gauges are added, histograms merged
    #[arg(long)]
    sum: bool,

    /// What to print where there is no such series, or no store yet
    #[arg(long, value_name = "N", value_parser = parse_number, allow_hyphen_values = true)]
    default: Option<String>,
}

/// A number, kept as it is spelled.
fn parse_number(text: &str) -> Result<String, String> {
    match text.parse::<f64>() {
        Ok(number) if !number.is_nan() => Ok(text.to_owned()),
        _ => Err("the default is a number".to_owned()),
    }
}

impl Get {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let term = Term::parse(&self.name).map_err(Failure::new)?;
        let wanted = self.wanted(&term)?;
        let place = location::place(cli)?;
        if let Some(default) = &self.default
            && location::is_missing(&place.path)
        {
            ui.line(default);
            return Ok(Code::Done);
        }
        let view = place.open(ui, &location::options("get"))?.view()?;
        for skipped in &view.skipped {
            ui.warn(
                "A part of the store was skipped",
                vec![("reason", skipped.clone())],
            );
        }
        let (found, others): (Vec<&Sample>, Vec<&Sample>) = view
            .samples()
            .filter(|sample| sample.name == term.name)
            .partition(|sample| self.is_meant(sample, &wanted));
        let value = match found.as_slice() {
            [] => None,
            found => self.value(&term, found, &view)?,
        };
        match value.as_ref().or(self.default.as_ref()) {
            Some(value) => ui.line(value),
            None => return Err(nothing(&term, &wanted, &found, &others)),
        }
        Ok(Code::Done)
    }

    /// The labels that are asked for, in the name or beside it.
    fn wanted(&self, term: &Term) -> Result<BTreeMap<String, String>, Failure> {
        let mut wanted = term.labels.clone();
        for (key, value) in self.labels.of(&term.name)? {
            let other = wanted.insert(key.to_owned(), value.to_owned());
            if other.is_some_and(|other| other != value) {
                return Err(Failure::new(format!("the label {key} is asked for twice")));
            }
        }
        if term.rate && self.total {
            let message = "a rate is that of the current epoch: it cannot be had of all of them";
            return Err(Failure::new(message).hint("leave out --total"));
        }
        Ok(wanted)
    }

    fn is_meant(&self, sample: &Sample, wanted: &BTreeMap<String, String>) -> bool {
        let has = |(key, value): (&String, &String)| {
            sample.labels.get(key).is_some_and(|found| found == value)
        };
        wanted.iter().all(has) && (self.sum || sample.labels.len() == wanted.len())
    }

    /// What the series are worth together; `None` where nothing was observed, or no process has a share.
    fn value(
        &self,
        term: &Term,
        found: &[&Sample],
        view: &View,
    ) -> Result<Option<String>, Failure> {
        let of = |sample: &Sample| match self.total {
            true => sample.total.clone(),
            false => sample.value.clone(),
        };
        let values: Vec<Value> = found.iter().map(|sample| of(sample)).collect();
        let is_observed = values
            .iter()
            .any(|value| value.histogram().is_some() || value.summary().is_some());
        if is_observed && term.part == Part::Value {
            let name = &term.name;
            let kind = values.first().map_or("", |value| value.kind().as_str());
            let message = format!("{name} is a {kind}, of which no single number is the value");
            let hint = format!(
                "ask for {name}.count, {name}.sum or {name}.mean, and of a histogram for {name}.p99"
            );
            return Err(Failure::new(message).hint(hint));
        }
        if !is_observed && term.part != Part::Value {
            let message = format!("{} is one number and has no such part", term.name);
            return Err(Failure::new(message));
        }
        let counts: Option<Vec<u64>> = values.iter().map(Value::counter).collect();
        match counts {
            // Beyond 2^53 not every count is a floating-point number.
            Some(counts) if !term.rate => {
                let sum: u128 = counts.into_iter().map(u128::from).sum();
                Ok(Some(sum.to_string()))
            }
            _ => Ok(measured(term, found, values, view).map(values::number)),
        }
    }
}

/// As a rule measures it.
fn measured(term: &Term, found: &[&Sample], values: Vec<Value>, view: &View) -> Option<f64> {
    if TRANSACTIONS.contains(&&*term.name) {
        return term.measure(view);
    }
    let mut only = view.clone();
    only.series = found.iter().map(|sample| (*sample).clone()).collect();
    for (sample, value) in only.series.iter_mut().zip(values) {
        sample.value = value;
    }
    term.measure(&only)
}

/// That there is nothing to print, and what is nearest to it.
fn nothing(
    term: &Term,
    wanted: &BTreeMap<String, String>,
    found: &[&Sample],
    others: &[&Sample],
) -> Failure {
    let labels = wanted.iter().map(|(key, value)| format!("{key}={value:?}"));
    let labels = labels.collect::<Vec<_>>().join(",");
    let series = match labels.is_empty() {
        true => term.name.clone(),
        false => format!("{}{{{labels}}}", term.name),
    };
    if !found.is_empty() {
        return Failure::new(format!("{series} has no value yet"))
            .hint("--default N prints N instead");
    }
    let failure = Failure::new(format!("there is no series {series}"));
    match others.len() {
        0 => failure.hint("`deespec show` lists what there is; --default N prints N instead"),
        many => {
            let have = if many == 1 { "has" } else { "have" };
            let hint = format!(
                "{many} series {have} that name with other labels: name them with -l, or add them up with --sum"
            );
            failure.hint(hint)
        }
    }
}
