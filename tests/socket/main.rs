//! Sockets.

mod basics;
mod connect;
#[path = "../support/mod.rs"]
mod support;
mod transfer;
