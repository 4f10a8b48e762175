//! Whether two runs are the same run, but for what the scheduler decides.
//!
//! Lines are compared per connection, in order. A line is about the connection whose port it names, besides the
//! ports that somebody listens on; a system call is about the descriptor that it starts with. Where several
//! connections are at work, nobody knows whose turn it is, and how often a server had to wait: a line about no
//! connection counts once, and a wait by its name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use crate::record::{Event, Mark, Record};

static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(PORT|PID|TIME)\d+").expect("a pattern"));
static LISTENS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"listening on \S*(PORT\d+)").expect("a pattern"));
static CALL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?<call>\w+)\((?<fd>\d+)?").expect("a pattern"));

const WAITS: [&str; 8] =
    ["select", "pselect6", "poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2", "futex"];

/// A connection of one terminal, and what happened on it.
type Lines = (String, Vec<String>);

/// What two records of the same run have in common, whatever came first.
fn essence(record: &Record, vary: &[Regex]) -> Vec<Lines> {
    let listening: Vec<&str> = record
        .events
        .iter()
        .filter_map(|event| Some(LISTENS.captures(&event.text)?.get(1)?.as_str()))
        .collect();
    let mut groups: Vec<((String, String), Vec<String>)> = Vec::new();
    for event in &record.events {
        let (key, line, once) = about(event, &listening);
        let line = vary.iter().fold(line, |line, vary| vary.replace_all(&line, "…").into_owned());
        let key = (event.terminal.clone(), key);
        let place = groups.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        let lines = &mut groups[place].1;
        if !(once && lines.contains(&line)) {
            lines.push(line);
        }
    }
    let mut groups: Vec<Lines> = groups
        .into_iter()
        .map(|((terminal, _), lines)| (terminal, named_anew(&lines, &listening)))
        .collect();
    groups.sort();
    groups
}

/// What an event is about, the line that stands for it, and whether that counts once.
fn about(event: &Event, listening: &[&str]) -> (String, String, bool) {
    let line = format!("{:?} {}", event.mark, event.text);
    match event.mark {
        Mark::Said | Mark::Complained => {
            let mut ports = NAME.find_iter(&event.text).map(|found| found.as_str());
            match ports.find(|name| name.starts_with("PORT") && !listening.contains(name)) {
                Some(port) => (port.to_owned(), line, false),
                None if NAME.is_match(&event.text) => ("listener".to_owned(), line, false),
                None => (speaker(&event.text).to_owned(), line, true),
            }
        }
        Mark::Call => {
            let call = CALL.captures(&event.text);
            let part = |name| call.as_ref().and_then(|call| call.name(name)).map(|it| it.as_str());
            match (part("call"), part("fd")) {
                (Some(call), _) if WAITS.contains(&call) => {
                    ("waits".to_owned(), call.to_owned(), true)
                }
                (_, Some(fd)) => (format!("descriptor {fd}"), line, false),
                _ => ("calls".to_owned(), line, true),
            }
        }
        Mark::Command | Mark::Typed | Mark::Key | Mark::Ended => ("shell".to_owned(), line, false),
    }
}

/// Who says it, in a program that runs both ends.
fn speaker(text: &str) -> &str {
    text.split_once(" | ").map_or("", |(speaker, _)| speaker)
}

/// Names count from 1 within a connection; times are all the same.
fn named_anew(lines: &[String], listening: &[&str]) -> Vec<String> {
    let mut order: BTreeMap<String, usize> = BTreeMap::new();
    let mut rename = |found: &Captures<'_>| {
        let (name, kind) = (&found[0], &found[1]);
        if kind == "TIME" {
            return "TIME".to_owned();
        }
        if listening.contains(&name) {
            return "LISTENER".to_owned();
        }
        let next = order.len() + 1;
        format!("{kind}-{}", order.entry(name.to_owned()).or_insert(next))
    };
    lines.iter().map(|line| NAME.replace_all(line, &mut rename).into_owned()).collect()
}

