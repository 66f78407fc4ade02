//! Links the unwinder into the program: one shared library less to load lets `deespec inc`, which
//! is a whole process for each count, start faster.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
}
