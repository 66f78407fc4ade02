//! `deespec init`: make a store, unless there is one.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::accept::{self, Accept};
use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::files;
use crate::location;
use crate::ui::{self, Ui, indented};
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
  deespec init
  deespec init --gate --thresholds

Where it lies: where --store or DEESPEC_STORE says; else in the nearest
.deespec/ upward; else in a new one at the root of the Git work tree, or here
where there is none. A store that is there already is left as it is.

What counts makes a missing store by itself, in the same place. What only reads
does not: a first step of a pipeline that may count nothing is init.

Where it can lie: `deespec doctor` says what a place promises. DEESPEC_ACCEPT
does what --accept does, for images and CI: it counts where a store is made.

A store is its owner's alone. With --group it is shared: the members of that
group may do with it whatever its owner may, so let them be whom you trust.";

/// Make a store, unless there is one
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Init {
    /// Also write thresholds.json with the default thresholds, where there is none
    #[arg(long)]
    thresholds: bool,

    /// Also write gate.toml with rules to begin with, where there is none
    #[arg(long)]
    gate: bool,

    /// Accept what is weak about the place of the new store: full-disk (btrfs)
    /// or daemon (fuse-overlayfs)
    #[arg(
        long,
        value_name = "WEAKNESS",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    accept: Vec<Accept>,

    /// Accept any file system, also one that is not known to keep the promises
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
    because: &'static str,
    place: String,
    class: &'static str,
    #[serde(rename = "for")]
    whose: &'a str,
    gitignore: Option<&'a str>,
    thresholds: Option<&'a str>,
    gate: Option<&'a str>,
}

impl Init {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let place = location::place(cli)?;
        place.tell(ui);
        place.tell_others(ui);
        let is_new = !location::exists(&place.path);
        let options = location::options("init").any_file_system(self.any_file_system);
        let mut options = accept::all(options, &self.accept);
        if let Some(stripes) = self.stripes {
            options = options.stripes(stripes);
        }
        if let Some(group) = &self.group {
            options = options.group(users::group(group)?);
        }
        let (store, ignore) = place.make(&options, self.group.is_some())?;
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
        let health = store.health()?;
        let whose = match health.shared_with {
            Some(group) => format!("the members of group {}", users::group_name(group)),
            None => "this user alone".to_owned(),
        };
        let ignore = ignore.as_deref().map(ui::path);
        let lies = store.place()?;
        let told = lies.to_string();
        if self.json.json {
            ui.json(&Made {
                path: ui::path(store.path()),
                store_id: store.id().to_string(),
                created: is_new,
                because: place.why.as_str(),
                place: told,
                class: lies.class.as_str(),
                whose: &whose,
                gitignore: ignore.as_deref(),
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
        ui.line(&format!(
            "{verb} {} ({})",
            store.path().display(),
            place.why.as_str()
        ));
        if is_new {
            let share = match health.shared_with {
                Some(_) => "",
                None => " (share it with --group NAME when it is made)",
            };
            let mut facts = vec![
                vec!["place".to_owned(), told],
                vec!["for".to_owned(), format!("{whose}{share}")],
            ];
            facts.extend(ignore.map(|path| {
                vec![
                    ".gitignore".to_owned(),
                    format!("{path} keeps the counts out of Git"),
                ]
            }));
            ui.print(&indented("  ", facts, None));
        }
        for (wrote, (is_asked, path, _)) in wrote.iter().zip(&files) {
            match (wrote, is_asked) {
                (true, _) => ui.line(&format!("Wrote {}", path.display())),
                (false, true) => ui.line(&format!("Kept {} as it is", path.display())),
                (false, false) => {}
            }
        }
        if is_new {
            let judge = match self.gate {
                true => "deespec doctor --check-thresholds",
                false => "deespec init --gate",
            };
            ui.line(&format!(
                "Count with `deespec inc NAME`; look with `deespec show`; judge with `{judge}`"
            ));
        }
        Ok(Code::Done)
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        // Whoever counts is judged by it, and does not change it.
        let written = match self.group {
            Some(_) => files::create(path, text.as_bytes(), 0o640),
            None => files::create_as_usual(path, text.as_bytes()),
        };
        written.map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
    }
}
