//! Lines, counted bytes and raw ones out of a stream: the same, however it was cut on its way.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use proptest::prelude::*;
use readysock::Key;
use readysock::reactor::line::{LineProtocol, LineTransport, Lines};
use readysock::reactor::{Backend, Lost, Reactor};

use crate::support;
use crate::tools::{Count, Loop, Peer, add, count, pattern};

/// What a protocol of lines is told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Line(Vec<u8>),
    /// All that came in one go of raw mode.
    Raw(Vec<u8>),
    TooLong,
    /// The end, and what had no end before it.
    Closed(Vec<u8>),
    Lost,
}

/// What it does when it has had a line: so that both it and the model can do the same.
#[derive(Clone, Debug)]
enum Step {
    Keep,
    Terminator(&'static [u8]),
    Count(usize),
    /// Raw mode for so many bytes, then lines again.
    Raw(usize),
    Pause,
}

const LONGEST: usize = 12;

struct Scripted {
    steps: Vec<Step>,
    lines: usize,
    raw_left: usize,
    told: Rc<RefCell<Vec<Told>>>,
    pauses: Count,
}

impl LineProtocol for Scripted {
    fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
        self.told.borrow_mut().push(Told::Line(line.to_vec()));
        let step = self.steps.get(self.lines).unwrap_or(&Step::Keep);
        self.lines += 1;
        match *step {
            Step::Keep => {}
            Step::Terminator(terminator) => transport.set_terminator(terminator),
            Step::Count(bytes) => transport.set_count(bytes),
            Step::Raw(bytes) => {
                self.raw_left = bytes;
                self.told.borrow_mut().push(Told::Raw(Vec::new()));
                transport.set_raw();
            }
            Step::Pause => {
                transport.pause_reading();
                add(&self.pauses);
            }
        }
    }

    fn raw_received(&mut self, transport: &mut LineTransport<'_, '_>, data: &[u8]) -> usize {
        let taken = data.len().min(self.raw_left);
        if let Some(Told::Raw(bytes)) = self.told.borrow_mut().last_mut() {
            bytes.extend_from_slice(&data[..taken]);
        }
        self.raw_left -= taken;
        if self.raw_left == 0 {
            transport.set_lines();
        }
        taken
    }

    fn line_too_long(&mut self, transport: &mut LineTransport<'_, '_>) {
        self.told.borrow_mut().push(Told::TooLong);
        transport.close();
    }

    fn read_closed(&mut self, transport: &mut LineTransport<'_, '_>, rest: &[u8]) {
        self.told.borrow_mut().push(Told::Closed(rest.to_vec()));
        transport.close();
    }

    fn connection_lost(&mut self, _: &mut Reactor, why: Lost) {
        assert!(why.is_clean(), "{why}");
        self.told.borrow_mut().push(Told::Lost);
    }
}

/// The same, told from the whole stream at once.
fn model(stream: &[u8], steps: &[Step]) -> Vec<Told> {
    let (mut rest, mut told, mut terminator) = (stream, Vec::new(), &b"\r\n"[..]);
    let (mut counted, mut number) = (None, 0);
    loop {
        let line = match counted.take() {
            Some(bytes) if rest.len() < bytes => break,
            Some(bytes) => {
                let (piece, after) = rest.split_at(bytes);
                rest = after;
                piece
            }
            None => {
                let end = rest.windows(terminator.len()).position(|window| window == terminator);
                match end {
                    Some(end) if end <= LONGEST => {
                        let line = &rest[..end];
                        rest = &rest[end + terminator.len()..];
                        line
                    }
                    Some(_) => {
                        told.extend([Told::TooLong, Told::Lost]);
                        return told;
                    }
                    None if rest.len() >= LONGEST + terminator.len() => {
                        told.extend([Told::TooLong, Told::Lost]);
                        return told;
                    }
                    None => break,
                }
            }
        };
        told.push(Told::Line(line.to_vec()));
        match steps.get(number).unwrap_or(&Step::Keep) {
            Step::Keep | Step::Pause => {}
            Step::Terminator(other) => terminator = other,
            Step::Count(bytes) => counted = Some(*bytes),
            Step::Raw(bytes) => {
                let (raw, after) = rest.split_at((*bytes).min(rest.len()));
                told.push(Told::Raw(raw.to_vec()));
                rest = after;
                if raw.len() < *bytes {
                    break;
                }
            }
        }
        number += 1;
    }
    told.extend([Told::Closed(rest.to_vec()), Told::Lost]);
    told
}

