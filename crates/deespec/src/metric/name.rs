//! Which names and label sets are lawful. Checked where a series is first declared, never on the fast path.

use thiserror::Error;

/// Longest metric name or label name, in bytes.
pub(crate) const NAME_MAX: usize = 255;
/// Longest label value, in bytes.
pub(crate) const VALUE_MAX: usize = 1024;
/// Most labels in one label set.
pub(crate) const LABELS_MAX: usize = 32;

/// A metric name, a label set or a histogram's buckets that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// The metric name does not follow the Prometheus grammar.
    #[error(
        "metric name {name:?} is not valid: it must match [a-zA-Z_:][a-zA-Z0-9_:]* and have at most 255 bytes"
    )]
    Name {
        /// The name as it was given.
        name: String,
    },
    /// A label name does not follow the Prometheus grammar.
    #[error(
        "label name {name:?} is not valid: it must match [a-zA-Z_][a-zA-Z0-9_]*, not begin with __ and have at most 255 bytes"
    )]
    LabelName {
        /// The label name as it was given.
        name: String,
    },
    /// A label value is too long.
    #[error("the value of label {name:?} has {len} bytes, at most 1024 are allowed")]
    LabelValue {
        /// The label's name.
        name: String,
        /// The value's length in bytes.
        len: usize,
    },
    /// The same label stands twice in one label set.
    #[error("label {name:?} is given twice")]
    DuplicateLabel {
        /// The label's name.
        name: String,
    },
    /// A family cannot be declared like this.
    #[error("metric {name:?} cannot be declared like this: {reason}")]
    Declaration {
        /// The family's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A family is used as another kind than it has.
    #[error(
        "metric {name:?} is {} and cannot be used as {}",
        told(existing),
        told(wanted)
    )]
    Kind {
        /// The family's name.
        name: String,
        /// What it is.
        existing: &'static str,
        /// As what it was to be used.
        wanted: &'static str,
    },
    /// Two declarations of a family disagree.
    #[error(
        "metric {name:?} was declared with {what} {existing} and cannot be declared with {what} {declared}"
    )]
    Disagrees {
        /// The family's name.
        name: String,
        /// In what they disagree.
        what: &'static str,
        /// What the first declaration says.
        existing: String,
        /// What the second declaration says.
        declared: String,
    },
    /// A series has other labels than its family was declared with.
    #[error("metric {name:?} was declared with the labels [{declared}] and is used with [{given}]")]
    Labels {
        /// The family's name.
        name: String,
        /// The declared label names.
        declared: String,
        /// The label names of the series.
        given: String,
    },
    /// One of the four built-in counters cannot be removed.
    #[error("{name} is built in and cannot be removed")]
    BuiltIn {
        /// The counter's name.
        name: String,
    },
    /// The name is one with which DeeSpec tells of itself.
    #[error(
        "metric {name:?} cannot be written: names that begin with deespec_ tell of DeeSpec itself"
    )]
    Reserved {
        /// The metric's name.
        name: String,
    },
    /// So much cannot be counted at once from outside.
    #[error("{count} is too much for one count: at most 9007199254740992, 2^53, is taken at once")]
    Count {
        /// How much it was.
        count: u64,
    },
    /// It is no amount that a counter with fractions or a summary can add up.
    #[error("{amount} cannot be added up: {takes}")]
    Amount {
        /// The number.
        amount: String,
        /// What can.
        takes: &'static str,
    },
    /// A counter, or a histogram, has counted nearly as much as it can.
    #[error("it would count more than 2^63, and that is not taken")]
    Exhausted,
    /// A label set has too many labels.
    #[error("{count} labels are given, at most 32 are allowed")]
    TooManyLabels {
        /// How many were given.
        count: usize,
    },
    /// The buckets of a histogram cannot be made.
    #[error("histogram buckets are not valid: {reason}")]
    Buckets {
        /// What is wrong with them.
        reason: String,
    },
}

/// A kind as a sentence has it.
fn told(kind: &str) -> String {
    match kind {
        "info" => "an info metric".to_owned(),
        kind => format!("a {kind}"),
    }
}

fn follows_grammar(name: &str, colon: bool) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || (colon && b == b':'));
    starts
        && name.len() <= NAME_MAX
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || (colon && b == b':'))
}

/// Whether a counter of this name and with these labels can be made. [`Store::counter_with`] checks
/// the same; this is for programs that want to know before they open a store.
///
/// # Errors
///
/// What is wrong with the name or the labels.
///
/// [`Store::counter_with`]: crate::Store::counter_with
///
/// ```
/// assert!(deespec::check_series("jobs_total", &[("job", "backup")]).is_ok());
/// assert!(deespec::check_series("jobs-total", &[]).is_err());
/// ```
pub fn check_series(name: &str, labels: &[(&str, &str)]) -> Result<(), MetricError> {
    let mut sorted = labels.to_vec();
    sorted.sort_unstable();
    check_metric_name(name)?;
    check_label_set(&sorted)
}

pub(crate) fn check_metric_name(name: &str) -> Result<(), MetricError> {
    if follows_grammar(name, true) {
        Ok(())
    } else {
        Err(MetricError::Name {
            name: name.to_owned(),
        })
    }
}

pub(crate) fn check_label_name(name: &str) -> Result<(), MetricError> {
    if follows_grammar(name, false) && !name.starts_with("__") {
        Ok(())
    } else {
        Err(MetricError::LabelName {
            name: name.to_owned(),
        })
    }
}

/// Checks a label set whose labels are already sorted by name.
pub(crate) fn check_label_set(sorted: &[(&str, &str)]) -> Result<(), MetricError> {
    if sorted.len() > LABELS_MAX {
        return Err(MetricError::TooManyLabels {
            count: sorted.len(),
        });
    }
    for (index, (name, value)) in sorted.iter().enumerate() {
        check_label_name(name)?;
        if value.len() > VALUE_MAX {
            return Err(MetricError::LabelValue {
                name: (*name).to_owned(),
                len: value.len(),
            });
        }
        if index > 0 && sorted[index - 1].0 == *name {
            return Err(MetricError::DuplicateLabel {
                name: (*name).to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_name_follows_the_prometheus_grammar() {
        for good in ["a", "_x", "job:rate:5m", "commit_success", &"n".repeat(255)] {
            assert_eq!(check_metric_name(good), Ok(()), "{good}");
        }
        for bad in ["", "1a", "a-b", "a b", "ä", "a\n", &"n".repeat(256)] {
            assert!(check_metric_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_label_set_is_refused_with_the_label_that_is_wrong() {
        let too_long = "v".repeat(1025);
        assert_eq!(check_label_set(&[("a", "x"), ("b", "")]), Ok(()));
        assert!(matches!(
            check_label_set(&[("__a", "")]),
            Err(MetricError::LabelName { .. })
        ));
        assert!(matches!(
            check_label_set(&[("a:b", "")]),
            Err(MetricError::LabelName { .. })
        ));
        assert!(matches!(
            check_label_set(&[("a", &too_long)]),
            Err(MetricError::LabelValue { len: 1025, .. })
        ));
        assert!(matches!(
            check_label_set(&[("a", "1"), ("a", "2")]),
            Err(MetricError::DuplicateLabel { .. })
        ));
        let many: Vec<(String, &str)> = (0..33).map(|i| (format!("l{i:02}"), "")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        assert_eq!(
            check_label_set(&many),
            Err(MetricError::TooManyLabels { count: 33 })
        );
    }
}
