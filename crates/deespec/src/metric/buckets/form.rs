//! Buckets as they stand in a document, and as a message tells them.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::steps::STEPS_MAX;
use super::{Buckets, Layout, refuse};
use crate::metric::MetricError;

#[derive(Serialize, Deserialize)]
struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    native: Option<NativeForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    classic: Option<Vec<f64>>,
    #[serde(serialize_with = "plainly")]
    steps_per_one: f64,
}

#[derive(Serialize, Deserialize)]
struct NativeForm {
    schema: i8,
    smallest: f64,
    largest: f64,
    #[serde(default)]
    negative: bool,
}

/// Writes a whole number without a fraction: 1000000000, not 1000000000.0.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn plainly<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let whole = *number as u64;
    if whole as f64 == *number && *number < STEPS_MAX {
        serializer.serialize_u64(whole)
    } else {
        serializer.serialize_f64(*number)
    }
}

impl TryFrom<Form> for Buckets {
    type Error = MetricError;

    fn try_from(form: Form) -> Result<Self, MetricError> {
        let buckets = match (form.native, form.classic) {
            (Some(native), None) => {
                let buckets = Self::native(native.schema, native.smallest, native.largest)?;
                if native.negative {
                    buckets.with_negative()?
                } else {
                    buckets
                }
            }
            (None, Some(bounds)) => Self::classic(bounds)?,
            (None, None) => return refuse("neither native nor classic is given"),
            (Some(_), Some(_)) => return refuse("both native and classic are given"),
        };
        buckets.with_steps_per_one(form.steps_per_one)
    }
}

impl From<&Buckets> for Form {
    fn from(buckets: &Buckets) -> Self {
        let (native, classic) = match &buckets.layout {
            Layout::Native(native) => {
                let (smallest, largest) = native.range();
                let native = NativeForm {
                    schema: native.schema(),
                    smallest,
                    largest,
                    negative: native.keeps_negative(),
                };
                (Some(native), None)
            }
            Layout::Classic(bounds) => (None, Some(bounds.to_vec())),
        };
        Self {
            native,
            classic,
            steps_per_one: buckets.steps_per_one,
        }
    }
}

impl Serialize for Buckets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Form::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Buckets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Form::deserialize(deserializer)?;
        form.try_into().map_err(D::Error::custom)
    }
}

/// What tells these buckets from others, in a few words: `native, schema 3, 0.000001 to 100000` or
/// `classic, 0.1, 0.5, 1`.
impl fmt::Display for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.tell_bounds(f)?;
        // Only where somebody chose them.
        if plain.is_ok_and(|plain| plain.steps_per_one != self.steps_per_one) {
            write!(f, ", in steps of {}", Plain(self.resolution()))?;
        }
        Ok(())
    }
}

/// Buckets beside a wide sum, whose steps nobody chooses.
pub(crate) struct Bounds<'a>(pub(crate) &'a Buckets);

impl fmt::Display for Bounds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.tell_bounds(f).map(drop)
    }
}

impl Buckets {
    /// Tells the bounds, and gives buckets that have them and steps which follow from them.
    fn tell_bounds(
        &self,
        f: &mut fmt::Formatter<'_>,
    ) -> Result<Result<Self, MetricError>, fmt::Error> {
        Ok(match &self.layout {
            Layout::Native(native) => {
                let (smallest, largest) = native.range();
                let (low, high) = (self.short(smallest), self.short(largest));
                let schema = native.schema();
                write!(
                    f,
                    "native, schema {schema}, {} to {}",
                    Plain(low),
                    Plain(high)
                )?;
                if native.keeps_negative() {
                    f.write_str(" and negative")?;
                }
                Self::native(schema, low, high)
            }
            Layout::Classic(bounds) => {
                f.write_str("classic")?;
                for bound in bounds.iter() {
                    write!(f, ", {}", Plain(*bound))?;
                }
                Self::classic(bounds.iter().copied())
            }
        })
    }

