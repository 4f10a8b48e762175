//! The sets of each select of a trace, before and after, descriptor by descriptor: what `fd-set-steps` steps through.

use std::fmt::Write as _;

use readysock_runs::record::{Event, Mark};

use crate::html::{escape, id};
use crate::render::steps::controls;
use crate::render::trace::cut;
use crate::render::waits::{Wait, who};
use crate::workspace::Workspace;

const LISTS: [&str; 3] = ["read", "write", "except"];

/// `NAME`, or a part of it as in `{{trace}}`.
pub fn fdset(workspace: &Workspace, argument: &str) -> Result<String, String> {
    let (name, part) = argument.split_once(' ').unwrap_or((argument, ""));
    let record = workspace.record("traces", name)?;
    let events = cut(&record, part)?;
    let mut bodies = String::new();
    for (place, event) in events.iter().enumerate() {
        if let Some(wait) = Wait::of(event) {
            let before = events[..place].iter().rfind(|event| event.mark == Mark::Said);
            bodies += &body(&wait, event, before, &record.events);
        }
    }
    if bodies.is_empty() {
        return Err(format!("there is no select in this part of {name}"));
    }
    let head: String = LISTS.iter().map(|list| format!("<th scope=\"col\">{list}</th>")).collect();
    Ok(format!(
        "<fd-set-steps class=\"fdset\" data-trace=\"{}\">\n{}\
         <table><thead><tr><th scope=\"col\">descriptor</th>{head}<th scope=\"col\">what the kernel does</th></tr></thead>\
         {bodies}</table></fd-set-steps>",
        id(name),
        controls(&[]),
    ))
}

/// One call: what is asked, each number below nfds, and what is returned.
fn body(wait: &Wait, event: &Event, before: Option<&Event>, all: &[Event]) -> String {
    let call = event.text.split(" = ").next().unwrap_or_default();
    let after = before.map_or(String::new(), |event| {
        format!("<span class=\"after\">after <samp>{}</samp></span> ", escape(&event.text))
    });
    let mut rows = format!(
        "<tr class=\"asks\"><th colspan=\"5\" scope=\"rowgroup\">{after}<code>{}</code></th></tr>",
        escape(call)
    );
    for number in 0..wait.nfds {
        let asked = [0, 1, 2].map(|list| wait.asked[list].contains(&number));
        let ready = [0, 1, 2].map(|list| wait.ready[list].contains(&number));
        let cells: String =
            asked.iter().zip(ready).map(|(asked, ready)| cell(*asked, ready)).collect();
        let who = who(all, &event.terminal, number)
            .map_or(String::new(), |who| format!(" <span>{who}</span>"));
        write!(
            rows,
            "<tr><th scope=\"row\">{number}{who}</th>{cells}<td>{}</td></tr>",
            sentence(asked, ready)
        )
        .expect("memory");
    }
    let end = wait.nfds;
    write!(
        rows,
        "<tr class=\"returns\"><td colspan=\"5\">nfds is {end}: {end} and all above are not looked at. \
         Bits left: {0}, so the answer is <code>{0}</code>.</td></tr>",
        wait.answer
    )
    .expect("memory");
    format!("<tbody>{rows}</tbody>")
}

fn cell(asked: bool, ready: bool) -> String {
    let (before, after) = (u8::from(asked), u8::from(ready));
    if asked {
        format!(
            "<td class=\"asked\">{before}<span class=\"becomes\"> &#8594; <b>{after}</b></span></td>"
        )
    } else {
        format!("<td>{before}</td>")
    }
}

fn sentence(asked: [bool; 3], ready: [bool; 3]) -> String {
    let names = |which: [bool; 3]| -> String {
        let names: Vec<&str> = ["readable", "writable", "exceptional"]
            .into_iter()
            .zip(which)
            .filter_map(|(name, is)| is.then_some(name))
            .collect();
        names.join(", ")
    };
    if !asked.contains(&true) {
        return "nobody asks: skipped".to_owned();
    }
    if !ready.contains(&true) {
        return format!("{}? no", names(asked));
    }
    let not = [0, 1, 2].map(|list| asked[list] && !ready[list]);
    match not.contains(&true) {
        true => format!("{}; not {}", names(ready), names(not)),
        false => names(ready),
    }
}
