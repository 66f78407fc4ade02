//! `deespec inc`: count.

use clap::Args;
use deespec::{Family, Shape};

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::location;
use crate::parse;
use crate::series::Labels;
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Example:
  deespec inc commit_success
  deespec inc jobs_total --by 3 -l job=backup -l outcome=failure
  deespec inc cpu_seconds_total --by 0.25

Names match [a-zA-Z_:][a-zA-Z0-9_:]*, label names [a-zA-Z_][a-zA-Z0-9_]*; label
values are any text. Each set of labels is a counter of its own. Four counters
are built in and judged by the gate: commit_success, commit_failed,
cas_conflicts, recovery_count.";

/// Count: add 1, or more, to a counter, which is made on first use
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Inc {
    /// The counter's name
    name: String,

    /// How much; 0 only makes the counter, and a number with a point, such as 0.5,
    /// makes one that counts fractions
    #[arg(long, default_value = "1", value_name = "N", value_parser = parse_amount)]
    #[arg(allow_hyphen_values = true)]
    by: Amount,

    #[command(flatten)]
    labels: Labels,

    /// Return only when the count is on the disk
    #[arg(long)]
    sync: bool,
}

/// What is added.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Amount {
    Whole(u64),
    Fraction(f64),
}

pub(crate) fn parse_amount(text: &str) -> Result<Amount, String> {
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = text.parse().ok().filter(|_| is_whole);
    let whole = whole.filter(|count| deespec::check_count(*count).is_ok());
    let fraction = || parse::number(text).ok().filter(|_| !is_whole);
    let lawful = |amount: &f64| (0.0..=deespec::COUNT_MAX as f64).contains(amount);
    whole
        .map(Amount::Whole)
        .or_else(|| fraction().filter(lawful).map(Amount::Fraction))
        .ok_or_else(|| {
            let most = deespec::COUNT_MAX;
            format!("a count is a number from 0 to {most}, 2^53, whole or with a point")
        })
}

impl Inc {
    /// As clap would have read it.
    pub(crate) fn plain(name: String, by: Amount, labels: Labels, sync: bool) -> Self {
        Self {
            name,
            by,
            labels,
            sync,
        }
    }

    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let labels = self.labels.written(&self.name)?;
        let store = location::open_or_make(cli, ui, "inc")?;
        let family = store.family(&self.name);
        // A whole number is one, whichever of the two counts it.
        let amount = match (self.by, family.as_ref().map(Family::shape)) {
            (Amount::Whole(count), Some(Shape::FractionCounter | Shape::SumGauge)) => {
                Amount::Fraction(count as f64)
            }
            (Amount::Fraction(amount), Some(Shape::Counter)) if amount.fract() == 0.0 => {
                Amount::Whole(amount as u64)
            }
            (amount, _) => amount,
        };
        match amount {
            Amount::Whole(count) => store.counter_with(&self.name, &labels)?.try_add(count)?,
            // A gauge that is a sum is added to like a counter; `set --add` takes away too.
            Amount::Fraction(amount)
                if family.is_some_and(|family| *family.shape() == Shape::SumGauge) =>
            {
                store.sum_gauge_with(&self.name, &labels)?.try_add(amount)?;
            }
            Amount::Fraction(amount) => store
                .fraction_counter_with(&self.name, &labels)?
                .try_add(amount)?,
        }
        if self.sync {
            store.flush()?;
        }
        Ok(Code::Done)
    }
}
