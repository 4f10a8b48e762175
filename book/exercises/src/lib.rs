//! The book's exercises. Each has a stub to fill in, a test, and a solution.
//!
//! `cargo exercise NAME` runs the test of one exercise on what you have written in its `stub.rs`;
//! `cargo test --package exercises` runs all tests on the solutions.

/// A chapter's exercises: for each a module with the stub, the solution, and the test of both.
macro_rules! exercises {
    ($($name:ident)*) => {$(
        pub mod $name {
            pub mod solution;
            pub mod stub;

            #[cfg(all(test, not(feature = "mine")))]
            mod solved {
                use super::solution::*;
                include!(concat!(stringify!($name), "/test.rs"));
            }

            #[cfg(all(test, feature = "mine"))]
            mod mine {
                use super::stub::*;
                include!(concat!(stringify!($name), "/test.rs"));
            }
        }
    )*};
}

pub mod nonblocking;
pub mod start;
