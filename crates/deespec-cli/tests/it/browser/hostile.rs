//! Names that somebody chose to do harm: they are read as text, and nothing is made of them.

use deespec::{Family, Store};
use serde_json::{Value, json};

use crate::serve::Server;
use crate::support::Sandbox;

use super::Page;

/// Values of labels, each with what of it must be readable.
fn hostile() -> Vec<(String, String)> {
    let same = [
        "<script>window.__harm = 1</script>",
        "<img src=x onerror=\"window.__harm = 1\">",
        "<svg onload=window.__harm=1></svg>",
        "\"><iframe src=javascript:parent.__harm=1></iframe>",
        "' onmouseover='window.__harm=1' autofocus onfocus='window.__harm=1",
        "javascript:window.__harm=1",
        "</td></tr></table></section></main><h1>not ours</h1>",
        "<style>*{display:none}</style><base href=//evil.example>",
        "${window.__harm=1}{{constructor.constructor('window.__harm=1')()}}",
        "&lt;b&gt;not bold&lt;/b&gt;&amp;",
        "__proto__",
        "constructor",
    ];
    let same = same.map(|text| (text.to_owned(), text.to_owned()));
    let invisible = [
        ("\u{202e}gnp.exe\u{202c}", "gnp.exe"),
        ("zero\u{200b}width\u{feff}", "zerowidth"),
        ("two\nlines\tand a tab", "two"),
    ];
    let invisible = invisible.map(|(text, read)| (text.to_owned(), read.to_owned()));
    let long = "long".repeat(250);
    same.into_iter()
        .chain(invisible)
        .chain([(long.clone(), long)])
        .collect()
}

/// Waits until a row reads so, whatever invisible characters are in it.
fn is_read(page: &Page, text: &str) {
    page.until(
        &format!("{text:?} is read"),
        "const read = (text) => text.replace(/[\\u200b\\u202a-\\u202e\\u2066-\\u2069\\ufeff]/g, '');
         return [...document.querySelectorAll('#series tbody tr')]
           .some((row) => read(row.textContent).includes(arguments[0]))",
        &[json!(text)],
    );
}

/// No element, attribute or script comes from anywhere but the page's own files.
fn is_unharmed(page: &Page) {
    let found = page.execute(
        "const all = [...document.querySelectorAll('*')];
         const own = (url) => url === '' || url.startsWith(`${location.origin}/`);
         const bad = (element) =>
           [...element.attributes].some(({ name, value }) => name.startsWith('on') || /^\\s*javascript:/i.test(value))
           || ['IFRAME', 'OBJECT', 'EMBED', 'BASE', 'STYLE', 'FORM'].includes(element.tagName)
           || !own(element.src ?? '') || (element.tagName === 'SCRIPT' && element.src === '');
         return {
           harm: window.__harm ?? null,
           elements: all.filter(bad).map((element) => element.outerHTML.slice(0, 200)),
           images: [...document.images].filter((image) => !image.src.includes('/page/')).length,
           headings: document.querySelectorAll('h1').length,
           prototype: Object.keys(Object.prototype).length,
         }",
        &[],
    );
    let nothing = json!({"harm": null, "elements": [], "images": 0, "headings": 1, "prototype": 0});
    assert_eq!(found, nothing);
    page.is_innocent();
}

#[test]
fn labels_are_read_as_text_whether_they_were_there_or_come_while_somebody_looks() {
    let sandbox = Sandbox::new();
    let store = Store::open(sandbox.path("store")).unwrap();
    let count = |family: &str, value: &str| {
        let labels = [("value", value), ("zone", "after")];
        store.counter_with(family, &labels).unwrap().add(3);
    };
    for (value, _) in hostile() {
        count("before_total", &value);
        store.info("build_info", &[("version", &value)]).unwrap();
    }
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    for (_, read) in hostile() {
        is_read(&page, &read);
    }
    is_unharmed(&page);
    for (value, _) in hostile() {
        count("after_total", &value);
        let gauge = store.gauge_with("depth", &[("value", &value)]).unwrap();
        gauge.set(1.5);
        store
            .histogram_with("took_seconds", &[("value", &value)])
            .unwrap()
            .observe(0.5);
    }
    for family in ["after_total", "build_info", "depth", "took_seconds"] {
        page.fill("#search", family);
        for (_, read) in hostile() {
            is_read(&page, &read);
        }
        is_unharmed(&page);
    }
    // What is searched for comes from elsewhere too, as in a link that somebody sends.
    for (value, read) in hostile() {
        if value == read {
            page.fill("#search", &value);
            is_read(&page, &read);
        }
    }
    is_unharmed(&page);
}

