//! Calls to be made later: in the order of their time, taken back, put off, and again and again.
//!
//! ```text
//! cargo run --example timers
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use readysock::reactor::Reactor;

use self::common::{LoopArguments, Say, Talk};

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

// ANCHOR: timers
fn run(arguments: &LoopArguments) -> io::Result<()> {
    let mut reactor = arguments.reactor()?;
    let talk = Talk::new(Say::plain());
    let ms = Duration::from_millis;
    let say = |line: &'static str| {
        let talk = talk.clone();
        move |reactor: &mut Reactor| talk.line(reactor, line)
    };

    reactor.call_later(ms(60), say("60 ms: set first"));
    reactor.call_later(ms(20), say("20 ms: set second, and due first"));

    let never = reactor.call_later(ms(30), say("30 ms: never"));
    reactor.cancel(never);

    let put_off = reactor.call_later(ms(40), say("40 ms, put off to 100"));
    reactor.reset(put_off, ms(100));

    tick(&mut reactor, talk.clone(), 3);
    reactor.call_later(ms(150), Reactor::stop);
    talk.run(&mut reactor)?;
    say(if reactor.is_active(put_off) { "something is left" } else { "nothing is left" })(
        &mut reactor,
    );
    Ok(())
}

/// A call that sets itself again. With no time at all it would still let everything else have its turn.
fn tick(reactor: &mut Reactor, talk: Talk, left: u32) {
    if left > 0 {
        reactor.call_later(Duration::from_millis(5), move |reactor| {
            talk.line(reactor, format_args!("tick, {} to go", left - 1));
            tick(reactor, talk, left - 1);
        });
    }
}
// ANCHOR_END: timers
