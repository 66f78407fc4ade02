//! The body of one push: some families, as text.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use crate::metric::{Distribution, Family, Kind, LabelSet, Value};
use crate::store::StoreId;

use super::super::openmetrics::{FRACTIONS, PUSH_SERIES_MAX};
use super::base::PushBase;
use super::{Key, Total};

/// A part has about so many bytes: half of what a server takes, and what it waits for is short.
const PART_BYTES: usize = 512 << 10;
/// About so many bytes has a sample without its name and labels.
const SAMPLE_BYTES: usize = 40;
// A part has no more series than a push may have, however short they are.
const _: () = assert!(PART_BYTES / SAMPLE_BYTES < PUSH_SERIES_MAX);

/// The name in which a push says which one it is, and the store that it is of.
const MARK: &str = "deespec_push_";

/// How many times of creation a part tells of a text that does not say which store it is of. A store knows its own by
/// one of them.
const TOLD: usize = 16;

/// The body of one push.
#[derive(Debug, Clone)]
pub struct PushPart {
    of: Option<StoreId>,
    format: Format,
    families: Vec<Piece>,
}

/// In which form something can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    OpenMetrics,
    /// It has no units and no info metrics. It has sums that go down, and a counter beside a gauge of its name.
    Prometheus,
}

/// Series of one family.
#[derive(Debug, Clone)]
struct Piece {
    name: String,
    kind: Kind,
    help: String,
    unit: String,
    series: Vec<More>,
}

/// What is more of a series, and what it is in all then.
#[derive(Debug, Clone)]
struct More {
    labels: LabelSet,
    value: Value,
    total: Total,
}

/// Whether a text is a push of this very store's counts, which would be counted twice with each push.
pub(in crate::snapshot) fn is_of(text: &[u8], store: StoreId) -> bool {
    let mark = format!("# TYPE {MARK}{store}_");
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(mark.as_bytes()))
}

/// Everything there is more of, as parts.
pub(super) fn parts(
    of: Option<StoreId>,
    more: &BTreeMap<&Key, (Value, &Total)>,
    declared: &BTreeMap<String, Family>,
) -> Vec<PushPart> {
    let families = families(more, declared);
    let mut names: HashMap<String, u32> = HashMap::new();
    for name in families.iter().flat_map(Piece::names) {
        *names.entry(name).or_default() += 1;
    }
    let is_alone = |piece: &Piece| piece.names().iter().all(|name| names.get(name) == Some(&1));
    let (open, plain): (Vec<Piece>, Vec<Piece>) = families
        .into_iter()
        .partition(|piece| piece.kind == Kind::Info || !piece.sinks() && is_alone(piece));
    let mut parts = Vec::new();
    for (format, families) in [(Format::OpenMetrics, open), (Format::Prometheus, plain)] {
        let mut room = 0;
        for family in families {
            let (head, series) = family.apart();
            let mut piece: Option<Piece> = None;
            for one in series {
                let bytes = one.bytes(&head.name);
                if room < bytes {
                    push_piece(&mut parts, piece.take());
                    let families = Vec::new();
                    parts.push(PushPart {
                        of,
                        format,
                        families,
                    });
                    room = PART_BYTES.max(bytes);
                }
                room -= bytes;
                let piece = piece.get_or_insert_with(|| head.clone());
                piece.series.push(one);
            }
            push_piece(&mut parts, piece);
        }
    }
    parts
}

fn push_piece(parts: &mut [PushPart], piece: Option<Piece>) {
    if let (Some(part), Some(piece)) = (parts.last_mut(), piece) {
        part.families.push(piece);
    }
}

fn families(
    more: &BTreeMap<&Key, (Value, &Total)>,
    declared: &BTreeMap<String, Family>,
) -> Vec<Piece> {
    let mut families: Vec<Piece> = Vec::new();
    for ((name, labels), (value, total)) in more {
        let kind = value.kind();
        let known = families.last().map(|last| (last.name.as_str(), last.kind));
        if known != Some((name.as_str(), kind)) {
            let declared = declared.get(name);
            families.push(Piece {
                name: name.clone(),
                kind,
                help: declared.map_or("", |family| family.help()).to_owned(),
                unit: declared.map_or("", |family| family.unit()).to_owned(),
                series: Vec::new(),
            });
        }
        if let Some(last) = families.last_mut() {
            last.series.push(More {
                labels: labels.clone(),
                value: value.clone(),
                total: (*total).clone(),
            });
        }
    }
    families
}

