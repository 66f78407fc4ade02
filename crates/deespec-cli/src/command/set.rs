//! `deespec set`: set a gauge.

use clap::Args;
use deespec::{Error, Family, Kind, MetricError, Shape, Store, StoreError};

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::location;
use crate::parse;
use crate::series::Labels;
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Example:
  deespec set queue_depth 12 -l queue=mail
  deespec set queue_depth -3 --add -l queue=mail

The last value that any process has set stays, also through a rotation. For what
counts how often something happened, take `deespec inc`. What was declared with
--wide-sum is the sum of what all add to it: give --add. What was declared as an
info metric is always 1: its labels say something, such as version=1.4.";

/// Set a gauge, which is made on first use
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Set {
    /// The gauge's name
    name: String,

    /// A number, or NaN, +Inf, -Inf
    #[arg(value_parser = parse::number, allow_hyphen_values = true)]
    value: f64,

    /// Add the value to what the gauge is now
    #[arg(long)]
    add: bool,

    #[command(flatten)]
    labels: Labels,

    /// Return only when the value is on the disk
    #[arg(long)]
    sync: bool,
}

impl Set {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let labels = self.labels.written(&self.name)?;
        if self.add && !self.value.is_finite() {
            return Err(
                Failure::new("what is not a finite number cannot be added to a gauge")
                    .hint("leave out --add to set the gauge to it"),
            );
        }
        let store = location::open_or_make(cli, ui, "set")?;
        let family = store.family(&self.name);
        if family.as_ref().map(Family::shape) == Some(&Shape::SumGauge) {
            self.add_to_sum(&store, &labels)?;
            return self.end(&store);
        }
        match store.gauge_with(&self.name, &labels) {
            Ok(gauge) if self.add => gauge.add(self.value),
            Ok(gauge) => gauge.set(self.value),
            // The only value that an info metric has.
            Err(error) if is_info(&error) && !self.add && self.value == 1.0 => {
                store.info(&self.name, &labels)?;
            }
            Err(error) => return Err(error.into()),
        }
        self.end(&store)
    }

    /// Adds to a gauge that is the sum of what all add to it.
    fn add_to_sum(&self, store: &Store, labels: &[(&str, &str)]) -> Result<(), Failure> {
        if !self.add {
            let message = format!(
                "{:?} is a gauge with a wide sum, which nobody sets",
                self.name
            );
            return Err(Failure::new(message)
                .hint("others may add to it at the same moment; give --add, and a number below 0 to take away"));
        }
        let gauge = store.sum_gauge_with(&self.name, labels)?;
        Ok(gauge.try_add(self.value)?)
    }

    fn end(&self, store: &Store) -> Result<Code, Failure> {
        if self.sync {
            store.flush()?;
        }
        Ok(Code::Done)
    }
}

/// Whether this is no gauge but an info metric.
fn is_info(error: &Error) -> bool {
    matches!(
        error,
        Error::Store(StoreError::Metric(MetricError::Kind { existing, .. }))
            if *existing == Kind::Info.as_str()
    )
}
