//! The only printer: results go to stdout, log lines and errors to stderr.
#![expect(
    clippy::print_stderr,
    reason = "log lines go to stderr, and only from this room"
)]

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{Cell, CellAlignment, Table};
use deespec::gate::{Level, LogLine};
use serde::Serialize;

use crate::exit::Failure;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// `LEVEL: message key=value …`
    Text,
    /// One JSON object a line.
    Json,
}

/// Where a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    log_format: LogFormat,
}

#[derive(Serialize)]
struct JsonLog<'a> {
    level: String,
    message: &'a str,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    fields: serde_json::Map<String, serde_json::Value>,
}

impl Ui {
    pub(crate) fn new(log_format: LogFormat) -> Self {
        Self { log_format }
    }

    /// Whether results go to a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Prints a result as it is.
    pub(crate) fn print(self, text: &str) {
        let mut stdout = anstream::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush());
        match written {
            Ok(()) => {}
            // The reader has seen enough, as in `deespec show | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => {
                eprintln!("ERROR: Cannot write the result reason={error:?}");
                std::process::exit(3);
            }
        }
    }

    /// Prints a result of one line.
    pub(crate) fn line(self, text: &str) {
        self.print(&format!("{text}\n"));
    }

    /// Prints a result as JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::new(format!("cannot write the result as JSON: {error}")))?;
        self.line(&text);
        Ok(())
    }

    /// Prints a result as JSON on one line.
    pub(crate) fn json_line(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::new(format!("cannot write the result as JSON: {error}")))?;
        self.line(&text);
        Ok(())
    }

    /// Writes a log line.
    pub(crate) fn log(self, line: &LogLine) {
        match self.log_format {
            LogFormat::Text => eprintln!("{line}"),
            LogFormat::Json => {
                let fields = line
                    .fields
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), v.clone().into()));
                let json = JsonLog {
                    level: line.level.to_string(),
                    message: &line.message,
                    fields: fields.collect(),
                };
                eprintln!("{}", serde_json::to_string(&json).unwrap_or_default());
            }
        }
    }

    pub(crate) fn info(self, message: &str, fields: Vec<(&'static str, String)>) {
        self.log(&LogLine {
            level: Level::Info,
            message: message.to_owned(),
            fields,
        });
    }

    pub(crate) fn warn(self, message: &str, fields: Vec<(&'static str, String)>) {
        self.log(&LogLine {
            level: Level::Warn,
            message: message.to_owned(),
            fields,
        });
    }

    /// Writes why a command could not be done.
    pub(crate) fn failure(self, failure: &Failure) {
        let hint = failure.hint.iter().map(|hint| ("hint", hint.clone()));
        let fields = if self.log_format == LogFormat::Json {
            hint.collect()
        } else {
            Vec::new()
        };
        self.log(&LogLine {
            level: Level::Error,
            message: failure.message.clone(),
            fields,
        });
        if self.log_format == LogFormat::Text
            && let Some(hint) = &failure.hint
        {
            eprintln!("  help: {hint}");
        }
    }
}

/// Says that the program itself is wrong.
pub(crate) fn bug(what: &str) {
    eprintln!(
        "BUG: {what}\nThis is a defect in deespec. Please report it with the command that you typed."
    );
}

/// Columns without borders; the ones that are marked are numbers and stand to the right.
pub(crate) fn columns(header: &[&str], numbers: &[usize], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row.into_iter().map(|text| Cell::new(printable(&text))));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    text.join("\n") + "\n"
}

/// A text without characters that a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    if text.chars().all(|c| !c.is_control()) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}
