/// For each: "r" for readable, "w" for writable, "rw" for both, "" for none of them.
pub fn answers() -> [(&'static str, &'static str); 8] {
    [
        ("a listener where nobody waits", ""),
        ("a listener where a client waits", "r"),
        ("a connection on which nothing was sent", "w"),
        ("a connection with five bytes to read", "rw"),
        // A read gets 0 bytes, and at once. A write, too, would be taken: the peer's kernel will refuse it later.
        ("a connection whose peer has closed", "rw"),
        ("the reading end of an empty pipe", ""),
        ("the reading end of a pipe whose writer is gone", "r"),
        // Of a file select knows nothing: it is always ready. Here the notes promise too much.
        ("a file that has been read to its end", "rw"),
    ]
}
