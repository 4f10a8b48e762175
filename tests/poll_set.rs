//! PollSet: keys, what becomes of an event when its source goes, sources that misbehave.

mod support;

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use readysock::{Events, Key, PollSet};

/// Long: what it waits for comes. A test that has to wait for it is broken.
const LONG: Duration = Duration::from_secs(60);
const ZERO: Duration = Duration::ZERO;

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair")
}

fn taken<S>(set: &mut PollSet<S>) -> Vec<(Key, Events)> {
    std::iter::from_fn(|| set.next_ready()).collect()
}

#[test]
fn reports_by_key_what_is_ready() {
    let ((mut near, far), (idle, _idle)) = (pair(), pair());
    let mut set = PollSet::new();
    let key = set.insert(far, Events::IN);
    let idle = set.insert(idle, Events::IN);
    assert_eq!((set.len(), set.is_empty(), set.wait(ZERO).expect("waited")), (2, false, 0));
    assert_eq!(set.next_ready(), None);
    near.write_all(b"x").expect("written");
    assert_eq!(set.wait(LONG).expect("waited"), 1);
    assert_eq!(taken(&mut set), [(key, Events::IN)]);
    assert_eq!(set.wait_once(ZERO).expect("waited"), 1, "it is still there to read");
    assert_eq!(taken(&mut set), [(key, Events::IN)]);
    assert!(set.set_events(idle, Events::OUT));
    assert_eq!(set.wait(LONG).expect("waited"), 2);
    assert_eq!(set.iter().count(), 2);
}

#[test]
fn a_stale_key_matches_nothing() {
    let mut set = PollSet::new();
    let old = set.insert(pair().0, Events::IN);
    assert!(set.remove(old).is_some());
    let new = set.insert(pair().0, Events::IN);
    assert_ne!(old, new);
    assert!(set.remove(old).is_none() && set.get(old).is_none() && set.get_mut(old).is_none());
    assert!(!set.set_events(old, Events::OUT) && !set.set_enabled(old, false));
    assert!(set.replace(old, pair().0).is_err());
    assert!(set.get(new).is_some() && set.get_mut(new).is_some());
    let empty = PollSet::<UnixStream>::default();
    assert!(empty.get(new).is_none() && empty.is_empty());
}

/// Three sources with an event each; what is done to two of them before their events are taken.
fn three() -> (PollSet<UnixStream>, [Key; 3], Vec<UnixStream>) {
    let (mut set, mut far) = (PollSet::new(), Vec::new());
    let keys = [0; 3].map(|_| {
        let (source, peer) = pair();
        far.push(peer);
        set.insert(source, Events::OUT)
    });
    assert_eq!(set.wait(LONG).expect("waited"), 3);
    (set, keys, far)
}

#[test]
fn removed_in_the_middle_loses_its_event() {
    let (mut set, keys, _far) = three();
    let (first, _) = set.next_ready().expect("an event");
    let others: Vec<Key> = keys.into_iter().filter(|key| *key != first).collect();
    set.remove(others[0]);
    assert_eq!(taken(&mut set), [(others[1], Events::OUT)]);
}

#[test]
fn a_number_that_is_used_again_in_the_same_pass_gets_no_old_event() {
    // Another test may take the number between the close and the next use.
    assert!((0..1000).any(|_| used_again()), "not once in a thousand was the number free");
}

/// Whether the number was the same.
fn used_again() -> bool {
    let (mut set, keys, _far) = three();
    let (first, _) = set.next_ready().expect("an event");
    let others: Vec<Key> = keys.into_iter().filter(|key| *key != first).collect();
    let gone = set.remove(others[0]).expect("it was there");
    let number = gone.as_raw_fd();
    drop(gone);
    // Into the same slot, and with the same descriptor number.
    let again = support::fds::numbered(set.get(others[1]).expect("there"), number);
    let same = again.as_raw_fd() == number;
    let new = set.insert(again.into(), Events::OUT);
    assert_eq!(taken(&mut set), [(others[1], Events::OUT)], "the new one was not polled");
    assert_eq!(set.wait(LONG).expect("waited"), 3);
    assert!(taken(&mut set).contains(&(new, Events::OUT)));
    same
}

