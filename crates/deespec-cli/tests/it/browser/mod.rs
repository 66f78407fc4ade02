//! The page in a real browser: what somebody sees, types and hears. `driver` speaks to the browser, `data` fills
//! stores; the other files ask one thing of the page each, and know it by its ids and roles only.

mod axe;
mod data;
mod driver;
mod hostile;
mod live;
mod loading;
mod screens;
mod usable;

use std::time::Duration;

use serde_json::json;

use crate::serve::Server;

use driver::Browser;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs before anything of the page does: notes what its policy has refused.
const WITNESS: &str = "
window.__refused = [];
addEventListener('securitypolicyviolation', (event) =>
  window.__refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
";

/// A browser that shows the page of a server.
struct Page {
    browser: Browser,
    url: String,
}

impl std::ops::Deref for Page {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        &self.browser
    }
}

impl Page {
    fn open(server: &Server) -> Self {
        let page = Self {
            browser: Browser::start(),
            url: format!("http://{}/", server.address),
        };
        let witness = json!({"source": WITNESS});
        page.cdp("Page.addScriptToEvaluateOnNewDocument", &witness);
        page.size(1440, 900);
        page.goto(&page.url);
        page.is_live();
        page
    }

    /// Waits until the server has told what there is, and the page shows it.
    fn is_live(&self) {
        self.until(
            "the page is live",
            "const text = (selector) => document.querySelector(selector)?.innerText ?? '…';
             return document.querySelector('#link')?.dataset.state === 'live'
               && document.querySelector('#series tbody tr') !== null
               && ['#verdict', '#rate', '#transactions', '#health'].every((selector) => !text(selector).includes('…'))
               && /\\d/.test(text('#health'))",
            &[],
        );
    }

    /// Waits until what somebody reads in an element has this word in it, large or small.
    fn shows(&self, selector: &str, word: &str) {
        self.until(
            &format!("{selector} shows {word}"),
            "const [selector, word] = arguments;
             const words = document.querySelector(selector).innerText.toLowerCase().split(/[\\s,;:]+/);
             return words.includes(word.toLowerCase())",
            &[json!(selector), json!(word)],
        );
    }

    /// Waits until a row has all of these words in it.
    fn has_row(&self, words: &[&str]) {
        self.until(
            &format!("a row with {words:?}"),
            "const words = (row) => [...row.cells].flatMap((cell) => cell.textContent.split(/[\\s=]+/));
             return [...document.querySelectorAll('#series tbody tr')]
               .some((row) => arguments[0].every((word) => words(row).includes(word)))",
            &[json!(words)],
        );
    }

    /// Waits until all frames that are due have been drawn.
    fn is_drawn(&self) {
        self.execute(
            "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))",
            &[],
        );
    }

    /// The page asked nobody but its server, its policy had nothing to refuse, and the console is empty.
    fn is_innocent(&self) {
        let refused = self.execute("return window.__refused", &[]);
        assert_eq!(refused, json!([]), "refused by the policy");
        let console = self.console();
        assert!(console.is_empty(), "{console:?}");
        for url in self.requests() {
            assert!(url.starts_with(&self.url), "{url} is not of {}", self.url);
        }
    }
}
