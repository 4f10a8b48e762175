//! `cargo xtask browser`: every page of the book in a real browser.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use super::build;
use crate::steps::{self, Outcome};

/// What a browser of the kind may be called.
const CHROMIUM: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FILES: [&str; 2] = ["package.json", "package-lock.json"];
/// The one that playwright-core asks for, in the version of the lock file: Debian's of 2023.
const OLDEST_NODE: u32 = 18;

/// Look at every page of the book in a real browser: links, themes, keyboard, accessibility
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which pictures to keep in target/book/pictures
    #[arg(long, value_enum, default_value_t = Pictures::Figures)]
    pictures: Pictures,
}

#[derive(Clone, Copy, ValueEnum)]
enum Pictures {
    /// For who looks at none: they take a third of the time
    None,
    /// One of each figure
    Figures,
    /// Of every page and figure, in each theme and width
    All,
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Outcome {
    let chromium = match needed() {
        Ok(chromium) => chromium,
        Err(missing) => {
            steps::may_lack(&missing)?;
            println!("skipped: {missing}");
            return Ok(());
        }
    };
    let site = build(root)?;
    let tools = installed(root)?;
    let pictures = steps::folder(root, "book/pictures")?;
    let mut node = Command::new("node");
    node.arg(root.join("book/browser/run.mjs")).arg(&site).arg(&tools).arg(&pictures).arg(chromium);
    node.args(arguments.pictures.to_possible_value().map(|value| value.get_name().to_owned()));
    steps::run(&mut node)
}

/// The browser, where what it is driven by is there too; otherwise what to do.
fn needed() -> Result<PathBuf, String> {
    let lacks = |what: &str| format!("{what} is missing: on Debian, `apt-get install {what}`");
    let chromium = CHROMIUM.iter().find_map(|name| found(name)).ok_or_else(|| lacks("chromium"))?;
    found("npm").ok_or_else(|| lacks("npm"))?;
    let node = found("node").ok_or_else(|| lacks("nodejs"))?;
    let output = Command::new(node).arg("--version").output().map_err(|error| error.to_string())?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major =
        version.trim_start_matches('v').split('.').next().and_then(|word| word.parse().ok());
    match major {
        Some(OLDEST_NODE..) => Ok(chromium),
        Some(_) | None => {
            Err(format!("node is `{version}`: version {OLDEST_NODE} or newer is needed"))
        }
    }
}

/// A program of this name on the path.
fn found(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// playwright-core and axe-core, in the versions of the lock file, under target/.
fn installed(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let folder = steps::folder(root, "tools/browser")?;
    let mut changed = !folder.join("node_modules/.package-lock.json").exists();
    for file in FILES {
        let wanted = fs::read(root.join("book/browser").join(file))?;
        if fs::read(folder.join(file)).ok().as_ref() != Some(&wanted) {
            fs::write(folder.join(file), &wanted)?;
            changed = true;
        }
    }
    if changed {
        println!("==> installing playwright-core and axe-core under target/tools/browser, once");
        let npm = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        steps::run(Command::new("npm").args(npm).current_dir(&folder))?;
    }
    Ok(folder)
}
