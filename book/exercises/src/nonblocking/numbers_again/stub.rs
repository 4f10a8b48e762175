/// What the server does with its descriptors from 5 on, in order: `accept 5` or `close 5`.
pub fn descriptors() -> Vec<&'static str> {
    vec!["accept 5"]
}
