//! `cargo xtask screens`: pictures of the page under `target/screens`, made by the browser that also tests it.

use crate::step::{self, Failure};
use crate::{packages, workspace};

pub(crate) fn run() -> Result<(), Failure> {
    packages::require(false)?;
    step::run(&mut workspace::cargo([
        "test",
        "--package",
        "deespec-cli",
        "--test",
        "it",
        "--locked",
        "--",
        "browser::screens::",
        "--ignored",
        "--nocapture",
    ]))?;
    println!("{}", workspace::target().join("screens").display());
    Ok(())
}
