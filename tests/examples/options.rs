//! The programs of the chapter on options: each ends by itself and shows what it is there to show.

use std::collections::BTreeSet;
use std::fs;

use crate::all::keeps_to_the_form;
use crate::support::process::Program;
use readysock::sockopt;

const ALL: [&str; 4] = ["sockopt_table", "sndbuf", "reuse_addr", "linger"];

fn lines(program: &str, arguments: &[&str]) -> Vec<String> {
    Program::example(program, arguments).end().succeeded()
}

#[test]
fn the_list_is_the_table() {
    let lines = lines("sockopt_table", &["--list"]);
    let rows = sockopt::table().map(|row| {
        format!("{} {} {} {}", row.c_name(), row.c_level(), row.value(), row.direction())
    });
    assert_eq!(lines, rows.collect::<Vec<_>>());
    assert!(lines.iter().all(|line| line.split(' ').count() == 4));
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), 96);
}

#[test]
fn a_table_for_each_kind_of_socket() {
    for (kind, has, has_not) in [
        ("tcp", ["SO_TYPE", "TCP_NODELAY", "IP_TTL"], ["SO_PASSCRED", "UDP_CORK", "IPV6_V6ONLY"]),
        ("udp", ["SO_TYPE", "UDP_CORK", "IP_TTL"], ["TCP_NODELAY", "TCP_INFO", "IPV6_V6ONLY"]),
        ("unix", ["SO_TYPE", "SO_PASSCRED", "SO_PEERCRED"], ["IP_TTL", "UDP_CORK", "TCP_CORK"]),
    ] {
        let lines = lines("sockopt_table", &["--socket", kind]);
        assert!(lines[0].starts_with("name ") && lines[0].ends_with(" what it means"));
        let names: Vec<_> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        assert!(has.iter().all(|name| names.contains(name)), "{kind}: {names:?}");
        assert!(!has_not.iter().any(|name| names.contains(name)), "{kind}: {names:?}");
        // The columns are aligned: what it means begins in one place, unless a value is longer than its column.
        let column = lines[0].find("what it means").expect("a heading");
        let row = lines.iter().find(|line| line.starts_with("SO_KEEPALIVE ")).expect("a row");
        assert_eq!(row.find("ask a silent peer"), Some(column));
        assert!(lines.last().expect("a last line").contains("look: "));
    }
}

#[test]
fn before_and_after() {
    let set = ["--set", "SO_LINGER=900ms", "--set", "SO_SNDBUF=65535", "--set", "TCP_NODELAY=on"];
    let lines = lines("sockopt_table", &set);
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_eq!(lines[0], "SO_LINGER: before off, set to 900ms, after 1s");
    assert!(lines[1].starts_with("look: not what was asked for; SoLinger in "), "{}", lines[1]);
    let limit = fs::read_to_string("/proc/sys/net/core/wmem_max").expect("Linux has it");
    let got = 2 * limit.trim().parse::<usize>().expect("a number").min(65_535);
    assert!(lines[2].ends_with(&format!(", set to 65535, after {got}")), "{}", lines[2]);
    assert_eq!(lines[4], "TCP_NODELAY: before off, set to on, after on");
}

#[test]
fn a_value_that_is_none_is_one_line() {
    for (set, says) in [
        ("SO_LINGER=900", "write off, abort, or a time"),
        ("SO_LINGER=0s", "Linger::Abort"),
        ("SO_SNDBUF=2147483648", "ask for less"),
        ("SO_TYPE=1", "SO_TYPE can only be read"),
        ("IPV6_V6ONLY=on", "IPV6_V6ONLY=on: "),
    ] {
        let line = Program::example("sockopt_table", &["--set", set]).end().failed(1);
        assert!(line.contains(says), "{line}");
    }
    for set in ["SO_NO_SUCH=1", "SO_TYPE", "", "="] {
        let line = Program::example("sockopt_table", &["--set", set]).end().failed(2);
        assert!(line.contains("--set"), "{line}");
    }
    let line = Program::example("sockopt_table", &["--socket", "sctp"]).end().failed(2);
    assert!(line.contains("--socket"), "{line}");
}

#[test]
fn asked_and_got() {
    let limit = fs::read_to_string("/proc/sys/net/core/wmem_max").expect("Linux has it");
    let limit: usize = limit.trim().parse().expect("a number");
    let table = lines("sndbuf", &["--csv"]);
    assert_eq!(table[0], "asked,got");
    let rows: Vec<(usize, usize)> = table[1..]
        .iter()
        .map(|line| line.split_once(',').expect("two numbers"))
        .map(|(asked, got)| (asked.parse().expect("a number"), got.parse().expect("a number")))
        .collect();
    assert!(rows.len() > 20 && rows.is_sorted(), "{rows:?}");
    assert!(rows.contains(&(65_535, 131_070)) || limit < 65_535, "{rows:?}");
    assert!(rows.iter().all(|(asked, got)| *got >= asked.min(&limit) * 2), "{rows:?}");
    assert!(rows.iter().all(|(_, got)| *got <= limit.max(4096) * 2), "{rows:?}");
    let said = lines("sndbuf", &[]);
    assert_eq!(said.len(), table.len() + 1, "the same rows, and what to look at");
    for what in ["raised", "doubled", "cut to the limit"] {
        assert!(said.iter().any(|line| line.contains(what)), "{said:#?}");
    }
}

#[test]
fn one_restart_of_three_succeeds() {
    let lines = lines("reuse_addr", &[]);
    assert!(
        lines.iter().all(|line| line.starts_with("server | ") || line.starts_with("client | "))
    );
    let again: Vec<_> = lines.iter().filter_map(|line| line.split_once("starts again ")).collect();
    let [(_, first), (_, second), (_, third)] = again[..] else { panic!("{lines:#?}") };
    assert!(first.starts_with("without SO_REUSEADDR: Address already in use"), "{first}");
    assert!(second.starts_with("with SO_REUSEADDR: listening on 127.0.0.1:"), "{second}");
    assert!(third.starts_with("with SO_REUSEADDR: Address already in use"), "{third}");
}

#[test]
fn three_ways_to_close() {
    let lines = lines("linger", &[]);
    let seen: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("client | ")).collect();
    assert_eq!(seen.len(), 3, "{lines:#?}");
    assert_eq!(seen[..2], ["read all of it, then the end of the stream"; 2]);
    assert!(seen[2].starts_with("read a part of it, then Connection reset by peer"), "{}", seen[2]);
    let bound: Vec<_> = lines.iter().filter(|line| line.contains(" bind its port again")).collect();
    assert!(bound[..2].iter().all(|line| line.contains("may not bind")), "{bound:#?}");
    assert!(bound[2].contains("may bind its port again at once"), "{bound:#?}");
}

#[test]
fn they_keep_to_the_form_of_all_programs() {
    ALL.into_iter().for_each(keeps_to_the_form);
}
