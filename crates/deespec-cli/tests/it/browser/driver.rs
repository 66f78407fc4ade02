//! A real Chromium, spoken to by the WebDriver protocol: JSON over HTTP on loopback. Knows nothing of
//! our pages; `docs/design/0043-the-page-in-a-real-browser.md` says why this is not a library.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};

use base64::Engine as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{ends, find, lines, next};

/// Browsers at once: more of them only wait for each other.
const AT_ONCE: usize = 2;
/// Under this name an answer refers to an element; the standard chose it so that nothing else has it.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// In the kernel's sandbox root may not start it, and in a container others may not. No name resolves, so
/// it can reach nothing but addresses; what it would ask for by itself is off as well.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-breakpad",
    "--metrics-recording-only",
    "--no-pings",
    "--no-first-run",
    "--password-store=basic",
    // A page that nobody looks at would draw nothing.
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--hide-scrollbars",
    "--lang=en-US",
];

/// Keys that are no text.
pub(crate) mod key {
    pub(crate) const ENTER: char = '\u{e007}';
    pub(crate) const TAB: char = '\u{e004}';
}

/// Lets its owner have a browser; another one waits until it is dropped.
struct Turn;

static TURNS: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Turn {
    fn wait() -> Self {
        let taken = TURNS.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = TURNS
            .1
            .wait_while(taken, |taken| *taken >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TURNS.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        TURNS.1.notify_one();
    }
}

/// A browser with one page, ended by its own process id when the test ends.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    process: Option<Pid>,
    agent: ureq::Agent,
    profile: tempfile::TempDir,
    _turn: Turn,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser; where it does not, we do.
        let ended = self.ask("DELETE", "", &Value::Null);
        if let (Err(_), Some(process)) = (ended, self.process) {
            let _ = kill_process(process, Signal::KILL);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    pub(crate) fn start() -> Self {
        let turn = Turn::wait();
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            // What it remembers goes with the profile.
            .env("HOME", profile.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("chromedriver: {error}; run `cargo xtask test`, which installs it")
            });
        let said = lines(driver.stdout.take().unwrap());
        let port = loop {
            let line = next(&said);
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        std::thread::spawn(move || said.iter().for_each(drop));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(super::PATIENCE));
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            process: None,
            agent: config.build().new_agent(),
            profile,
            _turn: turn,
        };
        browser.open();
        browser
    }

    fn open(&mut self) {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let arguments: Vec<&str> = FLAGS.iter().copied().chain([profile.as_str()]).collect();
        let patience = super::PATIENCE.as_millis() as u64;
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "timeouts": {"script": patience, "pageLoad": patience},
            "goog:chromeOptions": {"binary": find("chromium"), "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = self.command("POST", "", &wanted);
        let process = session["capabilities"]["goog:processID"].as_i64();
        self.process = process.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        self.session = format!(
            "{}/{}",
            self.session,
            session["sessionId"].as_str().unwrap()
        );
    }

    /// What the driver answers, or why it does not do so.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = match method {
            "GET" => self.agent.get(url).call(),
            "DELETE" => self.agent.delete(url).call(),
            _ => self.agent.post(url).send(body.to_string()),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let body = answer.body_mut().with_config().limit(1 << 30);
        let body = body.read_to_string().map_err(|error| error.to_string())?;
        let mut body: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        let value = body["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"])),
            None => Ok(value),
        }
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// A command of the Chrome DevTools protocol.
    pub(crate) fn cdp(&self, name: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": name, "params": parameters});
        self.command("POST", "/goog/cdp/execute", &body)
    }

    pub(crate) fn goto(&self, url: &str) {
        self.command("POST", "/url", &json!({"url": url}));
    }

    pub(crate) fn reload(&self) {
        self.command("POST", "/refresh", &json!({}));
    }

    /// Runs a script in the page and gives what it returns, or what its promise becomes. The policy of the
    /// page does not apply to it.
    pub(crate) fn execute(&self, script: &str, arguments: &[Value]) -> Value {
        let body = json!({"script": script, "args": arguments});
        self.command("POST", "/execute/sync", &body)
    }

    /// Waits until a script gives something true, and gives it too.
    pub(crate) fn until(&self, what: &str, script: &str, arguments: &[Value]) -> Value {
        ends(what, || {
            let found = self.execute(script, arguments);
            let is_nothing = matches!(&found, Value::Null | Value::Bool(false));
            (!is_nothing).then_some(found)
        })
    }

    fn element(&self, selector: &str) -> String {
        let body = json!({"using": "css selector", "value": selector});
        let found = self.command("POST", "/element", &body);
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn of_element(&self, selector: &str, what: &str) -> String {
        let path = format!("/element/{}/{what}", self.element(selector));
        let found = self.command("GET", &path, &Value::Null);
        found.as_str().unwrap_or_default().to_owned()
    }

    /// What a screen reader calls it, and as what.
    pub(crate) fn said(&self, selector: &str) -> (String, String) {
        let name = self.of_element(selector, "computedlabel");
        (name, self.of_element(selector, "computedrole"))
    }

    pub(crate) fn click(&self, selector: &str) {
        let path = format!("/element/{}/click", self.element(selector));
        self.command("POST", &path, &json!({}));
    }

    /// Empties a field and types into it.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let path = format!("/element/{}", self.element(selector));
        self.command("POST", &format!("{path}/clear"), &json!({}));
        self.command("POST", &format!("{path}/value"), &json!({"text": text}));
    }

    /// Presses keys wherever the focus is.
    pub(crate) fn press(&self, keys: &[char]) {
        let one = |key: &char| {
            [
                json!({"type": "keyDown", "value": key}),
                json!({"type": "keyUp", "value": key}),
            ]
        };
        let actions: Vec<Value> = keys.iter().flat_map(one).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.command("POST", "/actions", &json!({"actions": [keyboard]}));
    }

    /// Makes the page as wide and high as this; below 600 it is a phone.
    pub(crate) fn size(&self, width: u32, height: u32) {
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}),
        );
    }

    /// What the system prefers: `light` or `dark`, and always that nothing moves.
    pub(crate) fn prefers(&self, theme: &str) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.cdp("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// A picture of the whole page, whatever of it can be seen without scrolling.
    pub(crate) fn screenshot(&self, path: &Path) {
        let content = self.cdp("Page.getLayoutMetrics", &json!({}))["cssContentSize"].clone();
        let clip = json!({
            "x": 0, "y": 0, "width": content["width"], "height": content["height"], "scale": 1,
        });
        let picture = self.cdp(
            "Page.captureScreenshot",
            &json!({"format": "png", "captureBeyondViewport": true, "clip": clip}),
        );
        let picture = base64::engine::general_purpose::STANDARD
            .decode(picture["data"].as_str().unwrap())
            .unwrap();
        std::fs::write(path, picture).unwrap();
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.command("POST", "/se/log", &json!({"type": kind}));
        log.as_array().cloned().unwrap_or_default()
    }

    /// What was written to the console since this was last asked: errors, refusals, messages.
    pub(crate) fn console(&self) -> Vec<String> {
        let text = |entry: &Value| format!("{} {}", entry["level"], entry["message"]);
        self.log("browser").iter().map(text).collect()
    }

    /// The address of everything that pages have asked for since this was last asked.
    pub(crate) fn requests(&self) -> Vec<String> {
        let url = |entry: &Value| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let event = &event["message"];
            // The first page of a browser is its own.
            let asks = event["params"]["documentURL"].as_str().unwrap_or_default();
            let is_request =
                event["method"] == "Network.requestWillBeSent" && !asks.starts_with("chrome:");
            is_request.then(|| {
                event["params"]["request"]["url"]
                    .as_str()
                    .map(str::to_owned)
            })?
        };
        self.log("performance").iter().filter_map(url).collect()
    }
}
