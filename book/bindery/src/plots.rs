//! Plots: SVG drawn from committed CSV, in the page's own colours. `cargo xtask plots`.
//!
//! ```text
//! # title: What was asked for, and what was got
//! # desc: One sentence for those who do not see it.
//! # x: asked for, bytes (log)
//! # y: got, bytes (log)
//! asked,got
//! 4096,8192
//! ```

use std::fs;
use std::path::Path;

use crate::Problem;
use crate::html::escape;
use crate::workspace::{read, walk};

#[derive(Debug, Default)]
pub struct Plot {
    title: String,
    desc: String,
    x: Axis,
    y: Axis,
    pub columns: Vec<String>,
    /// As written, for the table.
    pub cells: Vec<Vec<String>>,
}

#[derive(Debug, Default)]
struct Axis {
    label: String,
    log: bool,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
/// Left, top, right, bottom: room for the labels.
const MARGIN: (f64, f64, f64, f64) = (80.0, 20.0, 34.0, 56.0);
/// Series are told apart without colour.
const DASHES: [&str; 4] = ["none", "8 4", "2 4", "12 4 2 4"];

impl Plot {
    /// An error starts with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut plot = Self::default();
        for (index, line) in text.lines().enumerate() {
            plot.take(line).map_err(|problem| format!("{}: {problem}", index + 1))?;
        }
        let axis = |axis: &Axis| axis.label.is_empty();
        if plot.title.is_empty()
            || plot.desc.is_empty()
            || axis(&plot.x)
            || axis(&plot.y)
            || plot.cells.len() < 2
        {
            return Err("1: title, desc, x, y and at least two rows are needed".to_owned());
        }
        Ok(plot)
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        if let Some(comment) = line.strip_prefix("# ") {
            let (key, value) = comment.split_once(": ").ok_or("write # KEY: VALUE")?;
            let axis = || {
                let label = value.strip_suffix(" (log)");
                Axis { label: label.unwrap_or(value).to_owned(), log: label.is_some() }
            };
            match key {
                "title" => value.clone_into(&mut self.title),
                "desc" => value.clone_into(&mut self.desc),
                "x" => self.x = axis(),
                "y" => self.y = axis(),
                _ => return Err(format!("no key {key}")),
            }
        } else if self.columns.is_empty() {
            self.columns = line.split(',').map(str::to_owned).collect();
        } else {
            let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if cells.len() != self.columns.len() {
                return Err(format!("{} cells, {} columns", cells.len(), self.columns.len()));
            }
            if let Some(cell) = cells.iter().find(|cell| cell.parse::<f64>().is_err()) {
                return Err(format!("{cell:?} is no number"));
            }
            self.cells.push(cells);
        }
        Ok(())
    }

    /// The values of a column; on a logarithmic axis those above zero.
    fn column(&self, index: usize) -> Vec<f64> {
        self.cells.iter().map(|row| row[index].parse().unwrap_or(0.0)).collect()
    }

    pub fn svg(&self) -> String {
        let (left, top, right, bottom) = MARGIN;
        let series: Vec<Vec<f64>> =
            (1..self.columns.len()).map(|index| self.column(index)).collect();
        let across = Scale::new(&self.x, &self.column(0), left, WIDTH - right);
        let up = Scale::new(&self.y, &series.concat(), HEIGHT - bottom, top);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n<title>{}</title>\n<desc>{}</desc>\n",
            escape(&self.title),
            escape(&self.desc)
        );
        let mut put = |line: String| {
            svg += &line;
            svg.push('\n');
        };
        let (floor, end) = (HEIGHT - bottom, WIDTH - right);
        for tick in across.ticks() {
            let x = across.place(tick);
            put(format!(
                "<path class=\"grid\" d=\"M{x:.1} {top}V{floor}\" stroke=\"currentColor\" fill=\"none\"/>"
            ));
            put(format!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                floor + 18.0,
                number(tick)
            ));
        }
        for tick in up.ticks() {
            let y = up.place(tick);
            put(format!(
                "<path class=\"grid\" d=\"M{left} {y:.1}H{end}\" stroke=\"currentColor\" fill=\"none\"/>"
            ));
            put(format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                y + 4.0,
                number(tick)
            ));
        }
        put(format!(
            "<path d=\"M{left} {top}V{floor}H{end}\" stroke=\"currentColor\" fill=\"none\"/>"
        ));
        put(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            (left + end) / 2.0,
            HEIGHT - 12.0,
            escape(&self.x.label)
        ));
        put(format!(
            "<text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            (top + floor) / 2.0,
            escape(&self.y.label)
        ));
        let xs = self.column(0);
        for (index, values) in series.iter().enumerate() {
            let points: Vec<(f64, f64)> = xs
                .iter()
                .zip(values)
                .filter(|(x, y)| across.holds(**x) && up.holds(**y))
                .map(|(x, y)| (across.place(*x), up.place(*y)))
                .collect();
            let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
            let dash = DASHES[index % DASHES.len()];
            put(format!(
                "<path d=\"M{}\" stroke=\"currentColor\" stroke-width=\"2\" stroke-dasharray=\"{dash}\" fill=\"none\"/>",
                path.join("L")
            ));
            for (x, y) in &points {
                put(format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"currentColor\"/>"));
            }
            if let (Some((x, y)), true) = (points.last(), series.len() > 1) {
                put(format!(
                    "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    y - 8.0,
                    escape(&self.columns[index + 1])
                ));
            }
        }
        svg + "</svg>\n"
    }
}

