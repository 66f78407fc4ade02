//! What is asked of a history.

use std::time::{Duration, SystemTime};

use crate::metric::{LabelSet, check_series};
use crate::snapshot::openmetrics::selected;
use crate::snapshot::time::system_time;
use crate::store::nanoseconds;

/// Most points, where nothing is said.
const POINTS: usize = 500;
/// How far a time of today may be from what a 64-bit floating-point number has of it, in nanoseconds.
const FLOAT: u64 = 500;

/// Which series, over which time, and how closely.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// let day = Duration::from_secs(86_400);
/// let query = deespec::HistoryQuery::new()
///     .series("jobs_total", &[("queue", "mail")])
///     .from(SystemTime::now() - day)
///     .points(100);
/// # let _ = query;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryQuery {
    pub(super) series: Vec<(String, LabelSet)>,
    pub(super) from: Option<u64>,
    pub(super) to: Option<u64>,
    pub(super) points: usize,
}

/// A text does not say which series is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no series, such as jobs_total or jobs_total{{queue=\"mail\"}}: {reason}")]
pub struct NotASeries {
    text: String,
    reason: String,
}

/// A text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no time, such as 1795417689 (seconds since 1970) or 2026-11-23T07:08:09Z (RFC 3339)"
)]
pub struct NotATime {
    text: String,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self {
            series: Vec::new(),
            from: None,
            to: None,
            points: POINTS,
        }
    }
}

impl HistoryQuery {
    /// All of the time, at most 500 points, and no series yet: only when the snapshots were taken.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a series too.
    #[must_use]
    pub fn series(mut self, name: &str, labels: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let labels = labels.iter().map(owned).collect();
        self.series.push((name.to_owned(), labels));
        self
    }

    /// Asks for a series too, by its name and labels as Prometheus selects them. Exactly one series is meant:
    /// one without further labels.
    ///
    /// # Errors
    ///
    /// When the text is no name with labels, or no series can have them.
    ///
    /// ```
    /// let query = deespec::HistoryQuery::new().select(r#"jobs_total{queue="mail"}"#)?;
    /// assert_eq!(query, deespec::HistoryQuery::new().series("jobs_total", &[("queue", "mail")]));
    /// # Ok::<(), deespec::NotASeries>(())
    /// ```
    pub fn select(mut self, text: &str) -> Result<Self, NotASeries> {
        let refused = |reason: String| NotASeries {
            text: text.to_owned(),
            reason,
        };
        let (name, labels) = selected(text).map_err(refused)?;
        let borrowed: Vec<(&str, &str)> = labels
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        check_series(name, &borrowed).map_err(|error| refused(error.to_string()))?;
        self.series
            .push((name.to_owned(), labels.into_iter().collect()));
        Ok(self)
    }

    /// Only snapshots that were taken at this time or later.
    #[must_use]
    pub fn from(self, time: SystemTime) -> Self {
        Self {
            from: Some(nanoseconds(time)),
            ..self
        }
    }

    /// Only snapshots that were taken at this time or before.
    #[must_use]
    pub fn to(self, time: SystemTime) -> Self {
        Self {
            to: Some(nanoseconds(time)),
            ..self
        }
    }

    /// As [`HistoryQuery::from`] and [`HistoryQuery::to`], by texts: seconds since 1970, which may have a fraction, or
    /// RFC 3339. A snapshot whose time, as a floating-point number, is a bound lies within it.
    ///
    /// # Errors
    ///
    /// When a text is neither.
    ///
    /// ```
    /// let query = deespec::HistoryQuery::new();
    /// assert!(query.clone().between(Some("2026-11-23T07:08:09Z"), Some("1795417690.5")).is_ok());
    /// assert!(query.between(Some("yesterday"), None).is_err());
    /// ```
    pub fn between(mut self, from: Option<&str>, to: Option<&str>) -> Result<Self, NotATime> {
        if let Some(text) = from {
            self.from = Some(time(text)?.0);
        }
        if let Some(text) = to {
            self.to = Some(time(text)?.1);
        }
        Ok(self)
    }

    /// The times between which snapshots are wanted.
    #[must_use]
    pub fn bounds(&self) -> (Option<SystemTime>, Option<SystemTime>) {
        (self.from.map(system_time), self.to.map(system_time))
    }

    /// At most this many points. Where there are more snapshots, those that close an epoch stay as far as there is
    /// room, and of the others the last of each of equal stretches of time.
    #[must_use]
    pub fn points(self, most: usize) -> Self {
        Self {
            points: most,
            ..self
        }
    }
}

/// The first and the last nanosecond that a text means.
fn time(text: &str) -> Result<(u64, u64), NotATime> {
    let refused = || NotATime {
        text: text.to_owned(),
    };
    if let Ok(seconds) = text.parse::<f64>() {
        let time = Duration::try_from_secs_f64(seconds).map_err(|_| refused())?;
        let ns = u64::try_from(time.as_nanos()).map_err(|_| refused())?;
        return Ok((ns.saturating_sub(FLOAT), ns.saturating_add(FLOAT)));
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| refused())?;
    let ns = u64::try_from(time.as_nanosecond()).map_err(|_| refused())?;
    Ok((ns, ns))
}
