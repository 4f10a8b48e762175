//! The Rust blocks of the book's chapters, for rustdoc to compile and run: `cargo test --package readysock-listings`.
//! `examples/` has what the book shows in Python, C and Rust side by side.

#[cfg(doctest)]
mod chapters {
    include!(concat!(env!("OUT_DIR"), "/book/src/modules.rs"));
}
