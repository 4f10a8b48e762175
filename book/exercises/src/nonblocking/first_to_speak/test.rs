use std::time::Duration;

use readysock::{Domain, Socket, Type};

fn pairs() -> (Vec<Socket>, Vec<Socket>) {
    (0..3).map(|_| Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair")).unzip()
}

#[test]
fn who_speaks_is_found() {
    let (near, far) = pairs();
    far[2].send_all(b"hello").expect("room");
    let found = first_to_speak(&near, Duration::from_secs(20)).expect("an answer");
    assert_eq!(found, Some(2));
    assert_eq!(near[2].recv(&mut [0; 8]).expect("it is still there"), 5);
}

#[test]
fn who_leaves_speaks_too() {
    let (near, mut far) = pairs();
    far.remove(1);
    assert_eq!(first_to_speak(&near, Duration::from_secs(20)).expect("an answer"), Some(1));
}

#[test]
fn silence_has_an_end() {
    let (near, _far) = pairs();
    assert_eq!(first_to_speak(&near, Duration::from_millis(10)).expect("an answer"), None);
}
