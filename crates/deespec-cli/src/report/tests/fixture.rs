//! A report with everything: each verdict, each kind, what is muted, and texts that want to be something else.

use deespec::gate::{
    Baseline, BurnFound, ChangeFound, Confirm, EtaFound, Evidence, Explanation, Labels, LevelMean,
    MutedFor, Outcome, REPORT_SCHEMA, Report, Verdict,
};

use proptest::collection::vec;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::report::Look;

/// Texts that try to end what they stand in, or to begin something else.
pub(crate) const HOSTILE: [&str; 24] = [
    "a \"quoted\" 'text' \\ \\\" \\n",
    "two\nlines\r\nand\rmore\ttab",
    "]]>&lt;![CDATA[ <!-- --> &amp; & <failure/>",
    "</testcase></testsuite><script>alert(1)</script>",
    "\u{1b}[31mred\u{1b}[0m \u{9b}31m \u{7} \u{0} \u{7f} \u{85} \u{202e}turned\u{2066}",
    "::error file=x,line=1::injected",
    "\n::add-mask::secret\n::stop-commands::x",
    "##[error]old command ##[set-env name=X;]y",
    "100%25 %0A::error::x %3A,%2C",
    "a # SKIP not really # TODO no",
    "\nnot ok 99 - injected\nBail out! now\n1..0\n  ---\n  ...",
    "# TAP\n...\n---\nkey: [",
    "| a | pipe \\| | and `code` ``|``",
    "<img src=x onerror=alert(1)> <details><summary>",
    "[link](javascript:alert(1)) ![image](http://x.example/y.png) *bold* _em_ __b__ ~~s~~ $math$ @someone #123",
    "# heading\n\n| a |\n|---|\n\n---\n- list\n1. one\n> quote",
    "12. not a list",
    "a\" 1\ndeespec_gate_value{rule=\"b",
    "{\"json\": [1, null]} {{ liquid }} ${{ secrets.X }}",
    "\u{feff}日本語 👩\u{200d}💻 e\u{301} 🎉 \u{fffe}\u{ffff} \u{10ffff}",
    "-",
    "  spaces around  ",
    "no: yes # yaml 'it''s",
    ",comma=x:colon;semi]",
];

/// A rule that passes, with nothing to say.
pub(crate) fn rule(id: &str, kind: &'static str) -> Explanation {
    Explanation {
        rule: id.to_owned(),
        kind,
        verdict: Outcome::Pass,
        effect: Verdict::Pass,
        metric: "commit_seconds.p99".to_owned(),
        labels: Labels::new(),
        value: None,
        unit: String::new(),
        limit: None,
        margin: None,
        evidence: Evidence::default(),
        confirm: None,
        guard: None,
        hidden_by: None,
        moved_together: Vec::new(),
        eta: None,
        sentence: "It is as it should be.".to_owned(),
        next_step: None,
        why: None,
        runbook: None,
        fingerprint: format!("{:016x}", id.len()),
        config_at: Some("gate.toml:1".to_owned()),
        muted: None,
        recent: Vec::new(),
    }
}

pub(crate) fn report(rules: Vec<Explanation>) -> Report {
    Report {
        schema: REPORT_SCHEMA,
        verdict: rules
            .iter()
            .map(|rule| rule.effect)
            .max()
            .unwrap_or(Verdict::Pass),
        checked_at: Some("2026-11-28T12:00:00Z".to_owned()),
        config: Some("/repository/.deespec/gate.toml".to_owned()),
        run: Some("4711".to_owned()),
        history_runs: 40,
        problems: Vec::new(),
        rules,
    }
}

pub(crate) fn look() -> Look {
    Look {
        width: None,
        config: Some(".deespec/gate.toml".to_owned()),
        has_summary: true,
    }
}

