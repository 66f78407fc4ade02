//! Which stores are near a place where there is none: most often a path has one wrong part.

use std::path::{Path, PathBuf};

use super::{FOLDER, STORE, exists};

/// More entries of a folder are not looked at, and more stores not named.
const ENTRIES: usize = 256;
const NAMED: usize = 3;

/// Some stores near `path`: around it, and where one part of it has another name.
pub(super) fn stores(path: &Path) -> Vec<PathBuf> {
    let around = path.ancestors().skip(1);
    let mut near: Vec<PathBuf> = around.clone().take(2).map(Path::to_owned).collect();
    let upward = around.map(|folder| folder.join(FOLDER).join(STORE));
    near.extend(upward.filter(|store| store != path));
    let there = path.ancestors().find(|folder| folder.is_dir());
    // The folders beside what is missing: those around a `.deespec/` too.
    let folders = there.into_iter().flat_map(|folder| {
        let is_own = folder.file_name().is_some_and(|name| name == FOLDER);
        [Some(folder), folder.parent().filter(|_| is_own)]
    });
    for folder in folders.flatten() {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut entries: Vec<PathBuf> = entries
            .take(ENTRIES)
            .flatten()
            .map(|entry| entry.path())
            .collect();
        entries.sort_unstable();
        for entry in entries {
            near.extend([entry.join(FOLDER).join(STORE), entry.join(STORE), entry]);
        }
    }
    let mut found: Vec<PathBuf> = Vec::new();
    for store in near {
        if found.len() < NAMED && store != path && !found.contains(&store) && exists(&store) {
            found.push(store);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_beside_a_misspelt_part_of_the_path_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for store in ["jobs/.deespec/var", "other/var", "plain"] {
            std::fs::create_dir_all(at(store).join("live")).unwrap();
            std::fs::write(at(store).join("live/segment-0000"), "").unwrap();
        }
        let all = ["jobs/.deespec/var", "other/var", "plain"].map(at);
        assert_eq!(stores(&at("jbos/.deespec/var")), all);
        assert_eq!(stores(&at("plian")), all);
        assert_eq!(stores(&at("jobs/.deespec/vra"))[0], all[0]);
        // Below one there is.
        assert_eq!(stores(&at("plain/live"))[0], all[2]);
        assert_eq!(stores(&at("jobs/sub/.deespec/var"))[0], all[0]);
    }

    #[test]
    fn there_are_few_and_never_the_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..9 {
            let live = folder.path().join(format!("{number}/live"));
            std::fs::create_dir_all(&live).unwrap();
            std::fs::write(live.join("segment-0000"), "").unwrap();
        }
        assert_eq!(stores(&folder.path().join("x")).len(), NAMED);
        let one = folder.path().join("5");
        assert!(!stores(&one).contains(&one));
    }
}
