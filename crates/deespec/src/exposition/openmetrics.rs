//! OpenMetrics 1.0 text.
//!
//! The rules are those of the specification, <https://prometheus.io/docs/specs/om/open_metrics_spec/>:
//! metadata in the order TYPE, HELP; the samples of a series beside each other; `_total` and
//! `_created` behind the family's name; `# EOF` at the end. No sample has a timestamp, as the
//! specification advises, and there are no exemplars.

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use crate::metric::Kind;
use crate::snapshot::View;

use super::family::{Family, Series, families};
use super::text::{push_escaped, push_labels};

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
    for family in families(view) {
        push_metadata(&mut text, &family);
        for series in &family.series {
            match family.kind {
                Kind::Counter => push_counter(&mut text, &family.name, series),
                _ => {}
            }
        }
    }
    text.push_str("# EOF\n");
    text
}

fn push_metadata(text: &mut String, family: &Family<'_>) {
    let _ = writeln!(text, "# TYPE {} {}", family.name, family.kind.as_str());
    if let Some(help) = &family.help {
        let _ = write!(text, "# HELP {} ", family.name);
        push_escaped(text, help, true);
        text.push('\n');
    }
}

fn push_counter(text: &mut String, family: &str, series: &Series<'_>) {
    text.push_str(family);
    text.push_str("_total");
    let begin = text.len();
    push_labels(text, series);
    let labels = begin..text.len();
    let _ = writeln!(text, " {}", series.total);
    text.push_str(family);
    text.push_str("_created");
    text.extend_from_within(labels);
    let since = series
        .created
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let _ = writeln!(text, " {}.{:09}", since.as_secs(), since.subsec_nanos());
}
