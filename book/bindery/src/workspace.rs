//! What the chapters may name: examples with their anchors, runs, listings, figures, exercises.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use readysock_runs::listing;
use readysock_runs::record::Record;

pub struct Workspace {
    pub root: PathBuf,
    pub examples: BTreeMap<String, Example>,
    /// Every Rust file below examples/, by the name that chapters give it.
    pub sources: BTreeMap<String, Source>,
    /// Examples whose page is not written yet.
    pub awaiting: BTreeSet<String>,
}

/// A program of the book.
pub struct Example {
    /// From the workspace's root.
    pub path: String,
    pub title: String,
    pub commands: String,
}

pub struct Source {
    pub path: String,
    pub text: String,
    /// Where each anchor begins, and its lines.
    pub anchors: BTreeMap<String, (usize, String)>,
}

impl Workspace {
    pub fn load(root: &Path) -> Result<Self, String> {
        let manifest = read(&root.join("Cargo.toml"))?;
        let manifest: toml::Table =
            manifest.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
        let listed = manifest.get("example").and_then(toml::Value::as_array);
        let mut examples = BTreeMap::new();
        for entry in listed.into_iter().flatten() {
            let text = |key| entry.get(key).and_then(toml::Value::as_str).unwrap_or_default();
            let example = Example::read(root, text("path"))?;
            examples.insert(text("name").to_owned(), example);
        }
        let mut sources = BTreeMap::new();
        read_sources(root, &root.join("examples"), &mut sources)?;
        let awaiting = read(&root.join("book/awaiting.txt")).unwrap_or_default();
        let awaiting = awaiting.split_whitespace().map(str::to_owned).collect();
        Ok(Self { root: root.to_owned(), examples, sources, awaiting })
    }

    pub fn book(&self) -> PathBuf {
        self.root.join("book")
    }

    /// A part of a source, or all of it below its header.
    pub fn code(&self, name: &str, anchor: Option<&str>) -> Result<String, String> {
        let source = self.sources.get(name).ok_or_else(|| format!("there is no example {name}"))?;
        let Some(anchor) = anchor else { return Ok(below_header(&source.text)) };
        let (_, text) = source
            .anchors
            .get(anchor)
            .ok_or_else(|| format!("{} has no anchor {anchor}", source.path))?;
        Ok(text.clone())
    }

    pub fn record(&self, kind: &str, name: &str) -> Result<Record, String> {
        let file = self.book().join(kind).join(format!("{name}.txt"));
        let text =
            fs::read_to_string(&file).map_err(|_| format!("there is no {kind}/{name}.txt"))?;
        Record::parse(&text).map_err(|problem| format!("{kind}/{name}.txt: {problem}"))
    }

    /// A file of a listing.
    pub fn listing(&self, name: &str, file: &str) -> Result<String, String> {
        let path = Path::new(listing::FOLDER).join(name).join(file);
        fs::read_to_string(self.root.join(&path))
            .map_err(|_| format!("there is no {}", path.display()))
    }

    /// A file of an exercise, `CHAPTER/NAME`.
    pub fn exercise(&self, name: &str, file: &str) -> Result<String, String> {
        let path = Path::new("book/exercises/src").join(name).join(file);
        fs::read_to_string(self.root.join(&path))
            .map_err(|_| format!("there is no {}", path.display()))
    }

    pub fn figure(&self, name: &str) -> Result<String, String> {
        let file = self.book().join("figures").join(format!("{name}.svg"));
        fs::read_to_string(&file).map_err(|_| format!("there is no figures/{name}.svg"))
    }

    /// The finished chapters, sorted: their path below book/src, and their text.
    pub fn chapters(&self) -> Result<Vec<(String, String)>, String> {
        let source = self.book().join("src");
        let mut files = Vec::new();
        walk(&source, "md", &mut files)?;
        let mut chapters = Vec::new();
        for file in files {
            let name = file.strip_prefix(&source).expect("it lies there").display().to_string();
            if name != "SUMMARY.md" {
                chapters.push((name, read(&file)?));
            }
        }
        Ok(chapters)
    }
}

impl Example {
    /// The header is the title, then the commands in a block of text.
    fn read(root: &Path, path: &str) -> Result<Self, String> {
        let text = read(&root.join(path))?;
        let header: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
        let header: Vec<&str> =
            header.into_iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        let title: Vec<&str> = header.iter().copied().take_while(|line| !line.is_empty()).collect();
        let commands = header.iter().copied().skip_while(|line| *line != "```text").skip(1);
        let commands: Vec<&str> = commands.take_while(|line| *line != "```").collect();
        if title.is_empty() || commands.is_empty() {
            return Err(format!("{path}: its header has no title or no command"));
        }
        Ok(Self { path: path.to_owned(), title: title.join(" "), commands: commands.join("\n") })
    }
}

impl Source {
    fn parse(path: String, text: String) -> Self {
        let mut anchors = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if let Some(name) = mark(line, "ANCHOR:") {
                let inside = text.lines().skip(index + 1);
                let lines: Vec<&str> =
                    inside.take_while(|line| mark(line, "ANCHOR_END:") != Some(name)).collect();
                anchors.insert(name.to_owned(), (index + 1, dedented(&lines)));
            }
        }
        Self { path, text, anchors }
    }
}

fn mark<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    line.trim().strip_prefix("//")?.trim().strip_prefix(kind).map(str::trim)
}

fn is_mark(line: &str) -> bool {
    mark(line, "ANCHOR:").is_some() || mark(line, "ANCHOR_END:").is_some()
}

/// Without what all lines are indented by, and without the anchors in it.
fn dedented(lines: &[&str]) -> String {
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let least = lines.iter().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let kept = lines.iter().filter(|line| !is_mark(line));
    kept.map(|line| line.get(least..).unwrap_or_default().to_owned() + "\n").collect()
}

fn below_header(text: &str) -> String {
    let lines: Vec<&str> =
        text.lines().skip_while(|line| line.starts_with("//!") || line.is_empty()).collect();
    dedented(&lines)
}

fn read_sources(
    root: &Path,
    folder: &Path,
    sources: &mut BTreeMap<String, Source>,
) -> Result<(), String> {
    let mut files = Vec::new();
    walk(folder, "rs", &mut files)?;
    for file in files {
        let path = file.strip_prefix(root).expect("it lies there").display().to_string();
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let common = path.starts_with("examples/common/");
        let name = if common { format!("common/{stem}") } else { stem.to_owned() };
        let source = Source::parse(path.clone(), read(&file)?);
        if let Some(other) = sources.insert(name, source) {
            return Err(format!("{path} and {} have one name", other.path));
        }
    }
    Ok(())
}

pub fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// All files with this ending below a folder, sorted.
pub fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            walk(&path, extension, found)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_taken_without_its_indentation_and_its_marks() {
        let text = "//! x\n\nfn main() {\n    // ANCHOR: a\n    one();\n    // ANCHOR: b\n        two();\n    // ANCHOR_END: b\n    // ANCHOR_END: a\n}\n";
        let source = Source::parse("x.rs".into(), text.into());
        assert_eq!(source.anchors["a"], (4, "one();\n    two();\n".to_owned()));
        assert_eq!(source.anchors["b"], (6, "two();\n".to_owned()));
        assert_eq!(below_header(text), "fn main() {\n    one();\n        two();\n}\n");
    }
}
