//! Rules that learn from earlier runs.

use super::*;
use crate::gate::history::Accepted;

const ADAPTIVE: &str = "[[rule]]\nid = \"a\"\nmetric = \"x\"\nkind = \"adaptive\"\n";
const SHIFT: &str = "[[rule]]\nid = \"s\"\nmetric = \"x\"\nkind = \"shift\"\n";
const TREND: &str = "[[rule]]\nid = \"t\"\nmetric = \"x\"\nkind = \"trend\"\neta = { to = 200, within = \"10 runs\" }\n";

/// Thirty steady runs and then these factors of them.
fn then(factors: &[f64]) -> Vec<f64> {
    let mut all = steady(30 + factors.len());
    for (value, factor) in all[30..].iter_mut().zip(factors) {
        *value *= factor;
    }
    all
}

#[test]
fn one_run_of_history_is_no_data_for_all_that_learn() {
    for kind in [ADAPTIVE, SHIFT, TREND] {
        let found = only(last(&rules(kind), &[100.0, 500.0]));
        assert_eq!(found.verdict, Outcome::NoData, "{kind}");
        assert!(found.next_step.unwrap().contains("gate record"), "{kind}");
        assert_eq!(only(last(&rules(kind), &[1.0])).verdict, Outcome::NoData);
    }
}

#[test]
fn one_run_far_off_is_not_confirmed() {
    let found = only(last(&rules(ADAPTIVE), &then(&[1.5])));
    assert_eq!(found.verdict, Outcome::Pass);
    assert_eq!(
        found
            .confirm
            .map(|confirm| (confirm.k, confirm.of, confirm.seen)),
        Some((2, 3, 1))
    );
    assert_eq!(found.evidence.baseline.unwrap().model, "log-t");
}

#[test]
fn two_of_three_are_confirmed_and_two_clean_runs_end_it() {
    let found = outcomes(&rules(ADAPTIVE), &then(&[1.5, 1.0, 1.5, 1.0, 1.0, 1.0]));
    use Outcome::{Pass, Warn};
    assert_eq!(found[30..], [Pass, Pass, Warn, Warn, Pass, Pass]);
    let text = ADAPTIVE.to_owned() + "confirm = { k = 1, of = 1 }\n";
    let found = outcomes(&rules(&text), &then(&[1.5, 1.0, 1.0]));
    assert_eq!(found[30..], [Warn, Warn, Pass]);
    let clearing = only(last(&rules(&text), &then(&[1.5, 1.0])));
    assert_eq!(clearing.guard.as_deref(), Some("clearing"));
}

#[test]
fn an_incident_keeps_its_fingerprint() {
    let rules = rules(ADAPTIVE);
    let first = only(last(&rules, &then(&[1.5, 1.5])));
    let next = only(last(&rules, &then(&[1.5, 1.5, 1.5])));
    assert_eq!(
        (first.verdict, next.verdict),
        (Outcome::Warn, Outcome::Warn)
    );
    assert_eq!(first.fingerprint, next.fingerprint);
    let other = only(last(&rules, &then(&[1.0, 1.5, 1.5])));
    assert_ne!(first.fingerprint, other.fingerprint);
}

#[test]
fn what_is_learned_only_warns_unless_it_is_allowed_to_fail() {
    let fail = ADAPTIVE.to_owned() + "fail = { alpha = 0.001, by = \"20%\" }\n";
    assert_eq!(
        only(last(&rules(&fail), &then(&[2.0, 2.0]))).verdict,
        Outcome::Warn
    );
    let allowed = fail + "can_fail = true\n";
    assert_eq!(
        only(last(&rules(&allowed), &then(&[2.0, 2.0]))).verdict,
        Outcome::Fail
    );
    let shift = SHIFT.to_owned() + "fail = { p = 0.001, by = \"50%\" }\ncan_fail = true\n";
    let fails = |factor| outcomes(&rules(&shift), &then(&[factor; 8])).contains(&Outcome::Fail);
    assert!(fails(2.0) && !fails(1.2));
}

