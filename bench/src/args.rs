//! The command line, read by hand: a few options do not need a library.

use std::path::PathBuf;

use crate::measure::Level;

pub(crate) const USAGE: &str = "\
Measures DeeSpec against its limits and its peers.

Usage: cargo xtask bench [--quick] [--json FILE] [--no-peers] [--only TEXT] [--profile NAME]

  --quick         fewer and shorter rounds: a look, not a verdict; the rows are the same
  --json FILE     write all figures to FILE as well
  --no-peers      the first table only
  --only TEXT     only the groups and the peers whose names contain TEXT
  --profile NAME  how it is built: dist, as packages are (the default), or release, as people build it

Exit codes: 0 measured (even where a limit was missed), 3 something could not be measured.";

/// What the caller wants.
pub(crate) enum Call {
    Help,
    Measure(Options),
    /// This process is one of many that the measuring process has started.
    Worker {
        role: String,
        place: PathBuf,
    },
}

pub(crate) struct Options {
    pub(crate) level: Level,
    pub(crate) peers: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) only: String,
}

pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Call, String> {
    let mut options = Options {
        level: Level::Full,
        peers: true,
        json: None,
        only: String::new(),
    };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" | "-h" => return Ok(Call::Help),
            "--quick" => options.level = Level::Quick,
            // For the tests, and so not told.
            "--suite" => options.level = Level::Suite,
            "--no-peers" => options.peers = false,
            "--json" => options.json = Some(args.next().ok_or("--json needs a file")?.into()),
            "--only" => options.only = args.next().ok_or("--only needs a text")?,
            "--worker" => {
                let role = args.next().ok_or("--worker needs a role")?;
                let place = args.next().unwrap_or_default().into();
                return Ok(Call::Worker { role, place });
            }
            other => return Err(format!("unexpected argument `{other}`")),
        }
    }
    Ok(Call::Measure(options))
}
