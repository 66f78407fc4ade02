//! What a source has counted in all, and what of it is still to be pushed. Pure: no file, no clock, no connection.
//!
//! A source is a text of another program or a view of a store. What was acknowledged of it is its [`PushBase`]; what is
//! more by now becomes [`PushPart`]s, each the body of one push. Differences are taken in whole numbers, of sums in
//! billionths or in the steps of their histogram: so whatever is rounded is rounded once, and the parts add up to the total.

mod base;
mod part;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::metric::{
    Buckets, Distribution, Family, Kind, LabelSet, TRANSACTIONS, Value, check_reserved,
};
use crate::store::StoreId;

use super::openmetrics::{Converted, convert_totals};
use super::outside;
use super::own;
use super::push::PushError;
use super::view::View;

use base::Known;

pub use base::PushBase;
pub use part::PushPart;

pub(super) use part::is_of;

/// What a source has counted in all, at one moment.
///
/// ```
/// use deespec::{PushBase, Totals};
///
/// let mut base = PushBase::default();
/// let first = Totals::of_text(b"# TYPE jobs counter\njobs_total 3\n# EOF\n")?;
/// for part in first.since(&base)?.parts {
///     assert!(part.text("1").contains("jobs_total 3\n"));
///     base.absorb(part.totals());
/// }
/// let second = Totals::of_text(b"# TYPE jobs counter\njobs_total 5\n# EOF\n")?;
/// assert!(second.since(&base)?.parts[0].text("2").contains("jobs_total 2\n"));
/// # Ok::<(), deespec::PushError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// The store that says that these are its counts.
    store: Option<StoreId>,
    series: BTreeMap<Key, Total>,
    /// Unit and help.
    families: BTreeMap<String, Family>,
    /// What cannot be pushed, one sentence each.
    passed_over: Vec<String>,
    /// What is pushed otherwise than it stands in the text, one sentence each.
    noted: Vec<String>,
}

/// What is to be pushed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Unpushed {
    /// The bodies of as many pushes, in the order in which they are to be sent.
    pub parts: Vec<PushPart>,
    /// What cannot be pushed, one sentence each.
    pub passed_over: Vec<String>,
    /// What is pushed otherwise than it stands in the text, such as a sum with fewer digits; and sums that are not
    /// what their buckets can hold. One sentence each.
    pub noted: Vec<String>,
}

type Key = (String, LabelSet);

#[derive(Debug, Clone, PartialEq)]
struct Total {
    value: Value,
    /// When the series began, in seconds since 1970.
    created: Option<f64>,
}

impl Totals {
    /// Reads OpenMetrics or Prometheus text, as whoever is scraped exposes it.
    ///
    /// # Errors
    ///
    /// When the text is not lawful.
    pub fn of_text(text: &[u8]) -> Result<Self, PushError> {
        let converted = convert_totals(text, Path::new("the text")).map_err(PushError::of_text)?;
        let Converted {
            document,
            families,
            passed_over,
            noted,
            created,
            ..
        } = converted;
        let begun = created.into_iter();
        let mut begun: BTreeMap<Key, f64> = begun.map(|(name, of, at)| ((name, of), at)).collect();
        let mut totals = Self {
            store: own::marked(text),
            passed_over,
            noted,
            ..Self::default()
        };
        for amount in document.into_amounts() {
            // A document has the four built-in counters in any case.
            let is_nothing = amount.value == Value::Counter(0) && amount.labels.is_empty();
            if is_nothing && TRANSACTIONS.contains(&&*amount.name) {
                continue;
            }
            let key = (amount.name, amount.labels);
            let created = begun.remove(&key);
            let value = amount.value;
            totals.series.insert(key, Total { value, created });
        }
        let named = families.into_iter();
        totals.families = named.map(|one| (one.name().to_owned(), one)).collect();
        totals.leave_out_ours();
        Ok(totals)
    }

