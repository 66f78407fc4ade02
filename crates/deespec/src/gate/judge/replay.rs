//! What the rules would have said of each run of a history, each judged with what was known up to it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::judged::Judged;
use super::pass::{Judging, Pass};
use super::{accept, acceptances, beginning, now, resumed};
use crate::gate::history::{History, Run};
use crate::gate::report::Outcome;
use crate::gate::rules::{Likeness, Rule, Rules};

/// What the rules would have said of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// What the run is called: a number where it was one.
    pub run: RunName,
    /// The worst of its rules: fail, warn, inconclusive, no data, pass.
    pub verdict: Outcome,
    /// What each rule says.
    pub rules: Vec<ReplayedRule>,
}

/// What one rule would have said of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplayedRule {
    /// The rule's id.
    pub id: String,
    /// What it says.
    pub verdict: Outcome,
    /// The run of the incident's beginning, counted from 0 in the file; `None` where there is no incident.
    pub change_index: Option<usize>,
}

/// The name of a run: in JSON a number where it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RunName {
    /// A whole number.
    Number(u64),
    /// Any other text.
    Text(String),
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.pad(text),
        }
    }
}

impl From<&str> for RunName {
    fn from(text: &str) -> Self {
        // Only what would be written the same way again is a number.
        match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => Self::Number(number),
            _ => Self::Text(text.to_owned()),
        }
    }
}

impl Rules {
    /// What these rules would have said of each run of a history: as [`judge`](Self::judge) would have then, with
    /// the runs before it and no other. Each run is compared with those of its own branch and machine. Mutes are
    /// left out. Error budgets need runs with times.
    ///
    /// ```
    /// use deespec::gate::{History, Outcome, Rules};
    /// use std::path::Path;
    ///
    /// let rules = "schema = \"deespec.gate/1\"\n[[rule]]\nid = \"moved\"\nmetric = \"x\"\nkind = \"shift\"\n";
    /// let rules = Rules::parse(rules, Path::new("gate.toml")).unwrap();
    /// let lines: String = (0..40)
    ///     .map(|run| {
    ///         let value = f64::from(run * 7 % 11) + if run < 30 { 100.0 } else { 130.0 };
    ///         format!("{{\"run\": {run}, \"value\": {value}}}\n")
    ///     })
    ///     .collect();
    /// let history = History::parse(&lines, Path::new("runs.jsonl")).unwrap();
    /// let replayed = rules.replay(&history);
    /// let first = replayed.iter().find(|run| run.verdict == Outcome::Warn).unwrap();
    /// assert_eq!(first.rules[0].change_index, Some(30));
    /// ```
    pub fn replay(&self, history: &History) -> Vec<Replayed> {
        let scope = &self.policy.history;
        let mut groups: BTreeMap<(&str, &str), Vec<(usize, &Run)>> = BTreeMap::new();
        for (place, run) in history.runs.iter().enumerate() {
            let of = |likeness, text| {
                if scope.same.contains(&likeness) {
                    text
                } else {
                    ""
                }
            };
            // Where all are compared with one branch, it does not matter which one they are of.
            let branch = match scope.branch {
                Some(_) => "",
                None => of(Likeness::Branch, run.branch.as_str()),
            };
            let host = of(Likeness::HostClass, run.host_class.as_str());
            groups.entry((branch, host)).or_default().push((place, run));
        }
        let mut found: Vec<(usize, Replayed)> = Vec::new();
        for group in groups.values() {
            self.replay_group(history, group, &mut found);
        }
        found.sort_by_key(|(place, _)| *place);
        found.into_iter().map(|(_, replayed)| replayed).collect()
    }

    /// Runs that are compared with each other. A pass is begun anew where `judge` would begin another, so that both
    /// say the same.
    fn replay_group(
        &self,
        history: &History,
        group: &[(usize, &Run)],
        found: &mut Vec<(usize, Replayed)>,
    ) {
        let scope = &self.policy.history;
        let is_kept = |run: &Run| scope.is_base(run) && scope.counts(run);
        let kept: Vec<(usize, &Run)> = group
            .iter()
            .filter(|(_, run)| is_kept(run))
            .copied()
            .collect();
        let accepted = acceptances(&history.accepted, &kept);
        let longest = self.longest_budget().map(|longest| longest.as_secs_f64());
        let mut pass: Option<(usize, Pass<'_>)> = None;
        for (place, run) in group {
            let known = &kept[..kept.partition_point(|(known, _)| known < place)];
            let beginning = beginning(known.len(), self);
            let mut current = match pass.take() {
                Some((begun, pass)) if begun == beginning => pass,
                _ => resumed(self, known, &accepted),
            };
            // Error budgets know nothing of what is longer ago than all their windows.
            let now = longest.map_or(0.0, |_| now(run, known));
            let mut happened: Vec<&Run> = Vec::new();
            if let Some(longest) = longest {
                let is_recent = |at: f64| at <= now && at > now - longest;
                let recent = known
                    .iter()
                    .filter(|(_, run)| run.at.is_some_and(is_recent));
                happened.extend(recent.map(|(_, run)| *run));
            }
            happened.push(run);
            let judging = Judging {
                place: *place,
                run,
                happened: Some(&happened),
                is_told: false,
                now,
            };
            let judge = |pass: &mut Pass<'_>| {
                accept(pass, &accepted, *place, run.at);
                pass.step(&judging)
            };
            let judged = match is_kept(run) {
                true => judge(&mut current),
                // Judged, and then forgotten, with what was accepted by then.
                false => judge(&mut current.clone()),
            };
            found.push((*place, self.told(run, judged)));
            pass = Some((beginning, current));
        }
    }

    fn told(&self, run: &Run, judged: Vec<Judged>) -> Replayed {
        let rules: Vec<ReplayedRule> = self
            .rules
            .iter()
            .zip(judged)
            .map(|(rule, judged)| ReplayedRule {
                id: rule.id.clone(),
                verdict: judged.outcome,
                change_index: match judged.outcome {
                    Outcome::Warn | Outcome::Fail => {
                        judged.change.map(|change| change.place).or(judged.began)
                    }
                    _ => None,
                },
            })
            .collect();
        let worst = rules
            .iter()
            .map(|rule| rule.verdict)
            .max_by_key(|verdict| verdict.severity());
        Replayed {
            run: run.id.as_str().into(),
            verdict: worst.unwrap_or(Outcome::NoData),
            rules,
        }
    }

    /// The rules that concern a metric, or, without one, those that learn: what a file with the values of one metric
    /// can be judged by.
    pub fn concerning(&self, metric: Option<&str>) -> Self {
        let concerns = |rule: &&Rule| match metric {
            Some(metric) => rule.metric.terms().any(|term| term.text() == metric),
            None => rule.kind.is_learned(),
        };
        Self {
            rules: self.rules.iter().filter(concerns).cloned().collect(),
            ..self.clone()
        }
    }
}
