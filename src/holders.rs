//! Who was registered last under a descriptor's number, for who keeps an instance of epoll.
//!
//! The kernel's registration is of a number and an open file. Where a descriptor was closed behind the back of its source and
//! the number is another file's by now, two sources say the same number, and what is registered under it is the later one's.

use std::os::fd::RawFd;

use crate::slab::Key;

/// By number. A key stays here when its source or its registration goes: who asks compares the number.
#[derive(Default)]
pub(crate) struct Holders(Vec<Key>);

/// The key of nothing: a slab ends before this slot.
const NOBODY: Key = Key { slot: u32::MAX, generation: u32::MAX };

impl Holders {
    pub(crate) fn get(&self, number: RawFd) -> Option<Key> {
        let key = usize::try_from(number).ok().and_then(|index| self.0.get(index));
        key.copied().filter(|key| *key != NOBODY)
    }

    /// Sets who it is now, and says who it was. The memory is that of a key for each number up to the highest, as the kernel's own
    /// table of this process has a pointer for each: so the number must be one that was registered.
    pub(crate) fn replace(&mut self, number: RawFd, key: Key) -> Option<Key> {
        let before = self.get(number);
        if let Ok(index) = usize::try_from(number) {
            if self.0.len() <= index {
                self.0.resize(index + 1, NOBODY);
            }
            self.0[index] = key;
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_kept_for_each_number() {
        let mut holders = Holders::default();
        let [a, b] = [1, 2].map(|slot| Key { slot, generation: 7 });
        assert_eq!((holders.get(5), holders.get(-1)), (None, None));
        assert_eq!((holders.replace(5, a), holders.replace(-1, a)), (None, None));
        assert_eq!([4, 5, 6, -1].map(|number| holders.get(number)), [None, Some(a), None, None]);
        assert_eq!((holders.replace(5, b), holders.replace(0, a)), (Some(a), None));
        assert_eq!((holders.get(5), holders.get(0)), (Some(b), Some(a)));
    }
}
