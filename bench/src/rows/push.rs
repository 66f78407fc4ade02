//! A push: what a client without shared memory sends, on the disk when it is answered; alone, and while
//! others import.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use deespec::Store;

use crate::Result;
use crate::measure::{self, nanoseconds};
use crate::place::{self, Bench};
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

const PER_ROUND: u64 = 20;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let pair = measure::turns(
        bench.effort.rounds,
        || pushes(bench.on_disk()?.path()),
        || beside_imports(bench.on_disk()?.path()),
    )?;
    let (alone, beside) = (Nanoseconds(pair.ours), Nanoseconds(pair.theirs));
    let what = "a push of 10 counters, on the disk when it returns";
    Ok(vec![
        Line::alone(what, alone),
        Line::control(
            "the same while another thread imports without a pause",
            beside,
            "alone",
            alone,
            1.0 / pair.ratio,
        ),
    ])
}

fn text() -> String {
    let lines = (0..10).map(|job| format!("pushed_total{{job=\"{job}\"}} 1\n"));
    format!(
        "# TYPE pushed counter\n{}# EOF\n",
        lines.collect::<String>()
    )
}

/// Pushes to a fresh store: nanoseconds each.
fn pushes(folder: &Path) -> Result<f64> {
    let store = place::open(&folder.join("var"))?;
    several(&store)
}

fn several(store: &Store) -> Result<f64> {
    let text = text();
    store.push("bench", 1, text.as_bytes())?;
    let start = Instant::now();
    for number in 0..PER_ROUND {
        store.push("bench", number + 2, text.as_bytes())?;
    }
    let took = nanoseconds(start.elapsed()) / PER_ROUND as f64;
    let counted = store.view()?.value("pushed_total", &[("job", "0")]);
    match counted == Some(PER_ROUND + 1) {
        true => Ok(took),
        false => Err(format!("{} pushes count {counted:?}", PER_ROUND + 1).into()),
    }
}

/// The same, while a thread imports one document after the other.
fn beside_imports(folder: &Path) -> Result<f64> {
    let store = place::open(&folder.join("var"))?;
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // An error that threads may hand over.
        let importing = scope.spawn(|| -> std::result::Result<(), String> {
            let path = folder.join("import.json");
            let mut number = 0;
            while !ended.load(Ordering::Relaxed) {
                number += 1;
                let document = format!("{{\"commit_success\": {number}}}");
                std::fs::write(&path, document).map_err(|error| error.to_string())?;
                let imported = store.import(&path, false);
                imported.map_err(|error| error.to_string())?;
            }
            Ok(())
        });
        let took = several(&store);
        ended.store(true, Ordering::Relaxed);
        importing.join().map_err(|_| "a thread panicked")??;
        took
    })
}
