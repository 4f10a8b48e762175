//! What the book shows of a program is a run of it that was recorded, and that the tests play again.
//!
//! A run is described in `NAME.run`, line by line, in the order in which a person would do it:
//!
//! ```text
//! # a comment
//! server $ cargo run --example select_echo_server -- --timeout 1000
//! server ? listening on {SERVER}
//! client $ cargo run --example select_echo_client -- --connect {SERVER}
//! client =
//! server ^ C
//! server =
//! trace server: socket bind listen accept4 pselect6 recvfrom sendto close
//! vary 1: [0-9]+ bytes
//! ```
//!
//! The first word is a terminal. `$` types a command, `?` waits for a line and may take a word out of it, `<` types a
//! line into the program, `^ D` ends its input, `^ C` interrupts it, `=` waits for the end. `trace` records the system calls of a terminal's program as well; `vary`
//! names, as a regular expression, what is another in each run and still no port, process or time.
//!
//! What came of it is in `NAME.txt`, line by line, in the order in which it happened: see [`record`].

pub mod compare;
pub mod folder;
pub mod listing;
pub mod naming;
pub mod play;
pub mod record;
pub mod scenario;
pub mod strace;

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// Why a run has no result.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    /// This machine lacks what it needs.
    Skipped(String),
    Failed(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
            Self::Failed(text) => f.write_str(text),
        }
    }
}

pub type Result<T> = std::result::Result<T, Problem>;

/// For `map_err`: what went wrong, after where.
pub fn failed<E: fmt::Display>(place: impl fmt::Display) -> impl FnOnce(E) -> Problem {
    move |error| Problem::Failed(format!("{place}: {error}"))
}

/// The workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this is book/runs in the workspace").to_owned()
}

/// The folders of recorded runs, below the book's.
pub const FOLDERS: [&str; 2] = ["transcripts", "traces"];

/// The names of what is described in a folder, sorted.
pub fn names(folder: &Path, extension: &str) -> Result<Vec<String>> {
    let named = entries(folder)?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|found| found == extension));
    let mut names: Vec<String> =
        named.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// What is in a folder. One that cannot be read would pass for one with nothing in it, and then nothing is tested.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let paths = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    paths().map_err(failed(folder.display()))
}
