//! Brings a report where it shall go: to stdout, into files, and to the summary of a step. The only file of this
//! room that touches anything.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use deespec::gate::Report;

use super::{Format, Look, github, render};
use crate::exit::Failure;
use crate::files;
use crate::ui::Ui;

/// The options of a command that judges.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Reports {
    /// Print the verdict in this form, and nothing else
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) format: Option<Format>,

    /// Write the verdict in a form to a file; may be repeated
    #[arg(long, value_name = "FORMAT=FILE", value_parser = format_and_file)]
    pub(crate) report: Vec<(Format, PathBuf)>,
}

fn format_and_file(text: &str) -> Result<(Format, PathBuf), String> {
    let known = <Format as clap::ValueEnum>::value_variants().iter();
    let names: Vec<String> = known
        .filter_map(clap::ValueEnum::to_possible_value)
        .map(|value| value.get_name().to_owned())
        .collect();
    let wanted = || format!("it must be FORMAT=FILE with one of {}", names.join(", "));
    let (format, file) = text.split_once('=').ok_or_else(wanted)?;
    let format = <Format as clap::ValueEnum>::from_str(format, false).map_err(|_| wanted())?;
    if file.is_empty() {
        return Err(wanted());
    }
    Ok((format, PathBuf::from(file)))
}

impl Reports {
    /// Whether a report is asked for.
    pub(crate) fn is_wanted(&self) -> bool {
        self.format.is_some() || !self.report.is_empty()
    }

    /// Refuses what cannot be delivered, before anything is judged.
    pub(crate) fn check(&self, prints_json: bool) -> Result<(), Failure> {
        if prints_json && self.format.is_some() {
            let failure = Failure::new("--json and --format cannot both print");
            return Err(failure.hint("write one of them with --report FORMAT=FILE"));
        }
        for (index, (_, file)) in self.report.iter().enumerate() {
            if self.report[..index].iter().any(|(_, other)| other == file) {
                let message = format!("--report names {} twice", file.display());
                return Err(Failure::new(message).hint("give each form a file of its own"));
            }
        }
        Ok(())
    }

    /// Writes all files, then prints. A file that cannot be written keeps no other from being written.
    pub(crate) fn deliver(&self, report: &Report, ui: &Ui) -> Result<(), Failure> {
        let is_github = |format: &Format| *format == Format::Github;
        let is_for_github = self.format.iter().any(is_github)
            || self.report.iter().any(|(format, _)| is_github(format));
        let summary = std::env::var_os("GITHUB_STEP_SUMMARY")
            .filter(|path| is_for_github && !path.is_empty())
            .map(PathBuf::from);
        let config = report.config.as_deref();
        let look = Look {
            width: None,
            config: config.map(|config| relative(Path::new(config))),
            has_summary: summary.is_some(),
        };
        let written = self.write(report, &look, summary.as_deref());
        if let Some(format) = self.format {
            let width = (format == Format::Text).then(|| ui.width()).flatten();
            let text = render(report, format, &Look { width, ..look })?;
            match format {
                Format::Text => ui.print(&text),
                _ => ui.bytes(text.as_bytes()),
            }
        }
        written
    }

    fn write(&self, report: &Report, look: &Look, summary: Option<&Path>) -> Result<(), Failure> {
        let mut failed = None;
        for (format, path) in &self.report {
            let written = render(report, *format, look).and_then(|text| replace(path, &text));
            failed = failed.or(written.err());
        }
        if let Some(path) = summary {
            let written = append(path, |written| github::summary(report, look, written));
            let written = written.map_err(|error| {
                let path = path.display();
                Failure::new(format!("cannot add to the step summary in {path}: {error}"))
                    .hint("GITHUB_STEP_SUMMARY must name a file that this user may write")
            });
            failed = failed.or(written.err());
        }
        failed.map_or(Ok(()), Err)
    }
}

fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    files::replace(path, text.as_bytes(), 0o644).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => "make the folder first, or name another file with --report",
            _ => "name another file with --report FORMAT=FILE",
        };
        Failure::new(format!(
            "cannot write the report to {}: {error}",
            path.display()
        ))
        .hint(hint)
    })
}

/// Adds to a file what depends on how long it is.
fn append(path: &Path, text: impl FnOnce(usize) -> String) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let written = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    file.write_all(text(written).as_bytes())
}

/// The report for a person, within another text.
pub(crate) fn text(report: &Report, width: Option<usize>) -> String {
    let config = report.config.as_deref();
    let look = Look {
        width,
        config: config.map(|config| relative(Path::new(config))),
        has_summary: false,
    };
    super::text::render(report, &look)
}

/// A path as others know the file: from the root of its repository, else from the current folder, else as it is.
pub(crate) fn relative(path: &Path) -> String {
    let found = path.canonicalize();
    let absolute = found.or_else(|_| std::path::absolute(path));
    let absolute = absolute.unwrap_or_else(|_| path.to_owned());
    let root = absolute
        .ancestors()
        .skip(1)
        .find(|folder| folder.join(".git").exists())
        .map(Path::to_owned);
    let here = std::env::current_dir().ok();
    let inside = [root, here]
        .into_iter()
        .flatten()
        .find_map(|folder| absolute.strip_prefix(folder).ok());
    inside.unwrap_or(&absolute).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::fixture::{look, usual};
    use super::*;

    #[test]
    fn a_report_goes_into_each_file_and_one_that_cannot_be_written_keeps_none_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("gate.xml"), "old").unwrap();
        std::fs::write(path("summary.md"), "before\n").unwrap();
        let reports = Reports {
            format: None,
            report: vec![
                (Format::Sarif, path("missing/gate.sarif")),
                (Format::Junit, path("gate.xml")),
                (Format::Tap, path("gate.tap")),
            ],
        };
        let failure = reports.write(&usual(), &look(), Some(&path("summary.md")));
        let failure = failure.unwrap_err();
        assert!(failure.message.contains("missing/gate.sarif"), "{failure}");
        assert!(failure.hint.unwrap().starts_with("make the folder first"));
        let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
        let rendered = |format| render(&usual(), format, &look()).unwrap();
        assert_eq!(read("gate.xml"), rendered(Format::Junit));
        assert_eq!(read("gate.tap"), rendered(Format::Tap));
        let markdown = rendered(Format::Markdown);
        assert_eq!(read("summary.md"), format!("before\n{markdown}"));
    }

    #[test]
    fn a_file_is_named_from_the_root_of_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let deep = folder.join("repository/a/.deespec");
        std::fs::create_dir_all(&deep).unwrap();
        let file = deep.join("gate.toml");
        std::fs::write(&file, "").unwrap();
        // Outside a repository and of the current folder, as it is.
        assert_eq!(relative(&file), file.display().to_string());
        // A worktree has a file of that name.
        std::fs::write(folder.join("repository/.git"), "gitdir: elsewhere").unwrap();
        assert_eq!(relative(&file), "a/.deespec/gate.toml");
        let around = folder.join("repository/a/../a/.deespec/gate.toml");
        assert_eq!(relative(&around), "a/.deespec/gate.toml");
    }

    #[test]
    fn a_report_is_asked_for_with_a_form_and_a_file() {
        let asked = format_and_file("junit=a=b.xml");
        assert_eq!(asked, Ok((Format::Junit, PathBuf::from("a=b.xml"))));
        for wrong in ["junit", "junit=", "=x", "xml=x", "Junit=x"] {
            let said = format_and_file(wrong).unwrap_err();
            assert!(said.contains("one of text, json, junit, github"), "{said}");
        }
        let twice = Reports {
            format: None,
            report: vec![(Format::Tap, "x".into()), (Format::Text, "x".into())],
        };
        let failure = twice.check(false).unwrap_err();
        assert_eq!(failure.message, "--report names x twice");
    }
}
