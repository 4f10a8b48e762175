//! An exercise: its text, where its stub is, the command that tries it, and the solution, folded.

use crate::html::{escape, id};
use crate::render::code::fenced;
use crate::workspace::Workspace;

/// How long it takes, or what it asks for. Every section has one of each.
pub const KINDS: [&str; 3] = ["ten minutes", "half an hour", "predict the output"];

/// `CHAPTER/NAME: KIND`.
pub fn parts(argument: &str) -> Result<(&str, &str), String> {
    let (name, kind) = argument.split_once(": ").ok_or("write CHAPTER/NAME: KIND")?;
    if !KINDS.contains(&kind) {
        return Err(format!("an exercise is one of: {}", KINDS.join(", ")));
    }
    Ok((name, kind))
}

pub fn exercise(
    workspace: &Workspace,
    argument: &str,
    body: &str,
    number: usize,
) -> Result<String, String> {
    let (name, kind) = parts(argument)?;
    let solution = workspace.exercise(name, "solution.rs")?;
    for file in ["stub.rs", "test.rs"] {
        workspace.exercise(name, file)?;
    }
    if body.trim().is_empty() {
        return Err(format!("the exercise {name} has no text"));
    }
    let (_, short) = name.split_once('/').ok_or("write CHAPTER/NAME: KIND")?;
    let label = format!("exercise-{}", id(name));
    Ok(format!(
        "<section class=\"exercise\" aria-labelledby=\"{label}\">\n\
         <p class=\"kind\" id=\"{label}\">Exercise {number}: {kind}</p>\n\n\
         {}\n\n\
         <p class=\"path\">Write it in <code>book/exercises/src/{}/stub.rs</code>, then try it:</p>\n\n\
         ```sh\ncargo exercise {short}\n```\n\n\
         <details class=\"solution\">\n<summary>Solution</summary>\n\n{}\n\n</details>\n</section>",
        body.trim(),
        escape(name),
        fenced("rust,ignore", &solution)
    ))
}
