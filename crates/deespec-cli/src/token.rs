//! The token of a server, on both of its sides.

use std::path::Path;

use crate::exit::Failure;
use crate::files;

/// More is no token.
const TOKEN_BYTES: u64 = 4096;

/// The token of `--token-file`, else of `DEESPEC_TOKEN`. Never of an argument, which others can read.
pub(crate) fn text(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = file else {
        let variable = std::env::var("DEESPEC_TOKEN");
        return Ok(variable.ok().filter(|text| !text.is_empty()));
    };
    let text = files::secret(path, TOKEN_BYTES).map_err(|error| {
        let message = format!("cannot read the token in {}: {error}", path.display());
        Failure::new(message)
            .hint("--token-file must name a file that this user alone may read: `chmod 600 FILE`")
    })?;
    Ok(Some(text))
}
