//! The doctor's report, as one JSON object or as text.

use deespec::Health;
use deespec::gate::{self, DetailVerdict, Judgement};
use jiff::Timestamp;
use serde::Serialize;

use crate::command::show::transactions;
use crate::report;
use crate::ui::{columns, count, printable};
use crate::users;

use super::histograms::{self, Histogram};
use super::verdict::{Judged, Summary};
use super::{Examination, published};

/// Everything that the doctor says.
pub(crate) struct Report<'a> {
    pub(crate) examined: &'a Examination,
    /// The store's folder.
    pub(crate) path: String,
    pub(crate) judged: Option<&'a Judged>,
    /// How many characters a line of the terminal has; none where the text goes elsewhere.
    pub(crate) width: Option<usize>,
}

/// The report as scripts read it. The fields stand in the order in which a reader needs them.
#[derive(Serialize)]
pub(crate) struct Json<'a> {
    metrics: Metrics,
    store: Store<'a>,
    histograms: Vec<Histogram<'a>>,
    problems: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    thresholds: Option<Thresholds<'a>>,
    /// What each rule of a `gate.toml` says, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<&'a gate::Report>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Thresholds<'a> {
    Judged(&'a Judgement),
    Rules(&'a Summary),
}

#[derive(Serialize)]
struct Metrics {
    commit_success: u64,
    commit_failed: u64,
    cas_conflicts: u64,
    recovery_count: u64,
    total_commits: u64,
    success_rate_percent: Option<f64>,
    last_update: String,
}

#[derive(Serialize)]
struct Store<'a> {
    path: &'a str,
    place: Place<'a>,
    id: String,
    epoch: u64,
    epoch_started: String,
    series: usize,
    segments: usize,
    stripes: u32,
    owner: u32,
    shared_with: Option<u32>,
    mode: String,
    disk_bytes: u64,
    durable_lag_seconds: f64,
    degraded: bool,
    metrics_json: &'static str,
    files_skipped: &'a [String],
}

/// Where the store lies.
#[derive(Serialize)]
struct Place<'a> {
    class: &'static str,
    r#type: &'a str,
    reason: &'a str,
    accepted: Option<&'static str>,
}

fn time(time: std::time::SystemTime) -> String {
    Timestamp::try_from(time)
        .map(|time| format!("{time:.0}"))
        .unwrap_or_default()
}

impl Report<'_> {
    pub(crate) fn to_json(&self) -> Json<'_> {
        let Examination {
            view,
            health,
            place,
            problems,
            ..
        } = self.examined;
        let counts = &view.transactions;
        Json {
            metrics: Metrics {
                commit_success: counts.success,
                commit_failed: counts.failed,
                cas_conflicts: counts.conflicts,
                recovery_count: counts.recoveries,
                total_commits: counts.total_commits(),
                success_rate_percent: counts.success_rate_percent(),
                last_update: time(view.last_update),
            },
            store: Store {
                path: &self.path,
                place: Place {
                    class: place.class.as_str(),
                    r#type: &place.file_system,
                    reason: &place.reason,
                    accepted: place.accepted,
                },
                id: health.store_id.to_string(),
                epoch: health.epoch,
                epoch_started: time(view.epoch_started),
                series: health.series,
                segments: health.segments,
                stripes: health.stripes,
                owner: health.owner,
                shared_with: health.shared_with,
                mode: format!("{:04o}", health.mode),
                disk_bytes: health.disk_bytes,
                durable_lag_seconds: health.durable_lag.as_secs_f64(),
                degraded: health.degraded,
                metrics_json: published(self.examined),
                files_skipped: &view.skipped,
            },
            histograms: histograms::to_json(view),
            problems,
            thresholds: self.judged.map(|judged| match judged {
                Judged::Thresholds(judgement) => Thresholds::Judged(judgement),
                Judged::Rules { summary, .. } => Thresholds::Rules(summary),
            }),
            gate: self.judged.and_then(|judged| match judged {
                Judged::Thresholds(_) => None,
                Judged::Rules { report, .. } => Some(report),
            }),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let Examination {
            view,
            health,
            place,
            problems,
            ..
        } = self.examined;
        let counts = &view.transactions;
        let mut rows: Vec<Vec<String>> = transactions(view)
            .into_iter()
            .map(|(name, value)| vec![name.to_owned(), value.to_string()])
            .collect();
        rows.push(vec![
            "total_commits".into(),
            counts.total_commits().to_string(),
        ]);
        let rate = counts.success_rate_percent();
        let rate = rate.map_or_else(|| "n/a".to_owned(), |rate| format!("{rate:.2}%"));
        rows.push(vec!["success_rate".into(), rate]);
        let mut text = columns(&["METRIC", "VALUE"], &[1], rows);
        if let Some(histograms) = histograms::to_text(view, self.width) {
            text.push('\n');
            text.push_str(&histograms);
        }

        let facts = [
            ("path", self.path.clone()),
            ("place", place.to_string()),
            (
                "epoch",
                format!("{} since {}", health.epoch, time(view.epoch_started)),
            ),
            (
                "series",
                format!("{} in {}", health.series, count(health.segments, "segment")),
            ),
            (
                "disk",
                format!(
                    "{} KiB, {}",
                    health.disk_bytes / 1024,
                    count(health.stripes as usize, "stripe")
                ),
            ),
            (
                "durable",
                format!("up to {:.1} s ago", health.durable_lag.as_secs_f64()),
            ),
            ("metrics.json", published(self.examined).to_owned()),
            (
                "health",
                if problems.is_empty() {
                    "good".into()
                } else {
                    format!("{}, see below", count(problems.len(), "problem"))
                },
            ),
        ];
        let mut facts = facts
            .map(|(name, value)| vec![name.to_owned(), value])
            .to_vec();
        let unusual = access(health);
        facts.splice(1..1, unusual.map(|access| vec!["access".into(), access]));
        text.push('\n');
        text.push_str(&columns(&["STORE", ""], &[], facts));
        if !problems.is_empty() {
            text.push_str("\nPROBLEMS\n");
        }
        for problem in problems {
            text.push_str(&format!("  {}\n", printable(problem)));
        }
        if let Some(judged) = self.judged {
            text.push('\n');
            text.push_str(&verdict_text(judged, self.width));
        }
        text
    }
}

