//! What is read, and what is refused with which words.

use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;

use super::super::*;
use super::table::{File, Table};
use super::tables;

/// GATE.md's example: every key that there is, but for those that have a test of their own.
const EXAMPLE: &str = include_str!("example.toml");
const REFUSED: &str = include_str!("refused.toml");

fn parse(text: &str) -> Result<Rules, RulesError> {
    Rules::parse(text, Path::new("conf/gate.toml"))
}

/// The one rule of a file with these lines in its table.
fn rule(lines: &str) -> Rule {
    let text = format!("schema = \"deespec.gate/1\"\n[[rule]]\nid = \"a\"\n{lines}");
    parse(&text).unwrap().rules.remove(0)
}

#[test]
fn what_no_file_may_say_is_refused_with_the_line_and_what_is_allowed() {
    let file = File::new(REFUSED, Path::new("refused.toml"));
    let document = DeTable::parse(REFUSED).unwrap();
    let cases = tables(&Table::root(&file, document.get_ref()), "case").unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let text = match case.get("whole") {
            Some(whole) => whole.as_text().unwrap().to_owned(),
            None => {
                let text = case.get("text").unwrap();
                format!("schema = \"deespec.gate/1\"\n{}", text.as_text().unwrap())
            }
        };
        let expected = case.get("message").unwrap();
        let expected = format!("conf/gate.toml:{}", expected.as_text().unwrap());
        let found = match parse(&text) {
            Ok(rules) => format!("it is accepted: {rules:?}"),
            Err(error) => error.to_string(),
        };
        if found != expected {
            wrong.push(format!("{text}\n  is:     {found}\n  not:    {expected}"));
        }
    }
    assert!(cases.len() > 150);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_line_of_the_specification_means_what_it_says() {
    let rules = parse(EXAMPLE).unwrap();
    assert_eq!(rules.source.as_deref(), Some(Path::new("conf/gate.toml")));
    // What it says of the policy is what holds where nothing is said.
    assert_eq!(rules.policy, Policy::default());
    assert_eq!(rules.correlate, Some(Correlate::default()));
    let line = |what: &str| {
        let found = EXAMPLE.lines().position(|line| line.starts_with(what));
        found.unwrap() + 1
    };
    let mute = Mute {
        rule: "commit-p99".to_owned(),
        until: "2026-12-31".to_owned(),
        reason: "known, issue 123".to_owned(),
        line: line("[[mute]]"),
    };
    assert_eq!(rules.mutes, [mute]);
    let common = |id: &str, metric: &str, kind| Rule {
        line: line(&format!("id = \"{id}\"")) - 1,
        ..Rule::new(id, Metric::One(Term::parse(metric).unwrap()), kind)
    };
    let share = Metric::Share {
        good: Term::parse("commit_success").unwrap(),
        bad: Term::parse("commit_failed").unwrap(),
    };
    let limit = Kind::Limit(Limit {
        warn: Some(80.0),
        fail: Some(100.0),
    });
    let ratio = Kind::Ratio(Ratio {
        warn: Some(0.97),
        fail: Some(0.95),
        confidence: 0.95,
        total: 5,
        prove: false,
    });
    let adaptive = Kind::Adaptive(Adaptive {
        model: ModelChoice::Auto,
        warn: Surprise {
            alpha: 0.01,
            by: 0.05,
        },
        fail: Some(Surprise {
            alpha: 0.001,
            by: 0.2,
        }),
        confirm: (2, 3),
        runs: 10,
        distinct: 3,
        floor: 0.02,
        can_fail: false,
    });
    let shift = Kind::Shift(Shift {
        warn: Moved { p: 0.001, by: 0.05 },
        fail: None,
        before: 10,
        after: 3,
        can_fail: false,
    });
    let trend = Kind::Trend(Trend {
        over: 14,
        warn: Slope {
            slope: 0.05,
            p: 0.01,
        },
        fail: None,
        eta: Some(Eta {
            to: 100.0,
            within: 10.0,
        }),
        runs: 8,
        can_fail: false,
    });
    let window = |long, short, factor, level| Window {
        long: Duration::from_secs(long),
        short: Duration::from_secs(short),
        factor,
        level,
    };
    let burn = Kind::Burn(Burn {
        objective: 0.95,
        windows: vec![
            window(3_600, 300, 14.4, Verdict::Fail),
            window(6 * 3_600, 1_800, 6.0, Verdict::Fail),
            window(3 * 86_400, 6 * 3_600, 1.0, Verdict::Warn),
        ],
        bad: 3,
        total: 20,
    });
    let expected = [
        Rule {
            why: Some("contention on the state file".to_owned()),
            runbook: Some("docs/runbooks/cas.md".to_owned()),
            ..common("cas-conflicts", "cas_conflicts", limit)
        },
        Rule {
            metric: share.clone(),
            bad: Bad::Down,
            ..common("success-rate", "replaced", ratio)
        },
        common("commit-p99", "commit_seconds.p99", adaptive),
        common("p99-shift", "commit_seconds.p99", shift),
        common("conflicts-trend", "rate(cas_conflicts)", trend),
        Rule {
            metric: share,
            bad: Bad::Down,
            ..common("budget", "replaced", burn)
        },
    ];
    assert_eq!(rules.rules, expected);
}

