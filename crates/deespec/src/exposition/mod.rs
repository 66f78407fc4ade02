//! What Prometheus reads: a [`View`](crate::View) as OpenMetrics text, as Prometheus text, or as the
//! protobuf messages of Prometheus.
//!
//! Pure functions over a view, one file a format: [`openmetrics`], [`prometheus`] and [`protobuf`]
//! have the rules, and [`negotiate`] tells which of them a scraper wants. All have the same series
//! under the same names, so it does not matter which one that is. Only protobuf carries native
//! histograms; the others show their buckets at every power of two.
//!
//! **Counters and histograms are exposed as lifetime totals**, not as what they counted in the epoch:
//! a rotation never makes them go down. A gauge is what it is now. One that each process has a share
//! of shows what it was declared to show, and nothing where it is the smallest or largest of none.
//!
//! **Names.** OpenMetrics wants a counter to be called `jobs_total` and its family `jobs`, an info
//! metric `build_info` and its family `build`. The counter `jobs_total` is therefore exposed under
//! its own name, and `commit_success` as `commit_success_total`. Where two would get the same name, or
//! a name that the other's family has reserved, the one that was created first has it and the other
//! gets a number: `jobs_2_total`. So a name that was exposed keeps its meaning. A name that begins
//! with an underscore, which OpenMetrics reserves, gets `deespec` in front of it. The help text says
//! the original name in both cases.
//!
//! **Labels.** A label with an empty value is the same as no label, for Prometheus and OpenMetrics:
//! it is left out. Series that thereby become one are added up; of gauges the first one is shown, in
//! the order of the label sets.
//!
//! **What is left out.** Exemplars: a cell has no room for one. Timestamps: a sample is as old as
//! the answer. The rest of the reasons is in
//! `docs/design/0019-exposition.md` and `0020-formats-and-their-histograms.md`.
//!
//! **Publish durably.** Whoever answers a scrape shows values that must not go back after a power
//! loss: read the view, then flush, then show what was read.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! use deespec::{Store, exposition::negotiate};
//!
//! let store = Store::open(folder.path().join("var"))?;
//! store.counter_with("jobs_total", &[("queue", "mail")])?.add(3);
//!
//! let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
//! let format = negotiate(Some(accept));
//! let view = store.view()?;
//! store.flush()?;
//! let text = String::from_utf8(format.encode(&view))?;
//! assert!(text.contains("# TYPE jobs counter\njobs_total{queue=\"mail\"} 3\n"));
//! assert!(text.ends_with("# EOF\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod family;
mod naming;
mod negotiation;
mod number;
pub mod openmetrics;
pub mod prometheus;
pub mod protobuf;
mod samples;
mod text;

pub use negotiation::{Format, negotiate};
