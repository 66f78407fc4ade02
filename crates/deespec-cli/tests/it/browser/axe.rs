//! axe-core, which knows what the Web Content Accessibility Guidelines ask for, run within the page.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Page;

/// Where `cargo xtask test` puts it, in a Python package that ships it for Playwright; of that package nothing
/// else is used.
fn script() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let pythons = std::fs::read_dir(target.join("test-venv/lib"));
    let mut scripts = pythons.into_iter().flatten().map(|python| {
        let python = python.unwrap().path();
        python.join("site-packages/axe_playwright_python/axe.min.js")
    });
    let script = scripts.find(|script| script.is_file());
    script.expect("there is no axe-core; run `cargo xtask test`, which installs it")
}

pub(crate) fn load(page: &Page) {
    let text = std::fs::read_to_string(script()).unwrap();
    page.execute(&format!("{text}\nwindow.axe = axe;"), &[]);
}

/// What breaks a rule of level A or AA, each with where it is.
pub(crate) fn run(page: &Page) -> Vec<String> {
    let levels = json!(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
    let result = page.execute(
        "return axe.run(document, { runOnly: { type: 'tag', values: arguments[0] } }).then(({ passes, violations }) => ({
           passed: passes.map((rule) => rule.id),
           broken: violations.flatMap((rule) =>
             rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)} ${node.failureSummary}`)),
         }))",
        &[levels],
    );
    // Where it found nothing to look at, it found nothing wrong either.
    let passed = result["passed"].as_array().unwrap();
    assert!(passed.contains(&json!("color-contrast")), "{passed:?}");
    let broken = result["broken"].as_array().unwrap();
    broken
        .iter()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}