impl PushPart {
    /// The text to be pushed. It says which push it is, by the store that it is of and something that no other push
    /// has: whoever has a copy of the writer's number must not get an answer that is not his.
    #[must_use]
    pub fn text(&self, unique: &str) -> String {
        let of = self
            .of
            .map_or_else(|| "text".to_owned(), |store| store.to_string());
        let mut text = format!("# TYPE {MARK}{of}_{unique} gauge\n");
        let mut told = match (self.of, self.format) {
            (None, Format::OpenMetrics) => TOLD,
            _ => 0,
        };
        for piece in &self.families {
            piece.write(&mut text, self.format, &mut told);
        }
        if self.format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }

    /// What is acknowledged with it: what its series are in all.
    #[must_use]
    pub fn totals(&self) -> PushBase {
        let series = self.families.iter().flat_map(|piece| {
            let one = |more: &More| {
                (
                    (piece.name.clone(), more.labels.clone()),
                    more.total.clone(),
                )
            };
            piece.series.iter().map(one)
        });
        let series: Vec<(Key, Total)> = series.collect();
        PushBase::of(series.iter().map(|(key, total)| (key, total)))
    }

    /// The names of its metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.families.iter().map(|piece| piece.name.as_str())
    }

    /// How many series it has.
    #[must_use]
    pub fn series(&self) -> usize {
        self.families.iter().map(|piece| piece.series.len()).sum()
    }

    /// The sum of all counters, but for those with fractions, and the number of all observations.
    #[must_use]
    pub fn counts(&self) -> u64 {
        let all = self.families.iter().flat_map(|piece| &piece.series);
        let count = |more: &More| match &more.value {
            Value::Counter(count) => *count,
            Value::Histogram(found) => found.count(),
            Value::Summary(found) => found.count,
            _ => 0,
        };
        all.map(count).fold(0, u64::saturating_add)
    }

    /// Two parts with half of the families each; `None` where there is one.
    #[must_use]
    pub fn halves(mut self) -> Option<(Self, Self)> {
        if self.families.len() < 2 {
            return None;
        }
        let families = self.families.split_off(self.families.len() / 2);
        let (of, format) = (self.of, self.format);
        let second = Self {
            of,
            format,
            families,
        };
        Some((self, second))
    }

    /// Whether a store takes it, as far as that can be told here.
    #[cfg(test)]
    pub(super) fn is_lawful(&self) -> bool {
        let text = self.text("1");
        use super::super::openmetrics::convert_pushed;
        let found = convert_pushed(text.as_bytes(), "it".as_ref(), |_| false);
        found.is_ok_and(|found| found.passed_over.is_empty())
    }
}

impl Piece {
    /// Its head alone, and its series.
    fn apart(mut self) -> (Self, Vec<More>) {
        let series = std::mem::take(&mut self.series);
        (self, series)
    }

    /// Whether it has a sum that may go down, which OpenMetrics forbids.
    fn sinks(&self) -> bool {
        let sinks = |found: &Distribution| {
            let lowest = found.buckets().classic_bounds().and_then(|all| all.first());
            lowest.is_some_and(|lowest| *lowest < 0.0) || found.sum() < 0.0
        };
        self.series.iter().any(|more| match &more.value {
            Value::Histogram(found) => sinks(found),
            Value::Summary(found) => found.sum.is_negative(),
            _ => false,
        })
    }

