//! What strace(1) wrote, cut to what matters: the calls that were asked for, on the program's own descriptors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::record::Mark;

static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?<pid>\d+) +(?<time>\d+\.\d+) (?<what>.*)$").expect("a pattern")
});
static RESUMED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^<\.\.\. \w+ resumed>(?<rest>.*)$").expect("a pattern"));
static CALL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?<call>\w+)\((?<fd>\d+)?(?<rest>.*?) += (?<answer>-?\d+|\?)(?<more>.*)$")
        .expect("a pattern")
});

/// Calls that make a descriptor of the program's own; `close`, `fcntl` and the like count only on those.
const MAKERS: [&str; 9] = [
    "socket",
    "accept",
    "accept4",
    "eventfd2",
    "signalfd4",
    "epoll_create1",
    "timerfd_create",
    "socketpair",
    "pipe2",
];
const COMMON: [&str; 6] = ["close", "read", "write", "fcntl", "dup", "ioctl"];

/// One thing that was seen, and when, in seconds.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub time: f64,
    pub mark: Mark,
    pub text: String,
}

/// The arguments that make strace write this, to `file`.
pub fn arguments(file: &str, calls: &[String]) -> Vec<String> {
    let mut traced: BTreeSet<&str> = calls.iter().map(String::as_str).collect();
    traced.extend(["write"]);
    traced.extend(MAKERS);
    let traced: Vec<&str> = traced.into_iter().collect();
    ["-f", "-ttt", "-s", "4096", "-o", file, "-e"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("trace={}", traced.join(",")), "-e".to_owned(), "signal=none".to_owned()])
        .collect()
}

/// What the program said and what it asked, in its own order.
pub fn read(text: &str, calls: &[String]) -> Vec<Seen> {
    let mut pending: BTreeMap<String, (f64, String)> = BTreeMap::new();
    // What is typed is the program's own, too.
    let mut owned: BTreeSet<String> = BTreeSet::from(["0".to_owned()]);
    let mut seen = Vec::new();
    for line in text.lines() {
        let Some(parts) = LINE.captures(line) else { continue };
        let (pid, what) = (parts["pid"].to_owned(), &parts["what"]);
        let time = parts["time"].parse().unwrap_or(0.0);
        if let Some(start) = what.strip_suffix(" <unfinished ...>") {
            pending.insert(pid, (time, start.to_owned()));
            continue;
        }
        // A call has the time at which it began, however many threads there are.
        let (time, whole) = match RESUMED.captures(what) {
            Some(resumed) => {
                let (began, start) = pending.remove(&pid).unwrap_or((time, String::new()));
                (began, start + &resumed["rest"])
            }
            None => (time, what.to_owned()),
        };
        if let Some(call) = CALL.captures(&whole) {
            take(&call, time, calls, &mut owned, &mut seen);
        }
    }
    seen
}

fn take(
    parts: &regex_lite::Captures<'_>,
    time: f64,
    calls: &[String],
    owned: &mut BTreeSet<String>,
    seen: &mut Vec<Seen>,
) {
    let call = &parts["call"];
    let fd = parts.name("fd").map(|fd| fd.as_str());
    let (rest, answer, more) = (&parts["rest"], &parts["answer"], &parts["more"]);
    if let ("write", Some(fd @ ("1" | "2"))) = (call, fd) {
        let mark = if fd == "1" { Mark::Said } else { Mark::Complained };
        let text = unescaped(rest);
        seen.extend(text.lines().map(|line| Seen { time, mark, text: line.to_owned() }));
        return;
    }
    // What is typed into it comes from a descriptor that it was born with.
    let own = fd.is_some_and(|fd| owned.contains(fd) || (call, fd) == ("read", "0"));
    match call {
        "close" => drop(fd.map(|fd| owned.remove(fd))),
        "socketpair" | "pipe2" => {
            let numbers = Regex::new(r"\d+").expect("a pattern");
            let pair = rest.split_once('[').map_or("", |(_, pair)| pair);
            owned.extend(numbers.find_iter(pair).map(|fd| fd.as_str().to_owned()));
        }
        _ if MAKERS.contains(&call) => drop(owned.insert(answer.to_owned())),
        _ => {}
    }
    // A debug build of std asks whether a descriptor is still open before it closes it.
    let noise = (COMMON.contains(&call) && !own) || rest.contains("F_GETFD");
    if calls.iter().any(|wanted| wanted == call) && !noise {
        let text = format!("{call}({}{rest} = {answer}{more}", fd.unwrap_or_default());
        seen.push(Seen { time, mark: Mark::Call, text: text.trim_end().to_owned() });
    }
}

