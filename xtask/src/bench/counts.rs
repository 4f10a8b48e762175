//! The committed table of instruction counts, and the comparison with it.
//!
//! The first line says which compiler and which C library the counts are of. With the same ones, the counts are exact,
//! and what is allowed on top is small: it covers what the linker's order of things changes. Another compiler makes other
//! code of the same source, so then only the ratios to the peer, which was compiled on the same machine, are compared, and
//! with a wide tolerance: that finds a loop gone wrong, not ten instructions. Record anew when the compiler moves on.

use std::error::Error;

use super::aligned;
use super::budgets::POLL_BUDGET;
use crate::steps::Outcome;

/// How much more is allowed where the toolchain is the same: 1 % and two instructions.
const SAME: (f64, f64) = (1.01, 2.0);
/// How much the ratio to the peer may grow where the toolchain is another one.
const OTHER: f64 = 1.25;

/// The instructions of one call, or of one piece of work.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Count {
    pub(super) task: String,
    pub(super) n: String,
    pub(super) peer: String,
    pub(super) ours: f64,
    pub(super) theirs: f64,
}

impl Count {
    fn is_poll_call(&self) -> bool {
        self.task.starts_with("poll(")
    }

    fn ratio(&self) -> f64 {
        self.ours / self.theirs
    }
}

/// The counts of one run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counts {
    /// The compiler, the machine and the C library.
    pub(super) toolchain: String,
    pub(super) counts: Vec<Count>,
}

const TITLES: &str = "task,n,beside,ours,theirs";

impl Counts {
    /// The calls of poll alone, which have a budget.
    pub(super) fn poll_calls(&self) -> impl Iterator<Item = &Count> {
        self.counts.iter().filter(|count| count.is_poll_call())
    }

    pub(super) fn csv(&self) -> String {
        let rows = self.counts.iter().map(|count| {
            let Count { task, n, peer, ours, theirs } = count;
            format!("{task},{n},{peer},{ours},{theirs}\n")
        });
        [format!("# {}\n{TITLES}\n", self.toolchain)].into_iter().chain(rows).collect()
    }

    pub(super) fn parse(text: &str) -> Result<Counts, Box<dyn Error>> {
        let (toolchain, rest) = text
            .strip_prefix("# ")
            .and_then(|text| text.split_once('\n'))
            .ok_or("the table of counts does not start with its toolchain")?;
        let rows = rest
            .strip_prefix(TITLES)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or(format!("the table of counts has no line `{TITLES}`"))?;
        let counts = rows.lines().map(|line| count(line).ok_or(format!("not a count: `{line}`")));
        Ok(Counts { toolchain: toolchain.to_owned(), counts: counts.collect::<Result<_, _>>()? })
    }
}

fn count(line: &str) -> Option<Count> {
    let cells: Vec<&str> = line.split(',').collect();
    let [task, n, peer, ours, theirs] = cells.try_into().ok()?;
    Some(Count {
        task: task.to_owned(),
        n: n.to_owned(),
        peer: peer.to_owned(),
        ours: ours.parse().ok()?,
        theirs: theirs.parse().ok()?,
    })
}

/// What a comparison says of one count.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Good,
    /// So much better that the table should know.
    Better,
    Worse,
    OverBudget,
    /// Not in the recorded table.
    New,
}

fn verdict(recorded: Option<&Count>, now: &Count, same_toolchain: bool) -> Verdict {
    let Some(recorded) = recorded else { return Verdict::New };
    if now.is_poll_call() && now.ours - now.theirs > POLL_BUDGET {
        return Verdict::OverBudget;
    }
    let allowed = |ours: f64| ours * SAME.0 + SAME.1;
    let (worse, better) = if same_toolchain {
        (now.ours > allowed(recorded.ours), allowed(now.ours) < recorded.ours)
    } else {
        (now.ratio() > recorded.ratio() * OTHER, false)
    };
    match (worse, better) {
        (true, _) => Verdict::Worse,
        (_, true) => Verdict::Better,
        _ => Verdict::Good,
    }
}

fn verdicts<'a>(
    recorded: &'a Counts,
    now: &'a Counts,
) -> Vec<(Option<&'a Count>, &'a Count, Verdict)> {
    let same = recorded.toolchain == now.toolchain;
    let of = |count: &Count| {
        let is_it =
            |old: &&Count| (&old.task, &old.n, &old.peer) == (&count.task, &count.n, &count.peer);
        recorded.counts.iter().find(is_it)
    };
    now.counts.iter().map(|count| (of(count), count, verdict(of(count), count, same))).collect()
}

/// Prints the counts beside those recorded; an error if one is worse, or has no record.
pub(super) fn compare(recorded: &Counts, now: &Counts) -> Outcome {
    if recorded.toolchain != now.toolchain {
        println!(
            "recorded with {}, counted with {}: only the ratios are compared",
            recorded.toolchain, now.toolchain
        );
    }
    let verdicts = verdicts(recorded, now);
    println!("\n{}", table(&verdicts));
    if verdicts.iter().any(|(.., verdict)| *verdict == Verdict::Better) {
        println!("Some are better than recorded: keep that with `bench --instructions --record`.");
    }
    let gone =
        recorded.counts.len().saturating_sub(verdicts.iter().filter(|row| row.0.is_some()).count());
    let bad =
        verdicts.iter().filter(|(.., verdict)| !matches!(verdict, Verdict::Good | Verdict::Better));
    match (bad.count(), gone) {
        (0, 0) => Ok(()),
        (bad, gone) => Err(format!(
            "{bad} of {} counts are worse, over the budget or not recorded, {gone} recorded ones are not counted: find out \
             why, or, if it has to be, `cargo xtask bench --instructions --record`",
            verdicts.len()
        )
        .into()),
    }
}