/// What differs, in words, where something does.
pub fn difference(recorded: &Record, now: &Record, vary: &[Regex]) -> Option<String> {
    let (recorded, now) = (essence(recorded, vary), essence(now, vary));
    let only = |ours: &[Lines], others: &[Lines]| -> Vec<Lines> {
        let mut others = others.to_vec();
        let mut left = Vec::new();
        for lines in ours {
            match others.iter().position(|other| other == lines) {
                Some(place) => drop(others.remove(place)),
                None => left.push(lines.clone()),
            }
        }
        left
    };
    let (missing, new) = (only(&recorded, &now), only(&now, &recorded));
    if missing.is_empty() && new.is_empty() {
        return None;
    }
    let mut text = String::new();
    for (title, groups) in
        [("recorded, and not seen now", missing), ("seen now, and not recorded", new)]
    {
        for (terminal, lines) in groups {
            text += &format!("{title}, at {terminal}:\n  {}\n", lines.join("\n  "));
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(lines: &[&str]) -> Record {
        let mut record = Record::parse(&lines.join("\n")).expect("a record");
        crate::naming::name(&mut record);
        record
    }

    const RUN: [&str; 9] = [
        "s $ cargo run --example x",
        "s | listening on 127.0.0.1:10",
        "s | waiting",
        "s | connection from 127.0.0.1:20",
        "s | connection from 127.0.0.1:21",
        "s | received a from 127.0.0.1:20",
        "s | received b from 127.0.0.1:21",
        "s | waiting",
        "s = 0",
    ];

    #[test]
    fn the_scheduler_may_decide_as_it_likes() {
        let mut other = RUN.map(|line| line.replace(":2", ":7"));
        other.swap(5, 6);
        let mut other: Vec<&str> = other.iter().map(String::as_str).collect();
        other.insert(4, "s | waiting");
        assert_eq!(difference(&record(&RUN), &record(&other), &[]), None);
    }

    #[test]
    fn what_a_connection_says_may_not_change() {
        for (old, new) in [
            ("received a", "received c"),
            ("received a from 127.0.0.1:20", "received a from 127.0.0.1:21"),
            ("s = 0", "s = 1"),
            ("s | waiting", "s | hurrying"),
        ] {
            let other: Vec<String> = RUN.iter().map(|line| line.replace(old, new)).collect();
            let other: Vec<&str> = other.iter().map(String::as_str).collect();
            assert!(difference(&record(&RUN), &record(&other), &[]).is_some(), "{new}");
        }
        let mut other = RUN.to_vec();
        other.swap(3, 5);
        assert!(difference(&record(&RUN), &record(&other), &[]).is_some(), "the order");
        assert!(difference(&record(&RUN), &record(&RUN[..8]), &[]).is_some(), "cut short");
    }

    #[test]
    fn calls_are_compared_by_descriptor_and_waits_by_name() {
        let calls = |wait: &str, text: &str| {
            record(&[
                "s > accept4(4, {sin_port=htons(20)}) = 5",
                wait,
                &format!("s > recvfrom(5, \"{text}\", 1024) = 1"),
            ])
        };
        let (one, two) = ("s > pselect6(5, [4]) = 1 (in [4])", "s > pselect6(6, [4 5]) = 2");
        assert_eq!(difference(&calls(one, "a"), &calls(two, "a"), &[]), None);
        assert!(difference(&calls(one, "a"), &calls(one, "b"), &[]).is_some());
        assert!(difference(&calls(one, "a"), &calls("s > poll([]) = 1", "a"), &[]).is_some());
    }

    #[test]
    fn what_is_said_to_vary_may() {
        let got = |number: &str| record(&[&format!("s | got {number} bytes")]);
        let vary = [Regex::new("[0-9]+ bytes").expect("a pattern")];
        assert!(difference(&got("5"), &got("6"), &[]).is_some());
        assert_eq!(difference(&got("5"), &got("6"), &vary), None);
    }
}
