//! Families: what is declared about all series of one name, and whether two declarations agree.

mod form;

use super::buckets::{Bounds, Buckets};
use super::kind::{Aggregation, Kind, Shape};
use super::name::{LABELS_MAX, MetricError, check_label_name, check_metric_name};

/// Label sets that a family may have unless it is declared otherwise.
pub(crate) const DEFAULT_LIMIT: u32 = 2000;
/// Longest help text, in bytes.
pub(crate) const HELP_MAX: usize = 1024;
/// Longest unit, in bytes.
const UNIT_MAX: usize = 63;
/// The label of the series that takes what is beyond the limit; its value is `true`.
pub(crate) const OVERFLOW_LABEL: &str = "deespec_overflow";
/// Counts the lookups of label sets that were beyond a family's limit, for each family.
pub(crate) const OVERFLOW_TOTAL: &str = "deespec_overflow_total";

/// What is declared about all series of one name: their kind, unit, help text and label names.
///
/// A family that is used without a declaration has no unit and no help text, and its series may
/// have any labels.
///
/// ```
/// use deespec::{Buckets, Family};
/// # let folder = tempfile::tempdir()?;
/// # let store = deespec::Store::open(folder.path().join("var"))?;
/// let family = Family::histogram("commit_seconds", Buckets::seconds())
///     .with_unit("seconds")
///     .with_help("How long a commit takes.")
///     .with_labels(["branch"]);
/// store.declare(&family)?;
/// store.histogram_with("commit_seconds", &[("branch", "main")])?.observe(0.25);
/// assert!(store.histogram("commit_seconds").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    name: String,
    shape: Shape,
    unit: String,
    help: String,
    /// Sorted; `None` where any labels will do.
    labels: Option<Vec<String>>,
    limit: u32,
    /// Somebody declared it; else it came into being with its first series.
    declared: bool,
}

impl Family {
    /// A family that comes into being with its first series.
    pub(crate) fn implicit(name: &str, shape: Shape) -> Self {
        Self {
            name: name.to_owned(),
            shape,
            unit: String::new(),
            help: String::new(),
            labels: None,
            limit: DEFAULT_LIMIT,
            declared: false,
        }
    }

    /// A declared family of any shape.
    pub(crate) fn declare(name: impl Into<String>, shape: Shape) -> Self {
        Self {
            declared: true,
            ..Self::implicit(&name.into(), shape)
        }
    }

    /// Somebody's declaration of series of this shape.
    pub(crate) fn of_shape(name: String, shape: Shape) -> Self {
        Self::declare(name, shape)
    }

    /// The same, said by somebody, wherever it came from.
    pub(crate) fn into_declared(self) -> Self {
        Self {
            declared: true,
            ..self
        }
    }

    /// Counters.
    #[must_use]
    pub fn counter(name: impl Into<String>) -> Self {
        Self::declare(name, Shape::Counter)
    }

    /// Counters of amounts with fractions, such as seconds spent.
    #[must_use]
    pub fn fraction_counter(name: impl Into<String>) -> Self {
        Self::declare(name, Shape::FractionCounter)
    }

    /// Summaries: how much was observed, and its sum, without buckets.
    #[must_use]
    pub fn summary(name: impl Into<String>) -> Self {
        Self::declare(name, Shape::Summary)
    }

    /// Gauges that all processes share.
    #[must_use]
    pub fn gauge(name: impl Into<String>) -> Self {
        Self::declare(name, Shape::Gauge)
    }

    /// Gauges of which each live process has its own share. `aggregation` says what Prometheus sees.
    #[must_use]
    pub fn process_gauge(name: impl Into<String>, aggregation: Aggregation) -> Self {
        Self::declare(name, Shape::ProcessGauge(aggregation))
    }

    /// Gauges that are the sum of what all processes add to them, exact in any order.
    #[must_use]
    pub fn sum_gauge(name: impl Into<String>) -> Self {
        Self::declare(name, Shape::SumGauge)
    }

    /// Histograms with these buckets.
    #[must_use]
    pub fn histogram(name: impl Into<String>, buckets: Buckets) -> Self {
        Self::declare(name, Shape::Histogram(buckets))
    }

    /// Histograms with these buckets and a sum that is exact to a billionth, whatever they are: their
    /// [`Buckets::resolution`] is that from now on.
    #[must_use]
    pub fn wide_histogram(name: impl Into<String>, buckets: Buckets) -> Self {
        Self::declare(name, Shape::WideHistogram(buckets.in_billionths()))
    }

    /// Info metrics.
    #[must_use]
    pub fn info(name: impl Into<String>) -> Self {
        Self::declare(name, Shape::Info)
    }

    /// The unit, a base unit as Prometheus has them: `seconds`, `bytes`, `ratio`. The name must end
    /// in it: `commit_seconds`, `sent_bytes_total`.
    #[must_use]
    pub fn with_unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// What the metric means, in one sentence of at most 1,024 bytes.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The labels that each series must have, no more and no less.
    #[must_use]
    pub fn with_labels<L: Into<String>>(mut self, labels: impl IntoIterator<Item = L>) -> Self {
        let mut labels: Vec<String> = labels.into_iter().map(Into::into).collect();
        labels.sort_unstable();
        self.labels = Some(labels);
        self
    }

