//! `deespec prometheus-rules`: recording and alerting rules.

use clap::Args;

use crate::exit::{Code, Failure};
use crate::ui::Ui;

const RULES: &str = include_str!("rules.yml");

const AFTER_HELP: &str = "\
Example:
  deespec prometheus-rules > /etc/prometheus/rules/deespec.yml
  promtool check rules /etc/prometheus/rules/deespec.yml

They expect the scrape job of `deespec prometheus-config`, which is called
deespec. The limits are those of the gate without a configuration: change the
file where yours are others.";

/// Print recording and alerting rules for Prometheus
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct PrometheusRules {}

impl PrometheusRules {
    pub(crate) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        ui.bytes(RULES.as_bytes());
        Ok(Code::Done)
    }
}
