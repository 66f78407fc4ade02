//! Whoever has no mouse, does not see, has a phone, or has ten thousand series.

use serde_json::{Value, json};

use crate::serve::Server;
use crate::support::Sandbox;

use super::driver::key;
use super::{Page, axe, data};

const ROWS: &str = "return document.querySelectorAll('#series tbody tr').length";

#[test]
fn the_search_finds_names_and_values_of_labels() {
    let sandbox = Sandbox::new();
    for (name, label) in [
        ("mails_total", "queue=Newsletter"),
        ("mails_total", "queue=receipts"),
        ("uploads_total", "kind=newsletter-image"),
        ("uploads_total", "kind=avatar"),
    ] {
        sandbox.ok(&["inc", name, "-l", label]);
    }
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    let finds = |text: &str, rows: u64| {
        page.fill("#search", text);
        let script = format!("{ROWS} === {rows}");
        page.until(&format!("{rows} rows for {text:?}"), &script, &[]);
        page.shows("#found", &rows.to_string());
    };
    finds("mails", 2);
    finds("NEWSLETTER", 2);
    finds("avatar", 1);
    finds("commit_", 2);
    finds("nothing is called so", 0);
    finds("", 8);
    page.is_innocent();
}

#[test]
fn ten_thousand_series_are_not_all_drawn_and_all_found() {
    for series in [400, 10_000] {
        let sandbox = Sandbox::new();
        data::counters(&sandbox.path("store"), series);
        let server = Server::start(&sandbox, &[]);
        let page = Page::open(&server);
        let all = series + 4;
        page.until(
            "all are counted",
            "return document.querySelector('#found').textContent.replace(/(\\d),(?=\\d)/g, '$1').split(' ').includes(arguments[0])",
            &[json!(all.to_string())],
        );
        let rows = page.execute(ROWS, &[]).as_u64().unwrap();
        assert!((100..=1000).contains(&rows), "{rows} rows of {all}");
        let last = format!("{:05}", series - 1);
        page.fill("#search", &last);
        page.until("one row", &format!("{ROWS} === 1"), &[]);
        page.has_row(&["jobs_total", &last, "1"]);
        sandbox.ok(&[
            "inc",
            "jobs_total",
            "-l",
            &format!("number={last}"),
            "--by",
            "732",
        ]);
        page.has_row(&["jobs_total", &last, "733"]);
        page.is_innocent();
    }
}

#[test]
fn a_phone_needs_no_scrolling_to_the_side() {
    for series in [0, 4, 40, 400] {
        let sandbox = Sandbox::new();
        data::day(&sandbox.path("store"), series);
        if series > 0 {
            let long = format!("value={}", "unbreakable".repeat(60));
            sandbox.ok(&[
                "inc",
                "a_name_that_is_long_and_has_no_place_to_break_total",
                "-l",
                &long,
            ]);
        }
        let server = Server::start(&sandbox, &[]);
        let page = Page::open(&server);
        for width in [1440, 768, 390, 320] {
            page.size(width, 844);
            page.is_drawn();
            let wide = page.execute("return document.documentElement.scrollWidth", &[]);
            assert!(
                wide.as_u64() <= Some(u64::from(width)),
                "{wide} of {width}, {series} series"
            );
        }
    }
}

/// What has the focus, and whether somebody sees that.
fn focus(page: &Page) -> (String, bool) {
    let found = page.execute(
        "const element = document.activeElement;
         const style = getComputedStyle(element);
         const box = element.getBoundingClientRect();
         const is_marked = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
         const is_inside = box.width > 0 && box.height > 0 && box.left >= 0 && box.top >= 0
           && box.left < innerWidth && box.top < innerHeight;
         const name = element.id || element.getAttribute('href') || element.className || element.tagName;
         return [name, is_marked && is_inside]",
        &[],
    );
    let name = found[0].as_str().unwrap().to_owned();
    (name, found[1] == json!(true))
}