/// The verdict for people.
pub(super) fn verdict_text(judged: &Judged, width: Option<usize>) -> String {
    match judged {
        Judged::Thresholds(judgement) => verdict(judgement),
        Judged::Rules { report, .. } => report::text(report, width),
    }
}

/// The verdict as scripts read it, where there is no store.
#[derive(Serialize)]
pub(super) struct WithoutStore<'a> {
    metrics: Option<()>,
    store: Option<()>,
    thresholds: Option<&'a Summary>,
    gate: Option<&'a gate::Report>,
}

impl<'a> WithoutStore<'a> {
    pub(super) fn of(judged: &'a Judged) -> Self {
        let (thresholds, gate) = match judged {
            Judged::Thresholds(_) => (None, None),
            Judged::Rules { report, summary } => (Some(summary), Some(report)),
        };
        Self {
            metrics: None,
            store: None,
            thresholds,
            gate,
        }
    }
}

/// Who may use the store, where that is not its owner alone and its owner is not who asks.
fn access(health: &Health) -> Option<String> {
    let owner = users::user_name(health.owner);
    let mode = health.mode;
    if let Some(group) = health.shared_with {
        let group = users::group_name(group);
        return Some(format!(
            "made by {owner}, shared with group {group} (mode {mode:04o})"
        ));
    }
    let is_foreign = health.owner != rustix::process::geteuid().as_raw();
    (is_foreign || mode != 0o700).then(|| format!("of {owner} alone (mode {mode:04o})"))
}

fn verdict(judgement: &Judgement) -> String {
    let word = report::loud(judgement.verdict());
    let source = judgement.config().source();
    let source = source.map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
    let mut text = format!("GATE {word}  (thresholds: {})\n", printable(&source));
    let mut add = |word: &str, message: &str| {
        text.push_str(&format!("  {word}  {}\n", printable(message)));
    };
    for detail in judgement.details() {
        let word = match detail.verdict {
            DetailVerdict::Pass => "pass",
            DetailVerdict::Warn | DetailVerdict::Insufficient => "warn",
            DetailVerdict::Fail => "fail",
        };
        add(word, &detail.message);
    }
    // The details hold all warnings but the problems of the store, which come last.
    let told: Vec<&str> = judgement
        .details()
        .iter()
        .map(|detail| detail.message.as_str())
        .collect();
    for warning in judgement.warnings() {
        if !told.contains(&warning.as_str()) {
            add("warn", warning);
        }
    }
    if judgement.details().is_empty() {
        text.push_str(&format!("  {}\n", judgement.summary()));
    }
    text
}