#[test]
fn what_gets_better_is_no_alarm() {
    for kind in [ADAPTIVE, SHIFT, TREND] {
        let found = outcomes(&rules(kind), &then(&[0.7; 10]));
        assert!(!found.contains(&Outcome::Warn), "{kind}");
    }
    let down = SHIFT.to_owned() + "bad = \"down\"\n";
    assert!(outcomes(&rules(&down), &then(&[0.7; 10])).contains(&Outcome::Warn));
}

#[test]
fn a_shift_warns_once_and_its_level_is_the_new_normal() {
    let replayed = rules(SHIFT).replay(&history(&then(&[1.3; 40])));
    let warned: Vec<_> = replayed
        .iter()
        .filter(|run| run.verdict == Outcome::Warn)
        .collect();
    assert_eq!(warned.len(), 1);
    assert_eq!(warned[0].rules[0].change_index, Some(30));
    let at = replayed
        .iter()
        .position(|run| run.verdict == Outcome::Warn)
        .unwrap();
    assert!(at < 35, "{at}");
    assert_eq!(replayed[at + 1].verdict, Outcome::NoData);
    assert!(
        replayed[44..]
            .iter()
            .all(|run| run.verdict == Outcome::Pass)
    );
    let after = only(last(&rules(SHIFT), &then(&[1.3; 7])));
    assert_eq!(
        (after.verdict, after.guard.as_deref()),
        (Outcome::NoData, Some("moved"))
    );
    assert!(after.sentence.contains("at run r30"), "{}", after.sentence);
    assert_eq!(
        after.next_step.as_deref(),
        Some("see what changed in run r30; the new level is learned from the runs that follow")
    );
}

#[test]
fn after_an_improvement_the_better_level_is_what_counts() {
    // Down by 30 %, and back: without the better level as the measure, nothing would have happened.
    let back: Vec<f64> = [[0.7; 25], [1.0; 25]].concat();
    let found = outcomes(&rules(SHIFT), &then(&back));
    assert!(!found[..55].contains(&Outcome::Warn) && found[55..61].contains(&Outcome::Warn));
}

#[test]
fn a_shift_says_where_by_how_much_and_what_to_do() {
    let all = then(&[1.3; 2]);
    let found = only(last(&rules(SHIFT), &all));
    assert_eq!(found.verdict, Outcome::Warn);
    let change = found.evidence.change.unwrap();
    assert_eq!(
        (change.index, change.run.as_str(), change.after.n),
        (30, "r30", 2)
    );
    assert!((change.after.mean / change.before.mean - 1.3).abs() < 0.03);
    assert!(found.next_step.unwrap().contains("gate accept s --at r30"));
    assert_eq!(found.recent.len(), 32);
}

#[test]
fn an_accepted_level_is_the_new_normal_at_once() {
    let mut known = history(&then(&[1.3]));
    let present = run(&[("x", 132.0)]);
    assert_eq!(
        only(rules(SHIFT).judge(&known, &present, "2026-11-28")).verdict,
        Outcome::Warn
    );
    known.accepted.push(Accepted {
        rule: "s".to_owned(),
        run: "r30".to_owned(),
        reason: "a better compression".to_owned(),
        at: "2026-11-28T10:00:00Z".to_owned(),
    });
    assert_eq!(
        only(rules(SHIFT).judge(&known, &present, "2026-11-28")).verdict,
        Outcome::NoData
    );
    // A run that was judged before somebody accepted anything is not judged by that.
    let early = Run {
        at: Some(0.0),
        ..present
    };
    assert_eq!(
        only(rules(SHIFT).judge(&known, &early, "2026-11-28")).verdict,
        Outcome::Warn
    );
}

#[test]
fn a_history_without_any_spread_is_surprised_by_what_differs_and_not_sure() {
    let even = [vec![50.5; 20], vec![80.0; 2]].concat();
    assert_eq!(
        only(last(&rules(ADAPTIVE), &[50.5; 20])).verdict,
        Outcome::Pass
    );
    let found = only(last(&rules(ADAPTIVE), &even[..21]));
    assert_eq!(
        (found.verdict, found.guard.as_deref()),
        (Outcome::Inconclusive, Some("min.distinct"))
    );
    let one = ADAPTIVE.to_owned() + "min = { distinct = 1 }\nconfirm = { k = 1, of = 1 }\n";
    assert_eq!(only(last(&rules(&one), &even[..21])).verdict, Outcome::Warn);
    let within_floor = [vec![50.5; 20], vec![51.0]].concat();
    assert_eq!(
        only(last(&rules(&one), &within_floor)).verdict,
        Outcome::Pass
    );
    // Nothing but zeros, and then a count: counts say how sure they are.
    let zeros = [vec![0.0; 30], vec![5.0, 5.0]].concat();
    let found = only(last(&rules(ADAPTIVE), &zeros));
    assert_eq!(
        found.evidence.baseline.map(|normal| normal.model),
        Some("gamma-poisson")
    );
    assert_eq!(found.verdict, Outcome::Warn);
}

