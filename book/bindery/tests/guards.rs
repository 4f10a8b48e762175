//! Each guard finds the fault that it is for, and names the chapter and the line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use readysock_bindery::{Problem, check};

/// A workspace with a book of one page, in which nothing is wrong.
const FILES: [(&str, &str); 21] = [
    (
        "Cargo.toml",
        "[package]\nname = \"x\"\n\n[[example]]\nname = \"alpha\"\npath = \"examples/c/alpha.rs\"\n",
    ),
    (
        "examples/c/alpha.rs",
        "//! The first.\n//!\n//! ```text\n//! cargo run --example alpha\n//! ```\n\n// ANCHOR: main\nfn main() {}\n// ANCHOR_END: main\n",
    ),
    ("book/awaiting.txt", ""),
    ("book/src/SUMMARY.md", "# Summary\n\n- [A](a.md)\n"),
    ("book/src/a.md", CHAPTER),
    ("book/figures/f.svg", "<svg viewBox=\"0 0 1 1\"><title>T</title><desc>D</desc></svg>\n"),
    ("book/figures/plots/p.svg", ""),
    ("book/plots/p.csv", "# title: T\n# desc: D\n# x: a\n# y: b\nx,y\n1,2\n2,3\n"),
    ("book/theme/trace-steps.js", ""),
    ("book/transcripts/t.run", "s $ cargo run --example alpha\ns =\n"),
    ("book/transcripts/t.txt", "s $ cargo run --example alpha\ns | <one>\ns = 0\n"),
    ("book/traces/r.run", "s $ cargo run --example alpha\ns =\ntrace s: bind\n"),
    ("book/traces/r.txt", "s $ cargo run --example alpha\ns > bind(3, 0) = 0\ns = 0\n"),
    ("book/listings/examples/l/main.py", "print(1)\n"),
    ("book/listings/examples/l/main.c", "int main(void) {}\n"),
    ("book/listings/examples/l/main.rs", "fn main() {}\n"),
    ("book/listings/examples/l/output.txt", "1\n"),
    ("book/exercises/src/c/e/stub.rs", "fn e() {}\n"),
    ("book/exercises/src/c/e/test.rs", "fn t() {}\n"),
    ("book/exercises/src/c/e/solution.rs", "fn e() {}\n"),
    ("book/src/404.md", "# Nothing\n\nIt is gone.\n"),
];

const CHAPTER: &str = "# A

A short sentence. And another one.

{{example alpha}}

{{code alpha main}}

{{transcript t}}

{{trace r}}
- `bind`: a note
{{end}}

{{figure f}}

{{plot p}}

{{listing l}}

```rust
let one = 1;
```

<!-- no transcript: it is another program's -->
```console
$ true
```
";

struct Workspace(PathBuf);

impl Workspace {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("readysock-guards-{}-{count}", process::id()));
        let workspace = Self(root);
        for (file, text) in FILES {
            workspace.write(file, text);
        }
        let chapter = String::from(CHAPTER) + EXERCISES;
        workspace.write("book/src/a.md", &chapter);
        for (name, _) in OTHER_EXERCISES {
            for file in ["stub.rs", "test.rs", "solution.rs"] {
                workspace.write(&format!("book/exercises/src/c/{name}/{file}"), "fn x() {}\n");
            }
        }
        // The plot as it must be drawn.
        let drawn = readysock_bindery::plots::all(&workspace.0.join("book"), true);
        assert_eq!(drawn, Ok(Vec::new()));
        workspace
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of the test's own");
        fs::write(path, text).expect("a file of the test's own");
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).expect("a file of the test's own")
    }

    /// What is wrong with the source, with one text in one file replaced by another.
    fn with(&self, file: &str, old: &str, new: &str) -> Vec<Problem> {
        let text = self.read(file);
        assert!(text.contains(old), "{file} has no {old:?}");
        self.write(file, &text.replacen(old, new, 1));
        let problems = check::source(&self.0).expect("a workspace");
        self.write(file, &text);
        problems
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const OTHER_EXERCISES: [(&str, &str); 2] = [("e2", "half an hour"), ("e3", "predict the output")];
const EXERCISES: &str = "
{{exercise c/e: ten minutes}}
Do it.
{{end}}

{{exercise c/e2: half an hour}}
Do it.
{{end}}

{{exercise c/e3: predict the output}}
Do it.
{{end}}
";

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let workspace = Workspace::new();
    assert_eq!(check::source(&workspace.0), Ok(Vec::new()));
}

