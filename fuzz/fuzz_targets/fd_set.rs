//! `FdSet` against a model, and `select` with such sets against what poll(2) says of the same descriptors.
#![no_main]

use std::collections::{BTreeSet, VecDeque};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{MsgFlags, send};
use readysock::{FdSet, Ready, libc, pselect, select, select_into, select_once};

#[derive(Arbitrary, Debug)]
enum Op {
    Insert(u8, u16),
    /// A row of neighbours, so that words fill.
    InsertRow(u8, u16, u8),
    Remove(u8, u16),
    Contains(u8, u16),
    Clear(u8),
    Renew(u8),
    Clone(u8, u8),
    /// Sets of other lengths for the next question.
    Swap(u8, u8),
    /// From the front where the bit is set, otherwise from the back.
    Take(u8, u64),
    Select(Form),
}

#[derive(Arbitrary, Debug)]
enum Form {
    Plain,
    Once,
    Masked,
    Kept,
}

/// Every number up to here is a descriptor: some words beyond C's 1024, and beyond a second doubling.
const HIGHEST: RawFd = 2_200;

/// A descriptor, and what poll(2) says of it: nothing here changes that.
struct Watched {
    fd: OwnedFd,
    says: PollFlags,
}

struct Pool {
    watched: Vec<Watched>,
    /// Legal in safe code, if rare.
    negative: Vec<BorrowedFd<'static>>,
    /// The other ends.
    _open: (OwnedFd, OwnedFd, TcpStream),
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("raised");
    let null = std::fs::File::options().read(true).write(true).open("/dev/null").expect("opened");
    let (empty, writer) = nix::unistd::pipe().expect("a pipe");
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut peer =
        TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    let (urgent, _) = listener.accept().expect("accepted");
    send(peer.as_raw_fd(), b"!", MsgFlags::MSG_OOB).expect("sent");
    peer.flush().expect("flushed");

    let kinds = [null.as_fd(), empty.as_fd(), writer.as_fd(), urgent.as_fd()];
    let mut poll = kinds
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN | PollFlags::POLLOUT | PollFlags::POLLPRI));
    // Urgent data takes its time, also on loopback.
    while !poll[3].any().unwrap_or_default()
        || !poll[3].revents().is_some_and(|r| r.contains(PollFlags::POLLPRI))
    {
        nix::poll::poll(&mut poll, PollTimeout::ZERO).expect("polled");
    }
    let says = poll.map(|slot| slot.revents().expect("flags that nix knows"));
    let mut watched = Vec::new();
    for turn in 0.. {
        // Neighbours differ, and so do the same places of two words.
        let kind = (turn + turn / 64) % kinds.len();
        let number = fcntl(kinds[kind], FcntlArg::F_DUPFD_CLOEXEC(0)).expect("duplicated");
        // SAFETY: it was made just now, and nothing else owns it.
        watched.push(Watched { fd: unsafe { OwnedFd::from_raw_fd(number) }, says: says[kind] });
        if number > HIGHEST {
            break;
        }
    }
    // SAFETY: they are not -1, and a negative number is nobody's descriptor: nothing can close it.
    let negative = [-100, RawFd::MIN, -2].map(|number| unsafe { BorrowedFd::borrow_raw(number) });
    Pool { watched, negative: negative.into(), _open: (empty, writer, peer) }
});

impl Pool {
    fn fd(&'static self, choice: u16) -> BorrowedFd<'static> {
        let choice = usize::from(choice) % (self.watched.len() + self.negative.len());
        match self.watched.get(choice) {
            Some(watched) => watched.fd.as_fd(),
            None => self.negative[choice - self.watched.len()],
        }
    }

    /// Those of a set that have one of these flags.
    fn ready(&self, model: &BTreeSet<RawFd>, flags: PollFlags) -> Vec<RawFd> {
        let has = |watched: &&Watched| watched.says.intersects(flags);
        let numbers = self.watched.iter().filter(has).map(|watched| watched.fd.as_raw_fd());
        let mut numbers: Vec<RawFd> = numbers.filter(|number| model.contains(number)).collect();
        numbers.sort_unstable();
        numbers
    }
}

fn numbers<'fd>(fds: impl Iterator<Item = BorrowedFd<'fd>>) -> Vec<RawFd> {
    fds.map(|fd| fd.as_raw_fd()).collect()
}

fn agree(set: &FdSet<'_>, model: &BTreeSet<RawFd>) {
    assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
    assert_eq!(set.highest(), model.last().copied().filter(|number| *number >= 0));
    assert!(set.iter().map(|fd| fd.as_raw_fd()).eq(model.iter().copied()), "{set:?} {model:?}");
    assert!(set.iter().rev().map(|fd| fd.as_raw_fd()).eq(model.iter().rev().copied()));
}

