//! What is read is what was written, in an order that does not depend on chance.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> History {
    History::parse(text, Path::new("h.jsonl")).unwrap()
}

fn ids(history: &History) -> Vec<&str> {
    history.runs.iter().map(|run| &*run.id).collect()
}

fn full(id: &str, at: &str, values: &str) -> String {
    format!(
        "{{\"schema\":\"deespec.run/1\",\"run\":\"{id}\",\"at\":\"{at}\",\"values\":{values}}}\n"
    )
}

#[test]
fn a_line_that_is_no_run_is_named() {
    for (text, line, part) in [
        (
            "{\"run\": 1, \"value\": 1}\n\n{\"run\": 2}x\n",
            3,
            "trailing",
        ),
        ("{\"value\": 1}", 1, "run"),
        ("{\"run\": 1, \"value\": \"fast\"}", 1, "invalid type"),
        ("{\"run\": 1, \"value\": 1e999}", 1, "out of range"),
        ("{\"run\": 1, \"value\": NaN}", 1, "expected value"),
        (
            "{\"run\": 1, \"values\": {\"x\": Infinity}}",
            1,
            "expected value",
        ),
        ("{\"run\": 1.5, \"value\": 1}", 1, "whole number or a text"),
        ("[]", 1, "invalid"),
        (
            "{\"run\": 1, \"values\": {}, \"status\": \"cancelled\"}",
            1,
            "expected one of `pass`, `fail`, `error`",
        ),
        (
            "{\"run\": 1, \"values\": {}, \"at\": \"yesterday\"}",
            1,
            "must be a time such as \"2026-11-28T10:00:00Z\", found \"yesterday\"",
        ),
        (
            "\n{\"schema\": \"deespec.accept/1\", \"run\": 1}",
            2,
            "missing field `rule`",
        ),
        (
            "{\"schema\": \"deespec.run/2\", \"run\": 1}",
            1,
            "does not know",
        ),
    ] {
        let error = History::parse(text, Path::new("h.jsonl"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("h.jsonl:{line}: ")) && error.contains(part),
            "{error}"
        );
    }
}

#[test]
fn nothing_is_no_runs() {
    assert_eq!(parse("\n"), History::default());
    assert_eq!(parse("\u{feff}"), History::default());
}

#[test]
fn the_short_form_keeps_the_order_of_the_file_and_other_keys_are_passed_over() {
    let history = parse(
        "{\"run\": 9, \"value\": 1.5, \"status\": 7}\r\n{\"value\": null, \"run\": \"v3\", \"at\": [1]}\n{\"run\": 1, \"value\": 2}",
    );
    assert_eq!(ids(&history), ["9", "v3", "1"]);
    let values: Vec<Option<f64>> = history.runs.iter().map(|run| run.value("any")).collect();
    assert_eq!(values, [Some(1.5), None, Some(2.0)]);
}

#[test]
fn a_clock_that_went_back_does_not_move_equal_times() {
    let text = [
        full("b", "2026-11-28T10:00:05Z", "{}"),
        full("z", "2026-11-28T10:00:00Z", "{}"),
        full("a", "2026-11-28T11:00:00+01:00", "{}"),
        "{\"run\": \"old\", \"value\": 1}\n".to_owned(),
    ]
    .concat();
    assert_eq!(ids(&parse(&text)), ["old", "z", "a", "b"]);
}

#[test]
fn what_several_lines_say_of_one_run_is_put_together() {
    let text = [
        full("1", "2026-11-28T10:00:01Z", "{\"x\": 2, \"z\": 5}"),
        full("2", "2026-11-28T10:00:00.5Z", "{\"x\": 9}"),
        full("1", "2026-11-28T10:00:00Z", "{\"x\": 1, \"y\": null}"),
        "{\"schema\":\"deespec.run/1\",\"run\":1,\"branch\":\"b\",\"values\":{\"x\":7}}\n"
            .to_owned(),
    ]
    .concat();
    let history = parse(&text);
    assert_eq!(ids(&history), ["1", "1", "2"]);
    assert_eq!(history.runs[0].branch, "b");
    let values: Vec<(&str, f64)> = history.runs[1]
        .values
        .iter()
        .map(|(name, value)| (&**name, *value))
        .collect();
    assert_eq!(values, [("x", 2.0), ("z", 5.0)]);
    let began: jiff::Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
    assert_eq!(history.runs[1].at, Some(began.as_second() as f64));
}

#[test]
fn a_line_without_a_time_adds_to_its_run_and_does_not_move_it() {
    let untimed = |id| format!("{{\"run\":{id},\"values\":{{\"x\":3,\"y\":4}}}}\n");
    let text = [
        full("2", "2026-11-28T10:00:00Z", "{}"),
        full("1", "2026-11-28T10:00:00Z", "{\"x\": 1}"),
        untimed(1),
        untimed(7),
    ]
    .concat();
    let history = parse(&text);
    assert_eq!(ids(&history), ["7", "2", "1"]);
    let run = &history.runs[2];
    assert_eq!((run.value("x"), run.value("y")), (Some(1.0), Some(4.0)));
}

#[test]
fn a_metric_has_one_spelling() {
    let history = parse(&full(
        "1",
        "2026-11-28T10:00:00Z",
        "{\"x.p999\": 1, \"a-b\": 2}",
    ));
    assert_eq!(history.runs[0].value("x.p99.9"), Some(1.0));
    assert_eq!(history.runs[0].value("a-b"), Some(2.0));
}

