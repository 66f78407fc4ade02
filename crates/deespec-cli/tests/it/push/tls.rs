//! A secure connection: to whom there is none, nothing is sent.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::{Child, Stdio};

use super::{Pushed, failed};
use crate::support::{code, stderr};

const AUTHORITY: &str = include_str!("tls/ca.pem");
/// A certificate of that authority for localhost, with its key: known to everybody, and trusted by nobody.
const SERVER: &str = include_str!("tls/server.pem");

/// Takes a push, and says what a server would say, and on stdout that it has got one.
const PYTHON: &str = r#"
import http.server, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        print("got", self.path, flush=True)
        body = b'{"counted": true, "sequence": 1, "series": 1, "counts": 3}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn nothing_is_sent_to_whom_no_authority_vouches_for() {
    let pushed = Pushed::new();
    pushed.page(3);
    std::fs::write(pushed.sandbox.path("server.pem"), SERVER).unwrap();
    std::fs::write(pushed.sandbox.path("ca.pem"), AUTHORITY).unwrap();
    std::fs::write(pushed.sandbox.path("none.pem"), "nothing").unwrap();
    let mut python = pushed.sandbox.command("python3");
    let python = python.args(["-c", PYTHON]).stdout(Stdio::piped()).spawn();
    let mut python = Ended(python.unwrap());
    let mut lines = BufReader::new(python.0.stdout.take().unwrap()).lines();
    let port = lines.next().unwrap().unwrap();
    let push = |host: &str, arguments: &[&str]| {
        let url = format!("https://{host}:{port}");
        let mut command = pushed.command(&url, &["page.prom", "--timeout", "20"]);
        command.args(arguments).output().unwrap()
    };
    let distrusted = "its certificate is not trusted, or not one for this host";
    failed(&push("localhost", &[]), &[distrusted, "--ca-file"]);
    failed(
        &push("localhost", &["--ca-file", "none.pem"]),
        &["there is no certificate in it"],
    );
    // The same machine by a name that the certificate does not have.
    failed(&push("127.0.0.1", &["--ca-file", "ca.pem"]), &[distrusted]);
    let output = push("localhost", &["--ca-file", "ca.pem"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    // The first that it has got at all.
    let got = lines.next().unwrap().unwrap();
    assert!(got.starts_with("got /api/v1/push?writer=push-"), "{got}");
}
