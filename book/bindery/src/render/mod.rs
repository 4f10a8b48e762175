//! What each line in double braces becomes.

pub mod code;
pub mod exercise;
pub mod fdset;
pub mod figure;
pub mod player;
pub mod steps;
pub mod terminal;
pub mod trace;
pub mod waits;
