//! What does not run, or runs differently, is found; what a machine lacks is said.

use std::fs;
use std::path::{Path, PathBuf};

use readysock_runs::folder::Folder;
use readysock_runs::play::play;
use readysock_runs::record::Record;
use readysock_runs::scenario::Scenario;
use readysock_runs::{Problem, compare, listing, names, root};

/// A root with one listing in it, `x`.
fn with_listing(name: &str, file: &str, text: &str) -> Folder {
    let folder = Folder::new(name).expect("a folder of the test's own");
    let place: PathBuf = folder.0.join(listing::FOLDER).join("x");
    fs::create_dir_all(&place).expect("a folder of the test's own");
    fs::write(place.join(file), text).expect("a file of the test's own");
    folder
}

#[track_caller]
fn run(language: &str, file: &str, text: &str, expected: Result<&str, &str>) {
    let folder = with_listing(&format!("listing-{language}-{}", text.len()), file, text);
    match (listing::run("x", language, &folder.0), expected) {
        (Err(Problem::Skipped(reason)), _) => eprintln!("skipped: {reason}"),
        (Ok(said), Ok(expected)) => assert_eq!(said, expected),
        (Err(Problem::Failed(found)), Err(expected)) => {
            assert!(found.contains(expected), "{found}")
        }
        (found, _) => panic!("{found:?}"),
    }
}

#[test]
fn a_listing_that_does_not_run_is_found() {
    run("Python", "main.py", "print('127.0.0.1:999')\n", Ok("127.0.0.1:PORT1\n"));
    run("Python", "main.py", "print(one)\n", Err("NameError"));
    run("Python", "main.py", "import sys\nsys.exit(3)\n", Ok("(exit status: 3)\n"));
    run("C", "main.c", "int main(void) { return 0; }\n", Ok(""));
    run("C", "main.c", "int main(void) { return one; }\n", Err("undeclared"));
    run("C", "main.c", "int main(void) { int unused; }\n", Err("unused"));
    run("Rust", "main.rs", "fn main() {}\n", Err("No such file"));
}

#[test]
fn a_listing_without_a_program_keeps_its_output_and_is_named() {
    let folder = with_listing("listing-of-none", "output.txt", "old\n");
    let place = folder.0.join(listing::FOLDER).join("x");
    let kept = || fs::read_to_string(place.join("output.txt")).ok();
    let problem = listing::record("x", &folder.0).expect_err("nothing to run").to_string();
    assert!(problem.contains("listings/examples/x has none of main.py"), "{problem}");
    assert_eq!(problem.lines().count(), 1, "{problem}");
    assert_eq!(kept().as_deref(), Some("old\n"));

    fs::write(place.join("main.py"), "print(one)\n").expect("a file of the test's own");
    listing::record("x", &folder.0).expect_err("it fails");
    assert_eq!(kept().as_deref(), Some("old\n"));
}

#[test]
fn the_outputs_of_a_listing_are_one_file_or_one_for_each_language() {
    let folder = with_listing("listing-of-two", "main.py", "print(1)\n");
    let place = folder.0.join(listing::FOLDER).join("x");
    let write = |file: &str, text: &str| {
        fs::write(place.join(file), text).expect("a file of the test's own");
    };
    let recorded = || -> Option<Vec<String>> {
        if let Err(problem) = listing::record("x", &folder.0) {
            eprintln!("{problem}");
            return None;
        }
        let files = fs::read_dir(&place).expect("its folder").map(|file| file.expect("a file"));
        let mut names: Vec<String> =
            files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Some(names)
    };
    write("main.c", "#include <stdio.h>\nint main(void) { puts(\"1\"); return 0; }\n");
    let Some(files) = recorded() else { return };
    assert_eq!(files, ["main.c", "main.py", "output.txt"]);
    write("main.py", "print(2)\n");
    let own = ["main.c", "main.py", "output.c.txt", "output.python.txt"];
    assert_eq!(recorded().expect("it ran before"), own);
    write("main.py", "print(1)\n");
    assert_eq!(recorded().expect("it ran before"), ["main.c", "main.py", "output.txt"]);
}

