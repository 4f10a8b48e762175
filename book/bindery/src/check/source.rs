//! What a chapter's Markdown must not hold: pasted programs, and runs that nobody recorded.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::Problem;
use crate::directive::lines;

/// As many lines of pasted Rust as make a point.
const MOST: usize = 8;

/// What Rust blocks may say of themselves: all of it compiles, or is meant not to.
const RUST: [&str; 6] =
    ["rust", "no_run", "should_panic", "compile_fail", "edition2024", "hidelines"];

pub fn check(file: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for block in blocks(text) {
        let mut problem = |text: String| problems.push(Problem::new(file, block.line, text));
        let words: Vec<&str> =
            block.info.split([',', ' ']).filter(|word| !word.is_empty()).collect();
        let language = words.first().copied().unwrap_or_default();
        if block.code.trim().is_empty() {
            problem("an empty code block".into());
        }
        match language {
            "" => problem("a code block without a language: write `text` where it has none".into()),
            "rust" => {
                let shown = block
                    .code
                    .lines()
                    .filter(|line| *line != "#" && !line.starts_with("# "))
                    .count();
                if shown > MOST {
                    problem(format!(
                        "{shown} lines of pasted Rust: over {MOST} it is an example, shown by {{{{code}}}}"
                    ));
                }
                let odd =
                    words.iter().find(|word| !RUST.iter().any(|known| word.starts_with(known)));
                if let Some(word) = odd {
                    problem(format!("Rust in a chapter is compiled, and `{word}` says it is not"));
                }
            }
            "console" if reason(text, block.line, "no transcript").is_none() => {
                problem("no transcript: show a recorded run, or say <!-- no transcript: REASON --> on the line above".into());
            }
            "python" | "py" | "c" if reason(text, block.line, "not run").is_none() => {
                problem(format!(
                    "{language} that nobody runs: make it a {{{{listing}}}}, or say <!-- not run: REASON --> on the line above"
                ));
            }
            _ => {}
        }
    }
    problems
}

/// What a comment on the line above says after `KEY: `.
fn reason<'a>(text: &'a str, line: usize, key: &str) -> Option<&'a str> {
    let above = text.lines().nth(line.checked_sub(2)?)?.trim();
    let inside = above.strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    inside.strip_prefix(key)?.strip_prefix(':').map(str::trim).filter(|reason| !reason.is_empty())
}

struct Block {
    info: String,
    code: String,
    /// From 1.
    line: usize,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (event, range) in Parser::new_ext(text, Options::all()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => "text".to_owned(),
                };
                let line = text[..range.start].matches('\n').count() + 1;
                blocks.push(Block { info, code: String::new(), line });
                inside = true;
            }
            Event::End(TagEnd::CodeBlock) => inside = false,
            Event::Text(text) if inside => {
                if let Some(block) = blocks.last_mut() {
                    block.code += &text;
                }
            }
            _ => {}
        }
    }
    blocks
}

/// The first line outside code that has this text, from 1; else 0: what a problem of a page is found by.
pub fn line_with(text: &str, part: &str) -> usize {
    let lines = lines(text);
    let found = lines.iter().find(|line| !line.code && line.text.contains(part));
    found
        .or_else(|| lines.iter().find(|line| line.text.contains(part)))
        .map_or(0, |line| line.number)
}
