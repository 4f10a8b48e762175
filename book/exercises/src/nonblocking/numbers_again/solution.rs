/// What the server does with its descriptors from 5 on, in order: `accept 5` or `close 5`.
pub fn descriptors() -> Vec<&'static str> {
    vec![
        "accept 5", "accept 6", "close 5", "close 6",
        // The lowest number that is free. Who still had the old 5 in a list would now mean somebody else.
        "accept 5", "close 5",
    ]
}
