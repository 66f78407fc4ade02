//! Users and groups by name, wherever the system keeps them.

use std::path::Path;

use crate::exit::Failure;
use crate::names;

/// The number of a group that is given by its name or its number.
pub(crate) fn group(text: &str) -> Result<u32, Failure> {
    names::ask_no_module();
    // A name that C cannot hold is nobody's.
    let found = (!text.contains('\0')).then(|| uzers::get_group_by_name(text));
    match (found.flatten(), text.parse()) {
        (Some(group), _) => Ok(group.gid()),
        (None, Ok(number)) => Ok(number),
        (None, Err(_)) => Err(Failure::new(format!("there is no group {text}"))
            .hint("`id -Gn` lists the groups of this user, `getent group` all; one that /etc/group does not have may be given by its number")),
    }
}

/// A user's name, or the number where there is none.
pub(crate) fn user_name(number: u32) -> String {
    names::ask_no_module();
    let found = uzers::get_user_by_uid(number);
    let name = found.map(|user| user.name().to_string_lossy().into_owned());
    name.unwrap_or_else(|| number.to_string())
}

/// A group's name, or the number where there is none.
pub(crate) fn group_name(number: u32) -> String {
    names::ask_no_module();
    let found = uzers::get_group_by_gid(number);
    let name = found.map(|group| group.name().to_string_lossy().into_owned());
    name.unwrap_or_else(|| number.to_string())
}

/// A path as a shell reads it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
