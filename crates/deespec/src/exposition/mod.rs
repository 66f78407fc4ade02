//! What Prometheus reads: a [`View`](crate::View) as OpenMetrics text or as Prometheus text.
//!
//! Pure functions over a view, one file a format; [`openmetrics`] and [`prometheus`] have the rules.
//! Both have the same series under the same names, so it does not matter which one a scraper chooses.
//!
//! **A counter is exposed as its lifetime total**, not as what it counted in the epoch: a rotation
//! never makes it go down.
//!
//! **Names.** OpenMetrics wants a counter to be called `jobs_total` and its family `jobs`. The counter
//! `jobs_total` is therefore exposed under its own name, and `commit_success` as
//! `commit_success_total`. Where two would get the same name, or a name that the other's family has
//! reserved, the one that was created first has it and the other gets a number: `jobs_2_total`. So a
//! name that was exposed keeps its meaning. A name that begins with an underscore, which OpenMetrics
//! reserves, gets `deespec` in front of it. The help text says the original name in both cases.
//!
//! **Labels.** A label with an empty value is the same as no label, for Prometheus and OpenMetrics:
//! it is left out, and series that thereby become one are exposed as their sum. The rest of the
//! reasons is in `docs/design/0019-exposition-of-counters.md`.
//!
//! **Publish durably.** Whoever answers a scrape shows values that must not go back after a power
//! loss: read the view, then flush, then show what was read.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! use deespec::{Store, exposition::openmetrics};
//!
//! let store = Store::open(folder.path().join("var"))?;
//! store.counter_with("jobs_total", &[("queue", "mail")])?.add(3);
//!
//! let view = store.view()?;
//! store.flush()?;
//! let text = openmetrics::encode(&view);
//! assert!(text.contains("# TYPE jobs counter\njobs_total{queue=\"mail\"} 3\n"));
//! assert!(text.ends_with("# EOF\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod family;
mod naming;
pub mod openmetrics;
pub mod prometheus;
mod text;
