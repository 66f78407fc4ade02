//! OpenMetrics 1.0 text.
//!
//! The rules are those of the specification, <https://prometheus.io/docs/specs/om/open_metrics_spec/>:
//! metadata in the order TYPE, UNIT, HELP; the samples of a series beside each other; `# EOF` at the
//! end. No sample has a timestamp, as the specification advises, and there are no exemplars.
//!
//! A summary with a sum below zero has no `_sum`. A histogram has no `_sum`, and then no `_count` either, where the sum could go down: with a bound
//! below zero, or once the sum is negative. The specification forbids it there. The count is still
//! that of the bucket `+Inf`.

use crate::snapshot::View;

use super::family::{Family, Shown, families};
use super::number::push_time;
use super::samples::{Samples, Sums, push_name};
use super::text::push_escaped;

/// What an HTTP answer with this text says of it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The view as OpenMetrics text, sorted by family name and label set.
///
/// A number above 2^53 is written in full; a reader with 64-bit floating point rounds it.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let store = deespec::Store::open(folder.path().join("var"))?;
/// store.transactions().success.add(142);
/// let text = deespec::exposition::openmetrics::encode(&store.view()?);
/// let lines: Vec<&str> = text.lines().skip_while(|line| !line.ends_with("success counter")).collect();
/// assert_eq!(lines[0], "# TYPE commit_success counter");
/// assert_eq!(lines[1], "# HELP commit_success Commits that succeeded.");
/// assert_eq!(lines[2], "commit_success_total 142");
/// assert!(lines[3].starts_with("commit_success_created 1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn encode(view: &View) -> String {
    let mut text = String::new();
    let mut samples = Samples::new(Sums::Growing);
    for family in families(view) {
        push_metadata(&mut text, &family);
        for series in &family.series {
            samples.push(&mut text, &family, series);
            match series.shown {
                Shown::Counter(_)
                | Shown::Histogram(_)
                | Shown::Fractions(_)
                | Shown::Summary(_) => {
                    push_name(&mut text, &family, "_created", series);
                    push_time(&mut text, series.created());
                    text.push('\n');
                }
                Shown::Gauge(_) | Shown::Sum(_) | Shown::Info => {}
            }
        }
    }
    text.push_str("# EOF\n");
    text
}

fn push_metadata(text: &mut String, family: &Family<'_>) {
    for (word, content) in [
        ("# TYPE ", family.kind.as_str()),
        ("# UNIT ", family.unit),
        ("# HELP ", &family.help),
    ] {
        if !content.is_empty() {
            text.push_str(word);
            text.push_str(&family.name);
            text.push(' ');
            push_escaped(text, content, true);
            text.push('\n');
        }
    }
}
