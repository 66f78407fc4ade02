//! What is accepted of the place of a new store: by `--accept`, or by DEESPEC_ACCEPT for images and CI.

use clap::ValueEnum;
use deespec::{Options, Weakness};

use crate::exit::Failure;

/// A weakness that the maker of a store may accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accept {
    // No help of its own: that would make the help of the whole command long.
    FullDisk,
    Daemon,
}

impl Accept {
    fn weakness(self) -> Weakness {
        match self {
            Self::FullDisk => Weakness::FullDisk,
            Self::Daemon => Weakness::Daemon,
        }
    }
}

/// Those of the command line, which are added to what `options` have.
pub(crate) fn all(options: Options, accepted: &[Accept]) -> Options {
    let add = |options: Options, one: &Accept| options.accept(one.weakness());
    accepted.iter().fold(options, add)
}

/// All there are: for a store that is thrown away.
pub(crate) fn whatever_it_is(options: Options) -> Options {
    all(options, Accept::value_variants())
}

/// Those of the environment: they count where a store is made.
pub(crate) fn of_environment(options: Options) -> Result<Options, Failure> {
    let text = std::env::var("DEESPEC_ACCEPT").unwrap_or_default();
    let words = text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let accepted: Result<Vec<_>, _> = words
        .map(|word| {
            Accept::from_str(word, false).map_err(|_| {
                Failure::new(format!("DEESPEC_ACCEPT does not know {word:?}"))
                    .hint("it is a list of full-disk and daemon, separated by commas")
            })
        })
        .collect();
    Ok(all(options, &accepted?))
}
