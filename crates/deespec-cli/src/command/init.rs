//! `deespec init`: make a store here.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location::{self, FOLDER};
use crate::ui::Ui;

/// The static thresholds with their default values.
const THRESHOLDS: &str = r#"{
  "success_rate_threshold": 95.0,
  "max_cas_conflicts": 100,
  "max_recovery_count": 10,
  "min_total_commits": 5,
  "enabled": true
}
"#;

/// Make a store in this folder
///
/// Every other command makes a missing store by itself; init is for choosing where it lies.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec init --thresholds")]
pub(crate) struct Init {
    /// Also write thresholds.json with the default thresholds, where there is none
    #[arg(long)]
    thresholds: bool,

    /// Accept a file system that is not known to keep the promises
    #[arg(long)]
    any_file_system: bool,

    /// Stripes that writers use, a power of two up to 64 [default: twice the processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    stripes: Option<u32>,

    #[command(flatten)]
    json: Json,
}

impl Init {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let path = match cli
            .store
            .clone()
            .or_else(|| std::env::var_os("DEESPEC_STORE").map(Into::into))
        {
            Some(path) => path,
            None => PathBuf::from(FOLDER).join("var"),
        };
        let is_new = !location::exists(&path);
        let mut options = location::options("init").any_file_system(self.any_file_system);
        if let Some(stripes) = self.stripes {
            options = options.stripes(stripes);
        }
        let store = options.open(&path)?;
        let thresholds = location::configuration_folder(store.path()).join("thresholds.json");
        let mut wrote = false;
        if self.thresholds && !thresholds.exists() {
            std::fs::write(&thresholds, THRESHOLDS).map_err(|error| {
                Failure::new(format!("cannot write {}: {error}", thresholds.display()))
            })?;
            wrote = true;
        }
        if self.json.json {
            ui.json(&json!({
                "path": store.path(),
                "store_id": store.id(),
                "created": is_new,
                "thresholds": wrote.then_some(&thresholds),
            }))?;
            return Ok(Code::Done);
        }
        let verb = if is_new {
            "Made a new store in"
        } else {
            "There is a store already in"
        };
        ui.line(&format!("{verb} {}", store.path().display()));
        if wrote {
            ui.line(&format!("Wrote {}", thresholds.display()));
        } else if self.thresholds {
            ui.line(&format!("Kept {}", thresholds.display()));
        }
        Ok(Code::Done)
    }
}