/// The stream in these pieces, through a reactor.
fn run(it: &mut Loop, stream: &[u8], cuts: &[usize], steps: &[Step]) -> Vec<Told> {
    let (near, far) = UnixStream::pair().unwrap();
    let (told, pauses): (Rc<RefCell<Vec<Told>>>, _) = (Rc::default(), count());
    let protocol = Scripted {
        steps: steps.to_vec(),
        lines: 0,
        raw_left: 0,
        told: Rc::clone(&told),
        pauses: Rc::clone(&pauses),
    };
    let key = it.attach(near.into(), Lines::new(protocol).longest(LONGEST)).unwrap();
    it.passes(1);
    let resume = |it: &mut Loop| loop {
        it.passes(2);
        match it.transport(key) {
            Some(mut transport) if transport.is_reading_paused() => transport.resume_reading(),
            _ => return,
        }
    };
    let mut from = 0;
    for to in cuts.iter().copied().chain([stream.len()]) {
        if to > from {
            // It may have ended: a line that was too long.
            let _ = (&far).write_all(&stream[from..to]);
            from = to;
            resume(it);
        }
    }
    far.shutdown(Shutdown::Write).unwrap();
    resume(it);
    drop(far);
    it.until(|| told.borrow().contains(&Told::Lost));
    told.take()
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Keep),
        2 => prop::sample::select(vec![&b"\r\n"[..], b"\n", b";", b"abab", b"a"]).prop_map(Step::Terminator),
        2 => (0..7_usize).prop_map(Step::Count),
        2 => (1..7_usize).prop_map(Step::Raw),
        3 => Just(Step::Pause),
    ]
}

pub fn the_same_lines_for_every_way_of_cutting_a_stream(backend: Backend) {
    let piece = prop::sample::select(vec![
        &b"\r\n"[..],
        b"\r",
        b"\n",
        b";",
        b"a",
        b"ab",
        b"b",
        b"xyz",
        b"abab",
    ]);
    let stream = prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat());
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..12);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(support::cases(300))
    };
    let it = RefCell::new(Loop::new(backend));
    proptest!(config, |(stream in stream, cuts in cuts, steps in prop::collection::vec(step(), 0..10))| {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let expected = model(&stream, &steps);
        prop_assert_eq!(run(&mut it.borrow_mut(), &stream, &cuts, &steps), &expected[..]);
    });
}

/// One stream with everything in it, cut in every way that there is; in one of seven, where each instruction is emulated.
pub fn every_cut_of_one_stream(backend: Backend) {
    let stream = b"a\r\n123raw;b\r\nend";
    let steps = [Step::Count(3), Step::Raw(3), Step::Keep];
    let line = |bytes: &[u8]| Told::Line(bytes.to_vec());
    let expected = [
        line(b"a"),
        line(b"123"),
        Told::Raw(b"raw".to_vec()),
        line(b";b"),
        Told::Closed(b"end".to_vec()),
        Told::Lost,
    ];
    assert_eq!(model(stream, &steps), expected);
    let mut it = Loop::new(backend);
    let mut step = 1;
    if support::emulated() {
        step = 7;
        support::skipped("six of seven cuts of a stream: each instruction is emulated");
    }
    for bits in (0..1_u32 << 12).step_by(step) {
        let cuts: Vec<usize> =
            (0..12).filter(|bit| bits & (1 << bit) != 0).map(|bit| bit + 2).collect();
        assert_eq!(run(&mut it, stream, &cuts, &steps), expected, "{cuts:?}");
    }
}

/// What lines make of a stream when nothing is scripted.
fn lines_of(
    it: &mut Loop,
    make: impl Fn(Lines<Scripted>) -> Lines<Scripted>,
    stream: &[u8],
) -> Vec<Told> {
    let (near, far) = UnixStream::pair().unwrap();
    let told: Rc<RefCell<Vec<Told>>> = Rc::default();
    let protocol = Scripted {
        steps: vec![],
        lines: 0,
        raw_left: usize::MAX,
        told: Rc::clone(&told),
        pauses: count(),
    };
    it.attach(near.into(), make(Lines::new(protocol))).unwrap();
    (&far).write_all(stream).unwrap();
    drop(far);
    it.until(|| told.borrow().contains(&Told::Lost));
    told.take()
}