#[test]
fn each_fault_is_found_with_its_line() {
    let workspace = Workspace::new();
    let chapter = "book/src/a.md";
    let long = format!("{{{{example alpha}}}}\n\nWord{}.", " and word".repeat(60));
    for (file, old, new, place, problem) in [
        // Names of nothing.
        (
            chapter,
            "{{example alpha}}",
            "{{example beta}}",
            "book/src/a.md:5",
            "there is no example beta",
        ),
        (chapter, "alpha main", "alpha mian", "book/src/a.md:7", "has no anchor mian"),
        (
            chapter,
            "{{transcript t}}",
            "{{transcript u}}",
            "book/src/a.md:9",
            "there is no transcripts/u.txt",
        ),
        (chapter, "{{trace r}}", "{{trace q}}", "book/src/a.md:11", "there is no traces/q.txt"),
        (chapter, "- `bind`", "- `listen`", "book/src/a.md:11", "has no listen left to explain"),
        (chapter, "{{figure f}}", "{{figure g}}", "book/src/a.md:15", "there is no figures/g.svg"),
        (chapter, "{{plot p}}", "{{plot q}}", "book/src/a.md:17", "there is no plots/q.csv"),
        (
            chapter,
            "{{figure f}}",
            "{{figure f}}\n\n{{fdset r}}",
            "book/src/a.md:17",
            "there is no select in this part of r",
        ),
        (
            chapter,
            "{{figure f}}",
            "{{figure f}}\n\n{{player r}}",
            "book/src/a.md:17",
            "needs the terminals server and client",
        ),
        (chapter, "{{listing l}}", "{{listing m}}", "book/src/a.md:19", "there is no listing m"),
        (
            chapter,
            "c/e:",
            "c/f:",
            "book/src/a.md:30",
            "there is no book/exercises/src/c/f/solution.rs",
        ),
        (
            chapter,
            "{{trace r}}",
            "{{trace r as x-y}}",
            "book/src/a.md:11",
            "there is no theme/x-y.js",
        ),
        (
            chapter,
            "{{trace r}}",
            "{{trace r from q}}",
            "book/src/a.md:11",
            "no line of the trace has \"q\"",
        ),
        // Lines in braces that are none, or fail in silence.
        (chapter, "{{figure f}}", "{{fgure f}}", "book/src/a.md:15", "there is no {{fgure}}"),
        (chapter, "{{figure f}}", "{{#include f.rs}}", "book/src/a.md:15", "fails in silence"),
        (chapter, "A short", "A {{figure f}} short", "book/src/a.md:3", "holds nothing else"),
        (
            chapter,
            "Do it.\n{{end}}\n",
            "Do it.\n",
            "book/src/a.md:33",
            "in the {{exercise}} of line 30",
        ),
        // Homes and anchors.
        (chapter, "{{example alpha}}\n", "\n", "examples/c/alpha.rs", "alpha has no home page"),
        (
            chapter,
            "{{figure f}}",
            "{{figure f}}\n\n{{example alpha}}",
            "book/src/a.md:17",
            "alpha has a home already, at a.md:5",
        ),
        ("book/awaiting.txt", "", "alpha\n", "book/src/a.md:5", "take it out of book/awaiting.txt"),
        ("book/awaiting.txt", "", "beta\n", "book/awaiting.txt", "there is no example beta"),
        (
            chapter,
            "{{code alpha main}}\n",
            "\n",
            "examples/c/alpha.rs:7",
            "no page shows the anchor main",
        ),
        // Shown by nobody, or twice.
        (chapter, "{{transcript t}}\n", "\n", "book/transcripts/t.run", "no page shows it"),
        (chapter, "{{figure f}}\n", "\n", "book/figures/f.svg", "no page shows it"),
        (
            chapter,
            "{{figure f}}",
            "{{figure f}}\n\n{{figure f}}",
            "book/src/a.md:17",
            "is shown at a.md:15 already",
        ),
        (chapter, "{{listing l}}\n", "\n", "book/listings/examples/l", "no page shows it"),
        // Code that nobody compiled, output that nobody printed.
        (
            chapter,
            "let one = 1;\n",
            &"let one = 1;\n".repeat(9),
            "book/src/a.md:21",
            "9 lines of pasted Rust",
        ),
        (chapter, "```rust\n", "```rust,ignore\n", "book/src/a.md:21", "`ignore` says it is not"),
        (chapter, "let one = 1;\n", "", "book/src/a.md:21", "an empty code block"),
        (chapter, "```rust\n", "```python\n", "book/src/a.md:21", "python that nobody runs"),
        (chapter, "```rust\n", "```\n", "book/src/a.md:21", "without a language"),
        (chapter, ": it is another program's", "", "book/src/a.md:26", "no transcript"),
        // Prose.
        (
            chapter,
            "{{example alpha}}",
            &long,
            "book/src/a.md:7",
            "more than one sentence in ten has over 24 words",
        ),
        (chapter, "{{example alpha}}", &long, "book/src/a.md:7", "the mean sentence has"),
        // Exercises, plots, the contents.
        (
            chapter,
            "half an hour",
            "ten minutes",
            "book/src/a.md:38",
            "lack one of the kind: half an hour",
        ),
        (chapter, "ten minutes", "a weekend", "book/src/a.md:30", "an exercise is one of"),
        ("book/plots/p.csv", "2,3", "2,4", "book/plots/p.csv", "its drawing is another"),
        ("book/plots/p.csv", "2,3", "2,x", "book/plots/p.csv:7", "is no number"),
        ("book/src/SUMMARY.md", "(a.md)", "()", "book/src/a.md", "SUMMARY.md does not name it"),
        ("book/figures/f.svg", "<desc>D</desc>", "", "book/src/a.md:15", "has no <desc>"),
    ] {
        let problems: Vec<String> =
            workspace.with(file, old, new).iter().map(ToString::to_string).collect();
        let found = problems
            .iter()
            .any(|found| found.starts_with(&format!("{place}: ")) && found.contains(problem));
        assert!(found, "{place}: ... {problem} ... is not in {problems:#?}");
    }
}

