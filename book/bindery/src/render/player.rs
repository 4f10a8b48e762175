//! A recorded session of an echo server, step by step: both screens, the three lists and the queues, all of them
//! taken from the trace. `transcript-player` plays it; without scripts it is a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use readysock_runs::record::{Event, Mark};

use crate::html::{escape, id};
use crate::render::steps::controls;
use crate::render::terminal::named;
use crate::render::waits::{Wait, call, who};
use crate::workspace::Workspace;

/// `NAME`, a trace with the terminals `server` and `client`.
pub fn player(workspace: &Workspace, name: &str) -> Result<String, String> {
    let record = workspace.record("traces", name)?;
    if record.terminals() != ["server", "client"] {
        return Err(format!(
            "the player needs the terminals server and client, and {name} has others"
        ));
    }
    let steps = Session::new(&record.events).steps();
    let rows: String = steps.iter().map(Step::row).collect();
    Ok(format!(
        "<transcript-player class=\"player\" data-trace=\"{}\">\n{}\
         <div class=\"stage\" hidden><p class=\"now\"></p>\
         <section><h4>The server's screen</h4><pre tabindex=\"0\" role=\"region\" aria-label=\"The server's screen\" data-screen=\"server\"></pre></section>\
         <section><h4>The client's screen</h4><pre tabindex=\"0\" role=\"region\" aria-label=\"The client's screen\" data-screen=\"client\"></pre></section>\
         <section><h4>The three lists</h4><div data-panel=\"lists\"></div></section>\
         <section><h4>The queues</h4><div data-panel=\"queues\"></div></section></div>\
         <details open><summary>All {} steps, as a table</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"All steps\"><table>\
         <thead><tr><th scope=\"col\">What happens</th><th scope=\"col\">The three lists</th><th scope=\"col\">The queues</th></tr></thead>\
         <tbody>{rows}</tbody></table></div></details></transcript-player>",
        id(name),
        controls(&[("turn", "Next turn")]),
        steps.len()
    ))
}

#[derive(Default)]
struct Step {
    terminal: String,
    /// It begins a turn of the loop.
    turn: bool,
    what: String,
    call: Option<String>,
    said: Option<String>,
    lists: Option<String>,
    queues: Option<String>,
}

impl Step {
    fn row(&self) -> String {
        let call = self
            .call
            .as_ref()
            .map_or(String::new(), |call| format!(" <code>{}</code>", named(&escape(call))));
        let said = self
            .said
            .as_ref()
            .map_or(String::new(), |said| format!(" <samp>{}</samp>", named(&escape(said))));
        let turn = if self.turn { " data-turn" } else { "" };
        format!(
            "<tr data-terminal=\"{}\"{turn}><td><span class=\"what\">{}</span>{call}{said}</td><td>{}</td><td>{}</td></tr>",
            self.terminal,
            named(&self.what),
            self.lists.as_deref().unwrap_or_default(),
            self.queues.as_deref().unwrap_or_default()
        )
    }
}

struct Session<'a> {
    events: &'a [Event],
    /// Whose connection a descriptor of the server is.
    names: BTreeMap<usize, String>,
    queues: BTreeMap<usize, Vec<String>>,
    /// The wait whose answer is still to come.
    asleep: Option<Wait>,
    steps: Vec<Step>,
}

impl<'a> Session<'a> {
    fn new(events: &'a [Event]) -> Self {
        Self {
            events,
            names: BTreeMap::new(),
            queues: BTreeMap::new(),
            asleep: None,
            steps: Vec::new(),
        }
    }

    fn steps(mut self) -> Vec<Step> {
        for event in self.events {
            // A wait has its answer by the time its program goes on, and until then others may act.
            if event.terminal == "server"
                && let Some(wait) = self.asleep.take()
            {
                self.answer(&wait);
            }
            self.event(event);
        }
        self.steps
    }

    fn event(&mut self, event: &Event) {
        let mut step = Step { terminal: event.terminal.clone(), ..Step::default() };
        match event.mark {
            Mark::Said => return self.said(event),
            Mark::Call => match call(event) {
                Some(call) => return self.call(event, call),
                None => return,
            },
            Mark::Command => {
                step.what = format!("The {} is started.", event.terminal);
                step.said = Some(format!("$ {}", event.text));
            }
            Mark::Ended => step.what = format!("The {} has ended.", event.terminal),
            Mark::Complained | Mark::Key | Mark::Typed => return,
        }
        self.steps.push(step);
    }

    /// A line and the call that it is about are one step, whichever comes first.
    fn partner(&mut self, terminal: &str, fits: impl Fn(&Step) -> bool) -> Option<&mut Step> {
        self.steps.iter_mut().rev().find(|step| step.terminal == terminal).filter(|step| fits(step))
    }

