//! `deespec prometheus-config`: a scrape job.

use std::fmt::Write as _;

use clap::Args;

use crate::exit::{Code, Failure};
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Example:
  deespec prometheus-config --target db1:9464 --target db2:9464
  deespec prometheus-config --token-file /etc/prometheus/deespec.token

What is printed is a file for `scrape_config_files`, or the part of
prometheus.yml with the jobs. Native histograms are scraped where Prometheus
is told to: by --enable-feature=native-histograms, or from 3.8 on by
`scrape_native_histograms: true` in the job.";

/// Print a scrape job for Prometheus
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct PrometheusConfig {
    /// Where `deespec serve` listens; may be repeated
    #[arg(long = "target", value_name = "HOST:PORT", default_value = "127.0.0.1:9464", value_parser = target)]
    targets: Vec<String>,

    /// How often to scrape, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=3600))]
    interval: u32,

    /// The file, on Prometheus' machine, with the token of the server
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
}

/// A host and a port, and nothing that YAML would take for something else.
fn target(text: &str) -> Result<String, String> {
    let wrong = || "give a host and a port, such as 127.0.0.1:9464".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:%".contains(&byte);
    match !host.is_empty() && host.bytes().all(is_host) && port.parse::<u16>().is_ok() {
        true => Ok(text.to_owned()),
        false => Err(wrong()),
    }
}

impl PrometheusConfig {
    pub(crate) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        ui.bytes(self.text().as_bytes());
        Ok(Code::Done)
    }

    fn text(&self) -> String {
        let mut text = format!(
            "scrape_configs:\n  - job_name: deespec\n    scrape_interval: {}s\n",
            self.interval
        );
        if let Some(file) = &self.token_file {
            let quoted = file.replace('\'', "''");
            let _ = write!(
                text,
                "    authorization:\n      credentials_file: '{quoted}'\n"
            );
        }
        text.push_str("    static_configs:\n      - targets:\n");
        for target in &self.targets {
            let _ = writeln!(text, "          - '{target}'");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_and_a_port() {
        for good in ["127.0.0.1:9464", "db-1.example:80", "[::1]:9464", "a:1"] {
            assert_eq!(target(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "db",
            ":80",
            "db:",
            "db:99999",
            "a'b:80",
            "a b:80",
            "a\n- x:80",
        ] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