#[test]
fn what_the_specification_only_shows_as_a_comment_is_lawful_too() {
    let text = EXAMPLE.replace("# prove = true ", "prove = true ");
    let rules = parse(&text).unwrap();
    assert!(matches!(
        &rules.rules[1].kind,
        Kind::Ratio(Ratio { prove: true, .. })
    ));
}

#[test]
fn a_rule_that_says_little_takes_the_defaults() {
    let text = "schema = \"deespec.gate/1\"\ngate.history.min = 12\n[[rule]]\nid = \"a\"\nmetric = \"m\"\nkind = \"adaptive\"";
    let rules = parse(text).unwrap();
    let adaptive = Adaptive {
        model: ModelChoice::Auto,
        warn: Surprise {
            alpha: 0.01,
            by: 0.05,
        },
        fail: None,
        confirm: (2, 3),
        // As many as the policy says.
        runs: 12,
        distinct: 3,
        floor: 0.02,
        can_fail: false,
    };
    assert_eq!(rules.rules[0].kind, Kind::Adaptive(adaptive));
    assert_eq!((rules.rules[0].line, rules.rules[0].bad), (3, Bad::Up));

    let shift = Shift {
        warn: Moved { p: 0.001, by: 0.05 },
        fail: None,
        before: 10,
        after: 2,
        can_fail: false,
    };
    let found = rule("metric = \"m\"\nkind = \"shift\"").kind;
    assert_eq!(found, Kind::Shift(shift));

    let trend = Trend {
        over: 14,
        warn: Slope {
            slope: 0.05,
            p: 0.01,
        },
        fail: None,
        eta: None,
        runs: 8,
        can_fail: false,
    };
    let found = rule("metric = \"m\"\nkind = \"trend\"").kind;
    assert_eq!(found, Kind::Trend(trend));

    let ratio = Ratio {
        warn: None,
        fail: Some(0.9),
        confidence: 0.95,
        total: 5,
        prove: false,
    };
    let found = rule("metric = { good = \"g\", bad = \"b\" }\nkind = \"ratio\"\nfail = \"90%\"");
    assert_eq!(
        (found.kind, found.bad, found.line),
        (Kind::Ratio(ratio), Bad::Down, 2)
    );

    let found = rule(
        "metric = { good = \"g\", bad = \"b\" }\nkind = \"burn\"\nobjective = \"99.9%\"\n\
         windows = [{ long = \"1w\", short = \"90s\", factor = 2, level = \"warn\" }]",
    );
    let burn = Burn {
        objective: 0.999,
        windows: vec![Window {
            long: Duration::from_secs(7 * 86_400),
            short: Duration::from_secs(90),
            factor: 2.0,
            level: Verdict::Warn,
        }],
        bad: 3,
        total: 20,
    };
    assert_eq!(found.kind, Kind::Burn(burn));
}

