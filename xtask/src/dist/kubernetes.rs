//! Kubernetes' examples against its schemas, and their arguments against the packaged program.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::made::Made;
use crate::dist::tools;
use crate::dist::verdict::{accepts, refuses, twin};
use crate::step::Failure;
use crate::workspace::root;

/// Each with a word that is broken in its bad twin, and what is said of it.
const FILES: [(&str, &str, &str, &str); 2] = [
    (
        "sidecar.yaml",
        "restartPolicy: Always",
        "restartsPolicy: Always",
        "restartsPolicy",
    ),
    (
        "daemonset.yaml",
        "type: DirectoryOrCreate",
        "typ: DirectoryOrCreate",
        "typ",
    ),
];

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    let validate = |file: &Path| -> Result<Command, Failure> {
        let mut command = Command::new(tools::checker("kubernetes-validate")?);
        command.args(["--strict"]).arg(file);
        Ok(command)
    };
    let play = made.play("kubernetes")?;
    for (name, old, new, because) in FILES {
        let file: PathBuf = root().join("dist/kubernetes").join(name);
        accepts(&mut validate(&file)?)?;
        let bad = play.join(name);
        twin(&file, &bad, old, new)?;
        refuses(&mut validate(&bad)?, because)?;
    }
    Ok(
        "the sidecar and the DaemonSet by kubernetes-validate --strict; no cluster was asked"
            .to_owned(),
    )
}
