//! The table of the budgets: what is measured, against what, and whether it holds.

use std::error::Error;

use super::aligned;
use super::counts::Counts;
use crate::steps::Outcome;

/// So many instructions more than `libc::ppoll` a call of `poll` may take.
pub(super) const POLL_BUDGET: f64 = 30.0;

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Budget {
    /// So many times what the other one takes.
    Ratio(f64),
    /// So many nanoseconds.
    Nanoseconds(f64),
    /// So many instructions more than the other one.
    More(f64),
    /// The row is there to know.
    None,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    what: String,
    n: String,
    peer: String,
    ours: f64,
    theirs: f64,
    ratio: f64,
    budget: Budget,
}

impl Row {
    fn holds(&self) -> Option<bool> {
        match self.budget {
            Budget::Ratio(most) => Some(self.ratio <= most),
            Budget::Nanoseconds(most) => Some(self.ours <= most),
            Budget::More(most) => Some(self.ours - self.theirs <= most),
            Budget::None => None,
        }
    }

    fn cells(&self) -> Vec<String> {
        let unit = if matches!(self.budget, Budget::More(_)) { "instr" } else { "ns" };
        let ratio = match self.budget {
            Budget::More(_) => format!("{:+}", self.ours - self.theirs),
            _ => format!("{:.3}", self.ratio),
        };
        let budget = match self.budget {
            Budget::Ratio(most) => format!("{most:.2}"),
            Budget::Nanoseconds(most) => format!("{most} ns"),
            Budget::More(most) => format!("{most:+}"),
            Budget::None => String::new(),
        };
        let holds = match self.holds() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        let number = |value: f64| format!("{value:.1}");
        let (ours, theirs) = (number(self.ours), number(self.theirs));
        let cells = [&self.what, &self.n, &self.peer, unit, &ours, &theirs, &ratio, &budget, holds];
        cells.map(str::to_owned).into()
    }
}

const TITLES: [&str; 9] =
    ["what", "n", "beside", "unit", "ours", "theirs", "ratio", "budget", "holds"];

/// Reads the rows that the program `budgets` prints: what, n, peer, ours, theirs, ratio, budget.
pub(super) fn parse(text: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    text.lines().map(|line| row(line).ok_or(format!("not a row: `{line}`").into())).collect()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.split(',').collect();
    let [what, n, peer, ours, theirs, ratio, budget] = cells.try_into().ok()?;
    let budget = match (budget, budget.strip_suffix(" ns")) {
        ("", _) => Budget::None,
        (_, Some(most)) => Budget::Nanoseconds(most.parse().ok()?),
        (most, None) => Budget::Ratio(most.parse().ok()?),
    };
    Some(Row {
        what: what.to_owned(),
        n: n.to_owned(),
        peer: peer.to_owned(),
        ours: ours.parse().ok()?,
        theirs: theirs.parse().ok()?,
        ratio: ratio.parse().ok()?,
        budget,
    })
}

/// The rows about instructions, which have a budget too.
pub(super) fn instructions(counts: &Counts) -> impl Iterator<Item = Row> {
    counts.poll_calls().map(|count| Row {
        what: count.task.clone(),
        n: count.n.clone(),
        peer: count.peer.clone(),
        ours: count.ours,
        theirs: count.theirs,
        ratio: count.ours / count.theirs,
        budget: Budget::More(POLL_BUDGET),
    })
}

pub(super) fn table(rows: &[Row]) -> String {
    let titles = TITLES.map(str::to_owned).into();
    aligned(&[titles].into_iter().chain(rows.iter().map(Row::cells)).collect::<Vec<_>>())
}

pub(super) fn csv(rows: &[Row]) -> String {
    let lines = rows.iter().map(|row| row.cells().join(",") + "\n");
    [TITLES.join(",") + "\n"].into_iter().chain(lines).collect()
}