/// A report as a project has it: each kind, and each verdict.
pub(crate) fn usual() -> Report {
    let conflicts = Explanation {
        metric: "cas_conflicts".to_owned(),
        value: Some(12.0),
        limit: Some(100.0),
        margin: Some(88.0),
        sentence: "12 is within 100.".to_owned(),
        recent: vec![3.0, 9.0, 12.0],
        config_at: Some("gate.toml:9".to_owned()),
        ..rule("cas-conflicts", "limit")
    };
    let success = Explanation {
        verdict: Outcome::Inconclusive,
        effect: Verdict::Warn,
        metric: "commit_success / (commit_success + commit_failed)".to_owned(),
        value: Some(0.9375),
        limit: Some(0.95),
        margin: Some(-0.0125),
        evidence: Evidence {
            n: Some(16),
            interval: Some((0.698, 0.998)),
            ..Evidence::default()
        },
        sentence: "15 of 16 are good, but so few do not tell 93.8 % from 95 %.".to_owned(),
        next_step: Some("Wait for more attempts; some 60 would do.".to_owned()),
        recent: vec![1.0, f64::NAN, 0.9375],
        config_at: Some("gate.toml:18".to_owned()),
        ..rule("success-rate", "ratio")
    };
    let slow = Explanation {
        verdict: Outcome::Fail,
        effect: Verdict::Fail,
        value: Some(0.3125),
        unit: "seconds".to_owned(),
        limit: Some(0.26),
        margin: Some(-0.0525),
        evidence: Evidence {
            n: Some(30),
            window: Some(50),
            excluded: Some(2),
            baseline: Some(Baseline {
                centre: 0.24,
                spread: 0.05,
                model: "log-t",
                since: "4600".to_owned(),
            }),
            interval: Some((0.21, 0.26)),
            p: Some(0.0002),
            p_adjusted: Some(0.0006),
            effect_percent: Some(30.2),
            lag_one: Some(0.1),
            ..Evidence::default()
        },
        confirm: Some(Confirm {
            k: 2,
            of: 3,
            seen: 2,
        }),
        moved_together: vec!["rate(cas_conflicts) moved one run before (0.81)".to_owned()],
        sentence: "312 ms is 30 % above the usual 240 ms, in 2 of the newest 3 runs.".to_owned(),
        next_step: Some(
            "Look at what changed since run 4709; `deespec gate explain commit-p99` shows all."
                .to_owned(),
        ),
        why: Some("People wait for a commit.".to_owned()),
        runbook: Some("docs/runbooks/slow-commits.md".to_owned()),
        fingerprint: "9f86d081884c7d65".to_owned(),
        recent: vec![0.24, 0.23, 0.25, 0.24, 0.24, 0.31, 0.3125],
        config_at: Some("gate.toml:31".to_owned()),
        ..rule("commit-p99", "adaptive")
    };
    let shift = Explanation {
        verdict: Outcome::Fail,
        muted: Some(MutedFor {
            until: "2026-12-31".to_owned(),
            reason: "known, issue 123".to_owned(),
        }),
        value: Some(0.31),
        unit: "seconds".to_owned(),
        evidence: Evidence {
            n: Some(40),
            p: Some(1e-7),
            effect_percent: Some(29.0),
            change: Some(ChangeFound {
                index: 37,
                run: "4709".to_owned(),
                before: LevelMean { mean: 0.24, n: 37 },
                after: LevelMean { mean: 0.31, n: 3 },
            }),
            ..Evidence::default()
        },
        sentence: "Since run 4709 the level is 310 ms, before it was 240 ms.".to_owned(),
        recent: vec![0.24, 0.24, 0.31, 0.31],
        config_at: Some("gate.toml:44".to_owned()),
        ..rule("p99-shift", "shift")
    };
    let trend = Explanation {
        verdict: Outcome::Warn,
        effect: Verdict::Warn,
        metric: "rate(cas_conflicts)".to_owned(),
        value: Some(71.0),
        evidence: Evidence {
            n: Some(14),
            p: Some(0.004),
            slope: Some(4.1),
            ..Evidence::default()
        },
        eta: Some(EtaFound {
            to: 100.0,
            runs: 7.1,
        }),
        sentence: "It grows by 5.8 % a run and reaches 100 in about 7 runs.".to_owned(),
        next_step: Some("Find what makes writers collide before it does.".to_owned()),
        recent: vec![40.0, 44.0, 49.0, 52.0, 58.0, 66.0, 71.0],
        config_at: Some("gate.toml:52".to_owned()),
        ..rule("conflicts-trend", "trend")
    };
    let budget = Explanation {
        verdict: Outcome::NoData,
        effect: Verdict::Warn,
        metric: "commit_success / (commit_success + commit_failed)".to_owned(),
        evidence: Evidence {
            n: Some(4),
            burn: vec![BurnFound {
                long_seconds: 3600.0,
                short_seconds: 300.0,
                factor: 14.4,
                long: Some(0.5),
                short: None,
                level: Verdict::Fail,
            }],
            ..Evidence::default()
        },
        guard: Some("min.total".to_owned()),
        sentence: "4 attempts are fewer than the 20 that are judged.".to_owned(),
        config_at: Some("gate.toml:63".to_owned()),
        ..rule("budget", "burn")
    };
    report(vec![conflicts, success, slow, shift, trend, budget])
}

