//! What a run says of a metric.

use crate::gate::history::Run;
use crate::gate::rules::Metric;

/// The value of a metric in a run; of a share, the good part of all. `None` where it was not measured.
pub(super) fn metric_value(metric: &Metric, run: &Run) -> Option<f64> {
    let value = match metric {
        Metric::One(term) => run.value(term.text())?,
        Metric::Share { good, bad } => {
            let (good, bad) = (run.value(good.text()), run.value(bad.text()));
            let (good, bad) = match (good, bad) {
                (None, None) => return None,
                (good, bad) => (good.unwrap_or_default(), bad.unwrap_or_default()),
            };
            good / (good + bad)
        }
    };
    value.is_finite().then_some(value)
}
