//! From the text of a `gate.toml` to valid [`Rules`], or to the reason why not.
//!
//! This room gets text and a path for the messages; it opens no file. A gate that misreads its rules passes what it
//! should stop, so nothing is guessed: an unknown key, a wrong type and a value out of range are errors.

mod kinds;
mod policy;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::DeTable;

use super::{Kind, Metric, Part, Rule, Rules, RulesError, Term};
use crate::gate::Verdict;
use crate::gate::statistics::shift::Bad;
use table::{File, Table, Value};

/// The schema that a file of rules names.
pub const RULES_SCHEMA: &str = "deespec.gate/1";

/// What a verdict may count as.
const EFFECTS: [(&str, Verdict); 3] = [
    ("pass", Verdict::Pass),
    ("warn", Verdict::Warn),
    ("fail", Verdict::Fail),
];

impl Rules {
    /// The largest file that is read, in bytes. A caller need not read more than one byte beyond it.
    pub const MAX_BYTES: usize = 1024 * 1024;

    /// Reads rules from `text`, the content of the file at `path`. `docs/gate-rules.md` has all keys.
    ///
    /// The file itself is not touched; `path` is for the messages and for [`source`](Self::source).
    ///
    /// # Errors
    ///
    /// [`RulesError`] for what is no lawful file of rules, naming `path`, the line and the first thing that is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use deespec::gate::{Kind, Rules};
    /// use std::path::Path;
    ///
    /// let path = Path::new("gate.toml");
    /// let text = r#"
    ///     schema = "deespec.gate/1"
    ///
    ///     [[rule]]
    ///     id = "cas-conflicts"
    ///     metric = "cas_conflicts"
    ///     kind = "limit"
    ///     warn = 80
    ///     fail = 100
    /// "#;
    /// let rules = Rules::parse(text, path)?;
    /// assert_eq!((rules.rules[0].id.as_str(), rules.rules[0].line), ("cas-conflicts", 4));
    ///
    /// let error = Rules::parse(&text.replace("100", "50"), path).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "gate.toml:8: warn = 80 is beyond fail = 50 where bad is \"up\": nothing would be warned of",
    /// );
    /// # Ok::<(), deespec::gate::RulesError>(())
    /// ```
    pub fn parse(text: &str, path: &Path) -> Result<Self, RulesError> {
        if text.len() > Self::MAX_BYTES {
            return Err(RulesError::TooLarge {
                path: path.to_owned(),
                bytes: text.len(),
            });
        }
        let file = File::new(text, path);
        let document = DeTable::parse(text).map_err(|error| file.not_toml(&error))?;
        let root = Table::root(&file, document.get_ref());
        // Before all else: another version may allow other keys.
        root.need("schema", &format!("write schema = {RULES_SCHEMA:?}"))?
            .one_of(&[(RULES_SCHEMA, ())])?;
        root.only(&["schema", "gate", "rule", "correlate", "mute"])?;
        let mut rules = Self {
            source: Some(path.to_owned()),
            policy: policy::policy(&root)?,
            ..Self::default()
        };
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        for table in tables(&root, "rule")? {
            let rule = rule(table, rules.policy.history.min)?;
            if let Some(first) = lines.insert(rule.id.clone(), rule.line) {
                let id = super::error::quoted(&rule.id);
                let reason = format!("the id {id} is taken by the rule in line {first}");
                return Err(file.conflict(rule.line, reason));
            }
            rules.rules.push(rule);
        }
        rules.correlate = policy::correlate(&root)?;
        for table in tables(&root, "mute")? {
            rules.mutes.push(policy::mute(table)?);
        }
        Ok(rules)
    }
}

/// The tables of `[[key]]`, in the order of the file.
fn tables<'a>(root: &Table<'a>, key: &'static str) -> Result<Vec<Table<'a>>, RulesError> {
    let Some(value) = root.get(key) else {
        return Ok(Vec::new());
    };
    let expected = format!("tables, each below a line [[{key}]]");
    let elements = value.list(&expected)?;
    let tables = elements.iter().map(|element| element.table(&expected));
    tables.collect()
}