#[test]
fn a_folder_that_cannot_be_read_is_no_folder_without_runs() {
    let folder = with_listing("folders", "main.py", "");
    assert_eq!(listing::names(&folder.0), Ok(vec!["x".to_owned()]));
    assert_eq!(names(&folder.0, "run"), Ok(Vec::new()));
    let missing = folder.0.join("none");
    for found in [names(&missing, "run"), listing::names(&missing)] {
        let problem = found.expect_err("it is not there").to_string();
        assert!(problem.starts_with(&format!("{}", missing.display())), "{problem}");
    }
}

fn played(description: &str) -> readysock_runs::Result<Record> {
    let scenario = Scenario::parse(description).expect("a description");
    play(&format!("faults-{}", description.len()), &scenario, &root())
}

#[track_caller]
fn fails(description: &str, problem: &str) {
    match played(description) {
        Err(Problem::Failed(found)) => assert!(found.contains(problem), "{found}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_that_cannot_be_is_found_with_its_line() {
    fails("s $ cargo run --example no_such_example\n", ".run:1: ");
    fails("s $ cargo test\n", "is not `cargo run --example NAME");
    fails("s $ echo a | cat\n", "is not a plain command");
    fails("s ? a\n", "no program runs at s");
    fails("s $ echo a\ns ? b\n", ".run:2: s has ended and never said \"b\"");
    fails("s $ echo a\n", "nobody waits for the end of s");
    fails("s $ sleep 100\ns $ echo\n", "is still at its last command");
}

#[test]
fn what_a_machine_lacks_is_said() {
    let lacking = played("s $ no-such-program-anywhere\ns =\n");
    assert_eq!(
        lacking.expect_err("it is not there"),
        Problem::Skipped("there is no no-such-program-anywhere".into())
    );
}

#[test]
fn words_are_taken_from_one_terminal_to_the_next() {
    let text = "a $ echo listening on 127.0.0.1:77, and more\na ? listening on {A}\na =\nb $ echo to {A} now\nb =\n";
    let record = played(text).expect("two programs that everybody has");
    assert_eq!(
        record.to_string(),
        "a $ echo listening on 127.0.0.1:PORT1, and more\na | listening on 127.0.0.1:PORT1, and more\na = 0\n\
         b $ echo to 127.0.0.1:PORT1 now\nb | to 127.0.0.1:PORT1 now\nb = 0\n"
    );
}

#[test]
fn lines_are_typed_into_a_program() {
    let record = played("a $ cat\na < one\na ? one\na < two\na ? two\na ^ D\na =\n");
    let record = record.expect("a program that everybody has").to_string();
    assert_eq!(record, "a $ cat\na < one\na | one\na < two\na | two\na ^ D\na = 0\n");
    fails("a $ cat\na ^ D\na < one\n", "the input of a has ended");
}

#[test]
fn a_book_that_says_something_else_is_found() {
    let file = Path::new("book/transcripts/select_echo.txt");
    let recorded = fs::read_to_string(root().join(file)).expect("a recorded run");
    let parse = |text: &str| Record::parse(text).expect("a record");
    assert_eq!(compare::difference(&parse(&recorded), &parse(&recorded), &[]), None);
    for (old, new) in [
        ("received It will be sent version 5 from", "received It was sent version 5 from"),
        ("shell = 0", "shell = 1"),
    ] {
        assert!(recorded.contains(old), "{old}");
        let typed = recorded.replacen(old, new, 1);
        let found = compare::difference(&parse(&typed), &parse(&recorded), &[]).expect(new);
        assert!(
            found.contains("recorded, and not seen now")
                && found.contains("seen now, and not recorded"),
            "{found}"
        );
    }
}
