//! The event loop under load, beside other echo servers: `cargo xtask bench reactor` starts it and prints the table.
//!
//! Each server is a process of its own, on a processor of its own, and so is the load: this process. The servers take turns, a
//! fraction of a second each, forwards in one round and backwards in the next: what slows the machine down hits all. A round gives
//! each server one ratio to the one it is judged by, and the median of the rounds is the result. What counts is the CPU time of the
//! server's process for each round trip: unlike the throughput, it does not hang on what else the machine does.
//!
//! To see where the time goes, start one server under valgrind, and then the load:
//!
//! ```text
//! valgrind --tool=callgrind target/release/reactor serve readysock poll 0
//! target/release/reactor load ADDR ACTIVE IDLE MILLISECONDS
//! ```

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use readysock_benches::echo::{
    C_ON_POLL, Load, MIO, PEERS, Peer, Server, processors, program, raise_limit, stay,
};

/// How many connections are active, and how many are not.
const LOADS: [(usize, usize); 4] = [(1, 0), (50, 0), (400, 0), (50, 5000)];
/// How many idle ones show what one takes in memory.
const IDLE: usize = 10_000;
/// How long one server is measured before the next one has its turn, and how long it is warmed up.
const TURN: Duration = Duration::from_millis(250);
const WARM_UP: Duration = Duration::from_millis(50);
/// How often memory is measured: it hardly varies.
const MEMORY_ROUNDS: u32 = 3;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", name, backend, cpu] => {
            let peer = PEERS.iter().find(|peer| (peer.name, peer.backend) == (name, backend));
            match peer.ok_or("no such server")?.serve(cpu.parse()?)? {}
        }
        ["load", addr, active, idle, time] => {
            raise_limit()?;
            let mut load = Load::connect(addr.parse()?, active.parse()?, idle.parse()?)?;
            load.begin()?;
            load.run(Duration::from_millis(time.parse()?))?;
            println!("{} round trips", load.times().len());
            Ok(())
        }
        [rounds] => Bench::new(rounds.parse()?)?.run(),
        _ => Err("usage: reactor ROUNDS".into()),
    }
}

/// What one turn of one server came to.
struct Turn {
    per_second: f64,
    /// In microseconds.
    cpu: f64,
    p99: f64,
    /// In KiB.
    peak: f64,
}

struct Bench {
    rounds: u32,
    peers: Vec<Peer>,
    server: usize,
}

impl Bench {
    fn new(rounds: u32) -> Outcome<Bench> {
        let limit = raise_limit()?;
        let needed = IDLE + 100;
        if usize::try_from(limit)? < needed {
            return Err(format!(
                "{limit} descriptors are not enough: as root, `ulimit -Hn {needed}` in this shell"
            )
            .into());
        }
        let mut peers = PEERS.to_vec();
        peers.retain(|peer| {
            let missing = peer.missing();
            if let Some(why) = &missing {
                eprintln!("skipped: {} on {}: {why}", peer.name, peer.backend);
            }
            missing.is_none()
        });
        let processors = processors()?;
        let (load, server) = match processors[..] {
            [first, .., last] => (first, last),
            _ => {
                eprintln!("one processor only: the servers share it with the load");
                (processors[0], processors[0])
            }
        };
        stay(load)?;
        Ok(Bench { rounds, peers, server })
    }

    fn run(&self) -> Outcome {
        for (active, idle) in LOADS {
            self.load(active, idle)?;
        }
        self.memory()
    }

    /// The rows of one load: `load`, name, backend, active, idle, round trips a second, CPU, p99, peak, ratio, beside whom.
    fn load(&self, active: usize, idle: usize) -> Outcome {
        let beside = if idle > 0 { MIO } else { C_ON_POLL };
        let fits = |peer: &&Peer| {
            let fits = active + idle <= peer.most;
            if !fits {
                let Peer { name, backend, most } = peer;
                let all = active + idle;
                eprintln!("skipped: {name} on {backend}: {all} connections: it takes {most}");
            }
            fits
        };
        let mut peers: Vec<Peer> = self.peers.iter().filter(fits).copied().collect();
        let mut turns: HashMap<(&str, &str), Vec<Turn>> = HashMap::new();
        for round in 1..=self.rounds {
            for peer in &peers {
                let Peer { name, backend, .. } = peer;
                progress(&format!(
                    "round {round} of {}, {active} active, {idle} idle: {name} on {backend}",
                    self.rounds
                ));
                let turn = self.turn(peer, active, idle);
                let turn = turn.map_err(|error| format!("{name} on {backend}: {error}"))?;
                turns.entry((name, backend)).or_default().push(turn);
            }
            peers.reverse();
        }
        progress("");
        let judge = &turns[&(beside.name, beside.backend)];
        for peer in self.peers.iter().filter(|peer| peers.contains(peer)) {
            let Peer { name, backend, .. } = *peer;
            let turns = &turns[&(name, backend)];
            let of = |value: fn(&Turn) -> f64| median(turns.iter().map(value));
            let ratio = median(turns.iter().zip(judge).map(|(turn, judge)| turn.cpu / judge.cpu));
            println!(
                "load,{name},{backend},{active},{idle},{:.0},{:.2},{:.0},{:.0},{ratio:.3},{} on {}",
                of(|turn| turn.per_second),
                of(|turn| turn.cpu),
                of(|turn| turn.p99),
                of(|turn| turn.peak),
                beside.name,
                beside.backend,
            );
        }
        Ok(())
    }

    fn turn(&self, peer: &Peer, active: usize, idle: usize) -> Outcome<Turn> {
        let server = Server::start(&program()?, peer, self.server)?;
        let mut load = Load::connect(server.addr, active, idle)?;
        load.begin()?;
        load.run(WARM_UP)?;
        let before = server.cpu()?;
        let took = load.run(TURN)?;
        let cpu = server.cpu()?.saturating_sub(before);
        let mut times = load.times().to_vec();
        times.sort_unstable();
        let count = times.len() as f64;
        let p99 = times.get(times.len() * 99 / 100).ok_or("no answer in time")?;
        Ok(Turn {
            per_second: count / took.as_secs_f64(),
            cpu: cpu.as_secs_f64() * 1e6 / count,
            p99: f64::from(*p99) / 1e3,
            peak: server.peak()? as f64,
        })
    }

    /// What an idle connection takes: `idle`, name, backend, idle, peak, bytes for each.
    fn memory(&self) -> Outcome {
        for peer in self.peers.iter().filter(|peer| peer.most > IDLE) {
            let Peer { name, backend, .. } = peer;
            progress(&format!("memory of {IDLE} idle connections: {name} on {backend}"));
            let (mut peaks, mut each) = (Vec::new(), Vec::new());
            for _ in 0..MEMORY_ROUNDS {
                let [none, all] = [0, IDLE].map(|idle| self.peak(peer, idle));
                let (none, all) = (none?, all?);
                peaks.push(all);
                each.push((all - none) * 1024.0 / IDLE as f64);
            }
            progress("");
            println!("idle,{name},{backend},{IDLE},{:.0},{:.0}", median(peaks), median(each));
        }
        Ok(())
    }

    /// The most memory, in KiB, that a server has with so many idle connections, and one that has been answered.
    fn peak(&self, peer: &Peer, idle: usize) -> Outcome<f64> {
        let server = Server::start(&program()?, peer, self.server)?;
        let _load = Load::connect(server.addr, 1, idle)?;
        Ok(server.peak()? as f64)
    }
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What is measured now, on one line of the screen.
fn progress(text: &str) {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
        let _ = stderr().flush();
    }
}
