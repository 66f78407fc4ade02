//! Pushes from other languages: counted once, though clients repeat them and servers are killed.

use std::process::Command;

use serde_json::json;

use crate::support::{Sandbox, ends};

use super::{Server, TOKEN};

/// What a stranger would write with Python's standard library alone; `docs/serving.md` shows it.
const CLIENT: &str = include_str!("../../../../../docs/push.py");

#[test]
fn clients_that_push_everything_twice_are_counted_once_though_servers_are_killed() {
    const CLIENTS: usize = 8;
    const PUSHES: u64 = 6;
    let sandbox = Sandbox::new();
    let mut server = Server::start(&sandbox, &[]);
    let address = server.address.to_string();
    std::fs::write(sandbox.path("push.py"), CLIENT).unwrap();
    let driver = format!(
        "import sys, push\npusher = push.Pusher('http://{address}', '{TOKEN}', sys.argv[1])\n\
         for n in range(1, {PUSHES} + 1):\n  text = '# TYPE jobs counter\\njobs_total %d\\n# EOF\\n' % n\n  \
         assert pusher.push(text)['sequence'] == n\n  state = pusher._read()\n  \
         assert not pusher._send(state['writer'], n, text)['counted']\n"
    );
    let client = |name: usize| -> Command {
        let mut command = sandbox.command("python3");
        command.args(["-c", &driver, &format!("client-{name}")]);
        command
    };
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|name| client(name).spawn().unwrap())
        .collect();
    // Each time something more has been counted the server is killed, up to ten times.
    let journal = sandbox.path("store/live/pushes.jsonl");
    let (mut kills, mut known) = (0, 0);
    while kills < 10 {
        let grown = ends("a push, or the end of all clients", || {
            let length = journal.metadata().map_or(0, |file| file.len());
            let are_done = clients
                .iter_mut()
                .all(|client| client.try_wait().unwrap().is_some());
            (length != known || are_done).then_some((length != known).then_some(length))
        });
        let Some(length) = grown else { break };
        known = length;
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let mut again = sandbox.deespec(&["serve", "--listen", &address]);
        again.env("DEESPEC_TOKEN", TOKEN);
        server = Server::run(again);
        kills += 1;
    }
    for mut client in clients {
        assert!(client.wait().unwrap().success());
    }
    assert!(kills > 0);
    let each = PUSHES * (PUSHES + 1) / 2;
    assert_eq!(
        sandbox.value("jobs_total", &json!({})),
        CLIENTS as u64 * each
    );
}

#[test]
fn a_push_needs_the_token_and_a_text_that_can_be_counted() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let push = |query: &str, token: &str, text: &str| {
        server.post(&format!("/api/v1/push?{query}"), token, Some(text))
    };
    let good = "# TYPE jobs counter\njobs_total 3\n# EOF\n";
    assert_eq!(push("writer=w&sequence=1", "wrong", good).status, 401);
    for query in [
        "",
        "writer=w",
        "writer=a%20b&sequence=1",
        "writer=w&sequence=-1",
    ] {
        assert_eq!(push(query, TOKEN, good).status, 400, "{query}");
    }
    let refused = push("writer=w&sequence=1", TOKEN, &good.replace(" 3", " -0.5"));
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("line 2: "), "{}", refused.body);
    let large = format!(
        "# {}\n# TYPE jobs_total counter\njobs_total 3\n",
        "x".repeat(200_000)
    );
    assert!(
        push("writer=w&sequence=1", TOKEN, &large).json()["counted"]
            .as_bool()
            .unwrap()
    );
    assert_eq!(sandbox.value("jobs_total", &json!({})), 3);
}

