//! poll(2) beside libc, nix and rustix, and with the walk over its answer beside C.

mod common;

use readysock_benches::fixture::Share;
use readysock_benches::poll::{Wait, call, walk};

fn main() {
    let mut criterion = common::criterion();
    for wait in Wait::EACH {
        common::at_each_size(&mut criterion, wait.name(), &Share::EACH, |fixture| {
            call(fixture, wait)
        });
    }
    common::at_each_size(&mut criterion, "poll and walk", &Share::EACH, walk);
    criterion.final_summary();
}
