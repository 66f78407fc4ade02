//! A distribution as it stands in a document.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Distribution, Sum};
use crate::metric::{Buckets, WideSum};

/// Lower bound, upper bound, count. JSON has no infinity: `null` stands for a bound that is none.
type Triple = (Option<f64>, Option<f64>, u64);

#[derive(Serialize)]
struct Written<'a> {
    count: u64,
    sum: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<WideSum>,
    buckets: Vec<Triple>,
    #[serde(flatten)]
    layout: &'a Buckets,
}

#[derive(Deserialize)]
struct Read {
    count: u64,
    sum: Option<f64>,
    steps: Option<i64>,
    exact: Option<WideSum>,
    buckets: Vec<Triple>,
    #[serde(flatten)]
    layout: Buckets,
}

impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let finite = |bound: f64| bound.is_finite().then_some(bound);
        let triples = self
            .iter()
            .map(|b| (finite(b.lower), finite(b.upper), b.count));
        Written {
            count: self.count(),
            sum: self.sum(),
            steps: self.wide_sum().is_none().then(|| self.steps()),
            exact: self.wide_sum(),
            buckets: triples.collect(),
            layout: &self.buckets,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Read::deserialize(deserializer)?;
        form.distribution().map_err(D::Error::custom)
    }
}

impl Read {
    fn distribution(self) -> Result<Distribution, String> {
        let sum = self.kept()?;
        let mut counts = vec![None; self.layout.len()];
        for (lower, upper, count) in self.buckets {
            let bounds = (
                lower.unwrap_or(f64::NEG_INFINITY),
                upper.unwrap_or(f64::INFINITY),
            );
            // One of its bounds belongs to the bucket, and which one depends on its sign.
            let mut cells = [bounds.0, bounds.1]
                .map(|bound| self.layout.index_of(bound))
                .into_iter();
            let cell = cells.find(|cell| self.layout.bounds(*cell) == bounds);
            let Some(place) = cell.and_then(|cell| counts.get_mut(cell)) else {
                return Err(format!(
                    "there is no bucket from {} to {}",
                    bounds.0, bounds.1
                ));
            };
            if place.replace(count).is_some() {
                return Err(format!(
                    "the bucket from {} to {} stands twice",
                    bounds.0, bounds.1
                ));
            }
        }
        let counts: Box<[u64]> = counts.into_iter().map(Option::unwrap_or_default).collect();
        match counts
            .iter()
            .try_fold(0, |sum: u64, one| sum.checked_add(*one))
        {
            Some(count) if count == self.count => match sum {
                Ok(sum) => Ok(Distribution::of(self.layout, counts, sum)),
                Err(sum) => Distribution::of_sum(self.layout, counts, sum),
            },
            Some(count) => Err(format!(
                "count is {}, but the buckets hold {count}",
                self.count
            )),
            None => Err("the buckets hold more than can be counted in 64 bits".to_owned()),
        }
    }

    /// The sum as it is kept, or else the number that tells it.
    fn kept(&self) -> Result<Result<Sum, f64>, String> {
        if let Some(exact) = self.exact {
            if self.steps.is_some() {
                return Err("both steps and exact are given".to_owned());
            }
            if !self.layout.are_in_billionths() {
                return Err("a sum that is told by exact is in steps of a billionth".to_owned());
            }
            // Another program may have written the sum with fewer digits.
            let sum = self.sum.unwrap_or(exact.to_f64());
            return match (sum - exact.to_f64()).abs() <= 1e-9 + sum.abs() * 1e-9 {
                true => Ok(Ok(Sum::Wide(exact))),
                false => Err(format!("sum is {sum}, but exact is {exact}")),
            };
        }
        match (self.steps, self.sum) {
            (Some(steps), None) => Ok(Ok(Sum::Steps(steps))),
            (None, Some(sum)) => Ok(Err(sum)),
            (None, None) => Err("neither sum nor steps is given".to_owned()),
            // Another program may have written the sum with fewer digits.
            (Some(steps), Some(sum)) => {
                let apart = self.layout.steps_apart(sum, steps);
                let near = 1 + (sum.abs() / self.layout.resolution() * 1e-9) as u128;
                if apart.is_some_and(|apart| apart <= near) {
                    return Ok(Ok(Sum::Steps(steps)));
                }
                Err(format!(
                    "sum is {sum}, but {steps} steps are {}",
                    self.layout.from_steps(steps)
                ))
            }
        }
    }
}
