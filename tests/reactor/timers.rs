//! Calls to be made later: in order, not early, cancelled and put off.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use readysock::reactor::{Backend, Reactor, Timer};

use crate::support;
use crate::tools::{Loop, add, count};

const MS: Duration = Duration::from_millis(1);

pub fn a_timer_of_9_5_ms_is_not_early_and_takes_at_most_three_passes(backend: Backend) {
    let mut it = Loop::new(backend);
    for time in
        [Duration::from_micros(9500), Duration::from_micros(300), Duration::from_nanos(1), MS]
    {
        let called: Rc<Cell<Option<Instant>>> = Rc::default();
        let at = Rc::clone(&called);
        let start = Instant::now();
        it.call_later(time, move |_| at.set(Some(Instant::now())));
        let passes = it.until(|| called.get().is_some());
        let after = called.get().expect("called") - start;
        assert!(after >= time, "{time:?}: early, after {after:?}");
        assert!(passes <= 3, "{time:?}: {passes} passes");
    }
}

/// Whoever waits for less than the next timer, waits for less.
pub fn the_shorter_time_ends_the_wait(backend: Backend) {
    let mut it = Loop::new(backend);
    let called = count();
    let calls = Rc::clone(&called);
    let start = Instant::now();
    let timer = it.call_later(Duration::from_secs(3600), move |_| add(&calls));
    it.run_once(MS).unwrap();
    it.run_once(Instant::now() + MS).unwrap();
    it.run_once(Duration::ZERO).unwrap();
    assert!(start.elapsed() >= 2 * MS && called.get() == 0);
    assert!(it.is_active(timer));
}

pub fn calls_are_made_in_the_order_of_their_time(backend: Backend) {
    let mut it = Loop::new(backend);
    let order: Rc<RefCell<Vec<u32>>> = Rc::default();
    // Longer than it takes to set one, also where each instruction is emulated.
    const STEP: Duration = Duration::from_millis(40);
    let now = Instant::now();
    for (number, time) in [(4, 8), (1, 2), (3, 6), (0, 0), (2, 4)] {
        let order = Rc::clone(&order);
        it.call_later(time * STEP, move |_| order.borrow_mut().push(number));
    }
    it.until(|| order.borrow().len() == 5);
    assert!(now.elapsed() >= 8 * STEP);
    assert_eq!(order.take(), [0, 1, 2, 3, 4]);
    // All are due when the pass begins: still in the order in which they were set.
    for number in 0..200 {
        let order = Rc::clone(&order);
        it.call_later(Duration::ZERO, move |_| order.borrow_mut().push(number));
    }
    it.passes(1);
    assert!(order.take().into_iter().eq(0..200));
}

pub fn a_call_that_was_taken_back_is_not_made(backend: Backend) {
    let mut it = Loop::new(backend);
    let called = count();
    let later = |it: &mut Loop, time: Duration| {
        let calls = Rc::clone(&called);
        it.call_later(time, move |_| add(&calls))
    };
    let timer = later(&mut it, MS);
    assert!(it.is_active(timer) && it.cancel(timer));
    assert!(!it.is_active(timer) && !it.cancel(timer) && !it.reset(timer, MS));
    it.passes_within(3 * MS);
    assert_eq!(called.get(), 0);
    let timer = later(&mut it, Duration::ZERO);
    it.until(|| called.get() == 1);
    assert!(!it.is_active(timer) && !it.cancel(timer) && !it.reset(timer, MS));
    // What it held is let go of when it is taken back.
    let held = Rc::new(());
    let holds = Rc::clone(&held);
    let timer = it.call_later(MS, move |_| drop(holds));
    it.cancel(timer);
    assert_eq!(Rc::strong_count(&held), 1);
    // A slot is used again, and the old name is not good for the new call.
    let next = later(&mut it, Duration::ZERO);
    assert!(next != timer && !it.cancel(timer) && it.is_active(next));
    it.until(|| called.get() == 2);
}

