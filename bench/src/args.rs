//! The command line, read by hand: five options do not need a library.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
Measures DeeSpec against its limits and its peers.

Usage: cargo xtask bench [--quick] [--json FILE] [--no-peers] [--only TEXT]

  --quick      fewer and shorter rounds: a look, not a verdict
  --json FILE  write all figures to FILE as well
  --no-peers   the first table only
  --only TEXT  only the groups and the peers whose names contain TEXT

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
    pub(crate) quick: bool,
    pub(crate) peers: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) only: String,
}

pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Call, String> {
    let mut options = Options {
        quick: false,
        peers: true,
        json: None,
        only: String::new(),
    };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" | "-h" => return Ok(Call::Help),
            "--quick" => options.quick = true,
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
