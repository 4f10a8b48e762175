//! Servers, in one process.

mod closes;
mod files;
mod lifetime;
mod packets;
mod streams;
#[path = "../support/mod.rs"]
mod support;
