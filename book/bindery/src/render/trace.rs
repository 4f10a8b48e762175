//! A trace: what the programs said and what the kernel heard, in one order, with the chapter's notes beside it.

use readysock_runs::record::{Event, Mark, Record};

use crate::html::{escape, id, inline};
use crate::render::steps::controls;
use crate::render::terminal::named;
use crate::workspace::Workspace;

/// What goes through the rows where scripts run, if nothing else is asked for.
const ELEMENT: &str = "trace-steps";

/// `NAME [as ELEMENT] [from TEXT] [to TEXT]`; the notes are a list.
pub fn trace(workspace: &Workspace, argument: &str, body: &str) -> Result<String, String> {
    let (name, part) = argument.split_once(' ').unwrap_or((argument, ""));
    let (element, part) = match part.strip_prefix("as ") {
        Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
        None => (ELEMENT, part),
    };
    if !workspace.book().join("theme").join(format!("{element}.js")).exists() {
        return Err(format!("there is no theme/{element}.js"));
    }
    let record = workspace.record("traces", name)?;
    let events = cut(&record, part)?;
    let mut notes: Vec<Option<String>> = vec![None; events.len()];
    for (wanted, text) in list(body)? {
        // The name of a call is about calls, also where a line has that word.
        let calls_only =
            events.iter().any(|event| event.mark == Mark::Call && is_about(event, &wanted));
        let place = events
            .iter()
            .zip(&notes)
            .position(|(event, note)| {
                let fits = event.mark == Mark::Call || !calls_only;
                note.is_none() && fits && is_about(event, &wanted)
            })
            .ok_or(format!("the trace {name} has no {wanted} left to explain"))?;
        notes[place] = Some(text);
    }
    let several = record.terminals().len() > 1;
    let rows: String = events
        .iter()
        .zip(&notes)
        .filter_map(|(event, note)| row(event, note.as_deref(), several))
        .collect();
    let label = id(name);
    Ok(format!(
        "<{element} class=\"trace\" data-trace=\"{label}\">\n\
         {}\
         <table><thead><tr><th scope=\"col\">What happened</th><th scope=\"col\">What it means</th></tr></thead>\
         <tbody>{rows}</tbody></table></{element}>",
        controls(&[])
    ))
}

/// The events from the first that has one text to the next that has the other.
pub fn cut<'a>(record: &'a Record, part: &str) -> Result<&'a [Event], String> {
    let (from, to) = match part.strip_prefix("from ") {
        Some(rest) => {
            rest.split_once(" to ").map_or((Some(rest), None), |(from, to)| (Some(from), Some(to)))
        }
        None => (None, part.strip_prefix("to ")),
    };
    if !part.is_empty() && from.is_none() && to.is_none() {
        return Err("write NAME as ELEMENT from TEXT to TEXT".to_owned());
    }
    let find = |events: &[Event], text: &str| {
        events
            .iter()
            .position(|event| event.text.contains(text))
            .ok_or(format!("no line of the trace has {text:?}"))
    };
    let start = from.map_or(Ok(0), |text| find(&record.events, text))?;
    let events = &record.events[start..];
    let end = to.map_or(Ok(events.len() - 1), |text| find(events, text))?;
    Ok(&events[..=end])
}

/// `- \`CALL\`: text`, a note each; the next lines of an item are indented.
fn list(body: &str) -> Result<Vec<(String, String)>, String> {
    let mut notes: Vec<(String, String)> = Vec::new();
    for line in body.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(item) = line.strip_prefix("- `") {
            let (call, text) =
                item.split_once("`: ").ok_or(format!("a note is - `CALL`: text, not {line:?}"))?;
            notes.push((call.to_owned(), text.to_owned()));
        } else if let (Some((_, text)), true) = (notes.last_mut(), line.starts_with("  ")) {
            *text += " ";
            *text += line.trim();
        } else {
            return Err(format!("a note is - `CALL`: text, not {line:?}"));
        }
    }
    Ok(notes)
}

fn is_about(event: &Event, wanted: &str) -> bool {
    match event.mark {
        Mark::Call => event.text.split('(').next() == Some(wanted),
        Mark::Said | Mark::Complained | Mark::Command | Mark::Typed => event.text.contains(wanted),
        Mark::Key => wanted.strip_prefix('^') == Some(&event.text),
        Mark::Ended => false,
    }
}

fn row(event: &Event, note: Option<&str>, several: bool) -> Option<String> {
    let text = named(&escape(&event.text));
    let (class, what) = match event.mark {
        Mark::Call => {
            let (call, rest) = text.split_once('(').unwrap_or((&text, ""));
            let (arguments, answer) = rest.rsplit_once(" = ").unwrap_or((rest, ""));
            ("call", format!("<code><b>{call}</b>({arguments} <i>= {answer}</i></code>"))
        }
        Mark::Said => ("says", format!("<samp>{text}</samp>")),
        Mark::Complained => ("says", format!("<samp class=\"complaint\">{text}</samp>")),
        Mark::Command => ("types", format!("<kbd>$ {}</kbd>", words(&escape(&event.text)))),
        Mark::Typed => ("types", format!("<kbd>{text}</kbd>")),
        Mark::Key => ("types", format!("<kbd>^{text}</kbd>")),
        Mark::Ended => return None,
    };
    let terminal = escape(&event.terminal);
    let who = match (event.mark, several) {
        (Mark::Call, _) => format!("<span class=\"who\">{terminal} &#8594; kernel</span> "),
        (_, true) => format!("<span class=\"who\">{terminal}</span> "),
        _ => String::new(),
    };
    let note = note.map(inline).unwrap_or_default();
    // What was recorded, as it was recorded: scripts read it here and need not take the cells apart.
    let text = escape(&event.text);
    Some(format!(
        "<tr class=\"{class}\" data-terminal=\"{terminal}\" data-text=\"{text}\"><td>{who}{what}</td><td>{note}</td></tr>"
    ))
}

/// A command breaks between its words, not after the hyphens in them.
fn words(html: &str) -> String {
    let words = html.split(' ').map(|word| format!("<span class=\"word\">{}</span>", named(word)));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let text = "s $ cargo run\ns > socket(AF_INET) = 3\ns | up\ns > listen(3, 10) = 0\ns > socket(AF_INET) = 4\ns = 0\n";
        Record::parse(text).expect("a record")
    }

    #[test]
    fn a_part_goes_from_one_text_to_the_next() {
        let record = record();
        assert_eq!(cut(&record, "").expect("all").len(), 6);
        assert_eq!(cut(&record, "from up").expect("the rest").len(), 4);
        assert_eq!(cut(&record, "from socket to listen").expect("a part").len(), 3);
        assert_eq!(cut(&record, "to up").expect("a part").len(), 3);
        cut(&record, "from nothing").expect_err("no such line");
        cut(&record, "until up").expect_err("not the words");
    }

    #[test]
    fn notes_are_items_of_a_list() {
        let notes = list("\n- `socket`: one\n  and more\n- `listen`: two\n").expect("two notes");
        assert_eq!(notes[0], ("socket".to_owned(), "one and more".to_owned()));
        assert_eq!(notes.len(), 2);
        list("text").expect_err("no list");
    }
}
