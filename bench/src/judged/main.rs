//! Scores what finds shifts on labelled series: false alarms, what is found, and how soon; beside simple rules and
//! beside Apache Otava.
//!
//! `series` reads the data, `detectors` has one function a detector, `score` counts. The data are not part of this
//! repository: the folder is the first argument. A score is shown, not punished.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use comfy_table::{Table, presets};

mod detectors;
mod score;
mod series;
mod speed;

/// What goes wrong is told, and ends the run.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("deespec-gate-bench: {error}"));
            ExitCode::from(3)
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments
        .next()
        .ok_or("give the folder with ci-series/ and tcpd/")?;
    let python = arguments.next();
    // Rules that cannot be read would never raise an alarm, and look good.
    detectors::fresh_rules()?;
    let labelled = series::labelled(&folder.join("ci-series"))?;
    let mut table = table(&[
        "run by run, ci-series",
        "false alarms per 1,000 runs",
        "found in 5",
        "found in 12",
        "median delay",
    ]);
    for (name, detector) in detectors::ONLINE {
        table.add_row(row(name, &score::online(&labelled, *detector)));
    }
    if let Some(python) = &python {
        let values: Vec<&[f64]> = labelled.iter().map(|one| one.values.as_slice()).collect();
        for p in [0.001, 1e-6] {
            let raised = detectors::otava_online(python, &values, p)?;
            let scored = score::raised(labelled.iter().zip(raised));
            table.add_row(row(
                &format!("Apache Otava at each run, p {p}, 5 %"),
                &scored,
            ));
        }
    }
    let kinds: BTreeSet<&str> = labelled.iter().map(|one| one.kind.as_str()).collect();
    for kind in kinds {
        let of_kind = labelled.iter().filter(|one| one.kind == kind);
        let scored = score::online(of_kind, detectors::DEFAULT.1);
        table.add_row(row(&format!("{}: {kind}", detectors::DEFAULT.0), &scored));
    }
    say(&table.to_string());

    let mut table = self::table(&["whole series, tcpd", "F1", "cover"]);
    let annotated = series::annotated(&folder.join("tcpd"))?;
    for (name, detector) in detectors::WHOLE {
        let (f1, cover) = score::whole(&annotated, |one| Ok(detector(&one.values)))?;
        table.add_row([
            (*name).to_owned(),
            format!("{f1:.3}"),
            format!("{cover:.3}"),
        ]);
    }
    for p in [0.001, 1e-6] {
        let name = format!("Apache Otava, p {p}");
        let scored = match &python {
            Some(python) => {
                score::whole(&annotated, |one| detectors::otava(python, &one.values, p))
            }
            None => Err("no Python with apache-otava was given".into()),
        };
        match scored {
            Ok((f1, cover)) => table.add_row([name, format!("{f1:.3}"), format!("{cover:.3}")]),
            Err(error) => table.add_row([name, error.to_string(), String::new()]),
        };
    }
    say(&table.to_string());
    say(&speed::told()?);
    Ok(())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header);
    table
}

fn row(name: &str, scored: &score::OnlineScore) -> [String; 5] {
    [
        name.to_owned(),
        format!("{:.2}", scored.false_per_thousand),
        format!("{:.3}", scored.within_5),
        format!("{:.3}", scored.within_12),
        scored
            .median_delay
            .map_or("-".to_owned(), |delay| delay.to_string()),
    ]
}

#[expect(
    clippy::print_stdout,
    reason = "the one place of this program that prints"
)]
fn say(text: &str) {
    println!("{text}");
}
