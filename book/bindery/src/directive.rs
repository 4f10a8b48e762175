//! Finds the lines in double braces, outside code blocks.

use std::ops::Range;

use crate::Problem;

#[derive(Debug, PartialEq, Eq)]
pub struct Directive<'a> {
    pub name: &'a str,
    pub argument: &'a str,
    /// What stands between it and its `{{end}}`.
    pub body: &'a str,
    /// From 1.
    pub line: usize,
    /// All of it, in bytes.
    pub range: Range<usize>,
}

/// Those that go on until `{{end}}`.
const BLOCKS: [&str; 2] = ["trace", "exercise"];

pub const NAMES: [&str; 10] = [
    "example",
    "code",
    "transcript",
    "trace",
    "fdset",
    "player",
    "listing",
    "figure",
    "plot",
    "exercise",
];

pub fn find<'a>(file: &str, text: &'a str) -> Result<Vec<Directive<'a>>, Vec<Problem>> {
    let mut found: Vec<Directive<'a>> = Vec::new();
    let mut problems = Vec::new();
    let mut problem = |line, text: String| problems.push(Problem::new(file, line, text));
    let mut open: Option<(Directive<'a>, usize)> = None;
    for Line { number, range, text: line, code } in lines(text) {
        let inside = line.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let Some(inside) = inside.filter(|_| !code) else {
            if !code && line.contains("{{") {
                problem(number, "a line in double braces holds nothing else".into());
            }
            continue;
        };
        let (name, argument) = inside.trim().split_once(' ').unwrap_or((inside.trim(), ""));
        if name == "end" {
            match open.take() {
                Some((mut directive, start)) => {
                    directive.body = &text[start..range.start];
                    directive.range.end = range.end;
                    found.push(directive);
                }
                None => problem(number, "{{end}} of nothing".into()),
            }
        } else if name.starts_with('#') {
            problem(number, format!("{{{{{name}}}}} fails in silence: use {{{{code}}}}"));
        } else if !NAMES.contains(&name) {
            problem(number, format!("there is no {{{{{name}}}}}, but: {}", NAMES.join(", ")));
        } else if let Some((directive, _)) = &open {
            problem(
                number,
                format!("in the {{{{{}}}}} of line {}", directive.name, directive.line),
            );
        } else {
            let argument = argument.trim();
            let directive =
                Directive { name, argument, body: "", line: number, range: range.clone() };
            if BLOCKS.contains(&name) {
                open = Some((directive, range.end));
            } else {
                found.push(directive);
            }
        }
    }
    if let Some((directive, _)) = open {
        problem(directive.line, format!("{{{{{}}}}} without {{{{end}}}}", directive.name));
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

pub struct Line<'a> {
    /// From 1.
    pub number: usize,
    /// Without its newline.
    pub range: Range<usize>,
    pub text: &'a str,
    /// In a fenced block, or its fence.
    pub code: bool,
}

/// The lines of a text, and which of them are code.
pub fn lines(text: &str) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    let (mut place, mut fence) = (0, None::<(char, usize)>);
    for (index, line) in text.split('\n').enumerate() {
        let trimmed = line.trim_start();
        let mark = trimmed.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        let length = mark.map_or(0, |mark| trimmed.chars().take_while(|c| *c == mark).count());
        let mut code = fence.is_some();
        match (fence, mark) {
            (None, Some(mark)) if length >= 3 => (fence, code) = (Some((mark, length)), true),
            (Some((open, least)), Some(mark))
                if mark == open && length >= least && trimmed[length..].trim().is_empty() =>
            {
                fence = None;
            }
            _ => {}
        }
        found.push(Line { number: index + 1, range: place..place + line.len(), text: line, code });
        place += line.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_their_own_outside_code_are_found() {
        let text =
            "a\n{{example x}}\n```text\n{{example y}}\n```\n{{trace t from a}}\n- b\n{{end}}\nz";
        let found = find("a.md", text).expect("two");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name, found[0].argument, found[0].line), ("example", "x", 2));
        assert_eq!((found[1].argument, found[1].body, found[1].line), ("t from a", "\n- b\n", 6));
        assert_eq!(&text[found[1].range.clone()], "{{trace t from a}}\n- b\n{{end}}");
    }

    #[test]
    fn what_is_no_directive_is_refused_with_its_line() {
        for (text, line, part) in [
            ("\n{{exampel x}}", 2, "there is no {{exampel}}"),
            ("see {{example x}} there", 1, "holds nothing else"),
            ("{{#include x.rs}}", 1, "use {{code}}"),
            ("{{trace t}}\n", 1, "without {{end}}"),
            ("{{end}}", 1, "of nothing"),
            ("{{trace t}}\n{{example x}}\n{{end}}", 2, "of line 1"),
        ] {
            let problems = find("a.md", text).expect_err(text);
            assert_eq!(problems[0].line, line, "{text}");
            assert!(problems[0].text.contains(part), "{}", problems[0]);
        }
    }
}