#[test]
fn names_of_labels_help_texts_and_folders_are_text_as_well() {
    let sandbox = Sandbox::new();
    let folders = ["<img src=x onerror=window.__harm=1>", "\"'><b>&amp;"];
    let paths = folders.map(|name| sandbox.path(name).display().to_string());
    for path in &paths {
        let store = Store::open(path).unwrap();
        for (number, (text, _)) in hostile().iter().enumerate() {
            let family = Family::counter(format!("helped_{number}_total")).with_help(text.as_str());
            store.declare(&family).unwrap();
            store.counter(family.name()).unwrap().inc();
        }
        for name in ["constructor", "toString", "hasOwnProperty", "innerHTML"] {
            store
                .counter_with("named_total", &[(name, "value-of-it")])
                .unwrap()
                .inc();
        }
    }
    let server = Server::start(&sandbox, &["--store", &paths[0], "--store", &paths[1]]);
    let page = Page::open(&server);
    for path in [&paths[0], &paths[1], &paths[0]] {
        page.until(
            "the folder is read",
            "return document.querySelector('#health').innerText.includes(arguments[0])",
            &[json!(path)],
        );
        for name in ["constructor", "toString", "hasOwnProperty", "innerHTML"] {
            page.has_row(&["named_total", name, "value-of-it"]);
        }
        is_unharmed(&page);
        let options = page.execute(
            "return [...document.querySelectorAll('#store option')].map((option) => option.textContent)",
            &[],
        );
        assert_eq!(options.as_array().map(Vec::len), Some(2), "{options}");
        for folder in folders {
            assert!(
                options.as_array().unwrap().contains(&json!(folder)),
                "{options}"
            );
        }
        let other: Value = page.execute(
            "const select = document.querySelector('#store');
             return [...select.options].findIndex((option) => !option.selected) + 1",
            &[],
        );
        page.click(&format!("#store option:nth-child({other})"));
    }
}

#[test]
fn a_label_that_turns_the_direction_of_text_turns_nothing_beside_it() {
    let sandbox = Sandbox::new();
    let store = Store::open(sandbox.path("store")).unwrap();
    for turning in [
        "\u{202e}turning",
        "\u{202b}turning",
        "\u{2067}turning",
        "\u{5d0}turning",
    ] {
        let labels = [("first", turning), ("second", "straight-on")];
        store
            .counter_with("turned_total", &labels)
            .unwrap()
            .add(417);
    }
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    page.fill("#search", "turned_total");
    // Where the second label begins and ends, as it is drawn.
    let turned = "
        const place = (row, text) => {
          const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const at = walker.currentNode.data.indexOf(text);
            if (at < 0) continue;
            const range = document.createRange();
            range.setStart(walker.currentNode, at);
            range.setEnd(walker.currentNode, at + 1);
            const first = range.getBoundingClientRect().left;
            range.setStart(walker.currentNode, at + text.length - 1);
            range.setEnd(walker.currentNode, at + text.length);
            return range.getBoundingClientRect().left - first;
          }
          return NaN;
        };
        const rows = [...document.querySelectorAll('#series tbody tr')];
        if (rows.length !== 4) return null;
        return rows.map((row) => ['straight-on', '417'].every((text) => place(row, text) > 0));";
    let straight = page.until("four rows", turned, &[]);
    assert_eq!(straight, json!([true, true, true, true]));
}