#[test]
fn the_client_of_the_documentation_loses_nothing_when_it_overlaps_with_itself() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    std::fs::write(sandbox.path("push.py"), CLIENT).unwrap();
    let driver = format!(
        "import push\npush.Pusher('http://{}', '{TOKEN}', 'state').push('# TYPE jobs counter\\njobs_total 3\\n# EOF\\n')",
        server.address
    );
    let clients: Vec<_> = (0..6)
        .map(|_| {
            sandbox
                .command("python3")
                .args(["-c", &driver])
                .spawn()
                .unwrap()
        })
        .collect();
    for mut client in clients {
        assert!(client.wait().unwrap().success());
    }
    assert_eq!(sandbox.value("jobs_total", &json!({})), 18);
}

#[test]
fn what_the_store_has_exposed_itself_is_not_counted_again() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "jobs", "--by", "3"]);
    let server = Server::start(&sandbox, &[]);
    let texts = ["openmetrics", "prometheus"].map(|form| sandbox.ok(&["export", form]));
    for (number, text) in texts.iter().enumerate() {
        let push = |text: &str| {
            let query = format!("/api/v1/push?writer=w{number}&sequence=1");
            server.post(&query, TOKEN, Some(text))
        };
        let refused = push(text);
        assert_eq!(refused.status, 400, "{text}");
        let reason = "what the store itself has counted";
        assert!(refused.body.contains(reason), "{}", refused.body);
        // Of a part of it one series is enough.
        if let Some((_, rest)) = text.split_once("# TYPE jobs ") {
            assert_eq!(push(&format!("# TYPE jobs {rest}")).status, 400);
        }
    }
    assert_eq!(sandbox.value("jobs", &json!({})), 3);
}

#[test]
fn a_gauge_by_the_name_of_a_built_in_counter_is_refused() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let text = "# TYPE commit_success gauge\ncommit_success 5\n# EOF\n";
    let refused = server.post("/api/v1/push?writer=w&sequence=1", TOKEN, Some(text));
    assert_eq!(refused.status, 400);
    assert!(
        refused.body.contains("it is a counter, and not a gauge"),
        "{}",
        refused.body
    );
}

#[test]
fn a_number_that_is_not_above_the_last_one_is_a_conflict_or_the_same_push() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let push = |sequence: u64, jobs: u64| {
        let text = format!("# TYPE jobs counter\njobs_total {jobs}\n# EOF\n");
        let query = format!("/api/v1/push?writer=w&sequence={sequence}");
        let answer = server.post(&query, TOKEN, Some(&text));
        (answer.status, answer.json()["counted"].as_bool())
    };
    assert_eq!(push(5, 3), (200, Some(true)));
    assert_eq!(push(3, 3), (409, None));
    assert_eq!(push(5, 4), (409, None));
    assert_eq!(push(5, 3), (200, Some(false)));
    assert_eq!(push(u64::MAX, 1), (200, Some(true)));
    assert_eq!(push(5, 3), (409, None));
    assert_eq!(sandbox.value("jobs_total", &json!({})), 4);
}

#[test]
fn a_compressed_body_is_read_as_far_as_it_may_unpack() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let driver = format!(
        "import gzip, sys, urllib.request, urllib.error\n\
         def push(n, body, encoding):\n  url = 'http://{}/api/v1/push?writer=w&sequence=%d' % n\n  \
         headers = {{'Authorization': 'Bearer {TOKEN}', 'Content-Encoding': encoding}}\n  \
         try: return urllib.request.urlopen(urllib.request.Request(url, body, headers)).status\n  \
         except urllib.error.HTTPError as error: return error.code\n\
         good = b'# TYPE jobs counter\\njobs_total 3\\n# EOF\\n'\n\
         bomb = b'# HELP ' + b'x' * 50_000_000\n\
         print(push(1, gzip.compress(good), 'gzip'), push(2, good, 'identity'), push(3, good, 'gzip'), \
         push(4, gzip.compress(good)[:-3], 'gzip'), push(5, good, 'br'), push(6, gzip.compress(good), 'gzip, gzip'), \
         push(7, gzip.compress(bomb), 'gzip'))",
        server.address
    );
    let output = sandbox
        .command("python3")
        .args(["-c", &driver])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "200 200 400 400 415 415 413",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(sandbox.value("jobs_total", &json!({})), 6);
}