pub fn the_longest_line_and_one_byte_more(backend: Backend) {
    let mut it = Loop::new(backend);
    for longest in [0, 1, 16 << 10, 70_000] {
        let exact = pattern(longest).iter().map(|byte| byte | 0x40).collect::<Vec<u8>>();
        let stream = [&exact[..], b"\r\n"].concat();
        let told = lines_of(&mut it, |lines| lines.longest(longest), &stream);
        assert_eq!(
            told,
            [Told::Line(exact.clone()), Told::Closed(vec![]), Told::Lost],
            "{longest}"
        );
        let stream = [&exact[..], b"x\r\nnothing of this\r\n"].concat();
        let told = lines_of(&mut it, |lines| lines.longest(longest), &stream);
        assert_eq!(told, [Told::TooLong, Told::Lost], "{longest}");
        // The terminator begins in time and does not end.
        let stream = [&exact[..], b"\r"].concat();
        let told = lines_of(&mut it, |lines| lines.longest(longest), &stream);
        assert_eq!(told, [Told::Closed(stream), Told::Lost], "{longest}");
    }
    // Unless set, it is 16 KiB.
    let stream = [&[b'x'; (16 << 10) + 1][..], b"\r\n"].concat();
    assert_eq!(lines_of(&mut it, |lines| lines, &stream), [Told::TooLong, Told::Lost]);
    // Another terminator, from the start.
    let told = lines_of(&mut it, |lines| lines.ended_by(b"--"), b"a-b--c---d");
    let line = |bytes: &[u8]| Told::Line(bytes.to_vec());
    assert_eq!(told, [line(b"a-b"), line(b"c"), Told::Closed(b"-d".to_vec()), Told::Lost]);
}

/// Nothing counted off is there already; so it is with all that was received before it was asked for.
pub fn a_count_of_nothing_comes_at_once(backend: Backend) {
    struct Nothing(Count, Rc<Cell<bool>>);
    impl LineProtocol for Nothing {
        fn connection_made(&mut self, transport: &mut LineTransport<'_, '_>) {
            transport.set_count(0);
        }
        fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
            assert!(line.is_empty());
            add(&self.0);
            if self.0.get() < 3 {
                transport.set_count(0);
            }
        }
        fn resume_writing(&mut self, transport: &mut LineTransport<'_, '_>) {
            transport.set_count(0);
            self.1.set(true);
        }
    }
    let mut it = Loop::new(backend);
    let (near, far) = UnixStream::pair().unwrap();
    let (lines, resumed) = (count(), Rc::new(Cell::new(false)));
    let key = it
        .attach(near.into(), Lines::new(Nothing(Rc::clone(&lines), Rc::clone(&resumed))))
        .unwrap();
    it.passes(2);
    assert_eq!(lines.get(), 3);
    // Also where something else than data is told.
    let mut transport = it.transport(key).unwrap();
    while transport.queued() <= 64 << 10 {
        transport.write(&pattern(1 << 16));
    }
    it.passes(2);
    let reader = std::thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while (&far).read(&mut buffer).is_ok_and(|n| n > 0) {}
    });
    it.until(|| resumed.get());
    it.passes(1);
    assert_eq!(lines.get(), 4);
    it.transport(key).unwrap().close();
    it.drop_reactor();
    reader.join().unwrap();
}

/// What is set holds for all that is held, also for what was looked through before.
pub fn a_terminator_that_is_set_later_finds_what_is_held(backend: Backend) {
    struct Later(Rc<RefCell<Vec<Vec<u8>>>>);
    impl LineProtocol for Later {
        fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
            self.0.borrow_mut().push(line.to_vec());
            transport.set_marks(0, 0);
            while transport.queued() == 0 {
                transport.write(&pattern(1 << 16));
            }
        }
        fn resume_writing(&mut self, transport: &mut LineTransport<'_, '_>) {
            transport.set_terminator(b";");
        }
    }
    let mut it = Loop::new(backend);
    let (near, far) = UnixStream::pair().unwrap();
    let lines = Rc::default();
    it.attach(near.into(), Lines::new(Later(Rc::clone(&lines)))).unwrap();
    (&far).write_all(b"first\r\nsecond;third;rest").unwrap();
    it.until(|| lines.borrow().len() == 1);
    it.passes(2);
    assert_eq!(lines.borrow().len(), 1);
    far.set_nonblocking(true).unwrap();
    let mut buffer = vec![0; 1 << 16];
    it.until(|| {
        while (&far).read(&mut buffer).is_ok_and(|n| n > 0) {}
        lines.borrow().len() == 3
    });
    assert_eq!(lines.take(), [&b"first"[..], b"second", b"third"]);
}

