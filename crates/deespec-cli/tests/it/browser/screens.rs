//! Pictures of the page, for people: `cargo xtask screens`. Nothing is asserted.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::json;

use crate::serve::Server;
use crate::support::{PROGRAM, Sandbox};

use super::{Page, data};

/// So many rates are in the charts when the picture is taken; one comes each second.
const RATES: u32 = 12;

/// Counts until it is dropped.
struct Work(Child);

impl Drop for Work {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Work {
    fn start(sandbox: &Sandbox, series: usize) -> Self {
        // The histogram that the page shows by itself, since most was observed in it.
        let shown: &[&str] = match series {
            4 => &["run_seconds", "-l", "job=tests"],
            _ => &["http_request_seconds", "-l", "method=GET", "-l", "route=/"],
        };
        let script = "while :; do
            \"$0\" inc commit_success --by $((RANDOM % 9)); \"$0\" inc cas_conflicts
            \"$0\" inc runs_total -l job=tests -l outcome=success
            \"$0\" observe \"$@\" 0.0$((RANDOM % 90 + 10)) 0.$((RANDOM % 900 + 10)) 0.0$((RANDOM % 50 + 10))
            sleep 0.1
        done";
        let mut command = sandbox.command("bash");
        command.args(["-c", script, PROGRAM]).args(shown);
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

/// Makes the page as it is for whoever prefers this theme.
fn wear(page: &Page, theme: &str) {
    page.prefers(theme);
    // A choice that was made goes before what the system prefers.
    let is_worn = "const root = document.documentElement;
        const paper = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number);
        return (paper[0] + paper[1] + paper[2] < 384) === (arguments[0] === 'dark')";
    if page.execute(is_worn, &[json!(theme)]) != json!(true) {
        page.click("#theme");
    }
    page.until(theme, is_worn, &[json!(theme)]);
}

#[test]
#[ignore = "writes pictures; `cargo xtask screens` calls it"]
fn pictures_of_the_page_are_written() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("screens");
    std::fs::create_dir_all(&folder).unwrap();
    for series in [0, 4, 40, 400] {
        let sandbox = Sandbox::new();
        data::day(&sandbox.path("store"), series);
        let server = Server::start(&sandbox, &[]);
        let page = Page::open(&server);
        let work = (series > 0).then(|| Work::start(&sandbox, series));
        page.execute("window.__begun = performance.now()", &[]);
        if work.is_some() {
            page.until(
                "there are rates",
                "return performance.now() - window.__begun > 1000 * arguments[0]",
                &[json!(RATES)],
            );
        }
        for theme in ["light", "dark"] {
            wear(&page, theme);
            for (width, height) in [(1440, 900), (390, 844)] {
                page.size(width, height);
                page.is_drawn();
                let file = folder.join(format!("{series:03}-{width}-{theme}.png"));
                page.screenshot(&file);
                println!("{}", file.display());
            }
        }
        // The time until something is there, and what had to come for it.
        let paint = page.execute(
            "const [page] = performance.getEntriesByType('navigation');
             const files = [page, ...performance.getEntriesByType('resource').filter((one) => one.name.includes('/page/'))];
             const sum = (what) => files.reduce((all, one) => all + one[what], 0);
             return [
               ...performance.getEntriesByType('paint').map((one) => `${one.name} ${Math.round(one.startTime)} ms`),
               `${files.length} files of ${sum('decodedBodySize')} bytes, ${sum('transferSize')} as they came`,
             ].join(', ')",
            &[],
        );
        println!("{series} series: {paint}; console: {:?}", page.console());
    }
}