/// Texts of any characters, the same ones each time, and half of them of marks only.
fn any(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let texts = [
        vec(proptest::char::any(), 1..30).boxed(),
        vec(proptest::char::range('\0', '\u{a0}'), 1..30).boxed(),
    ];
    let mut text = |of: usize| -> String {
        let tree = texts[of % 2].new_tree(&mut runner).unwrap();
        tree.current().into_iter().collect()
    };
    (0..count).map(&mut text).collect()
}

/// Each hostile text in every place where somebody can put one, and texts that are too long.
pub(crate) fn hostile() -> Report {
    let long = "long ".repeat(40_000);
    let any = any(60);
    let texts = HOSTILE.into_iter().chain([long.as_str()]);
    let texts = texts.chain(any.iter().map(String::as_str));
    let verdicts = [
        (Outcome::Fail, Verdict::Fail),
        (Outcome::Warn, Verdict::Warn),
        (Outcome::NoData, Verdict::Warn),
        (Outcome::Inconclusive, Verdict::Fail),
        (Outcome::Fail, Verdict::Pass),
        (Outcome::Pass, Verdict::Pass),
    ];
    let rules = texts.enumerate().flat_map(|(number, text)| {
        // What is long costs time: once for what fails, what is muted and what passes.
        let is_long = text.len() > 1000;
        verdicts
            .into_iter()
            .enumerate()
            .filter(move |(index, _)| !is_long || [0, 4, 5].contains(index))
            .map(move |(index, (verdict, effect))| Explanation {
                verdict,
                effect,
                metric: text.to_owned(),
                value: [
                    Some(1.5),
                    Some(f64::INFINITY),
                    Some(f64::NAN),
                    None,
                    Some(-0.0),
                    Some(1e-300),
                ][index],
                limit: [Some(f64::MAX), None][number % 2],
                unit: text.to_owned(),
                guard: Some(text.to_owned()),
                moved_together: vec![text.to_owned(), text.to_owned()],
                sentence: text.to_owned(),
                next_step: Some(text.to_owned()),
                why: Some(text.to_owned()),
                runbook: Some(format!("https://x.example/{text}")),
                fingerprint: format!("{:016x}", number * verdicts.len() + index),
                config_at: Some(format!("{text}:{}", number + 1)),
                muted: (verdict == Outcome::Fail && effect == Verdict::Pass).then(|| MutedFor {
                    until: text.to_owned(),
                    reason: text.to_owned(),
                }),
                recent: vec![1.0, f64::NAN, f64::MAX, f64::MIN, f64::INFINITY],
                // Ids differ in one file.
                ..rule(&format!("{text}{index}"), "limit")
            })
    });
    Report {
        run: Some(HOSTILE.join(" ")),
        checked_at: Some(HOSTILE.join(" ")),
        problems: HOSTILE.map(str::to_owned).to_vec(),
        ..report(rules.collect())
    }
}
