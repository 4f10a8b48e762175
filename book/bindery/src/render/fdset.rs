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

#[cfg(test)]
mod tests {
    use super::*;
    use readysock_runs::record::Record;

    #[test]
    fn each_number_below_nfds_has_its_row() {
        let text = "s > listen(3, 1) = 0\ns | up\ns > pselect6(6, [3 5], [5], NULL, NULL, NULL) = 1 (in [5])\n";
        let record = Record::parse(text).expect("a record");
        let wait = Wait::of(&record.events[2]).expect("a wait");
        let html = body(&wait, &record.events[2], Some(&record.events[1]), &record.events);
        assert_eq!(html.matches("scope=\"row\"").count(), 6);
        assert!(html.contains("after <samp>up</samp>") && html.contains("nfds is 6"), "{html}");
        assert!(html.contains("3 <span>the listener</span>"), "{html}");
        assert_eq!(html.matches("&#8594; <b>1</b>").count(), 1, "one bit is left");
        assert_eq!(html.matches("&#8594; <b>0</b>").count(), 2, "and two are cleared");
    }

    #[test]
    fn what_the_kernel_finds_is_said_in_words() {
        let (all, none) = ([true; 3], [false; 3]);
        assert_eq!(sentence(none, none), "nobody asks: skipped");
        assert_eq!(sentence(all, none), "readable, writable, exceptional? no");
        assert_eq!(sentence(all, [true, true, false]), "readable, writable; not exceptional");
        assert_eq!(sentence([true, false, false], [true, false, false]), "readable");
    }
}
