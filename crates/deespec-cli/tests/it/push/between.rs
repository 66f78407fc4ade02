//! Answers that get lost, clients that are killed or overlap, and copies of what they keep.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::{Pushed, failed};
use crate::support::{code, ends, stderr};

/// Stands before a server, hands on every request, and loses the first few answers.
struct Between {
    url: String,
    /// How many requests were answered by the server.
    answered: Arc<AtomicUsize>,
}

impl Between {
    /// `held`: what loses an answer closes the connection only when this says so.
    fn losing(server: SocketAddr, lost: usize, held: Option<mpsc::Receiver<()>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answered = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&answered);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let Some(request) = message(&client) else {
                    continue;
                };
                let mut there = TcpStream::connect(server).unwrap();
                there.write_all(&request).unwrap();
                let answer = message(&there).unwrap();
                if count.fetch_add(1, Ordering::SeqCst) >= lost {
                    let _ = client.write_all(&answer);
                } else if let Some(held) = &held {
                    let _ = held.recv();
                }
            }
        });
        Self { url, answered }
    }
}

/// A request or an answer, to its last byte.
fn message(stream: &TcpStream) -> Option<Vec<u8>> {
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut reader = BufReader::new(stream);
    let (mut bytes, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        bytes.extend_from_slice(line.as_bytes());
        if let Some(found) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = found.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some([bytes, body].concat())
}

#[test]
fn what_was_pushed_counts_once_though_its_answer_is_lost() {
    let pushed = Pushed::new();
    let between = Between::losing(pushed.server.address, 2, None);
    pushed.page(3);
    let output = pushed
        .command(&between.url, &["page.prom"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(between.answered.load(Ordering::SeqCst), 3);
    assert_eq!(pushed.jobs(), 3);
    pushed.page(5);
    let output = pushed
        .command(&between.url, &["page.prom"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(pushed.jobs(), 5);
}

#[test]
fn a_client_that_is_killed_before_it_has_the_answer_sends_the_same_again() {
    let pushed = Pushed::new();
    let (go, held) = mpsc::channel();
    let between = Between::losing(pushed.server.address, 1, Some(held));
    pushed.page(3);
    let mut killed = pushed
        .command(&between.url, &["page.prom"])
        .spawn()
        .unwrap();
    ends("the push that is counted", || {
        (between.answered.load(Ordering::SeqCst) == 1).then_some(())
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    go.send(()).unwrap();
    assert_eq!(pushed.jobs(), 3);
    pushed.page(10);
    let output = pushed
        .command(&between.url, &["page.prom"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(pushed.jobs(), 10);
}

#[test]
fn a_client_that_gives_up_leaves_it_to_the_next_one() {
    let pushed = Pushed::new();
    let between = Between::losing(pushed.server.address, 1000, None);
    pushed.page(3);
    let arguments = ["page.prom", "--timeout", "1"];
    let output = pushed.command(&between.url, &arguments).output().unwrap();
    failed(
        &output,
        &["has not acknowledged it", "nothing counts twice"],
    );
    assert_eq!(pushed.jobs(), 3);
    // As if that place had got well again.
    let again = Between::losing(pushed.server.address, 0, None);
    let state = std::fs::read_to_string(pushed.state()).unwrap();
    let state = state.replace(&between.url, &again.url);
    std::fs::remove_file(pushed.state()).unwrap();
    let path = pushed.sandbox.path("kept");
    std::fs::write(&path, state).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).unwrap();
    pushed.page(4);
    let arguments = ["page.prom", "--state", "kept"];
    let output = pushed.command(&again.url, &arguments).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(pushed.jobs(), 4);
}

#[test]
fn those_that_overlap_wait_for_each_other() {
    let pushed = Pushed::new();
    pushed.page(10);
    let children: Vec<_> = (0..6)
        .map(|_| pushed.command(&pushed.url, &["page.prom"]).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(pushed.jobs(), 10);
}

#[test]
fn numbers_are_counted_and_no_clock_is_asked() {
    let pushed = Pushed::new();
    for jobs in 1..=3 {
        pushed.page(jobs);
        pushed.pushes(&["page.prom"]);
        let state = std::fs::read_to_string(pushed.state()).unwrap();
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        assert_eq!(state["sequence"], jobs);
    }
    // Nothing in it was written as a time, so nothing depends on one.
    assert_eq!(pushed.jobs(), 3);
}

#[test]
fn a_copy_of_what_is_kept_is_a_conflict_and_there_is_a_way_out() {
    let pushed = Pushed::new();
    pushed.page(3);
    pushed.pushes(&["page.prom"]);
    let state = pushed.state();
    let copy = std::fs::read(&state).unwrap();
    pushed.page(5);
    pushed.pushes(&["page.prom"]);
    // The same number, and the very same counts: whoever has the copy must not take it for acknowledged.
    std::fs::write(&state, copy).unwrap();
    let output = pushed.push(&["page.prom"]);
    failed(&output, &["409", "a conflict", "--anew now", "page.prom."]);
    // It stays one.
    failed(&pushed.push(&["page.prom"]), &["409"]);
    assert_eq!(pushed.jobs(), 5);
    assert_eq!(pushed.pushes(&["page.prom", "--anew", "now"])["counts"], 0);
    pushed.page(6);
    pushed.pushes(&["page.prom"]);
    assert_eq!(pushed.jobs(), 6);
}
