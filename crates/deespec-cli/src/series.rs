//! Arguments that several commands share: which series is meant, and what its family is.

use clap::Args;
use deespec::{Buckets, Family};

use crate::exit::Failure;
use crate::parse;

/// The labels of a series.
#[derive(Debug, Clone, Args)]
pub(crate) struct Labels {
    /// A label; may be repeated
    #[arg(short, long = "label", value_name = "KEY=VALUE", value_parser = parse::label)]
    labels: Vec<(String, String)>,
}

impl Labels {
    /// As clap would have read them.
    pub(crate) fn plain(labels: Vec<(String, String)>) -> Self {
        Self { labels }
    }

    /// The labels, when a series can have this name and them.
    pub(crate) fn of(&self, name: &str) -> Result<Vec<(&str, &str)>, Failure> {
        let pairs = self.labels.iter();
        let labels: Vec<(&str, &str)> = pairs.map(|(k, v)| (k.as_str(), v.as_str())).collect();
        deespec::check_series(name, &labels)?;
        Ok(labels)
    }

    /// The labels, when such a series can be written. To be asked before a store is made for what it cannot hold.
    pub(crate) fn written(&self, name: &str) -> Result<Vec<(&str, &str)>, Failure> {
        let labels = self.of(name)?;
        deespec::check_reserved(name)?;
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
    #[arg(long, value_name = "BOUNDS", value_parser = parse::classic)]
    #[arg(allow_hyphen_values = true, conflicts_with = "native")]
    buckets: Option<Buckets>,

    /// Buckets of constant relative width over this range, such as 0.001..60.
    /// SCHEMA 3, the default, makes each 9% wider than the one before, 4 4.4%,
    /// 5 2.2%
    #[arg(long, value_name = "FROM..TO[:SCHEMA]", value_parser = parse::native)]
    native: Option<Buckets>,

    /// Native buckets on the negative side too
    #[arg(long, requires = "native")]
    negative: bool,

    /// The step in which the sum is kept, such as 0.01 for cents [default: by
    /// the smallest bound, and a nanosecond for durations]
    #[arg(long, value_name = "STEP", value_parser = parse::resolution)]
    #[arg(allow_hyphen_values = true)]
    resolution: Option<f64>,
}

impl BucketArgs {
    pub(crate) fn is_given(&self) -> bool {
        self.buckets.is_some() || self.native.is_some() || self.resolution.is_some()
    }

    /// Whether the step of the sum is asked for, which a wide one has not.
    pub(crate) fn has_resolution(&self) -> bool {
        self.resolution.is_some()
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
