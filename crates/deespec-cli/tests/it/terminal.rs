//! The program on a real terminal: a pseudo-terminal, and a screen that obeys what is sent to it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::support::{PROGRAM, Sandbox, find};

/// A terminal with a process on it.
pub(crate) struct Terminal {
    keyboard: File,
    output: Receiver<Vec<u8>>,
    screen: Screen,
    process: Child,
}

impl Terminal {
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        let process = command
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave)
            .spawn()
            .unwrap();
        // The command holds the terminal open as long as it lives.
        drop(command);
        let keyboard = File::from(master);
        let mut reader = keyboard.try_clone().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails when the last process has closed the terminal.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            keyboard,
            output,
            screen: Screen::new(usize::from(columns), usize::from(rows)),
            process,
        }
    }

    /// Follows the output until the screen shows what is wanted; panics after a minute.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let text = self.screen.text();
            if wanted(&text) {
                return text;
            }
            let left = Duration::from_secs(60).saturating_sub(begun.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.obey(&bytes),
                Err(error) => panic!("{error}:\n{text}"),
            }
        }
    }

    /// Follows the output to its end, and gives all of it.
    pub(crate) fn drain(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            match self.output.recv_timeout(Duration::from_secs(60)) {
                Ok(bytes) => all.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => return all,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What stands on the screen. Knows the few control sequences that `deespec` uses, and panics at
/// any other.
struct Screen {
    cells: Vec<Vec<char>>,
    row: usize,
    column: usize,
    columns: usize,
    wraps: bool,
    pending: Vec<u8>,
}

impl Screen {
    fn new(columns: usize, rows: usize) -> Self {
        Self {
            cells: vec![vec![' '; columns]; rows],
            row: 0,
            column: 0,
            columns,
            wraps: true,
            pending: Vec::new(),
        }
    }

    fn text(&self) -> String {
        let lines: Vec<String> = self
            .cells
            .iter()
            .map(|line| line.iter().collect::<String>().trim_end().to_owned())
            .collect();
        lines.join("\n").trim_end().to_owned()
    }

    fn obey(&mut self, bytes: &[u8]) {
        self.pending.extend(bytes);
        // A character or a sequence may be cut in two.
        let valid = match std::str::from_utf8(&self.pending) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = String::from_utf8(self.pending[..valid].to_vec()).unwrap();
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            if c != '\x1b' {
                self.put(c);
                rest = &rest[c.len_utf8()..];
                continue;
            }
            let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) else {
                break;
            };
            self.control(&rest[1..=end]);
            rest = &rest[end + 1..];
        }
        let done = valid - rest.len();
        self.pending.drain(..done);
    }

    fn control(&mut self, sequence: &str) {
        match sequence {
            "[K" => self.cells[self.row][self.column..].fill(' '),
            "[J" => {
                self.cells[self.row][self.column..].fill(' ');
                for line in &mut self.cells[self.row + 1..] {
                    line.fill(' ');
                }
            }
            "[?7l" => self.wraps = false,
            "[?7h" => self.wraps = true,
            _ => match sequence.strip_prefix('[').and_then(|s| s.strip_suffix('A')) {
                Some(lines) => self.row = self.row.saturating_sub(lines.parse().unwrap()),
                None => panic!("the screen does not know {sequence:?}"),
            },
        }
    }

    fn put(&mut self, c: char) {
        match c {
            '\r' => self.column = 0,
            '\n' if self.row + 1 == self.cells.len() => {
                self.cells.remove(0);
                self.cells.push(vec![' '; self.columns]);
            }
            '\n' => self.row += 1,
            c => {
                if self.column == self.columns && self.wraps {
                    self.column = 0;
                    self.put('\n');
                }
                let last = self.columns - 1;
                self.cells[self.row][self.column.min(last)] = c;
                self.column = (self.column + 1).min(self.columns);
            }
        }
    }
}

