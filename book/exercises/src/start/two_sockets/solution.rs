/// What the client prints with two sockets, without `client | `, and with `PORT1` for the port.
pub fn client_lines() -> Vec<&'static str> {
    vec![
        "127.0.0.1:PORT1 sending This is the message version 1",
        "127.0.0.1:PORT1 sending This is the message version 2",
        "127.0.0.1:PORT1 received This is the message version 1",
        "127.0.0.1:PORT1 received This is the message version 2",
        "127.0.0.1:PORT1 sending It will be sent version 3",
        "127.0.0.1:PORT1 sending It will be sent version 4",
        "127.0.0.1:PORT1 received It will be sent version 3",
        "127.0.0.1:PORT1 received It will be sent version 4",
        "127.0.0.1:PORT1 sending in parts  version 5",
        "127.0.0.1:PORT1 sending in parts  version 6",
        "127.0.0.1:PORT1 received in parts  version 5",
        "127.0.0.1:PORT1 received in parts  version 6",
    ]
}
