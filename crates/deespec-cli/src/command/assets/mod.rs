//! What others need to show and to watch a store that `deespec serve` serves: Grafana's dashboard, and
//! Prometheus' rules and scrape job. Each is a file beside this one, printed as it is.

pub(crate) mod config;
pub(crate) mod grafana;
pub(crate) mod rules;
