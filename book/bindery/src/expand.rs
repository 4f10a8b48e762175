//! A chapter with everything that is made put into its place.

use crate::Problem;
use crate::directive::{self, Directive};
use crate::render;
use crate::workspace::Workspace;

/// The chapter's Markdown, or all that is wrong with it.
pub fn chapter(file: &str, text: &str, workspace: &Workspace) -> Result<String, Vec<Problem>> {
    let mut expanded = String::new();
    let mut problems = Vec::new();
    let mut place = 0;
    let directives = directive::find(file, text)?;
    let mut exercises = 0;
    for directive in &directives {
        expanded += &text[place..directive.range.start];
        place = directive.range.end;
        exercises += usize::from(directive.name == "exercise");
        match one(directive, exercises, workspace) {
            Ok(made) => expanded += &made,
            Err(problem) => problems.push(Problem::new(file, directive.line, problem)),
        }
    }
    expanded += &text[place..];
    if problems.is_empty() { Ok(expanded) } else { Err(problems) }
}

fn one(directive: &Directive<'_>, number: usize, workspace: &Workspace) -> Result<String, String> {
    let Directive { name, argument, body, .. } = directive;
    if argument.is_empty() {
        return Err(format!("{{{{{name}}}}} of what?"));
    }
    match *name {
        "example" => render::code::example(workspace, argument),
        "code" => render::code::code(workspace, argument),
        "transcript" => render::terminal::transcript(workspace, argument),
        "trace" => render::trace::trace(workspace, argument, body),
        "fdset" => render::fdset::fdset(workspace, argument),
        "player" => render::player::player(workspace, argument),
        "listing" => render::code::listing(workspace, argument),
        "figure" => render::figure::figure(workspace, argument),
        "plot" => render::figure::plot(workspace, argument),
        _ => render::exercise::exercise(workspace, argument, body, number),
    }
}
