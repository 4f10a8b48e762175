//! What a trace says of each wait in select: the sets before and after, bit by bit; and who the numbers are.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use readysock_runs::record::{Event, Mark};
use regex_lite::Regex;

/// Its sets as the call has them: read, write, except.
pub struct Wait {
    pub nfds: usize,
    pub asked: [BTreeSet<usize>; 3],
    pub ready: [BTreeSet<usize>; 3],
    pub answer: usize,
}

static WAIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^p?select6?\((?<nfds>\d+), (?<r>\[[\d ]*\]|NULL), (?<w>\[[\d ]*\]|NULL), (?<x>\[[\d ]*\]|NULL), .*\) = (?<answer>\d+)(?<more>.*)$",
    )
    .expect("a pattern")
});

impl Wait {
    /// None where the event is none, or one that failed.
    pub fn of(event: &Event) -> Option<Self> {
        let parts = WAIT.captures(&event.text).filter(|_| event.mark == Mark::Call)?;
        let more = &parts["more"];
        let answered = |name: &str| {
            let rest = more.split_once(&format!("{name} ["));
            rest.and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list)
        };
        Some(Self {
            nfds: parts["nfds"].parse().ok()?,
            asked: [&parts["r"], &parts["w"], &parts["x"]].map(numbers),
            ready: ["in", "out", "except"].map(answered).map(numbers),
            answer: parts["answer"].parse().ok()?,
        })
    }
}

fn numbers(list: &str) -> BTreeSet<usize> {
    let list = list.trim_matches(['[', ']']);
    list.split(' ').filter_map(|number| number.parse().ok()).collect()
}

/// The call's name, its first number, and its answer.
pub fn call(event: &Event) -> Option<(&str, Option<usize>, i64)> {
    if event.mark != Mark::Call {
        return None;
    }
    let (name, rest) = event.text.split_once('(')?;
    let (arguments, answer) = rest.rsplit_once(") = ")?;
    let first = arguments.split([',', ')']).next().and_then(|first| first.parse().ok());
    Some((name, first, answer.split(' ').next()?.parse().ok()?))
}

/// What the program uses a descriptor for, as far as the trace shows it.
pub fn who(events: &[Event], terminal: &str, descriptor: usize) -> Option<&'static str> {
    const STANDARD: [&str; 3] = ["standard input", "standard output", "standard error"];
    if let Some(name) = STANDARD.get(descriptor) {
        return Some(name);
    }
    events.iter().filter(|event| event.terminal == terminal).filter_map(call).find_map(
        |(name, first, answer)| {
            let made = usize::try_from(answer).is_ok_and(|made| made == descriptor);
            match name {
                "listen" if first == Some(descriptor) => Some("the listener"),
                "accept4" if made => Some("the connection"),
                "signalfd4" if made => Some("Ctrl-C"),
                "sendto" | "connect" if first == Some(descriptor) => Some("the client's socket"),
                _ => None,
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_bit_by_bit() {
        let event =
            |text: &str| Event { terminal: "s".into(), mark: Mark::Call, text: text.into() };
        let wait = Wait::of(&event(
            "pselect6(6, [3 5], [5], NULL, {tv_sec=0, tv_nsec=0}, NULL) = 2 (in [5], out [5], left TIME1)",
        ))
        .expect("a wait");
        assert_eq!((wait.nfds, wait.answer), (6, 2));
        assert_eq!(wait.asked.map(Vec::from_iter), [vec![3, 5], vec![5], vec![]]);
        assert_eq!(wait.ready.map(Vec::from_iter), [vec![5], vec![5], vec![]]);
        let timed_out = event("pselect6(4, [3], NULL, NULL, {tv_sec=1}, NULL) = 0 (Timeout)");
        assert!(Wait::of(&timed_out).expect("a wait").ready.iter().all(BTreeSet::is_empty));
        assert!(Wait::of(&event("recvfrom(5, \"x\", 1, 0, NULL, NULL) = 1")).is_none());
    }

    #[test]
    fn a_descriptor_is_known_by_what_is_done_with_it() {
        let text = "s > signalfd4(-1, [INT], 8, 0) = 3\ns > listen(4, 1) = 0\ns > accept4(4, NULL, NULL, 0) = 5\n";
        let events = readysock_runs::record::Record::parse(text).expect("a record").events;
        assert_eq!(who(&events, "s", 3), Some("Ctrl-C"));
        assert_eq!(who(&events, "s", 4), Some("the listener"));
        assert_eq!(who(&events, "s", 5), Some("the connection"));
        assert_eq!(who(&events, "s", 6), None);
        assert_eq!(who(&events, "t", 4), None);
    }
}
