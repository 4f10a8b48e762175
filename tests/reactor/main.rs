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
            ("the_backends_have_the_same_cases", the_backends_have_the_same_cases),
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

fn the_backends_have_the_same_cases() {
    let of = |backend: &str| -> BTreeSet<&str> {
        CASES.iter().filter_map(|(name, _)| name.strip_prefix(backend)).collect()
    };
    let [select, poll, epoll] = ["select::", "poll::", "epoll::"].map(of);
    assert_eq!(select, poll);
    assert_eq!(poll, epoll);
    assert_eq!(3 * epoll.len() + 1, CASES.len(), "a name is there twice");
}