fn table(verdicts: &[(Option<&Count>, &Count, Verdict)]) -> String {
    let titles = ["task", "n", "beside", "ours", "theirs", "more", "ratio", "recorded", ""];
    let rows = verdicts.iter().map(|(old, now, verdict)| {
        let old = |value: fn(&Count) -> String| old.map_or(String::new(), value);
        let cells: [String; 9] = [
            now.task.clone(),
            now.n.clone(),
            now.peer.clone(),
            now.ours.to_string(),
            now.theirs.to_string(),
            format!("{:+}", now.ours - now.theirs),
            format!("{:.3}", now.ratio()),
            old(|old| format!("{} ({:.3})", old.ours, old.ratio())),
            if *verdict == Verdict::Good { String::new() } else { format!("{verdict:?}") },
        ];
        cells.into()
    });
    aligned(&[titles.map(str::to_owned).into()].into_iter().chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(toolchain: &str, rows: &[(&str, f64, f64)]) -> Counts {
        let row = |&(task, ours, theirs): &(&str, f64, f64)| Count {
            task: task.to_owned(),
            n: "16".to_owned(),
            peer: "libc".to_owned(),
            ours,
            theirs,
        };
        Counts { toolchain: toolchain.to_owned(), counts: rows.iter().map(row).collect() }
    }

    fn verdict_of(recorded: &Counts, now: &Counts) -> Verdict {
        verdicts(recorded, now)[0].2
    }

    #[test]
    fn a_slower_build_fails() {
        let recorded = counts("rustc 1", &[("select", 400.0, 380.0), ("walk", 20.0, 380.0)]);
        compare(&recorded, &recorded).expect("nothing has changed");
        let slower = counts("rustc 1", &[("select", 406.5, 380.0), ("walk", 20.0, 380.0)]);
        let problem = compare(&recorded, &slower).expect_err("one is slower").to_string();
        assert!(problem.starts_with("1 of 2 counts are worse"), "{problem}");
        let slower = counts("rustc 1", &[("select", 400.0, 380.0), ("walk", 23.0, 380.0)]);
        compare(&recorded, &slower).expect_err("the other one is slower");
        // Slow peers do not excuse it.
        let slower = counts("rustc 1", &[("select", 800.0, 760.0), ("walk", 20.0, 380.0)]);
        compare(&recorded, &slower).expect_err("both are slower");
    }

    #[test]
    fn the_tolerance_is_small_and_faster_is_said() {
        let recorded = counts("rustc 1", &[("select", 400.0, 380.0)]);
        let with = |ours| verdict_of(&recorded, &counts("rustc 1", &[("select", ours, 380.0)]));
        assert_eq!(with(406.0), Verdict::Good);
        assert_eq!(with(406.1), Verdict::Worse);
        assert_eq!(with(395.0), Verdict::Good);
        assert_eq!(with(390.0), Verdict::Better);
    }

    #[test]
    fn with_another_toolchain_the_ratio_counts() {
        let recorded = counts("rustc 1", &[("select", 400.0, 400.0)]);
        let with =
            |ours, theirs| verdict_of(&recorded, &counts("rustc 2", &[("select", ours, theirs)]));
        assert_eq!(with(500.0, 400.0), Verdict::Good);
        assert_eq!(with(501.0, 400.0), Verdict::Worse);
        assert_eq!(with(800.0, 800.0), Verdict::Good);
        assert_eq!(with(300.0, 200.0), Verdict::Worse);
    }

    #[test]
    fn poll_has_a_budget_whatever_was_recorded() {
        let over = counts("rustc 1", &[("poll(ZERO)", 72.0, 41.0)]);
        assert_eq!(verdict_of(&over, &over), Verdict::OverBudget);
        let at = counts("rustc 1", &[("poll(ZERO)", 71.0, 41.0)]);
        assert_eq!(verdict_of(&at, &at), Verdict::Good);
    }

    #[test]
    fn both_tables_have_the_same_rows() {
        let one = counts("rustc 1", &[("select", 400.0, 380.0)]);
        let two = counts("rustc 1", &[("select", 400.0, 380.0), ("walk", 20.0, 380.0)]);
        compare(&one, &two).expect_err("a count without a record");
        compare(&two, &one).expect_err("a record without a count");
    }

    #[test]
    fn the_file_comes_back_as_it_went() {
        let counts = counts("rustc 1", &[("select", 400.0, 380.5)]);
        assert_eq!(counts.csv(), format!("# rustc 1\n{TITLES}\nselect,16,libc,400,380.5\n"));
        assert_eq!(Counts::parse(&counts.csv()).expect("the file"), counts);
        for text in ["", "rustc", "# rustc\n", "# rustc\ntask\n", &format!("# r\n{TITLES}\na,b\n")]
        {
            Counts::parse(text).expect_err(text);
        }
    }

    #[test]
    fn the_committed_table_is_one() {
        let counts = Counts::parse(include_str!("../../../benches/instructions.csv"));
        let counts = counts.expect("the committed table");
        assert_eq!(counts.poll_calls().count(), 18, "sizes, kinds of timeout, inlined or not");
        compare(&counts, &counts).expect("it holds its own budget");
    }
}
