//! What each line in double braces becomes.

pub mod code;
pub mod exercise;
pub mod figure;
pub mod terminal;
pub mod trace;
