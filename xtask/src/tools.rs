//! Programs of cargo's registry that these chores start: built under `target/tools`, in the version that was tried.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps;

/// The program of this name and version, built if it is not there. `say_version` is what makes it say its own.
pub(crate) fn installed(
    root: &Path,
    name: &str,
    version: &str,
    say_version: &[&str],
) -> Result<PathBuf, Box<dyn Error>> {
    let folder = steps::folder(root, "tools")?;
    let tool = folder.join("bin").join(name);
    if !is_version(&tool, version, say_version) {
        println!("==> building {name} {version} under target/tools, once; it takes a few minutes");
        let mut install = steps::cargo();
        install.args(["install", name, "--locked", "--version", version, "--root"]).arg(&folder);
        // Unoptimised it is there sooner, and quick enough: mdBook makes the book in a second.
        install.args(["--debug", "--force"]).env("CARGO_PROFILE_DEV_DEBUG", "0");
        steps::run(&mut install)?;
    }
    Ok(tool)
}

/// Whether this program is there and of this version: the last word that it says of it, as in `cargo-fuzz 0.13.2`, `mdbook v0.5.4`.
pub(crate) fn is_version(tool: &Path, version: &str, say_version: &[&str]) -> bool {
    let said = Command::new(tool).args(say_version).output();
    said.is_ok_and(|output| {
        let said = String::from_utf8_lossy(&output.stdout);
        said.split_whitespace().last().is_some_and(|word| word.trim_start_matches('v') == version)
    })
}

/// Whether rustup has the nightly compiler, which some chores need.
pub(crate) fn has_nightly() -> bool {
    let version = Command::new("rustup").args(["run", "nightly", "rustc", "--version"]).output();
    version.is_ok_and(|output| output.status.success())
}

/// What to say where it has not.
pub(crate) const NO_NIGHTLY: &str =
    "there is no nightly compiler: rustup toolchain install nightly --profile minimal";