    fn said(&mut self, event: &Event) {
        let text = &event.text;
        let about = ["received ", "connection from "].iter().any(|start| text.starts_with(start));
        if about
            && let Some(step) =
                self.partner(&event.terminal, |step| step.call.is_some() && step.said.is_none())
        {
            step.said = Some(text.clone());
            return;
        }
        let words = text.split(' ').collect::<Vec<_>>();
        let what = match words[..] {
            ["listening", ..] => "The server waits for clients to come.",
            ["waiting", ..] => "The server has nothing to do.",
            ["timed", ..] => "A quiet second has gone by.",
            [_, "queue", "empty"] => "It is writable and is owed nothing: out of the write list.",
            ["closing", _] => "All is said: the server closes its end.",
            [_, "received", ..] => "The client has its echo.",
            _ => "",
        };
        self.steps.push(Step {
            terminal: event.terminal.clone(),
            what: what.to_owned(),
            said: Some(text.clone()),
            ..Step::default()
        });
    }

    fn call(&mut self, event: &Event, (name, first, answer): (&str, Option<usize>, i64)) {
        let short = event.text.split(" = ").next().unwrap_or_default();
        let fd = first.unwrap_or_default();
        let length = usize::try_from(answer).unwrap_or(0);
        let server = event.terminal == "server";
        let mut step = Step {
            terminal: event.terminal.clone(),
            call: Some(event.text.clone()),
            ..Step::default()
        };
        match name {
            "listen" | "signalfd4" => return,
            "accept4" if server => {
                let port =
                    event.text.split("htons(").nth(1).and_then(|rest| rest.split(')').next());
                let port = port.unwrap_or("somebody").to_owned();
                step.what = format!(
                    "The connection from {port} becomes descriptor {answer}, with a queue of its own."
                );
                self.names.insert(length, port);
                self.queues.insert(length, Vec::new());
                step.call = Some(format!("accept4({fd}, ...) = {answer}"));
                step.queues = Some(self.queues());
            }
            "recvfrom" if server && length == 0 => {
                step.what = format!("Nothing to read, for ever: {} sends no more.", self.name(fd));
            }
            "recvfrom" if server => {
                step.what = format!(
                    "{length} bytes go from the kernel into the queue of {}.",
                    self.name(fd)
                );
                self.queues.entry(fd).or_default().push(text_of(&event.text));
                step.queues = Some(self.queues());
            }
            "sendto" if server => {
                let queue = self.queues.entry(fd).or_default();
                if !queue.is_empty() {
                    queue.remove(0);
                }
                let (what, queues) = (
                    format!("The head of the queue of {} goes out, {length} bytes.", self.name(fd)),
                    self.queues(),
                );
                if let Some(step) = self.partner("server", |step| {
                    step.call.is_none()
                        && step.said.as_ref().is_some_and(|said| said.starts_with("sending "))
                }) {
                    (step.what, step.call, step.queues) =
                        (what, Some(event.text.clone()), Some(queues));
                    return;
                }
                (step.what, step.queues) = (what, Some(queues));
            }
            "sendto" => {
                let what = format!("The client sends {length} bytes on its descriptor {fd}.");
                if let Some(step) = self.partner("client", |step| {
                    step.call.is_none()
                        && step.said.as_ref().is_some_and(|said| said.contains(" sending "))
                }) {
                    (step.what, step.call) = (what, Some(event.text.clone()));
                    return;
                }
                step.what = what;
            }
            "close" if self.queues.remove(&fd).is_some() => {
                step.what = format!("Descriptor {fd} is closed, and its queue is gone.");
                step.queues = Some(self.queues());
            }
            _ => match Wait::of(event) {
                Some(wait) => return self.ask(wait, short),
                None => return,
            },
        }
        self.steps.push(step);
    }

    fn ask(&mut self, wait: Wait, call: &str) {
        let lists = self.lists(&wait, false);
        let what = "The server asks about these, and sleeps.".to_owned();
        let call = Some(format!("{call} = ..."));
        match self.partner("server", |step| {
            step.call.is_none()
                && step.said.as_ref().is_some_and(|said| said.starts_with("waiting"))
        }) {
            Some(step) => (step.what, step.call, step.lists) = (what, call, Some(lists)),
            None => self.steps.push(Step {
                terminal: "server".into(),
                what,
                call,
                lists: Some(lists),
                ..Step::default()
            }),
        }
        self.asleep = Some(wait);
    }