/// No terminator is raw mode, also after a count and when lines are asked for again.
pub fn without_a_terminator_everything_is_raw(backend: Backend) {
    struct Raw(Rc<RefCell<Vec<u8>>>, Count, bool);
    impl LineProtocol for Raw {
        fn connection_made(&mut self, transport: &mut LineTransport<'_, '_>) {
            if self.2 { transport.set_count(2) } else { transport.set_lines() }
        }
        fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
            assert_eq!(line, b"ab");
            add(&self.1);
            transport.write_line(line);
        }
        fn raw_received(&mut self, _: &mut LineTransport<'_, '_>, data: &[u8]) -> usize {
            self.0.borrow_mut().extend_from_slice(data);
            data.len()
        }
    }
    for counted in [false, true] {
        let mut it = Loop::new(backend);
        let (near, far) = UnixStream::pair().unwrap();
        let (raw, lines) = (Rc::default(), count());
        let protocol = Raw(Rc::clone(&raw), Rc::clone(&lines), counted);
        it.attach(near.into(), Lines::new(protocol).ended_by(b"")).unwrap();
        (&far).write_all(b"abcd\r\n").unwrap();
        it.until(|| raw.borrow().ends_with(b"\n"));
        assert_eq!(
            (raw.take(), lines.get()),
            (b"abcd\r\n"[if counted { 2 } else { 0 }..].to_vec(), usize::from(counted))
        );
    }
}

/// The lines that were held back come before the end, wherever the reading is resumed from.
pub fn held_lines_come_before_the_end(backend: Backend) {
    for from_another in [false, true] {
        let mut it = Loop::new(backend);
        let (near, far) = UnixStream::pair().unwrap();
        let told: Rc<RefCell<Vec<Told>>> = Rc::default();
        let steps = vec![Step::Pause, Step::Keep, Step::Pause];
        let protocol =
            Scripted { steps, lines: 0, raw_left: 0, told: Rc::clone(&told), pauses: count() };
        let key = it.attach(near.into(), Lines::new(protocol)).unwrap();
        (&far).write_all(b"a\r\nb\r\nc\r\nd\r\ne").unwrap();
        drop(far);
        it.until(|| told.borrow().len() == 1);
        it.passes(2);
        let line = |bytes: &[u8]| Told::Line(bytes.to_vec());
        assert_eq!(told.take(), [line(b"a")], "the others are held");
        let mut expected =
            vec![line(b"b"), line(b"c"), line(b"d"), Told::Closed(b"e".to_vec()), Told::Lost];
        for part in [2, 3] {
            if from_another {
                // When other connections are told what is due, this one's turn in this pass is over.
                resume_from_another(&mut it, key);
            } else {
                it.transport(key).unwrap().resume_reading();
            }
            it.until(|| told.borrow().len() >= part);
            it.passes(2);
            let rest = expected.split_off(part.min(expected.len()));
            assert_eq!(told.take(), expected);
            expected = rest;
        }
    }
}

fn resume_from_another(it: &mut Loop, key: Key) {
    let (near, _far) = UnixStream::pair().unwrap();
    let (peer, seen) = Peer::new();
    let peer = peer.on_made(move |transport| {
        transport.reactor().transport(key).expect("it is there").resume_reading();
    });
    it.attach(near.into(), peer).unwrap();
    it.until(|| seen.borrow().made == 1);
}

/// Both ends speak lines: what one writes with `write_line` is what the other is told.
pub fn lines_over_tcp_and_a_closure(backend: Backend) {
    let mut it = Loop::new(backend);
    let (_, addr) = it.serve(|| {
        Lines::new(|transport: &mut LineTransport<'_, '_>, line: &[u8]| {
            transport.write_line(&line.to_ascii_uppercase());
        })
    });
    struct Client(Rc<RefCell<Vec<Told>>>);
    impl LineProtocol for Client {
        fn connection_made(&mut self, transport: &mut LineTransport<'_, '_>) {
            transport.write_line(b"hello");
            transport.write(b"and\r\nso on\r");
            transport.write(b"\n");
        }
        fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
            self.0.borrow_mut().push(Told::Line(line.to_vec()));
            if line == b"SO ON" {
                transport.close();
            }
        }
        fn connection_lost(&mut self, reactor: &mut Reactor, why: Lost) {
            assert!(why.is_clean(), "{why}");
            self.0.borrow_mut().push(Told::Lost);
            reactor.stop();
        }
    }
    let told: Rc<RefCell<Vec<Told>>> = Rc::default();
    it.connect([addr], None, Lines::new(Client(Rc::clone(&told)))).unwrap();
    it.run().unwrap();
    let line = |bytes: &[u8]| Told::Line(bytes.to_vec());
    assert_eq!(told.take(), [line(b"HELLO"), line(b"AND"), line(b"SO ON"), Told::Lost]);
}
