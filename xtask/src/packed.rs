//! The crate as crates.io would hand it out.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::steps::{self, Folder, Outcome, target};

/// Makes the archive, and builds what is in it.
pub(crate) fn pack(root: &Path) -> Outcome {
    let old = target(root).join("package");
    if old.exists() {
        fs::remove_dir_all(old)?;
    }
    // What is not committed yet may be tried too; CI has a clean tree anyway.
    let arguments = ["package", "--package", "readysock", "--allow-dirty", "--target-dir"];
    steps::run(steps::cargo().current_dir(root).args(arguments).arg(target(root)))
}

/// Outside the workspace, where neither its Cargo.toml nor its .cargo can help.
pub(crate) fn unpack(root: &Path) -> Result<Folder, Box<dyn Error>> {
    let archive = fs::read_dir(target(root).join("package"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "crate"))
        .ok_or("there is no .crate file: run `cargo xtask ci package` first")?;
    let folder = Folder::new("packed")?;
    let mut tar = Command::new("tar");
    // --touch: in the archive all files are equally old, and cargo would take what it built of another for built of these.
    tar.args(["-x", "-z", "--touch", "--strip-components=1", "-C"]).arg(&folder.0);
    tar.arg("-f").arg(&archive);
    steps::run(&mut tar)?;
    Ok(folder)
}
