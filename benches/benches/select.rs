//! select(2) and the walk over its answer, beside C, libc, nix and rustix.

mod common;

use readysock_benches::fixture::Share;
use readysock_benches::select::{kept, rebuilt};

fn main() {
    let mut criterion = common::criterion();
    common::at_each_size(&mut criterion, "select, sets kept", &Share::EACH, kept);
    common::at_each_size(&mut criterion, "select, sets rebuilt", &Share::EACH, rebuilt);
    criterion.final_summary();
}