/// Both are due in this pass, and the first takes the second back, or puts it off.
pub fn a_call_takes_back_one_that_is_due_in_the_same_pass(backend: Backend) {
    for put_off in [false, true] {
        let mut it = Loop::new(backend);
        let second: Rc<Cell<Option<Timer>>> = Rc::default();
        let (called, first) = (count(), count());
        let (name, done) = (Rc::clone(&second), Rc::clone(&first));
        let start = Instant::now();
        it.call_later(Duration::ZERO, move |reactor| {
            let second = name.get().expect("set");
            assert!(reactor.is_active(second));
            assert!(if put_off { reactor.reset(second, 5 * MS) } else { reactor.cancel(second) });
            assert_eq!(reactor.is_active(second), put_off);
            add(&done);
        });
        let calls = Rc::clone(&called);
        second.set(Some(it.call_later(Duration::ZERO, move |_| add(&calls))));
        it.passes(1);
        assert_eq!((first.get(), called.get()), (1, 0));
        if put_off {
            it.until(|| called.get() == 1);
            assert!(start.elapsed() >= 5 * MS);
        }
        it.passes_within(2 * MS);
        assert_eq!(called.get(), usize::from(put_off));
    }
}

/// A call may put off, and take back, the one that it is itself: it is made already.
pub fn a_call_does_not_know_itself_any_more(backend: Backend) {
    let mut it = Loop::new(backend);
    let own: Rc<Cell<Option<Timer>>> = Rc::default();
    let (name, called) = (Rc::clone(&own), count());
    let calls = Rc::clone(&called);
    own.set(Some(it.call_later(Duration::ZERO, move |reactor| {
        let own = name.get().expect("set");
        assert!(!reactor.is_active(own) && !reactor.reset(own, MS) && !reactor.cancel(own));
        add(&calls);
    })));
    it.until(|| called.get() == 1);
    it.passes_within(2 * MS);
    assert_eq!(called.get(), 1);
}

pub fn reset_makes_a_call_later_or_earlier(backend: Backend) {
    let mut it = Loop::new(backend);
    let called: Rc<Cell<Option<Instant>>> = Rc::default();
    let later = |it: &mut Loop, time| {
        let at = Rc::clone(&called);
        it.call_later(time, move |_| assert!(at.replace(Some(Instant::now())).is_none(), "twice"))
    };
    // Put off again and again, as by each packet; its first time is over meanwhile.
    let timer = later(&mut it, 2 * MS);
    for _ in 0..5 {
        assert!(it.reset(timer, 3600 * 1000 * MS));
        it.run_once(MS).unwrap();
        assert!(called.get().is_none());
    }
    let start = Instant::now();
    assert!(it.reset(timer, 7 * MS));
    let passes = it.until(|| called.get().is_some());
    assert!(called.take().unwrap() - start >= 7 * MS);
    assert!(passes <= 4, "{passes} passes");
    // Earlier than an hour.
    let timer = later(&mut it, Duration::from_secs(3600));
    let start = Instant::now();
    assert!(it.reset(timer, 2 * MS));
    it.until(|| called.get().is_some());
    assert!(called.take().unwrap() - start >= 2 * MS);
    // Earlier, and later again than it was at first.
    let timer = later(&mut it, 5 * MS);
    it.reset(timer, MS);
    let start = Instant::now();
    it.reset(timer, 10 * MS);
    it.until(|| called.get().is_some());
    assert!(called.take().unwrap() - start >= 10 * MS);
    it.passes_within(12 * MS);
}

pub fn the_longest_times_are_not_soon(backend: Backend) {
    let mut it = Loop::new(backend);
    let called = count();
    let timers: Vec<Timer> = [u64::MAX, 1 << 62, 1 << 40, 1 << 32, 2_147_484, 4_294_968]
        .map(|secs| {
            let calls = Rc::clone(&called);
            let longest = if secs == u64::MAX { Duration::MAX } else { Duration::from_secs(secs) };
            it.call_later(longest, move |_| add(&calls))
        })
        .into();
    let start = Instant::now();
    it.run_once(2 * MS).unwrap();
    assert!(start.elapsed() >= 2 * MS);
    it.passes(3);
    for timer in timers {
        assert!(it.reset(timer, Duration::MAX) && it.is_active(timer) && it.cancel(timer));
    }
    assert_eq!(called.get(), 0);
}

