//! What the doctor says of each histogram: how much it observed, and what its quantiles are for sure.

use deespec::{Distribution, Family, LabelSet, Quantile, View};
use serde::Serialize;

use crate::ui::{columns, fits, titled};
use crate::values::{self, QUANTILES, bounds};

/// A histogram as scripts read it.
#[derive(Serialize)]
pub(super) struct Histogram<'a> {
    name: &'a str,
    labels: &'a LabelSet,
    count: u64,
    sum: f64,
    quantiles: Quantiles,
}

/// `null` where nothing was observed.
#[derive(Serialize)]
struct Quantiles {
    p50: Option<Estimate>,
    p90: Option<Estimate>,
    p99: Option<Estimate>,
}

/// A quantile and the bounds of its bucket; `null` for no bound.
#[derive(Serialize)]
struct Estimate {
    value: f64,
    lower: f64,
    upper: f64,
}

impl From<Quantile> for Estimate {
    fn from(found: Quantile) -> Self {
        Self {
            value: found.value,
            lower: found.lower,
            upper: found.upper,
        }
    }
}

fn all(view: &View) -> impl Iterator<Item = (&str, &LabelSet, &Distribution)> {
    view.series.iter().filter_map(|series| {
        let found = series.value.histogram()?;
        Some((series.name.as_str(), &series.labels, found))
    })
}

pub(super) fn to_json(view: &View) -> Vec<Histogram<'_>> {
    let histogram = |(name, labels, found): (_, _, &Distribution)| {
        let [p50, p90, p99] = QUANTILES.map(|q| found.quantile(q).map(Estimate::from));
        Histogram {
            name,
            labels,
            count: found.count(),
            sum: found.sum(),
            quantiles: Quantiles { p50, p90, p99 },
        }
    };
    all(view).map(histogram).collect()
}

/// The bounds of the quantiles of all histograms; `None` where there are none. As in `deespec show`,
/// the name of a family stands once above its series where lines would be longer than the width.
pub(super) fn to_text(view: &View, width: Option<usize>) -> Option<String> {
    let all: Vec<(&str, Vec<String>)> = all(view)
        .map(|(name, labels, found)| {
            let unit = view.family(name).map_or("", Family::unit);
            let mut row = vec![found.count().to_string()];
            row.extend(QUANTILES.map(|q| bounds(found.quantile(q), unit)));
            row.push(values::labels(labels.iter()));
            (name, row)
        })
        .collect();
    let rows = all.iter().map(|(name, row)| {
        let name = vec![(*name).to_owned()];
        [name, row.clone()].concat()
    });
    let header = ["HISTOGRAM", "COUNT", "P50", "P90", "P99", "LABELS"];
    let flat = columns(&header, &[1, 2, 3, 4], rows.collect());
    let grouped = |width| {
        let families = all.chunk_by(|(one, _), (next, _)| one == next);
        let titled = families.filter_map(|family| {
            let rows = family.iter().map(|(_, row)| row.clone());
            let numbers = [0, 1, 2, 3];
            let title = format!("{}  histogram", family.first()?.0);
            Some(titled(
                &title,
                &header[1..],
                &numbers,
                rows.collect(),
                width,
            ))
        });
        titled.collect::<Vec<_>>().join("\n")
    };
    (!all.is_empty()).then(|| match width {
        Some(width) if !fits(&flat, width) => grouped(width),
        _ => flat,
    })
}
