//! A run, and an accepted level, as a line of a history: the keys in one order, so that the same run is the same
//! line.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::super::rules::Status;
use super::{ACCEPT_SCHEMA, Accepted, RUN_SCHEMA, Run};

#[derive(Serialize)]
struct Short<'a> {
    run: &'a str,
    value: Option<f64>,
}

#[derive(Serialize)]
struct Full<'a> {
    schema: &'static str,
    run: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    branch: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    host_class: &'a str,
    status: Status,
    #[serde(skip_serializing_if = "str::is_empty")]
    epoch: &'a str,
    values: BTreeMap<&'a str, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

#[derive(Serialize)]
struct Acceptance<'a> {
    schema: &'static str,
    rule: &'a str,
    run: &'a str,
    reason: &'a str,
    at: &'a str,
}

impl Run {
    /// The run as a line of a history, with a newline at its end. A number that is not finite was not measured, and
    /// is left out.
    ///
    /// ```
    /// use deespec::gate::Run;
    ///
    /// let run = Run { id: "4711".into(), values: [("jobs".into(), 7.0)].into(), ..Run::default() };
    /// let line = "{\"schema\":\"deespec.run/1\",\"run\":\"4711\",\"status\":\"pass\",\"values\":{\"jobs\":7.0}}\n";
    /// assert_eq!(run.to_line(), line);
    /// ```
    #[must_use]
    pub fn to_line(&self) -> String {
        let value = self.value.filter(|value| value.is_finite());
        let bare = Self {
            id: self.id.clone(),
            value: self.value,
            ..Self::default()
        };
        if value.is_some() && *self == bare {
            return line(&Short {
                run: &self.id,
                value,
            });
        }
        let values = self.values.iter().filter(|(_, value)| value.is_finite());
        line(&Full {
            schema: RUN_SCHEMA,
            run: &self.id,
            at: self.at.and_then(time),
            branch: &self.branch,
            host_class: &self.host_class,
            status: self.status,
            epoch: &self.epoch,
            values: values.map(|(name, value)| (&**name, *value)).collect(),
            value,
        })
    }
}

impl Accepted {
    /// The accepted level as a line of a history, with a newline at its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        line(&Acceptance {
            schema: ACCEPT_SCHEMA,
            rule: &self.rule,
            run: &self.run,
            reason: &self.reason,
            at: &self.at,
        })
    }
}

fn line(value: &impl Serialize) -> String {
    // Nothing here can fail: the keys are texts and the numbers finite.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

/// The time to the microsecond, which is what a double holds of it.
fn time(seconds: f64) -> Option<String> {
    let whole = seconds.floor();
    let micros = ((seconds - whole) * 1e6).round();
    let at = Timestamp::from_second(whole as i64).ok()?;
    let at = at.checked_add(std::time::Duration::from_micros(micros as u64));
    Some(at.ok()?.to_string())
}