#[test]
fn a_counter_that_begins_again_is_no_alarm_where_more_is_worse() {
    let reset = [steady(30), vec![0.0, 1.0, 2.0]].concat();
    for (kind, verdict) in [
        (ADAPTIVE, Outcome::Pass),
        // A new level, and too few runs of it.
        (SHIFT, Outcome::NoData),
        (TREND, Outcome::Pass),
    ] {
        assert_eq!(only(last(&rules(kind), &reset)).verdict, verdict, "{kind}");
    }
}

#[test]
fn a_drift_is_told_with_the_run_that_reaches_the_limit() {
    let drifting: Vec<f64> = (0..14).map(|run| 100.0 + 7.0 * f64::from(run)).collect();
    let found = only(last(&rules(TREND), &drifting));
    assert_eq!(
        (found.verdict, found.evidence.slope),
        (Outcome::Warn, Some(7.0))
    );
    let eta = found.eta.unwrap();
    assert!((eta.runs - 9.0 / 7.0).abs() < 1e-9, "{eta:?}");
    assert!(
        found.sentence.contains("200 is reached in about 2 runs"),
        "{}",
        found.sentence
    );
    assert_eq!(
        only(last(&rules(TREND), &steady(14))).verdict,
        Outcome::Pass
    );
    let slow: Vec<f64> = (0..14).map(|run| 100.0 + 0.5 * f64::from(run)).collect();
    assert_eq!(only(last(&rules(TREND), &slow)).verdict, Outcome::Pass);
}

#[test]
fn runs_that_repeat_each_other_count_as_fewer_and_that_is_said() {
    // Each value stands three times: a third of the runs know something new.
    let tripled: Vec<f64> = steady(14)
        .into_iter()
        .flat_map(|value| [value; 3])
        .collect();
    let all = [tripled, vec![140.0; 12]].concat();
    let found = (42..=54)
        .map(|runs| only(last(&rules(SHIFT), &all[..runs])))
        .find(|found| found.verdict == Outcome::Warn)
        .unwrap();
    assert!(found.evidence.lag_one.unwrap() > 0.3);
    assert!(
        found.sentence.contains("count as fewer"),
        "{}",
        found.sentence
    );
}

#[test]
fn the_last_of_a_replay_is_judged_as_if_it_were_judged_alone() {
    let text = format!("{ADAPTIVE}{SHIFT}{TREND}");
    let rules = rules(&text);
    let mut values = steady(170);
    values[60..].iter_mut().for_each(|value| *value *= 1.2);
    values[90..].iter_mut().for_each(|value| *value *= 0.8);
    values[140..].iter_mut().for_each(|value| *value *= 1.4);
    let replayed = rules.replay(&history(&values));
    for runs in 1..=values.len() {
        let alone = last(&rules, &values[..runs]);
        let alone: Vec<Outcome> = alone.rules.iter().map(|rule| rule.verdict).collect();
        let then: Vec<Outcome> = replayed[runs - 1]
            .rules
            .iter()
            .map(|rule| rule.verdict)
            .collect();
        assert_eq!(alone, then, "run {}", runs - 1);
    }
    assert!(replayed.iter().any(|run| run.verdict == Outcome::Warn));
}

#[test]
fn what_comes_later_changes_nothing() {
    let rules = rules(SHIFT);
    let all = then(&[1.3; 30]);
    let whole = rules.replay(&history(&all));
    for runs in [20, 31, 33, 45] {
        assert_eq!(rules.replay(&history(&all[..runs])), whole[..runs]);
    }
}
