//! What each kind of rule says: one function a kind, and the keys it knows.

use super::super::{
    Adaptive, Burn, Eta, Kind, Limit, ModelChoice, Moved, Ratio, RulesError, Shift, Slope,
    Surprise, Trend, Window,
};
use super::table::Table;
use super::values::{MOST, MOST_COUNTED, inner_share, probability, runs, share, slope, time};
use crate::gate::Verdict;
use crate::gate::statistics::shift::Bad;

/// The keys of a kind, beside those of every rule.
pub(super) fn keys(kind: &str) -> &'static [&'static str] {
    match kind {
        "limit" => &["bad", "warn", "fail"],
        "ratio" => &["bad", "warn", "fail", "confidence", "min", "prove"],
        "adaptive" => &[
            "bad", "model", "warn", "fail", "confirm", "min", "floor", "can_fail",
        ],
        "shift" => &["bad", "warn", "fail", "min", "can_fail"],
        "trend" => &["bad", "over", "warn", "fail", "eta", "min", "can_fail"],
        _ => &["objective", "windows", "min"],
    }
}

pub(super) fn kind(
    table: &Table<'_>,
    kind: &str,
    bad: Bad,
    least_runs: usize,
) -> Result<Kind, RulesError> {
    Ok(match kind {
        "limit" => Kind::Limit(limit(table, bad)?),
        "ratio" => Kind::Ratio(ratio(table, bad)?),
        "adaptive" => Kind::Adaptive(adaptive(table, least_runs)?),
        "shift" => Kind::Shift(shift(table)?),
        "trend" => Kind::Trend(trend(table)?),
        _ => Kind::Burn(burn(table)?),
    })
}

fn limit(table: &Table<'_>, bad: Bad) -> Result<Limit, RulesError> {
    let number = |key| table.get(key).map(|value| value.number()).transpose();
    let limit = Limit {
        warn: number("warn")?,
        fail: number("fail")?,
    };
    ordered(table, limit.warn, limit.fail, bad)?;
    Ok(limit)
}

fn ratio(table: &Table<'_>, bad: Bad) -> Result<Ratio, RulesError> {
    let limit = |key| table.get(key).map(|value| share(&value, 1.0)).transpose();
    let confidence = table.get("confidence");
    let ratio = Ratio {
        warn: limit("warn")?,
        fail: limit("fail")?,
        confidence: confidence.map_or(Ok(0.95), |value| inner_share(&value))?,
        total: least(table, &["total"], MOST_COUNTED)?("total", 1, 5)?,
        prove: switch(table, "prove")?,
    };
    ordered(table, ratio.warn, ratio.fail, bad)?;
    if ratio.prove && ratio.fail.is_none() {
        return Err(table.conflict("prove = true needs fail, the share that is to be proved"));
    }
    Ok(ratio)
}

/// That there is a limit, and that one is warned before it fails.
fn ordered(
    table: &Table<'_>,
    warn: Option<f64>,
    fail: Option<f64>,
    bad: Bad,
) -> Result<(), RulesError> {
    let (warn, fail) = match (warn, fail) {
        (None, None) => {
            return Err(table.conflict("a rule of this kind needs warn, fail or both"));
        }
        (Some(warn), Some(fail)) => (warn, fail),
        _ => return Ok(()),
    };
    let (is_beyond, direction) = match bad {
        Bad::Up => (warn > fail, "up"),
        Bad::Down => (warn < fail, "down"),
    };
    if !is_beyond {
        return Ok(());
    }
    let reason = format!(
        "warn = {warn} is beyond fail = {fail} where bad is {direction:?}: nothing would be warned of"
    );
    Err(match table.get("warn") {
        Some(value) => value.conflict(reason),
        None => table.conflict(reason),
    })
}