#[test]
fn an_accepted_level_is_read_back() {
    let accepted = Accepted {
        rule: "p99-shift".to_owned(),
        run: "4711".to_owned(),
        reason: "new \"machine\"\n".to_owned(),
        at: "2026-11-28T10:00:00Z".to_owned(),
    };
    assert_eq!(parse(&accepted.to_line()).accepted, [accepted]);
}

#[test]
fn a_torn_line_is_passed_over_also_when_others_followed_it() {
    let whole = full("1", "2026-11-28T10:00:00Z", "{\"größe\": 1.5e-7}");
    let last = full("2", "2026-11-28T10:00:01Z", "{\"x\": 1}");
    for end in 1..whole.len() - 1 {
        let torn = String::from_utf8_lossy(&whole.as_bytes()[..end]).into_owned();
        let history = parse(&format!("{last}{torn}"));
        assert_eq!((ids(&history), history.skipped.len()), (vec!["2"], 1));
        let history = parse(&format!("{torn}\n{last}"));
        assert_eq!((ids(&history), history.skipped.len()), (vec!["2"], 1));
        assert!(history.skipped[0].starts_with("h.jsonl:1: "));
    }
    assert_eq!(parse(&format!("{last}\0\0\0")).skipped.len(), 1);
    // What is wrong, and not short, is an error also at the end.
    assert!(History::parse(&format!("{last}{{\"run\": }}"), Path::new("h")).is_err());
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9]{1,3}", "\\PC{0,8}"]
}

fn run() -> impl Strategy<Value = Run> {
    let metric = prop_oneof![
        Just("commits"),
        Just("commit_seconds.p99.9"),
        Just("rate(jobs{a=\"b\"})")
    ];
    let number = any::<f64>().prop_filter("finite", |number| number.is_finite());
    let status = prop_oneof![Just(Status::Pass), Just(Status::Fail), Just(Status::Error)];
    let at = proptest::option::of((0..4_000_000_000_000_000_u64).prop_map(|us| us as f64 / 1e6));
    let values = proptest::collection::btree_map(metric.prop_map(str::to_owned), number, 0..3);
    let whole = (
        name(),
        at,
        name(),
        name(),
        status,
        name(),
        values,
        proptest::option::of(-1e9..1e9),
    );
    whole.prop_map(
        |(id, at, branch, host_class, status, epoch, values, value)| Run {
            id,
            at,
            branch,
            host_class,
            status,
            epoch,
            values,
            value,
        },
    )
}

/// Runs of few names at few moments, so that they meet.
fn lines() -> impl Strategy<Value = String> {
    let line =
        (0..6_u8, proptest::option::of(0..3_u8), 0..3_u8).prop_map(
            |(id, second, x)| match second {
                None => format!("{{\"run\": {id}, \"value\": {x}}}\n"),
                Some(second) => full(
                    &id.to_string(),
                    &format!("2026-11-28T10:00:0{second}Z"),
                    &format!("{{\"x\":{x}}}"),
                ),
            },
        );
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

fn merged(texts: &[&str]) -> String {
    let texts: Vec<(&str, &Path)> = texts.iter().map(|text| (*text, Path::new("h"))).collect();
    merge(&texts).unwrap()
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written(run in run()) {
        let line = run.to_line();
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert_eq!(parse(&line).runs, [run]);
    }

    #[test]
    fn merging_does_not_depend_on_the_order_and_twice_is_once(one in lines(), two in lines(), three in lines()) {
        let all = merged(&[&one, &two, &three]);
        prop_assert_eq!(&all, &merged(&[&three, &one, &two, &one]));
        prop_assert_eq!(&all, &merged(&[&all, &all]));
        // No line is lost, and none is there twice.
        let given: std::collections::BTreeSet<&str> = [&one, &two, &three].into_iter().flat_map(|text| text.lines()).collect();
        prop_assert_eq!(all.lines().count(), given.len());
        prop_assert_eq!(all.lines().collect::<std::collections::BTreeSet<_>>(), given);
    }

    #[test]
    fn one_history_merged_alone_keeps_its_order_and_with_itself_changes_nothing(text in lines()) {
        let once = merged(&[&text]);
        prop_assert_eq!(&merged(&[&text, &once]), &once);
        let mut seen = std::collections::BTreeSet::new();
        let first_ones: Vec<&str> = text.lines().filter(|line| seen.insert(*line)).collect();
        prop_assert_eq!(parse(&once), parse(&first_ones.join("\n")));
    }
}

#[test]
fn names_that_no_file_puts_in_order_are_sorted_by_their_numbers() {
    let line = |id: &str| format!("{{\"run\":\"{id}\",\"value\":1}}\n");
    let texts = ["v10", "v9", "v09a", "w", "v"].map(line);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let all = merged(&texts);
    assert_eq!(ids(&parse(&all)), ["v", "v9", "v09a", "v10", "w"]);
}

#[test]
fn names_stay_as_a_file_has_them() {
    let line = |id: &str| format!("{{\"run\":\"{id}\",\"value\":1}}\n");
    let one = ["f3", "07", "a1"].map(line).concat();
    let other = ["a1", "00"].map(line).concat();
    assert_eq!(
        ids(&parse(&merged(&[&other, &one]))),
        ["f3", "07", "a1", "00"]
    );
}

#[test]
fn ten_thousand_runs_of_twenty_values_are_read() {
    let values: BTreeMap<String, f64> = (0..20).map(|n| (format!("m{n}.p99"), 0.5)).collect();
    let run = |n: usize| Run {
        id: n.to_string(),
        at: Some(n as f64),
        values: values.clone(),
        ..Run::default()
    };
    let text: String = (0..10_000).map(|n| run(n).to_line()).collect();
    assert_eq!(parse(&text).runs.len(), 10_000);
}
