//! The arguments of all commands: what clap parses, before it means anything.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::command;
use crate::ui::LogFormat;

mod plain;

const AFTER_HELP: &str = "\
Exit codes:
  0   done, or the gate passed
  1   the gate failed
  2   the gate warns
  3   it could not be judged or done (usage, configuration, unreadable store)
  70  a defect in deespec
  `deespec run` passes the exit code of its command through, and gives 125
  where it was not started since it could not be counted.

Words:
  store  the folder with the counts: --store, else DEESPEC_STORE, else var/ in
         the nearest .deespec/ upward, else at the root of the Git work tree,
         else here; what counts makes a missing one
  epoch  what is counted from one `deespec rotate` to the next
  gate   judges the counts by rules: --config, else DEESPEC_CONFIG, else
         gate.toml or thresholds.json beside the store, else default thresholds

Example:
  deespec inc builds_total -l branch=main
  deespec run --name tests -- cargo test
  deespec doctor --check-thresholds";

/// Count exactly in many processes at once, and let a gate judge the counts
// No command has a longer text for --help than for -h: that would blow up the list of options.
#[derive(Debug, Parser)]
#[command(name = "deespec", version, after_help = AFTER_HELP, max_term_width = 80)]
pub(crate) struct Cli {
    /// The store's folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub(crate) store: Vec<PathBuf>,

    /// How log lines on stderr look
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    #[arg(help_heading = "Global options")]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A command that begins an epoch, or may.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reason {
    /// Why; recorded in live/epochs.jsonl
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    pub(crate) reason: String,
}

/// A command whose result a script may want.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Json {
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    /// Parses the arguments of a process, the program's name first.
    pub(crate) fn parse_arguments(arguments: &[OsString]) -> Result<Self, clap::Error> {
        // Building the parser of all commands takes longer than an increment. So one that knows
        // little goes first; whatever it does not understand is left to the whole parser.
        if let Some(plain) = plain::parse(arguments) {
            return Ok(plain);
        }
        let known = ["inc", "set", "observe", "demo-worker"];
        if arguments
            .iter()
            .any(|a| known.iter().any(|known| a == known))
            && let Ok(quick) = Quick::try_parse_from(arguments)
        {
            return Ok(Self {
                store: quick.store.into_iter().collect(),
                log_format: quick.log_format,
                command: match quick.command {
                    QuickCommand::Inc(inc) => Command::Inc(inc),
                    QuickCommand::Set(set) => Command::Set(set),
                    QuickCommand::Observe(observe) => Command::Observe(observe),
                    QuickCommand::DemoWorker(worker) => Command::DemoWorker(worker),
                },
            });
        }
        Self::try_parse_from(arguments).or_else(|error| {
            // Clap knows -0.001 for a number, which can be observed, and -1e-3 not.
            if error.kind() != ErrorKind::UnknownArgument {
                return Err(error);
            }
            match Self::try_parse_from(arguments.iter().map(spelled_out)) {
                Err(again) if again.kind() == ErrorKind::UnknownArgument => Err(error),
                outcome => outcome,
            }
        })
    }
}

/// A negative number in digits, without an exponent; anything else as it is.
fn spelled_out(argument: &OsString) -> OsString {
    let text = argument.to_str().filter(|text| text.starts_with('-'));
    let number = text.and_then(|text| text.parse::<f64>().ok());
    match number.filter(|number| number.is_finite()) {
        Some(number) => number.to_string().into(),
        None => argument.clone(),
    }
}

/// How log lines are to look where the arguments could not be parsed.
pub(crate) fn log_format(arguments: &[OsString]) -> LogFormat {
    let json = arguments
        .windows(2)
        .any(|pair| pair[0] == "--log-format" && pair[1] == "json")
        || arguments.iter().any(|a| a == "--log-format=json");
    if json {
        LogFormat::Json
    } else {
        LogFormat::Text
    }
}

/// The part of [`Cli`] that counting needs, and what only the demo calls.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true, disable_help_subcommand = true)]
struct Quick {
    #[arg(long, global = true)]
    store: Option<PathBuf>,
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: QuickCommand,
}

