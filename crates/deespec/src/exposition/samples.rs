//! The lines of a series, which are the same in both text formats.

use crate::metric::{Buckets, Distribution};

use super::family::{Family, Series, Shown};
use super::naming::suffix;
use super::number::{push_f64, push_u64};
use super::text::{push_labels, push_open_labels};

/// Which histograms show a sum, and with it the count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
    All,
    /// Those whose sum cannot go down: no bound is below zero, and the sum is not either.
    Growing,
}

/// Writes series. It keeps the `le` labels of the last histogram, since all series of a family have
/// the same.
pub(super) struct Samples {
    sums: Sums,
    buckets: Option<Buckets>,
    /// `le="0.5"} ` with the number of cells at or below that bound.
    edges: Vec<(String, usize)>,
    lowest: f64,
    /// What the lines of a histogram have in common: its name and labels up to the `le`.
    head: String,
}

impl Samples {
    pub(super) fn new(sums: Sums) -> Self {
        Self {
            sums,
            buckets: None,
            edges: Vec::new(),
            lowest: 0.0,
            head: String::new(),
        }
    }

    /// Writes the lines of a series, except for its time of creation.
    pub(super) fn push(&mut self, text: &mut String, family: &Family<'_>, series: &Series<'_>) {
        let suffix = suffix(family.kind);
        match &series.shown {
            Shown::Histogram(found) => self.push_histogram(text, family, series, found),
            Shown::Counter(total) => {
                push_name(text, family, suffix, series);
                push_u64(text, *total);
            }
            Shown::Gauge(value) => {
                push_name(text, family, suffix, series);
                push_f64(text, *value);
            }
            Shown::Fractions(total) | Shown::Sum(total) => {
                push_name(text, family, suffix, series);
                text.push_str(&total.to_string());
            }
            Shown::Summary(found) => {
                if self.sums == Sums::All || !found.sum.is_negative() {
                    push_name(text, family, "_sum", series);
                    text.push_str(&found.sum.to_string());
                    text.push('\n');
                }
                push_name(text, family, "_count", series);
                push_u64(text, found.count);
            }
            Shown::Info => {
                push_name(text, family, suffix, series);
                text.push('1');
            }
        }
        text.push('\n');
    }

    /// Writes the cumulative buckets, and the sum and the count where they may be shown. The last
    /// line is left open.
    fn push_histogram(
        &mut self,
        text: &mut String,
        family: &Family<'_>,
        series: &Series<'_>,
        found: &Distribution,
    ) {
        self.prepare(found.buckets());
        self.head.clear();
        self.head.push_str(&family.name);
        self.head.push_str("_bucket");
        // One more label follows.
        let has_labels = push_open_labels(&mut self.head, series);
        self.head.push(if has_labels { ',' } else { '{' });
        let (mut below, mut from) = (0_u64, 0);
        for (edge, cells) in &self.edges {
            let counts = found.counts().get(from..*cells).unwrap_or_default();
            below = counts.iter().copied().fold(below, u64::wrapping_add);
            from = *cells;
            text.push_str(&self.head);
            text.push_str(edge);
            push_u64(text, below);
            text.push('\n');
        }
        let count = found.count();
        text.push_str(&self.head);
        text.push_str("le=\"+Inf\"} ");
        push_u64(text, count);
        let grows = self.lowest >= 0.0 && found.sum() >= 0.0;
        if self.sums == Sums::All || grows {
            text.push('\n');
            push_name(text, family, "_sum", series);
            match found.wide_sum() {
                Some(sum) => text.push_str(&sum.to_string()),
                None => push_f64(text, found.sum()),
            }
            text.push('\n');
            push_name(text, family, "_count", series);
            push_u64(text, count);
        }
    }

    fn prepare(&mut self, buckets: &Buckets) {
        if self.buckets.as_ref() == Some(buckets) {
            return;
        }
        self.buckets = Some(buckets.clone());
        self.edges.clear();
        let bounds = buckets.text_bounds();
        self.lowest = bounds.first().map_or(0.0, |(bound, _)| *bound);
        for (bound, cells) in bounds {
            let mut edge = "le=\"".to_owned();
            push_f64(&mut edge, bound);
            edge.push_str("\"} ");
            self.edges.push((edge, cells));
        }
    }
}

/// Writes everything of a line that stands before its value.
pub(super) fn push_name(text: &mut String, family: &Family<'_>, suffix: &str, series: &Series<'_>) {
    text.push_str(&family.name);
    text.push_str(suffix);
    push_labels(text, series);
    text.push(' ');
}
