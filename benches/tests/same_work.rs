//! All cases of a task come to the same answer: what is compared does the same work.

use readysock_benches::fixture::{Fixture, Share};
use readysock_benches::poll::Wait;
use readysock_benches::{Cases, OURS, fd_set, poll, poll_set, select};

/// Each case of a task answers this, per turn; and so many of them there are.
fn agree(task: &str, cases: Cases<'_>, expected: u64, count: usize) {
    let who: Vec<_> = cases.iter().map(|case| case.who).collect();
    assert_eq!(who.len(), count, "{task}: {who:?}");
    assert!(who.contains(&OURS), "{task}: {who:?}");
    for mut case in cases.into_iter().filter(|case| case.who != "libc, no walk") {
        assert_eq!(case.run(3), 3 * expected, "{task} by {}", case.who);
    }
}

/// The numbers of those that are ready.
fn ready(fixture: &Fixture, share: Share) -> Vec<u64> {
    let numbers = fixture.numbers().into_iter().map(|fd| u64::try_from(fd).expect("a descriptor"));
    match share {
        Share::One => numbers.skip(fixture.numbers().len() / 2).take(1).collect(),
        Share::Half => numbers.step_by(2).collect(),
        Share::All => numbers.collect(),
    }
}

// One test: each fixture wants the low numbers for itself.
#[test]
fn every_case_comes_to_the_same_answer() {
    for n in [1, 16, 128, 900, 1100] {
        for share in Share::EACH {
            let fixture = Fixture::new(n, share).expect("descriptors");
            let ready = ready(&fixture, share);
            let sum: u64 = ready.iter().sum();
            let in_c = fixture.highest() < readysock_benches::FD_SETSIZE;

            for wait in Wait::EACH {
                let count = ready.len().try_into().expect("a count");
                agree("poll", poll::call(&fixture, wait), count, 4);
            }
            agree("poll and walk", poll::walk(&fixture), sum, 5);
            agree("PollSet", poll_set::wait(&fixture), sum, 5);
            agree("sets kept", select::kept(&fixture), sum, if in_c { 7 } else { 3 });
            agree("sets rebuilt", select::rebuilt(&fixture), sum, if in_c { 6 } else { 3 });

            let all = self::ready(&fixture, Share::All);
            let highest = all.iter().copied().max().unwrap_or(0);
            let count = if in_c { 4 } else { 2 };
            agree("insert", fd_set::insert(&fixture), highest, count);
            agree("iterate", fd_set::iterate(&fixture), all.iter().sum(), count);
            if share == Share::All {
                agree("walk", fd_set::walk_answer(&fixture), sum, count);
            }
        }
    }
}