#[derive(Debug, Subcommand)]
enum QuickCommand {
    #[command(disable_help_flag = true)]
    Inc(command::inc::Inc),
    #[command(disable_help_flag = true)]
    Set(command::set::Set),
    #[command(disable_help_flag = true)]
    Observe(command::observe::Observe),
    #[command(disable_help_flag = true)]
    DemoWorker(command::demo::worker::Worker),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(command::init::Init),
    Inc(command::inc::Inc),
    Set(command::set::Set),
    Observe(command::observe::Observe),
    Run(command::run::Run),
    Show(command::show::Show),
    Get(command::get::Get),
    Declare(command::declare::Declare),
    Remove(command::remove::Remove),
    Sync(command::sync::Sync),
    Doctor(command::doctor::Doctor),
    Snapshot(command::snapshot::Snapshot),
    Snapshots(command::snapshots::Snapshots),
    Restore(command::restore::Restore),
    Rotate(command::rotate::Rotate),
    Compact(command::compact::Compact),
    Import(command::import::Import),
    Export(command::export::Export),
    Gate(command::gate::Gate),
    Watch(command::watch::Watch),
    #[cfg(feature = "serve")]
    Serve(command::serve::Serve),
    #[cfg(not(feature = "serve"))]
    #[command(hide = true)]
    Serve(command::absent::Absent),
    #[cfg(feature = "push")]
    Push(command::push::Push),
    #[cfg(not(feature = "push"))]
    #[command(hide = true)]
    Push(command::absent::AbsentClient),
    Grafana(command::assets::grafana::Grafana),
    PrometheusRules(command::assets::rules::PrometheusRules),
    PrometheusConfig(command::assets::config::PrometheusConfig),
    Demo(command::demo::Demo),
    Completions(command::completions::Completions),
    Man(command::man::Man),
    // Known to `Quick` alone, so that it stands neither in the help nor in completions.
    #[command(skip)]
    DemoWorker(command::demo::worker::Worker),
}

