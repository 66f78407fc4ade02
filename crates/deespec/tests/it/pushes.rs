//! A push is counted once: whatever its text, however often it comes, and wherever its process is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use deespec::{Buckets, Error, Family, FaultInjector, Operation, PushError, Store};

use crate::support::{folder, quiet, tree};

const TEXT: &str = "# TYPE jobs counter\njobs_total{queue=\"a\"} 3\njobs_total{queue=\"b\"} 4\n\
                    # TYPE size histogram\nsize_bucket{le=\"1.0\"} 2\nsize_bucket{le=\"+Inf\"} 5\nsize_sum 7.5\nsize_count 5\n\
                    # TYPE depth gauge\ndepth -2.5\n# EOF\n";

/// Jobs of both queues, observations, and the sum of these.
fn counted(store: &Store) -> (u64, u64, f64) {
    let view = store.view().unwrap();
    let jobs = |queue| view.value("jobs_total", &[("queue", queue)]).unwrap_or(0);
    let size = view
        .sample("size", &[])
        .and_then(|size| size.value.histogram());
    let (count, sum) = size.map_or((0, 0.0), |size| (size.count(), size.sum()));
    (jobs("a") + jobs("b"), count, sum)
}

#[test]
fn a_push_is_counted_once_also_by_another_process_and_a_later_number_again() {
    let folder = folder();
    let root = folder.path().join("var");
    let store = quiet().open(&root).unwrap();
    let first = store.push("w", 5, TEXT.as_bytes()).unwrap();
    assert_eq!((first.counted, first.series, first.counts), (true, 4, 12));
    store.gauge("depth").unwrap().set(1.0);
    let again = store.push("w", 5, TEXT.as_bytes()).unwrap();
    assert_eq!((again.counted, again.sequence, again.counts), (false, 5, 0));
    // A clock that went back, or two programs of one name: neither may believe that it was counted.
    let other = TEXT.replace("depth -2.5", "depth 2");
    for (number, text) in [(4, TEXT), (0, TEXT), (5, &other)] {
        let error = store.push("w", number, text.as_bytes()).unwrap_err();
        let Error::Push(PushError::Conflict { last, sequence, .. }) = &error else {
            panic!("{error:?}");
        };
        assert_eq!((*last, *sequence), (5, number));
        assert!(
            error.to_string().ends_with("nothing was counted"),
            "{error}"
        );
    }
    assert_eq!(counted(&store), (7, 5, 7.5));
    assert_eq!(store.gauge("depth").unwrap().value(), 1.0);
    drop(store);
    let store = quiet().open(&root).unwrap();
    assert!(!store.push("w", 5, TEXT.as_bytes()).unwrap().counted);
    assert!(store.push("another", 5, TEXT.as_bytes()).unwrap().counted);
    assert!(store.push("w", 900, TEXT.as_bytes()).unwrap().counted);
    assert_eq!(counted(&store), (21, 15, 22.5));
    assert_eq!(store.gauge("depth").unwrap().value(), -2.5);
    drop(store);
    quiet().compact(&root).unwrap();
    let store = quiet().open(&root).unwrap();
    assert!(!store.push("w", 900, TEXT.as_bytes()).unwrap().counted);
    assert_eq!(counted(&store), (21, 15, 22.5));
}

