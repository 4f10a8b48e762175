//! Socket options against the kernel and against other crates.

mod against_nix;
mod against_socket2;
mod behaviour;
mod calls;
mod datagrams;
mod gate;
mod properties;
#[path = "../support/mod.rs"]
mod support;
mod values;
