//! Makes a module of each chapter, whose line N is the chapter's line N as documentation: so rustdoc compiles the
//! chapter's Rust blocks, and names chapter and line where one fails.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("book/src");
    // A test of this very thing brings a chapter of its own.
    let source = env::var_os("READYSOCK_CHAPTERS").map(PathBuf::from);
    let source = source.unwrap_or_else(|| here.parent().expect("the book").join("src"));
    println!("cargo::rerun-if-env-changed=READYSOCK_CHAPTERS");
    println!("cargo::rerun-if-changed={}", source.display());
    fs::create_dir_all(&out).expect("a folder of the build's own");
    let mut chapters = Vec::new();
    find(&source, &mut chapters);
    chapters.sort();
    let mut modules = String::new();
    for chapter in chapters {
        let text = fs::read_to_string(&chapter).expect("a chapter is UTF-8");
        let place = chapter.strip_prefix(&source).expect("a chapter of the book");
        let file = out.join(place);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder of the build's own");
        let documented: String = text.lines().map(|line| format!("//! {line}\n")).collect();
        fs::write(&file, documented).expect("a file of the build's own");
        let name: String = place
            .with_extension("")
            .to_string_lossy()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        writeln!(modules, "#[path = {:?}]\nmod page_{name};", file.display().to_string())
            .expect("memory");
    }
    fs::write(out.join("modules.rs"), modules).expect("a file of the build's own");
}

fn find(folder: &Path, chapters: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the book") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            find(&path, chapters);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            chapters.push(path);
        }
    }
}