#[test]
fn what_cannot_be_counted_as_a_whole_counts_nothing_and_says_where() {
    let folder = folder();
    let store = quiet().open(folder.path().join("var")).unwrap();
    store.push("w", 1, TEXT.as_bytes()).unwrap();
    store.counter("few_total").unwrap();
    store
        .declare(&Family::counter("few_total").with_limit(2))
        .unwrap();
    store
        .declare(&Family::counter("sent_bytes_total").with_unit("bytes"))
        .unwrap();
    let native = Family::histogram("native", Buckets::seconds());
    store.declare(&native).unwrap();
    // A store may have counted so much; a push may not say so.
    store.counter("most_total").unwrap().add(u64::MAX - 2);
    let many = (1_u64 << 53) + 1;
    let before = tree(store.path());
    for (text, line, reason) in [
        ("jobs_total 1\n", 1, "unknown type"),
        ("", 1, "empty"),
        ("# TYPE a counter\na_total 1\n", 2, "# EOF"),
        ("# TYPE a counter\na_total -1\n# EOF\n", 2, "-1"),
        ("# TYPE a counter\na_total 1.5e300\n# EOF\n", 2, "2^62"),
        (
            "# TYPE a counter\na_total 1\n# TYPE jobs gauge\njobs 1\njobs_total 1\n# EOF\n",
            5,
            "jobs",
        ),
        (
            "# TYPE a counter\na_total 1\n# TYPE depth counter\ndepth_total 1\n# TYPE jobs_total gauge\njobs_total 1\n# EOF\n",
            6,
            "jobs_total",
        ),
        (
            "# TYPE size histogram\nsize_bucket{le=\"2.0\"} 2\nsize_bucket{le=\"+Inf\"} 5\nsize_sum 7.5\nsize_count 5\n# EOF\n",
            2,
            "buckets",
        ),
        (
            "# TYPE native histogram\nnative_bucket{le=\"2.0\"} 2\nnative_bucket{le=\"+Inf\"} 5\nnative_sum 7.5\nnative_count 5\n# EOF\n",
            2,
            "buckets",
        ),
        (
            "# TYPE sent_packets counter\n# UNIT sent_packets packets\nsent_packets_total{__x=\"1\"} 1\n# EOF\n",
            3,
            "__x",
        ),
        (
            "# TYPE few counter\nfew_total{a=\"1\"} 1\nfew_total{a=\"2\"} 1\n# EOF\n",
            2,
            "room for 1",
        ),
        (
            "# TYPE a summary\na{quantile=\"0.5\"} 1\n# EOF\n",
            2,
            "quantiles only",
        ),
        (
            "# TYPE jobs counter\njobs_total{queue=\"a\"} 0.5\n# EOF\n",
            2,
            "counter with fractions",
        ),
        (
            "# TYPE a summary\na_sum 1\na_count 1\n# TYPE spent counter\nspent_total 9007199254740992.1\n# EOF\n",
            5,
            "2^53",
        ),
        ("# TYPE most counter\nmost_total 3\n# EOF\n", 2, "64 bits"),
        (
            &format!("# TYPE jobs counter\njobs_total{{queue=\"a\"}} {many}\n# EOF\n"),
            2,
            "2^53",
        ),
        (
            &format!(
                "# TYPE size histogram\nsize_bucket{{le=\"1.0\"}} 1\nsize_bucket{{le=\"+Inf\"}} {many}\nsize_sum {many}\nsize_count {many}\n# EOF\n"
            ),
            2,
            "2^53",
        ),
        (
            "# TYPE deespec_overflow counter\ndeespec_overflow_total{family=\"jobs_total\"} 1\n# EOF\n",
            2,
            "deespec_",
        ),
    ] {
        let error = store.push("w", 2, text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, Error::Push(PushError::Refused { .. })),
            "{error:?}"
        );
        let told = error.to_string();
        let line = format!("line {line}: ");
        assert!(
            told.starts_with(&line) && told.contains(reason),
            "{text}: {told}"
        );
        assert!(told.ends_with("nothing was counted"), "{told}");
    }
    for name in ["", "a b", "ä", &"w".repeat(129)] {
        let error = store.push(name, 2, TEXT.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Push(PushError::Writer)), "{error:?}");
    }
    assert_eq!(tree(store.path()), before);
    assert!(store.push("w", 2, TEXT.as_bytes()).unwrap().counted);
}

/// Lets the n-th operation fail from which on the disk is broken, as for a process that dies there.
struct BreaksAt(AtomicU32);

impl FaultInjector for BreaksAt {
    fn before(&self, _: Operation, _: &Path) -> std::io::Result<()> {
        let left = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        match left {
            Ok(_) => Ok(()),
            Err(_) => Err(std::io::Error::other("gone")),
        }
    }
}

/// A store with one push.
fn pushed_once() -> (tempfile::TempDir, PathBuf) {
    let folder = folder();
    let root = folder.path().join("var");
    let store = quiet().open(&root).unwrap();
    store.push("w", 1, TEXT.as_bytes()).unwrap();
    (folder, root)
}

/// The store after a second push that was interrupted at this step is sent again.
fn sent_again(root: &Path, at: u32) -> Store {
    let store = quiet().open(root).unwrap();
    let before = counted(&store).0;
    assert!([7, 14].contains(&before), "step {at}: {before}");
    let again = store.push("w", 2, TEXT.as_bytes()).unwrap();
    assert_eq!(again.counted, before == 7, "step {at}");
    assert_eq!(counted(&store), (14, 10, 15.0), "step {at}");
    store
}

#[test]
fn killed_at_any_step_a_push_that_is_sent_again_is_counted_once() {
    if let Some(root) = std::env::var_os("DEESPEC_PUSH_KILL") {
        let at = std::env::var("DEESPEC_PUSH_KILL_AT")
            .unwrap()
            .parse()
            .unwrap();
        let store = quiet()
            .faults(Arc::new(DiesAt(AtomicU32::new(at))))
            .open(root)
            .unwrap();
        store.push("w", 2, TEXT.as_bytes()).unwrap();
        std::process::exit(0);
    }
    let mut killed = 0;
    for at in 0.. {
        let (_folder, root) = pushed_once();
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "pushes::killed_at_any_step_a_push_that_is_sent_again_is_counted_once",
            ])
            .env("DEESPEC_PUSH_KILL", &root)
            .env("DEESPEC_PUSH_KILL_AT", at.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        sent_again(&root, at);
        if ended.success() {
            break;
        }
        killed += 1;
    }
    assert!(killed >= 4, "{killed}");
}

/// Kills its process at the n-th operation on the disk.
struct DiesAt(AtomicU32);

