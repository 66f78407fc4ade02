//! Prometheus text, version 0.0.4, which is also what node_exporter's textfile collector reads.
//!
//! The rules are those of
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>: a family has
//! the name of its samples, `_total` included, and there is no `# EOF`. The format has no words for
//! the time of creation and the unit, so they are left out; OpenMetrics has them. An info metric is a
//! gauge. The first line is a comment with the store's identity, by which it does not import its own text.

use crate::metric::Kind;
use crate::snapshot::{View, own_mark};

use super::family::families;
use super::naming::suffix;
use super::samples::{Samples, Sums};
use super::text::push_escaped;

/// What an HTTP answer with this text says of it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The view as Prometheus text, sorted by family name and label set.
///
/// A number above 2^53 is written in full; a reader with 64-bit floating point rounds it.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let store = deespec::Store::open(folder.path().join("var"))?;
/// store.transactions().success.add(142);
/// let text = deespec::exposition::prometheus::encode(&store.view()?);
/// assert!(text.contains("# TYPE commit_success_total counter\ncommit_success_total 142\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn encode(view: &View) -> String {
    let mut text = own_mark(view.store_id);
    let mut samples = Samples::new(Sums::All);
    for family in families(view) {
        let kind = match family.kind {
            Kind::Info => Kind::Gauge,
            kind @ (Kind::Counter | Kind::Gauge | Kind::Histogram | Kind::Summary) => kind,
        };
        for (word, content) in [("# HELP ", &*family.help), ("# TYPE ", kind.as_str())] {
            if !content.is_empty() {
                text.push_str(word);
                text.push_str(&family.name);
                text.push_str(suffix(family.kind));
                text.push(' ');
                push_escaped(&mut text, content, false);
                text.push('\n');
            }
        }
        for series in &family.series {
            samples.push(&mut text, &family, series);
        }
    }
    text
}
