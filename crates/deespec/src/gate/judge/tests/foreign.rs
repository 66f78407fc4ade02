//! Whatever stands in a history and in rules: no panic, no verdict of a run by a later one, and the same verdict alone
//! as in a replay.

use proptest::prelude::*;

use super::*;
use crate::gate::history::Accepted;
use crate::gate::rules::Status;

/// Values as files may have them: usual, equal, huge, tiny, of either sign, missing.
fn value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        6 => (50.0f64..150.0).prop_map(Some),
        3 => (0u8..6).prop_map(|count| Some(f64::from(count))),
        1 => prop_oneof![
            Just(0.0), Just(-0.0), Just(f64::MAX), Just(f64::MIN), Just(f64::MIN_POSITIVE), Just(5e-324), Just(-3.5),
            Just(9.007_199_254_740_993e15), Just(1e300), Just(f64::NAN), Just(f64::INFINITY),
        ].prop_map(Some),
        1 => Just(None),
    ]
}

fn a_run(index: usize, value: Option<f64>, mark: u8) -> Run {
    Run {
        id: format!("r{index}"),
        at: (!mark.is_multiple_of(3)).then(|| 1000.0 * index as f64 - 5000.0 * f64::from(mark % 7)),
        branch: if mark.is_multiple_of(11) { "other" } else { "" }.to_owned(),
        status: if mark.is_multiple_of(13) {
            Status::Fail
        } else {
            Status::Pass
        },
        values: value
            .into_iter()
            .map(|value| ("x".to_owned(), value))
            .collect(),
        ..Run::default()
    }
}

prop_compose! {
    fn runs()(values in prop::collection::vec((value(), any::<u8>()), 0..130)) -> Vec<Run> {
        values.into_iter().enumerate().map(|(index, (value, mark))| a_run(index, value, mark)).collect()
    }
}

prop_compose! {
    fn some_rules()(
        window in 1usize..60, min in 2usize..20, k in 1usize..6, more in 0usize..6, before in 2usize..20, after in 2usize..16,
        p in 1e-6f64..0.4, by in 0.0f64..0.3, over in 3usize..40, is_up in any::<bool>(), can_fail in any::<bool>(),
    ) -> String {
        let bad = if is_up { "up" } else { "down" };
        let common = format!("metric = \"x\"\nbad = \"{bad}\"\n");
        let learned = format!("{common}can_fail = {can_fail}\n");
        format!(
            "[gate]\nhistory = {{ window = {window}, min = {min} }}\n[correlate]\nmin_runs = 4\n\
             [[rule]]\nid = \"a\"\nkind = \"adaptive\"\n{learned}warn = {{ alpha = {p}, by = {by} }}\n\
             fail = {{ alpha = {p}, by = {by} }}\nconfirm = {{ k = {k}, of = {} }}\nmin = {{ distinct = {after} }}\n\
             [[rule]]\nid = \"s\"\nkind = \"shift\"\n{learned}warn = {{ p = {p}, by = {by} }}\nfail = {{ p = {p}, by = {by} }}\n\
             min = {{ before = {before}, after = {after} }}\n\
             [[rule]]\nid = \"t\"\nkind = \"trend\"\n{learned}over = {over}\nwarn = {{ slope = {by}, p = {p} }}\n\
             eta = {{ to = 120, within = 9 }}\nmin = {{ runs = 3 }}\n\
             [[rule]]\nid = \"l\"\nkind = \"limit\"\n{common}fail = 100\n\
             [[rule]]\nid = \"r\"\nkind = \"ratio\"\nbad = \"{bad}\"\nfail = 0.5\nmetric = {{ good = \"x\", bad = \"y\" }}\n\
             [[rule]]\nid = \"b\"\nkind = \"burn\"\nobjective = 0.9\nmetric = {{ good = \"y\", bad = \"x\" }}\n\
             windows = [ {{ long = \"1h\", short = \"5m\", factor = 2, level = \"fail\" }} ]\n",
            k + more,
        )
    }
}

/// Those of them that the file may have; at times all runs are compared with those of one branch, and at times nothing
/// is surprising enough.
fn any_rules() -> impl Strategy<Value = Rules> {
    (some_rules(), any::<bool>(), 0u8..8).prop_filter_map(
        "out of range",
        |(text, has_base, rare)| {
            let text = match has_base {
                true => text.replace("history = {", "history = { branch = \"other\","),
                false => text,
            };
            let text = match rare {
                0 => text.replace("warn = { alpha = ", "warn = { alpha = 5e-324, by = 0 } # "),
                _ => text,
            };
            let text = format!("schema = \"deespec.gate/1\"\n{text}");
            Rules::parse(&text, Path::new("gate.toml")).ok()
        },
    )
}

prop_compose! {
    /// Levels that somebody accepted: of any rule, at a run that may not be there, at any time.
    fn acceptances()(all in prop::collection::vec((0usize..7, 0usize..140, 0u32..140), 0..4)) -> Vec<Accepted> {
        let one = |(rule, run, at): (usize, usize, u32)| Accepted {
            rule: ["a", "s", "t", "l", "r", "b", "none"][rule].to_owned(),
            run: format!("r{run}"),
            reason: String::new(),
            at: format!("1970-01-02T{:02}:{:02}:00Z", at % 24, at % 60),
        };
        all.into_iter().map(one).collect()
    }
}

/// How many histories are judged; the deep lane has the time for more.
fn cases() -> u32 {
    match std::env::var_os("DEESPEC_DEEP") {
        Some(_) => 500,
        None => 12,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn anything_is_judged_without_a_panic_and_alike_alone_and_in_a_replay(rules in any_rules(), runs in runs(), accepted in acceptances()) {
        let history = History { runs: runs.clone(), accepted: accepted.clone(), ..History::default() };
        let replayed = rules.replay(&history);
        prop_assert_eq!(replayed.len(), runs.len());
        for place in (0..runs.len()).step_by(5) {
            let known = History { runs: runs[..place].to_vec(), accepted: accepted.clone(), ..History::default() };
            // What comes later changes nothing.
            prop_assert_eq!(&rules.replay(&known)[..], &replayed[..place]);
            let report = rules.judge(&known, &runs[place], "2026-11-28");
            for (alone, then) in report.rules.iter().zip(&replayed[place].rules) {
                prop_assert_eq!(alone.verdict, then.verdict, "{} at {}", alone.rule, place);
                let has_sentence = alone.sentence.ends_with('.') && !alone.sentence.contains("NaN");
                prop_assert!(has_sentence, "{}", alone.sentence);
            }
            // JSON has no word for what is no number: a reader must not meet one.
            let numbers = report.rules.iter().flat_map(|rule| {
                let evidence = &rule.evidence;
                let bounds = evidence.interval.map_or([None; 2], |(low, high)| [Some(low), Some(high)]);
                [rule.value, rule.limit, rule.margin, evidence.p, evidence.effect_percent, evidence.slope].into_iter().chain(bounds)
            });
            prop_assert!(numbers.flatten().all(f64::is_finite), "{report:#?}");
        }
    }
}
