/// What the client prints with two sockets, without `client | `, and with `PORT1` for the port.
pub fn client_lines() -> Vec<&'static str> {
    vec!["127.0.0.1:PORT1 sending This is the message version 1"]
}
