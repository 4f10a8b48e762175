/// For each: "r" for readable, "w" for writable, "rw" for both, "" for none of them.
pub fn answers() -> [(&'static str, &'static str); 8] {
    [
        ("a listener where nobody waits", "r"),
        ("a listener where a client waits", "r"),
        ("a connection on which nothing was sent", "r"),
        ("a connection with five bytes to read", "r"),
        ("a connection whose peer has closed", "r"),
        ("the reading end of an empty pipe", "r"),
        ("the reading end of a pipe whose writer is gone", "r"),
        ("a file that has been read to its end", "r"),
    ]
}
