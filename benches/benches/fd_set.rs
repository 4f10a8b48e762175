//! fd_set: insertion and walks, beside C, nix and rustix.

mod common;

use readysock_benches::fd_set::{insert, iterate, walk_answer};
use readysock_benches::fixture::{Fixture, Share};

fn main() {
    let mut criterion = common::criterion();
    common::at_each_size(&mut criterion, "FdSet, insert all", &[Share::One], insert);
    common::at_each_size(&mut criterion, "FdSet, walk all", &[Share::One], iterate);
    common::at_each_size(&mut criterion, "Ready, walk all", &Share::EACH, walk_answer);
    let fixture = Fixture::one_at(963).expect("a descriptor");
    common::run(&mut criterion, "walk 1 ready of a set to 963", 1, walk_answer(&fixture));
    criterion.final_summary();
}
