//! What holds for all rules: `[gate]`, `[correlate]` and `[[mute]]`.

use super::super::{Correlate, FailOn, Likeness, Mute, NoStore, Policy, RulesError, Scope, Status};
use super::EFFECTS;
use super::table::{Table, Value};
use super::values::{MOST, day, probability};

pub(super) fn policy(root: &Table<'_>) -> Result<Policy, RulesError> {
    const FAIL_ON: [(&str, FailOn); 3] = [
        ("fail", FailOn::Fail),
        ("warn", FailOn::Warn),
        ("never", FailOn::Never),
    ];
    const NO_STORE: [(&str, NoStore); 2] =
        [("error", NoStore::Error), ("no_data", NoStore::NoData)];
    let mut policy = Policy::default();
    let Some(value) = root.get("gate") else {
        return Ok(policy);
    };
    let table = value.table("a table below a line [gate]")?.called("[gate]");
    table.only(&[
        "fail_on",
        "no_data",
        "no_store",
        "inconclusive",
        "alpha",
        "history",
    ])?;
    if let Some(value) = table.get("fail_on") {
        policy.fail_on = value.one_of(&FAIL_ON)?;
    }
    if let Some(value) = table.get("no_data") {
        policy.no_data = value.one_of(&EFFECTS)?;
    }
    if let Some(value) = table.get("no_store") {
        policy.no_store = value.one_of(&NO_STORE)?;
    }
    if let Some(value) = table.get("inconclusive") {
        policy.inconclusive = value.one_of(&EFFECTS)?;
    }
    if let Some(value) = table.get("alpha") {
        policy.alpha = probability(&value)?;
    }
    if let Some(value) = table.get("history") {
        policy.history = scope(&value.table("a table such as { window = 50, min = 10 }")?)?;
    }
    Ok(policy)
}

fn scope(table: &Table<'_>) -> Result<Scope, RulesError> {
    const SAME: [(&str, Likeness); 2] = [
        ("branch", Likeness::Branch),
        ("host_class", Likeness::HostClass),
    ];
    const EXCLUDE: [(&str, Status); 2] = [("fail", Status::Fail), ("error", Status::Error)];
    table.only(&["scope", "branch", "window", "min", "exclude"])?;
    let mut scope = Scope::default();
    if let Some(value) = table.get("scope") {
        scope.same = words(&value, &SAME)?;
    }
    if let Some(value) = table.get("branch") {
        scope.branch = Some(value.text()?);
    }
    if let Some(value) = table.get("window") {
        scope.window = value.count(1, MOST)? as usize;
    }
    if let Some(value) = table.get("min") {
        scope.min = value.count(2, MOST)? as usize;
    }
    if let Some(value) = table.get("exclude") {
        scope.exclude = words(&value, &EXCLUDE)?;
    }
    Ok(scope)
}

/// A list of different words.
fn words<T: Copy + PartialEq>(
    value: &Value<'_>,
    words: &[(&str, T)],
) -> Result<Vec<T>, RulesError> {
    let names: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
    let mut meanings = Vec::new();
    for element in value.list(&format!("a list of {}", names.join(", ")))? {
        let meaning = element.one_of(words)?;
        if meanings.contains(&meaning) {
            return Err(element.must_be("a list in which nothing stands twice"));
        }
        meanings.push(meaning);
    }
    Ok(meanings)
}

pub(super) fn correlate(root: &Table<'_>) -> Result<Option<Correlate>, RulesError> {
    let Some(value) = root.get("correlate") else {
        return Ok(None);
    };
    let table = value
        .table("a table below a line [correlate]")?
        .called("[correlate]");
    table.only(&["on", "method", "lags", "min_runs", "fdr"])?;
    let mut correlate = Correlate::default();
    if let Some(value) = table.get("on") {
        correlate.differences = value.one_of(&[("differences", true), ("values", false)])?;
    }
    if let Some(value) = table.get("method") {
        value.one_of(&[("spearman", ())])?;
    }
    if let Some(value) = table.get("lags") {
        correlate.lags = value.count(0, 20)? as usize;
    }
    if let Some(value) = table.get("min_runs") {
        correlate.runs = value.count(4, MOST)? as usize;
    }
    if let Some(value) = table.get("fdr") {
        correlate.fdr = probability(&value)?;
    }
    Ok(Some(correlate))
}

pub(super) fn mute(table: Table<'_>) -> Result<Mute, RulesError> {
    let table = table.called("a mute");
    table.only(&["rule", "until", "reason"])?;
    Ok(Mute {
        rule: table.need("rule", "the id of a rule")?.text()?,
        until: day(&table.need("until", "the last day, as \"2026-12-31\"")?)?,
        reason: table
            .need("reason", "why, for whoever reads the report")?
            .text()?,
        line: table.line,
    })
}
