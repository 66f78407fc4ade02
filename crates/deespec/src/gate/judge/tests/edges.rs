//! What is easily got wrong: two rules of one metric, what somebody accepted long ago, sentences at the edges.

use super::*;
use crate::gate::history::Accepted;

const ADAPTIVE: &str = "[[rule]]\nid = \"a\"\nmetric = \"x\"\nkind = \"adaptive\"\n";

/// Thirty steady runs and then these factors of them.
fn then(factors: &[f64]) -> Vec<f64> {
    let mut all = steady(30 + factors.len());
    for (value, factor) in all[30..].iter_mut().zip(factors) {
        *value *= factor;
    }
    all
}

#[test]
fn two_rules_that_see_one_shift_at_different_runs_move_the_level_once() {
    let shift = |id, min| {
        format!("[[rule]]\nid = \"{id}\"\nmetric = \"x\"\nkind = \"shift\"\nmin = {{ {min} }}\n")
    };
    // The second one finds its 31 runs before only where the first run of the new level is one of them.
    let both = rules(
        &(shift("one", "before = 10, after = 4") + &shift("other", "before = 31, after = 3")),
    );
    let all = then(&[1.3; 6]);
    let found = last(&both, &all[..34]);
    let places = found
        .rules
        .iter()
        .map(|rule| rule.evidence.change.as_ref().map(|change| change.index));
    assert_eq!(places.collect::<Vec<_>>(), [Some(30), Some(31)]);
    let found = last(&both, &all);
    assert!(
        found.rules[0]
            .sentence
            .contains("5 runs since then are too few"),
        "{}",
        found.rules[0].sentence
    );
}

#[test]
fn what_was_accepted_long_ago_lets_later_incidents_be_remembered() {
    let rules = rules(&(ADAPTIVE.to_owned() + "confirm = { k = 1, of = 1 }\n"));
    let all = then(&[1.5, 1.0, 1.0]);
    let mut known = history(&all);
    known.accepted.push(Accepted {
        rule: "a".to_owned(),
        run: "r2".to_owned(),
        reason: "as it should be".to_owned(),
        at: "1970-01-01T00:00:00Z".to_owned(),
    });
    let found: Vec<Outcome> = rules
        .replay(&known)
        .into_iter()
        .map(|run| run.verdict)
        .collect();
    assert_eq!(found[30..], [Outcome::Warn, Outcome::Warn, Outcome::Pass]);
}

#[test]
fn what_is_beyond_again_while_an_incident_ends_is_not_called_as_expected() {
    let found = only(last(&rules(ADAPTIVE), &then(&[1.5, 1.5, 1.0, 1.0, 1.5])));
    assert_eq!(found.verdict, Outcome::Warn);
    assert!(
        !found.sentence.contains("as expected again"),
        "{}",
        found.sentence
    );
    assert!(
        found
            .sentence
            .contains("1 of the last 3 runs was like that"),
        "{}",
        found.sentence
    );
}

#[test]
fn one_run_that_is_enough_is_not_counted_in_the_sentence() {
    let rules = rules(&(ADAPTIVE.to_owned() + "confirm = { k = 1, of = 1 }\n"));
    let found = only(last(&rules, &then(&[1.5])));
    assert!(!found.sentence.contains("the last 1"), "{}", found.sentence);
}

#[test]
fn a_share_between_its_limits_is_within_the_one_that_it_keeps() {
    let text = "[[rule]]\nid = \"r\"\nmetric = { good = \"good\", bad = \"bad\" }\nkind = \"ratio\"\nbad = \"down\"\n\
                warn = 0.97\nfail = 0.95\n";
    let present = run(&[("good", 965.0), ("bad", 35.0)]);
    let found = only(rules(text).judge(&History::default(), &present, "2026-11-28"));
    assert_eq!((found.verdict, found.limit), (Outcome::Pass, Some(0.95)));
    assert!(found.margin.is_some_and(|margin| margin > 0.0));
}

#[test]
fn a_count_beyond_all_is_surprising_and_not_unknown() {
    let counts: Vec<f64> = (0..20).map(|run| f64::from(run * 7 % 5)).collect();
    let rules = rules(&(ADAPTIVE.to_owned() + "confirm = { k = 1, of = 1 }\n"));
    for value in [60.0, 1e9, 1e15, 1e18, 1e300, 1.7e308] {
        let found = only(last(&rules, &[counts.clone(), vec![value]].concat()));
        assert_eq!(found.verdict, Outcome::Warn, "{value}");
    }
}

#[test]
fn a_metric_that_is_no_number_moves_together_with_nothing() {
    let text = "[[rule]]\nid = \"l\"\nmetric = \"x\"\nkind = \"limit\"\nfail = 110\n[correlate]\nmin_runs = 4\n";
    let mut known = history(&steady(40));
    for run in &mut known.runs {
        run.values.insert("y".to_owned(), f64::NAN);
    }
    let present = run(&[("x", 120.0), ("y", f64::NAN)]);
    let found = only(rules(text).judge(&known, &present, "2026-11-28"));
    assert!(found.moved_together.is_empty());
}
