//! `deespec export`: write the current epoch in a form for other programs.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use deespec::View;
use serde_json::json;

use crate::args::Cli;
use crate::command::show::transactions;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::Ui;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The object of metrics.json
    Json,
    /// One JSON object a series and line
    Jsonl,
    /// Comma-separated values (RFC 4180) with a header: name, labels as JSON, value
    Csv,
}

/// Write the current epoch in a form for other programs
///
/// What is exported is durable first.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec export csv --output counts.csv")]
pub(crate) struct Export {
    /// The form
    #[arg(value_enum)]
    format: Format,

    /// Write to this file, atomically, instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "export")?;
        let view = store.view()?;
        // An export must stay possible where the disk fails: it is how the counts are saved.
        if let Err(error) = store.flush() {
            ui.warn(
                "What is exported is not durable",
                vec![("reason", error.to_string())],
            );
        }
        let text = match self.format {
            Format::Json => view.to_json(),
            Format::Jsonl => jsonl(&view),
            Format::Csv => csv(&view),
        };
        match &self.output {
            None => ui.print(&text),
            Some(path) => write(path, &text).map_err(|error| {
                Failure::new(format!("cannot write {}: {error}", path.display()))
            })?,
        }
        Ok(Code::Done)
    }
}

/// Replaces a file as a whole.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Name, labels as a JSON object, and value of every series.
fn series(view: &View) -> impl Iterator<Item = (&str, serde_json::Value, u64)> {
    let four = transactions(view)
        .into_iter()
        .map(|(name, value)| (name, json!({}), value));
    let others = view
        .series
        .iter()
        .map(|s| (s.name.as_str(), json!(s.labels), s.value));
    four.chain(others)
}

fn jsonl(view: &View) -> String {
    let line = |(name, labels, value)| {
        format!(
            "{}\n",
            json!({ "name": name, "labels": labels, "value": value })
        )
    };
    series(view).map(line).collect()
}

fn csv(view: &View) -> String {
    let rows = series(view).map(|(name, labels, value)| {
        format!(
            "{name},\"{}\",{value}\r\n",
            labels.to_string().replace('"', "\"\"")
        )
    });
    std::iter::once("name,labels,value\r\n".to_owned())
        .chain(rows)
        .collect()
}
