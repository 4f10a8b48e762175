//! Rust in a chapter that does not compile, or that fails, is found, with the chapter and its line.

use std::path::PathBuf;
use std::process::{self, Command};
use std::{env, fs};

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What rustdoc says of a book of one chapter, and whether it is content.
fn doctests(chapter: &str) -> (bool, String) {
    let folder = Folder(env::temp_dir().join(format!("readysock-chapters-{}", process::id())));
    fs::create_dir_all(folder.0.join("part")).expect("a folder of the test's own");
    fs::write(folder.0.join("part/a.md"), chapter).expect("a file of the test's own");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--doc", "--package", "readysock-listings"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("READYSOCK_CHAPTERS", &folder.0)
        // The book's own chapters are compiled in the other one.
        .env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("cargo, which started this");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_block_that_is_wrong_is_found_with_its_line() {
    let sound = "# A\n\n```rust\nuse readysock::htons;\nassert_eq!(htons(0x0102).to_ne_bytes(), [1, 2]);\n```\n";
    let (content, said) = doctests(sound);
    assert!(content && said.contains("part/a.md - ") && said.contains("(line 3)"), "{said}");
    let (content, said) =
        doctests(&sound.replace("use readysock::htons;", "use readysock::htnos;"));
    assert!(!content && said.contains("part/a.md:4:"), "{said}");
    let (content, said) = doctests(&sound.replace("[1, 2]", "[1, 3]"));
    assert!(!content && said.contains("part/a.md - ") && said.contains("(line 3)"), "{said}");
}