fn adaptive(table: &Table<'_>, least_runs: usize) -> Result<Adaptive, RulesError> {
    const MODELS: [(&str, ModelChoice); 4] = [
        ("auto", ModelChoice::Auto),
        ("log-t", ModelChoice::LogT),
        ("t", ModelChoice::T),
        ("gamma-poisson", ModelChoice::GammaPoisson),
    ];
    let model = table.get("model");
    let floor = table.get("floor");
    let min = least(table, &["runs", "distinct"], MOST)?;
    let pair = |key, usual| pair(table, key, "alpha", "by", usual);
    let surprise = |(alpha, by)| Surprise { alpha, by };
    Ok(Adaptive {
        model: model.map_or(Ok(ModelChoice::Auto), |value| value.one_of(&MODELS))?,
        warn: surprise(pair("warn", Some((0.01, 0.05)))?.unwrap_or((0.01, 0.05))),
        fail: pair("fail", None)?.map(surprise),
        confirm: confirm(table)?,
        runs: min("runs", 2, least_runs as u64)? as usize,
        distinct: min("distinct", 1, 3)? as usize,
        floor: floor.map_or(Ok(0.02), |value| share(&value, 1.0))?,
        can_fail: switch(table, "can_fail")?,
    })
}

fn confirm(table: &Table<'_>) -> Result<(usize, usize), RulesError> {
    const EXPECTED: &str = "a table such as { k = 2, of = 3 }, with k from 1 to of";
    let Some(value) = table.get("confirm") else {
        return Ok((2, 3));
    };
    let confirm = value.table(EXPECTED)?;
    confirm.only(&["k", "of"])?;
    let number = |key| confirm.need(key, EXPECTED)?.count(1, 100);
    let (k, of) = (number("k")?, number("of")?);
    if k > of {
        let reason = format!("confirm asks for {k} of {of} runs: k must be from 1 to of");
        return Err(value.conflict(reason));
    }
    Ok((k as usize, of as usize))
}

fn shift(table: &Table<'_>) -> Result<Shift, RulesError> {
    let min = least(table, &["before", "after"], MOST)?;
    let pair = |key, usual| pair(table, key, "p", "by", usual);
    let moved = |(p, by)| Moved { p, by };
    Ok(Shift {
        warn: moved(pair("warn", Some((0.001, 0.05)))?.unwrap_or((0.001, 0.05))),
        fail: pair("fail", None)?.map(moved),
        before: min("before", 2, 10)? as usize,
        after: min("after", 1, 2)? as usize,
        can_fail: switch(table, "can_fail")?,
    })
}

fn trend(table: &Table<'_>) -> Result<Trend, RulesError> {
    let over = table.get("over");
    let steep = |key, usual| pair(table, key, "p", "slope", usual);
    let slope = |(p, slope)| Slope { slope, p };
    Ok(Trend {
        over: over.map_or(Ok(14), |value| runs(&value, 3))? as usize,
        warn: slope(steep("warn", Some((0.01, 0.05)))?.unwrap_or((0.01, 0.05))),
        fail: steep("fail", None)?.map(slope),
        eta: eta(table)?,
        runs: least(table, &["runs"], MOST)?("runs", 3, 8)? as usize,
        can_fail: switch(table, "can_fail")?,
    })
}

fn eta(table: &Table<'_>) -> Result<Option<Eta>, RulesError> {
    const EXPECTED: &str = "a table such as { to = 100, within = \"10 runs\" }";
    let Some(value) = table.get("eta") else {
        return Ok(None);
    };
    let eta = value.table(EXPECTED)?;
    eta.only(&["to", "within"])?;
    Ok(Some(Eta {
        to: eta.need("to", "the limit, a number")?.number()?,
        within: runs(&eta.need("within", "a number of runs, as \"10 runs\"")?, 1)? as f64,
    }))
}

