//! `PollSet` over pipes of the kernel's, against a model of both.
#![no_main]

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use readysock::{Events, Key, PollSet, Timeout};

#[derive(Arbitrary, Debug)]
enum Op {
    Insert(End, i16),
    Remove(u8),
    Replace(u8, End),
    SetEvents(u8, i16),
    SetEnabled(u8, bool),
    /// Bytes into the pipe.
    Fill(u8, Amount),
    /// All bytes out of it.
    Drain(u8),
    /// The end that is not watched.
    ClosePeer(u8),
    Wait(Form),
    Next,
    NextAll,
    Look(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum End {
    Reading,
    Writing,
}

#[derive(Arbitrary, Debug)]
enum Amount {
    Some,
    All,
}

#[derive(Arbitrary, Debug)]
enum Form {
    Wait,
    Once,
    /// Without a limit, where something is ready.
    Never,
}

/// So many pipes at once.
const MOST: usize = 40;

/// What there ought to be under a key.
struct Model {
    /// Of the watched end.
    number: RawFd,
    end: End,
    peer: Option<OwnedFd>,
    events: Events,
    enabled: bool,
    pending: Events,
    /// What was written and not read.
    bytes: usize,
    full: bool,
}

const ALWAYS: Events = Events::ERR.union(Events::HUP).union(Events::NVAL);

impl Model {
    /// What the kernel says of this pipe (pipe_poll in fs/pipe.c).
    fn state(&self) -> Events {
        let (data, gone) = match self.end {
            End::Reading => (self.bytes > 0, Events::HUP),
            End::Writing => (!self.full, Events::ERR),
        };
        let can = match self.end {
            End::Reading => Events::IN | Events::RDNORM,
            End::Writing => Events::OUT | Events::WRNORM,
        };
        let mut state = Events::empty();
        state.set(can, data);
        state.set(gone, self.peer.is_none());
        state
    }

    fn report(&self) -> Events {
        if self.enabled { self.state() & (self.events | ALWAYS) } else { Events::empty() }
    }
}

fn pipe(end: End) -> (OwnedFd, OwnedFd) {
    let flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let (reading, writing) = nix::unistd::pipe2(flags).expect("a pipe");
    match end {
        End::Reading => (reading, writing),
        End::Writing => (writing, reading),
    }
}

fn fill(fd: impl AsFd, amount: &Amount) -> (usize, bool) {
    let data = [7; 65_536];
    let (mut written, piece) = match amount {
        Amount::Some => (0, &data[..1]),
        Amount::All => (0, &data[..]),
    };
    loop {
        match nix::unistd::write(&fd, piece) {
            Ok(n) => written += n,
            Err(Errno::EAGAIN) => return (written, true),
            Err(error) => panic!("written: {error}"),
        }
        if let Amount::Some = amount {
            return (written, false);
        }
    }
}

fn drain(fd: impl AsFd) -> usize {
    let (mut buffer, mut all) = ([0; 65_536], 0);
    loop {
        match nix::unistd::read(&fd, &mut buffer) {
            Ok(0) | Err(Errno::EAGAIN) => return all,
            Ok(n) => all += n,
            Err(error) => panic!("read: {error}"),
        }
    }
}

#[derive(Default)]
struct World {
    set: PollSet<OwnedFd>,
    /// All keys that there ever were.
    keys: Vec<Key>,
    models: BTreeMap<usize, Model>,
}

impl World {
    /// One of the keys, for small choices a late one, and the number of its model.
    fn choose(&self, choice: u8) -> Option<(Key, usize)> {
        let back = usize::from(choice).checked_rem(self.keys.len())?;
        let number = self.keys.len() - 1 - back;
        Some((self.keys[number], number))
    }

    fn add(&mut self, end: End, events: Events) {
        let (watched, peer) = pipe(end);
        let number = watched.as_raw_fd();
        let key = self.set.insert(watched, events);
        assert!(!self.keys.contains(&key), "a key that was given before");
        let peer = Some(peer);
        let model = Model {
            number,
            end,
            peer,
            events,
            enabled: true,
            pending: Events::empty(),
            bytes: 0,
            full: false,
        };
        self.models.insert(self.keys.len(), model);
        self.keys.push(key);
    }

    fn wait(&mut self, form: &Form) {
        let mut count = 0;
        for model in self.models.values_mut() {
            model.pending = model.report();
            count += usize::from(!model.pending.is_empty());
        }
        let found = match form {
            Form::Never if count > 0 => self.set.wait(Timeout::Never),
            Form::Once => self.set.wait_once(Duration::ZERO),
            _ => self.set.wait(Duration::ZERO),
        };
        assert_eq!(found.expect("nothing interrupts"), count);
    }

    /// Takes one event; whether there was one.
    fn next(&mut self) -> bool {
        let Some((key, events)) = self.set.next_ready() else {
            let left: Vec<Events> = self.models.values().map(|model| model.pending).collect();
            assert!(left.iter().all(|events| events.is_empty()), "not handed out: {left:?}");
            return false;
        };
        let number = self.keys.iter().position(|one| *one == key).expect("a key of ours");
        let model = self.models.get_mut(&number).expect("a source that is there");
        assert!(!events.is_empty());
        assert_eq!(events, std::mem::take(&mut model.pending), "{number}");
        true
    }

    fn agree(&self) {
        assert_eq!(
            (self.set.len(), self.set.is_empty()),
            (self.models.len(), self.models.is_empty())
        );
        let mut there: Vec<(usize, RawFd)> = Vec::new();
        for (key, source) in self.set.iter() {
            let number = self.keys.iter().position(|one| *one == key).expect("a key of ours");
            there.push((number, source.as_raw_fd()));
        }
        there.sort_unstable();
        assert!(
            there.into_iter().eq(self.models.iter().map(|(number, model)| (*number, model.number)))
        );
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Insert(end, events) if self.models.len() < MOST => {
                self.add(end, Events::from_bits_retain(events))
            }
            Op::Insert(..) => {}
            Op::Remove(choice) => {
                let Some((key, number)) = self.choose(choice) else { return };
                let (source, model) = (self.set.remove(key), self.models.remove(&number));
                assert_eq!(source.map(|fd| fd.as_raw_fd()), model.map(|model| model.number));
            }
            Op::Replace(choice, end) => {
                let Some((key, number)) = self.choose(choice) else { return };
                let (watched, peer) = pipe(end);
                let new = watched.as_raw_fd();
                match (self.set.replace(key, watched), self.models.get_mut(&number)) {
                    (Ok(old), Some(model)) => {
                        assert_eq!(old.as_raw_fd(), model.number);
                        model.peer = Some(peer);
                        (model.number, model.end) = (new, end);
                        (model.pending, model.bytes, model.full) = (Events::empty(), 0, false);
                    }
                    (Err(back), None) => assert_eq!(back.as_raw_fd(), new),
                    (result, model) => panic!("{result:?} {}", model.is_some()),
                }
            }
            Op::SetEvents(choice, bits) => {
                let Some((key, number)) = self.choose(choice) else { return };
                let events = Events::from_bits_retain(bits);
                let model = self.models.get_mut(&number);
                assert_eq!(self.set.set_events(key, events), model.is_some());
                if let Some(model) = model {
                    model.events = events;
                    model.pending &= events | ALWAYS;
                }
            }
            Op::SetEnabled(choice, enabled) => {
                let Some((key, number)) = self.choose(choice) else { return };
                let model = self.models.get_mut(&number);
                assert_eq!(self.set.set_enabled(key, enabled), model.is_some());
                if let Some(model) = model {
                    model.enabled = enabled;
                    if !enabled {
                        model.pending = Events::empty();
                    }
                }
            }
            Op::Fill(choice, amount) => {
                let Some((key, number)) = self.choose(choice) else { return };
                let Some(model) = self.models.get_mut(&number) else { return };
                // Without a reader it would be EPIPE, and without the peer there is no writer.
                let Some(peer) = &model.peer else { return };
                let (written, full) = match model.end {
                    End::Reading => fill(peer, &amount),
                    End::Writing => fill(self.set.get(key).expect("there"), &amount),
                };
                model.bytes += written;
                model.full |= full;
            }
            Op::Drain(choice) => {
                let Some((key, number)) = self.choose(choice) else { return };
                let Some(model) = self.models.get_mut(&number) else { return };
                let read = match (model.end, &model.peer) {
                    (End::Reading, _) => drain(self.set.get_mut(key).expect("there")),
                    (End::Writing, Some(peer)) => drain(peer),
                    (End::Writing, None) => return,
                };
                assert_eq!(read, model.bytes);
                (model.bytes, model.full) = (0, false);
            }
            Op::ClosePeer(choice) => {
                let Some((_, number)) = self.choose(choice) else { return };
                if let Some(model) = self.models.get_mut(&number) {
                    model.peer = None;
                }
            }
            Op::Wait(form) => self.wait(&form),
            Op::Next => drop(self.next()),
            Op::NextAll => while self.next() {},
            Op::Look(choice) => {
                let Some((key, number)) = self.choose(choice) else { return };
                let there = self.models.get(&number).map(|model| model.number);
                assert_eq!(self.set.get(key).map(|fd| fd.as_raw_fd()), there);
                assert_eq!(self.set.get_mut(key).map(|fd| fd.as_raw_fd()), there);
            }
        }
        self.agree();
    }
}

fuzz_target!(|ops: Vec<Op>| {
    let mut world = World::default();
    for op in ops.into_iter().take(400) {
        world.apply(op);
    }
});