#[test]
fn the_keyboard_reaches_everything_in_the_order_in_which_it_is_read() {
    let sandbox = Sandbox::new();
    let [north, south] = ["north", "south"].map(|name| sandbox.path(name).display().to_string());
    for path in [&north, &south] {
        sandbox.ok(&["--store", path, "inc", "jobs_total"]);
    }
    let server = Server::start(&sandbox, &["--store", &north, "--store", &south]);
    let page = Page::open(&server);
    let mut met: Vec<String> = Vec::new();
    while met.last().is_none_or(|last| last != "search") {
        page.press(&[key::TAB]);
        let (name, is_seen) = focus(&page);
        assert!(is_seen, "nobody sees that {name} has the focus");
        assert!(!met.contains(&name), "{name} again, after {met:?}");
        met.push(name);
    }
    let mut places = ["#series", "store", "theme", "search"].map(|name| {
        let place = met.iter().position(|one| one == name);
        place.unwrap_or_else(|| panic!("{name} is not reached: {met:?}"))
    });
    assert_eq!(
        places[0], 0,
        "the link to the series is not the first: {met:?}"
    );
    assert!(places.is_sorted(), "{met:?}");
    places.sort_unstable();

    // The link leads on from there: what comes next is the search.
    page.reload();
    page.is_live();
    page.press(&[key::TAB, key::ENTER]);
    page.until(
        "it leads to the series",
        "return document.activeElement.id === 'series'",
        &[],
    );
    page.press(&[key::TAB]);
    assert_eq!(focus(&page).0, "search");
    page.is_innocent();
}

#[test]
fn the_theme_is_that_of_the_system_until_one_is_chosen_which_is_remembered() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    page.prefers("light");
    let paper = || {
        page.execute(
            "return getComputedStyle(document.body).backgroundColor",
            &[],
        )
    };
    let light = paper();
    page.prefers("dark");
    let dark = paper();
    assert_ne!(light, dark);
    page.execute("document.querySelector('#theme').focus()", &[]);
    page.press(&[key::ENTER]);
    assert_eq!(paper(), light);
    page.reload();
    page.is_live();
    assert_eq!(paper(), light, "what was chosen is forgotten");
    page.execute("document.querySelector('#theme').focus()", &[]);
    page.press(&[key::ENTER]);
    assert_eq!(paper(), dark);
    page.reload();
    page.is_live();
    page.prefers("light");
    assert_eq!(paper(), dark, "what was chosen goes before the system");
    page.is_innocent();
}

#[test]
fn axe_finds_nothing_wide_or_on_a_phone_light_or_dark() {
    let sandbox = Sandbox::new();
    data::day(&sandbox.path("store"), 40);
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    axe::load(&page);
    let mut broken = Vec::new();
    for theme in ["light", "dark"] {
        page.prefers(theme);
        for width in [1440, 390] {
            page.size(width, 844);
            page.is_drawn();
            let found = axe::run(&page).into_iter();
            broken.extend(found.map(|one| format!("{theme}, {width} wide: {one}")));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_screen_reader_has_a_name_for_everything_that_can_be_used_or_read() {
    let sandbox = Sandbox::new();
    let [north, south] = ["north", "south"].map(|name| sandbox.path(name).display().to_string());
    for path in [&north, &south] {
        sandbox.ok(&["--store", path, "inc", "jobs_total"]);
    }
    let server = Server::start(&sandbox, &["--store", &north, "--store", &south]);
    let page = Page::open(&server);
    for (selector, role) in [
        ("#store", "combobox"),
        ("#theme", "button"),
        ("#search", "searchbox"),
        ("#verdict", "region"),
        ("#rate", "region"),
        ("#transactions", "region"),
        ("#speed", "region"),
        ("#health", "region"),
        ("#series", "region"),
    ] {
        let (name, found) = page.said(selector);
        assert!(!name.trim().is_empty(), "{selector} has no name");
        // What is only written into the field is gone when somebody types.
        assert_ne!(name, "name or label value");
        assert_eq!(found, role, "{selector}, {name}");
    }
    // These are read aloud when they change.
    for selector in ["#link", "#found"] {
        assert_eq!(page.said(selector).1, "status", "{selector}");
    }
    let unnamed = page.execute(
        "return [...document.querySelectorAll('canvas')].filter((canvas) => {
           const image = canvas.closest('[role=img]');
           return !(image?.getAttribute('aria-label') || image?.getAttribute('aria-labelledby'));
         }).length",
        &[],
    );
    assert_eq!(unnamed, json!(0), "charts without a name");
    let charts: Value = page.execute("return document.querySelectorAll('canvas').length", &[]);
    assert_ne!(charts, json!(0));
}
