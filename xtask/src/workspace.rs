//! Where things lie: the workspace, its target folder, the cargo that started us. Touches no file.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

/// The top folder of the checkout that `cargo xtask` was called in.
pub(crate) fn root() -> PathBuf {
    // The run-time value is right even when several checkouts share one target folder.
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest
        .parent()
        .map_or(manifest.clone(), Path::to_path_buf)
}

/// The target folder that cargo uses, wherever its configuration puts it.
pub(crate) fn target() -> PathBuf {
    // This program lies in `<target>/<profile>/`, which honours every way to set the folder.
    env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.parent()?.to_path_buf()))
        .unwrap_or_else(|| root().join("target"))
}

/// The same cargo that runs us, in the workspace's root; it finds the tools that we have brought.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    let path = env::var_os("PATH").unwrap_or_default();
    let ours = target().join(tools::FOLDER).join("bin");
    // Behind the others: what somebody has installed goes first.
    if let Ok(path) = env::join_paths(env::split_paths(&path).chain([ours])) {
        command.env("PATH", path);
    }
    command
}

/// Where Debian has what only root is meant to call; they are not on the PATH of others.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The full path of a program, as root's shell would find it.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .chain(SYSTEM.map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
