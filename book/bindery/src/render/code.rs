//! Programs: the header of an example, parts of its source, and the same thing in three languages.

use std::fmt::Write as _;

use readysock_runs::listing::languages;

use crate::html::{escape, id, inline};
use crate::workspace::Workspace;

/// Where an example is, what it is for, and how to run it.
pub fn example(workspace: &Workspace, name: &str) -> Result<String, String> {
    let example =
        workspace.examples.get(name).ok_or_else(|| format!("there is no example {name}"))?;
    let (title, path) = (inline(&example.title), escape(&example.path));
    Ok(format!(
        "<div class=\"example\" id=\"example-{}\">\n<p>{title}</p>\n<p class=\"path\"><code>{path}</code></p>\n\n\
         ```sh\n{}\n```\n\n</div>",
        id(name),
        example.commands
    ))
}

/// `NAME ANCHOR`, or `NAME` for the whole program.
pub fn code(workspace: &Workspace, argument: &str) -> Result<String, String> {
    let (name, anchor) = match argument.split_once(' ') {
        Some((name, anchor)) => (name, Some(anchor.trim())),
        None => (argument, None),
    };
    let code = workspace.code(name, anchor)?;
    if code.trim().is_empty() {
        return Err(format!("there is no line of code in {argument}"));
    }
    // It is compiled where it is from, as an example.
    Ok(fenced("rust,ignore", &code))
}

pub fn fenced(info: &str, code: &str) -> String {
    let fence = if code.contains("```") { "~~~~" } else { "```" };
    format!("{fence}{info}\n{}\n{fence}", code.trim_end())
}

/// The programs, one below the other; with scripts, `listing-tabs` shows one at a time.
pub fn listing(workspace: &Workspace, name: &str) -> Result<String, String> {
    if workspace.examples.contains_key(name) {
        return Err(format!("{name} is an example already: a listing needs another name"));
    }
    let common = workspace.listing(name, "output.txt").ok();
    let languages = languages(name, &workspace.root);
    if languages.is_empty() {
        return Err(format!("there is no listing {name}"));
    }
    // One language alone needs no tabs.
    let element = if languages.len() > 1 { "listing-tabs" } else { "div" };
    let mut html = format!("<{element} data-name=\"{}\">\n", id(name));
    for (language, file) in &languages {
        let code = workspace.listing(name, file)?;
        let info = match *language {
            "Rust" => "rust,ignore".to_owned(),
            other => other.to_lowercase(),
        };
        write!(
            html,
            "<div class=\"listing\" data-language=\"{language}\">\n<p class=\"language\">{language}</p>\n\n{}\n\n",
            fenced(&info, &code)
        )
        .expect("memory");
        if common.is_none() {
            let said =
                workspace.listing(name, &format!("output.{}.txt", language.to_lowercase()))?;
            html += &output(&format!("{language} prints"), &said);
        }
        html += "</div>\n";
    }
    if let Some(said) = common {
        let who = match languages[..] {
            [(only, _)] => format!("{only} prints"),
            [(one, _), (other, _)] => format!("{one} and {other} print"),
            _ => "All three print".to_owned(),
        };
        html += &output(&who, &said);
    }
    write!(html, "</{element}>").expect("memory");
    Ok(html)
}

fn output(title: &str, said: &str) -> String {
    format!(
        "<figure class=\"terminal\"><figcaption>{title}</figcaption><pre><samp>{}</samp></pre></figure>\n",
        escape(said.trim_end())
    )
}
