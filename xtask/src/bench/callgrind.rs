//! Counts instructions by valgrind's callgrind.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::counts::{Count, Counts};
use super::{output, program};
use crate::steps::Folder;

/// What this machine lacks for it.
pub(super) fn missing() -> Option<&'static str> {
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    let there = valgrind.is_ok_and(|status| status.success());
    (!there).then_some("valgrind is missing: on Debian, `apt-get install valgrind`")
}

/// Runs the program `instructions` of the benches under callgrind.
pub(super) fn count(root: &Path) -> Result<Counts, Box<dyn Error>> {
    if let Some(missing) = missing() {
        return Err(missing.into());
    }
    let folder = Folder::new("callgrind")?;
    let dumps = folder.0.join("dump");
    // Cargo knows where it has put the program, and starts it by this. What is collected, and when it is written,
    // goes by the name of a function; see benches/src/bin/instructions.rs.
    let runner = [
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        "--collect-atstart=no",
        "--toggle-collect=readysock_measured",
        "--dump-after=readysock_measured",
        &format!("--callgrind-out-file={}", dumps.display()),
    ];
    let runner = format!("target.'cfg(target_os = \"linux\")'.runner = {runner:?}");
    let mut command = program(root, "instructions");
    command.args(["--config", &runner]);
    // The C library has a memcpy for each generation of processors: without this the counts would be the machine's.
    command.env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM");
    let list = output(&mut command)?;
    let dump = |index: usize| {
        let path = folder.0.join(format!("dump.{index}"));
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        total(&text).ok_or_else(|| format!("{} has no total", path.display()).into())
    };
    counts(&list, &compiler()?, dump)
}

/// The compiler and the machine it compiles for.
fn compiler() -> Result<String, Box<dyn Error>> {
    let text =
        output(Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"))?;
    let version = text.lines().next().unwrap_or_default();
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    Ok(format!("{version} for {host}"))
}

/// The instructions in one of callgrind's dumps.
fn total(dump: &str) -> Option<f64> {
    dump.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

/// The counts per turn, from the program's list and the totals of the dumps, which are numbered from 1: for each task ours
/// with few turns and with many, then theirs.
fn counts(
    list: &str,
    compiler: &str,
    mut total: impl FnMut(usize) -> Result<f64, Box<dyn Error>>,
) -> Result<Counts, Box<dyn Error>> {
    let mut lines = list.lines();
    let head = lines.next().unwrap_or_default();
    let cells: Vec<&str> = head.split(',').collect();
    let [few, many, library] = cells[..] else {
        return Err(format!("not a head: `{head}`").into());
    };
    let turns = many.parse::<f64>()? - few.parse::<f64>()?;
    let mut last = 0;
    let mut per_turn = || {
        last += 2;
        // To a hundredth: the difference is a whole number of instructions over a hundred turns.
        Ok::<f64, Box<dyn Error>>((total(last)? - total(last - 1)?) / turns)
    };
    let mut counts = Vec::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let [task, n, peer] = cells[..] else { return Err(format!("not a task: `{line}`").into()) };
        let (task, n, peer) = (task.to_owned(), n.to_owned(), peer.to_owned());
        counts.push(Count { task, n, peer, ours: per_turn()?, theirs: per_turn()? });
    }
    Ok(Counts { toolchain: format!("{compiler} with {library}"), counts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_of_two_dumps_is_what_the_turns_cost() {
        let totals = [15.0, 115.0, 25.0, 235.0, 7.0, 17.0, 0.0, 30.0];
        let list = "10,20,glibc 2\npoll(ZERO),1,libc\nselect,16,C idiom\n";
        let counts = counts(list, "rustc 1", |index| Ok(totals[index - 1])).expect("counts");
        assert_eq!(counts.toolchain, "rustc 1 with glibc 2");
        let numbers: Vec<_> = counts
            .counts
            .iter()
            .map(|count| (count.task.as_str(), count.ours, count.theirs))
            .collect();
        assert_eq!(numbers, [("poll(ZERO)", 10.0, 21.0), ("select", 1.0, 3.0)]);
    }

    #[test]
    fn the_total_is_found() {
        let dump = "# callgrind format\nsummary: 12\n\nfn=(1) x\n0 5\ntotals: 548\n";
        assert_eq!(total(dump), Some(548.0));
        assert_eq!(total("# callgrind format\n"), None);
    }

    #[test]
    fn a_list_of_another_form_is_refused() {
        for list in ["", "1,2\n", "1,x,glibc\n", "1,2,glibc\ntask\n"] {
            counts(list, "rustc 1", |_| Ok(1.0)).expect_err(list);
        }
        counts("1,2,glibc\na,1,b\n", "rustc 1", |_| Err("no dump".into())).expect_err("no dump");
    }
}
