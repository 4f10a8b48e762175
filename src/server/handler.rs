//! What one writes: the three steps of a request, and what the server asks and tells besides.

use std::fmt;
use std::io;

use super::problem::Problem;

/// What to do with a request: set up, handle, finish. `R` is a [`Stream`](super::Stream) or a
/// [`Datagram`](super::Datagram).
///
/// In the simple case it is a closure, `|stream: &mut Stream| -> io::Result<()>`. All requests share one handler, in the threaded
/// way at the same time; what belongs to one request only is its `Session`.
///
/// ```
/// use readysock::server::{Handler, Stream, TcpServer};
/// use std::io::{self, Write};
/// use std::time::{Duration, Instant};
///
/// struct Timed;
///
/// impl Handler<Stream> for Timed {
///     type Session = Instant;
///     fn set_up(&self, _: &mut Stream) -> io::Result<Instant> {
///         Ok(Instant::now())
///     }
///     fn handle(&self, stream: &mut Stream, _: &mut Instant) -> io::Result<()> {
///         stream.write_all(b"Thank you for connecting")
///     }
///     fn finish(&self, _: &mut Stream, since: Instant) -> io::Result<()> {
///         println!("that took {:?}", since.elapsed());
///         Ok(())
///     }
/// }
///
/// let server = TcpServer::bind(([127, 0, 0, 1], 0), Timed)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors and panics
///
/// An error or a panic in any of these ends that request and nothing else: it is told to [`error`](Handler::error), and the
/// connection is closed. (A program built with `panic = "abort"` ends, as it asked to.)
pub trait Handler<R> {
    /// What one request carries from step to step; `()` where nothing is.
    type Session;

    /// The first step. When it fails there is no session, and so neither of the others.
    fn set_up(&self, request: &mut R) -> io::Result<Self::Session>;

    /// The work.
    fn handle(&self, request: &mut R, session: &mut Self::Session) -> io::Result<()>;

    /// The last step, after each `handle`, also after one that failed or panicked (which may have left the session
    /// half-way).
    #[expect(unused_variables)]
    fn finish(&self, request: &mut R, session: Self::Session) -> io::Result<()> {
        Ok(())
    }

    /// Whether to serve this request at all. Asked by the server, before the way of working gets it: it has to be quick.
    ///
    /// A connection that is refused is closed at once, so that it holds nobody up: where the client goes on sending, it sees a reset.
    #[expect(unused_variables)]
    fn verify(&self, request: &R) -> bool {
        true
    }

    /// Told what went wrong, by whoever was at work then: in the threaded way the request's thread, in the
    /// forking way its child, and the server itself for its own troubles.
    #[expect(unused_variables)]
    fn error(&self, problem: &Problem) {}

    /// Called by [`serve_forever`](super::Server::serve_forever) after each pass: each time something has happened, and as often as
    /// [`service_every`](super::Builder::service_every) says.
    fn service(&self) {}
}

impl<R, F: Fn(&mut R) -> io::Result<()>> Handler<R> for F {
    type Session = ();

    fn set_up(&self, _: &mut R) -> io::Result<()> {
        Ok(())
    }

    fn handle(&self, request: &mut R, (): &mut ()) -> io::Result<()> {
        self(request)
    }
}

/// A handler, mostly a closure, with hooks that are closures too.
///
/// ```
/// use readysock::server::{Hooked, Stream, TcpServer};
/// use std::io::Write;
///
/// let handler = Hooked::new(|stream: &mut Stream| stream.write_all(b"hello"))
///     .on_error(|problem| eprintln!("{problem}"))
///     .on_verify(|stream: &Stream| stream.peer_addr().as_internet().is_some_and(|addr| addr.ip().is_loopback()));
/// let server = TcpServer::bind(([127, 0, 0, 1], 0), handler)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Hooked<H, V = (), E = (), S = ()> {
    handler: H,
    verify: V,
    error: E,
    service: S,
}

impl<H> Hooked<H> {
    /// Without hooks yet.
    pub fn new(handler: H) -> Hooked<H> {
        Hooked { handler, verify: (), error: (), service: () }
    }
}

impl<H, V, E, S> Hooked<H, V, E, S> {
    /// Asks this whether to serve a request: [`Handler::verify`].
    pub fn on_verify<R, F: Fn(&R) -> bool>(self, verify: F) -> Hooked<H, Call<F>, E, S> {
        let Hooked { handler, error, service, .. } = self;
        Hooked { handler, verify: Call(verify), error, service }
    }

    /// Tells this what went wrong: [`Handler::error`].
    pub fn on_error<F: Fn(&Problem)>(self, error: F) -> Hooked<H, V, Call<F>, S> {
        let Hooked { handler, verify, service, .. } = self;
        Hooked { handler, verify, error: Call(error), service }
    }

    /// Calls this after each pass: [`Handler::service`].
    pub fn on_service<F: Fn()>(self, service: F) -> Hooked<H, V, E, Call<F>> {
        let Hooked { handler, verify, error, .. } = self;
        Hooked { handler, verify, error, service: Call(service) }
    }
}

/// A hook of [`Hooked`].
#[derive(Clone, Debug)]
pub struct Call<F>(F);

mod hook {
    use super::{Call, Problem};

    pub trait Verify<R> {
        fn verify(&self, request: &R) -> Option<bool>;
    }
    pub trait Error {
        fn error(&self, problem: &Problem) -> bool;
    }
    pub trait Service {
        fn service(&self) -> bool;
    }
    impl<R> Verify<R> for () {
        fn verify(&self, _: &R) -> Option<bool> {
            None
        }
    }
    impl<R, F: Fn(&R) -> bool> Verify<R> for Call<F> {
        fn verify(&self, request: &R) -> Option<bool> {
            Some((self.0)(request))
        }
    }
    impl Error for () {
        fn error(&self, _: &Problem) -> bool {
            false
        }
    }
    impl<F: Fn(&Problem)> Error for Call<F> {
        fn error(&self, problem: &Problem) -> bool {
            (self.0)(problem);
            true
        }
    }
    impl Service for () {
        fn service(&self) -> bool {
            false
        }
    }
    impl<F: Fn()> Service for Call<F> {
        fn service(&self) -> bool {
            (self.0)();
            true
        }
    }
}

/// Where a hook is not given, the handler's own is called.
impl<R, H, V, E, S> Handler<R> for Hooked<H, V, E, S>
where
    H: Handler<R>,
    V: hook::Verify<R>,
    E: hook::Error,
    S: hook::Service,
{
    type Session = H::Session;

    fn set_up(&self, request: &mut R) -> io::Result<H::Session> {
        self.handler.set_up(request)
    }

    fn handle(&self, request: &mut R, session: &mut H::Session) -> io::Result<()> {
        self.handler.handle(request, session)
    }

    fn finish(&self, request: &mut R, session: H::Session) -> io::Result<()> {
        self.handler.finish(request, session)
    }

    fn verify(&self, request: &R) -> bool {
        self.verify.verify(request).unwrap_or_else(|| self.handler.verify(request))
    }

    fn error(&self, problem: &Problem) {
        if !self.error.error(problem) {
            self.handler.error(problem);
        }
    }

    fn service(&self) {
        if !self.service.service() {
            self.handler.service();
        }
    }
}

impl<H, V, E, S> fmt::Debug for Hooked<H, V, E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooked").finish_non_exhaustive()
    }
}
