//! What is pushed of a source adds up to what it counted: by differences alone, and after all that can happen to it.

use crate::{Buckets, Family, PushBase, PushError, Rotate, Store, Totals, Unpushed, Value};

/// Pushes what is unpushed to a store, as the next numbers of one writer.
struct Pusher {
    folder: tempfile::TempDir,
    base: PushBase,
    sequence: u64,
}

impl Pusher {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            base: PushBase::default(),
            sequence: 0,
        }
    }

    fn store(&self) -> Store {
        Store::open(self.folder.path().join("var")).unwrap()
    }

    fn push(&mut self, totals: &Totals) -> Vec<String> {
        let Unpushed {
            parts, passed_over, ..
        } = totals.since(&self.base).unwrap();
        for part in parts {
            assert!(part.is_lawful(), "{}", part.text("1"));
            self.sequence += 1;
            let text = part.text(&self.sequence.to_string());
            let pushed = self.store().push("w", self.sequence, text.as_bytes());
            assert!(pushed.unwrap().counted);
            self.base.absorb(part.totals());
            // As it is kept.
            let kept = serde_json::to_string(&self.base).unwrap();
            assert_eq!(serde_json::from_str::<PushBase>(&kept).unwrap(), self.base);
        }
        passed_over
    }

    fn push_text(&mut self, text: &str) -> Vec<String> {
        self.push(&Totals::of_text(text.as_bytes()).unwrap())
    }

    fn value(&self, name: &str) -> u64 {
        self.store()
            .view()
            .unwrap()
            .value(name, &[])
            .unwrap_or_default()
    }

    fn wide(&self, name: &str) -> String {
        let view = self.store().view().unwrap();
        match &view.sample(name, &[]).unwrap().total {
            Value::Fractions(sum) => sum.to_string(),
            Value::Summary(found) => format!("{} {}", found.count, found.sum),
            other => panic!("{other:?}"),
        }
    }

    fn sum(&self, name: &str) -> (u64, f64) {
        let view = self.store().view().unwrap();
        let found = view.sample(name, &[]).unwrap().total.histogram().unwrap();
        (found.count(), found.sum())
    }
}

fn counter(count: &str, created: &str) -> String {
    let created = match created {
        "" => String::new(),
        created => format!("jobs_created {created}\n"),
    };
    format!("# TYPE jobs counter\njobs_total {count}\n{created}# EOF\n")
}

#[test]
fn only_what_is_more_is_pushed_and_a_lower_value_is_a_new_beginning() {
    let mut pusher = Pusher::new();
    for (count, all) in [("3", 3), ("3", 3), ("10", 10), ("4", 14), ("5", 15)] {
        pusher.push_text(&counter(count, ""));
        assert_eq!(pusher.value("jobs_total"), all);
    }
}

#[test]
fn a_time_of_creation_tells_a_new_beginning_that_the_value_hides() {
    let mut pusher = Pusher::new();
    for (count, created, all) in [("3", "1.5", 3), ("5", "2.5", 8), ("6", "2.5", 9)] {
        pusher.push_text(&counter(count, created));
        assert_eq!(pusher.value("jobs_total"), all);
    }
    let older = Totals::of_text(counter("4", "2.5").as_bytes()).unwrap();
    let error = older.since(&pusher.base).unwrap_err();
    assert!(matches!(error, PushError::Refused { .. }), "{error}");
    assert!(
        error.to_string().starts_with("jobs_total is lower"),
        "{error}"
    );
}

#[test]
fn a_series_that_comes_back_goes_on_where_it_was() {
    let mut pusher = Pusher::new();
    pusher.push_text(&counter("3", ""));
    pusher.push_text("# TYPE other counter\nother_total 1\n# EOF\n");
    pusher.push_text(&counter("4", ""));
    assert_eq!(pusher.value("jobs_total"), 4);
}

#[test]
fn sums_do_not_drift_however_often_they_are_pushed() {
    let mut pusher = Pusher::new();
    let mut sum = 0.0;
    for count in 1..=200_u64 {
        sum += 0.1;
        pusher.push_text(&format!(
            "# TYPE t histogram\nt_bucket{{le=\"1.0\"}} {count}\nt_bucket{{le=\"+Inf\"}} {count}\n\
             t_count {count}\nt_sum {sum:?}\n# EOF\n"
        ));
    }
    let (count, pushed) = pusher.sum("t");
    assert_eq!(count, 200);
    let step = Buckets::classic([1.0]).unwrap().resolution();
    assert!((pushed - sum).abs() <= step, "{pushed} {sum}");
}