#[test]
fn a_watch_redraws_in_place_whatever_the_width() {
    for columns in [50, 80, 200] {
        let sandbox = Sandbox::new();
        sandbox.ok(&["inc", "jobs_total", "-l", "job=backup"]);
        let watch = sandbox.deespec(&["watch", "--interval", "10"]);
        let mut terminal = Terminal::start(watch, columns, 24);
        let text = terminal.until(|text| text.contains("recovery_count"));
        assert!(!text.contains("jobs_total"), "nothing changed yet:\n{text}");

        let long = format!("text={}", "y".repeat(300));
        sandbox.ok(&["inc", "jobs_total", "-l", "job=backup", "--by", "4"]);
        sandbox.ok(&["inc", "jobs_total", "-l", "job=日本語 👩\u{200d}💻\x1b[2J"]);
        sandbox.ok(&["inc", "long_total", "-l", &long, "--by", "77"]);
        let text = terminal.until(|text| text.contains("long_total"));
        let words = |name: &str| {
            let line = text.lines().rfind(|line| line.starts_with(name)).unwrap();
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words("long_total")[1..3], ["77", "+77"], "{text}");
        let backup = text
            .lines()
            .find(|line| line.contains("job=backup"))
            .unwrap();
        assert!(backup.contains("  5 "), "{text}");

        sandbox.ok(&["rotate"]);
        let text = terminal.until(|text| text.contains("epoch 2"));
        // Drawn many times, and yet there once: nothing wrapped, nothing moved.
        for once in ["COUNTER", "epoch 2", "long_total", "commit_success"] {
            assert_eq!(
                text.matches(once).count(),
                1,
                "{columns} columns, {once}:\n{text}"
            );
        }
        assert!(!text.contains("epoch 1"), "{text}");
        // The screen is alive even when nothing changes.
        terminal.until(|text| text.contains("watching for") && !text.contains("for 0 s"));
        kill_process(Pid::from_child(&terminal.process), Signal::INT).unwrap();
        terminal.drain();
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(terminal.process.wait().unwrap().signal(), Some(2));
    }
}

#[test]
fn a_watch_of_more_series_than_lines_says_how_many_are_not_shown() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let watch = sandbox.deespec(&["watch", "--interval", "10"]);
    let mut terminal = Terminal::start(watch, 80, 14);
    terminal.until(|text| text.contains("recovery_count"));
    for n in 0..20 {
        sandbox.ok(&["inc", "many_total", "-l", &format!("n={n}")]);
    }
    let text = terminal.until(|text| text.contains("and 16 more"));
    assert!(text.starts_with("epoch 1, 24 series, 24 shown"), "{text}");
    assert_eq!(text.lines().count(), 13, "{text}");

    // What moves now is shown, whatever its name.
    let text = terminal.until(|text| {
        sandbox.ok(&["inc", "zz_total"]);
        text.contains("zz_total")
    });
    assert!(text.contains("recovery_count"), "{text}");
    assert!(text.contains("and 17 more"), "{text}");
}

#[test]
fn a_watch_shows_units_and_lets_go_of_a_gauge_whose_processes_are_gone() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["declare", "gauge", "age_seconds", "--unit", "seconds"]);
    let watch = sandbox.deespec(&["watch", "--interval", "10"]);
    let mut terminal = Terminal::start(watch, 100, 24);
    terminal.until(|text| text.contains("recovery_count"));
    sandbox.ok(&["set", "age_seconds", "2.5"]);
    terminal.until(|text| text.contains(" 2.5 s "));
    let mut run = sandbox.deespec(&["run", "--name", "job", "--", "cat"]);
    let mut run = run.stdin(Stdio::piped()).spawn().unwrap();
    let text = terminal.until(|text| text.contains("runs_in_flight"));
    assert!(text.contains("gauge, 1 process"), "{text}");
    drop(run.stdin.take());
    assert!(run.wait().unwrap().success());
    // Both at once: a screen that is half drawn has neither.
    terminal.until(|text| !text.contains("runs_in_flight") && text.contains("runs_total"));
}