impl FaultInjector for DiesAt {
    fn before(&self, _: Operation, _: &Path) -> std::io::Result<()> {
        let left = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        if left.is_err() {
            let pid = rustix::process::getpid();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        Ok(())
    }
}

#[test]
fn a_disk_that_breaks_at_any_step_leaves_a_push_that_a_rebuilt_store_counts_once() {
    let mut broken = 0;
    for at in 0.. {
        let (folder, root) = pushed_once();
        let options = quiet().faults(Arc::new(BreaksAt(AtomicU32::new(at))));
        let done = options
            .open(&root)
            .and_then(|store| store.push("w", 2, TEXT.as_bytes()));
        quiet().compact(&root).unwrap();
        let store = sent_again(&root, at);
        // An import must not be set back by whoever completes a push.
        let file = folder.path().join("more.txt");
        fs::write(&file, TEXT).unwrap();
        store.import(&file, false).unwrap();
        drop(store);
        let store = quiet().open(&root).unwrap();
        store.sync().unwrap();
        assert_eq!(counted(&store), (21, 15, 22.5), "step {at}");
        if done.is_ok() {
            break;
        }
        broken += 1;
    }
    assert!(broken >= 4, "{broken}");
}

#[test]
fn a_flipped_bit_in_the_record_refuses_pushes_and_nothing_else() {
    let folder = folder();
    let root = folder.path().join("var");
    let store = quiet().open(&root).unwrap();
    store.push("w", 1, TEXT.as_bytes()).unwrap();
    let path = root.join("live/pushes.jsonl");
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[40] ^= 4;
    fs::write(&path, &bytes).unwrap();
    let error = store.push("w", 2, TEXT.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("pushes.jsonl") && error.contains("line 1"),
        "{error}"
    );
    store.sync().unwrap();
    store.rotate(deespec::Rotate::Reset).unwrap();
    fs::write(&path, &whole).unwrap();
    assert!(!store.push("w", 1, TEXT.as_bytes()).unwrap().counted);
    // The newline alone says nothing: the push before it was answered.
    for bit in 0..8 {
        let mut unended = whole.clone();
        *unended.last_mut().unwrap() ^= 1 << bit;
        fs::write(&path, &unended).unwrap();
        assert!(!store.push("w", 1, TEXT.as_bytes()).unwrap().counted);
        let other = format!("other-{bit}");
        let text = b"# TYPE others counter\nothers_total 1\n# EOF\n";
        assert!(store.push(&other, 1, text).unwrap().counted);
        for (writer, text) in [("w", TEXT.as_bytes()), (&other, text)] {
            assert!(!store.push(writer, 1, text).unwrap().counted);
        }
    }
    assert_eq!(counted(&store).0, 0);
    // A line that a power cut tore was never answered.
    let mut torn = whole.clone();
    torn.extend_from_slice(&whole[..60]);
    torn.extend_from_slice(&[0; 30]);
    torn.push(b'\n');
    fs::write(&path, &torn).unwrap();
    for number in [2, 3] {
        assert!(store.push("w", number, TEXT.as_bytes()).unwrap().counted);
    }
    assert_eq!(counted(&store).0, 14);
}

#[test]
fn pushes_that_come_at_once_are_each_counted_once_and_share_their_lines() {
    const THREADS: u64 = 16;
    const PUSHES: u64 = 20;
    let folder = folder();
    let root = folder.path().join("var");
    let store = quiet().open(&root).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for number in 1..=PUSHES {
                    let writer = format!("w{thread}");
                    let pushed = store.push(&writer, number, TEXT.as_bytes()).unwrap();
                    assert!(pushed.counted);
                    assert!(
                        !store
                            .push(&writer, number, TEXT.as_bytes())
                            .unwrap()
                            .counted
                    );
                    // One that does not fit takes no other one with it.
                    let misfit = b"# TYPE jobs_total gauge\njobs_total 1\n# EOF\n";
                    assert!(store.push(&writer, number + 1, misfit).is_err());
                }
            });
        }
    });
    let all = THREADS * PUSHES;
    assert_eq!(counted(&store), (7 * all, 5 * all, 7.5 * all as f64));
    let lines = fs::read_to_string(root.join("live/pushes.jsonl")).unwrap();
    let lines = lines.lines().count() as u64;
    assert!(lines < all, "{lines} lines for {all} pushes");
    drop(store);
    let store = quiet().open(&root).unwrap();
    for thread in 0..THREADS {
        let again = store
            .push(&format!("w{thread}"), PUSHES, TEXT.as_bytes())
            .unwrap();
        assert!(!again.counted);
    }
}

#[test]
fn two_handles_that_push_in_turn_know_of_each_other() {
    let folder = folder();
    let root = folder.path().join("var");
    let stores = [0, 1].map(|_| quiet().open(&root).unwrap());
    for number in 1..50_usize {
        let (one, other) = (&stores[number % 2], &stores[(number + 1) % 2]);
        let sequence = number as u64;
        assert!(one.push("w", sequence, TEXT.as_bytes()).unwrap().counted);
        assert!(!other.push("w", sequence, TEXT.as_bytes()).unwrap().counted);
    }
    assert_eq!(counted(&stores[0]).0, 7 * 49);
}
