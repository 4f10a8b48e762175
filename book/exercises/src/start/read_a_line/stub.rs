/// The call, and its answer: the number, or the name of a failure.
pub fn call_and_answer(_line: &str) -> Option<(&str, &str)> {
    None
}
