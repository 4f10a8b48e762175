//! The shape of the tree, where no compiler looks: unsafe code, long files, examples, the code map.

use std::fs;
use std::path::{Path, PathBuf};

const LONGEST: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Every Rust file below a folder of the workspace, with its text.
fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                // What cargo builds of fuzz/ lies in there.
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a Rust file is UTF-8");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no Rust file in {folder}");
    found
}

/// The lint does the work (`#![deny(unsafe_code)]` at the root); this keeps its exceptions to one.
#[test]
fn unsafe_code_is_allowed_in_one_room() {
    let allowing: Vec<PathBuf> = rust_files("src")
        .into_iter()
        .filter(|(_, text)| text.lines().any(allows_unsafe))
        .map(|(path, _)| path.strip_prefix(root()).expect("a path of the workspace").to_owned())
        .collect();
    assert_eq!(allowing, [Path::new("src/sys/mod.rs")]);

    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    assert!(lib.contains("#![deny(unsafe_code)]"), "the root denies it for the others");
}

fn allows_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or(line);
    code.contains("unsafe_code") && (code.contains("allow(") || code.contains("expect("))
}

#[test]
fn the_search_for_exceptions_finds_them() {
    for line in ["#![allow(unsafe_code)]", "    #[expect(unsafe_code)]", "#[allow(a, unsafe_code)]"]
    {
        assert!(allows_unsafe(line), "{line}");
    }
    assert!(!allows_unsafe("#![deny(unsafe_code)]"));
    assert!(!allows_unsafe("// one #![allow(unsafe_code)] in sys"));
}

#[test]
fn no_file_is_too_long() {
    let folders = ["src", "tests", "examples", "benches", "fuzz", "book", "xtask"];
    for (path, text) in folders.into_iter().flat_map(rust_files) {
        let lines = text.lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines: split it", path.display());
    }
}

/// How many lines are neither blank nor a comment.
fn lines_of_code(text: &str) -> usize {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    text.lines().filter(is_code).count()
}

/// Examples that are longer than the others may be, and what for.
const LONG_EXAMPLES: [(&str, &str); 4] = [
    ("epoll_echo_server", "the whole echo server, in the same steps as on select and poll"),
    ("backpressure", "both ends, for neither shows a full queue alone"),
    ("dispatcher", "the notes' asyncore: a dispatcher for each part of both ends"),
    ("async_await", "an executor, and both ends on it"),
];

/// Name and source of each `[[example]]` of a manifest.
fn examples(manifest: &str) -> Vec<(&str, String)> {
    let blocks = manifest.split("\n[").filter_map(|block| block.strip_prefix("[example]]\n"));
    let examples = blocks.map(|block| {
        let value = |key: &str| {
            let mut lines = block.lines().filter_map(|line| line.split_once(" = "));
            let value =
                lines.find(|(name, _)| *name == key).map(|(_, value)| value.trim_matches('"'));
            value.unwrap_or_else(|| panic!("no {key} in {block}"))
        };
        let path = root().join(value("path"));
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (value("name"), text)
    });
    examples.collect()
}

#[test]
fn an_example_is_read_in_one_go() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let examples = examples(&manifest);
    assert!(examples.len() > 20, "{} examples", examples.len());
    for (name, text) in &examples {
        let (lines, long) =
            (lines_of_code(text), LONG_EXAMPLES.iter().any(|(long, _)| long == name));
        let fits = if long { lines > 90 } else { (10..=90).contains(&lines) };
        assert!(fits, "{name} has {lines} lines of code, and is it one of LONG_EXAMPLES? {long}");
    }
    for (long, _) in LONG_EXAMPLES {
        assert!(examples.iter().any(|(name, _)| *name == long), "there is no example {long}");
    }
}

/// What nobody starts is held to no form.
#[test]
fn every_example_is_started_by_a_test() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let tests = rust_files("tests/examples");
    for (name, _) in examples(&manifest) {
        let started = tests.iter().any(|(_, text)| names_program(text, name));
        assert!(started, "no test in tests/examples/ starts {name}");
    }
}

fn names_program(text: &str, name: &str) -> bool {
    let quoted = format!("\"{name}\"");
    text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(&quoted))
}

#[test]
fn the_search_for_programs_finds_them() {
    assert!(names_program("const ALL: [&str; 2] = [\"a_b\", \"c\"];", "a_b"));
    for text in ["// \"a_b\"", "\"a_bc\"", "fn a_b() {", "\"a_b --help\""] {
        assert!(!names_program(text, "a_b"), "{text}");
    }
    assert_eq!(lines_of_code("//! a\n\n    // b\nlet c = 1; // d\n   \n}\n"), 2);
}

