//! mdBook, in the version that the book was written for.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps;

const VERSION: &str = "0.5.4";

/// The one under target/, or the reader's own if it is that version, or one that is built now.
pub(super) fn mdbook(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let folder = steps::folder(root, "tools")?;
    let own = folder.join("bin/mdbook");
    if let Some(there) =
        [own.clone(), "mdbook".into()].into_iter().find(|tool| is_that_version(tool))
    {
        return Ok(there);
    }
    println!("==> building mdBook {VERSION} under target/tools, once; it takes a few minutes");
    let mut install = steps::cargo();
    install.args(["install", "mdbook", "--locked", "--version", VERSION, "--root"]).arg(&folder);
    // Unoptimised it is built in a third of the time, and still makes the book in a second.
    install.args(["--debug", "--force"]).env("CARGO_PROFILE_DEV_DEBUG", "0");
    steps::run(&mut install)?;
    Ok(own)
}

/// Whether it is under target/ already.
#[cfg(test)]
pub(super) fn is_there(root: &Path) -> bool {
    is_that_version(&steps::target(root).join("tools/bin/mdbook"))
}

fn is_that_version(tool: &Path) -> bool {
    let output = Command::new(tool).arg("--version").output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).trim() == format!("mdbook v{VERSION}")
    })
}
