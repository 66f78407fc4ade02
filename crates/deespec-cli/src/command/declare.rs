//! `deespec declare`: say what all series of one name have in common.

use clap::{Args, ValueEnum};
use deespec::{Buckets, Family};

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::location;
use crate::series::{BucketArgs, Description};
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Example:
  deespec declare counter sent_bytes_total --unit bytes --help-text Sent.
  deespec declare histogram commit_seconds --native 0.001..60 --labels branch
  deespec declare gauge workers_busy --per-process sum
  deespec declare gauge queued_bytes --wide-sum

Saying the same again changes nothing, so a script can do it each time; saying
something else is an error. What is not declared has no unit and no help text,
any labels, and native buckets for durations in seconds.";

/// Declare a metric: its kind, unit, help text, labels and buckets
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Declare {
    /// What kind of metric it is
    kind: Kind,

    /// The metric's name
    name: String,

    #[command(flatten)]
    description: Description,

    /// The labels that each series must have, no more and no less: a,b
    #[arg(long, value_name = "NAMES", value_parser = parse_names)]
    labels: Option<Names>,

    /// How many label sets it may have; more go to one overflow series
    /// [default: 2000]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// Replace the unit, help text, labels and limit that were declared before
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    buckets: BucketArgs,

    /// A gauge of which each live process has a share: show their sum,
    /// the smallest, the largest, or how many there are
    #[arg(long, value_name = "HOW")]
    per_process: Option<Aggregation>,

    /// A counter of amounts with fractions, such as seconds spent
    #[arg(long)]
    fractions: bool,

    /// Keep a sum that is exact to a billionth, in any order and of any size: a
    /// histogram's, whatever its buckets are, or a gauge that is added to and
    /// never set
    #[arg(long)]
    wide_sum: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Info,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Aggregation {
    Sum,
    Min,
    Max,
    Count,
}

impl From<Aggregation> for deespec::Aggregation {
    fn from(how: Aggregation) -> Self {
        match how {
            Aggregation::Sum => Self::Sum,
            Aggregation::Min => Self::Min,
            Aggregation::Max => Self::Max,
            Aggregation::Count => Self::Count,
        }
    }
}

/// Label names; a type of its own, since clap takes an option with a `Vec` for one that repeats.
#[derive(Debug, Clone)]
struct Names(Vec<String>);

fn parse_names(text: &str) -> Result<Names, std::convert::Infallible> {
    let names = text.split(',').map(str::trim);
    Ok(Names(if text.is_empty() {
        Vec::new()
    } else {
        names.map(str::to_owned).collect()
    }))
}

impl Declare {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let family = self.family()?;
        let store = location::open_or_make(cli, ui, "declare")?;
        if self.replace {
            store.redeclare(&family)?;
        } else {
            store.declare(&family)?;
        }
        Ok(Code::Done)
    }

    fn family(&self) -> Result<Family, Failure> {
        let names: &[String] = self.labels.as_ref().map_or(&[], |names| &names.0);
        let labels: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        // Before a store is made for a name that it cannot hold.
        deespec::check_series(&self.name, &labels)?;
        deespec::check_reserved(&self.name)?;
        let buckets = self.buckets.over(Buckets::default())?;
        if self.buckets.is_given() && self.kind != Kind::Histogram {
            return Err(Failure::new("only a histogram has buckets")
                .hint("declare a histogram, or leave out --buckets, --native and --resolution"));
        }
        if self.per_process.is_some() && self.kind != Kind::Gauge {
            return Err(Failure::new("only a gauge can be kept per process")
                .hint("declare a gauge, or leave out --per-process"));
        }
        if self.fractions && self.kind != Kind::Counter {
            return Err(Failure::new("only a counter is declared to have fractions")
                .hint("declare a counter, or leave out --fractions"));
        }
        if self.wide_sum {
            self.check_wide_sum()?;
        }
        if self.description.has_unit() && self.kind == Kind::Info {
            return Err(Failure::new("an info metric has no unit")
                .hint("leave out --unit, or declare another kind"));
        }
        let mut family = match self.kind {
            Kind::Counter if self.fractions => Family::fraction_counter(&self.name),
            Kind::Counter => Family::counter(&self.name),
            Kind::Summary => Family::summary(&self.name),
            Kind::Gauge if self.wide_sum => Family::sum_gauge(&self.name),
            Kind::Histogram if self.wide_sum => Family::wide_histogram(&self.name, buckets),
            Kind::Gauge => match self.per_process {
                None => Family::gauge(&self.name),
                Some(how) => Family::process_gauge(&self.name, how.into()),
            },
            Kind::Histogram => Family::histogram(&self.name, buckets),
            Kind::Info => Family::info(&self.name),
        };
        family = self.description.describe(family);
        if self.labels.is_some() {
            family = family.with_labels(names);
        }
        if let Some(limit) = self.limit {
            family = family.with_limit(limit);
        }
        Ok(family)
    }

    /// Fails where there is no wide sum, or something else instead of it.
    fn check_wide_sum(&self) -> Result<(), Failure> {
        let wrong = match self.kind {
            Kind::Gauge if self.per_process.is_some() => (
                "a gauge is either kept per process or a sum of what all add",
                "leave out --per-process or --wide-sum",
            ),
            Kind::Histogram if self.buckets.has_resolution() => (
                "a wide sum is exact to a billionth and has no other resolution",
                "leave out --resolution or --wide-sum",
            ),
            Kind::Gauge | Kind::Histogram => return Ok(()),
            Kind::Counter => (
                "a counter has a wide sum where it has fractions",
                "give --fractions in the place of --wide-sum",
            ),
            Kind::Summary => (
                "the sum of a summary is always a wide one",
                "leave out --wide-sum",
            ),
            Kind::Info => (
                "an info metric has no sum",
                "leave out --wide-sum, or declare another kind",
            ),
        };
        Err(Failure::new(wrong.0).hint(wrong.1))
    }
}