    /// How many label sets the family may have, 2,000 by default. Whatever is counted beyond goes to
    /// one series with the label `deespec_overflow="true"`, and `deespec_overflow_total` counts it.
    #[must_use]
    pub fn with_limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind that others see.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.shape.kind()
    }

    /// How its series are stored and read.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The unit; empty where there is none.
    #[must_use]
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The help text; empty where there is none.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The label names, sorted; `None` where any labels will do.
    #[must_use]
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// How many label sets it may have.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether somebody declared it; else it came into being with its first series.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        self.declared
    }

    /// Whether this can be stored.
    pub(crate) fn check(&self) -> Result<(), MetricError> {
        check_metric_name(&self.name)?;
        self.check_reserved_name()?;
        let wrong = |reason: String| MetricError::Declaration {
            name: self.name.clone(),
            reason,
        };
        if self.help.len() > HELP_MAX {
            return Err(wrong(format!(
                "its help text has {} bytes, at most {HELP_MAX} are allowed",
                self.help.len()
            )));
        }
        let unit = &self.unit;
        let base = self.name.strip_suffix("_total").unwrap_or(&self.name);
        let suffixed = base
            .strip_suffix(unit.as_str())
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('_'));
        if !unit.is_empty() && (unit.len() > UNIT_MAX || !suffixed) {
            return Err(wrong(format!(
                "its unit is {unit:?}, so its name must end in _{unit}"
            )));
        }
        if !unit.is_empty() && self.kind() == Kind::Info {
            return Err(wrong("an info metric has no unit".to_owned()));
        }
        let labels = self.labels.as_deref().unwrap_or_default();
        if labels.len() > LABELS_MAX {
            return Err(MetricError::TooManyLabels {
                count: labels.len(),
            });
        }
        for (index, label) in labels.iter().enumerate() {
            check_label_name(label)?;
            self.check_reserved(label)?;
            if index > 0 && labels[index - 1] == *label {
                return Err(MetricError::DuplicateLabel {
                    name: label.clone(),
                });
            }
        }
        Ok(())
    }

    /// Whoever goes beyond a limit must be able to count it.
    fn check_reserved_name(&self) -> Result<(), MetricError> {
        let labels = self.labels.as_deref();
        let fits = self.shape == Shape::Counter && labels.is_none_or(|labels| labels == ["family"]);
        if self.name == OVERFLOW_TOTAL && !fits {
            return Err(MetricError::Declaration {
                name: self.name.clone(),
                reason: "it is the counter of what is beyond a limit, with the label family"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Histograms have a label `le` of their own in every text format, and summaries one `quantile`.
    fn check_reserved(&self, label: &str) -> Result<(), MetricError> {
        if label == "le" && self.kind() == Kind::Histogram {
            return Err(MetricError::Declaration {
                name: self.name.clone(),
                reason: "a histogram cannot have a label le, which names its buckets".to_owned(),
            });
        }
        if label == "quantile" && self.kind() == Kind::Summary {
            return Err(MetricError::Declaration {
                name: self.name.clone(),
                reason: "a summary cannot have a label quantile, which others give a meaning"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Whether a series with these labels, sorted by name, belongs to the family.
    pub(crate) fn check_series(&self, labels: &[(&str, &str)]) -> Result<(), MetricError> {
        self.check_reserved_name()?;
        for (label, _) in labels {
            self.check_reserved(label)?;
        }
        let given = labels.iter().map(|(name, _)| *name);
        match &self.labels {
            Some(names) if !names.iter().map(String::as_str).eq(given.clone()) => {
                Err(MetricError::Labels {
                    name: self.name.clone(),
                    declared: names.join(", "),
                    given: given.collect::<Vec<_>>().join(", "),
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether the family may be used as `shape`.
    pub(crate) fn check_use(&self, shape: &Shape) -> Result<(), MetricError> {
        if std::mem::discriminant(&self.shape) == std::mem::discriminant(shape) {
            return Ok(());
        }
        Err(MetricError::Kind {
            name: self.name.clone(),
            existing: self.shape.describe(),
            wanted: shape.describe(),
        })
    }

    /// Whether series of `shape` can be stored in this family: as [`Family::check_use`], and with the
    /// same buckets or aggregation.
    pub(crate) fn check_shape(&self, shape: &Shape) -> Result<(), MetricError> {
        self.check_use(shape)?;
        match (&self.shape, shape) {
            (Shape::Histogram(first), Shape::Histogram(second)) => {
                self.check_same("buckets", first, second, ToString::to_string)
            }
            (Shape::WideHistogram(first), Shape::WideHistogram(second)) => {
                self.check_same("buckets", first, second, |it| Bounds(it).to_string())
            }
            (Shape::ProcessGauge(first), Shape::ProcessGauge(second)) => {
                self.check_same("aggregation", first, second, |it| it.as_str().to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether a second declaration says the same as this one, and else what each of them says.
    pub(crate) fn check_agrees(&self, second: &Self) -> Result<(), MetricError> {
        self.check_shape(&second.shape)?;
        if !self.declared {
            return Ok(());
        }
        let quoted = |text: &String| format!("{text:?}");
        let labels = |labels: &Option<Vec<String>>| match labels {
            Some(labels) => format!("[{}]", labels.join(", ")),
            None => "any".to_owned(),
        };
        self.check_same("unit", &self.unit, &second.unit, quoted)?;
        self.check_same("help", &self.help, &second.help, quoted)?;
        self.check_same("labels", &self.labels, &second.labels, labels)?;
        self.check_same("limit", &self.limit, &second.limit, u32::to_string)
    }

    fn check_same<T: PartialEq>(
        &self,
        what: &'static str,
        existing: &T,
        declared: &T,
        told: impl Fn(&T) -> String,
    ) -> Result<(), MetricError> {
        if existing == declared {
            return Ok(());
        }
        Err(MetricError::Disagrees {
            name: self.name.clone(),
            what,
            existing: told(existing),
            declared: told(declared),
        })
    }
}