/// From a value to its place.
struct Scale {
    log: bool,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn new(axis: &Axis, values: &[f64], from: f64, to: f64) -> Self {
        let held = values.iter().copied().filter(|value| !axis.log || *value > 0.0);
        let (low, high) =
            held.fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(it), high.max(it)));
        let (low, high) =
            if axis.log { (low, high.max(low * 2.0)) } else { (low.min(0.0), high.max(low + 1.0)) };
        Self { log: axis.log, low, high, from, to }
    }

    fn holds(&self, value: f64) -> bool {
        !self.log || value > 0.0
    }

    fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }

    /// Round numbers: powers of two, or a few steps of 1, 2 or 5.
    fn ticks(&self) -> Vec<f64> {
        if self.log {
            let powers = (self.high / self.low).log2();
            let step = (powers / 6.0).ceil().max(1.0);
            let mut power = (self.low.log2() / step).ceil() * step;
            let mut ticks = Vec::new();
            while power <= self.high.log2() {
                ticks.push(power.exp2());
                power += step;
            }
            return ticks;
        }
        let rough = (self.high - self.low) / 6.0;
        let ten = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|it| it * ten)
            .into_iter()
            .find(|it| *it >= rough)
            .unwrap_or(rough);
        let mut tick = (self.low / step).ceil() * step;
        let mut ticks = Vec::new();
        while tick <= self.high {
            ticks.push(tick);
            tick += step;
        }
        ticks
    }
}

/// As people write it: 64 Ki, 2 Mi.
fn number(value: f64) -> String {
    for (unit, name) in [(1_073_741_824.0, " Gi"), (1_048_576.0, " Mi"), (1024.0, " Ki")] {
        if value >= unit && value % unit == 0.0 {
            return format!("{}{name}", value / unit);
        }
    }
    format!("{}", (value * 1000.0).round() / 1000.0)
}

/// Draws all plots, or finds those that are not as their CSV says.
pub fn all(book: &Path, write: bool) -> Result<Vec<Problem>, String> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    let folder = book.join("plots");
    if folder.exists() {
        walk(&folder, "csv", &mut files)?;
    }
    for file in files {
        let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let (csv, drawn) =
            (format!("book/plots/{name}.csv"), book.join(format!("figures/plots/{name}.svg")));
        match Plot::parse(&read(&file)?) {
            Err(problem) => {
                let (line, text) = problem.split_once(": ").unwrap_or(("0", &problem));
                problems.push(Problem::new(csv, line.parse().unwrap_or(0), text));
            }
            Ok(plot) if write => {
                fs::create_dir_all(book.join("figures/plots"))
                    .map_err(|error| error.to_string())?;
                fs::write(&drawn, plot.svg())
                    .map_err(|error| format!("{}: {error}", drawn.display()))?;
                println!("drawn {name}");
            }
            Ok(plot) => {
                if fs::read_to_string(&drawn).unwrap_or_default() != plot.svg() {
                    problems.push(Problem::new(
                        csv,
                        0,
                        "its drawing is another: cargo xtask plots",
                    ));
                }
            }
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str =
        "# title: T\n# desc: D\n# x: a (log)\n# y: b\nx,one,two\n1024,5,6\n4096,7,9\n";

    #[test]
    fn a_plot_has_no_colour_of_its_own() {
        let svg = Plot::parse(CSV).expect("a plot").svg();
        assert!(
            svg.contains("<title>T</title>") && svg.contains(">4 Ki<") && svg.contains(">two<"),
            "{svg}"
        );
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(!svg.contains('#') && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn what_is_no_plot_is_refused_with_its_line() {
        for (old, new, problem) in [
            ("# desc: D\n", "", "1: title"),
            ("4096,7,9", "4096,7", "7: 2 cells"),
            ("4096,7,9", "4096,7,x", "7: \"x\" is no number"),
            ("# y", "# z", "4: no key z"),
        ] {
            let found = Plot::parse(&CSV.replace(old, new)).expect_err(new);
            assert!(found.starts_with(problem), "{found}");
        }
    }
}
