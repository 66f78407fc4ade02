//! The labelled series: runs of CI with and without a shift, and the Turing Change Point Dataset with what five
//! people marked in each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Result;

/// A series of measurements of CI.
pub(crate) struct Labelled {
    pub(crate) kind: String,
    pub(crate) values: Vec<f64>,
    /// The first run of the new level.
    pub(crate) shift_at: Option<usize>,
}

/// A series that people have marked.
pub(crate) struct Annotated {
    pub(crate) values: Vec<f64>,
    /// What each of them has marked.
    pub(crate) marks: Vec<Vec<usize>>,
}

pub(crate) fn labelled(folder: &Path) -> Result<Vec<Labelled>> {
    let labels: BTreeMap<String, Value> = json(&folder.join("labels.json"))?;
    let one = |(name, label): (&String, &Value)| {
        let path = folder.join(format!("{name}.jsonl"));
        let lines = text(&path)?;
        let values = lines.lines().map(|line| {
            let run: Value = serde_json::from_str(line)?;
            run["value"]
                .as_f64()
                .ok_or_else(|| format!("{}: a run without a value", path.display()).into())
        });
        Ok(Labelled {
            kind: label["kind"].as_str().unwrap_or_default().to_owned(),
            values: values.collect::<Result<_>>()?,
            shift_at: label["shift_at"].as_u64().map(|at| at as usize),
        })
    };
    labels.iter().map(one).collect()
}

pub(crate) fn annotated(folder: &Path) -> Result<Vec<Annotated>> {
    let annotations: BTreeMap<String, BTreeMap<String, Vec<usize>>> =
        json(&folder.join("annotations.json"))?;
    let mut all = Vec::new();
    for (name, marks) in annotations {
        let path = folder.join(format!("{name}.json"));
        if !path.exists() {
            continue;
        }
        let series: Value = json(&path)?;
        let raw = series["series"][0]["raw"]
            .as_array()
            .ok_or("a series without values")?;
        let mut values: Vec<f64> = Vec::new();
        for value in raw {
            // What was not measured is as it was before.
            let before = values.last().copied().unwrap_or_default();
            values.push(value.as_f64().unwrap_or(before));
        }
        all.push(Annotated {
            values,
            marks: marks.into_values().collect(),
        });
    }
    Ok(all)
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&text(path)?)
        .map_err(|error| format!("{}: {error}", path.display()).into())
}