#[test]
fn a_terminal_gets_neither_binary_nor_what_it_would_obey() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "jobs_total", "-l", "job=\x1b[2Jx"]);
    let shown = |arguments: &[&str]| {
        let mut terminal = Terminal::start(sandbox.deespec(arguments), 80, 24);
        let shown = terminal.drain();
        (String::from_utf8(shown).unwrap(), terminal.process.wait())
    };
    let (text, exit) = shown(&["export", "protobuf"]);
    assert!(text.starts_with("ERROR: protobuf is binary"), "{text:?}");
    assert_eq!(exit.unwrap().code(), Some(3));
    for scraped in [
        &["show", "--format", "prometheus"][..],
        &["export", "openmetrics"],
    ] {
        let (text, exit) = shown(scraped);
        assert!(exit.unwrap().success());
        assert!(text.contains(r#"{job="\u{1b}[2Jx"} 1"#), "{text:?}");
        assert!(!text.contains('\x1b'), "{text:?}");
        // Other programs get every byte.
        let piped = sandbox.ok(scraped);
        assert!(piped.contains("{job=\"\x1b[2Jx\"} 1\n"), "{piped:?}");
    }
}

#[test]
fn a_table_that_is_wider_than_the_terminal_stands_under_the_names_of_its_families() {
    let sandbox = Sandbox::new();
    for n in 0..3 {
        let path = format!("path=/a/rather/long/path/of/a/resource/that/fills/lines/{n}");
        sandbox.ok(&[
            "inc",
            "http_requests_total",
            "-l",
            "method=GET",
            "-l",
            &path,
        ]);
        sandbox.ok(&[
            "observe",
            "answer_seconds",
            "0.25",
            "--unit",
            "seconds",
            "-l",
            &path,
        ]);
    }
    sandbox.ok(&["set", "depth", "12345"]);
    let lines_at = |width: u16| {
        let mut terminal = Terminal::start(sandbox.deespec(&["show"]), width, 60);
        let text = String::from_utf8(terminal.drain()).unwrap();
        assert!(terminal.process.wait().unwrap().success());
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for width in [80, 66] {
        let lines = lines_at(width);
        let longest = lines.iter().map(|line| line.chars().count()).max();
        assert!(longest.unwrap() <= usize::from(width), "{lines:#?}");
        for title in ["http_requests_total  counter", "answer_seconds  histogram"] {
            let found = lines.iter().filter(|line| **line == title);
            assert_eq!(found.count(), 1, "{lines:#?}");
        }
    }
    // Wide enough, and in a pipe, each line is complete in itself.
    let wide = lines_at(200).join("\n");
    assert_eq!(wide.matches("http_requests_total").count(), 3, "{wide}");
    assert_eq!(
        sandbox.ok(&["show"]).matches("http_requests_total").count(),
        3
    );
}

#[test]
fn a_watch_ends_when_its_terminal_goes() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let watch = sandbox.deespec(&["watch", "--interval", "10", "--changes", "1"]);
    let mut terminal = Terminal::start(watch, 80, 24);
    terminal.until(|text| text.contains("recovery_count"));
    sandbox.ok(&["inc", "a"]);
    assert!(terminal.process.wait().unwrap().success());
}

#[test]
fn the_demo_shows_its_progress_on_one_line() {
    let sandbox = Sandbox::new();
    let mut demo = sandbox.deespec(&["demo", "--processes", "2", "--commits", "20"]);
    demo.env("TERM", "xterm").env("TMPDIR", sandbox.path(""));
    let mut terminal = Terminal::start(demo, 80, 50);
    let all = String::from_utf8(terminal.drain()).unwrap();
    assert!(terminal.process.wait().unwrap().success(), "{all}");
    assert!(all.contains("/40 commits"), "{all:?}");
    assert!(
        all.contains("EXACT: every commit in Git was counted once."),
        "{all:?}"
    );
}

#[test]
fn without_colour_there_is_no_escape_sequence() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "a", "-l", "text=\x1b[31m"]);
    for arguments in [
        &["--help"][..],
        &["frob"],
        &["show"],
        &["doctor"],
        &["inc", "a b"],
    ] {
        let mut command = sandbox.deespec(arguments);
        command.env("NO_COLOR", "1");
        let mut terminal = Terminal::start(command, 80, 24);
        let all = String::from_utf8(terminal.drain()).unwrap();
        assert!(
            !all.is_empty() && !all.contains('\x1b'),
            "{arguments:?}: {all:?}"
        );
    }
}

#[test]
fn a_key_that_interrupts_reaches_the_command_once() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    // `setsid` makes this the terminal that the keys of its processes come from.
    let mut command = sandbox.command(find("setsid"));
    let script = "trap 'echo got INT' INT; echo ready; until read line; do :; done; echo over";
    command
        .args(["--ctty", "--wait", PROGRAM, "run", "--", "sh", "-c"])
        .arg(script);
    let mut terminal = Terminal::start(command, 80, 24);
    terminal.until(|text| text.contains("ready"));
    // More than once: two signals at the same moment may look like one.
    for times in 1..=5 {
        terminal.keyboard.write_all(b"\x03").unwrap();
        terminal.until(|text| text.matches("got INT").count() >= times);
    }
    terminal.keyboard.write_all(b"go on\n").unwrap();
    let text = terminal.until(|text| text.contains("over"));
    assert_eq!(text.matches("got INT").count(), 5, "{text}");
}
