//! Rules as the text of a `gate.toml`: everything that holds, also what a file leaves to the defaults.

use std::fmt::Write as _;

use super::lint::time;
use super::{
    Adaptive, Burn, Correlate, Eta, FailOn, Kind, Likeness, Limit, Metric, ModelChoice, Mute,
    NoStore, Policy, RULES_SCHEMA, Ratio, Rule, Rules, Shift, Status, Trend,
};
use crate::gate::statistics::shift::Bad;

impl Rules {
    /// These rules as a `gate.toml` in which every key stands, so that nothing is left to the defaults. Read again,
    /// it says the same.
    ///
    /// ```
    /// use deespec::gate::{Rules, Thresholds};
    /// use std::path::Path;
    ///
    /// let text = Rules::of_thresholds(&Thresholds::default()).to_toml();
    /// assert!(text.contains("id = \"cas-conflicts\"\nmetric = \"cas_conflicts\"\nkind = \"limit\"\n"));
    /// assert!(text.contains("warn = 80\nfail = 100\n"));
    /// assert_eq!(Rules::parse(&text, Path::new("gate.toml"))?.to_toml(), text);
    /// # Ok::<(), deespec::gate::RulesError>(())
    /// ```
    pub fn to_toml(&self) -> String {
        let mut to = format!("schema = {}\n\n", text(RULES_SCHEMA));
        policy(&mut to, &self.policy);
        for each in &self.rules {
            rule(&mut to, each);
        }
        if let Some(each) = &self.correlate {
            correlate(&mut to, each);
        }
        for each in &self.mutes {
            mute(&mut to, each);
        }
        to
    }
}

/// One line; that writing into a text cannot fail is nobody's concern.
fn line(to: &mut String, key: &str, value: impl std::fmt::Display) {
    let _ = writeln!(to, "{key} = {value}");
}

fn policy(to: &mut String, policy: &Policy) {
    let fail_on = match policy.fail_on {
        FailOn::Fail => "fail",
        FailOn::Warn => "warn",
        FailOn::Never => "never",
    };
    to.push_str("[gate]\n");
    line(to, "fail_on", text(fail_on));
    line(to, "no_data", text(&policy.no_data.to_string()));
    let no_store = match policy.no_store {
        NoStore::Error => "error",
        NoStore::NoData => "no_data",
    };
    line(to, "no_store", text(no_store));
    line(to, "inconclusive", text(&policy.inconclusive.to_string()));
    line(to, "alpha", number(policy.alpha));
    let history = &policy.history;
    let same = history.same.iter().map(|likeness| match likeness {
        Likeness::Branch => "branch",
        Likeness::HostClass => "host_class",
    });
    let exclude = history.exclude.iter().map(|status| match status {
        Status::Pass => "pass",
        Status::Fail => "fail",
        Status::Error => "error",
    });
    to.push_str("\n[gate.history]\n");
    line(to, "scope", list(same));
    if let Some(branch) = &history.branch {
        line(to, "branch", text(branch));
    }
    line(to, "window", history.window);
    line(to, "min", history.min);
    line(to, "exclude", list(exclude));
}

fn rule(to: &mut String, rule: &Rule) {
    to.push_str("\n[[rule]]\n");
    line(to, "id", text(&rule.id));
    match &rule.metric {
        Metric::One(term) => line(to, "metric", text(term.text())),
        Metric::Share { good, bad } => {
            let (good, bad) = (text(good.text()), text(bad.text()));
            line(to, "metric", format!("{{ good = {good}, bad = {bad} }}"));
        }
    }
    line(to, "kind", text(rule.kind.name()));
    if !matches!(rule.kind, Kind::Burn(_)) {
        let bad = match rule.bad {
            Bad::Up => "up",
            Bad::Down => "down",
        };
        line(to, "bad", text(bad));
    }
    match &rule.kind {
        Kind::Limit(Limit { warn, fail }) => limits(to, *warn, *fail),
        Kind::Ratio(each) => ratio(to, each),
        Kind::Adaptive(each) => adaptive(to, each),
        Kind::Shift(each) => shift(to, each),
        Kind::Trend(each) => trend(to, each),
        Kind::Burn(each) => burn(to, each),
    }
    let effects = [
        ("no_data", rule.no_data),
        ("inconclusive", rule.inconclusive),
    ];
    for (key, effect) in effects {
        if let Some(effect) = effect {
            line(to, key, text(&effect.to_string()));
        }
    }
    let unit = Some(&rule.unit).filter(|unit| !unit.is_empty());
    let said = [
        ("unit", unit),
        ("why", rule.why.as_ref()),
        ("runbook", rule.runbook.as_ref()),
    ];
    for (key, said) in said {
        if let Some(said) = said {
            line(to, key, text(said));
        }
    }
}