    /// The shortest number that falls into the same bucket: rather what somebody wrote than a bound.
    fn short(&self, bound: f64) -> f64 {
        let rounded = (0..17).filter_map(|digits| format!("{bound:.digits$e}").parse().ok());
        let mut rounded = rounded.filter(|short| self.index_of(*short) == self.index_of(bound));
        rounded.next().unwrap_or(bound)
    }
}

/// A number with its digits, or with an exponent where those would be too many.
struct Plain(f64);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            0.0 | 1e-9..1e15 => write!(f, "{}", self.0),
            _ => write!(f, "{:e}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::metric::buckets::tests::{classics, natives};

    use super::*;

    #[test]
    fn buckets_read_back_as_they_were_written() {
        for buckets in natives().into_iter().chain(classics()) {
            let text = serde_json::to_string(&buckets).unwrap();
            assert_eq!(
                serde_json::from_str::<Buckets>(&text).unwrap(),
                buckets,
                "{text}"
            );
        }
        assert_eq!(
            serde_json::to_string(&Buckets::native(0, 0.6, 100.0).unwrap()).unwrap(),
            r#"{"native":{"schema":0,"smallest":1.0,"largest":128.0,"negative":false},"steps_per_one":1000000000}"#
        );
        assert_eq!(
            serde_json::to_string(
                &Buckets::classic([0.5, 2.0])
                    .unwrap()
                    .with_resolution(8.0)
                    .unwrap()
            )
            .unwrap(),
            r#"{"classic":[0.5,2.0],"steps_per_one":0.125}"#
        );
    }

    #[test]
    fn a_message_tells_buckets_in_few_words_and_no_two_alike() {
        let classic = |bounds: &[f64]| Buckets::classic(bounds.iter().copied()).unwrap();
        let native = |schema, low, high| Buckets::native(schema, low, high).unwrap();
        let celsius = native(3, 0.1, 100.0).with_negative().unwrap();
        for (buckets, told) in [
            (Buckets::seconds(), "native, schema 3, 0.000001 to 100000"),
            (native(0, 1.0, 128.0), "native, schema 0, 1 to 100"),
            (native(2, 1e-30, 1e30), "native, schema 2, 1e-30 to 1e30"),
            (celsius, "native, schema 3, 0.1 to 100 and negative"),
            (classic(&[0.1, 0.5, 1.0]), "classic, 0.1, 0.5, 1"),
            (classic(&[-5.0, 0.0]), "classic, -5, 0"),
            (
                classic(&[1.0]).with_resolution(0.5).unwrap(),
                "classic, 1, in steps of 0.5",
            ),
        ] {
            assert_eq!(buckets.to_string(), told);
        }
        let all: Vec<Buckets> = natives().into_iter().chain(classics()).collect();
        for one in &all {
            for other in &all {
                assert_eq!(
                    one == other,
                    one.to_string() == other.to_string(),
                    "{one} | {other}"
                );
            }
        }
    }

    #[test]
    fn a_document_with_bad_buckets_is_refused() {
        for (text, part) in [
            (r#"{"steps_per_one":1}"#, "neither"),
            (
                r#"{"classic":[1],"native":{"schema":0,"smallest":1,"largest":2},"steps_per_one":1}"#,
                "both",
            ),
            (r#"{"classic":[1]}"#, "steps_per_one"),
            (r#"{"classic":[1],"steps_per_one":0}"#, "0.0 steps per one"),
            (r#"{"classic":[1],"steps_per_one":1e-305}"#, "steps per one"),
            (r#"{"classic":[2,1],"steps_per_one":1}"#, "must ascend"),
            (r#"{"classic":[null],"steps_per_one":1}"#, "null"),
            (
                r#"{"native":{"schema":200,"smallest":1,"largest":2},"steps_per_one":1}"#,
                "200",
            ),
            (
                r#"{"native":{"schema":8,"smallest":1e-300,"largest":1e300},"steps_per_one":1}"#,
                "bucket cells",
            ),
            (
                r#"{"native":{"schema":8,"smallest":1,"largest":4096,"negative":true},"steps_per_one":1}"#,
                "bucket cells",
            ),
        ] {
            let error = serde_json::from_str::<Buckets>(text)
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