    fn answer(&mut self, wait: &Wait) {
        let what = match wait.answer {
            0 => "select returns 0: the time is over.".to_owned(),
            many => format!("select returns {many}: the marked ones are ready."),
        };
        let lists = Some(self.lists(wait, true));
        self.steps.push(Step {
            terminal: "server".into(),
            turn: true,
            what,
            lists,
            ..Step::default()
        });
    }

    fn name(&self, descriptor: usize) -> String {
        let known = || who(self.events, "server", descriptor).map(str::to_owned);
        self.names
            .get(&descriptor)
            .cloned()
            .or_else(known)
            .unwrap_or_else(|| descriptor.to_string())
    }

    fn lists(&self, wait: &Wait, answered: bool) -> String {
        let mut html = String::new();
        for (list, name) in ["read", "write", "except"].into_iter().enumerate() {
            let mut items = String::new();
            for number in &wait.asked[list] {
                let name = named(&escape(&self.name(*number)));
                let ready = answered && wait.ready[list].contains(number);
                let item = if ready { format!("<mark>{name}</mark>") } else { name };
                write!(items, "{}{item}", if items.is_empty() { "" } else { ", " })
                    .expect("memory");
            }
            let items = if items.is_empty() { "nobody".to_owned() } else { items };
            write!(html, "<div><b>{name}</b> {items}</div>").expect("memory");
        }
        html
    }

    fn queues(&self) -> String {
        let mut html = String::new();
        for (descriptor, queue) in &self.queues {
            let items: Vec<String> =
                queue.iter().map(|text| format!("<q>{}</q>", escape(text))).collect();
            let items = if items.is_empty() { "empty".to_owned() } else { items.join(", ") };
            write!(html, "<div><b>{}</b> {items}</div>", named(&escape(&self.name(*descriptor))))
                .expect("memory");
        }
        if html.is_empty() { "<div>none</div>".to_owned() } else { html }
    }
}

/// What stands between the first quotes and the last.
fn text_of(call: &str) -> String {
    let inside = call.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
    inside.map_or(String::new(), |(text, _)| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use readysock_runs::record::Record;

    const SESSION: &str = "server $ run
server > listen(4, 9) = 0
server | listening on 127.0.0.1:PORT1
server | waiting for the next event
server > pselect6(5, [4], NULL, NULL, NULL, NULL) = 1 (in [4])
client $ run
client | 127.0.0.1:PORT1 sending a
client > sendto(3, \"a\", 1, 0, NULL, 0) = 1
server > accept4(4, {sin_port=htons(PORT2)}, [16], 0) = 5
server | connection from 127.0.0.1:PORT2
server | waiting for the next event
server > pselect6(6, [4 5], NULL, [5], NULL, NULL) = 1 (in [5])
server > recvfrom(5, \"a\", 1024, 0, NULL, NULL) = 1
server | received a from 127.0.0.1:PORT2
server | sending a to 127.0.0.1:PORT2
server > sendto(5, \"a\", 1, 0, NULL, 0) = 1
client | 127.0.0.1:PORT1 received a
server > close(5) = 0
";

    fn steps() -> Vec<Step> {
        let record = Record::parse(SESSION).expect("a record");
        Session::new(&record.events).steps()
    }

    #[test]
    fn the_answer_comes_when_the_server_goes_on() {
        let whats: Vec<String> = steps().into_iter().map(|step| step.what).collect();
        let place = |part: &str| whats.iter().position(|what| what.contains(part)).expect(part);
        assert!(place("asks") < place("The client sends"));
        assert!(place("The client sends") < place("select returns 1"));
        assert!(place("select returns 1") < place("becomes descriptor 5"));
    }

    #[test]
    fn a_queue_holds_what_was_received_until_it_is_sent() {
        let steps = steps();
        let queues: Vec<&str> = steps.iter().filter_map(|step| step.queues.as_deref()).collect();
        assert_eq!(queues.len(), 4, "accept, receive, send, close");
        assert!(queues[0].contains("empty") && queues[2].contains("empty"));
        assert!(queues[1].contains("<q>a</q>"), "{}", queues[1]);
        assert!(queues[3].contains("none"));
        let received =
            steps.iter().find(|step| step.queues.as_deref() == Some(queues[1])).expect("it");
        assert!(received.call.is_some() && received.said.is_some(), "the line belongs to its call");
    }

    #[test]
    fn what_is_ready_is_marked_once_it_is_known() {
        let lists: Vec<String> = steps().into_iter().filter_map(|step| step.lists).collect();
        assert_eq!(lists.len(), 4);
        assert!(!lists[2].contains("<mark>"));
        assert!(
            lists[3].contains(
                "<b>read</b> the listener, <mark><var class=\"name-2\">PORT2</var></mark>"
            ),
            "{}",
            lists[3]
        );
        assert!(lists[3].contains("<b>write</b> nobody"));
    }
}