/// Sends a text in gzip as many writers do at once, and gives how each was answered.
fn pushed_at_once(sandbox: &Sandbox, server: &Server, writers: u32, text: &str) -> Vec<String> {
    let driver = format!(
        "import gzip, threading, urllib.request, urllib.error\n\
         body = gzip.compress({text}, 1)\n\
         assert len(body) < 1 << 20\n\
         def push(n):\n  url = 'http://{}/api/v1/push?writer=w%d&sequence=1' % n\n  \
         headers = {{'Authorization': 'Bearer {TOKEN}', 'Content-Encoding': 'gzip'}}\n  \
         try: print('%d\\n' % urllib.request.urlopen(urllib.request.Request(url, body, headers)).status, end='')\n  \
         except urllib.error.HTTPError as error: print('%d %s\\n' % (error.code, error.read().decode()), end='')\n\
         threads = [threading.Thread(target=push, args=(n,)) for n in range({writers})]\n\
         [thread.start() for thread in threads], [thread.join() for thread in threads]",
        server.address
    );
    let output = sandbox
        .command("python3")
        .args(["-c", &driver])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<String> = said.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), writers as usize, "{said}");
    answers
}

/// The most memory that the server has had, in MiB.
fn peak(server: &Server) -> u64 {
    let status = format!("/proc/{}/status", server.child.id());
    let status = std::fs::read_to_string(status).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib / 1024
}

#[test]
fn a_push_of_too_many_series_is_refused_before_it_is_read() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let text = r#"b'# TYPE j_total counter\n' + b''.join(b'j_total{a="%d"} 1\n' % i for i in range(300_000))"#;
    for answer in pushed_at_once(&sandbox, &server, 8, text) {
        assert!(
            answer.starts_with("400") && answer.contains("more than the 16384 series"),
            "{answer}"
        );
    }
    // Read as a whole they took 2 GiB. What the allocator keeps for each thread differs from run to run.
    let peak = peak(&server);
    assert!(peak < 400, "{peak} MiB");
}

#[test]
fn large_pushes_that_come_at_once_wait_for_room() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let text = r#"b'# TYPE j_total counter\nj_total 1\n' + (b'# ' + b'x' * 97 + b'\n') * 80_000"#;
    let answers = pushed_at_once(&sandbox, &server, 24, text);
    let counted = answers.iter().filter(|answer| *answer == "200").count() as u64;
    // One that has waited for too long, on a machine with much to do, is told to come again; it may be counted all the same.
    let is_late = |answer: &&String| answer.starts_with("503") && answer.contains("too long");
    let late = answers.iter().filter(is_late).count() as u64;
    assert_eq!(counted + late, 24, "{answers:?}");
    assert!(counted > 0, "{answers:?}");
    let known = sandbox.value("j_total", &json!({}));
    assert!((counted..=24).contains(&known), "{known}: {answers:?}");
    let peak = peak(&server);
    assert!(peak < 120, "{peak} MiB");
}

#[test]
fn long_pushes_with_many_labels_take_the_memory_of_one() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let labels = r#"b','.join(b'l%02d="%s"' % (i, b'x' * 8) for i in range(29))"#;
    let text = format!(
        "b''.join(b'# TYPE j%d_total counter\\n' % f + b''.join(b'j%d_total{{%s,n=\"%d\"}} 1\\n' \
         % (f, labels, i) for i in range(400)) for labels in [{labels}] for f in range(10))"
    );
    let answers = pushed_at_once(&sandbox, &server, 8, &text);
    let is_late = |answer: &&String| answer.starts_with("503") && answer.contains("too long");
    let late = answers.iter().filter(is_late).count();
    let counted = answers.iter().filter(|answer| *answer == "200").count();
    assert_eq!(counted + late, 8, "{answers:?}");
    assert!(counted > 0, "{answers:?}");
    // One after the other they take 51 MiB, each on a thread of its own 93.
    let peak = peak(&server);
    assert!(peak < 72, "{peak} MiB");
}
