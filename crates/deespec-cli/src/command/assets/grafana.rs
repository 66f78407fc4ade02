//! `deespec grafana`: a dashboard.

use clap::Args;

use crate::exit::{Code, Failure};
use crate::ui::Ui;

const DASHBOARD: &str = include_str!("grafana.json");

const AFTER_HELP: &str = "\
Example:
  deespec grafana > deespec.json

Import the file in Grafana (Dashboards, New, Import), or put it into a folder
that is provisioned. It asks for the Prometheus that scrapes the server, and
then for job, instance and store.";

/// Print a dashboard for Grafana
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Grafana {}

impl Grafana {
    pub(crate) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        ui.bytes(DASHBOARD.as_bytes());
        Ok(Code::Done)
    }
}