/// The keys of every rule, whatever its kind.
const COMMON: [&str; 8] = [
    "id",
    "metric",
    "kind",
    "no_data",
    "inconclusive",
    "unit",
    "why",
    "runbook",
];

fn rule(table: Table<'_>, least_runs: usize) -> Result<Rule, RulesError> {
    let table = table.called("a rule");
    let kind = table.need("kind", &format!("one of {}", Kind::NAMES.join(", ")))?;
    let kind = kind.one_of(&Kind::NAMES.map(|name| (name, name)))?;
    let table = table.called(format!("a rule of kind {kind}"));
    let mut allowed = COMMON.to_vec();
    allowed.extend(kinds::keys(kind));
    table.only(&allowed)?;
    let id = id(&table.need("id", "a name of its own, as \"commit-p99\"")?)?;
    let metric = metric(&table, kind)?;
    let bad = match (table.get("bad"), &metric) {
        (Some(value), _) => value.one_of(&[("up", Bad::Up), ("down", Bad::Down)])?,
        (None, Metric::One(_)) => Bad::Up,
        // The share of good ones.
        (None, Metric::Share { .. }) => Bad::Down,
    };
    let effect = |key| {
        let value = table.get(key);
        value.map(|value| value.one_of(&EFFECTS)).transpose()
    };
    let text = |key| table.get(key).map(|value| value.text()).transpose();
    Ok(Rule {
        line: table.line,
        id,
        metric,
        kind: kinds::kind(&table, kind, bad, least_runs)?,
        bad,
        no_data: effect("no_data")?,
        inconclusive: effect("inconclusive")?,
        unit: text("unit")?.unwrap_or_default(),
        why: text("why")?,
        runbook: text("runbook")?,
    })
}

/// A name that can stand in an argument and in a line of a report.
fn id(value: &Value<'_>) -> Result<String, RulesError> {
    let is_name = |text: &&str| {
        (1..=100).contains(&text.chars().count())
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || c.is_ascii_punctuation())
    };
    let id = value.as_text().filter(is_name);
    id.map(str::to_owned).ok_or_else(|| {
        value.must_be("1 to 100 letters, digits and signs such as - and ., without spaces")
    })
}

fn metric(table: &Table<'_>, kind: &str) -> Result<Metric, RulesError> {
    const SHARE: &str = "{ good = \"NAME\", bad = \"NAME\" }";
    const ONE: &str = "a text, as \"NAME\", \"NAME.p99\" or \"rate(NAME)\", or a share, as";
    let is_share = matches!(kind, "ratio" | "burn");
    let expected = match is_share {
        true => SHARE.to_owned(),
        false => format!("{ONE} {SHARE}"),
    };
    let value = table.need("metric", &expected)?;
    if !is_share && value.as_text().is_some() {
        return Ok(Metric::One(term(&value)?));
    }
    let share = value.table(&expected)?;
    share.only(&["good", "bad"])?;
    let counted = |key| {
        let value = share.need(key, "the name of what counts them")?;
        let term = term(&value)?;
        if term.rate || !matches!(term.part, Part::Value | Part::Count) {
            return Err(value.must_be("a count: NAME of a counter, or NAME.count of a histogram"));
        }
        Ok(term)
    };
    Ok(Metric::Share {
        good: counted("good")?,
        bad: counted("bad")?,
    })
}

fn term(value: &Value<'_>) -> Result<Term, RulesError> {
    // Longer ones would make a message of many pages.
    let text = value.as_text().filter(|text| text.len() <= 1_000);
    let text = text.ok_or_else(|| value.must_be("a text of at most 1000 bytes, as \"NAME\""))?;
    Term::parse(text).map_err(|reason| value.conflict(format!("{} {reason}", value.key)))
}