    /// What a store has counted since it was made, over all its epochs, under the names that a scrape gives it.
    #[must_use]
    pub fn of_view(view: &View) -> Self {
        let mut totals = Self {
            store: Some(view.store_id),
            passed_over: view.skipped.clone(),
            ..Self::default()
        };
        let mut samples: Vec<_> = view
            .samples()
            .map(|sample| (exposed(&sample.name, sample.total.kind()), sample))
            .collect();
        // Whoever is called as it is exposed has the name.
        samples.sort_by_key(|(name, sample)| *name != sample.name);
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for (name, sample) in samples {
            let owner = owners.entry(name.clone()).or_insert(&sample.name);
            if *owner != sample.name {
                let known = &sample.name;
                totals.pass_over(format!(
                    "{known} is passed over: it would be {name}, which is another metric here"
                ));
                continue;
            }
            let value = match &sample.total {
                Value::Processes(shares) => shares.value().map(Value::Gauge),
                // Whoever is pushed to sets it, as any gauge.
                Value::Sum(sum) => Some(Value::Gauge(sum.to_f64())),
                Value::Histogram(found) => match classic(found) {
                    Ok(found) => Some(Value::Histogram(found)),
                    Err(reason) => {
                        totals.pass_over(format!("{name} is passed over: {reason}"));
                        None
                    }
                },
                value => Some(value.clone()),
            };
            let Some(value) = value else { continue };
            if let Some(declared) = view.family(&sample.name) {
                let family = Family::of_shape(name.clone(), value.shape())
                    .with_help(declared.help())
                    .with_unit(declared.unit());
                totals.families.insert(name.clone(), family);
            }
            let since = sample.created.duration_since(UNIX_EPOCH);
            let created = since.ok().map(|since| since.as_secs_f64());
            totals.join(name, &sample.labels, Total { value, created });
        }
        totals.leave_out_ours();
        totals
    }

    /// What was counted since then, as the bodies of pushes.
    ///
    /// # Errors
    ///
    /// When a value is lower than what was pushed of it, though it says that it did not begin anew: the source is
    /// older than what was pushed, or was put back.
    pub fn since(&self, base: &PushBase) -> Result<Unpushed, PushError> {
        let mut passed_over = self.passed_over.clone();
        let mut told = BTreeSet::new();
        let mut more = BTreeMap::new();
        for (key, total) in &self.series {
            let value = match base.of_key(key) {
                None => total.value.clone(),
                Some(known) => match total.beyond(known) {
                    Known::Older => return Err(older(&key.0)),
                    Known::Same => continue,
                    Known::More(value) => value,
                },
            };
            if let Err(reason) = outside::check(&key.0, &value) {
                if told.insert(&key.0) {
                    passed_over.push(format!("{} is passed over: {reason}", key.0));
                }
                continue;
            }
            more.insert(key, (value, total));
        }
        Ok(Unpushed {
            parts: part::parts(self.store, &more, &self.families),
            passed_over,
            noted: self.noted.clone(),
        })
    }

    /// All that was counted so far, as if it had been pushed.
    #[must_use]
    pub fn to_base(&self) -> PushBase {
        PushBase::of(self.series.iter())
    }

    /// Adds a series that differs from others in labels without a value at most, which are none elsewhere.
    fn join(&mut self, name: String, labels: &LabelSet, total: Total) {
        let labels = match labels.values().any(str::is_empty) {
            true => labels
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            false => labels.clone(),
        };
        let key = (name, labels);
        let total = match self.series.get(&key) {
            None => total,
            Some(twin) => Total {
                value: twin.value.plus(&total.value),
                created: match (twin.created, total.created) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    _ => None,
                },
            },
        };
        self.series.insert(key, total);
    }

    /// With those names DeeSpec tells of itself, and nobody can push them.
    fn leave_out_ours(&mut self) {
        self.series
            .retain(|(name, _), _| check_reserved(name).is_ok());
    }

    fn pass_over(&mut self, sentence: String) {
        if !self.passed_over.contains(&sentence) {
            self.passed_over.push(sentence);
        }
    }
}

/// Under which name whoever is pushed to keeps a metric: what its text calls it.
fn exposed(name: &str, kind: Kind) -> String {
    let suffix = match kind {
        Kind::Counter if TRANSACTIONS.contains(&name) => "",
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram | Kind::Summary => "",
    };
    match name.strip_suffix(suffix) {
        Some(base) if !base.is_empty() => name.to_owned(),
        _ => format!("{name}{suffix}"),
    }
}

/// A histogram as a text shows it: a native one at every power of two.
fn classic(found: &Distribution) -> Result<Distribution, String> {
    if found.buckets().classic_bounds().is_some() {
        return Ok(found.clone());
    }
    let edges = found.buckets().text_bounds();
    let bounds = edges.iter().map(|(bound, _)| *bound);
    let buckets = Buckets::classic(bounds).map_err(|error| error.to_string())?;
    let ends = edges.iter().map(|(_, cells)| *cells);
    let mut from = 0;
    let counts = ends.chain([found.counts().len()]).map(|to| {
        let cells = found.counts().get(from..to).unwrap_or_default();
        from = to;
        cells.iter().copied().fold(0, u64::wrapping_add)
    });
    let counts = counts.collect();
    match found.wide_sum() {
        Some(sum) => Ok(Distribution::wide(buckets.in_billionths(), counts, sum)),
        None => Distribution::of_sum(buckets, counts, found.sum()),
    }
}

fn older(name: &str) -> PushError {
    let reason = format!(
        "{name} is lower than what was pushed of it, and says that it did not begin anew: this is older than what was \
         pushed, or was put back"
    );
    PushError::Refused { reason }
}
