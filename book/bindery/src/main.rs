//! mdBook's preprocessor, and with an argument the other things that are done to the book:
//!
//! ```text
//! readysock-bindery check SITE     what is wrong with the source and with the pages
//! readysock-bindery plots          draw the plots
//! ```

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::parse_input;
use readysock_bindery::workspace::Workspace;
use readysock_bindery::{Problem, check, expand, plots};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => preprocess(),
        ["supports", "html"] => return ExitCode::SUCCESS,
        ["supports", _] => return ExitCode::FAILURE,
        ["check", site] => check::all(&root(), Path::new(site)).map_err(Into::into).and_then(told),
        ["plots"] => plots::all(&root().join("book"), true).map_err(Into::into).and_then(told),
        _ => Err("check SITE, plots, or none where mdBook starts it".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bindery: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace that this program was built in.
fn root() -> PathBuf {
    readysock_runs::root()
}

fn preprocess() -> Result<(), Box<dyn Error>> {
    let (context, mut book) = parse_input(io::stdin())?;
    let root = context.root.parent().ok_or("book/ lies in the workspace")?;
    let workspace = Workspace::load(root)?;
    told(expanded(&mut book, &workspace))?;
    serde_json::to_writer(io::stdout(), &book)?;
    Ok(())
}

fn expanded(book: &mut Book, workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    book.for_each_mut(|item| {
        if let BookItem::Chapter(chapter) = item
            && let Some(path) = &chapter.source_path
        {
            let file = path.display().to_string();
            match expand::chapter(&file, &chapter.content, workspace) {
                Ok(expanded) => chapter.content = expanded,
                Err(found) => problems.extend(found),
            }
        }
    });
    problems
}

/// All of it is said, and then it is one error.
fn told(problems: Vec<Problem>) -> Result<(), Box<dyn Error>> {
    for problem in &problems {
        eprintln!("error: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err("1 problem".into()),
        many => Err(format!("{many} problems").into()),
    }
}
