//! `deespec inc`: count.

use clap::Args;

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::location;
use crate::series::Labels;
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Example:
  deespec inc commit_success
  deespec inc jobs_total --by 3 -l job=backup -l outcome=failure

Names match [a-zA-Z_:][a-zA-Z0-9_:]*, label names [a-zA-Z_][a-zA-Z0-9_]*; label
values are any text. Each set of labels is a counter of its own. Four counters
are built in and judged by the gate: commit_success, commit_failed,
cas_conflicts, recovery_count.";

/// Count: add 1, or more, to a counter, which is made on first use
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Inc {
    /// The counter's name
    name: String,

    /// How much; 0 only makes the counter
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = parse_count)]
    #[arg(allow_hyphen_values = true)]
    by: u64,

    #[command(flatten)]
    labels: Labels,

    /// Return only when the count is on the disk
    #[arg(long)]
    sync: bool,
}

fn parse_count(text: &str) -> Result<u64, String> {
    let count = text.parse().ok();
    let count = count.filter(|count| deespec::check_count(*count).is_ok());
    let most = deespec::COUNT_MAX;
    count.ok_or_else(|| format!("a count is a whole number from 0 to {most}, 2^53"))
}

impl Inc {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let labels = self.labels.written(&self.name)?;
        let store = location::open_or_make(cli, ui, "inc")?;
        let counter = store.counter_with(&self.name, &labels)?;
        counter.try_add(self.by)?;
        if self.sync {
            store.flush()?;
        }
        Ok(Code::Done)
    }
}