#[test]
fn a_rule_and_the_policy_can_say_everything_that_there_is() {
    let rules = parse(
        "schema = \"deespec.gate/1\"
        [gate]
        fail_on = \"never\"
        no_data = \"fail\"
        no_store = \"no_data\"
        inconclusive = \"pass\"
        alpha = 0.05
        [gate.history]
        scope = []
        branch = \"main\"
        window = 30
        min = 8
        exclude = [\"error\"]
        [correlate]
        on = \"values\"
        method = \"spearman\"
        lags = 0
        min_runs = 30
        fdr = 0.1
        [[mute]]
        rule = \"a\"
        until = 2028-02-29
        reason = \"a leap day, written as a date\"",
    )
    .unwrap();
    let policy = Policy {
        fail_on: FailOn::Never,
        no_data: Verdict::Fail,
        no_store: NoStore::NoData,
        inconclusive: Verdict::Pass,
        alpha: 0.05,
        history: Scope {
            same: vec![],
            branch: Some("main".to_owned()),
            window: 30,
            min: 8,
            exclude: vec![Status::Error],
        },
    };
    assert_eq!(rules.policy, policy);
    let correlate = Correlate {
        differences: false,
        lags: 0,
        runs: 30,
        fdr: 0.1,
    };
    assert_eq!(rules.correlate, Some(correlate));
    assert_eq!(rules.mutes[0].until, "2028-02-29");

    let found = rule(
        "metric = \"m{a=\\\"b\\\"}.p50\"\nkind = \"adaptive\"\nbad = \"down\"\nmodel = \"gamma-poisson\"\n\
         no_data = \"pass\"\ninconclusive = \"fail\"\nunit = \"seconds\"\nwhy = \"w\"\nrunbook = \"r\"\n\
         warn = { by = 0.1 }\nfail = { alpha = 1e-4, by = \"250%\" }\nconfirm = { k = 1, of = 1 }\n\
         min = { distinct = 2 }\nfloor = 0\ncan_fail = true",
    );
    assert_eq!(
        (found.no_data, found.inconclusive),
        (Some(Verdict::Pass), Some(Verdict::Fail))
    );
    assert_eq!(
        (found.unit.as_str(), found.why.as_deref(), found.bad),
        ("seconds", Some("w"), Bad::Down)
    );
    assert_eq!(found.runbook.as_deref(), Some("r"));
    let adaptive = Adaptive {
        model: ModelChoice::GammaPoisson,
        warn: Surprise {
            alpha: 0.01,
            by: 0.1,
        },
        fail: Some(Surprise {
            alpha: 1e-4,
            by: 2.5,
        }),
        confirm: (1, 1),
        runs: 10,
        distinct: 2,
        floor: 0.0,
        can_fail: true,
    };
    assert_eq!(found.kind, Kind::Adaptive(adaptive));

    let found = rule(
        "metric = \"m\"\nkind = \"trend\"\nover = 20\nfail = { slope = 0.125, p = 0.001 }\n\
         eta = { to = -1.5, within = 3 }\nmin = { runs = 5 }",
    );
    let Kind::Trend(trend) = found.kind else {
        panic!("a trend: {found:?}")
    };
    let fail = Slope {
        slope: 0.125,
        p: 0.001,
    };
    let eta = Eta {
        to: -1.5,
        within: 3.0,
    };
    assert_eq!(
        (trend.over, trend.fail, trend.eta, trend.runs),
        (20, Some(fail), Some(eta), 5)
    );
}

#[test]
fn a_percentage_is_the_number_that_it_says() {
    for (text, share) in [
        ("0%", 0.0),
        ("0.1%", 0.001),
        ("7%", 0.07),
        ("33.3%", 0.333),
        ("100.0%", 1.0),
    ] {
        let found = rule(&format!(
            "metric = {{ good = \"g\", bad = \"b\" }}\nkind = \"ratio\"\nfail = \"{text}\""
        ));
        let Kind::Ratio(ratio) = found.kind else {
            panic!("a ratio: {found:?}")
        };
        assert_eq!(ratio.fail, Some(share), "{text}");
    }
}

#[test]
fn a_mebibyte_is_read_and_one_byte_more_is_refused() {
    const SCHEMA: &str = "schema = \"deespec.gate/1\"";
    let padded = |bytes: usize| SCHEMA.to_owned() + &" ".repeat(bytes - SCHEMA.len());
    assert_eq!(
        parse(&padded(1 << 20)).unwrap().source.as_deref(),
        Some(Path::new("conf/gate.toml"))
    );
    let error = parse(&padded((1 << 20) + 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "conf/gate.toml: 1048577 bytes are too many for a file of rules, at most 1048576 are read"
    );
    assert_eq!(error.line(), None);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_change_no_line() {
    let text = format!("\u{feff}{}", EXAMPLE.replace('\n', "\r\n"));
    assert_eq!(parse(&text).unwrap(), parse(EXAMPLE).unwrap());
}

#[test]
fn ten_thousand_rules_are_read_in_the_order_of_the_file() {
    let mut text = "schema = \"deespec.gate/1\"\n".to_owned();
    for number in 0..10_000 {
        text.push_str(&format!(
            "[[rule]]\nid = \"r{number}\"\nmetric = \"m\"\nkind = \"limit\"\nfail = 1\n"
        ));
    }
    let rules = parse(&text).unwrap().rules;
    assert_eq!(rules.len(), 10_000);
    for (number, rule) in rules.iter().enumerate() {
        assert_eq!(
            (rule.id.as_str(), rule.line),
            (format!("r{number}").as_str(), 2 + 5 * number)
        );
    }
}

#[test]
fn of_a_share_of_good_ones_less_is_worse_unless_it_is_said() {
    for kind in ["kind = \"limit\"\nfail = 0.9", "kind = \"shift\""] {
        let share = "metric = { good = \"g\", bad = \"b\" }";
        assert_eq!(rule(&format!("{share}\n{kind}")).bad, Bad::Down);
        let up = rule(&format!("{share}\n{kind}\nbad = \"up\""));
        assert_eq!(up.bad, Bad::Up);
        assert_eq!(rule(&format!("metric = \"m\"\n{kind}")).bad, Bad::Up);
    }
}
