//! A recorded run as text: `TERMINAL MARK TEXT`, one line for each thing that happened, in its order.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub terminal: String,
    pub mark: Mark,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// What the reader types.
    Command,
    /// A line of standard output.
    Said,
    /// A line of standard error.
    Complained,
    /// A system call and its answer.
    Call,
    /// A line typed into the program.
    Typed,
    /// A key, `C` for Ctrl-C, `D` for Ctrl-D.
    Key,
    /// The exit status.
    Ended,
}

const MARKS: [(Mark, &str); 7] = [
    (Mark::Command, "$"),
    (Mark::Said, "|"),
    (Mark::Complained, "!"),
    (Mark::Call, ">"),
    (Mark::Typed, "<"),
    (Mark::Key, "^"),
    (Mark::Ended, "="),
];

impl Mark {
    fn symbol(self) -> &'static str {
        MARKS.iter().find(|(mark, _)| *mark == self).expect("all are listed").1
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub events: Vec<Event>,
}

impl Record {
    pub fn parse(text: &str) -> Result<Self, String> {
        let event = |(number, line): (usize, &str)| {
            let mut parts = line.splitn(3, ' ');
            let terminal = parts.next().unwrap_or_default().to_owned();
            let symbol = parts.next().unwrap_or_default();
            let (mark, _) = MARKS
                .iter()
                .find(|(_, known)| *known == symbol)
                .ok_or(format!("line {}: no mark in {line:?}", number + 1))?;
            Ok(Event { terminal, mark: *mark, text: parts.next().unwrap_or_default().to_owned() })
        };
        Ok(Self { events: text.lines().enumerate().map(event).collect::<Result<_, String>>()? })
    }

    /// The terminals in the order of their first appearance.
    pub fn terminals(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for event in &self.events {
            if !found.contains(&event.terminal.as_str()) {
                found.push(&event.terminal);
            }
        }
        found
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Event { terminal, mark, text } in &self.events {
            let line = format!("{terminal} {} {text}", mark.symbol());
            // A line that ends in a space would be mended by the next editor that sees it.
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let text =
            "a $ cargo run\na | one  two\na > close(3) = 0\nb ! no\na < in\na ^ C\na = 0\na |\n";
        let record = Record::parse(text).expect("a record");
        assert_eq!(record.to_string(), text);
        assert_eq!(record.terminals(), ["a", "b"]);
        assert_eq!(record.events[1].text, "one  two");
        assert!(Record::parse("a b c").is_err_and(|text| text.contains("line 1")));
    }
}
