//! What `kills` hears from its processes, and the comparison of that with what the store counts.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use super::kills::Role;
use super::lockers::{ALL_PUSHED, PUSHED, push};
use super::writer::{OBSERVED, OWN, OWN_NAME, REGISTERED, SHARED, WORK};
use crate::Result;
use crate::audit::{History, Values, audit, labelled, observed, sum};
use crate::opening::options;

#[derive(Default)]
pub(super) struct Done {
    pub(super) kills: u64,
    pub(super) acknowledged: u64,
    pub(super) extra: u64,
    pub(super) epochs: u64,
    pub(super) views: u64,
    pub(super) pushes: u64,
}

/// What was heard from the processes of one slot.
#[derive(Default)]
pub(super) struct Tally {
    acknowledged: Values,
    pub(super) threads_killed: u64,
    views: u64,
    pub(super) violations: Vec<String>,
    /// The rest of a message that was not read to its end.
    pub(super) rest: VecDeque<u8>,
    seen: (u64, u64),
    /// The highest sum that was seen in each epoch.
    highest: BTreeMap<u64, u64>,
    /// The client, and the last of its pushes that was answered.
    pub(super) pushed: (Option<u64>, u64),
}

impl Tally {
    pub(super) fn of(role: Role) -> Self {
        let client = match role {
            Role::Pusher { client } => Some(client),
            _ => None,
        };
        Self {
            pushed: (client, 0),
            ..Self::default()
        }
    }

    pub(super) fn hear(&mut self, role: Role, index: usize, bytes: &[u8]) {
        match role {
            Role::Writer { .. } | Role::Forker | Role::OneShot => {
                let own = labelled(OWN_NAME, "writer", &index.to_string());
                let work = observed(WORK.0, WORK.1);
                for (byte, key) in [(SHARED, "commit_success"), (OWN, &own), (OBSERVED, &work)] {
                    let heard = bytes.iter().filter(|heard| **heard == byte).count() as u64;
                    *self.acknowledged.entry(key.to_owned()).or_default() += heard;
                }
            }
            Role::Registrar => {
                self.rest.extend(bytes);
                while self.rest.len() >= 2 {
                    let id: Vec<u8> = self.rest.drain(..2).collect();
                    let id = u16::from_le_bytes([id[0], id[1]]);
                    let key = labelled(REGISTERED, "id", &id.to_string());
                    *self.acknowledged.entry(key).or_default() += 1;
                }
            }
            Role::Reader => {
                self.rest.extend(bytes);
                while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = self.rest.drain(..=end).collect();
                    self.hear_line(String::from_utf8_lossy(&line).trim_end());
                }
            }
            Role::Pusher { .. } => {
                self.rest.extend(bytes);
                while self.rest.len() >= 8 {
                    let number = self.rest.drain(..8).rev();
                    let number = number.fold(0, |all, byte| all << 8 | u64::from(byte));
                    if number <= self.pushed.1 {
                        let before = self.pushed.1;
                        self.violations
                            .push(format!("push {number} was answered after {before}"));
                    }
                    self.pushed.1 = number;
                }
            }
            Role::Rotator | Role::Snapshotter => {}
        }
    }

    /// A line of the reader: what is seen by one that was started later must not go back either.
    fn hear_line(&mut self, line: &str) {
        let seen = line
            .split_once(' ')
            .and_then(|(epoch, sum)| Some((epoch.parse::<u64>().ok()?, sum.parse::<u64>().ok()?)));
        match seen {
            Some(seen) if !line.starts_with('!') => {
                if seen < self.seen {
                    let before = self.seen;
                    let what = format!("readers saw (epoch, sum) {before:?} and then {seen:?}");
                    self.violations.push(what);
                }
                self.seen = seen;
                // Within an epoch the last one is the highest, or it was reported just now.
                self.highest.insert(seen.0, seen.1);
                self.views += 1;
            }
            _ => self.violations.push(line.to_owned()),
        }
    }
}

/// Compares what was acknowledged with what the store counts.
pub(super) fn judge(root: &Path, tallies: &[Tally], done: &mut Done) -> Result<Vec<String>> {
    let mut violations: Vec<String> = tallies
        .iter()
        .flat_map(|tally| tally.violations.iter().cloned())
        .collect();
    let pushed = pushes(root, tallies, &mut violations)?;
    done.pushes += pushed.get(ALL_PUSHED).copied().unwrap_or(0);
    let mut audit = audit(root, &History::default());
    for tally in tallies {
        audit.compare_seen(&tally.highest);
    }
    violations.extend(audit.violations.iter().cloned());
    let mut acknowledged = Values::new();
    let mut slack = Values::new();
    for tally in tallies {
        for (key, heard) in &tally.acknowledged {
            *acknowledged.entry(key.clone()).or_default() += heard;
            *slack.entry(key.clone()).or_default() += tally.threads_killed;
        }
        done.views += tally.views;
    }
    // By now each client knows of each push that it is counted.
    slack.extend(pushed.keys().map(|key| (key.clone(), 0)));
    acknowledged.extend(pushed);
    for key in audit.counted.keys().chain(acknowledged.keys()) {
        let counted = audit.count(key);
        let heard = acknowledged.get(key).copied().unwrap_or(0);
        // A series of which nothing was heard may have been made by a thread that was killed.
        let all: u64 = tallies.iter().map(|tally| tally.threads_killed).sum();
        let slack = slack.get(key).copied().unwrap_or(all);
        if counted < heard || counted > heard + slack {
            violations.push(format!(
                "{key} counts {counted}, {heard} were acknowledged and {slack} may be on top"
            ));
        }
    }
    if let Some((count, steps)) = audit.observed.get(WORK.0) {
        // A thread that is killed between the two additions leaves a sum without a count.
        let all: u64 = tallies.iter().map(|tally| tally.threads_killed).sum();
        let step = (WORK.1 * 1e9) as i64;
        let summed = u64::try_from(steps / step).unwrap_or(u64::MAX);
        if steps % step != 0 || summed < *count || summed > count + all {
            violations.push(format!("{count} observations sum up to {steps} steps"));
        }
    }
    let counted = sum(&audit.counted);
    let heard = sum(&acknowledged);
    let threads: u64 = tallies.iter().map(|tally| tally.threads_killed).sum();
    if counted < heard || counted > heard + threads {
        violations.push(format!(
            "{counted} in all, {heard} acknowledged, {threads} threads killed"
        ));
    }
    if audit.epoch < 2 {
        violations.push("no epoch was ever closed".into());
    }
    done.acknowledged += heard;
    done.extra += counted.saturating_sub(heard);
    done.epochs += audit.epoch;
    Ok(violations)
}

/// Each client sends its last push again; gives what they have pushed in all.
fn pushes(root: &Path, tallies: &[Tally], violations: &mut Vec<String>) -> Result<Values> {
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for (client, number) in tallies.iter().map(|tally| tally.pushed) {
        if let Some(client) = client {
            let known = last.entry(client).or_default();
            *known = number.max(*known);
        }
    }
    let mut pushed = Values::new();
    let store = options().open(root)?;
    for (client, number) in last {
        push(&store, client, number + 1)?;
        if push(&store, client, number + 1)?.counted {
            violations.push(format!("push {} of {client} was counted twice", number + 1));
        }
        pushed.insert(labelled(PUSHED, "client", &client.to_string()), number + 1);
        *pushed.entry(ALL_PUSHED.to_owned()).or_default() += number + 1;
    }
    Ok(pushed)
}