#[test]
fn replaced_keeps_the_key_and_loses_the_event() {
    let (mut set, keys, _far) = three();
    let (source, _peer) = pair();
    let number = source.as_raw_fd();
    let old = set.replace(keys[1], source).expect("the key is good");
    assert_ne!(old.as_raw_fd(), number);
    assert_eq!(set.get(keys[1]).map(|s| s.as_raw_fd()), Some(number));
    let found: Vec<Key> = taken(&mut set).into_iter().map(|(key, _)| key).collect();
    assert_eq!(found, [keys[0], keys[2]]);
    assert_eq!(set.wait(LONG).expect("waited"), 3);

    // In the middle: one that was reported, and one that is still to come.
    let (reported, _) = set.next_ready().expect("an event");
    let others: Vec<Key> = keys.into_iter().filter(|key| *key != reported).collect();
    let (again, _peer) = pair();
    let (coming, _peer) = pair();
    set.replace(reported, again).expect("the key is good");
    set.replace(others[0], coming).expect("the key is good");
    assert_eq!(taken(&mut set), [(others[1], Events::OUT)]);
    assert_eq!(set.wait(LONG).expect("waited"), 3);
    let found: Vec<Key> = taken(&mut set).into_iter().map(|(key, _)| key).collect();
    assert_eq!(found, keys, "each of the new ones has its key");
}

#[test]
fn disabled_loses_its_event_and_set_events_masks_it() {
    let (mut set, keys, mut far) = three();
    assert!(set.set_enabled(keys[0], false));
    assert!(set.set_events(keys[1], Events::IN));
    assert_eq!(taken(&mut set), [(keys[2], Events::OUT)]);
    assert_eq!(set.wait(LONG).expect("waited"), 1);
    assert!(set.set_enabled(keys[0], true) && set.set_enabled(keys[0], true));
    assert_eq!(set.wait(LONG).expect("waited"), 2);

    // What comes unasked is not masked.
    drop(far.remove(1));
    assert_eq!(set.wait(LONG).expect("waited"), 3);
    assert!(set.set_events(keys[1], Events::empty()));
    assert!(taken(&mut set).contains(&(keys[1], Events::HUP)));

    // Asked for as well, it comes once and not never.
    assert_eq!(set.wait(LONG).expect("waited"), 3);
    assert!(set.set_events(keys[1], Events::ERR | Events::HUP | Events::NVAL));
    assert!(taken(&mut set).contains(&(keys[1], Events::HUP)));
}

#[test]
fn a_paused_source_that_hangs_up_does_not_end_the_wait() {
    let (source, peer) = pair();
    let mut set = PollSet::new();
    let key = set.insert(source, Events::IN);
    assert!(set.set_enabled(key, false));
    drop(peer);
    assert_eq!(set.wait(Duration::from_millis(1)).expect("waited"), 0);
    assert!(set.set_enabled(key, true));
    assert_eq!(set.wait(LONG).expect("waited"), 1);
    assert_eq!(taken(&mut set), [(key, Events::IN | Events::HUP)]);
}

#[test]
fn events_that_are_not_taken_are_forgotten_by_the_next_wait() {
    let (mut set, keys, _far) = three();
    for key in &keys[..2] {
        assert!(set.set_events(*key, Events::IN));
    }
    assert_eq!(set.wait(LONG).expect("waited"), 1);
    assert_eq!(taken(&mut set), [(keys[2], Events::OUT)]);
}

#[test]
fn the_body_may_insert_and_remove() {
    let (mut set, keys, _far) = three();
    let mut peers = Vec::new();
    let mut seen = Vec::new();
    while let Some((key, _)) = set.next_ready() {
        seen.push(key);
        assert!(set.remove(key).is_some());
        let (source, peer) = pair();
        peers.push(peer);
        set.insert(source, Events::OUT);
    }
    assert_eq!(seen, keys);
    assert_eq!((set.len(), set.wait(LONG).expect("waited")), (3, 3));
}

/// `AsFd` is a safe trait: an implementation may name another descriptor at each call.
struct Fickle {
    streams: [UnixStream; 2],
    asked: Rc<Cell<usize>>,
}

impl AsFd for Fickle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let asked = self.asked.replace(self.asked.get() + 1);
        self.streams[asked % 2].as_fd()
    }
}