fn take(set: &FdSet<'_>, model: &BTreeSet<RawFd>, mut ends: u64) {
    let mut model: VecDeque<RawFd> = model.iter().copied().collect();
    let mut iter = set.iter();
    for _ in 0..64 {
        assert_eq!(iter.len(), model.len());
        let (taken, expected) = match ends & 1 {
            1 => (iter.next(), model.pop_front()),
            _ => (iter.next_back(), model.pop_back()),
        };
        assert_eq!(taken.map(|fd| fd.as_raw_fd()), expected);
        ends >>= 1;
    }
    assert_eq!(VecDeque::from(numbers(iter)), model);
}

fn ask(form: &Form, sets: &[FdSet<'_>; 3], models: &[BTreeSet<RawFd>; 3], kept: &mut Ready) {
    let [read, write, except] = sets;
    let new;
    let result = match form {
        Form::Plain => select(read, write, except, Duration::ZERO),
        Form::Once => select_once(read, write, except, Duration::ZERO),
        Form::Masked => pselect(read, write, except, Duration::ZERO, None),
        Form::Kept => select_into(read, write, except, kept, Duration::ZERO).map(|count| {
            assert_eq!(count, kept.count());
            Ready::new()
        }),
    };
    if models.iter().flatten().any(|number| *number < 0) {
        let error = result.expect_err("a negative descriptor");
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        if let Form::Kept = form {
            assert_eq!(kept.count(), 0, "after an error nothing is ready");
        }
        return;
    }
    let ready = match (form, result.expect("all of them are open")) {
        (Form::Kept, _) => &*kept,
        (_, ready) => {
            new = ready;
            &new
        }
    };
    let asked = [PollFlags::POLLIN, PollFlags::POLLOUT, PollFlags::POLLPRI];
    let answers = [ready.readable(), ready.writable(), ready.exceptional()];
    for ((model, answer), flags) in models.iter().zip(answers).zip(asked) {
        let expected = POOL.ready(model, flags);
        assert!(answer.iter().eq(expected.iter().copied()), "{flags:?}: {answer:?} {expected:?}");
        assert_eq!((answer.len(), answer.is_empty()), (expected.len(), expected.is_empty()));
        for watched in POOL.watched.iter().step_by(7) {
            assert_eq!(
                answer.contains(&watched.fd),
                expected.binary_search(&watched.fd.as_raw_fd()).is_ok()
            );
        }
    }
    assert_eq!(ready.count(), answers.iter().map(|answer| answer.len()).sum::<usize>());
}

fuzz_target!(|ops: Vec<Op>| {
    let pool = &*POOL;
    let mut sets: [FdSet<'static>; 3] = Default::default();
    let mut models: [BTreeSet<RawFd>; 3] = Default::default();
    let mut kept = Ready::new();
    for op in ops {
        let which = |choice: u8| usize::from(choice) % 3;
        match op {
            Op::Insert(at, fd) => {
                let (at, fd) = (which(at), pool.fd(fd));
                assert_eq!(sets[at].insert(fd), models[at].insert(fd.as_raw_fd()));
                agree(&sets[at], &models[at]);
            }
            Op::InsertRow(at, first, count) => {
                let fds = (0..u16::from(count)).map(|n| pool.fd(first.wrapping_add(n)));
                models[which(at)].extend(fds.clone().map(|fd| fd.as_raw_fd()));
                sets[which(at)].extend(fds);
                agree(&sets[which(at)], &models[which(at)]);
            }
            Op::Remove(at, fd) => {
                let (at, fd) = (which(at), pool.fd(fd));
                assert_eq!(sets[at].remove(fd), models[at].remove(&fd.as_raw_fd()));
                agree(&sets[at], &models[at]);
            }
            Op::Contains(at, fd) => {
                let (at, fd) = (which(at), pool.fd(fd));
                assert_eq!(sets[at].contains(fd), models[at].contains(&fd.as_raw_fd()));
            }
            Op::Clear(at) => {
                sets[which(at)].clear();
                models[which(at)].clear();
                agree(&sets[which(at)], &models[which(at)]);
            }
            Op::Renew(at) => {
                let old = std::mem::take(&mut sets[which(at)]);
                sets[which(at)] = old.into_empty();
                models[which(at)].clear();
                agree(&sets[which(at)], &models[which(at)]);
            }
            Op::Clone(from, to) => {
                sets[which(to)] = sets[which(from)].clone();
                models[which(to)] = models[which(from)].clone();
                assert_eq!(sets[which(to)], sets[which(from)]);
            }
            Op::Swap(one, two) => {
                sets.swap(which(one), which(two));
                models.swap(which(one), which(two));
            }
            Op::Take(at, ends) => take(&sets[which(at)], &models[which(at)], ends),
            Op::Select(form) => {
                ask(&form, &sets, &models, &mut kept);
                // Always, for what an earlier answer left behind must not matter.
                ask(&Form::Kept, &sets, &models, &mut kept);
            }
        }
    }
});
