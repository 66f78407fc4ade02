//! Where functions lie in the packaged program: those that a count calls lie together, so that the kernel has fewer
//! pages to map before `deespec inc` is done (`docs/design/0080-packages.md`).
//!
//! The linker wants whole names, and these have hashes in them that differ from build to build. So this program
//! stands in the linker's place: it knows the names without their hashes (`dist/start.txt`), finds them in
//! what is to be linked, and calls the linker with what it found.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::dist::made::Made;
use crate::dist::verdict::{accepts, ensure, io, text_of};
use crate::step::Failure;
use crate::workspace::{root, target};

/// What we are called where we are the linker.
const NAME: &str = "deespec_linker";

/// Beside what is linked: the same with its symbols, for whoever wants to see where time goes.
const WITH_SYMBOLS: &str = ".symbols";

/// The list, and what says where it is.
const LIST: &str = "dist/start.txt";
const VARIABLE: &str = "DEESPEC_LINK_ORDER";

/// Has a command of cargo link with it; gives the compiler's flag.
pub(crate) fn set(command: &mut Command) -> Result<OsString, Failure> {
    let folder = target().join("rustc");
    fs::create_dir_all(&folder).map_err(io(&folder))?;
    let this = env::current_exe().map_err(io(&folder))?;
    let name = folder.join(NAME);
    if fs::read_link(&name).ok().as_ref() != Some(&this) {
        let _ = fs::remove_file(&name);
        symlink(&this, &name).map_err(io(&name))?;
    }
    command.env(VARIABLE, root().join(LIST));
    let mut flag = OsString::from(" -C linker=");
    flag.push(name);
    Ok(flag)
}

/// Links, where the compiler has started this program to do that.
pub(crate) fn link() -> Option<ExitCode> {
    let mut args = env::args_os();
    if Path::new(&args.next()?).file_name()? != NAME {
        return None;
    }
    let args: Vec<OsString> = args.collect();
    match linked(&args) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(failure) => {
            eprintln!("xtask: {}", failure.message);
            Some(ExitCode::FAILURE)
        }
    }
}

fn linked(args: &[OsString]) -> Result<(), Failure> {
    let position = args.iter().position(|arg| arg == "-o");
    let out = position.and_then(|position| args.get(position + 1));
    let out = PathBuf::from(out.ok_or_else(|| Failure::step("linked to nowhere"))?);
    let mut more: Vec<OsString> = Vec::new();
    // Other linkers do not know how.
    if args.iter().any(|arg| arg == "-fuse-ld=lld") {
        let order = out.with_extension("order");
        fs::write(&order, names(args)?.join("\n")).map_err(io(&order))?;
        let mut flag = OsString::from("-Wl,--symbol-ordering-file=");
        flag.push(order);
        // What the C library of this machine does not have is no reason to warn.
        more.extend([flag, "-Wl,--no-warn-symbol-ordering".into()]);
    }
    let cc = |args: &mut dyn Iterator<Item = &OsString>| {
        accepts(Command::new("cc").args(args).args(&more)).map(|said| print!("{said}"))
    };
    cc(&mut args.iter())?;
    let mut with_symbols = out.into_os_string();
    with_symbols.push(WITH_SYMBOLS);
    let out = position.map_or(0, |position| position + 1);
    let kept = args
        .iter()
        .enumerate()
        .map(|(number, arg)| if number == out { &with_symbols } else { arg });
    cc(&mut kept.filter(|arg| *arg != "-Wl,--strip-all"))
}

/// Of the list: those that the compiler has just made, by their whole names, and those of the C library as they are.
fn names(args: &[OsString]) -> Result<Vec<String>, Failure> {
    let list = env::var_os(VARIABLE).ok_or_else(|| Failure::step(format!("no {VARIABLE}")))?;
    let list = PathBuf::from(list);
    let text = fs::read_to_string(&list).map_err(io(&list))?;
    let wanted: BTreeSet<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let mut nm = Command::new("nm");
    nm.args(["--defined-only", "--format=just-symbols"]);
    nm.args(
        args.iter()
            .filter(|arg| arg.to_string_lossy().ends_with(".rcgu.o")),
    );
    let symbols = text_of(&mut nm)?;
    let mut ours: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for symbol in symbols.lines() {
        let name = without_hash(symbol);
        if wanted.contains(name.as_str()) {
            ours.entry(name).or_default().push(symbol);
        }
    }
    // Of a generic function there are as many as types, and the hash alone tells which of them is meant: behind the others.
    let mut ours: Vec<_> = ours.into_values().collect();
    ours.sort_by_key(Vec::len);
    let others = wanted
        .iter()
        .copied()
        .filter(|name| !name.starts_with("_ZN") && !name.starts_with("_R"));
    Ok(others
        .chain(ours.into_iter().flatten())
        .map(str::to_owned)
        .collect())
}