/// An error if a budget does not hold, or if there is none: of the times, and where they were counted of the instructions.
pub(super) fn verdict(rows: &[Row], counted: bool) -> Outcome {
    let checked = rows.iter().filter_map(|row| Some((row, row.holds()?)));
    let (counts, times): (Vec<_>, Vec<_>) =
        checked.partition(|(row, _)| matches!(row.budget, Budget::More(_)));
    if times.is_empty() {
        return Err("no budget of a time was measured".into());
    }
    if counted && counts.is_empty() {
        return Err("no budget in instructions was measured".into());
    }
    let all = times.len() + counts.len();
    let broken = times.iter().chain(&counts).filter(|(_, holds)| !holds).count();
    if broken == 0 { Ok(()) } else { Err(format!("{broken} of {all} budgets do not hold").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Row {
        parse(line).expect("a row").remove(0)
    }

    #[test]
    fn a_ratio_over_the_budget_is_an_error() {
        let good = one("select,16,C,1020.0,1000.0,1.020,1.02");
        let bad = one("select,16,C,1021.0,1000.0,1.021,1.02");
        assert_eq!((good.holds(), bad.holds()), (Some(true), Some(false)));
        verdict(std::slice::from_ref(&good), false).expect("it holds");
        let problem = verdict(&[good, bad], false).expect_err("one does not").to_string();
        assert_eq!(problem, "1 of 2 budgets do not hold");
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        let said = |rows: &[Row], counted| {
            verdict(rows, counted).expect_err("something is missing").to_string()
        };
        let time = one("select,16,C,1020.0,1000.0,1.020,1.02");
        let counts = "# here\ntask,n,beside,ours,theirs\npoll(ZERO),1,libc,71,41\n";
        let counts = Counts::parse(counts).expect("counts");
        let count = instructions(&counts).next().expect("a row");
        assert_eq!(said(&[], false), "no budget of a time was measured");
        assert_eq!(said(std::slice::from_ref(&count), true), "no budget of a time was measured");
        let times = std::slice::from_ref(&time);
        assert_eq!(said(times, true), "no budget in instructions was measured");
        verdict(&[time, count], true).expect("both hold");
    }

    #[test]
    fn nanoseconds_are_ours_alone() {
        assert_eq!(one("walk,1,C,9.9,1000.0,0.010,10 ns").holds(), Some(true));
        assert_eq!(one("walk,1,C,10.1,1000.0,0.010,10 ns").holds(), Some(false));
    }

    #[test]
    fn a_row_without_a_budget_is_for_knowing() {
        let row = one("select,16,C,9.0,1.0,9.000,");
        assert_eq!(row.holds(), None);
        verdict(&[row, one("select,16,C,1.0,1.0,1.000,1.02")], false).expect("nothing to hold");
    }

    #[test]
    fn instructions_are_compared_by_difference() {
        let counts = "# here\ntask,n,beside,ours,theirs\npoll(ZERO),1,libc,71,41\n\
                      poll(ZERO),128,libc,72,41\nselect kept,16,C idiom,900,100\n";
        let rows: Vec<_> = instructions(&Counts::parse(counts).expect("counts")).collect();
        let holds: Vec<_> = rows.iter().map(Row::holds).collect();
        assert_eq!(holds, [Some(true), Some(false)], "poll alone has a budget in instructions");
        assert!(csv(&rows).contains("poll(ZERO),128,libc,instr,72.0,41.0,+31,+30,NO\n"));
    }

    #[test]
    fn what_is_no_row_is_said() {
        for line in ["", "a,b", "what,1,C,x,1,1,1", "what,1,C,1,1,1,1 ms"] {
            let problem = parse(&format!("{line}\n")).expect_err(line).to_string();
            assert_eq!(problem, format!("not a row: `{line}`"));
        }
    }

    #[test]
    fn the_table_is_aligned() {
        let rows =
            parse("walk,1,C,2.0,1000.0,0.002,10 ns\nsomething longer,480,rustix,2,4,0.5,1\n");
        let expected = "\
what                n  beside  unit  ours  theirs  ratio  budget  holds
walk                1       C    ns   2.0  1000.0  0.002   10 ns    yes
something longer  480  rustix    ns   2.0     4.0  0.500    1.00    yes
";
        assert_eq!(table(&rows.expect("two rows")), expected);
    }
}