#[test]
fn whatever_a_text_can_say_is_pushed_as_the_store_keeps_it() {
    let mut pusher = Pusher::new();
    let passed_over = pusher.push_text(
        "# TYPE wait_seconds histogram\n# UNIT wait_seconds seconds\n# HELP wait_seconds A \\\"b\\\\ c\\nd.\n\
         wait_seconds_bucket{q=\"a\\\"\\\\\\n\",le=\"1\"} 2\nwait_seconds_bucket{q=\"a\\\"\\\\\\n\",le=\"+Inf\"} 3\n\
         wait_seconds_count{q=\"a\\\"\\\\\\n\"} 3\nwait_seconds_sum{q=\"a\\\"\\\\\\n\"} 4.5\n\
         # TYPE depth gauge\ndepth -2.5\n# TYPE odd gauge\nodd NaN\n\
         # TYPE build info\nbuild_info{version=\"1\"} 1\n\
         # TYPE cpu counter\ncpu_total 1.5\n# TYPE state stateset\nstate{state=\"on\"} 1\n# TYPE deespec_x counter\ndeespec_x_total 1\n# EOF\n",
    );
    assert_eq!(passed_over.len(), 1, "{passed_over:?}");
    let view = pusher.store().view().unwrap();
    let family = view.family("wait_seconds").unwrap();
    assert_eq!((family.unit(), family.help()), ("seconds", "A \"b\\ c\nd."));
    let wait = view.sample("wait_seconds", &[("q", "a\"\\\n")]).unwrap();
    assert_eq!(wait.total.histogram().unwrap().counts(), [2, 1]);
    assert_eq!(view.sample("depth", &[]).unwrap().total.gauge(), Some(-2.5));
    assert!(view.sample("build_info", &[("version", "1")]).is_some());
    assert_eq!(pusher.wide("cpu_total"), "1.5");
    assert!(view.sample("deespec_x_total", &[]).is_none());
}

#[test]
fn what_only_one_of_the_formats_can_say_goes_in_that_one() {
    let mut pusher = Pusher::new();
    pusher.push_text(
        "# TYPE t histogram\nt_bucket{le=\"-1\"} 2\nt_bucket{le=\"+Inf\"} 2\nt_count 2\nt_sum -7.5\n\
         # TYPE jobs_total counter\njobs_total 3\n# TYPE jobs gauge\njobs 4\n",
    );
    assert_eq!(pusher.sum("t"), (2, -7.5));
    assert_eq!(pusher.value("jobs_total"), 3);
}

#[test]
fn a_store_is_pushed_over_rotations_and_removals_and_never_to_itself() {
    let source = tempfile::tempdir().unwrap();
    let store = Store::open(source.path().join("var")).unwrap();
    store
        .declare(
            &Family::histogram("size_bytes", Buckets::native(3, 1.0, 1e6).unwrap())
                .with_unit("bytes"),
        )
        .unwrap();
    let mut pusher = Pusher::new();
    let mut push = |store: &Store| pusher.push(&Totals::of_view(&store.view().unwrap()));
    store.transactions().success.add(7);
    store.counter("jobs").unwrap().add(3);
    store.counter("made_total").unwrap().add(1);
    store.histogram("size_bytes").unwrap().observe(100.0);
    assert!(push(&store).is_empty());
    store.counter("jobs").unwrap().add(2);
    store.rotate(Rotate::Reset).unwrap();
    store.counter("jobs").unwrap().add(4);
    store.transactions().success.add(1);
    store.histogram("size_bytes").unwrap().observe(1000.0);
    push(&store);
    store.rotate(Rotate::Reset).unwrap();
    push(&store);
    let unpushed = Totals::of_view(&store.view().unwrap());
    assert!(unpushed.since(&pusher.base).unwrap().parts.is_empty());
    assert_eq!(pusher.value("jobs_total"), 9);
    assert_eq!(pusher.value("made_total"), 1);
    assert_eq!(pusher.store().view().unwrap().transactions.success, 8);
    assert_eq!(pusher.sum("size_bytes"), (2, 1100.0));

    store.counter("jobs").unwrap().inc();
    let unpushed = Totals::of_view(&store.view().unwrap())
        .since(&pusher.base)
        .unwrap();
    let text = unpushed.parts[0].text("1");
    let error = store.push("w", 1, text.as_bytes()).unwrap_err();
    assert!(
        matches!(error, crate::Error::Push(PushError::Own)),
        "{error}"
    );
}

#[test]
fn a_text_that_says_whose_it_is_is_not_pushed_to_that_store() {
    let source = tempfile::tempdir().unwrap();
    let store = Store::open(source.path().join("var")).unwrap();
    store.counter("jobs").unwrap().add(3);
    let text = crate::exposition::prometheus::encode(&store.view().unwrap());
    let totals = Totals::of_text(text.as_bytes()).unwrap();
    let part = &totals.since(&PushBase::default()).unwrap().parts[0];
    let error = store.push("w", 1, part.text("1").as_bytes()).unwrap_err();
    assert!(
        matches!(error, crate::Error::Push(PushError::Own)),
        "{error}"
    );
}

