#[test]
fn as_it_was_recorded() {
    let recorded = include_str!("../../../../transcripts/two_sockets.txt");
    let lines = recorded.lines().filter_map(|line| line.strip_prefix("shell | client | "));
    assert_eq!(client_lines(), lines.collect::<Vec<_>>());
}
