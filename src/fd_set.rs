//! fd_set: the set of descriptors that select(2) takes.

use std::fmt;
use std::iter::FusedIterator;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::slice;

use crate::sys::fd_set::{FdBits, FdWords};
use crate::sys::words::Words;

/// `fd_set`: a set of descriptors for [`select`](fn@crate::select), which reads it and leaves it as it is.
///
/// Unlike C's, it has no end at 1024 (FD_SETSIZE): it grows. Below that it uses no heap.
/// It borrows what it names: a descriptor cannot be closed while it is in a set.
///
/// | C | here |
/// | --- | --- |
/// | `FD_ZERO(&set)` | [`FdSet::new`], [`clear`](FdSet::clear) |
/// | `FD_SET(fd, &set)` | [`insert`](FdSet::insert) |
/// | `FD_CLR(fd, &set)` | [`remove`](FdSet::remove) |
/// | `FD_ISSET(fd, &set)` | [`contains`](FdSet::contains) |
/// | a loop from 0 to nfds with `FD_ISSET` | [`iter`](FdSet::iter) |
/// | `nfds` | computed by `select`; [`highest`](FdSet::highest) plus 1 |
///
/// ```
/// use readysock::FdSet;
/// use std::os::fd::AsFd;
///
/// let (near, far) = std::os::unix::net::UnixStream::pair()?;
/// let mut set = FdSet::new();
/// assert!(set.insert(near.as_fd()));
/// assert!(set.contains(&near) && !set.contains(&far));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # What does not compile
///
/// A descriptor that is closed while a set names it (in C: a bit that silently means another file):
///
/// ```compile_fail,E0505
/// use readysock::FdSet;
/// use std::os::fd::AsFd;
///
/// let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
/// let mut set = FdSet::new();
/// set.insert(near.as_fd());
/// drop(near); // error[E0505]: cannot move out of `near` because it is borrowed
/// set.len();
/// ```
///
/// A set that outlives its descriptor:
///
/// ```compile_fail,E0597
/// use readysock::FdSet;
/// use std::os::fd::AsFd;
///
/// let mut set = FdSet::new();
/// {
///     let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
///     set.insert(near.as_fd()); // error[E0597]: `near` does not live long enough
/// }
/// set.len();
/// ```
///
/// # Negative descriptors
///
/// A [`BorrowedFd`] may be negative (rustix's `CWD` is -100). Such a one has no bit in an fd_set. The set remembers
/// it all the same, and `select` answers `EBADF`, as it does for any other descriptor that is not open.
#[doc = concat!(man_page!("select", 2))]
#[doc(alias = "fd_set")]
#[derive(Clone)]
pub struct FdSet<'fd> {
    words: FdWords<'fd>,
    /// In ascending order. Nearly always empty, and then without heap.
    negative: Vec<BorrowedFd<'fd>>,
}