fn burn(table: &Table<'_>) -> Result<Burn, RulesError> {
    const WINDOWS: &str = "a list of windows such as [ { long = \"1h\", short = \"5m\", factor = 14.4, level = \"fail\" } ]";
    let objective = table.need(
        "objective",
        "the share that must be good, as 0.95 or \"95%\"",
    )?;
    let objective = inner_share(&objective)?;
    let list = table.need("windows", WINDOWS)?;
    let elements = list.list(WINDOWS)?;
    if elements.is_empty() {
        return Err(list.must_be(WINDOWS));
    }
    let windows: Result<Vec<Window>, RulesError> = elements
        .iter()
        .map(|element| window(&element.table(WINDOWS)?.called("a window")))
        .collect();
    let min = least(table, &["bad", "total"], MOST_COUNTED)?;
    Ok(Burn {
        objective,
        windows: windows?,
        bad: min("bad", 0, 3)?,
        total: min("total", 1, 20)?,
    })
}

fn window(table: &Table<'_>) -> Result<Window, RulesError> {
    const LEVELS: [(&str, Verdict); 2] = [("warn", Verdict::Warn), ("fail", Verdict::Fail)];
    table.only(&["long", "short", "factor", "level"])?;
    let long = table.need("long", "a time, as \"1h\"")?;
    let short = table.need("short", "a time shorter than long, as \"5m\"")?;
    let factor = table.need("factor", "how much faster than the budget allows, as 14.4")?;
    let level = table.need("level", "\"warn\" or \"fail\"")?;
    let window = Window {
        long: time(&long)?,
        short: time(&short)?,
        factor: factor
            .as_number()
            .filter(|factor| *factor > 0.0)
            .ok_or_else(|| factor.must_be("a number above 0"))?,
        level: level.one_of(&LEVELS)?,
    };
    if window.short >= window.long {
        return Err(short.must_be("a time shorter than long"));
    }
    Ok(window)
}

/// A table of a probability and a size, such as `{ alpha = 0.01, by = "5%" }`, in that order; `None` where it is not
/// there. What it leaves out is as usual, where something is.
fn pair(
    table: &Table<'_>,
    key: &str,
    chance: &'static str,
    size: &'static str,
    usual: Option<(f64, f64)>,
) -> Result<Option<(f64, f64)>, RulesError> {
    let Some(value) = table.get(key) else {
        return Ok(None);
    };
    let example = match (chance, size) {
        ("alpha", _) => "{ alpha = 0.01, by = \"5%\" }",
        (_, "by") => "{ p = 0.001, by = \"5%\" }",
        _ => "{ slope = \"5%/run\", p = 0.01 }",
    };
    let expected = format!("a table such as {example}");
    let pair = value.table(&expected)?;
    let mut keys = [chance, size];
    if size == "slope" {
        keys.reverse();
    }
    pair.only(&keys)?;
    let p = match (pair.get(chance), usual) {
        (None, Some((p, _))) => p,
        _ => probability(&pair.need(chance, &expected)?)?,
    };
    let size = match (pair.get(size), usual) {
        (None, Some((_, size))) => size,
        _ => {
            let value = pair.need(size, &expected)?;
            match size {
                "slope" => slope(&value)?,
                _ => share(&value, f64::INFINITY)?,
            }
        }
    };
    Ok(Some((p, size)))
}

/// Reads one key of the table `min`: its name, the least it may be, and what holds where it is not there.
type Least<'a> = Box<dyn Fn(&str, u64, u64) -> Result<u64, RulesError> + 'a>;

/// The table `min`, which has these keys, none of them above `most`.
fn least<'a>(table: &Table<'a>, keys: &[&'static str], most: u64) -> Result<Least<'a>, RulesError> {
    let Some(value) = table.get("min") else {
        return Ok(Box::new(|_, _, usual| Ok(usual)));
    };
    let example: Vec<String> = keys.iter().map(|key| format!("{key} = 10")).collect();
    let min = value.table(&format!("a table such as {{ {} }}", example.join(", ")))?;
    min.only(keys)?;
    Ok(Box::new(move |key, least, usual| {
        min.get(key)
            .map_or(Ok(usual), |value| value.count(least, most))
    }))
}

fn switch(table: &Table<'_>, key: &str) -> Result<bool, RulesError> {
    table.get(key).map_or(Ok(false), |value| value.switch())
}
