//! `cargo xtask book --check`: the guards, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::{bindery, build, build_at, site};
use crate::steps::{self, Outcome, Step};

pub(super) const BUILD: &str = "book: build";

pub(super) fn steps(root: &Path) -> Vec<Step> {
    let build = own(root, BUILD, |root| build(root).map(drop));
    [build].into_iter().chain(of_the_site(root)).chain(of_its_sources(root)).collect()
}

fn own(root: &Path, name: &str, action: fn(&Path) -> Outcome) -> Step {
    let root = root.to_owned();
    Step::new(name, move || action(&root))
}

/// These read what was built.
pub(super) fn of_the_site(root: &Path) -> [Step; 2] {
    [
        own(root, "book: a second build has the same bytes", same_bytes),
        own(root, "book: guards", |root| steps::run(bindery(root).arg("check").arg(site(root)))),
    ]
}

pub(super) fn of_its_sources(root: &Path) -> [Step; 5] {
    let tests =
        |name: &str, package: &str| Step::cargo(name, root, &["test", "--package", package], &[]);
    [
        tests("book: the guards find what they are for", "readysock-bindery"),
        tests("book: Rust in the chapters", "readysock-listings"),
        tests("book: transcripts, traces and listings", "readysock-runs"),
        tests("book: exercises", "exercises"),
        own(root, "book: stubs of exercises compile and fail", stubs_fail),
    ]
}

/// Lines of mdBook's that begin with WARN or ERROR: its exit status is 0 for most of them.
pub(super) fn complaints(output: &str) -> Vec<&str> {
    let level = |line: &&str| {
        let first = line.split_whitespace().next().unwrap_or_default();
        // A terminal's colours may stand around the word.
        ["WARN", "ERROR"].iter().any(|level| first.contains(level))
    };
    output.lines().map(str::trim).filter(level).collect()
}

fn same_bytes(root: &Path) -> Outcome {
    let built = site(root);
    if !built.exists() {
        let built = built.display();
        return Err(format!("there is no {built}: first `cargo xtask book --no-serve`").into());
    }
    let again = steps::target(root).join("book/again");
    if again.exists() {
        fs::remove_dir_all(&again)?;
    }
    build_at(root, &root.join("book"), &again)?;
    let (one, two) = (contents(&built)?, contents(&again)?);
    fs::remove_dir_all(&again)?;
    difference(&one, &two).map_or(Ok(()), |file| Err(format!("two builds differ in {file}").into()))
}

type Contents = BTreeMap<String, Vec<u8>>;

fn contents(folder: &Path) -> Result<Contents, Box<dyn Error>> {
    let mut found = Contents::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries =
            fs::read_dir(&next).map_err(|error| format!("{}: {error}", next.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder)?.display().to_string(), fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

/// The first file that is in one of them only, or is another.
fn difference<'a>(one: &'a Contents, two: &'a Contents) -> Option<&'a str> {
    let files: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    files.into_iter().find(|file| one.get(*file) != two.get(*file)).map(String::as_str)
}

fn stubs_fail(root: &Path) -> Outcome {
    let exercises = exercises(root)?;
    let arguments =
        ["test", "--package", "exercises", "--lib", "--features", "mine", "--no-fail-fast"];
    // Once more than is tested: what does not compile is told from what fails.
    steps::run(steps::cargo().current_dir(root).args(arguments).arg("--no-run"))?;
    let output = steps::cargo().current_dir(root).args(arguments).stderr(Stdio::null()).output()?;
    let idle = idle(&exercises, &String::from_utf8_lossy(&output.stdout));
    if idle.is_empty() {
        println!("    {} stubs, and each fails its test", exercises.len());
        return Ok(());
    }
    Err(format!("the stub passes, or has no test: {}", idle.join(", ")).into())
}

/// `CHAPTER::NAME` of each exercise.
fn exercises(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let folder = root.join("book/exercises/src");
    let files = contents(&folder)?;
    let names = files.keys().filter_map(|file| file.strip_suffix("/stub.rs"));
    let names: Vec<String> = names.map(|name| name.replace('/', "::")).collect();
    if names.is_empty() {
        // Of none, none is idle.
        let folder = folder.display();
        return Err(format!("{folder} has no exercise, which is a folder with a stub.rs").into());
    }
    Ok(names)
}

/// The exercises of which no test has failed.
fn idle<'a>(exercises: &'a [String], output: &str) -> Vec<&'a str> {
    let failed: Vec<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .collect();
    let fails = |name: &str| failed.iter().any(|test| test.starts_with(&format!("{name}::mine::")));
    exercises.iter().map(String::as_str).filter(|name| !fails(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::Folder;

    #[test]
    fn a_warning_is_found_whatever_the_exit_status() {
        let output = " INFO Book building has started\n WARN missing include\n\u{1b}[31mERROR\u{1b}[0m no\nan ERROR later\n";
        let found = complaints(output);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], "WARN missing include");
    }

    #[test]
    fn a_byte_or_a_file_more_is_a_difference() {
        let contents = |files: &[(&str, &str)]| -> Contents {
            files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
                .collect()
        };
        let one = contents(&[("a.html", "x"), ("b.html", "y")]);
        assert_eq!(difference(&one, &one), None);
        assert_eq!(
            difference(&one, &contents(&[("a.html", "x"), ("b.html", "z")])),
            Some("b.html")
        );
        assert_eq!(difference(&contents(&[("a.html", "x")]), &one), Some("b.html"));
    }

    #[test]
    fn a_site_that_was_never_built_is_named() {
        let root = Folder::new("no-site").expect("a folder");
        let problem = contents(&root.0.join("site")).expect_err("no site").to_string();
        assert!(problem.contains("no-site") && problem.contains("/site: "), "{problem}");
    }

    #[test]
    fn no_exercise_is_too_few() {
        let root = Folder::new("exercises").expect("a folder");
        let folder = root.0.join("book/exercises/src");
        let problem = exercises(&root.0).expect_err("no folder").to_string();
        assert!(problem.contains("book/exercises/src: "), "{problem}");
        fs::create_dir_all(folder.join("a/one")).expect("a folder");
        fs::write(folder.join("lib.rs"), "").expect("a file");
        let problem = exercises(&root.0).expect_err("no exercise").to_string();
        assert!(problem.contains("book/exercises/src has no exercise"), "{problem}");
        fs::write(folder.join("a/one/stub.rs"), "").expect("a file");
        assert_eq!(exercises(&root.0).expect("one"), ["a::one"]);
    }

    #[test]
    fn a_stub_that_passes_is_found() {
        let names = ["a::one".to_owned(), "a::two".to_owned()];
        let output = "test a::one::mine::x ... ok\ntest a::one::mine::y ... FAILED\ntest a::two::mine::x ... ok\n";
        assert_eq!(idle(&names, output), ["a::two"]);
        assert_eq!(idle(&names, ""), ["a::one", "a::two"]);
    }
}
