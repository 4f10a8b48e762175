//! What the programs of the server chapter share: both ends in one program, or the server alone.

use std::io;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use clap::Parser;
use nix::sys::signalfd::SignalFd;
use readysock::server::{Handler, Server, Transport, Works};
use readysock::{Addr, Domain, Events, PollFd, Socket, Type, poll};

use super::{Ended, Place, Say, seconds};

/// A server and its clients in one program, or the server alone.
#[derive(Parser)]
pub struct ServeArguments {
    /// Keep the server up, there: HOST:PORT or unix:PATH. Without it both ends run here
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<Place>,
    /// Quiet time after which a server that is kept up ends
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds, allow_negative_numbers = true)]
    pub timeout: Duration,
}

impl ServeArguments {
    /// Where the server is to be: `or`, where nothing is said.
    pub fn address(&self, or: impl Into<Addr>) -> io::Result<Addr> {
        self.listen.as_ref().map_or_else(|| Ok(or.into()), Place::address)
    }

    /// How the server talks: with a prefix where its client talks too.
    pub fn say(&self) -> Say {
        if self.listen.is_some() { Say::plain() } else { Say::with_prefix("server | ") }
    }

    /// With `--listen` serves until nothing has come for a while, or Ctrl-C. Without, serves until `client` is done.
    pub fn serve<T, H, W>(
        &self,
        server: &mut Server<T, H, W>,
        interrupts: &SignalFd,
        client: impl FnOnce(&Addr, Say) -> io::Result<()> + Send,
    ) -> io::Result<()>
    where
        T: Transport,
        H: Handler<T::Request>,
        W: Works<T::Request, H>,
    {
        let address = server.local_addr()?;
        self.say().line(format_args!("listening on {address}"))?;
        let handle = server.shutdown_handle();
        if self.listen.is_some() {
            // A handler may be at work when Ctrl-C comes, and has to be told: by another thread. It ends with `over`.
            let (over, until) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
            return thread::scope(|scope| {
                scope.spawn(move || {
                    let mut slots =
                        [PollFd::of(interrupts, Events::IN), PollFd::of(&until, Events::IN)];
                    let _ = poll(&mut slots, None);
                    handle.shutdown();
                });
                let ended = keep_up(server, interrupts, self.timeout, self.say());
                drop(over);
                ended.map(drop)
            });
        }
        thread::scope(|scope| {
            let client = scope.spawn(move || {
                let done = client(&address, Say::with_prefix("client | "));
                handle.shutdown();
                done
            });
            server.serve_forever()?;
            client.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

/// Serves request after request, and waits for Ctrl-C at the same time.
pub fn keep_up<T, H, W>(
    server: &mut Server<T, H, W>,
    interrupts: &SignalFd,
    quiet: Duration,
    say: Say,
) -> io::Result<Ended>
where
    T: Transport,
    H: Handler<T::Request>,
    W: Works<T::Request, H>,
{
    loop {
        let mut slots =
            [PollFd::of(server.socket(), Events::IN), PollFd::of(interrupts, Events::IN)];
        if poll(&mut slots, quiet)? == 0 {
            say.line("timed out")?;
            return Ok(Ended::Quiet);
        }
        if !slots[1].revents().is_empty() {
            return Ok(Ended::Interrupted);
        }
        server.handle_request()?;
    }
}
