//! `deespec observe`: put observations into a histogram or a summary.

use std::io::{BufRead, Read as _};

use clap::Args;
use deespec::{Buckets, Family, Shape, Store};

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::location;
use crate::parse;
use crate::series::{BucketArgs, Description, Labels};
use crate::ui::Ui;
use crate::values;

/// Longest line of the input, in bytes; no number needs that many.
const LINE_MAX: u64 = 1024;

const AFTER_HELP: &str = "\
Example:
  deespec observe backup_seconds 12.8 -l job=nightly --unit seconds
  deespec observe upload_bytes 512 70000 --native 64..1e9
  cut -d' ' -f10 access.log | deespec observe answer_bytes - --buckets 1e3,1e6

Either all values are counted or, where one is wrong, none. Buckets, unit and
help text are told once, when the histogram is new; told again they must be the
same. Without any it has native buckets for durations in seconds, from a
microsecond to 28 hours. What was declared as a summary has no buckets.";

/// Count values in a histogram, which is made on first use, or in a summary
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Observe {
    /// The name of the histogram or summary
    name: String,

    /// Numbers; - reads more of them from stdin, one a line
    #[arg(required = true, value_parser = parse_source, allow_negative_numbers = true)]
    #[arg(value_name = "VALUE")]
    values: Vec<Source>,

    #[command(flatten)]
    labels: Labels,

    #[command(flatten)]
    buckets: BucketArgs,

    #[command(flatten)]
    description: Description,

    /// Return only when the observations are on the disk
    #[arg(long)]
    sync: bool,
}

/// Where observations come from.
#[derive(Debug, Clone, Copy)]
enum Source {
    Argument(f64),
    Stdin,
}

fn parse_source(text: &str) -> Result<Source, String> {
    if text == "-" {
        Ok(Source::Stdin)
    } else {
        parse::observation(text).map(Source::Argument)
    }
}

impl Observe {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let labels = self.labels.written(&self.name)?;
        // Before a store is made for buckets that cannot be.
        self.buckets.over(Buckets::default())?;
        let values = self.read()?;
        let store = location::open_or_make(cli, ui, "observe")?;
        let family = store.family(&self.name);
        let known = family.as_ref().map(Family::shape);
        self.check(known, &values)?;
        if self.buckets.is_given() || self.description.is_given() {
            self.declare(&store, known)?;
        }
        match known {
            Some(Shape::Summary) => store
                .summary_with(&self.name, &labels)?
                .try_observe(&values)?,
            Some(Shape::WideHistogram(_)) => store
                .wide_histogram_with(&self.name, &labels)?
                .try_observe(&values)?,
            _ => store
                .histogram_with(&self.name, &labels)?
                .try_observe(&values)?,
        }
        if self.sync {
            store.flush()?;
        }
        Ok(Code::Done)
    }

    /// All observations, before the first of them is counted.
    fn read(&self) -> Result<Vec<f64>, Failure> {
        let mut values = Vec::new();
        for source in &self.values {
            match source {
                Source::Argument(value) => values.push(*value),
                Source::Stdin => read_lines(&mut std::io::stdin().lock(), &mut values)?,
            }
        }
        Ok(values)
    }

    /// Fails where a value is too large for the steps of the sum: before a metric is made that cannot count it.
    fn check(&self, known: Option<&Shape>, values: &[f64]) -> Result<(), Failure> {
        let known = match known {
            Some(Shape::Histogram(buckets)) => Some(buckets.clone()),
            Some(_) => return Ok(()),
            None => None,
        };
        let is_known = known.is_some();
        let buckets = self.buckets.over(known.unwrap_or_default())?;
        let large = values.iter().find(|value| buckets.steps(**value).is_none());
        let Some(large) = large else { return Ok(()) };
        let step = format!("{:.11e}", buckets.resolution())
            .parse()
            .unwrap_or(0.0);
        let message = format!(
            "{} is too large for {}, whose sum has steps of {}",
            values::number(*large),
            self.name,
            values::number(step)
        );
        Err(Failure::new(message).hint(match is_known {
            true => "nothing was counted; another metric can have a coarser --resolution",
            false => "nothing was counted; give a coarser --resolution, such as 1 for bytes",
        }))
    }

    /// Declares the family with what is given here, and for the rest as it is already.
    fn declare(&self, store: &Store, shape: Option<&Shape>) -> Result<(), Failure> {
        let view = store.view()?;
        let known = view.family(&self.name);
        let known_buckets = known.and_then(|family| match family.shape() {
            Shape::Histogram(buckets) | Shape::WideHistogram(buckets) => Some(buckets.clone()),
            _ => None,
        });
        let buckets = self.buckets.over(known_buckets.unwrap_or_default())?;
        let mut family = match shape {
            Some(Shape::Summary) if !self.buckets.is_given() => Family::summary(&self.name),
            Some(Shape::WideHistogram(_)) if self.buckets.has_resolution() => {
                let message = "a wide sum is exact to a billionth and has no other resolution";
                return Err(Failure::new(message).hint("leave out --resolution"));
            }
            Some(Shape::WideHistogram(_)) => Family::wide_histogram(&self.name, buckets),
            _ => Family::histogram(&self.name, buckets),
        };
        if let Some(known) = known {
            family = family
                .with_unit(known.unit())
                .with_help(known.help())
                .with_limit(known.limit());
            if let Some(labels) = known.labels() {
                family = family.with_labels(labels);
            }
        }
        Ok(store.declare(&self.description.describe(family))?)
    }
}

/// Reads one number a line; empty lines do not count.
fn read_lines(input: &mut impl BufRead, values: &mut Vec<f64>) -> Result<(), Failure> {
    for number in 1.. {
        let mut line = Vec::new();
        let mut limited = input.by_ref().take(LINE_MAX);
        let read = limited.read_until(b'\n', &mut line);
        let read = read.map_err(|error| Failure::new(format!("cannot read stdin: {error}")))?;
        if read == 0 {
            break;
        }
        // The rest of it would be taken for a line of its own.
        let is_cut = limited.limit() == 0 && line.last() != Some(&b'\n');
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() && !is_cut {
            continue;
        }
        let value = match parse::observation(line) {
            Ok(_) if is_cut => Err(format!("it has more than {LINE_MAX} bytes")),
            parsed => parsed,
        };
        let value = value.map_err(|reason| {
            let shown: String = line.chars().take(40).collect();
            Failure::new(format!("line {number} of stdin is {shown:?}: {reason}"))
                .hint("nothing was counted; mend the line, or leave it out")
        })?;
        values.push(value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbers_and_the_one_that_is_not_is_named() {
        let read = |mut text: &[u8]| {
            let mut values = Vec::new();
            read_lines(&mut text, &mut values).map(|()| values)
        };
        assert_eq!(read(b"").unwrap(), [] as [f64; 0]);
        assert_eq!(read(b"1\n\n -2.5 \r\n7e3").unwrap(), [1.0, -2.5, 7000.0]);
        for (bad, line) in [
            (&b"1\nx\n"[..], "line 2 of stdin is \"x\""),
            (b"NaN", "line 1"),
            (b"+Inf", "line 1"),
            (b"1\n\n\xff\n", "line 3"),
            (&[b'0'; 5000], "line 1"),
        ] {
            let failure = read(bad).unwrap_err();
            assert!(failure.message.starts_with(line), "{failure}");
        }
    }
}