impl<'fd> FdSet<'fd> {
    /// An empty set. C: `FD_ZERO`.
    #[doc(alias = "FD_ZERO")]
    #[inline]
    #[must_use]
    pub const fn new() -> FdSet<'fd> {
        FdSet { words: FdWords::new(), negative: Vec::new() }
    }

    /// Puts a descriptor into the set; returns whether it is new there. C: `FD_SET`.
    ///
    /// The set borrows it for `'fd`. A set that is kept in a loop which drops sources lets go of them
    /// by [`into_empty`](FdSet::into_empty).
    // A BorrowedFd by value, not `impl AsFd`: by value that would take an `OwnedFd`, close it on
    // return and leave its number in the set; by reference it would refuse temporaries.
    #[doc(alias = "FD_SET")]
    #[inline]
    pub fn insert(&mut self, fd: BorrowedFd<'fd>) -> bool {
        match self.words.insert(fd) {
            Some(new) => new,
            None => self.insert_negative(fd),
        }
    }

    #[cold]
    fn insert_negative(&mut self, fd: BorrowedFd<'fd>) -> bool {
        match self.find_negative(fd.as_raw_fd()) {
            Ok(_) => false,
            Err(index) => {
                self.negative.insert(index, fd);
                true
            }
        }
    }

    fn find_negative(&self, fd: RawFd) -> Result<usize, usize> {
        self.negative.binary_search_by_key(&fd, |fd| fd.as_raw_fd())
    }

    /// Takes a descriptor out of the set; returns whether it was there. C: `FD_CLR`.
    ///
    /// Pass a reference: a stream that is passed by value is closed when this returns. The borrow of
    /// the descriptor lasts as long as the set does; see [`into_empty`](FdSet::into_empty).
    #[doc(alias = "FD_CLR")]
    #[inline]
    pub fn remove(&mut self, fd: impl AsFd) -> bool {
        let fd = fd.as_fd().as_raw_fd();
        match self.words.remove(fd) {
            Some(there) => there,
            None => self.find_negative(fd).map(|index| self.negative.remove(index)).is_ok(),
        }
    }

    /// Whether the descriptor is in the set. C: `FD_ISSET`.
    ///
    /// Pass a reference: a stream that is passed by value is closed when this returns.
    #[doc(alias = "FD_ISSET")]
    #[inline]
    #[must_use]
    pub fn contains(&self, fd: impl AsFd) -> bool {
        let fd = fd.as_fd().as_raw_fd();
        self.words.contains(fd).unwrap_or_else(|| self.find_negative(fd).is_ok())
    }

    /// Empties the set and keeps its memory. C: `FD_ZERO`.
    #[doc(alias = "FD_ZERO")]
    #[inline]
    pub fn clear(&mut self) {
        self.words.clear();
        self.negative.clear();
    }

    /// Whether nothing is in the set.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many descriptors are in the set, negative ones included.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len() + self.negative.len()
    }

    /// The highest descriptor, negative ones left out. C programs keep it by hand: it is `nfds - 1`.
    #[doc(alias = "nfds")]
    #[inline]
    #[must_use]
    pub fn highest(&self) -> Option<RawFd> {
        self.words.highest()
    }

    /// The descriptors in ascending order, from both ends. It goes by words, not by bits.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> FdSetIter<'_, 'fd> {
        FdSetIter { negative: self.negative.iter(), bits: self.words.iter() }
    }

    /// The set emptied, and free of its descriptors: it keeps the memory and ends the borrow.
    ///
    /// For loops that build their sets anew at each turn and close sources in between:
    ///
    /// ```
    /// use readysock::{FdSet, select};
    /// use std::os::{fd::AsFd, unix::net::UnixStream};
    ///
    /// let mut sources = vec![UnixStream::pair()?.0, UnixStream::pair()?.0]; // whose peers have gone
    /// let (mut memory, none) = (FdSet::new(), FdSet::new());
    /// while !sources.is_empty() {
    ///     let mut set = memory;
    ///     set.extend(sources.iter().map(|source| source.as_fd()));
    ///     let ready = select(&set, &none, &none, None)?;
    ///     memory = set.into_empty();
    ///     sources.retain(|source| !ready.readable().contains(source)); // closes them: the borrow has ended
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn into_empty(self) -> FdSet<'static> {
        // Negative descriptors are too rare for their memory to be worth keeping.
        FdSet { words: self.words.into_empty(), negative: Vec::new() }
    }

    #[inline]
    pub(crate) fn words(&self) -> &Words {
        self.words.words()
    }

    #[inline]
    pub(crate) fn has_negative(&self) -> bool {
        !self.negative.is_empty()
    }
}

impl Default for FdSet<'_> {
    fn default() -> Self {
        FdSet::new()
    }
}

impl PartialEq for FdSet<'_> {
    /// Whether the same descriptors are in both.
    fn eq(&self, other: &FdSet<'_>) -> bool {
        self.len() == other.len()
            && self.iter().zip(other).all(|(one, two)| one.as_raw_fd() == two.as_raw_fd())
    }
}

impl Eq for FdSet<'_> {}

impl fmt::Debug for FdSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|fd| fd.as_raw_fd())).finish()
    }
}

impl<'fd> Extend<BorrowedFd<'fd>> for FdSet<'fd> {
    fn extend<I: IntoIterator<Item = BorrowedFd<'fd>>>(&mut self, fds: I) {
        for fd in fds {
            self.insert(fd);
        }
    }
}

impl<'fd> FromIterator<BorrowedFd<'fd>> for FdSet<'fd> {
    fn from_iter<I: IntoIterator<Item = BorrowedFd<'fd>>>(fds: I) -> FdSet<'fd> {
        let mut set = FdSet::new();
        set.extend(fds);
        set
    }
}

impl<'a, 'fd> IntoIterator for &'a FdSet<'fd> {
    type Item = BorrowedFd<'fd>;
    type IntoIter = FdSetIter<'a, 'fd>;

    #[inline]
    fn into_iter(self) -> FdSetIter<'a, 'fd> {
        self.iter()
    }
}

/// The descriptors of an [`FdSet`], in ascending order; made by [`FdSet::iter`].
#[derive(Clone)]
pub struct FdSetIter<'a, 'fd> {
    negative: slice::Iter<'a, BorrowedFd<'fd>>,
    bits: FdBits<'a, 'fd>,
}

impl<'fd> Iterator for FdSetIter<'_, 'fd> {
    type Item = BorrowedFd<'fd>;

    #[inline]
    fn next(&mut self) -> Option<BorrowedFd<'fd>> {
        self.negative.next().copied().or_else(|| self.bits.next())
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.negative.len() + self.bits.size_hint().0;
        (len, Some(len))
    }
}

impl<'fd> DoubleEndedIterator for FdSetIter<'_, 'fd> {
    #[inline]
    fn next_back(&mut self) -> Option<BorrowedFd<'fd>> {
        self.bits.next_back().or_else(|| self.negative.next_back().copied())
    }
}

impl ExactSizeIterator for FdSetIter<'_, '_> {}
impl FusedIterator for FdSetIter<'_, '_> {}

impl fmt::Debug for FdSetIter<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(|fd| fd.as_raw_fd())).finish()
    }
}
