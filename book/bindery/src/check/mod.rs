//! The guards: what the book must never be, found in its source and in its pages.

pub mod homes;
pub mod prose;
pub mod site;
pub mod source;

use std::path::Path;

use crate::Problem;
use crate::directive;
use crate::expand;
use crate::plots;
use crate::workspace::Workspace;

/// All that is wrong, sorted; first the source, and the pages only where that is well.
pub fn all(root: &Path, site: &Path) -> Result<Vec<Problem>, String> {
    let mut problems = source(root)?;
    if problems.is_empty() {
        let workspace = Workspace::load(root)?;
        let chapters = workspace.chapters()?;
        problems = site::check(site, &chapters)?;
        println!("    {}", prose::summary(&chapters));
    }
    problems.sort();
    Ok(problems)
}

/// What can be seen without building the book.
pub fn source(root: &Path) -> Result<Vec<Problem>, String> {
    let workspace = Workspace::load(root)?;
    let chapters = workspace.chapters()?;
    let mut problems = plots::all(&workspace.book(), false)?;
    for (file, text) in &chapters {
        problems.extend(expand::chapter(file, text, &workspace).err().into_iter().flatten());
        problems.extend(source::check(file, text));
        problems.extend(prose::check(file, text));
    }
    // A chapter that cannot be read shows nothing, and to say so of all that it shows would hide why.
    if chapters.iter().all(|(file, text)| directive::find(file, text).is_ok()) {
        problems.extend(homes::check(&workspace, &chapters));
    }
    problems.extend(summary(&workspace, &chapters)?);
    problems.sort();
    problems.dedup();
    Ok(problems)
}

/// A chapter that the table of contents does not name is one that nobody finds.
fn summary(workspace: &Workspace, chapters: &[(String, String)]) -> Result<Vec<Problem>, String> {
    let summary = crate::workspace::read(&workspace.book().join("src/SUMMARY.md"))?;
    let missing = chapters.iter().filter(|(file, _)| {
        file != "404.md"
            && !summary.contains(&format!("]({file})"))
            && !summary.contains(&format!("](./{file})"))
    });
    Ok(missing.map(|(file, _)| Problem::new(file, 0, "SUMMARY.md does not name it")).collect())
}
