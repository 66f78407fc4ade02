//! The only printer.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports to the person who started it; nothing depends on it"
)]

/// A line of the result.
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// What went wrong with the program itself.
pub(crate) fn complain(text: &str) {
    eprintln!("deespec-proof: {text}");
}

/// An error with all its sources in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