/// A symbol without what differs from build to build: the hash of an old name, those of the crates in a new one, and the
/// number of a copy.
fn without_hash(symbol: &str) -> String {
    let is_rust = |name: &str| name.starts_with("_ZN") || name.starts_with("_R");
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let symbol = match symbol.rsplit_once('.') {
        Some((before, number)) if is_number(number) && is_rust(before) => before,
        _ => symbol,
    };
    if let Some((before, hash)) = symbol.rsplit_once("17h")
        && symbol.starts_with("_ZN")
        && hash.len() == 17
    {
        return before.to_owned();
    }
    if !symbol.starts_with("_R") {
        return symbol.to_owned();
    }
    let mut parts = symbol.split("Cs");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push('C');
        text.push_str(part.split_once('_').map_or(part, |(_, rest)| rest));
    }
    text
}

/// Writes the list anew: what valgrind sees called while one count is made.
pub(crate) fn write(made: &Made) -> Result<(), Failure> {
    let deps = target()
        .join(&made.target)
        .join(crate::dist::binary::PROFILE)
        .join("deps");
    let names = crate::dist::made::files(&deps)?;
    let newest = names.iter().filter(|name| name.ends_with(WITH_SYMBOLS));
    let newest = newest.max_by_key(|name| {
        fs::metadata(deps.join(name))
            .and_then(|found| found.modified())
            .ok()
    });
    let program = newest
        .ok_or_else(|| Failure::missing("no program with symbols; type: cargo xtask dist"))?;
    let play = made.play("order")?;
    let count = || {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--demangle=no", "--quiet"]);
        command.arg(format!(
            "--callgrind-out-file={}",
            play.join("out").display()
        ));
        command
            .arg(deps.join(program))
            .arg("--store")
            .arg(play.join("var"))
            .args(["inc", "jobs_total"]);
        command
    };
    // The first one makes the store.
    accepts(&mut count())?;
    accepts(&mut count())?;
    let out = play.join("out");
    let text = fs::read_to_string(&out).map_err(io(&out))?;
    let called = text.lines().filter_map(|line| {
        line.strip_prefix("fn=")
            .or_else(|| line.strip_prefix("cfn="))
    });
    // `fn=(12) NAME'2`: only the first time with its name, and with a mark where it calls itself.
    let called = called.filter_map(|line| line.split_once(") ")?.1.split('\'').next());
    let called = called.filter(|name| !name.starts_with("0x") && !name.contains(['(', ' ']));
    let called: BTreeSet<String> = called.map(without_hash).collect();
    ensure(called.len() > 100, || {
        format!("only {called:?} were called")
    })?;
    let mut list = String::from(
        "# What `deespec inc` calls, names without their hashes. `cargo xtask dist --order` writes it anew.\n",
    );
    for name in called {
        list.push_str(&name);
        list.push('\n');
    }
    let path = root().join(LIST);
    fs::write(&path, list).map_err(io(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_hash_of_a_build_in_it() {
        let cases = [
            ("_ZN7deespec4main17h06646d10644bea54E", "_ZN7deespec4main"),
            (
                "_ZN7deespec4main17h06646d10644bea54E.12",
                "_ZN7deespec4main",
            ),
            (
                "_RNvNtCsjrHSEGnQ3l9_3std3env8args_os",
                "_RNvNtC3std3env8args_os",
            ),
            (
                "_RNvXsZ_NtCslNYArtu3iFV_5alloc6stringCsgEmfK2I1SDS_4core.6142",
                "_RNvXsZ_NtC5alloc6stringC4core",
            ),
            ("_int_malloc", "_int_malloc"),
            ("_IO_un_link.part.0", "_IO_un_link.part.0"),
        ];
        for (symbol, name) in cases {
            assert_eq!(without_hash(symbol), name);
        }
    }
}
