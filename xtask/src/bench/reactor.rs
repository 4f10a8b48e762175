//! `cargo xtask bench reactor`: the event loop under load, beside other echo servers.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{aligned, output, program, write};
use crate::steps::{self, Outcome};

/// The version of the peer that Python does not bring, and where it is installed: under cargo's target folder, where the benches look.
const TWISTED: &str = "26.10.0";
const PYTHON_PEERS: &str = "python-peers";

/// What our CPU time for each round trip may be, as a ratio: backend, active, idle, ratio. Without idle ones it is to C on poll,
/// with them to mio.
const BUDGETS: [(&str, u32, u32, f64); 3] =
    [("poll", 50, 0, 1.05), ("poll", 400, 0, 1.05), ("epoll", 50, 5000, 1.00)];
/// What an idle connection may take, in bytes.
const IDLE_BUDGET: f64 = 256.0;
const OURS: &str = "readysock";

pub(super) fn run(root: &Path, rounds: u32, csv: Option<&Path>) -> Outcome {
    // A path that cannot be written is an error now, and not after minutes of measuring.
    if let Some(file) = csv {
        write(file, "")?;
    }
    let python = || Command::new("python3");
    if let Err(problem) = install(python, &steps::target(root).join(PYTHON_PEERS)) {
        println!("skipped: installing Twisted {TWISTED}: {problem}");
    }
    let mut command = program(root, "reactor");
    let rows = parse(&output(command.args(["--", &rounds.to_string()]))?)?;
    println!("\n{}", table(&rows));
    if let Some(file) = csv {
        write(file, &self::csv(&rows))?;
    }
    verdict(&rows)
}

/// Once: the second time it is there.
fn install(python: impl Fn() -> Command, folder: &Path) -> Outcome {
    let mut which = python();
    which.args(["-c", "import twisted; print(twisted.__version__)"]).env("PYTHONPATH", folder);
    let said = which.stderr(Stdio::null()).output().ok().filter(|output| output.status.success());
    let there = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if there.as_deref() == Some(TWISTED) {
        return Ok(());
    }
    pip(python, folder).map_err(|problem| match there {
        // The benches take the one that they find.
        Some(other) => format!("{problem}; Twisted {other} is there, and is measured").into(),
        None => problem,
    })
}

