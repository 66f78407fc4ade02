//! What holds for all rules: which runs are compared, what a verdict counts as, mutes, and what moves together.

use super::*;
use crate::gate::Verdict;
use crate::gate::rules::Status;

const SHIFT: &str = "[[rule]]\nid = \"s\"\nmetric = \"x\"\nkind = \"shift\"\n";
const LIMIT: &str =
    "[[rule]]\nid = \"l\"\nmetric = \"x\"\nkind = \"limit\"\nwarn = 110\nfail = 200\n";

#[test]
fn no_data_counts_as_the_policy_says_and_as_the_rule_says_before_it() {
    for (gate, rule, effect) in [
        ("", "", Verdict::Warn),
        ("[gate]\nno_data = \"fail\"\n", "", Verdict::Fail),
        (
            "[gate]\nno_data = \"fail\"\n",
            "no_data = \"pass\"\n",
            Verdict::Pass,
        ),
    ] {
        let report = last(&rules(&format!("{gate}{SHIFT}{rule}")), &[1.0]);
        assert_eq!((report.verdict, report.rules[0].effect), (effect, effect));
        assert_eq!(report.rules[0].verdict, Outcome::NoData);
    }
}

#[test]
fn fail_on_moves_the_verdict_of_the_whole() {
    for (fail_on, value, verdict) in [
        ("fail", 120.0, Verdict::Warn),
        ("warn", 120.0, Verdict::Fail),
        ("warn", 100.0, Verdict::Pass),
        ("never", 300.0, Verdict::Warn),
        ("never", 100.0, Verdict::Pass),
    ] {
        let text = format!("[gate]\nfail_on = \"{fail_on}\"\n{LIMIT}");
        let report = last(&rules(&text), &[value]);
        let found = (report.verdict, report.rules[0].effect);
        assert_eq!(found, (verdict, verdict), "{fail_on} {value}");
    }
}

#[test]
fn a_mute_holds_until_its_last_day() {
    let text =
        format!("{LIMIT}[[mute]]\nrule = \"l\"\nuntil = \"2026-12-31\"\nreason = \"known\"\n");
    let rules = rules(&text);
    let judged = |today| rules.judge(&History::default(), &run(&[("x", 300.0)]), today);
    let muted = judged("2026-12-31");
    assert_eq!(
        (muted.verdict, muted.rules[0].verdict),
        (Verdict::Pass, Outcome::Fail)
    );
    assert_eq!(muted.rules[0].muted.as_ref().unwrap().reason, "known");
    assert_eq!(judged("2027-01-01").verdict, Verdict::Fail);
}

#[test]
fn without_rules_nothing_passes_in_silence() {
    let report = Rules::default().judge(&History::default(), &Run::default(), "2026-11-28");
    assert_eq!((report.verdict, report.problems.len()), (Verdict::Warn, 1));
}

#[test]
fn runs_of_other_branches_and_machines_and_failed_ones_are_no_measure() {
    let rules = rules("[[rule]]\nid = \"a\"\nmetric = \"x\"\nkind = \"adaptive\"\n");
    let present = Run {
        branch: "main".to_owned(),
        host_class: "big".to_owned(),
        ..run(&[("x", 101.0)])
    };
    let change: [fn(&mut Run); 3] = [
        |run| run.branch = "other".to_owned(),
        |run| run.host_class = "small".to_owned(),
        |run| run.status = Status::Fail,
    ];
    let of = |change: fn(&mut Run)| {
        let mut known = history(&steady(30));
        for run in &mut known.runs {
            run.branch = "main".to_owned();
            run.host_class = "big".to_owned();
            change(run);
        }
        only(rules.judge(&known, &present, "2026-11-28"))
    };
    assert_eq!(of(|_| ()).verdict, Outcome::Pass);
    for change in change {
        let found = of(change);
        assert_eq!(
            (found.verdict, found.evidence.excluded),
            (Outcome::NoData, Some(30))
        );
    }
}

#[test]
fn a_branch_can_be_compared_with_the_main_one() {
    let rules = rules(
        "[gate]\nhistory = { branch = \"main\" }\n[[rule]]\nid = \"a\"\nmetric = \"x\"\nkind = \"adaptive\"\nconfirm = { k = 1, of = 1 }\n",
    );
    let mut known = history(&steady(30));
    known
        .runs
        .iter_mut()
        .for_each(|run| run.branch = "main".to_owned());
    let present = Run {
        branch: "feature".to_owned(),
        ..run(&[("x", 150.0)])
    };
    assert_eq!(
        only(rules.judge(&known, &present, "2026-11-28")).verdict,
        Outcome::Warn
    );
    known.runs.push(Run {
        id: "f".to_owned(),
        ..present
    });
    let replayed = rules.replay(&known);
    assert_eq!(replayed[30].verdict, Outcome::Warn);
}

#[test]
fn a_record_of_the_present_run_is_not_its_own_measure() {
    let rules = rules(SHIFT);
    let mut known = history(&[steady(30), vec![130.0, 129.0]].concat());
    let present = Run {
        id: "r31".to_owned(),
        ..run(&[("x", 129.0)])
    };
    let found = only(rules.judge(&known, &present, "2026-11-28"));
    assert_eq!(found.evidence.change.unwrap().after.n, 2);
    known.runs[31].epoch = "store/7".to_owned();
    let present = Run {
        epoch: "store/7".to_owned(),
        ..run(&[("x", 129.0)])
    };
    let found = only(rules.judge(&known, &present, "2026-11-28"));
    assert_eq!(found.evidence.change.unwrap().after.n, 2);
}

