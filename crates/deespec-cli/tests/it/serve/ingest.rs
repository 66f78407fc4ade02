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
         assert pusher.send(n, text)['sequence'] == n\n  assert not pusher.send(n, text)['counted']\n"
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
    let refused = push("writer=w&sequence=1", TOKEN, &good.replace(" 3", " 0.5"));
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
