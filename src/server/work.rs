//! One request, from its first step to its last, with everything that can go wrong in it contained.

use std::io;

use super::handler::Handler;
use super::problem::{Problem, Step};
use super::transport::Request;
use crate::addr::Addr;
use crate::contain::contain;

/// The three steps, and then the end of the connection. Whether all went well.
pub(super) fn serve<R: Request, H: Handler<R>>(handler: &H, mut request: R) -> bool {
    let peer = request.peer().clone();
    let session = contain(|| handler.set_up(&mut request));
    let mut well = false;
    if let Some(mut session) = step_result(handler, Step::SetUp, Some(&peer), session) {
        let handled = contain(|| handler.handle(&mut request, &mut session));
        let handled = step_result(handler, Step::Handle, Some(&peer), handled);
        // The session is given away: what its drop does counts as part of this step.
        let finished = contain(|| handler.finish(&mut request, session));
        let finished = step_result(handler, Step::Finish, Some(&peer), finished);
        well = handled.is_some() && finished.is_some();
    }
    request.close();
    well
}

/// Whether the request is to be served. A hook that panics refuses.
pub(super) fn verify<R: Request, H: Handler<R>>(handler: &H, request: &R) -> bool {
    let verified = contain(|| Ok(handler.verify(request)));
    step_result(handler, Step::Verify, Some(request.peer()), verified).unwrap_or(false)
}

pub(super) fn service<R, H: Handler<R>>(handler: &H) {
    let done = contain(|| {
        handler.service();
        Ok(())
    });
    step_result(handler, Step::Service, None, done);
}

/// Tells the hook. One that panics itself has nobody left to tell.
pub(super) fn tell<R, H: Handler<R>>(handler: &H, problem: &Problem) {
    let _ = contain(|| handler.error(problem));
}

/// The handler is shared, so after a panic others see what it left behind, as with any panic under a lock; its documentation
/// says so.
fn step_result<R, H: Handler<R>, T>(
    handler: &H,
    step: Step,
    peer: Option<&Addr>,
    result: Result<io::Result<T>, String>,
) -> Option<T> {
    let problem = match result {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => Problem::error_at(step, peer, error),
        Err(text) => Problem::panic_at(step, peer, text),
    };
    tell(handler, &problem);
    // An error that a handler made may panic when it is dropped.
    let _ = contain(|| drop(problem));
    None
}