#[test]
fn a_source_that_changes_its_mind_is_asked_once_a_wait() {
    let ((quiet, _quiet), (busy, mut peer)) = (pair(), pair());
    peer.write_all(b"x").expect("written");
    let asked = Rc::new(Cell::new(0));
    let mut set = PollSet::new();
    let key = set.insert(Fickle { streams: [quiet, busy], asked: asked.clone() }, Events::IN);
    for wait in 0..4 {
        let n = set.wait(ZERO).expect("waited");
        assert_eq!((n, asked.get()), (wait % 2, wait + 1), "wait {wait}");
        assert_eq!(taken(&mut set).len(), n);
    }
    assert!(set.get(key).is_some());
    assert_eq!(asked.get(), 4, "taking events asks nothing");
}

/// Nor does it have to name one of its own.
struct Liar {
    own: UnixStream,
    named: Rc<UnixStream>,
}

impl AsFd for Liar {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.named.as_fd()
    }
}

#[test]
fn a_source_is_what_it_names() {
    let ((quiet, _quiet), (busy, mut peer)) = (pair(), pair());
    peer.write_all(b"x").expect("written");
    let (quiet, busy) = (Rc::new(quiet), Rc::new(busy));
    let mut set = PollSet::new();
    let liar = |named: &Rc<UnixStream>| Liar { own: pair().0, named: named.clone() };
    let keys = [&busy, &quiet, &busy].map(|named| set.insert(liar(named), Events::IN));
    // Two of the three name the same descriptor; each gets its event.
    assert_eq!(set.wait(LONG).expect("waited"), 2);
    assert_eq!(taken(&mut set), [(keys[0], Events::IN), (keys[2], Events::IN)]);

    // Its own, which nobody watched, hangs up at once: its peer is gone.
    let removed = set.remove(keys[0]).expect("it is there");
    let key = set.insert(Liar { named: Rc::new(removed.own), own: pair().0 }, Events::empty());
    assert_eq!(set.wait(LONG).expect("waited"), 2);
    assert!(taken(&mut set).contains(&(key, Events::HUP)));
}

/// Panics when it is asked the second time.
struct Fragile {
    stream: UnixStream,
    asked: Cell<usize>,
}

impl AsFd for Fragile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let asked = self.asked.replace(self.asked.get() + 1);
        assert_ne!(asked, 1, "this panic is part of a test");
        self.stream.as_fd()
    }
}

#[test]
fn a_source_that_panics_leaves_a_set_that_works() {
    let mut set = PollSet::new();
    let mut peers = Vec::new();
    let keys = [1, 0, 2].map(|asked| {
        let (stream, peer) = pair();
        peers.push(peer);
        // The second of the three panics in the second wait; the others have been asked, or are past it.
        set.insert(Fragile { stream, asked: Cell::new(asked * 10) }, Events::OUT)
    });
    assert_eq!(set.wait(LONG).expect("waited"), 3);
    let wait = std::panic::AssertUnwindSafe(|| set.wait(LONG));
    assert!(std::panic::catch_unwind(wait).is_err(), "the panic goes to who waits");
    assert_eq!((set.len(), set.next_ready()), (3, None), "after it there are no events");
    assert_eq!(set.wait(LONG).expect("waited"), 3);
    assert_eq!(taken(&mut set), keys.map(|key| (key, Events::OUT)));
    assert!(keys.into_iter().all(|key| set.remove(key).is_some()) && set.is_empty());
}

#[test]
fn a_negative_descriptor_is_never_ready() {
    // SAFETY: it is not -1, and a negative number is nobody's descriptor.
    let negative = unsafe { BorrowedFd::borrow_raw(-100) };
    let (near, _far) = pair();
    let mut set = PollSet::new();
    set.insert(negative, Events::OUT);
    let key = set.insert(near.as_fd(), Events::OUT);
    assert_eq!(set.wait(LONG).expect("waited"), 1);
    assert_eq!(taken(&mut set), [(key, Events::OUT)]);
}

#[test]
fn prints_its_keys_and_sources() {
    let mut set = PollSet::new();
    let (near, _far) = pair();
    set.insert(near, Events::IN);
    let text = format!("{set:?}");
    assert!(text.contains("Key") && text.contains("UnixStream"), "{text}");
}

