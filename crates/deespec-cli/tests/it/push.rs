//! `deespec push`: what was counted arrives once, whatever happens to the client, the server and what is between them.

mod between;
mod source;
mod target;
mod tls;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::serve::{Server, TOKEN};
use crate::support::{Sandbox, code, stderr};

/// A server, and a program beside it that exposes what it has counted.
struct Pushed {
    sandbox: Sandbox,
    server: Server,
    url: String,
}

impl Pushed {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let server = Server::start(&sandbox, &[]);
        let url = format!("http://{}", server.address);
        Self {
            sandbox,
            server,
            url,
        }
    }

    /// The page says that so many jobs were done.
    fn page(&self, jobs: u64) -> PathBuf {
        self.write(&format!("# TYPE jobs_total counter\njobs_total {jobs}\n"))
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.sandbox.path("page.prom");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.deespec(&["push", url]);
        command.args(arguments).env("DEESPEC_TOKEN", TOKEN);
        command
    }

    fn push(&self, arguments: &[&str]) -> Output {
        self.command(&self.url, arguments).output().unwrap()
    }

    fn pushes(&self, arguments: &[&str]) -> Value {
        let output = self.push(&[arguments, &["--json"]].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn jobs(&self) -> u64 {
        self.sandbox.value("jobs_total", &json!({}))
    }

    /// The one file with this end in the folder.
    fn state(&self) -> PathBuf {
        let files = std::fs::read_dir(self.sandbox.path("")).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        files
            .find(|file| file.extension().is_some_and(|end| end == "push"))
            .unwrap()
    }
}

fn failed(output: &Output, parts: &[&str]) {
    let said = stderr(output);
    assert_eq!(code(output), 3, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains(TOKEN), "{said}");
}
