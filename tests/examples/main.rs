//! The example programs, as a reader runs them.

mod all;
mod echo_servers;
mod event_loop;
mod options;
mod python;
mod select;
mod servers;
#[path = "../support/mod.rs"]
mod support;
