//! The report as scripts read it: `docs/schemas/report.schema.json` says what stands where.

use deespec::gate::Report;

use crate::exit::Failure;
use crate::ui;

pub(super) fn render(report: &Report) -> Result<String, Failure> {
    ui::pretty(report).map(|text| ui::harmless(&text))
}