/// Ten thousand that are set and taken back, and put off: those that stay are called, and no other. (That nothing is left of them is
/// seen from within, in src/reactor/timers.rs.)
pub fn timers_that_come_and_go_disturb_no_others(backend: Backend) {
    let mut it = Loop::new(backend);
    let called = count();
    let calls = Rc::clone(&called);
    let kept = it.call_later(Duration::from_secs(3600), |_| ());
    let soon = count();
    let made = Rc::clone(&soon);
    it.call_later(20 * MS, move |_| add(&made));
    let last = it.call_later(Duration::from_secs(60), move |_| add(&calls));
    for time in 0..10_000 {
        let timer = it.call_later(Duration::from_secs(100 + time), |_| panic!("taken back"));
        assert!(it.reset(kept, Duration::from_secs(20_000 - time)));
        assert!(it.cancel(timer));
    }
    assert!(it.reset(last, Duration::ZERO));
    it.until(|| called.get() == 1);
    it.until(|| soon.get() == 1);
    assert!(it.is_active(kept));
}

#[derive(Clone, Debug)]
enum Op {
    Set(u64),
    Cancel(usize),
    Reset(usize, u64),
    Pass,
}

/// Any sequence of sets, cancels and resets: each call that was not taken back is made once, none before its time.
pub fn any_sequence_agrees_with_a_model(backend: Backend) {
    let op = prop_oneof![
        3 => (0..3000_u64).prop_map(Op::Set),
        1 => any::<usize>().prop_map(Op::Cancel),
        3 => (any::<usize>(), 0..3000_u64).prop_map(|(which, time)| Op::Reset(which, time)),
        1 => Just(Op::Pass),
    ];
    let ops = proptest::collection::vec(op, 1..150);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(support::cases(40))
    };
    proptest!(config, |(ops in ops)| {
        let mut it = Loop::new(backend);
        // Of each call: not before when, unless it was taken back or made.
        let model: Rc<RefCell<Vec<Option<Instant>>>> = Rc::default();
        let wrong = count();
        let mut timers: Vec<Timer> = Vec::new();
        let before = |micros| Instant::now() + Duration::from_micros(micros);
        for op in ops {
            match op {
                Op::Set(micros) => {
                    let number = timers.len();
                    let (due, wrong) = (Rc::clone(&model), Rc::clone(&wrong));
                    model.borrow_mut().push(Some(before(micros)));
                    timers.push(it.call_later(Duration::from_micros(micros), move |_: &mut Reactor| {
                        if due.borrow_mut()[number].take().is_none_or(|due| Instant::now() < due) {
                            add(&wrong);
                        }
                    }));
                }
                Op::Cancel(which) if !timers.is_empty() => {
                    let which = which % timers.len();
                    let active = model.borrow_mut()[which].take().is_some();
                    prop_assert_eq!(it.is_active(timers[which]), active);
                    prop_assert_eq!(it.cancel(timers[which]), active);
                }
                Op::Reset(which, micros) if !timers.is_empty() => {
                    let which = which % timers.len();
                    let mut model = model.borrow_mut();
                    let active = model[which].is_some();
                    model[which] = active.then(|| before(micros));
                    prop_assert_eq!(it.reset(timers[which], Duration::from_micros(micros)), active);
                }
                _ => it.passes(1),
            }
        }
        it.until(|| model.borrow().iter().all(Option::is_none));
        prop_assert!(timers.iter().all(|timer| !it.is_active(*timer)));
        prop_assert_eq!(wrong.get(), 0);
    });
}
