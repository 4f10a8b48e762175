//! Every example has one home page, or waits for it; every anchor, listing, run, figure and exercise is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use readysock_runs::{FOLDERS, listing, names};

use crate::Problem;
use crate::directive;
use crate::render::exercise::{KINDS, parts};
use crate::workspace::{Workspace, walk};

const AWAITING: &str = "book/awaiting.txt";

pub fn check(workspace: &Workspace, chapters: &[(String, String)]) -> Vec<Problem> {
    // Directive and first word, and the places where it stands.
    let mut used: BTreeMap<(&str, String), Vec<(String, usize)>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (file, text) in chapters {
        let Ok(directives) = directive::find(file, text) else { continue };
        let mut kinds = BTreeSet::new();
        let mut last = 0;
        for found in directives {
            let argument = match found.name {
                "code" => found.argument.to_owned(),
                "exercise" => {
                    let Ok((name, kind)) = parts(found.argument) else { continue };
                    (_, last) = (kinds.insert(kind), found.line);
                    name.to_owned()
                }
                _ => found.argument.split([' ', ':']).next().unwrap_or_default().to_owned(),
            };
            used.entry((found.name, argument)).or_default().push((file.clone(), found.line));
        }
        for kind in KINDS.iter().filter(|kind| !kinds.is_empty() && !kinds.contains(**kind)) {
            problems.push(Problem::new(
                file,
                last,
                format!("its exercises lack one of the kind: {kind}"),
            ));
        }
    }
    let places = |name, argument: &str| {
        used.get(&(name, argument.to_owned())).map_or(&[][..], Vec::as_slice)
    };
    examples(workspace, &places, &mut problems);
    anchors(workspace, &places, &mut problems);
    for kind in ["figure", "plot", "listing", "exercise"] {
        // An id that stands twice is none, and on the print page all pages are one.
        for ((_, argument), places) in used.iter().filter(|((name, _), _)| *name == kind) {
            for (file, line) in places.iter().skip(1) {
                problems.push(Problem::new(
                    file,
                    *line,
                    format!("the {kind} {argument} is shown at {} already", shown(&places[0])),
                ));
            }
        }
    }
    unused(workspace, &places, &mut problems);
    problems
}

fn shown((file, line): &(String, usize)) -> String {
    format!("{file}:{line}")
}

type Places<'a> = dyn Fn(&'static str, &str) -> &'a [(String, usize)] + 'a;

fn examples(workspace: &Workspace, places: &Places<'_>, problems: &mut Vec<Problem>) {
    for (name, example) in &workspace.examples {
        match (places("example", name), workspace.awaiting.contains(name)) {
            ([], false) => problems.push(Problem::new(
                &example.path,
                0,
                format!("{name} has no home page: write {{{{example {name}}}}} on it, or its name in {AWAITING}"),
            )),
            ([(file, line), ..], true) => {
                problems.push(Problem::new(file, *line, format!("{name} has its page: take it out of {AWAITING}")));
            }
            ([first, second, ..], false) => {
                problems.push(Problem::new(&second.0, second.1, format!("{name} has a home already, at {}", shown(first))));
            }
            _ => {}
        }
    }
    for name in workspace.awaiting.iter().filter(|name| !workspace.examples.contains_key(*name)) {
        problems.push(Problem::new(AWAITING, 0, format!("there is no example {name}")));
    }
}

/// Those of examples whose page is not written yet may wait, too.
fn anchors(workspace: &Workspace, places: &Places<'_>, problems: &mut Vec<Problem>) {
    for (name, source) in
        workspace.sources.iter().filter(|(name, _)| !workspace.awaiting.contains(*name))
    {
        for (anchor, (line, _)) in &source.anchors {
            if places("code", &format!("{name} {anchor}")).is_empty() {
                problems.push(Problem::new(
                    &source.path,
                    *line,
                    format!("no page shows the anchor {anchor}"),
                ));
            }
        }
    }
}

/// A folder that cannot be read is a problem, and not one of which everything is shown.
fn read(
    folder: &str,
    names: readysock_runs::Result<Vec<String>>,
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    names.unwrap_or_else(|problem| {
        problems.push(Problem::new(folder, 0, problem.to_string()));
        Vec::new()
    })
}

fn unused(workspace: &Workspace, places: &Places<'_>, problems: &mut Vec<Problem>) {
    let book = workspace.book();
    let exercises = book.join("exercises/src");
    let mut files = Vec::new();
    if fs::exists(&exercises).unwrap_or(false) {
        // A folder that cannot be read has no exercise in it, and the chapter that names one says so.
        let _ = walk(&exercises, "rs", &mut files);
    }
    let tests: String = files
        .iter()
        .filter(|file| file.ends_with("test.rs"))
        .filter_map(|file| fs::read_to_string(file).ok())
        .collect();
    for (folder, directive) in FOLDERS.into_iter().zip(["transcript", "trace"]) {
        for name in read(&format!("book/{folder}"), names(&book.join(folder), "run"), problems) {
            // What an exercise predicts would be given away by its page.
            let predicted = tests.contains(&format!("/{folder}/{name}.txt"));
            let shown =
                [directive, "fdset", "player"].iter().any(|it| !places(it, &name).is_empty());
            if !shown && !predicted {
                problems.push(Problem::new(
                    format!("book/{folder}/{name}.run"),
                    0,
                    "no page shows it",
                ));
            }
        }
    }
    for name in read(listing::FOLDER, listing::names(&workspace.root), problems) {
        if places("listing", &name).is_empty() {
            problems.push(Problem::new(
                format!("{}/{name}", listing::FOLDER),
                0,
                "no page shows it",
            ));
        }
    }
    for name in read("book/figures", names(&book.join("figures"), "svg"), problems) {
        if places("figure", &name).is_empty() {
            problems.push(Problem::new(format!("book/figures/{name}.svg"), 0, "no page shows it"));
        }
    }
    for file in files.iter().filter(|file| file.ends_with("solution.rs")) {
        let folder = file.parent().and_then(|folder| folder.strip_prefix(&exercises).ok());
        let name = folder.map(|folder| folder.display().to_string()).unwrap_or_default();
        if places("exercise", &name).is_empty() {
            problems.push(Problem::new(
                format!("book/exercises/src/{name}"),
                0,
                "no page shows it",
            ));
        }
    }
}
