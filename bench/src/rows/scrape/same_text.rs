//! The crate `prometheus-client` with the same series, encoding the same text: its metrics are in the memory
//! of one process, so that it only writes what we read from a store first.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use deespec::exposition::openmetrics;
use deespec::{Sample, Value, View};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::Result;

type Labels = Vec<(String, String)>;

/// A registry that encodes what a view shows.
pub(super) struct SameText(Registry);

impl SameText {
    pub(super) fn of(view: &View) -> Result<Self> {
        let mut families: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
        for sample in view.samples() {
            families.entry(&sample.name).or_default().push(sample);
        }
        let mut registry = Registry::default();
        for (name, samples) in families {
            register(&mut registry, name, &samples)?;
        }
        let registry = Self(registry);
        // A quick answer would be no feat if lines were missing.
        let (ours, theirs) = (
            lines(&openmetrics::encode(view)),
            lines(&registry.encode()?),
        );
        if ours != theirs {
            let differ = ours
                .iter()
                .zip(&theirs)
                .find(|(ours, theirs)| ours != theirs);
            let (ours, theirs) = (ours.len(), theirs.len());
            return Err(format!(
                "{ours} lines are not the {theirs} of prometheus-client: {differ:?}"
            )
            .into());
        }
        Ok(registry)
    }

    pub(super) fn encode(&self) -> Result<String> {
        let mut text = String::new();
        encode(&mut text, &self.0)?;
        Ok(text)
    }
}

fn register(registry: &mut Registry, name: &str, samples: &[&Sample]) -> Result<()> {
    let first = samples.first().ok_or("a family without samples")?;
    let labels = |sample: &Sample| -> Labels {
        let pairs = sample.labels.iter();
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    match &first.value {
        Value::Counter(_) => {
            let family = Family::<Labels, Counter>::default();
            for sample in samples {
                let count = sample.total.counter().ok_or("a counter without a count")?;
                family.get_or_create(&labels(sample)).inc_by(count);
            }
            // It adds the ending itself.
            registry.register(name.strip_suffix("_total").unwrap_or(name), "", family);
        }
        Value::Histogram(found) => {
            let bounds: Vec<f64> = found
                .buckets()
                .text_bounds()
                .iter()
                .map(|(bound, _)| *bound)
                .collect();
            let new = move || Histogram::new(bounds.iter().copied());
            let family = Family::<Labels, Histogram, _>::new_with_constructor(new);
            for sample in samples {
                let found = sample
                    .total
                    .histogram()
                    .ok_or("a histogram without buckets")?;
                // One observation each, as our histograms here have.
                family.get_or_create(&labels(sample)).observe(found.sum());
            }
            registry.register(name, "", family);
        }
        _ => {
            let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
            for sample in samples {
                let value = sample.value.gauge().ok_or("a gauge without a value")?;
                family.get_or_create(&labels(sample)).set(value);
            }
            registry.register(name, "", family);
        }
    }
    Ok(())
}

/// The samples of a text without their values, which both write in their own way, as they order labels. We also
/// say when each series began, which it cannot.
fn lines(text: &str) -> Vec<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let heads = samples.filter_map(|line| Some(line.rsplit_once(' ')?.0));
    let mut heads: Vec<String> = heads
        .map(|head| head.split_once('{').unwrap_or((head, "")))
        .filter(|(name, _)| !name.ends_with("_created"))
        .map(|(name, labels)| {
            // No value here has a comma. A bound is a number, which each writes in its own way.
            let labels = labels.trim_end_matches('}').split(',');
            let is_bound = |label: &str| label.starts_with("le=");
            let named = labels.map(|label| if is_bound(label) { "le" } else { label });
            let mut labels: Vec<&str> = named.collect();
            labels.sort_unstable();
            format!("{name}{{{}}}", labels.join(","))
        })
        .collect();
    heads.sort_unstable();
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_differ_by_their_series_alone() {
        let ours =
            "# TYPE a counter\na_total{b=\"1\",c=\"2\"} 7\na_created{b=\"1\",c=\"2\"} 9\nd 0.1\n";
        let theirs = "a_total{c=\"2\",b=\"1\"} 7.0\nd{} 1e-1\n# EOF\n";
        assert_eq!(lines(ours), lines(theirs));
        assert_ne!(lines(ours), lines("a_total{c=\"2\",b=\"1\"} 7.0\n"));
    }
}