fn pip(python: impl Fn() -> Command, folder: &Path) -> Outcome {
    let missing = match python().args(["-m", "pip", "--version"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(_) => Some("pip is missing: on Debian, `apt-get install python3-pip`"),
        Err(_) => Some("python3 is missing: on Debian, `apt-get install python3 python3-pip`"),
    };
    if let Some(missing) = missing {
        return Err(missing.into());
    }
    // Without --upgrade it leaves an older one in the folder as it is.
    let install = ["-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--upgrade"];
    let twisted = format!("twisted=={TWISTED}");
    steps::run(python().args(install).arg("--target").arg(folder).arg(twisted))
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    peer: String,
    backend: String,
    active: u32,
    idle: u32,
    /// In KiB.
    peak: String,
    measured: Measured,
}

#[derive(Clone, Debug, PartialEq)]
enum Measured {
    /// Round trips in a second, CPU time of each, the 99th percentile of their times, the ratio of the CPU times, and to whose.
    Load { per_second: String, cpu: String, p99: String, ratio: f64, beside: String },
    /// Bytes of memory for each idle connection.
    Idle { bytes: f64 },
}

/// Reads the rows that the program `reactor` prints.
fn parse(text: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    text.lines().map(|line| row(line).ok_or(format!("not a row: `{line}`").into())).collect()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
    let (kind, cells) = cells.split_first()?;
    let (peer, backend, active, idle, peak, measured) = match (kind.as_str(), cells) {
        ("load", [peer, backend, active, idle, per_second, cpu, p99, peak, ratio, beside]) => {
            let [per_second, cpu, p99, beside] = [per_second, cpu, p99, beside].map(Clone::clone);
            let ratio = ratio.parse().ok()?;
            let measured = Measured::Load { per_second, cpu, p99, ratio, beside };
            (peer, backend, active.parse().ok()?, idle, peak, measured)
        }
        ("idle", [peer, backend, idle, peak, bytes]) => {
            (peer, backend, 0, idle, peak, Measured::Idle { bytes: bytes.parse().ok()? })
        }
        _ => return None,
    };
    let [peer, backend, peak] = [peer, backend, peak].map(Clone::clone);
    Some(Row { peer, backend, active, idle: idle.parse().ok()?, peak, measured })
}

const TITLES: [&str; 13] = [
    "peer",
    "backend",
    "active",
    "idle",
    "round trips/s",
    "CPU us each",
    "p99 us",
    "peak KiB",
    "bytes each",
    "ratio",
    "beside",
    "budget",
    "holds",
];

impl Row {
    /// What is allowed, and what it is: both in one unit.
    fn judged(&self) -> Option<(f64, f64)> {
        if self.peer != OURS {
            return None;
        }
        match &self.measured {
            Measured::Load { ratio, .. } => {
                let of = (self.backend.as_str(), self.active, self.idle);
                let budget = BUDGETS.iter().find(|(b, active, idle, _)| (*b, *active, *idle) == of);
                budget.map(|(.., most)| (*most, *ratio))
            }
            Measured::Idle { bytes } => Some((IDLE_BUDGET, *bytes)),
        }
    }

    fn holds(&self) -> Option<bool> {
        self.judged().map(|(most, is)| is <= most)
    }

    fn cells(&self) -> Vec<String> {
        let none = String::new;
        let [per_second, cpu, p99, bytes, ratio, beside] = match self.measured.clone() {
            Measured::Load { per_second, cpu, p99, ratio, beside } => {
                [per_second, cpu, p99, none(), format!("{ratio:.3}"), beside]
            }
            Measured::Idle { bytes } => {
                [none(), none(), none(), format!("{bytes:.0}"), none(), none()]
            }
        };
        let budget = self.judged().map_or(none(), |(most, _)| match self.measured {
            Measured::Load { .. } => format!("{most:.2}"),
            Measured::Idle { .. } => format!("{most:.0} bytes"),
        });
        let holds = self.holds().map_or("", |holds| if holds { "yes" } else { "NO" }).to_owned();
        let (active, idle) = (self.active.to_string(), self.idle.to_string());
        let (peer, backend, peak) = (self.peer.clone(), self.backend.clone(), self.peak.clone());
        [peer, backend, active, idle, per_second, cpu, p99, peak, bytes, ratio, beside, budget]
            .into_iter()
            .chain([holds])
            .collect()
    }
}

fn table(rows: &[Row]) -> String {
    let titles = TITLES.map(str::to_owned).into();
    aligned(&[titles].into_iter().chain(rows.iter().map(Row::cells)).collect::<Vec<_>>())
}

fn csv(rows: &[Row]) -> String {
    let lines = rows.iter().map(|row| row.cells().join(",") + "\n");
    [TITLES.join(",") + "\n"].into_iter().chain(lines).collect()
}

/// An error if a budget does not hold, or was not measured.
fn verdict(rows: &[Row]) -> Outcome {
    let held: Vec<bool> = rows.iter().filter_map(Row::holds).collect();
    // Memory is measured on each of the three backends.
    let all = BUDGETS.len() + 3;
    let missed = held.iter().filter(|holds| !**holds).count();
    match (held.len() == all, missed) {
        (false, _) => Err(format!("{} of {all} budgets were measured", held.len()).into()),
        (true, 0) => Ok(()),
        (true, _) => Err(format!("{missed} of {all} budgets do not hold").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::Folder;

    const ROWS: &str = "\
load,readysock,poll,50,0,180000,4.71,300,2336,1.050,C on poll
load,readysock,poll,400,0,180000,4.71,300,2336,0.990,C on poll
load,readysock,epoll,50,0,180000,4.71,300,2336,1.900,C on poll
load,C,poll,50,0,180000,4.65,300,2250,1.000,C on poll
load,readysock,epoll,50,5000,180000,4.61,300,3056,1.000,mio on epoll
idle,readysock,select,10000,3480,120
idle,readysock,poll,10000,3480,256
idle,readysock,epoll,10000,3480,118
idle,mio,epoll,10000,2828,300
";

    fn judged(from: &str, to: &str) -> Result<(), String> {
        let rows = parse(&ROWS.replace(from, to)).expect("rows");
        verdict(&rows).map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_budgets_are_those_of_ours_on_their_backend_and_load() {
        judged("", "").expect("all hold");
        let problem = Err("1 of 6 budgets do not hold".to_owned());
        assert_eq!(judged("1.050,C", "1.051,C"), problem);
        assert_eq!(judged("0.990,C", "1.060,C"), problem);
        assert_eq!(judged("1.000,mio", "1.001,mio"), problem);
        assert_eq!(judged("3480,256", "3480,257"), problem);
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        let problem = judged("idle,readysock,poll", "idle,asyncore,poll");
        assert_eq!(problem, Err("5 of 6 budgets were measured".to_owned()));
    }

    /// A Python that has a Twisted of this version, if it has one, a pip that works, if it has one, and notes what it is to install.
    fn install_with(version: &str, pip: bool) -> (Result<(), String>, bool) {
        let folder = Folder::new("python").expect("a folder");
        let installed = folder.0.join("installed");
        let script = "case $2,$3 in
            import*) [ -n \"$VERSION\" ] && echo \"$VERSION\" ;;
            pip,--version) $PIP ;;
            pip,install) touch \"$INSTALLED\" ;;
        esac";
        let python = || {
            let mut python = Command::new("sh");
            python.args(["-c", script, "python3"]).env("VERSION", version);
            python.env("PIP", if pip { "true" } else { "false" }).env("INSTALLED", &installed);
            python
        };
        let done = install(python, &folder.0).map_err(|problem| problem.to_string());
        (done, installed.exists())
    }

    #[test]
    fn only_the_version_that_is_named_is_there_already() {
        assert_eq!(install_with(TWISTED, true), (Ok(()), false));
        assert_eq!(install_with("22.4.0", true), (Ok(()), true));
        assert_eq!(install_with("", true), (Ok(()), true));
    }

    #[test]
    fn without_pip_it_says_what_to_do() {
        let pip = "pip is missing: on Debian, `apt-get install python3-pip`";
        assert_eq!(install_with("", false), (Err(pip.to_owned()), false));
        let (problem, _) = install_with("22.4.0", false);
        assert_eq!(problem, Err(format!("{pip}; Twisted 22.4.0 is there, and is measured")));
        let problem = install(|| Command::new("/nonexistent"), Path::new("/nonexistent"));
        assert!(problem.is_err_and(|it| it.to_string().starts_with("python3 is missing")));
    }

    #[test]
    fn what_is_no_row_is_said() {
        for line in
            ["", "load,a,b", "idle,a,b,x,1,1", "load,a,b,1,1,1,1,1,1,x,c", "other,a,b,1,1,1"]
        {
            let problem = parse(&format!("{line}\n")).expect_err(line).to_string();
            assert_eq!(problem, format!("not a row: `{line}`"));
        }
    }

    #[test]
    fn each_row_says_whether_it_holds() {
        let csv = csv(&parse(ROWS).expect("rows"));
        for line in [
            "readysock,poll,50,0,180000,4.71,300,2336,,1.050,C on poll,1.05,yes",
            "readysock,epoll,50,0,180000,4.71,300,2336,,1.900,C on poll,,",
            "readysock,poll,0,10000,,,,3480,256,,,256 bytes,yes",
            "mio,epoll,0,10000,,,,2828,300,,,,",
        ] {
            assert!(csv.lines().any(|is| is == line), "{line} in\n{csv}");
        }
    }
}
