//! Which tests are run for which files.

/// Files, and the tests that are meant to hold them. All tests for each mutant would take a day.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) files: &'static [&'static str],
    /// What is run first, for it is soon built and finds most; none where `tests` are no more than that. What follows a
    /// `--` goes to the tests.
    pub(super) first: &'static [&'static str],
    /// What is run where that finds nothing.
    pub(super) tests: &'static [&'static str],
}

pub(super) const GROUPS: [Group; 10] = [
    Group {
        name: "byte_order",
        files: &["src/byte_order.rs"],
        first: &[],
        tests: &["--test=byte_order"],
    },
    Group {
        name: "select",
        files: &[
            "src/fd_set.rs",
            "src/select.rs",
            "src/sys/fd_set.rs",
            "src/sys/select.rs",
            "src/sys/words.rs",
        ],
        first: &["--test=fd_set", "--test=select"],
        tests: &[
            "--lib",
            "--test=fd_set",
            "--test=limits",
            "--test=no_heap",
            "--test=readiness",
            "--test=select",
            "--test=signals",
            "--test=timeouts",
        ],
    },
    Group {
        name: "poll",
        files: &["src/poll.rs", "src/poll_set.rs", "src/slab.rs", "src/sys/poll.rs"],
        first: &["--test=poll", "--test=poll_set"],
        tests: &[
            "--lib",
            "--test=limits",
            "--test=no_heap",
            "--test=poll",
            "--test=poll_set",
            "--test=readiness",
            "--test=signals",
            "--test=timeouts",
        ],
    },
    Group {
        name: "time",
        files: &["src/timeout.rs", "src/sys/time.rs", "src/sys/mod.rs"],
        first: &["--test=timeouts"],
        tests: &[
            "--lib",
            "--test=epoll",
            "--test=epoll_isolated",
            "--test=signals",
            "--test=timeouts",
            "--test=socket",
        ],
    },
    Group {
        name: "socket",
        files: &[
            "src/addr.rs",
            "src/addr/*.rs",
            "src/socket.rs",
            "src/socket/*.rs",
            "src/sys/addr.rs",
            "src/sys/socket.rs",
        ],
        first: &["--test=addr", "--test=socket"],
        tests: &[
            "--lib",
            "--test=addr",
            "--test=contract",
            // What is there for servers only.
            "--test=server",
            "--test=server_isolated",
            "--test=socket",
            "--test=socket_isolated",
        ],
    },
    Group {
        name: "sockopt",
        files: &["src/sockopt/*.rs", "src/sys/sockopt.rs"],
        first: &["--test=sockopt", "--test=sockopt_table"],
        tests: &[
            "--lib",
            "--test=contract",
            "--test=sockopt",
            "--test=sockopt_answers",
            "--test=sockopt_isolated",
            "--test=sockopt_table",
        ],
    },
    Group {
        name: "server",
        files: &[
            "src/accept.rs",
            "src/contain.rs",
            "src/drain.rs",
            "src/server/*.rs",
            "src/sys/process.rs",
        ],
        first: &["--test=server"],
        tests: &["--lib", "--test=server", "--test=server_isolated"],
    },
    Group {
        name: "epoll",
        files: &["src/epoll.rs", "src/holders.rs", "src/sys/epoll.rs"],
        first: &["--test=epoll"],
        tests: &["--lib", "--test=epoll*", "--test=reactor"],
    },
    Group {
        name: "loop",
        files: &[
            "src/reactor/connection.rs",
            "src/reactor/epoll.rs",
            "src/reactor/pass.rs",
            "src/reactor/poll.rs",
            "src/reactor/select.rs",
            "src/reactor/selector.rs",
            "src/reactor/source.rs",
        ],
        first: &["--test=reactor", "--", "select::"],
        tests: &["--lib", "--test=reactor"],
    },
    Group {
        name: "reactor",
        files: &[
            "src/reactor/connect.rs",
            "src/reactor/dispatcher.rs",
            "src/reactor/handle.rs",
            "src/reactor/line.rs",
            "src/reactor/listen.rs",
            "src/reactor/mod.rs",
            "src/reactor/problem.rs",
            "src/reactor/protocol.rs",
            "src/reactor/signals.rs",
            "src/reactor/timers.rs",
            "src/reactor/transport.rs",
            "src/reactor/watch.rs",
            "src/sys/signal.rs",
        ],
        first: &["--test=reactor", "--", "select::"],
        tests: &["--lib", "--test=reactor"],
    },
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::GROUPS;

    #[test]
    fn every_file_is_in_a_group() {
        let root = crate::root();
        let in_a_group = |file: &str| {
            GROUPS.iter().flat_map(|group| group.files).any(|pattern| {
                match pattern.split_once('*') {
                    Some((start, end)) => file.starts_with(start) && file.ends_with(end),
                    None => *pattern == file,
                }
            })
        };
        let mut folders = vec![root.join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let file = path.strip_prefix(root).expect("below the root").display().to_string();
                // No functions, or only those of tests.
                let without =
                    ["src/lib.rs", "src/man.rs", "src/must_not_compile.rs", "src/addr/tests.rs"];
                assert!(in_a_group(&file) || without.contains(&file.as_str()), "{file}");
            }
        }
    }
}
