//! Children that were forked without an exec, as pre-forking servers do it.

use deespec::Store;
use tempfile::TempDir;

use crate::puppet::{Puppet, count_and_sum};
use crate::support::{expected, folder, quiet, store_values};

/// A store, and a process that has opened it too and will fork.
fn with_parent() -> (TempDir, Store, Puppet) {
    let folder = folder();
    let store = quiet().stripes(2).open(folder.path()).unwrap();
    let parent = Puppet::of(folder.path());
    (folder, store, parent)
}

#[test]
fn a_child_that_uses_an_inherited_handle_has_a_share_of_its_own() {
    let (_folder, store, mut parent) = with_parent();
    parent.tell("set load 3");
    parent.fork("fork-set load 10");
    parent.fork("fork-set load 20");
    assert_eq!(count_and_sum(&store, "load"), (3, 33.0));
    parent.tell("set load 4");
    assert_eq!(count_and_sum(&store, "load"), (3, 34.0));
    parent.tell("kill-child");
    assert_eq!(count_and_sum(&store, "load"), (2, 14.0));
    // The other one lives on without its parent.
    parent.kill();
    assert_eq!(count_and_sum(&store, "load"), (1, 10.0));
    drop(parent);
}

#[test]
fn a_child_that_does_nothing_neither_keeps_nor_disturbs_its_parents_share() {
    for what in ["fork-idle", "fork-view"] {
        let (_folder, store, mut parent) = with_parent();
        parent.tell("set load 3");
        parent.fork(what);
        assert_eq!(count_and_sum(&store, "load"), (1, 3.0));
        parent.tell("add load 2");
        assert_eq!(count_and_sum(&store, "load"), (1, 5.0));
        parent.fork(what);
        parent.tell("kill-child");
        assert_eq!(count_and_sum(&store, "load"), (1, 5.0));
        // One child is left, and it holds nothing for its dead parent.
        parent.kill();
        assert_eq!(count_and_sum(&store, "load"), (0, 0.0));
        drop(parent);
    }
}

#[test]
fn a_child_that_drops_what_it_inherited_leaves_its_parents_share_alone() {
    let (_folder, store, mut parent) = with_parent();
    parent.tell("set load 3");
    parent.fork("fork-and-drop");
    assert_eq!(count_and_sum(&store, "load"), (1, 3.0));
    parent.tell("add load 1");
    parent.tell("kill-child");
    assert_eq!(count_and_sum(&store, "load"), (1, 4.0));
    parent.tell("count a_total 2");
    assert_eq!(store_values_of(&store), 2);
}

fn store_values_of(store: &Store) -> u64 {
    store.view().unwrap().value("a_total", &[]).unwrap()
}

#[test]
fn a_child_counts_beside_its_parent() {
    let (_folder, store, mut parent) = with_parent();
    parent.tell("count a_total 1");
    parent.fork("fork-count a_total 5");
    parent.tell("count a_total 1");
    assert_eq!(store_values(&store), expected([0; 4], &[("a_total", 7)]));
}

#[test]
fn a_child_that_was_forked_while_the_lock_was_held_does_not_keep_it_for_its_dead_parent() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let mut parent = Puppet::of(folder.path());
    // It stands still in the middle of a sync, with the lock, and a child of it lives.
    parent.fork("fork-locked");
    let impatient = quiet().lock_deadline(std::time::Duration::ZERO);
    let other = impatient.open(folder.path()).unwrap();
    assert!(other.sync().is_err(), "the parent has the lock");
    parent.kill();
    store.sync().unwrap();
    drop(parent);
}
