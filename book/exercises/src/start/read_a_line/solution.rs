/// The call, and its answer: the number, or the name of a failure.
pub fn call_and_answer(line: &str) -> Option<(&str, &str)> {
    let (call, rest) = line.split_once('(')?;
    if !call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    // The last one: the bytes that were sent may hold an equals sign, too.
    let (_, answer) = rest.rsplit_once(") = ")?;
    let mut words = answer.split(' ');
    match words.next()? {
        "-1" => Some((call, words.next()?)),
        number => Some((call, number)),
    }
}
