//! `deespec gate history merge`: several histories as one.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use deespec::gate;

use super::super::file;
use crate::exit::{Code, Failure};
use crate::files;
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Examples:
  deespec gate history merge ours.jsonl theirs.jsonl --output gate-history.jsonl
  git notes show | deespec gate history merge gate-history.jsonl -

Every line of every file once, by time. It does not matter in which order the
files are given, nor whether one of them has already been merged.";

/// Put several histories together
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Merge {
    /// The histories; - for what comes from stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Write the merged history to this file, as a whole
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Merge {
    pub(super) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        let unwritable = |path: &Path, error| {
            Failure::new(format!(
                "cannot write the history {}: {error}",
                path.display()
            ))
        };
        // Held until it is written: the file may be one of those that are read, and grow meanwhile.
        let _guard = match &self.output {
            Some(path) => files::locked(path).map_err(|error| unwritable(path, error))?,
            None => None,
        };
        let mut texts = Vec::new();
        for path in &self.files {
            let text = match path.as_os_str() == "-" {
                true => stdin()?,
                false => file::text(path)?,
            };
            file::parse(&text, path, ui)?;
            texts.push(text);
        }
        let histories: Vec<(&str, &Path)> = texts
            .iter()
            .zip(&self.files)
            .map(|(text, path)| (text.as_str(), path.as_path()))
            .collect();
        let merged = gate::merge(&histories).map_err(|error| Failure::new(error.to_string()))?;
        match &self.output {
            Some(path) => files::replace(path, merged.as_bytes(), file::MODE)
                .map_err(|error| unwritable(path, error))?,
            None => ui.bytes(merged.as_bytes()),
        }
        Ok(Code::Done)
    }
}

fn stdin() -> Result<String, Failure> {
    let mut text = String::new();
    // One byte more, so that what is too long is seen and not cut.
    let read = io::stdin()
        .lock()
        .take(file::BYTES + 1)
        .read_to_string(&mut text);
    read.map_err(|error| Failure::new(format!("cannot read the history from stdin: {error}")))?;
    file::not_too_long(text.len(), Path::new("stdin"))?;
    Ok(text)
}
