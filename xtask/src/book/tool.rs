//! mdBook, in the version that the book was written for.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::steps;
use crate::tools;

const VERSION: &str = "0.5.4";

/// The one under target/, or the reader's own if it is that version, or one that is built now.
pub(super) fn mdbook(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let readers = Path::new("mdbook");
    if !is_there(root) && is_that_version(readers) {
        return Ok(readers.to_owned());
    }
    tools::installed(root, "mdbook", VERSION, SAY_VERSION)
}

/// Whether it is under target/ already.
pub(super) fn is_there(root: &Path) -> bool {
    is_that_version(&steps::target(root).join("tools/bin/mdbook"))
}

fn is_that_version(tool: &Path) -> bool {
    tools::is_version(tool, VERSION, SAY_VERSION)
}

const SAY_VERSION: &[&str] = &["--version"];
