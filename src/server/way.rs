//! The second axis: how requests are worked on. In turn here; threads and processes in files of their own.

use std::io;
use std::num::NonZeroUsize;
use std::ops::Deref;

use super::handler::Handler;
use super::transport::Request;
use super::work;

pub(super) use self::sealed::{Ended, Refused};

/// Work in turn: the next request is taken when the one before is done.
#[derive(Clone, Copy, Debug)]
pub struct InTurn(());

/// How a server works: [`InTurn`], [`Threads`](super::Threads) or [`Processes`](super::Processes).
pub trait Way: sealed::Way {}

/// A way of working that can take these requests to this handler. Only [`Threads`](super::Threads) asks for more than
/// `Handler`: that it is `Send`, `Sync` and `'static`.
pub trait Works<R, H>: Way + sealed::Works<R, H> {}

pub(super) mod sealed {
    use super::super::transport::Endpoint;
    use super::{Deref, NonZeroUsize, io};
    use crate::poll::PollFd;

    /// What a way has to tell of work that has ended.
    pub(in crate::server) type Ended = io::Result<()>;

    /// A request that could not be started, and why. It is not lost.
    #[derive(Debug)]
    pub struct Refused<R> {
        pub request: R,
        pub error: io::Error,
    }

    pub trait Way: Sized {
        /// How the handler is kept: shared only where threads share it.
        type Held<H>: Deref<Target = H>;

        /// The way, for at most so many requests at a time; threads may be left alone at the end.
        fn make(limit: NonZeroUsize, detached: bool) -> io::Result<Self>;
        fn hold<H>(handler: H) -> Self::Held<H>;
        /// Refuses before the first request what would refuse each of them.
        fn check(&self) -> io::Result<()> {
            Ok(())
        }
        /// Whether another request may be started.
        fn has_room(&self) -> bool {
            true
        }
        /// How many are at work and will be waited for.
        fn in_hand(&self) -> usize {
            0
        }
        /// The descriptors that become ready when work ends.
        fn watch<'a>(&'a self, _: &mut Vec<PollFd<'a>>) {}
        /// Whether some work can end without a descriptor telling so.
        fn blind(&self) -> bool {
            false
        }
        /// Takes in what has ended, without waiting, and tells what ended badly. Whether there was any.
        fn reap(&mut self, _: &mut dyn FnMut(Ended)) -> bool {
            false
        }
        /// Ends the work in hand by force, as far as that can be done.
        fn cut(&mut self) {}
        /// Lets go of what did not end even so.
        fn abandon(&mut self) {}
    }

    pub trait Works<R, H>: Way {
        fn start(
            &mut self,
            request: R,
            handler: &Self::Held<H>,
            endpoint: &mut Endpoint,
        ) -> Result<(), Refused<R>>;
    }
}

impl Way for InTurn {}

impl sealed::Way for InTurn {
    type Held<H> = Box<H>;

    fn make(_: NonZeroUsize, _: bool) -> io::Result<InTurn> {
        Ok(InTurn(()))
    }

    fn hold<H>(handler: H) -> Box<H> {
        Box::new(handler)
    }
}

impl<R: Request, H: Handler<R>> Works<R, H> for InTurn {}

impl<R: Request, H: Handler<R>> sealed::Works<R, H> for InTurn {
    fn start(
        &mut self,
        request: R,
        handler: &Box<H>,
        _: &mut super::transport::Endpoint,
    ) -> Result<(), Refused<R>> {
        work::serve(&**handler, request);
        Ok(())
    }
}
