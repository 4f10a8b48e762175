//! The event loop: every case over every backend. `cargo test --test reactor epoll::` runs those of one.
//!
//! Each case has a process of its own: some close descriptors behind the reactor's back, some lower limits or catch signals.

mod closes;
mod connect;
mod datagrams;
mod defaults;
mod edges;
mod endings;
mod fairness;
mod foreign;
mod lines;
mod marks;
mod panics;
mod refused;
mod registrations;
mod resets;
mod selector;
mod signals;
mod sources;
mod stopping;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod timers;
mod tools;

use std::collections::BTreeSet;

use readysock::reactor::Backend;
use support::isolated::Case;

/// Every case, once for each backend.
macro_rules! suite {
    ($($file:ident: $($case:ident),* $(,)?;)*) => {
        const CASES: &[Case] = &[
            ("no_name_is_there_twice", no_name_is_there_twice),
            $($(
                (concat!("select::", stringify!($case)), || $file::$case(Backend::Select)),
                (concat!("poll::", stringify!($case)), || $file::$case(Backend::Poll)),
                (concat!("epoll::", stringify!($case)), || $file::$case(Backend::Epoll)),
            )*)*
        ];
    };
}

include!("cases.rs");

fn main() {
    support::isolated::main(CASES)
}

/// A case is found by its name, without its file: of two files that have the same, one case would run twice and the other never.
fn no_name_is_there_twice() {
    let mut names = BTreeSet::new();
    for (name, _) in CASES {
        assert!(names.insert(name), "{name}");
    }
}