#[test]
fn a_record_that_is_none_is_refused() {
    let workspace = Workspace::new();
    let problems = workspace.with("book/transcripts/t.txt", "s | <one>", "s ~ <one>");
    assert!(
        problems.iter().any(|it| it.line == 9 && it.text.contains("no mark in")),
        "{problems:?}"
    );
}

#[test]
fn a_folder_that_cannot_be_read_is_found() {
    for folder in ["book/transcripts", "book/traces", "book/figures", "book/listings/examples"] {
        let workspace = Workspace::new();
        fs::remove_dir_all(workspace.0.join(folder)).expect("a folder of the test's own");
        let problems = check::source(&workspace.0).expect("a workspace");
        let found = problems.iter().any(|it| it.file == folder && it.text.contains("No such file"));
        assert!(found, "{problems:#?}");
    }
}

/// A site of two pages: the chapter's, and the print page.
fn site(workspace: &Workspace, body: &str) -> PathBuf {
    let html = |body: &str| {
        format!("<!DOCTYPE html><html><head><link href=\"s.css\"></head><body>{body}</body></html>")
    };
    workspace.write("site/s.css", "");
    workspace.write("site/print.html", &html("<h1 id=\"all\">all</h1>"));
    workspace.write("site/a.html", &html(body));
    workspace.0.join("site")
}

const BODY: &str = "<h1 id=\"top\">A</h1><a href=\"#top\">t</a> <a href=\"print.html#all\">p</a> <a href=\"https://example.org/\">e</a>\
    <pre><code>x {{ y }}</code></pre><script>var a = \"{{example\";</script>";

fn site_problems(site: &Path, chapter: &str) -> Vec<String> {
    let chapters = [("a.md".to_owned(), chapter.to_owned()), ("b.md".to_owned(), String::new())];
    let problems = check::site::check(site, &chapters).expect("a site");
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn each_fault_of_a_page_is_found_with_the_line_of_its_source() {
    let workspace = Workspace::new();
    let sound = site(&workspace, BODY);
    assert_eq!(site_problems(&sound, ""), [""; 0]);
    for (old, new, source, place, problem) in [
        ("#all", "#al", "a\n\n[p](print.md#al)", "book/src/a.md:3", "print.html has no #al"),
        ("#top\">t", "#tpo\">t", "[t](#tpo)", "book/src/a.md:1", "a.html has no #tpo"),
        ("print.html#all", "b.html", "\n[b](b.md)", "book/src/a.md:2", "a dead link: b.html"),
        (
            "print.html#all",
            "../b.html",
            "\n[b](../b.md)",
            "book/src/a.md:2",
            "leads out of the book",
        ),
        ("https:", "http:", "\n<http://example.org/>", "book/src/a.md:1", "write https"),
        (
            "<h1 id=\"top\">",
            "<p id=\"top\"></p><h1 id=\"top\">",
            "\n<p id=\"top\">",
            "book/src/a.md:2",
            "the id top stands 2 times",
        ),
        (
            "x {{ y }}",
            "{{#include x.rs}}",
            "a\n{{#include x.rs}}",
            "book/src/a.md:2",
            "{{# was left over",
        ),
        ("x {{ y }}", "{{trace x}}", "a\n{{trace x}}", "book/src/a.md:2", "{{trace was left over"),
        ("x {{ y }}", " ", "a\n```rust\n```", "book/src/a.md:2", "an empty code block"),
        (
            "</script>",
            "</script><img src=\"https://example.org/i.png\">",
            "a\n![](https://example.org/i.png)",
            "book/src/a.md:2",
            "it loads https://example.org/i.png",
        ),
        (
            "</script>",
            "</script><script src=\"none.js\"></script>",
            "",
            "book/src/a.md:1",
            "a dead link: none.js",
        ),
    ] {
        assert!(BODY.contains(old), "{old}");
        let site = site(&workspace, &BODY.replacen(old, new, 1));
        let problems = site_problems(&site, source);
        let found = problems
            .iter()
            .any(|found| found.starts_with(&format!("{place}: ")) && found.contains(problem));
        assert!(found, "{place}: ... {problem} ... is not in {problems:#?}");
    }
    // On the print page it stands in nobody's own place, and the page is named.
    site(&workspace, BODY);
    workspace.write("site/print.html", "<h1 id=\"all\">x</h1><p id=\"all\">y</p>");
    let problems = site_problems(&sound, "");
    assert!(
        problems.iter().any(|it| it.starts_with("the page print.html: the id all")),
        "{problems:?}"
    );
}
