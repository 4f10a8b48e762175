//! `cargo xtask ci`: what a change must pass.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench;
use crate::book;
use crate::fuzz;
use crate::packed;
use crate::readme;
use crate::sanitize;
use crate::steps::{self, Folder, Outcome, Step, target};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only the steps whose name contains this; all of them where it is left out
    only: Option<String>,
    /// Print the names of the steps and run nothing
    #[arg(long)]
    list: bool,
    /// Without the long ones: other machines, sanitizers, fuzz targets
    #[arg(long)]
    short: bool,
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Outcome {
    let mut steps = all(root, arguments.short)?;
    if let Some(part) = &arguments.only {
        steps.retain(|step| step.name.contains(part.as_str()));
        if steps.is_empty() {
            return Err(format!("no step has `{part}` in its name; --list shows them").into());
        }
    }
    if arguments.list {
        steps.iter().for_each(|step| println!("{}", step.name));
        return Ok(());
    }
    steps::run_all(&steps)
}

fn all(root: &Path, short: bool) -> Result<Vec<Step>, Box<dyn Error>> {
    let cargo = |name: &str, arguments: &[&str]| Step::cargo(name, root, arguments, &[]);

    let mut steps = vec![
        cargo("format", &["fmt", "--all", "--", "--check"]),
        cargo("format of the fuzz targets", &["fmt", "--manifest-path", FUZZ, "--", "--check"]),
        cargo("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ];
    // The book beside the tests: mdBook takes a while to build.
    let (book, of_book) = book::steps(root);
    steps.push(book);
    for command in readme::commands(&fs::read_to_string(root.join("README.md"))?)? {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        steps.push(cargo(&format!("readme: cargo {}", command.join(" ")), &arguments));
    }
    // Before xtask's own tests, one of which wants the mdBook that is brought here.
    steps.extend(of_book);
    steps.push(cargo("xtask and the shape of the tree", &["test", "--package", "xtask"]));
    let same_work = ["test", "--package", "readysock-benches", "--test", "same_work"];
    steps.push(cargo("the benches do the same work", &same_work));
    let echo = ["test", "--package", "readysock-benches", "--test", "echo_servers"];
    steps.push(cargo("the servers of the bench echo", &echo));
    let options = ["test", "--package", "readysock-benches", "--test", "options"];
    steps.push(cargo("options read the same in other crates", &options));
    steps.push(bench::step(root));
    steps.push(error_codes(root));
    let docs = ["doc", "--no-deps", "--workspace"];
    steps.push(Step::cargo("docs", root, &docs, &[("RUSTDOCFLAGS", "-D warnings")]));
    steps.push(package(root));
    steps.push(fuzz_clippy(root));
    if short {
        steps.push(packed(root));
    } else {
        // The packed crate's tests are run on the other machines: once is enough.
        // The oldest compiler is run for each of the machines: nothing is left for it to show on this one.
        let machines = ["cross", "--packed", "i386", "i386-before-5.1", "arm64", "s390x"];
        steps.push(Step::beside("other machines", &machines).waiting());
        steps.push(sanitize::step("address sanitizer", root, sanitize::Tool::Address));
        steps.push(sanitize::step("valgrind", root, sanitize::Tool::Valgrind));
        steps.push(fuzz::step(root));
    }
    Ok(steps)
}

/// Their package is no member of the workspace.
const FUZZ: &str = "fuzz/Cargo.toml";

fn fuzz_clippy(root: &Path) -> Step {
    let root = root.to_owned();
    Step::new("clippy of the fuzz targets", move || {
        let mut command = steps::cargo();
        command.current_dir(&root).args(["clippy", "--locked", "--manifest-path", FUZZ]);
        // Without the fuzzer, which takes a while to compile.
        command.args(["--no-default-features", "--target-dir"]).arg(target(&root));
        steps::run(command.args(["--", "-D", "warnings"]))
    })
}

/// What makes rustdoc compare the code that a `compile_fail` doctest names with the compiler's:
/// it is a nightly check, and the stable compiler does it for the crate that is named here.
const CHECK_CODES: (&str, &str) = ("RUSTC_BOOTSTRAP", "readysock");

fn error_codes(root: &Path) -> Step {
    let root = root.to_owned();
    Step::new("doctests with checked error codes", move || {
        let folder = Folder::new("codes")?;
        let rustdoc = rustdoc(&folder.0)?;
        codes_are_checked(&folder.0, &rustdoc)?;
        let arguments = ["test", "--doc", "--package", "readysock"];
        steps::run(steps::cargo().current_dir(&root).args(arguments).env("RUSTDOC", &rustdoc))
    })
}

/// One that checks. Set for cargo, the variable would have it build most dependencies anew: now, and after this once more.
fn rustdoc(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let (path, (name, value)) = (folder.join("rustdoc"), CHECK_CODES);
    fs::write(&path, format!("#!/bin/sh\n{name}={value} exec rustdoc \"$@\"\n"))?;
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
    Ok(path)
}

/// The day a toolchain ignores the variable, the step would pass and prove nothing: it fails instead.
fn codes_are_checked(folder: &Path, rustdoc: &Path) -> Outcome {
    for (code, passes) in [("E0308", true), ("E0505", false)] {
        let file = folder.join(format!("{code}.rs"));
        fs::write(&file, format!("//! ```compile_fail,{code}\n//! let x: u32 = \"\";\n//! ```\n"))?;
        let status = Command::new(rustdoc)
            .args(["--test", "--crate-name", CHECK_CODES.1])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if status.success() != passes {
            return Err(format!("rustdoc does not check {code} of a compile_fail doctest").into());
        }
    }
    Ok(())
}

fn package(root: &Path) -> Step {
    let root = root.to_owned();
    Step::new("package", move || packed::pack(&root))
}

/// The crate as crates.io would hand it out, alone in a folder, passes its own tests.
fn packed(root: &Path) -> Step {
    let root = root.to_owned();
    Step::new("the packed crate's own tests", move || {
        let folder = packed::unpack(&root)?;
        let arguments = ["test", "--target-dir"];
        steps::run(steps::cargo().current_dir(&folder.0).args(arguments).arg(target(&root)))
    })
}
