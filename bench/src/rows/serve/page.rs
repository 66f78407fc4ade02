//! What the page weighs: each file that a browser loads for it, as it comes over the wire and unpacked.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::Stand;
use crate::Result;
use crate::load::Client;
use crate::place::Bench;
use crate::server::{PATIENCE, Server};
use crate::table::Figure::{Bytes, Files};
use crate::table::Line;

/// What the names of the page's files end with.
const ENDINGS: [&str; 3] = [".css", ".js", ".svg"];

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let stand = Stand::new(bench)?;
    let server = &stand.server;
    let files = files(server)?;
    let (mut unpacked, mut sent) = (0, 0);
    for (path, bytes) in &files {
        unpacked += bytes;
        sent += over_the_wire(server, path)?;
    }
    Ok(vec![
        Line::alone("the page: its files", Files(files.len() as f64)),
        Line::alone(
            "the page over the wire, gzip, with all heads",
            Bytes(sent as f64),
        ),
        Line::alone("the page unpacked", Bytes(unpacked as f64)),
    ])
}

/// The page and everything that it names, and what that names, with the bytes of each.
fn files(server: &Server) -> Result<Vec<(String, usize)>> {
    let client = Client::new();
    let mut known = BTreeSet::from(["/".to_owned()]);
    let mut left = vec!["/".to_owned()];
    let mut files = Vec::new();
    while let Some(path) = left.pop() {
        let text = client.get(&server.url(&path))?;
        for named in named(&text) {
            if known.insert(named.clone()) {
                left.push(named);
            }
        }
        files.push((path, text.len()));
    }
    Ok(files)
}

/// The files that a text names in quotation marks.
fn named(text: &str) -> impl Iterator<Item = String> {
    let quoted = text.split('"').skip(1).step_by(2);
    quoted.filter_map(|quoted| {
        let name = quoted
            .strip_prefix("/page/")
            .or_else(|| quoted.strip_prefix("./"))?;
        let is_file = ENDINGS.iter().any(|ending| name.ends_with(ending));
        is_file.then(|| format!("/page/{name}"))
    })
}

/// Bytes of a whole answer, as a browser gets it.
fn over_the_wire(server: &Server, path: &str) -> Result<usize> {
    let mut stream = TcpStream::connect(server.address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let host = server.address;
    // An answer of this version ends with the connection.
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept-Encoding: gzip\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    if !status.ends_with(b" 200 OK") {
        let status = String::from_utf8_lossy(status);
        return Err(format!("{path}: {status}").into());
    }
    Ok(answer.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_files() {
        let text = r#"<link href="/page/a.css"> import { b } from "./b.js"; <a href="/metrics">"#;
        let found: Vec<String> = named(text).collect();
        assert_eq!(found, ["/page/a.css", "/page/b.js"]);
    }
}
