//! Arguments that several commands share: which series is meant, and what its family is.

use clap::Args;
use deespec::{Buckets, Family};

use crate::exit::Failure;
use crate::values::parse_number;

/// The schema of native buckets where none is given.
const SCHEMA: i8 = 3;

/// The labels of a series.
#[derive(Debug, Clone, Args)]
pub(crate) struct Labels {
    /// A label; may be repeated
    #[arg(short, long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("a label has the form KEY=VALUE".to_owned()),
    }
}

impl Labels {
    /// The labels, when a series can have this name and them. To be asked before a store is made for
    /// what it cannot hold.
    pub(crate) fn of(&self, name: &str) -> Result<Vec<(&str, &str)>, Failure> {
        let pairs = self.labels.iter();
        let labels: Vec<(&str, &str)> = pairs.map(|(k, v)| (k.as_str(), v.as_str())).collect();
        deespec::check_series(name, &labels)?;
        Ok(labels)
    }
}

/// What a family is called to people.
#[derive(Debug, Clone, Args)]
pub(crate) struct Description {
    /// The unit, such as seconds or bytes; the name must end in it
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,

    /// What the metric means, in one sentence
    #[arg(long, value_name = "TEXT")]
    help_text: Option<String>,
}

impl Description {
    pub(crate) fn has_unit(&self) -> bool {
        self.unit.is_some()
    }

    pub(crate) fn is_given(&self) -> bool {
        self.unit.is_some() || self.help_text.is_some()
    }

    /// Puts what is given into a family.
    pub(crate) fn describe(&self, mut family: Family) -> Family {
        if let Some(unit) = &self.unit {
            family = family.with_unit(unit);
        }
        if let Some(help) = &self.help_text {
            family = family.with_help(help);
        }
        family
    }
}

/// The buckets of a histogram.
#[derive(Debug, Clone, Args)]
pub(crate) struct BucketArgs {
    /// Buckets that end at these bounds, such as 0.1,0.5,1
    #[arg(long, value_name = "BOUNDS", value_parser = parse_classic)]
    #[arg(allow_hyphen_values = true, conflicts_with = "native")]
    buckets: Option<Buckets>,

    /// Buckets of constant relative width over this range, such as 0.001..60.
    /// SCHEMA 3, the default, makes each 9% wider than the one before, 4 4.4%,
    /// 5 2.2%
    #[arg(long, value_name = "FROM..TO[:SCHEMA]", value_parser = parse_native)]
    native: Option<Buckets>,

    /// Native buckets on the negative side too
    #[arg(long, requires = "native")]
    negative: bool,

    /// The step in which the sum is kept, such as 0.01 for cents [default: by
    /// the smallest bound, and a nanosecond for durations]
    #[arg(long, value_name = "STEP", value_parser = parse_resolution)]
    #[arg(allow_hyphen_values = true)]
    resolution: Option<f64>,
}

impl BucketArgs {
    pub(crate) fn is_given(&self) -> bool {
        self.buckets.is_some() || self.native.is_some() || self.resolution.is_some()
    }

    /// The buckets that are asked for; where only their resolution is, or nothing, those of `known`.
    pub(crate) fn over(&self, known: Buckets) -> Result<Buckets, Failure> {
        let mut buckets = match self.buckets.as_ref().or(self.native.as_ref()) {
            Some(given) if self.negative => given.clone().with_negative()?,
            Some(given) => given.clone(),
            None => known,
        };
        if let Some(step) = self.resolution {
            buckets = buckets.with_resolution(step)?;
        }
        Ok(buckets)
    }
}

fn parse_classic(text: &str) -> Result<Buckets, String> {
    let bounds: Result<Vec<f64>, String> = text.split(',').map(parse_number).collect();
    let bounds = bounds.map_err(|_| "give numbers with commas between, such as 0.1,0.5,1")?;
    Buckets::classic(bounds).map_err(|error| error.to_string())
}

fn parse_native(text: &str) -> Result<Buckets, String> {
    let wrong = |_| "give a range of numbers such as 0.001..60 or 0.001..60:4".to_owned();
    let (smallest, rest) = text.split_once("..").ok_or(()).map_err(wrong)?;
    let (largest, schema) = match rest.split_once(':') {
        Some((largest, schema)) => (largest, schema.parse().map_err(drop).map_err(wrong)?),
        None => (rest, SCHEMA),
    };
    let [smallest, largest] = [smallest, largest].map(|bound| parse_number(bound).map_err(drop));
    Buckets::native(schema, smallest.map_err(wrong)?, largest.map_err(wrong)?)
        .map_err(|error| error.to_string())
}

fn parse_resolution(text: &str) -> Result<f64, String> {
    let step = parse_number(text)?;
    match Buckets::default().with_resolution(step) {
        Ok(_) => Ok(step),
        Err(_) if step > 0.0 => Err("no sum can be kept in such steps".to_owned()),
        Err(_) => Err("a step is greater than 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_read_in_both_spellings() {
        assert_eq!(
            parse_classic("-1,0.5,+Inf"),
            Buckets::classic([-1.0, 0.5]).map_err(|error| error.to_string())
        );
        let native = |schema, smallest, largest| {
            Buckets::native(schema, smallest, largest).map_err(|error| error.to_string())
        };
        assert_eq!(parse_native("0.001..60"), native(3, 0.001, 60.0));
        assert_eq!(parse_native("1e-6..1e5:-2"), native(-2, 1e-6, 1e5));
        for bad in ["", "1", "1..", "..1", "1..2:", "1..2:x", "a..b", "1..2..3"] {
            assert!(parse_native(bad).unwrap_err().starts_with("give"), "{bad}");
        }
        for bad in ["", ",", "1,", "a", "1;2"] {
            assert!(parse_classic(bad).unwrap_err().starts_with("give"), "{bad}");
        }
        for bad in ["2..1", "-1..1", "0..1", "1..2:9", "1e-9..1e9:8", "1..+Inf"] {
            let reason = parse_native(bad).unwrap_err();
            assert!(reason.contains("are not valid"), "{bad}: {reason}");
        }
        for bad in ["0", "-0.1", "NaN", "+Inf", "1e308", "1e-310", "x"] {
            assert!(parse_resolution(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_resolution("0.01"), Ok(0.01));
        assert!(parse_classic("1,1").unwrap_err().contains("must ascend"));
    }
}
