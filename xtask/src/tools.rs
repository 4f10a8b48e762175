//! Programs of cargo's registry that these chores start: built under `target/tools`, in the version that was tried. And a
//! compiler that takes unfinished flags.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps;

/// One of them.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// What makes it say its version.
    pub(crate) say_version: &'static [&'static str],
    /// The only features that it is built with, where it has more than are needed; it has a folder of its own then.
    pub(crate) only: Option<&'static str>,
}

impl Tool {
    /// Where it is; it is built if it is not there.
    pub(crate) fn installed(&self, root: &Path) -> Result<PathBuf, Box<dyn Error>> {
        let Self { name, version, .. } = self;
        if !self.is_there(root) {
            let folder = steps::folder(root, self.folder())?;
            println!(
                "==> building {name} {version} under target/tools, once; it takes a few minutes"
            );
            let mut install = steps::cargo();
            install.args(["install", name, "--locked", "--version", version, "--root"]);
            // Unoptimised it is there sooner, and quick enough: mdBook makes the book in a second.
            install.arg(folder).args(["--debug", "--force"]).env("CARGO_PROFILE_DEV_DEBUG", "0");
            if let Some(features) = self.only {
                install.args(["--no-default-features", "--features", features]);
            }
            steps::run(&mut install)?;
        }
        Ok(self.path(root))
    }

    /// Whether it is there already.
    pub(crate) fn is_there(&self, root: &Path) -> bool {
        self.is(&self.path(root))
    }

    /// Whether a program is it: the last word that it says of itself is the version, as in `cargo-mutants 27.1.0`, `mdbook v0.5.4`.
    pub(crate) fn is(&self, program: &Path) -> bool {
        let said = Command::new(program).args(self.say_version).output();
        said.is_ok_and(|output| {
            let said = String::from_utf8_lossy(&output.stdout);
            let last = said.split_whitespace().last();
            last.is_some_and(|word| word.trim_start_matches('v') == self.version)
        })
    }

    fn folder(&self) -> &'static str {
        if self.only.is_some() { "tools/in-part" } else { "tools" }
    }

    fn path(&self, root: &Path) -> PathBuf {
        steps::target(root).join(self.folder()).join("bin").join(self.name)
    }
}

/// A cargo whose compiler takes flags that are not finished, as those of the sanitizers are.
pub(crate) struct Unstable {
    nightly: bool,
    triple: String,
}

impl Unstable {
    /// Nightly's, where rustup has that; otherwise the one that is there, told to take them as well.
    pub(crate) fn here() -> Result<Self, Box<dyn Error>> {
        let nightly = Command::new("rustup").args(["run", "nightly", "rustc", "-vV"]).output();
        let nightly = nightly.ok().filter(|output| output.status.success());
        let said = match &nightly {
            Some(output) => output.stdout.clone(),
            None => {
                println!(
                    "    there is no nightly compiler: by the stable one, with RUSTC_BOOTSTRAP=1"
                );
                Command::new("rustc").arg("-vV").output()?.stdout
            }
        };
        let triple = host(&String::from_utf8(said)?).ok_or("rustc -vV names no host")?;
        Ok(Self { nightly: nightly.is_some(), triple })
    }

    /// A command for this machine. With a target named, what runs while cargo builds (macros, build scripts)
    /// is built without the flags that are meant for the programs.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = if self.nightly {
            let mut command = Command::new("rustup");
            command.args(["run", "nightly", "cargo"]).env_remove("CARGO");
            command
        } else {
            let mut command = steps::cargo();
            command.env("RUSTC_BOOTSTRAP", "1");
            command
        };
        command.args([subcommand, "--target", &self.triple]);
        command
    }

    /// Where cargo puts what it builds, below its target folder.
    pub(crate) fn folder(&self) -> &str {
        &self.triple
    }
}

/// This machine, as rustc calls it.
fn host(said: &str) -> Option<String> {
    said.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// A setting for cargo: programs know enough for a report to name lines, unless the caller has set that already, as who
/// wants no more than to know whether there is one.
pub(crate) fn debug_information(profile: &str) -> (String, OsString) {
    let name = format!("CARGO_PROFILE_{profile}_DEBUG");
    let value = env::var_os(&name).unwrap_or_else(|| "line-tables-only".into());
    (name, value)
}
