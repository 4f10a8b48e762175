//! PollSet beside an array that a program keeps by hand.

mod common;

use readysock_benches::fixture::Share;
use readysock_benches::poll_set::wait;

fn main() {
    let mut criterion = common::criterion();
    common::at_each_size(&mut criterion, "PollSet, wait and take", &Share::EACH, wait);
    criterion.final_summary();
}
