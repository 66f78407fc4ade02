//! `deespec init`: make a store here.

use std::path::{Path, PathBuf};

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

/// Rules with what each key means: of each kind one, those that need tuning as comments.
const GATE: &str = include_str!("init/gate.toml");

const AFTER_HELP: &str = "\
Examples:
  deespec init --thresholds
  deespec init --gate

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

    /// Also write gate.toml with rules to begin with, where there is none
    #[arg(long)]
    gate: bool,

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
    gate: Option<&'a str>,
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
        let folder = location::configuration_folder(store.path());
        let files = [
            (self.thresholds, folder.join("thresholds.json"), THRESHOLDS),
            (self.gate, folder.join("gate.toml"), GATE),
        ];
        let mut wrote = [false; 2];
        for (wrote, (is_asked, path, text)) in wrote.iter_mut().zip(&files) {
            if *is_asked && path.symlink_metadata().is_err() {
                self.write(path, text)?;
                *wrote = true;
            }
        }
        if self.json.json {
            ui.json(&Made {
                path: ui::path(store.path()),
                store_id: store.id().to_string(),
                created: is_new,
                thresholds: wrote[0].then_some(ui::path(&files[0].1)).as_deref(),
                gate: wrote[1].then_some(ui::path(&files[1].1)).as_deref(),
            })?;
            return Ok(Code::Done);
        }
        let verb = if is_new {
            "Made a new store in"
        } else {
            "There is a store already in"
        };
        ui.line(&format!("{verb} {}", store.path().display()));
        for (wrote, (is_asked, path, _)) in wrote.iter().zip(&files) {
            match (wrote, is_asked) {
                (true, _) => ui.line(&format!("Wrote {}", path.display())),
                (false, true) => ui.line(&format!("Kept {} as it is", path.display())),
                (false, false) => {}
            }
        }
        if is_new {
            ui.line("Count with `deespec inc NAME`; look at the counts with `deespec show`");
        }
        Ok(Code::Done)
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        // Whoever counts is judged by it, and does not change it.
        let mode = if self.group.is_some() { 0o640 } else { 0o600 };
        files::create(path, text.as_bytes(), mode)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
    }
}
