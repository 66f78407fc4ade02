//! `deespec init`: make a store here.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::files;
use crate::location::{self, FOLDER};
use crate::ui::{self, Ui};
use crate::users;

/// The static thresholds with their default values.
const THRESHOLDS: &str = r#"{
  "success_rate_threshold": 95.0,
  "max_cas_conflicts": 100,
  "max_recovery_count": 10,
  "min_total_commits": 5,
  "enabled": true
}
"#;

const AFTER_HELP: &str = "\
Example:
  deespec init --thresholds

Every other command makes a missing store by itself; init is for choosing where
it lies: in .deespec/ of this folder, or where --store or DEESPEC_STORE says.

A store is its owner's alone. With --group it is shared: the members of that
group may do with it whatever its owner may, so let them be whom you trust.";

/// Make a store in this folder
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Init {
    /// Also write thresholds.json with the default thresholds, where there is none
    #[arg(long)]
    thresholds: bool,

    /// Accept a file system that is not known to keep the promises
    #[arg(long)]
    any_file_system: bool,

    /// Share the new store with the members of this group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,

    /// How many copies of each cell writers spread over, a power of two up to 64
    /// [default: twice the processors]
    #[arg(long, value_name = "N", value_parser = parse_stripes)]
    stripes: Option<u32>,

    #[command(flatten)]
    json: Json,
}

fn parse_stripes(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|number: &u32| number.is_power_of_two() && *number <= 64)
        .ok_or_else(|| "give 1, 2, 4, 8, 16, 32 or 64".to_owned())
}

#[derive(Serialize)]
struct Made<'a> {
    path: String,
    store_id: String,
    created: bool,
    thresholds: Option<&'a str>,
}

impl Init {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let path = location::named(cli)?.unwrap_or_else(|| PathBuf::from(FOLDER).join("var"));
        let is_new = !location::exists(&path);
        let mut options = location::options("init").any_file_system(self.any_file_system);
        if let Some(stripes) = self.stripes {
            options = options.stripes(stripes);
        }
        if let Some(group) = &self.group {
            options = options.group(users::group(group)?);
        }
        let store = options.open(&path)?;
        let thresholds = location::configuration_folder(store.path()).join("thresholds.json");
        let mut wrote = false;
        if self.thresholds && thresholds.symlink_metadata().is_err() {
            // Whoever counts is judged by it, and does not change it.
            let mode = if self.group.is_some() { 0o640 } else { 0o600 };
            files::create(&thresholds, THRESHOLDS.as_bytes(), mode).map_err(|error| {
                Failure::new(format!("cannot write {}: {error}", thresholds.display()))
            })?;
            wrote = true;
        }
        if self.json.json {
            ui.json(&Made {
                path: ui::path(store.path()),
                store_id: store.id().to_string(),
                created: is_new,
                thresholds: wrote.then_some(ui::path(&thresholds)).as_deref(),
            })?;
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
            ui.line(&format!("Kept {} as it is", thresholds.display()));
        }
        if is_new {
            ui.line("Count with `deespec inc NAME`; look at the counts with `deespec show`");
        }
        Ok(Code::Done)
    }
}
