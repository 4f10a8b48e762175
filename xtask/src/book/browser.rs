//! `cargo xtask browser`: every page of the book in a real browser.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use super::build;
use crate::steps::{self, Outcome};

const CHROMIUM: &str = "/usr/bin/chromium";
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

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
    for (program, how) in [(CHROMIUM, "chromium"), ("node", "nodejs"), ("npm", "npm")] {
        if Command::new(program).arg("--version").output().is_err() {
            let missing = format!("{how} is missing: on Debian, `apt-get install {how}`");
            // A reader's machine may lack it; CI's may not.
            if env::var_os("CI").is_some() {
                return Err(missing.into());
            }
            println!("skipped: {missing}");
            return Ok(());
        }
    }
    let site = build(root)?;
    let tools = installed(root)?;
    let pictures = steps::folder(root, "book/pictures")?;
    let mut node = Command::new("node");
    node.arg(root.join("book/browser/run.mjs")).arg(&site).arg(&tools).arg(&pictures).arg(CHROMIUM);
    node.args(arguments.pictures.to_possible_value().map(|value| value.get_name().to_owned()));
    steps::run(&mut node)
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