    /// What it is called in OpenMetrics, without what stands behind the names of its samples.
    fn base(&self) -> &str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram | Kind::Summary => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(&self.name)
    }

    /// All names that it has to itself in OpenMetrics.
    fn names(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            Kind::Counter => &["", "_total", "_created"],
            Kind::Info => &["", "_info"],
            Kind::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
            Kind::Summary => &["", "_count", "_sum", "_created"],
            Kind::Gauge => &[""],
        };
        let base = self.base();
        suffixes
            .iter()
            .map(|suffix| format!("{base}{suffix}"))
            .collect()
    }

    /// Writes it, and up to so many times of creation.
    fn write(&self, text: &mut String, format: Format, told: &mut usize) {
        let is_open = format == Format::OpenMetrics;
        let family = if is_open { self.base() } else { &self.name };
        let has_fractions = |more: &More| match &more.value {
            Value::Fractions(_) => true,
            Value::Histogram(found) => found.wide_sum().is_some(),
            _ => false,
        };
        if self.series.iter().any(has_fractions) {
            line(text, &["# TYPE ", FRACTIONS, &self.name, " gauge"]);
        }
        line(text, &["# TYPE ", family, " ", self.kind.as_str()]);
        // A unit that the name does not end in is none there.
        let has_unit = family
            .strip_suffix(self.unit.as_str())
            .is_some_and(|rest| rest.ends_with('_'));
        if is_open && !self.unit.is_empty() && has_unit && self.kind != Kind::Info {
            line(text, &["# UNIT ", family, " ", &self.unit]);
        }
        if !self.help.is_empty() {
            line(
                text,
                &["# HELP ", family, " ", &escaped(&self.help, is_open)],
            );
        }
        let name = match self.kind {
            Kind::Counter if is_open => format!("{family}_total"),
            _ => self.name.clone(),
        };
        for more in &self.series {
            more.write(text, &name);
            let created = more.total.created.filter(|_| *told > 0);
            if let (Some(at), Kind::Counter | Kind::Histogram) = (created, self.kind) {
                line(
                    text,
                    &[family, "_created", &more.braced(), " ", &number(at)],
                );
                *told -= 1;
            }
        }
    }
}

impl More {
    fn labels(&self) -> String {
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true)))
            .collect();
        labels.join(",")
    }

    fn braced(&self) -> String {
        match self.labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", self.labels()),
        }
    }

    fn write(&self, text: &mut String, name: &str) {
        let (labels, braced) = (self.labels(), self.braced());
        match &self.value {
            Value::Counter(count) => line(text, &[name, &braced, " ", &count.to_string()]),
            Value::Fractions(sum) => line(text, &[name, &braced, " ", &sum.to_string()]),
            Value::Summary(found) => {
                line(text, &[name, "_sum", &braced, " ", &found.sum.to_string()]);
                line(
                    text,
                    &[name, "_count", &braced, " ", &found.count.to_string()],
                );
            }
            Value::Gauge(value) => line(text, &[name, &braced, " ", &number(*value)]),
            Value::Info => line(text, &[name, &braced, " 1"]),
            Value::Sum(sum) => line(text, &[name, &braced, " ", &sum.to_string()]),
            Value::Processes(_) => {}
            Value::Histogram(found) => {
                let before = if labels.is_empty() { "" } else { "," };
                let bounds = found.buckets().classic_bounds().unwrap_or_default();
                let bounds = bounds.iter().copied().chain([f64::INFINITY]);
                let mut below = 0_u64;
                for (bound, count) in bounds.zip(found.counts()) {
                    below = below.wrapping_add(*count);
                    let bound = number(bound);
                    // Writing to a text does not fail.
                    let _ = writeln!(
                        text,
                        "{name}_bucket{{{labels}{before}le=\"{bound}\"}} {below}"
                    );
                }
                let sum = found.wide_sum().map(|sum| sum.to_string());
                let sum = sum.unwrap_or_else(|| number(found.sum()));
                line(text, &[name, "_sum", &braced, " ", &sum]);
                line(text, &[name, "_count", &braced, " ", &below.to_string()]);
            }
        }
    }

    /// About how many bytes it has.
    fn bytes(&self, name: &str) -> usize {
        let labels = self
            .labels
            .iter()
            .map(|(name, value)| name.len() + value.len() + 8);
        let one = name.len() + labels.sum::<usize>() + SAMPLE_BYTES;
        let lines = match &self.value {
            Value::Histogram(found) => found.counts().len() + 2,
            Value::Summary(_) => 2,
            _ => 1,
        };
        one * lines
    }
}

fn line(text: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| text.push_str(part));
    text.push('\n');
}

/// A number that reads back as it is.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value if value.is_nan() => "NaN".to_owned(),
        value => format!("{value:?}"),
    }
}

fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    match quotes {
        true => text.replace('"', "\\\""),
        false => text,
    }
}