/// The event loop is to be read whole. What stands on it is not counted: the notes' asyncore and asynchat.
#[test]
fn the_event_loop_is_small() {
    let on_it = ["dispatcher.rs", "line.rs"];
    let lines = |text: &str| lines_of_code(text.split("#[cfg(test)]").next().unwrap_or(text));
    let files = rust_files("src/reactor");
    let loop_itself =
        files.iter().filter(|(path, _)| !on_it.iter().any(|name| path.ends_with(name)));
    let sum: usize = loop_itself.map(|(_, text)| lines(text)).sum();
    assert!((1000..2000).contains(&sum), "{sum} lines of code in the event loop");
}

/// `cargo test` in a fresh clone builds the crate and nothing else, least of all mdBook.
#[test]
fn a_reader_s_first_test_builds_no_mdbook() {
    let manifest = |file: &str| fs::read_to_string(root().join(file)).expect("a manifest");
    assert!(manifest("Cargo.toml").contains("\ndefault-members = [\".\"]\n"));
    for member in [".", "benches", "book/exercises", "book/listings", "book/runs", "xtask"] {
        let text = manifest(&format!("{member}/Cargo.toml"));
        let needs = |line: &str| line.contains("mdbook") || line.contains("readysock-bindery");
        assert!(
            !text
                .lines()
                .any(|line| needs(line) && line.contains('=') && !line.contains("members")),
            "{member} needs mdBook"
        );
    }
}

/// Paths in backquotes that the code map names: they exist, and no room is left out.
#[test]
fn the_code_map_is_true() {
    let map = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("CONTRIBUTING.md");
    let named: Vec<&str> = map
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| !word.contains([' ', '<']) && (word.ends_with(".rs") || word.ends_with('/')))
        .collect();
    for path in &named {
        assert!(root().join(path).exists(), "CONTRIBUTING.md names `{path}`, which is not there");
    }
    for entry in fs::read_dir(root().join("book")).expect("book") {
        let entry = entry.expect("an entry of book");
        let name = entry.file_name().to_string_lossy().into_owned();
        let room = entry.path().is_dir();
        assert!(
            !room || named.contains(&&*format!("book/{name}/")),
            "CONTRIBUTING.md does not name book/{name}/"
        );
    }
    for entry in fs::read_dir(root().join("src")).expect("src") {
        let room = entry.expect("an entry of src").path();
        // The folder of a module's parts goes with the module.
        let name = room.file_stem().expect("a name").to_string_lossy();
        assert!(
            named.contains(&&*format!("src/{name}.rs"))
                || named.contains(&&*format!("src/{name}/")),
            "CONTRIBUTING.md does not name src/{name}"
        );
    }
}

/// The traps of CONTRIBUTING.md: each row has its item and its tests, and each test is in the file that it names.
#[test]
fn every_trap_has_its_tests() {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("CONTRIBUTING.md");
    let rows = text.lines().skip_while(|line| *line != "| trap | item | test |").skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 30, "{} rows", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [trap, item, tests] = cells[..] else { panic!("not three cells: {row}") };
        assert!(!trap.is_empty() && item.starts_with('`') && item.ends_with('`'), "{row}");
        for test in tests.split(", ") {
            let test = test.strip_prefix('`').and_then(|test| test.strip_suffix('`'));
            let (file, name) =
                test.and_then(|test| test.split_once(": ")).unwrap_or_else(|| panic!("{row}"));
            let source = fs::read_to_string(root().join(file))
                .unwrap_or_else(|error| panic!("{file}: {error}, in {row}"));
            assert!(source.lines().any(|line| is_test(line, name)), "no {name} in {file}: {row}");
        }
    }
}

/// A test is a function, a case with a process of its own, or a row of a table.
fn is_test(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    [format!("fn {name}("), format!("(\"{name}\", "), format!("{name}: ")]
        .iter()
        .any(|start| line.starts_with(start))
}

#[test]
fn the_search_for_tests_finds_them() {
    for line in
        ["fn a_b() {", "    (\"a_b\", f),", "    a_b: IN, \"r--\", {", "pub fn a_b(x: u8) {"]
    {
        assert!(is_test(line, "a_b"), "{line}");
    }
    for line in ["fn a_bc() {", "// fn a_b()", "a_b();", "(\"xa_b\", f),"] {
        assert!(!is_test(line, "a_b"), "{line}");
    }
}
