//! A process that does what it is told, line by line: so a test decides the order in which several
//! real processes act. It answers each line when it is done.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use deespec::{Processes, Store, Value, View};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::support::quiet;
use crate::{forking, roles};

/// What an answer begins with; the test harness prints lines of its own.
const ANSWER: &str = "answer: ";

/// A puppet; it is killed when it is dropped.
pub(crate) struct Puppet {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Children that it forked.
    forked: Vec<Pid>,
}

impl Puppet {
    /// Starts one that has opened the store.
    pub(crate) fn of(store: &Path) -> Self {
        Self::start(roles::command("puppet", store))
    }

    /// Starts one with a command that runs it somehow.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut puppet = Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            forked: Vec::new(),
        };
        assert_eq!(puppet.hear(), "ready");
        puppet
    }

    /// Lets it do something and waits until it is done.
    pub(crate) fn tell(&mut self, what: &str) -> String {
        self.begin(what);
        self.hear()
    }

    /// Lets it do something; [`Puppet::hear`] waits until it is done.
    pub(crate) fn begin(&mut self, what: &str) {
        self.input
            .write_all(format!("{what}\n").as_bytes())
            .unwrap();
    }

    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.output.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "a puppet ended before it answered");
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return answer.trim_end().to_owned();
            }
        }
    }

    /// Lets it fork a child that does something and then stays.
    pub(crate) fn fork(&mut self, what: &str) {
        let child = self.tell(what).parse().unwrap();
        self.forked.push(Pid::from_raw(child).unwrap());
    }

    /// Kills it with SIGKILL; when this returns the process is gone, and its children live on.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it end by itself.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.begin("end");
        self.child.wait().unwrap()
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        for child in &self.forked {
            let _ = kill_process(*child, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shares in a per-process gauge without labels.
pub(crate) fn shares(view: &View, name: &str) -> Processes {
    match view.sample(name, &[]).map(|sample| &sample.value) {
        Some(Value::Processes(processes)) => *processes,
        other => panic!("{name} is {other:?}"),
    }
}

/// How many shares there are, and their sum.
pub(crate) fn count_and_sum(store: &Store, name: &str) -> (u64, f64) {
    let shares = shares(&store.view().unwrap(), name);
    (shares.count, shares.sum)
}

fn answer(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{ANSWER}{text}").unwrap();
    out.flush().unwrap();
}

/// What the puppet itself does.
pub(crate) fn play(path: &Path) {
    let mut stores = vec![quiet().open(path).unwrap()];
    let mut shares = BTreeMap::new();
    let mut children = Vec::new();
    answer("ready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<f64>().unwrap();
        let share = |name: &str| stores[0].process_gauge(name).unwrap();
        // So often, each time through a label.
        let look_up = || {
            for _ in 0..number(3) as u64 {
                let labels = [("k", words[2])];
                stores[0].counter_with(words[1], &labels).unwrap().inc();
            }
        };
        match words[0] {
            "set" => {
                let own = shares
                    .entry(words[1].to_owned())
                    .or_insert_with(|| share(words[1]));
                own.set(number(2)).unwrap();
            }
            "add" => shares[words[1]].add(number(2)).unwrap(),
            // A handle of its own, which is dropped at once.
            "set-briefly" => share(words[1]).set(number(2)).unwrap(),
            "set-elsewhere" => {
                let other = stores.last().unwrap().process_gauge(words[1]).unwrap();
                other.set(number(2)).unwrap();
                shares.insert(format!("{} elsewhere", words[1]), other);
            }
            "open" => stores.push(quiet().open(path).unwrap()),
            "drop-handles" => shares.clear(),
            "drop-stores" => stores.clear(),
            "touch" => drop(std::fs::File::open(path.join("live/processes")).unwrap()),
            "gauge" => stores[0].gauge(words[1]).unwrap().set(number(2)),
            "count" => stores[0].counter(words[1]).unwrap().add(number(2) as u64),
            "observe" => {
                let histogram = stores[0].histogram(words[1]).unwrap();
                (0..number(3) as u64).for_each(|_| histogram.observe(number(2)));
            }
            "increments" => {
                let counter = stores[0].counter(words[1]).unwrap();
                (0..number(2) as u64).for_each(|_| counter.inc());
            }
            "see" => {
                let (count, sum) = count_and_sum(&stores[0], words[1]);
                answer(&format!("{count} {sum}"));
                continue;
            }
            "pid" => {
                answer(&std::process::id().to_string());
                continue;
            }
            // A child that was forked answers with its number.
            "fork-idle" => children.push(fork(|| {})),
            "fork-set" => children.push(fork(|| shares[words[1]].set(number(2)).unwrap())),
            "fork-count" => {
                let counter = stores[0].counter(words[1]).unwrap();
                children.push(fork(|| counter.add(number(2) as u64)));
            }
            "look-up" => look_up(),
            "fork-look-up" => {
                children.push(fork(look_up));
            }
            "fork-locked" => {
                let options = quiet().faults(std::sync::Arc::new(StandStill));
                drop(options.open(path).unwrap().sync());
            }
            "fork-view" => children.push(fork(|| drop(stores[0].view().unwrap()))),
            "fork-and-drop" => {
                // Each of the two drops what it has, and the parent begins anew.
                let inherited = (std::mem::take(&mut stores), std::mem::take(&mut shares));
                let mut inherited = Some(inherited);
                children.push(fork(|| drop(inherited.take())));
                (stores, shares) = inherited.take().unwrap();
            }
            "kill-child" => {
                let child = Pid::from_raw(children.pop().unwrap()).unwrap();
                kill_process(child, Signal::KILL).unwrap();
                waitpid(Some(child), WaitOptions::empty()).unwrap();
            }
            "end" => return,
            other => panic!("a puppet cannot {other}"),
        }
        match children.last() {
            Some(child) if words[0].starts_with("fork") => answer(&child.to_string()),
            _ => answer("done"),
        }
    }
}

/// Forks in the middle of a sync, and stays there until the process is killed.
struct StandStill;

impl deespec::FaultInjector for StandStill {
    fn before(&self, operation: deespec::Operation, _: &Path) -> std::io::Result<()> {
        if operation == deespec::Operation::SyncCells {
            answer(&fork(|| {}).to_string());
            loop {
                std::thread::park();
            }
        }
        Ok(())
    }
}

/// Forks a child that acts and then stays until it is killed; returns when it has acted.
fn fork(act: impl FnOnce()) -> i32 {
    let (mut done, mut tell) = std::io::pipe().unwrap();
    let child = forking::fork(|| {
        act();
        tell.write_all(b".").unwrap();
        loop {
            std::thread::park();
        }
    });
    drop(tell);
    std::io::Read::read_exact(&mut done, &mut [0]).unwrap();
    child
}
