//! Calls that may panic and are not to take others with them.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Makes a call; where it panics, what the panic said.
///
/// What the call left half done stays so: who contains it answers for that.
#[inline]
pub(crate) fn contain<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(text)
}

#[cold]
fn text(panic: Box<dyn Any + Send>) -> String {
    let text = match panic.downcast_ref::<&str>() {
        Some(text) => Some((*text).to_owned()),
        None => panic.downcast_ref::<String>().cloned(),
    };
    // What a panic throws may panic again when it is dropped; that one is let go.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(again);
    }
    text.unwrap_or_else(|| "(a value that is no text)".into())
}
