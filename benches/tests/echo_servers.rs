//! Every server of the bench echoes: connections that talk, beside connections that do not.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use readysock_benches::echo::{Load, PEERS, Server, processors};

#[test]
fn every_peer_echoes() {
    let program = Path::new(env!("CARGO_BIN_EXE_reactor"));
    let cpu = processors().expect("the processors of this process")[0];
    let mut missing = 0;
    for peer in PEERS {
        let who = format!("{} on {}", peer.name, peer.backend);
        if let Some(why) = peer.missing() {
            println!("skipped: {who}: {why}");
            missing += 1;
            continue;
        }
        let server = Server::start(program, &peer, cpu).expect(&who);
        let mut load = Load::connect(server.addr, 20, 100).expect(&who);
        load.begin().expect(&who);
        load.run(Duration::from_millis(10)).expect(&who);
        assert!(!load.times().is_empty(), "{who}: no answer");
        assert!(server.cpu().expect(&who) > Duration::ZERO, "{who} has done nothing");
        assert!(server.peak().expect(&who) > 100, "{who} is not there");
    }
    assert!(missing <= 3, "only what is in Python may be missing");
}

#[test]
fn too_few_descriptors_are_an_error_that_says_what_to_do() {
    let mut bench = Command::new("sh");
    bench.args(["-c", "ulimit -n 1000 && exec \"$0\" 1", env!("CARGO_BIN_EXE_reactor")]);
    let output = bench.output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(said.contains("1000 descriptors") && said.contains("`ulimit -Hn 10100`"), "{said}");
}
