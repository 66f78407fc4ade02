//! The table of `deespec show`: a line for each series, complete in itself, so that a pipe can search
//! it. On a terminal that is too narrow for that, the name of a family stands once above its series.

use deespec::{Family, Value, View};

use super::transactions;
use crate::ui::{columns, fits, titled};
use crate::values::{self, QUANTILES, about, are_mixed, exact, labels, processes};

/// A series as the table has it.
struct Line<'a> {
    name: &'a str,
    labels: String,
    value: &'a Value,
    unit: &'a str,
}

/// The series of a view, the four built-in ones first and histograms, which have other columns, last.
pub(super) fn render(view: &View, filter: Option<&str>, width: Option<usize>) -> String {
    let four = transactions(view).map(|(name, count)| (name, Value::Counter(count)));
    let built_in = four
        .iter()
        .filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter)))
        .map(|(name, value)| Line {
            name,
            labels: String::new(),
            value,
            unit: "",
        });
    let others = view.series.iter().map(|series| Line {
        name: &series.name,
        labels: labels(series.labels.iter()),
        value: &series.value,
        unit: view.family(&series.name).map_or("", Family::unit),
    });
    let (histograms, others): (Vec<Line>, Vec<Line>) = built_in
        .chain(others)
        .partition(|line| line.value.histogram().is_some());
    let flat = [flat(&others), flat_histograms(&histograms)].map(Vec::from_iter);
    let flat = flat.concat().join("\n");
    match width {
        Some(width) if !fits(&flat, width) => grouped(&others, &histograms, width),
        _ => flat,
    }
}

fn flat(lines: &[Line]) -> Option<String> {
    let mixed = are_mixed(lines.iter().map(|line| line.value));
    let rows = lines.iter().map(|line| {
        let mut row = vec![line.name.to_owned(), exact(line.value, line.unit)];
        row.extend(mixed.then(|| values::kind(line.value)));
        row.push(line.labels.clone());
        row
    });
    let header: &[&str] = if mixed {
        &["METRIC", "VALUE", "TYPE", "LABELS"]
    } else {
        &["COUNTER", "VALUE", "LABELS"]
    };
    (!lines.is_empty()).then(|| columns(header, &[1], rows.collect()))
}

fn flat_histograms(lines: &[Line]) -> Option<String> {
    let rows = lines.iter().map(|line| {
        let mut row = vec![line.name.to_owned()];
        row.extend(observed(line));
        row
    });
    let header = [&["HISTOGRAM"], &OBSERVED[..]].concat();
    let numbers = [1, 2, 3, 4, 5];
    (!lines.is_empty()).then(|| columns(&header, &numbers, rows.collect()))
}

const OBSERVED: [&str; 6] = ["COUNT", "MEAN", "P50", "P90", "P99", "LABELS"];

fn observed(line: &Line) -> Vec<String> {
    let Some(found) = line.value.histogram() else {
        return Vec::new();
    };
    let mean = found.mean();
    let mean = mean.map_or_else(|| "-".to_owned(), |mean| about(mean, line.unit));
    let mut row = vec![found.count().to_string(), mean];
    row.extend(QUANTILES.map(|q| values::quantile(found.quantile(q), line.unit)));
    row.push(line.labels.clone());
    row
}

/// Each family under its name. Those without labels have a line each, as in the flat form.
fn grouped(others: &[Line], histograms: &[Line], width: usize) -> String {
    let is_alone = |line: &Line| line.labels.is_empty();
    let together = |one: &Line, next: &Line| {
        one.name == next.name && !is_alone(one) || is_alone(one) && is_alone(next)
    };
    let values = others.iter().map(|line| exact(line.value, line.unit));
    let widest = values.map(|value| value.chars().count()).max().unwrap_or(0);
    let others = others.chunk_by(together).map(|group| match group {
        [first, ..] if !is_alone(first) => {
            let rows = group.iter().map(|line| {
                let value = format!("{:>widest$}", exact(line.value, line.unit));
                let shares = processes(line.value).into_iter();
                let rest = shares.chain([line.labels.clone()]);
                std::iter::once(value).chain(rest).collect()
            });
            titled(&title(first), &[], &[0], rows.collect(), width)
        }
        alone => flat(alone).unwrap_or_default(),
    });
    let histograms = histograms.chunk_by(|one, next| one.name == next.name);
    let histograms = histograms.filter_map(|group| {
        let rows = group.iter().map(observed).collect();
        let numbers = [0, 1, 2, 3, 4];
        let title = title(group.first()?);
        Some(titled(&title, &OBSERVED, &numbers, rows, width))
    });
    others.chain(histograms).collect::<Vec<_>>().join("\n")
}

fn title(line: &Line) -> String {
    format!("{}  {}", line.name, line.value.kind().as_str())
}
