//! Compiles the C idioms, by the C compiler that Rust links with, at the level C programs ship with.

fn main() {
    println!("cargo::rerun-if-changed=src/idiom.c");
    cc::Build::new().file("src/idiom.c").opt_level(2).warnings_into_errors(true).compile("idiom");
}
