//! mdBook, in the version that the book was written for.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::tools::Tool;

const MDBOOK: Tool =
    Tool { name: "mdbook", version: "0.5.4", say_version: &["--version"], only: None };

/// It builds and cannot serve: without the web server it is there in half of the time.
const BUILDER: Tool = Tool { only: Some("search"), ..MDBOOK };

/// One that serves: under target/, or the reader's own if it is that version, or built now.
pub(super) fn mdbook(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    there(root).map_or_else(|| MDBOOK.installed(root), Ok)
}

/// One that builds, as the one that serves does if it is there.
pub(super) fn builder(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    there(root).map_or_else(|| BUILDER.installed(root), Ok)
}

/// Whether one that builds is there.
#[cfg(test)]
pub(super) fn builder_is_there(root: &Path) -> bool {
    there(root).is_some() || BUILDER.is_there(root)
}

fn there(root: &Path) -> Option<PathBuf> {
    let readers = Path::new("mdbook");
    if MDBOOK.is_there(root) {
        MDBOOK.installed(root).ok()
    } else {
        MDBOOK.is(readers).then(|| readers.to_owned())
    }
}