/// The bytes of a C string in `, "...", 29)`.
fn unescaped(rest: &str) -> String {
    let start = rest.find('"').map_or(rest.len(), |place| place + 1);
    let end = rest.rfind('"').unwrap_or(rest.len());
    let mut bytes = Vec::new();
    let mut inside = rest.get(start..end).unwrap_or_default().bytes().peekable();
    while let Some(byte) = inside.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match inside.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'r') => bytes.push(b'\r'),
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    if let Some(next) = inside.next_if(|next| matches!(next, b'0'..=b'7')) {
                        value = value * 8 + u32::from(next - b'0');
                    }
                }
                bytes.push(u8::try_from(value).unwrap_or(b'?'));
            }
            Some(other) => bytes.push(other),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[&str], calls: &[&str]) -> Vec<String> {
        let text: Vec<String> =
            lines.iter().enumerate().map(|(time, line)| format!("7 {time}.5 {line}")).collect();
        let calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
        read(&text.join("\n"), &calls).into_iter().map(|seen| seen.text).collect()
    }

    #[test]
    fn only_what_was_asked_for_on_descriptors_of_its_own() {
        let lines = [
            "close(3)        = 0",
            "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3",
            "write(1, \"a \\\"b\\\"\\nc\\303\\251\\n\", 9) = 9",
            "fcntl(3, F_GETFD) = 0x1 (flags FD_CLOEXEC)",
            "pselect6(5, [3 4], NULL, NULL, {tv_sec=0, tv_nsec=5}, NULL) = 1 (in [4], left {tv_sec=0, tv_nsec=4})",
            "recvfrom(5, \"x = 1\", 1024, 0, NULL, NULL) = 5",
            "connect(3, {sa_family=AF_INET}, 16) = -1 EINPROGRESS (Operation now in progress)",
            "close(3)        = 0",
            "close(3)        = 0",
            "read(0, \"hi\\n\", 1024) = 3",
            "read(9, \"\\177ELF\", 832) = 832",
            "+++ exited with 0 +++",
        ];
        assert_eq!(
            seen(&lines, &["close", "read", "pselect6", "recvfrom", "connect", "fcntl"]),
            [
                "a \"b\"",
                "cé",
                "pselect6(5, [3 4], NULL, NULL, {tv_sec=0, tv_nsec=5}, NULL) = 1 (in [4], left {tv_sec=0, tv_nsec=4})",
                "recvfrom(5, \"x = 1\", 1024, 0, NULL, NULL) = 5",
                "connect(3, {sa_family=AF_INET}, 16) = -1 EINPROGRESS (Operation now in progress)",
                "close(3) = 0",
                "read(0, \"hi\\n\", 1024) = 3",
            ]
        );
    }

    #[test]
    fn a_call_that_another_thread_interrupts_is_put_together() {
        let text = "7 1.0 accept4(4,  <unfinished ...>\n8 1.5 listen(4, 1) = 0\n7 2.0 <... accept4 resumed>NULL, NULL, 0) = 5\n";
        let calls = ["accept4".to_owned(), "listen".to_owned()];
        let seen: Vec<String> = read(text, &calls).into_iter().map(|seen| seen.text).collect();
        assert_eq!(seen, ["listen(4, 1) = 0", "accept4(4, NULL, NULL, 0) = 5"]);
    }
}
