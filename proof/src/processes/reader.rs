//! The role that reads, over and over: a view, and `metrics.json` before it. It looks for what must
//! never be seen:
//!
//! - an epoch that is older than one that was seen before, in views and in documents alike;
//! - a value that is lower than before in the same epoch, or a series that is gone;
//! - more shares of a per-process gauge than writers live at once;
//! - a document that is ahead of the view that was read after it.
//!
//! `reader ROOT`: writes a line `EPOCH SUM` for each view, so that the parent can compare across
//! restarts, and a line that begins with `!` for each violation.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use deespec::{Document, Value};

use crate::audit::{Values, sum, values};
use crate::child::{argument, output};
use crate::opening::options;
use crate::{Result, ui};

/// How many processes hold shares at once, each of at most 1: the writers of `kills` and of `race`.
const WRITERS_MAX: u64 = 8;

/// What was seen last from one source.
#[derive(Default)]
struct Seen {
    epoch: u64,
    values: Values,
}

impl Seen {
    fn of(document: &Document, violations: &mut Vec<String>) -> Self {
        Self {
            epoch: document.epoch.unwrap_or(0),
            values: values(document, violations),
        }
    }

    /// Whether `self` could be seen after `before`.
    fn follows(&self, before: &Self, what: &str, violations: &mut Vec<String>) {
        if self.epoch < before.epoch {
            violations.push(format!(
                "{what}: epoch {} was seen after epoch {}",
                self.epoch, before.epoch
            ));
        }
        if self.epoch != before.epoch {
            return;
        }
        for (key, old) in &before.values {
            match self.values.get(key) {
                Some(new) if new >= old => {}
                new => violations.push(format!(
                    "{what}: {key} fell from {old} to {new:?} in epoch {}",
                    self.epoch
                )),
            }
        }
    }
}

pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let mut reader = Reader::open(root)?;
    let mut out = output()?;
    loop {
        out.write_all(reader.look()?.as_bytes())?;
    }
}

/// A reader with its memory of what it saw.
pub(crate) struct Reader {
    store: deespec::Store,
    document: Seen,
    view: Seen,
    /// The highest sum over all series that was seen in each epoch.
    pub(crate) highest: BTreeMap<u64, u64>,
}

impl Reader {
    pub(crate) fn open(root: PathBuf) -> Result<Self> {
        Ok(Self {
            store: options().open(root)?,
            document: Seen::default(),
            view: Seen::default(),
            highest: BTreeMap::new(),
        })
    }

    /// Reads once; gives the lines for the parent.
    pub(crate) fn look(&mut self) -> Result<String> {
        let mut violations = Vec::new();
        let path = self.store.path().join("metrics.json");
        if path.exists() {
            match Document::read(&path) {
                Ok(document) => {
                    let document = Seen::of(&document, &mut violations);
                    document.follows(&self.document, "metrics.json", &mut violations);
                    self.document = document;
                }
                Err(error) => violations.push(ui::chain(&error)),
            }
        }
        let view = self.store.view()?;
        for sample in &view.series {
            if let Value::Processes(shares) = &sample.value
                && (shares.count > WRITERS_MAX || shares.sum > shares.count as f64)
            {
                violations.push(format!("{} has shares {shares:?}", sample.name));
            }
        }
        let view = Seen::of(&view.to_document(), &mut violations);
        view.follows(&self.view, "view", &mut violations);
        view.follows(&self.document, "view after metrics.json", &mut violations);
        self.view = view;
        let mut lines: String = violations
            .into_iter()
            .map(|what| format!("!{what}\n"))
            .collect();
        let sum = sum(&self.view.values);
        let highest = self.highest.entry(self.view.epoch).or_default();
        *highest = sum.max(*highest);
        lines.push_str(&format!("{} {sum}\n", self.view.epoch));
        Ok(lines)
    }
}
