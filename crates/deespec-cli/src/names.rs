//! Keeps name look-ups of the static program inside the program.
//!
//! The C library loads its modules for names (`libnss_*`) when one is asked for. A program that is linked statically
//! must not: the module wants a C library of its own, and the process ends with SIGSEGV. So this program asks
//! `/etc/passwd`, `/etc/group`, `/etc/hosts` and DNS, which the C library answers without a module, and nothing else
//! (`docs/design/0080-packages.md`).

/// Must be called before a name is looked up. What counts looks none up, and does without: the C library would read
/// `/etc/nsswitch.conf` for it.
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
pub(crate) fn ask_no_module() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(without_modules::configure);
}

/// A program that is linked dynamically has the C library that the modules are for.
#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
pub(crate) fn ask_no_module() {}

#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod without_modules {
    #![expect(
        unsafe_code,
        reason = "the one call that keeps a static program from loading modules; no crate has it"
    )]

    use std::ffi::{CStr, c_char, c_int};

    unsafe extern "C" {
        // glibc, <nss.h>. 0: done; -1: it does not know the database or the line.
        fn __nss_configure_lookup(database: *const c_char, line: *const c_char) -> c_int;
    }

    const SOURCES: [(&CStr, &CStr); 3] = [
        (c"passwd", c"files"),
        (c"group", c"files"),
        (c"hosts", c"files dns"),
    ];

    pub(super) fn configure() {
        for (database, line) in SOURCES {
            // SAFETY: both are texts that end with NUL and live as long as the program, and the function copies what it
            // keeps. What it changes are tables of the C library, under a lock of the C library's own; whoever looks a
            // name up has come through `ask_no_module`, so nobody has read them yet. A library that lacks a
            // line answers -1 and changes nothing.
            let _ = unsafe { __nss_configure_lookup(database.as_ptr(), line.as_ptr()) };
        }
    }
}
