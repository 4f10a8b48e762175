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
    package(root, &target(root), &[])
}

fn package(root: &Path, target: &Path, more: &[&str]) -> Outcome {
    // What is not committed yet may be tried too; CI has a clean tree anyway.
    let arguments = ["package", "--package", "readysock", "--allow-dirty", "--target-dir"];
    steps::run(steps::cargo().current_dir(root).args(arguments).arg(target).args(more))
}

/// Outside the workspace, where neither its Cargo.toml nor its .cargo can help. It is packed anew: the archive under target/ may be of
/// another day.
pub(crate) fn unpack(root: &Path) -> Result<Folder, Box<dyn Error>> {
    let made = Folder::new("package")?;
    // It is built by who tests it.
    package(root, &made.0, &["--no-verify"])?;
    let archive = fs::read_dir(made.0.join("package"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "crate"))
        .ok_or("cargo package has made no .crate file")?;
    let folder = Folder::new("packed")?;
    let mut tar = Command::new("tar");
    // --touch: in the archive all files are equally old, and cargo would take what it built of another for built of these.
    tar.args(["-x", "-z", "--touch", "--strip-components=1", "-C"]).arg(&folder.0);
    tar.arg("-f").arg(&archive);
    steps::run(&mut tar)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unpacked_is_the_source_of_now() {
        let root = Folder::new("to-pack").expect("a folder");
        let write = |file: &str, text: &str| fs::write(root.0.join(file), text).expect("a file");
        let manifest = "[package]\nname = \"readysock\"\nversion = \"0.0.1\"\ndescription = \"x\"\n\
                        license = \"MIT\"\nrepository = \"https://example.org/\"\n[workspace]\n";
        write("Cargo.toml", manifest);
        fs::create_dir(root.0.join("src")).expect("a folder");
        // As one of another day.
        fs::create_dir_all(root.0.join("target/package")).expect("a folder");
        write("target/package/readysock-0.0.1.crate", "old");
        for text in ["// one\n", "// two\n"] {
            write("src/lib.rs", text);
            let unpacked = unpack(&root.0).expect("it is packed");
            let found = fs::read_to_string(unpacked.0.join("src/lib.rs"));
            assert_eq!(found.expect("it is packed"), text);
        }
    }
}
