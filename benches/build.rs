//! Compiles the C that ours is measured against, by the C compiler that Rust links with.

fn main() {
    // The idioms at the level C programs ship with, the servers at that of the other servers.
    for (name, file, level) in [("idiom", "src/idiom.c", 2), ("echo", "src/echo/echo.c", 3)] {
        println!("cargo::rerun-if-changed={file}");
        cc::Build::new().file(file).opt_level(level).warnings_into_errors(true).compile(name);
    }
}
