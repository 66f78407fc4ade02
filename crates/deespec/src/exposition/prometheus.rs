//! Prometheus text, version 0.0.4, which is also what node_exporter's textfile collector reads.
//!
//! The rules are those of
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>: a family has
//! the name of its samples, `_total` included, and there is no `# EOF`. The format has no word for the
//! time of creation, so it is left out; OpenMetrics has it.

use std::fmt::Write as _;

use crate::metric::Kind;
use crate::snapshot::View;

use super::family::families;
use super::naming::suffix;
use super::text::{push_escaped, push_labels};

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
    let mut text = String::new();
    for family in families(view) {
        let name = format!("{}{}", family.name, suffix(family.kind));
        if let Some(help) = &family.help {
            let _ = write!(text, "# HELP {name} ");
            push_escaped(&mut text, help, false);
            text.push('\n');
        }
        let _ = writeln!(text, "# TYPE {name} {}", family.kind.as_str());
        for series in &family.series {
            match family.kind {
                Kind::Counter => {
                    text.push_str(&name);
                    push_labels(&mut text, series);
                    let _ = writeln!(text, " {}", series.total);
                }
                _ => {}
            }
        }
    }
    text
}