#[test]
fn who_records_run_after_run_in_one_epoch_is_told_to_rotate() {
    let mut known = history(&steady(30));
    for run in &mut known.runs {
        run.epoch = "store/1".to_owned();
    }
    let present = Run {
        id: "r30".to_owned(),
        epoch: "store/1".to_owned(),
        ..run(&[("x", 100.0)])
    };
    let found = only(rules(SHIFT).judge(&known, &present, "2026-11-28"));
    assert_eq!(found.verdict, Outcome::NoData);
    let next = found.next_step.unwrap();
    assert!(
        next.starts_with("30 runs are of the present epoch"),
        "{next}"
    );
    assert!(next.contains("`deespec rotate`"), "{next}");
}

/// `x` as it was, and `y` steady, judged by the shift of `x` among 400 rules of `y`.
fn among_many(values: &[f64]) -> Explanation {
    let others: String = (0..400)
        .map(|n| format!("[[rule]]\nid = \"o{n}\"\nmetric = \"y\"\nkind = \"shift\"\n"))
        .collect();
    let last = values.len() - 1;
    let mut known = history(&values[..last]);
    for (place, run) in known.runs.iter_mut().enumerate() {
        run.values.insert("y".to_owned(), steady(40)[place]);
    }
    let present = run(&[("x", values[last]), ("y", steady(40)[last])]);
    let report = rules(&format!("{SHIFT}{others}")).judge(&known, &present, "2026-11-28");
    report.rules.into_iter().next().unwrap()
}

#[test]
fn many_rules_that_learn_share_one_budget_of_false_alarms() {
    // A shift that is found once in some thousand runs by chance: news for one rule, none for a thousand.
    let values = [steady(30), vec![107.0, 106.5, 107.5]].concat();
    let alone = last(&rules(SHIFT), &values);
    assert_eq!(alone.rules[0].verdict, Outcome::Warn);
    let found = among_many(&values);
    assert_eq!(
        (found.verdict, found.guard.as_deref()),
        (Outcome::Pass, Some("gate.alpha"))
    );
    assert!(found.evidence.p_adjusted.unwrap() > 0.01);
}

#[test]
fn many_rules_do_not_forget_their_past_by_a_chance_for_the_better() {
    // One run more than makes it an improvement for a rule alone: then it knows too few runs.
    let values = [steady(30), vec![93.0, 93.5, 92.5, 93.0]].concat();
    let alone = last(&rules(SHIFT), &values);
    assert_eq!(alone.rules[0].guard.as_deref(), Some("moved"));
    assert_eq!(among_many(&values).verdict, Outcome::Pass);
}

#[test]
fn a_warning_is_hidden_behind_a_failure_of_the_same_metric() {
    let text =
        format!("{LIMIT}[[rule]]\nid = \"m\"\nmetric = \"x\"\nkind = \"limit\"\nwarn = 110\n");
    let report = last(&rules(&text), &[300.0]);
    assert_eq!(report.rules[1].hidden_by.as_deref(), Some("l"));
    assert_eq!(report.rules[0].hidden_by, None);
}

#[test]
fn what_moves_together_is_named_and_what_does_not_is_not() {
    let text = format!("{LIMIT}[correlate]\non = \"differences\"\n");
    let mut known = history(&steady(40));
    for place in 0..40 {
        let follows = 3.0 * known.runs[place].values["x"] + 1.0;
        let later = known.runs[place.saturating_sub(1)].values["x"];
        let run = &mut known.runs[place];
        run.values.insert("follows".to_owned(), follows);
        run.values
            .insert("unrelated".to_owned(), (place * 37 % 23) as f64);
        run.values.insert("later".to_owned(), -later);
    }
    let present = run(&[("x", 120.0)]);
    let report = rules(&text).judge(&known, &present, "2026-11-28");
    let together = &report.rules[0].moved_together;
    assert!(
        together
            .iter()
            .any(|text| text.starts_with("follows (rho +1.00")),
        "{together:?}"
    );
    assert!(
        together.iter().all(|text| !text.starts_with("unrelated")),
        "{together:?}"
    );
}

#[test]
fn who_does_not_say_what_the_run_is_like_is_told_that_others_are_known() {
    let learned = rules("[[rule]]\nid = \"a\"\nmetric = \"x\"\nkind = \"adaptive\"\n");
    let mut known = history(&steady(20));
    for run in &mut known.runs {
        run.branch = "main".to_owned();
        run.host_class = "ci".to_owned();
    }
    let mut present = run(&[("x", 100.0)]);
    present.branch = "main".to_owned();
    let unnamed = only(learned.judge(&known, &present, "2026-11-28"));
    assert_eq!(unnamed.guard.as_deref(), Some("min.runs"));
    let next = unnamed.next_step.unwrap();
    assert!(next.contains("20 runs are of another branch"), "{next}");
    assert!(next.contains("--host-class"), "{next}");

    present.host_class = "laptop".to_owned();
    let named = only(learned.judge(&known, &present, "2026-11-28"));
    assert_eq!(
        named.next_step.as_deref(),
        Some("record 10 more runs with `deespec gate record`")
    );
    let unmeasured = Run {
        values: Default::default(),
        ..present
    };
    let never = only(learned.judge(&known, &unmeasured, "2026-11-28"));
    assert_eq!(
        never.sentence,
        "x was not measured: no run of this branch and kind of machine has it."
    );
}
