#[test]
fn lines_of_all_kinds() {
    for (line, expected) in [
        ("listen(4, 1024) = 0", Some(("listen", "0"))),
        ("recvfrom(5, \"a) = 1\", 1024, 0, NULL, NULL) = 6", Some(("recvfrom", "6"))),
        ("connect(3, {sa_family=AF_INET}, 16) = -1 EINPROGRESS (Operation now in progress)", Some(("connect", "EINPROGRESS"))),
        ("pselect6(5, [3 4], NULL, NULL, NULL, NULL) = 1 (in [4])", Some(("pselect6", "1"))),
        ("listening on 127.0.0.1:10001", None),
        ("", None),
    ] {
        assert_eq!(call_and_answer(line), expected, "{line}");
    }
}

#[test]
fn the_whole_trace_of_the_page() {
    let recorded = include_str!("../../../../traces/first_run.txt");
    let mut calls = 0;
    for line in recorded.lines() {
        let (_, event) = line.split_once(' ').expect("a terminal");
        let (mark, text) = event.split_once(' ').unwrap_or((event, ""));
        if mark == ">" {
            let (call, answer) = call_and_answer(text).unwrap_or_else(|| panic!("{text}"));
            assert!(text.starts_with(call) && answer.parse::<u32>().is_ok(), "{text}");
            calls += 1;
        } else {
            assert_eq!(call_and_answer(text), None, "{text}");
        }
    }
    assert!(calls > 10);
}