#[test]
fn what_is_large_is_pushed_in_several_parts() {
    let text: String = (0..20_000)
        .map(|n| format!("jobs_total{{queue=\"{n}\"}} {n}\n"))
        .collect();
    let text = format!("# TYPE jobs_total counter\n{text}# TYPE other gauge\nother 1\n");
    let totals = Totals::of_text(text.as_bytes()).unwrap();
    let parts = totals.since(&PushBase::default()).unwrap().parts;
    assert!(parts.len() > 1);
    assert!(parts.iter().all(|part| part.text("1").len() < 1 << 20));
    assert_eq!(
        parts.iter().map(crate::PushPart::series).sum::<usize>(),
        20_001
    );
    let last = parts.into_iter().last().unwrap();
    assert_eq!(last.names().collect::<Vec<_>>(), ["jobs_total", "other"]);
    let (first, second) = last.halves().unwrap();
    assert_eq!(first.names().collect::<Vec<_>>(), ["jobs_total"]);
    assert!(second.halves().is_none());
}

#[test]
fn two_counters_that_would_be_one_there_are_not_mixed() {
    let source = tempfile::tempdir().unwrap();
    let store = Store::open(source.path().join("var")).unwrap();
    store.counter("jobs").unwrap().add(100);
    store.counter("jobs_total").unwrap().add(3);
    let mut pusher = Pusher::new();
    let passed_over = pusher.push(&Totals::of_view(&store.view().unwrap()));
    assert_eq!(passed_over.len(), 1);
    assert_eq!(pusher.value("jobs_total"), 3);
}

#[test]
fn a_counter_with_fractions_is_the_same_one_where_its_text_shows_none() {
    let mut pusher = Pusher::new();
    for (count, all) in [
        ("0.5", "0.5"),
        ("2", "2"),
        ("2", "2"),
        ("2.25", "2.25"),
        // It began anew, with a whole number and with a fraction.
        ("1", "3.25"),
        ("1.1", "3.35"),
        ("0.000000001", "3.350000001"),
    ] {
        pusher.push_text(&counter(count, ""));
        assert_eq!(pusher.wide("jobs_total"), all);
    }
    pusher.push_text(&counter("7.5", "1.5"));
    let older = Totals::of_text(counter("7", "1.5").as_bytes()).unwrap();
    let error = older.since(&pusher.base).unwrap_err();
    assert!(
        error.to_string().starts_with("jobs_total is lower"),
        "{error}"
    );
}

#[test]
fn summaries_are_pushed_by_count_and_sum_and_their_sums_may_go_down() {
    let mut pusher = Pusher::new();
    for (count, sum, all) in [
        ("2", "0.1", "2 0.1"),
        ("3", "0.2", "3 0.2"),
        ("3", "0.2", "3 0.2"),
        ("4", "-7.5", "4 -7.5"),
        ("1", "0.5", "5 -7"),
    ] {
        let text =
            format!("# TYPE t summary\nt{{quantile=\"0.5\"}} 1\nt_sum {sum}\nt_count {count}\n");
        pusher.push_text(&text);
        assert_eq!(pusher.wide("t"), all);
    }
}

#[test]
fn a_store_says_of_its_counters_with_fractions_that_they_have_them() {
    let source = tempfile::tempdir().unwrap();
    let store = Store::open(source.path().join("var")).unwrap();
    let spent = store.fraction_counter("spent_seconds").unwrap();
    let sizes = store.summary("size_bytes").unwrap();
    let mut pusher = Pusher::new();
    // Its first push shows whole numbers only.
    for (amount, all) in [
        (0.0, "0"),
        (2.0, "2"),
        (0.25, "2.25"),
        (1e15, "1000000000000002.25"),
    ] {
        spent.add(amount);
        sizes.observe(-amount);
        let passed_over = pusher.push(&Totals::of_view(&store.view().unwrap()));
        assert_eq!(passed_over, [""; 0]);
        assert_eq!(pusher.wide("spent_seconds_total"), all);
        store.rotate(Rotate::Reset).unwrap();
    }
    assert_eq!(pusher.wide("size_bytes"), "4 -1000000000000002.25");
    // Where it is one of whole numbers, it takes those.
    let mut pusher = Pusher::new();
    pusher.store().counter("other_total").unwrap().add(5);
    let other = store.fraction_counter("other").unwrap();
    other.add(2.0);
    pusher.push(&Totals::of_view(&store.view().unwrap()));
    assert_eq!(pusher.value("other_total"), 7);
}
