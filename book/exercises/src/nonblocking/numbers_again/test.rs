#[test]
fn as_it_was_recorded() {
    let recorded = include_str!("../../../../traces/numbers_again.txt");
    let mut seen = Vec::new();
    for line in recorded.lines() {
        let number = |text: &str| -> u32 {
            text.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse().expect(line)
        };
        if line.starts_with("server > accept4(") {
            let (_, answer) = line.rsplit_once(" = ").expect("an answer");
            seen.push(format!("accept {}", number(answer)));
        } else if let Some(closed) = line.strip_prefix("server > close(")
            && number(closed) >= 5
        {
            seen.push(format!("close {}", number(closed)));
        }
    }
    assert_eq!(descriptors(), seen);
}
