//! Slots for values that come and go, and the keys to them: a key fits one value and no later one.

use std::mem;

/// The name of a source in a [`PollSet`](crate::PollSet), an [`Epoll`](crate::epoll::Epoll) or a
/// [`Reactor`](crate::reactor::Reactor): valid as long as the source is there, and for no other after it.
///
/// It is meant for the set that made it; another set may take it for one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl Key {
    /// As a number that the kernel can carry for us.
    pub(crate) fn to_bits(self) -> u64 {
        (u64::from(self.generation) << 32) | u64::from(self.slot)
    }

    #[expect(clippy::cast_possible_truncation, reason = "each half is 32 bits")]
    pub(crate) fn from_bits(bits: u64) -> Key {
        Key { slot: bits as u32, generation: (bits >> 32) as u32 }
    }

    /// Where arrays by slot have their entry for it.
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.slot as usize
    }
}

/// The slots. A slot is used again, its generation never is: one that has had them all stays empty.
pub(crate) struct Slab<T> {
    slots: Vec<(u32, Slot<T>)>,
    /// The first of the slots that are free.
    free: Option<u32>,
    len: usize,
}

enum Slot<T> {
    Taken(T),
    /// The next slot that is free.
    Free(Option<u32>),
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab::new()
    }
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: None, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The key that the next value will get.
    pub(crate) fn next_key(&self) -> Key {
        let slot = self.free.unwrap_or(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        let generation = self.slots.get(slot as usize).map_or(0, |(generation, _)| *generation);
        Key { slot, generation }
    }

    /// # Panics
    ///
    /// Where 2³² values are there: as a Vec that is too long, but with 64 GB in slots alone.
    pub(crate) fn insert(&mut self, value: T) -> Key {
        if let Some(slot) = self.free {
            let (generation, free) = &mut self.slots[slot as usize];
            if let Slot::Free(next) = mem::replace(free, Slot::Taken(value)) {
                self.free = next;
            }
            self.len += 1;
            return Key { slot, generation: *generation };
        }
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 slots");
        self.slots.push((0, Slot::Taken(value)));
        self.len += 1;
        Key { slot, generation: 0 }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let (generation, slot) = self.slots.get_mut(key.index())?;
        if *generation != key.generation || matches!(slot, Slot::Free(_)) {
            return None;
        }
        let next = generation.checked_add(1);
        let free = Slot::Free(if next.is_some() { self.free } else { None });
        let Slot::Taken(value) = mem::replace(slot, free) else { return None };
        if let Some(next) = next {
            *generation = next;
            self.free = Some(key.slot);
        }
        self.len -= 1;
        Some(value)
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.slots.get(key.index()) {
            Some((generation, Slot::Taken(value))) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slots.get_mut(key.index()) {
            Some((generation, Slot::Taken(value))) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// All that are there, in the order of the slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        (0..).zip(&self.slots).filter_map(|(slot, (generation, value))| match value {
            Slot::Taken(value) => Some((Key { slot, generation: *generation }, value)),
            Slot::Free(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_has_had_all_generations_is_not_used_again() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        slab.slots[0].0 = u32::MAX;
        let last = Key { generation: u32::MAX, ..first };
        assert_eq!(
            (slab.remove(first), slab.remove(last), slab.remove(last)),
            (None, Some('a'), None)
        );
        let next = slab.insert('b');
        assert_eq!((next.slot, slab.get(last), slab.len()), (1, None, 1));
    }

    #[test]
    fn slots_are_used_again_and_keys_are_not() {
        let mut slab = Slab::new();
        let keys = ['a', 'b', 'c'].map(|value| slab.insert(value));
        assert_eq!((slab.remove(keys[1]), slab.remove(keys[1])), (Some('b'), None));
        let expected = slab.next_key();
        let next = slab.insert('d');
        assert_eq!(next, expected);
        assert_eq!((next.slot, next == keys[1], slab.len()), (1, false, 3));
        assert_eq!(slab.iter().map(|(_, value)| *value).collect::<String>(), "adc");
        assert_eq!((slab.get(keys[1]), slab.get(next)), (None, Some(&'d')));
        assert!(slab.get_mut(keys[1]).is_none() && slab.get_mut(next).is_some());
        assert_eq!(Key::from_bits(next.to_bits()), next);
    }
}
