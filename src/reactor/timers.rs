//! Calls to be made later, in the order of their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::Reactor;
use crate::slab::{Key, Slab};

/// The name of a call that [`Reactor::call_later`] will make: to cancel it, or to put it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timer(Key);

pub(super) type Call = Box<dyn FnOnce(&mut Reactor)>;

struct Waiting {
    due: Instant,
    /// When the entry in the heap that stands for it comes up: then, or earlier.
    queued: Instant,
    call: Call,
}

#[derive(Default)]
pub(super) struct Timers {
    waiting: Slab<Waiting>,
    /// Of the same time, the first that was set comes first.
    heap: BinaryHeap<Reverse<(Instant, u64, Key)>>,
    count: u64,
}

impl Timers {
    pub(super) fn insert(&mut self, due: Instant, call: Call) -> Timer {
        let key = self.waiting.insert(Waiting { due, queued: due, call });
        self.push(due, key);
        Timer(key)
    }

    fn push(&mut self, due: Instant, key: Key) {
        // Entries of cancelled calls go when they come up; where they are the most, at once.
        if self.heap.len() > 64 && self.heap.len() > 4 * self.waiting.len() {
            let waiting = &self.waiting;
            self.heap
                .retain(|Reverse((at, _, key))| waiting.get(*key).is_some_and(|w| w.queued == *at));
        }
        self.count += 1;
        self.heap.push(Reverse((due, self.count, key)));
    }

    pub(super) fn cancel(&mut self, timer: Timer) -> bool {
        // What it holds is dropped here, which may be anything.
        self.waiting.remove(timer.0).is_some()
    }

    pub(super) fn all(&self) -> Vec<Timer> {
        self.waiting.iter().map(|(key, _)| Timer(key)).collect()
    }

    pub(super) fn reset(&mut self, timer: Timer, due: Instant) -> bool {
        let Some(waiting) = self.waiting.get_mut(timer.0) else { return false };
        waiting.due = due;
        // Put off, it is queued again when its entry comes up: a timeout that each packet puts off costs nothing.
        if due < waiting.queued {
            waiting.queued = due;
            self.push(due, timer.0);
        }
        true
    }

    pub(super) fn is_active(&self, timer: Timer) -> bool {
        self.waiting.get(timer.0).is_some()
    }

    /// When the next one is due. Mostly there is none.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Instant> {
        if self.heap.is_empty() { None } else { self.earliest() }
    }

    fn earliest(&mut self) -> Option<Instant> {
        loop {
            let Reverse((at, _, key)) = *self.heap.peek()?;
            match self.waiting.get_mut(key) {
                Some(waiting) if waiting.queued != at => {}
                Some(waiting) if waiting.due > at => {
                    waiting.queued = waiting.due;
                    let due = waiting.due;
                    self.heap.pop();
                    self.push(due, key);
                    continue;
                }
                Some(_) => return Some(at),
                None => {}
            }
            self.heap.pop();
        }
    }

    /// Those that are due now, in order. Whether one is still to be made is asked when its turn comes.
    pub(super) fn due(&mut self, now: Instant, due: &mut Vec<Timer>) {
        while self.next().is_some_and(|next| next <= now) {
            if let Some(Reverse((_, _, key))) = self.heap.pop() {
                due.push(Timer(key));
            }
        }
    }

    /// Its turn has come: the call, unless it was cancelled, or put off, which a call before it may have done.
    pub(super) fn take(&mut self, timer: Timer, now: Instant) -> Option<Call> {
        let waiting = self.waiting.get_mut(timer.0)?;
        if waiting.due > now {
            waiting.queued = waiting.due;
            let due = waiting.due;
            self.push(due, timer.0);
            return None;
        }
        self.waiting.remove(timer.0).map(|waiting| waiting.call)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn nothing() -> Call {
        Box::new(|_| {})
    }

    fn second(number: u64, start: Instant) -> Instant {
        start + Duration::from_secs(number)
    }

    #[test]
    fn entries_of_cancelled_calls_go_where_they_are_the_most() {
        let (mut timers, start) = (Timers::default(), Instant::now());
        let kept: Vec<Timer> =
            (0..20).map(|number| timers.insert(second(number, start), nothing())).collect();
        let mut lengths = Vec::new();
        for number in 20..1000 {
            let timer = timers.insert(second(number, start), nothing());
            assert!(timers.cancel(timer));
            lengths.push(timers.heap.len());
        }
        // Four times as many as wait, with the one that is just being set; and then again from the start.
        assert_eq!(lengths.iter().max(), Some(&(4 * 21 + 1)));
        assert_eq!(lengths.iter().filter(|length| **length == 21).count(), 16);
        let mut due = Vec::new();
        timers.due(second(1000, start), &mut due);
        assert_eq!(due, kept);
        // A few are left until they come up.
        let mut timers = Timers::default();
        for number in 0..65 {
            let timer = timers.insert(second(number, start), nothing());
            assert!(timers.cancel(timer));
        }
        assert_eq!(timers.heap.len(), 65);
        timers.insert(start, nothing());
        assert_eq!(timers.heap.len(), 1);
    }

    #[test]
    fn what_is_due_now_is_due() {
        let (mut timers, start) = (Timers::default(), Instant::now());
        let timer = timers.insert(start, nothing());
        let mut due = Vec::new();
        timers.due(start, &mut due);
        assert_eq!(due, [timer]);
        assert!(timers.take(timer, start).is_some());
    }

    #[test]
    fn of_the_same_time_the_first_that_was_set_comes_first() {
        let (mut timers, start) = (Timers::default(), Instant::now());
        let first = timers.insert(start, nothing());
        let second = timers.insert(start, nothing());
        timers.cancel(first);
        // It has the place of the one that was cancelled, and comes last all the same.
        let third = timers.insert(start, nothing());
        let mut due = Vec::new();
        timers.due(start, &mut due);
        assert_eq!(due, [second, third]);
    }

    #[test]
    fn what_was_put_off_ends_no_wait_at_its_old_time() {
        let (mut timers, start) = (Timers::default(), Instant::now());
        let timer = timers.insert(second(1, start), nothing());
        assert!(timers.reset(timer, second(5, start)));
        assert_eq!(timers.next(), Some(second(5, start)));
        assert_eq!(timers.heap.len(), 1);
        // Earlier, and later again: of its three entries one is left.
        assert!(timers.reset(timer, second(2, start)) && timers.reset(timer, second(7, start)));
        assert_eq!(timers.next(), Some(second(7, start)));
        assert_eq!(timers.heap.len(), 1);
        assert!(timers.reset(timer, second(7, start)));
        assert_eq!(timers.heap.len(), 1, "the same time needs no entry");
    }
}
