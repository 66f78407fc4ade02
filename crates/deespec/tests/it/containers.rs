//! Two containers that share a store: each process has number 1 in its own namespace, and nothing of
//! the library may rest on such numbers.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::puppet::{Puppet, count_and_sum};
use crate::roles;
use crate::support::{folder, quiet};

/// How a process becomes the first of a container of its own.
const AS_ROOT: [&str; 3] = ["--pid", "--fork", "--kill-child"];
const AS_ANYBODY: [&str; 5] = [
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--kill-child",
];

/// The way that this machine allows; there is no test without one.
fn way() -> &'static [&'static str] {
    let works = |way: &&&[&str]| {
        let mut command = Command::new("unshare");
        command.args(**way).arg("true");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let ways: [&[&str]; 2] = [&AS_ROOT, &AS_ANYBODY];
    let way = ways.iter().find(works);
    way.expect(
        "this machine lets nobody make a PID namespace: install util-linux, and run the tests as \
         root or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, \
         kernel.apparmor_restrict_unprivileged_userns=0)",
    )
}

/// A puppet that is the first process of its own container.
fn contained(store: &Path) -> Puppet {
    let puppet = roles::command("puppet", store);
    let mut command = Command::new("unshare");
    command.args(way()).arg("--");
    command.arg(puppet.get_program()).args(puppet.get_args());
    for (name, value) in puppet.get_envs() {
        command.env(name, value.unwrap());
    }
    command.stdout(Stdio::piped());
    Puppet::start(command)
}

#[test]
fn two_containers_lose_nothing_and_are_two_processes() {
    const INCREMENTS: u64 = 50_000;
    const OBSERVATIONS: u64 = 20_000;
    let folder = folder();
    let store = quiet().stripes(2).open(folder.path()).unwrap();
    let mut both = [(); 2].map(|()| contained(folder.path()));
    for (puppet, share) in both.iter_mut().zip([3, 4]) {
        assert_eq!(puppet.tell("pid"), "1");
        puppet.begin(&format!("set load {share}"));
        puppet.begin(&format!("increments a_total {INCREMENTS}"));
        puppet.begin(&format!("observe work_seconds 0.25 {OBSERVATIONS}"));
    }
    for puppet in &mut both {
        (0..3).for_each(|_| assert_eq!(puppet.hear(), "done"));
    }
    let view = store.view().unwrap();
    assert_eq!(view.value("a_total", &[]), Some(2 * INCREMENTS));
    let work = view.sample("work_seconds", &[]).unwrap().value.clone();
    let work = work.histogram().unwrap();
    assert_eq!(work.count(), 2 * OBSERVATIONS);
    assert_eq!(work.sum(), 0.25 * work.count() as f64);
    assert_eq!(count_and_sum(&store, "load"), (2, 7.0));
    // Each sees the other, and neither takes the other for dead or for itself.
    for puppet in &mut both {
        assert_eq!(puppet.tell("see load"), "2 7");
    }
    let [first, mut second] = both;
    assert!(first.end().success());
    assert_eq!(second.tell("see load"), "1 4");
    assert_eq!(count_and_sum(&store, "load"), (1, 4.0));
    second.tell("add load 1");
    assert!(second.end().success());
    assert_eq!(count_and_sum(&store, "load"), (0, 0.0));
}
