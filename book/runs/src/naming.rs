//! Ports, processes and times are others in each run: they get names, by their first appearance.

use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use crate::record::Record;

/// What is named, and where in a line it is found: the named group `it`.
static KINDS: LazyLock<[(&str, Regex); 4]> = LazyLock::new(|| {
    let found = |pattern| Regex::new(pattern).expect("a pattern");
    [
        (
            "PORT",
            found(
                r"(?:(?:127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|localhost):|htons\()(?<it>[1-9]\d*)",
            ),
        ),
        ("PID", found(r"\b(?:pid|process|child|[a-z_]*fork\(\) =) (?<it>[1-9]\d*)")),
        ("TIME", found(r"\bleft (?<it>\{tv_sec=\d+, tv_nsec=\d+\})")),
        ("TIME", found(r"\bafter (?<it>\d+(?:\.\d+)? (?:ms|µs|s))\b")),
    ]
});

/// The names that were given, in their order.
#[derive(Default)]
pub struct Names {
    given: Vec<(&'static str, String)>,
}

impl Names {
    pub fn name(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (kind, pattern) in KINDS.iter() {
            text = pattern
                .replace_all(&text, |found: &Captures<'_>| {
                    let (whole, it) = (found.get(0).expect("a match"), &found["it"]);
                    let place = found.name("it").expect("a group").range();
                    let start = &whole.as_str()[..place.start - whole.start()];
                    let end = &whole.as_str()[place.end - whole.start()..];
                    format!("{start}{}{end}", self.of(kind, it))
                })
                .into_owned();
        }
        text
    }

    fn of(&mut self, kind: &'static str, it: &str) -> String {
        if !self.given.iter().any(|(other, value)| *other == kind && value == it) {
            self.given.push((kind, it.to_owned()));
        }
        let of_kind = self.given.iter().filter(|(other, _)| *other == kind);
        let number = of_kind.take_while(|(_, value)| value != it).count() + 1;
        format!("{kind}{number}")
    }
}

/// All names of a record are given anew.
pub fn name(record: &mut Record) {
    let mut names = Names::default();
    for event in &mut record.events {
        event.text = names.name(&event.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_appear_is_number_one() {
        let mut names = Names::default();
        for (text, named) in [
            ("listening on 127.0.0.1:41641", "listening on 127.0.0.1:PORT1"),
            ("from [::1]:5 to 127.0.0.1:41641", "from [::1]:PORT2 to 127.0.0.1:PORT1"),
            ("sin_port=htons(5)", "sin_port=htons(PORT2)"),
            ("bind to 127.0.0.1:0, htons(0)", "bind to 127.0.0.1:0, htons(0)"),
            ("in process 77 and child 5", "in process PID1 and child PID2"),
            ("left {tv_sec=0, tv_nsec=12})", "left TIME1)"),
            ("answered after 10.25 ms", "answered after TIME2"),
            ("version 12, 29 bytes", "version 12, 29 bytes"),
        ] {
            assert_eq!(names.name(text), named);
        }
    }
}
