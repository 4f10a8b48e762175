//! A transcript: what was typed and what was said, one terminal below the other.

use readysock_runs::record::{Event, Mark, Record};
use regex_lite::{Captures, Regex};

use crate::html::{escape, id};
use crate::workspace::Workspace;

pub fn transcript(workspace: &Workspace, name: &str) -> Result<String, String> {
    let record = workspace.record("transcripts", name)?;
    let terminals = record.terminals();
    let figures =
        terminals.iter().map(|terminal| figure(name, &record, terminal, terminals.len() > 1));
    Ok(figures.collect::<Vec<_>>().join("\n"))
}

fn figure(name: &str, record: &Record, terminal: &str, several: bool) -> String {
    let lines = record.events.iter().filter(|event| event.terminal == terminal).filter_map(line);
    let lines: Vec<String> = lines.collect();
    let title =
        if several { format!("Terminal: {}", escape(terminal)) } else { "Recorded run".to_owned() };
    // Long ones are scrolled: with a tab stop, by the keyboard too.
    format!(
        "<figure class=\"terminal\" id=\"transcript-{}-{}\"><figcaption>{title}</figcaption>\
         <pre tabindex=\"0\" role=\"region\" aria-label=\"{title}: {}\">{}</pre></figure>",
        id(name),
        id(terminal),
        escape(name),
        lines.join("&#10;")
    )
}

/// One line of a terminal; the end of a program is seen by its prompt only.
fn line(event: &Event) -> Option<String> {
    let text = named(&escape(&event.text));
    match event.mark {
        Mark::Command => {
            Some(format!("<span class=\"prompt\" aria-hidden=\"true\">$ </span><kbd>{text}</kbd>"))
        }
        Mark::Said => Some(format!("<samp>{text}</samp>")),
        Mark::Complained => Some(format!("<samp class=\"complaint\">{text}</samp>")),
        Mark::Typed => Some(format!("<kbd>{text}</kbd>")),
        Mark::Key => Some(format!("<kbd>^{text}</kbd>")),
        Mark::Ended if event.text != "0" => {
            Some(format!("<span class=\"status\">exit status {text}</span>"))
        }
        Mark::Ended | Mark::Call => None,
    }
}

/// Marks the names that stand for what is another in each run.
pub fn named(html: &str) -> String {
    let name = Regex::new(r"\b(PORT|PID|TIME)(\d+)\b").expect("a pattern");
    name.replace_all(html, |found: &Captures<'_>| {
        format!("<var class=\"name-{}\">{}</var>", &found[2], &found[0])
    })
    .into_owned()
}