fn limits(to: &mut String, warn: Option<f64>, fail: Option<f64>) {
    for (key, limit) in [("warn", warn), ("fail", fail)] {
        if let Some(limit) = limit {
            line(to, key, number(limit));
        }
    }
}

fn ratio(to: &mut String, ratio: &Ratio) {
    limits(to, ratio.warn, ratio.fail);
    line(to, "confidence", number(ratio.confidence));
    line(to, "min", format!("{{ total = {} }}", ratio.total));
    line(to, "prove", ratio.prove);
}

/// A table of a probability and a size.
fn pair(to: &mut String, key: &str, first: (&str, f64), second: (&str, f64)) {
    let (one, other) = (number(first.1), number(second.1));
    let value = format!("{{ {} = {one}, {} = {other} }}", first.0, second.0);
    line(to, key, value);
}

fn adaptive(to: &mut String, adaptive: &Adaptive) {
    let model = match adaptive.model {
        ModelChoice::Auto => "auto",
        ModelChoice::LogT => "log-t",
        ModelChoice::T => "t",
        ModelChoice::GammaPoisson => "gamma-poisson",
    };
    line(to, "model", text(model));
    for (key, surprise) in [("warn", Some(adaptive.warn)), ("fail", adaptive.fail)] {
        if let Some(it) = surprise {
            pair(to, key, ("alpha", it.alpha), ("by", it.by));
        }
    }
    let (k, of) = adaptive.confirm;
    line(to, "confirm", format!("{{ k = {k}, of = {of} }}"));
    let (runs, distinct) = (adaptive.runs, adaptive.distinct);
    line(
        to,
        "min",
        format!("{{ runs = {runs}, distinct = {distinct} }}"),
    );
    line(to, "floor", number(adaptive.floor));
    line(to, "can_fail", adaptive.can_fail);
}

fn shift(to: &mut String, shift: &Shift) {
    for (key, moved) in [("warn", Some(shift.warn)), ("fail", shift.fail)] {
        if let Some(it) = moved {
            pair(to, key, ("p", it.p), ("by", it.by));
        }
    }
    let (before, after) = (shift.before, shift.after);
    line(
        to,
        "min",
        format!("{{ before = {before}, after = {after} }}"),
    );
    line(to, "can_fail", shift.can_fail);
}

fn trend(to: &mut String, trend: &Trend) {
    line(to, "over", text(&runs(trend.over)));
    for (key, slope) in [("warn", Some(trend.warn)), ("fail", trend.fail)] {
        if let Some(it) = slope {
            pair(to, key, ("slope", it.slope), ("p", it.p));
        }
    }
    if let Some(Eta { to: limit, within }) = trend.eta {
        let within = text(&runs(within as usize));
        let value = format!("{{ to = {}, within = {within} }}", number(limit));
        line(to, "eta", value);
    }
    line(to, "min", format!("{{ runs = {} }}", trend.runs));
    line(to, "can_fail", trend.can_fail);
}

fn burn(to: &mut String, burn: &Burn) {
    line(to, "objective", number(burn.objective));
    to.push_str("windows = [\n");
    for window in &burn.windows {
        let [long, short] = [window.long, window.short].map(|it| text(&time(it.as_secs())));
        let factor = number(window.factor);
        let level = text(&window.level.to_string());
        let _ = writeln!(
            to,
            "  {{ long = {long}, short = {short}, factor = {factor}, level = {level} }},"
        );
    }
    to.push_str("]\n");
    let (bad, total) = (burn.bad, burn.total);
    line(to, "min", format!("{{ bad = {bad}, total = {total} }}"));
}

fn correlate(to: &mut String, correlate: &Correlate) {
    let on = match correlate.differences {
        true => "differences",
        false => "values",
    };
    to.push_str("\n[correlate]\n");
    line(to, "on", text(on));
    line(to, "method", text("spearman"));
    line(to, "lags", correlate.lags);
    line(to, "min_runs", correlate.runs);
    line(to, "fdr", number(correlate.fdr));
}

fn mute(to: &mut String, mute: &Mute) {
    to.push_str("\n[[mute]]\n");
    line(to, "rule", text(&mute.rule));
    line(to, "until", text(&mute.until));
    line(to, "reason", text(&mute.reason));
}

fn runs(number: usize) -> String {
    format!("{number} run{}", if number == 1 { "" } else { "s" })
}

/// A number as TOML writes it: whole where it is, and never with more digits than an integer may have.
fn number(value: f64) -> String {
    match value.fract() == 0.0 && value.abs() < 1e15 {
        true => format!("{value}"),
        false => format!("{value:?}"),
    }
}

/// A text between quotes. TOML has all of JSON's escapes, and one character more that must not stand as it is.
fn text(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.replace('\u{7f}', "\\u007f")
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(text).collect();
    format!("[{}]", words.join(", "))
}