impl Command {
    /// Whether it is one of those that scripts call in a loop.
    pub(crate) fn only_counts(&self) -> bool {
        matches!(self, Self::Inc(_) | Self::Set(_) | Self::Observe(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &[&str]) -> Vec<OsString> {
        std::iter::once("deespec")
            .chain(line.iter().copied())
            .map(OsString::from)
            .collect()
    }

    /// The outcome of a parser in comparable form: what was understood, or the whole message.
    fn outcome(parsed: Result<Cli, clap::Error>) -> Result<String, String> {
        parsed
            .map(|cli| format!("{cli:?}"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_quick_parser_understands_exactly_what_the_whole_parser_does() {
        let lines: &[&[&str]] = &[
            &["inc"],
            &["inc", "a"],
            &["inc", "a", "b"],
            &["inc", "inc"],
            &["inc", "--", "a"],
            &["inc", "--", "--by"],
            &["inc", "a", "--by", "3"],
            &["inc", "a", "--by=3"],
            &["inc", "--by", "3", "a"],
            &["inc", "a", "--by", "0"],
            &["inc", "a", "--by", "-1"],
            &["inc", "a", "--by", "1.5"],
            &["inc", "a", "--by", ""],
            &["inc", "a", "--by", "18446744073709551615"],
            &["inc", "a", "--by", "18446744073709551616"],
            &["inc", "a", "--by", "1", "--by", "2"],
            &["inc", "a", "--b", "1"],
            &[
                "inc",
                "a",
                "-l",
                "k=v",
                "--label",
                "x=y=z",
                "-lq=",
                "--label==",
            ],
            &["inc", "a", "-l", "k=v", "-l", "k=w"],
            &["inc", "a", "-l"],
            &["inc", "a", "-l", "k"],
            &["inc", "a", "-l", "-x=1"],
            &["inc", "a", "--sync"],
            &["inc", "a", "--sync", "--sync"],
            &["inc", "a", "--sync=1"],
            &["--store", "d", "inc", "a"],
            &["inc", "a", "--store", "d"],
            &["inc", "--store=d", "a"],
            &["inc", "a", "--store", ""],
            &["inc", "a", "--store"],
            &["--store", "inc", "inc", "a"],
            &["--store", "inc", "show"],
            &["--log-format", "json", "inc", "a"],
            &["inc", "a", "--log-format", "text"],
            &["inc", "a", "--log-format", "xml"],
            &["inc", "-h"],
            &["inc", "a", "--help"],
            &["inc", "-V"],
            &["inc", "--version"],
            &["inc", "a", "--json"],
            &["inc", "a", "--frob"],
            &["help", "inc"],
            &["run", "--", "inc", "a"],
            &["man", "inc"],
            &["set", "inc", "1"],
            &["set", "a"],
            &["set", "a", "-1e-3", "--add", "-l", "k=v"],
            &["set", "a", "-Inf", "--sync"],
            &["set", "a", "--frob", "1"],
            &["set", "a", "1", "2"],
            &["set", "--help"],
            &["set", "a", "-h"],
            &["observe", "a"],
            &["observe", "a", "1", "-2.5", "-", "--sync", "-l", "k=v"],
            &[
                "observe",
                "a",
                "1",
                "--buckets",
                "-1,2",
                "--resolution",
                "0.1",
            ],
            &["observe", "a", "1", "--buckets", "1", "--native", "1..2"],
            &["observe", "a", "1", "--negative"],
            &["observe", "a", "-x"],
            &[
                "observe",
                "a",
                "--unit",
                "seconds",
                "--help-text",
                "A.",
                "--",
                "-3",
            ],
            &["observe", "--help"],
            &["help", "set"],
            &["help", "observe"],
            &["observe", "inc", "1", "inc"],
            &["declare", "counter", "inc"],
            &["remove", "inc"],
            &["inc", "", "--by", "2"],
            &["inc", "a", "--by", "0.5"],
            &[
                "inc", "a", "--by", "3", "-l", "k=v", "--sync", "--store", "d",
            ],
            &["--store", "d", "inc", "a", "--store", "e"],
            &["--store", "-d", "inc", "a"],
            &["inc", "a", "--label", "k=v", "-l", "q=w x"],
            &["inc", "a", "-l", ""],
            &["inc", "--sync", "--by", "1", "a"],
            &["inc", "-a"],
            &["inc", "a", "--by", "+1"],
            &["inc", "-"],
            &["inc", "demo-worker"],
        ];
        for line in lines {
            let arguments = arguments(line);
            assert_eq!(
                outcome(Cli::parse_arguments(&arguments)),
                outcome(Cli::try_parse_from(&arguments)),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_negative_number_is_observed_however_it_is_spelled_and_options_stay_options() {
        let parsed = |line: &[&str]| outcome(Cli::parse_arguments(&arguments(line)));
        for (spelled, plain) in [("-1e-3", "-0.001"), ("-2.5E+2", "-250"), ("-.5", "-0.5")] {
            let line = ["observe", "a", "1", spelled, "--sync", "-l", "k=v"];
            let expected = parsed(&["observe", "a", "1", plain, "--sync", "-l", "k=v"]);
            assert!(expected.is_ok());
            assert_eq!(parsed(&line), expected, "{spelled}");
        }
        for others in [
            &["run", "--", "observe", "-1e-3"][..],
            &["run", "-1e-3", "--", "observe"],
            &["inc", "a", "-1e-3"],
            &["observe", "a", "-x"],
        ] {
            let whole = Cli::try_parse_from(arguments(others));
            assert_eq!(parsed(others), outcome(whole), "{others:?}");
        }
    }

    #[test]
    fn the_parser_of_all_commands_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
        <Quick as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_log_format_is_known_even_where_the_rest_is_wrong() {
        for json in [
            &["--log-format", "json", "frob"][..],
            &["inc", "--log-format=json"],
        ] {
            assert_eq!(log_format(&arguments(json)), LogFormat::Json);
        }
        for text in [&["frob"][..], &["--log-format", "text"], &["--log-format"]] {
            assert_eq!(log_format(&arguments(text)), LogFormat::Text);
        }
    }
}
