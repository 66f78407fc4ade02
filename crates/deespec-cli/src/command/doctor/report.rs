//! The doctor's report, as one JSON object or as text.

use std::path::Path;

use deespec::gate::{Judgement, Verdict};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::command::show::transactions;
use crate::ui::columns;

use super::{Examination, published};

/// Everything that the doctor says.
pub(crate) struct Report<'a> {
    pub(crate) examined: &'a Examination,
    pub(crate) path: &'a Path,
    pub(crate) judgement: Option<&'a Judgement>,
}

fn time(time: std::time::SystemTime) -> String {
    Timestamp::try_from(time)
        .map(|time| format!("{time:.0}"))
        .unwrap_or_default()
}

impl Report<'_> {
    pub(crate) fn to_json(&self) -> Value {
        let Examination {
            view,
            health,
            problems,
        } = self.examined;
        let counts = &view.transactions;
        let mut object = json!({
            "metrics": {
                "commit_success": counts.success,
                "commit_failed": counts.failed,
                "cas_conflicts": counts.conflicts,
                "recovery_count": counts.recoveries,
                "total_commits": counts.total_commits(),
                "success_rate_percent": counts.success_rate_percent(),
                "last_update": time(view.last_update),
            },
            "store": {
                "path": self.path,
                "id": health.store_id,
                "epoch": health.epoch,
                "epoch_started": time(view.epoch_started),
                "series": health.series,
                "segments": health.segments,
                "stripes": health.stripes,
                "disk_bytes": health.disk_bytes,
                "durable_lag_seconds": health.durable_lag.as_secs_f64(),
                "degraded": health.degraded,
                "metrics_json": published(health.published),
                "files_skipped": view.skipped,
            },
            "problems": problems,
        });
        if let Some(judgement) = self.judgement {
            object["thresholds"] = json!(judgement);
        }
        object
    }

    pub(crate) fn to_text(&self) -> String {
        let Examination {
            view,
            health,
            problems,
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

        let facts = [
            ("path", self.path.display().to_string()),
            (
                "epoch",
                format!("{} since {}", health.epoch, time(view.epoch_started)),
            ),
            (
                "series",
                format!("{} in {} segment(s)", health.series, health.segments),
            ),
            (
                "disk",
                format!(
                    "{} KiB, {} stripes",
                    health.disk_bytes / 1024,
                    health.stripes
                ),
            ),
            (
                "durable",
                format!("up to {:.1} s ago", health.durable_lag.as_secs_f64()),
            ),
            ("metrics.json", published(health.published).to_owned()),
            (
                "health",
                if problems.is_empty() {
                    "good".into()
                } else {
                    format!("{} problem(s)", problems.len())
                },
            ),
        ];
        let facts = facts.map(|(name, value)| vec![name.to_owned(), value]);
        text.push('\n');
        text.push_str(&columns(&["STORE", ""], &[], facts.to_vec()));
        for problem in problems {
            text.push_str(&format!("  ! {problem}\n"));
        }
        if let Some(judgement) = self.judgement {
            text.push('\n');
            text.push_str(&verdict(judgement));
        }
        text
    }
}

fn verdict(judgement: &Judgement) -> String {
    let word = match judgement.verdict() {
        Verdict::Pass => "PASS",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    };
    let source = judgement.config().source();
    let source = source.map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
    let mut text = format!("GATE {word}  (thresholds: {source})\n");
    for detail in judgement.details() {
        text.push_str(&format!(
            "  {:<12} {}\n",
            format!("{:?}", detail.verdict).to_lowercase(),
            detail.message
        ));
    }
    for warning in judgement.warnings() {
        if !judgement
            .details()
            .iter()
            .any(|detail| detail.message == *warning)
        {
            text.push_str(&format!("  {:<12} {warning}\n", "warn"));
        }
    }
    if judgement.details().is_empty() {
        text.push_str(&format!("  {}\n", judgement.summary()));
    }
    text
}