#[derive(Clone, Debug)]
enum Op {
    Insert,
    Remove(prop::sample::Index),
    Replace(prop::sample::Index),
    Enable(prop::sample::Index, bool),
    Ask(prop::sample::Index, bool),
    Wait,
    Take,
    Talk(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        5 => Just(Op::Insert),
        2 => index().prop_map(Op::Remove),
        2 => index().prop_map(Op::Replace),
        2 => (index(), any::<bool>()).prop_map(|(i, on)| Op::Enable(i, on)),
        2 => (index(), any::<bool>()).prop_map(|(i, on)| Op::Ask(i, on)),
        3 => Just(Op::Wait),
        5 => Just(Op::Take),
        3 => index().prop_map(Op::Talk),
    ]
}

/// One source as the model sees it.
struct Model {
    peer: UnixStream,
    number: i32,
    enabled: bool,
    asked: bool,
    talked: bool,
    pending: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(support::cases(300)))]

    /// Any sequence of operations, over real sockets, against a model with a map from key to source.
    #[test]
    fn agrees_with_a_model(ops in prop::collection::vec(op(), 1..80)) {
        let mut set: PollSet<UnixStream> = PollSet::new();
        let mut model: HashMap<Key, Model> = HashMap::new();
        let mut keys: Vec<Key> = Vec::new();
        for op in ops {
            let key = |at: prop::sample::Index| (!keys.is_empty()).then(|| *at.get(&keys));
            match op {
                Op::Insert => {
                    let (source, peer) = pair();
                    let number = source.as_raw_fd();
                    let key = set.insert(source, Events::IN);
                    let one = Model { peer, number, enabled: true, asked: true, talked: false, pending: false };
                    prop_assert!(model.insert(key, one).is_none(), "a key is never used again");
                    keys.push(key);
                }
                Op::Remove(at) => {
                    let Some(key) = key(at) else { continue };
                    let (ours, expected) = (set.remove(key), model.remove(&key));
                    prop_assert_eq!(ours.map(|s| s.as_raw_fd()), expected.map(|one| one.number));
                }
                Op::Replace(at) => {
                    let Some(key) = key(at) else { continue };
                    let (source, peer) = pair();
                    let number = source.as_raw_fd();
                    match (set.replace(key, source), model.get_mut(&key)) {
                        (Ok(old), Some(one)) => {
                            prop_assert_eq!(old.as_raw_fd(), one.number);
                            (one.peer, one.number, one.talked, one.pending) = (peer, number, false, false);
                        }
                        (Err(back), None) => prop_assert_eq!(back.as_raw_fd(), number),
                        (ours, _) => prop_assert!(false, "{ours:?}"),
                    }
                }
                Op::Enable(at, on) => {
                    let Some(key) = key(at) else { continue };
                    prop_assert_eq!(set.set_enabled(key, on), model.contains_key(&key));
                    if let Some(one) = model.get_mut(&key) {
                        one.enabled = on;
                        one.pending &= on;
                    }
                }
                Op::Ask(at, asked) => {
                    let Some(key) = key(at) else { continue };
                    let events = if asked { Events::IN } else { Events::empty() };
                    prop_assert_eq!(set.set_events(key, events), model.contains_key(&key));
                    if let Some(one) = model.get_mut(&key) {
                        one.asked = asked;
                        one.pending &= asked;
                    }
                }
                Op::Wait => {
                    let mut expected = 0;
                    for one in model.values_mut() {
                        one.pending = one.enabled && one.asked && one.talked;
                        expected += usize::from(one.pending);
                    }
                    prop_assert_eq!(set.wait(ZERO).expect("waited"), expected);
                }
                Op::Take => match set.next_ready() {
                    Some((key, events)) => {
                        prop_assert_eq!(events, Events::IN);
                        let one = model.get_mut(&key);
                        prop_assert!(one.is_some_and(|one| std::mem::take(&mut one.pending)));
                    }
                    None => prop_assert!(!model.values().any(|one| one.pending)),
                },
                Op::Talk(at) => {
                    let Some(key) = key(at) else { continue };
                    if let Some(one) = model.get_mut(&key) {
                        one.peer.write_all(b"x").expect("written");
                        one.talked = true;
                    }
                }
            }
            prop_assert_eq!(set.len(), model.len());
        }
        for (key, one) in &model {
            prop_assert_eq!(set.get(*key).map(|s| s.as_raw_fd()), Some(one.number));
            let mut byte = [0];
            if one.talked {
                prop_assert!(set.get_mut(*key).expect("there").read(&mut byte).is_ok());
            }
        }
    }
}
