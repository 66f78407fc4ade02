//! `deespec export`: write the counts in a form for other programs.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use deespec::exposition::Format as Exposition;
use deespec::{Kind, LabelSet, Store, Value, View};
use serde::Serialize;

use crate::args::Cli;
use crate::command::show::transactions;
use crate::exit::{Code, FILE_LIMIT, Failure};
use crate::files;
use crate::location;
use crate::ui::Ui;
use crate::values::{exact, number};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Jsonl,
    Csv,
    Prometheus,
    Openmetrics,
    Protobuf,
}

const AFTER_HELP: &str = "\
Example:
  deespec export csv --output counts.csv
  deespec export prometheus --output /var/lib/prometheus/node-exporter/jobs.prom

Formats:
  json         the object of metrics.json
  jsonl        one line a series, each a JSON object as in metrics.json: name,
               type, labels, value
  csv          a header and one line a series: name, type, labels as JSON,
               value (RFC 4180); a histogram has two, NAME_count and NAME_sum
  prometheus   Prometheus text 0.0.4, also for node_exporter's textfiles
  openmetrics  OpenMetrics 1.0 text
  protobuf     Prometheus' messages io.prometheus.client.MetricFamily, each with
               its length before it: binary, with native histograms

The last three have everything ever counted, so that a rotation never makes a
counter go down; a new file of theirs can be read by every user, one of the
others by its owner alone. The counts are on the disk before they are exported.";

/// Write the counts for other programs
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Export {
    /// See below
    #[arg(value_enum)]
    format: Format,

    /// Write to this file, as a whole, and not to stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        if self.format == Format::Protobuf && self.output.is_none() && ui.is_terminal() {
            return Err(
                Failure::new("protobuf is binary and nothing for a terminal")
                    .hint("write it to a file with --output FILE, or into a pipe"),
            );
        }
        let store = location::open(cli, ui, "export")?;
        let view = store.view()?;
        make_durable(&store, ui);
        // What another user's program reads, and what is read by whoever exports it.
        let (content, scraped) = match self.format {
            Format::Prometheus => (Ok(Exposition::Prometheus.encode(&view)), true),
            Format::Openmetrics => (Ok(Exposition::OpenMetrics.encode(&view)), true),
            Format::Protobuf => (Ok(Exposition::Protobuf.encode(&view)), true),
            Format::Json => (Ok(view.to_json().into_bytes()), false),
            Format::Jsonl => (jsonl(&view).map(String::into_bytes), false),
            Format::Csv => (csv(&view).map(String::into_bytes), false),
        };
        let content = content.map_err(|error| Failure::new(format!("cannot export: {error}")))?;
        match &self.output {
            None => ui.bytes(&content),
            Some(path) => write(path, &content, scraped).map_err(|error| {
                let hint = match error.kind() {
                    io::ErrorKind::FileTooLarge => FILE_LIMIT,
                    _ => "give --output a file in a folder that exists and can be written",
                };
                Failure::new(format!("cannot write {}: {error}", path.display())).hint(hint)
            })?,
        }
        Ok(Code::Done)
    }
}

/// Makes durable what was read before and is shown now. An export must stay possible where the disk
/// fails: it is how the counts are saved.
pub(crate) fn make_durable(store: &Store, ui: &Ui) {
    if let Err(error) = store.flush() {
        ui.warn(
            "What is exported is not durable",
            vec![("reason", error.to_string())],
        );
    }
}

/// Replaces a file as a whole, so that nobody reads half of it. What is no regular file, such as a
/// pipe or /dev/stdout, is written to: replacing it would take it away from everybody else.
///
/// A new file that is `scraped` is readable for every user, any other for its owner alone, whatever the
/// umask says; one that is already there keeps the mode that somebody gave it.
fn write(path: &Path, content: &[u8], scraped: bool) -> io::Result<()> {
    let through = || {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.write_all(content)
    };
    let target = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => path.to_owned(),
        // The link stays; the file that it means is replaced.
        Ok(found) if found.is_symlink() => match std::fs::canonicalize(path) {
            Ok(target) if target.is_file() => target,
            _ => return through(),
        },
        Ok(_) => return through(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    files::replace(&target, content, if scraped { 0o644 } else { 0o600 })
}

/// One series as other programs read it.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: Kind,
    labels: &'a LabelSet,
    value: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<String>,
}

/// Writes a line for each series, the four built-in ones first.
fn lines(
    view: &View,
    line: impl Fn(&Row) -> serde_json::Result<String>,
) -> serde_json::Result<String> {
    let mut text = String::new();
    let none = LabelSet::default();
    let row = |name, labels, value: &Value| {
        line(&Row {
            name,
            kind: value.kind(),
            labels,
            value,
            exact: value.exact(),
        })
    };
    for (name, count) in transactions(view) {
        text.push_str(&row(name, &none, &Value::Counter(count))?);
    }
    for series in &view.series {
        text.push_str(&row(&series.name, &series.labels, &series.value)?);
    }
    Ok(text)
}

fn jsonl(view: &View) -> serde_json::Result<String> {
    lines(view, |row| Ok(serde_json::to_string(row)? + "\n"))
}

fn csv(view: &View) -> serde_json::Result<String> {
    let rows = lines(view, |row| {
        let labels = serde_json::to_string(row.labels)?.replace('"', "\"\"");
        let kind = row.kind.as_str();
        let line = |suffix: &str, value: &str| {
            let name = format!("{}{suffix}", row.name);
            // A runner of a pipeline would take a line that begins so for a command.
            let name = match name.starts_with("::") {
                true => format!("\"{name}\""),
                false => name,
            };
            format!("{name},{kind},\"{labels}\",{value}\r\n")
        };
        Ok(match row.value {
            // One number a line: the two that have a meaning without the others.
            Value::Histogram(found) => {
                let sum = found.wide_sum().map(|sum| sum.to_string());
                let sum = sum.unwrap_or_else(|| number(found.sum()));
                line("_count", &found.count().to_string()) + &line("_sum", &sum)
            }
            Value::Summary(found) => {
                line("_count", &found.count.to_string()) + &line("_sum", &found.sum.to_string())
            }
            value => line("", &exact(value, "")),
        })
    })?;
    Ok("name,type,labels,value\r\n".to_owned() + &rows)
}
