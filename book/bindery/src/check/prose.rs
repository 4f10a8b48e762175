//! Short sentences: in each chapter a mean of at most 15 words, and nine in ten of at most 24.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::Problem;
use crate::directive::{self, lines};

const MEAN: f64 = 15.0;
const NINE_IN_TEN: usize = 24;

pub fn check(file: &str, text: &str) -> Vec<Problem> {
    let sentences = sentences(text);
    let mut lengths: Vec<usize> = sentences.iter().map(|(_, sentence)| words(sentence)).collect();
    lengths.sort_unstable();
    let Some(longest) = sentences.iter().max_by_key(|(_, sentence)| words(sentence)) else {
        return vec![Problem::new(file, 0, "a chapter without a sentence")];
    };
    let (mean, ninth) = measure(&lengths);
    let mut problems = Vec::new();
    if mean > MEAN {
        problems.push(Problem::new(
            file,
            longest.0,
            format!(
                "the mean sentence has {mean:.1} words, over {MEAN}; the longest begins here: {}",
                start(&longest.1)
            ),
        ));
    }
    if ninth > NINE_IN_TEN {
        let long =
            sentences.iter().find(|(_, sentence)| words(sentence) >= ninth).unwrap_or(longest);
        problems.push(Problem::new(
            file,
            long.0,
            format!(
                "more than one sentence in ten has over {NINE_IN_TEN} words; this one has {}: {}",
                words(&long.1),
                start(&long.1)
            ),
        ));
    }
    problems
}

/// One line on all chapters, for their authors.
pub fn summary(chapters: &[(String, String)]) -> String {
    let all = chapters.iter().flat_map(|(_, text)| sentences(text));
    let mut lengths: Vec<usize> = all.map(|(_, sentence)| words(&sentence)).collect();
    lengths.sort_unstable();
    let (mean, ninth) = measure(&lengths);
    format!(
        "{} pages, {} words in {} sentences: {mean:.1} in the mean, nine in ten at most {ninth}",
        chapters.len(),
        lengths.iter().sum::<usize>(),
        lengths.len()
    )
}

/// The mean, and the length that nine in ten do not exceed.
#[allow(clippy::cast_precision_loss)] // A chapter has fewer words than f64 has bits.
fn measure(sorted: &[usize]) -> (f64, usize) {
    let mean = sorted.iter().sum::<usize>() as f64 / sorted.len().max(1) as f64;
    let ninth = (sorted.len() * 9).div_ceil(10).saturating_sub(1);
    (mean, sorted.get(ninth).copied().unwrap_or(0))
}

fn words(sentence: &str) -> usize {
    sentence.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
}

fn start(sentence: &str) -> String {
    let words: Vec<&str> = sentence.split_whitespace().take(8).collect();
    format!("{:?}", words.join(" ") + " ...")
}

/// The sentences of paragraphs and lists, with the line of each; no headings, tables or code.
fn sentences(text: &str) -> Vec<(usize, String)> {
    let text = without_directives(text);
    let mut found = Vec::new();
    let mut paragraph: Option<(usize, String)> = None;
    let (mut depth, mut skipped) = (0_usize, 0_usize);
    for (event, range) in Parser::new_ext(&text, Options::all()).into_offset_iter() {
        let skips = |tag: &Tag<'_>| {
            matches!(tag, Tag::CodeBlock(_) | Tag::Heading { .. } | Tag::Table(_) | Tag::HtmlBlock)
        };
        match event {
            Event::Start(tag) if skips(&tag) => skipped += 1,
            Event::End(
                TagEnd::CodeBlock | TagEnd::Heading(_) | TagEnd::Table | TagEnd::HtmlBlock,
            ) => skipped -= 1,
            Event::Start(Tag::Paragraph | Tag::Item) => {
                finish(&mut paragraph, &mut found);
                depth += 1;
                paragraph = Some((text[..range.start].matches('\n').count() + 1, String::new()));
            }
            Event::End(TagEnd::Paragraph | TagEnd::Item) => {
                depth = depth.saturating_sub(1);
                finish(&mut paragraph, &mut found);
            }
            // However long, a piece of code in a sentence is one word of it.
            Event::Code(code) if skipped == 0 && depth > 0 => {
                push(&mut paragraph, &code.replace([' ', '.', '!', '?'], "_"))
            }
            Event::Text(words) if skipped == 0 && depth > 0 => push(&mut paragraph, &words),
            Event::SoftBreak | Event::HardBreak => push(&mut paragraph, "\n"),
            _ => {}
        }
    }
    found
}

fn push(paragraph: &mut Option<(usize, String)>, text: &str) {
    if let Some((_, whole)) = paragraph {
        *whole += text;
    }
}

/// Cuts a paragraph at its full stops.
fn finish(paragraph: &mut Option<(usize, String)>, found: &mut Vec<(usize, String)>) {
    let Some((line, text)) = paragraph.take() else { return };
    let mut sentence = String::new();
    let mut start = line;
    let mut at = line;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if sentence.trim().is_empty() {
            start = at;
        }
        at += usize::from(character == '\n');
        sentence.push(character);
        let ends = matches!(character, '.' | '!' | '?' | ':' | ';')
            && characters
                .peek()
                .is_none_or(|next| next.is_whitespace() || matches!(next, ')' | '"'))
            && !matches!(character, ':' | ';');
        if ends {
            keep(start, &mut sentence, found);
        }
    }
    keep(start, &mut sentence, found);
}

fn keep(line: usize, sentence: &mut String, found: &mut Vec<(usize, String)>) {
    let text = std::mem::take(sentence);
    if words(&text) > 0 {
        found.push((line, text.trim().to_owned()));
    }
}

/// Directives are no prose, and the notes of a trace and the text of an exercise are.
fn without_directives(text: &str) -> String {
    let directive =
        |line: &directive::Line<'_>| !line.code && line.text.trim_start().starts_with("{{");
    let kept = lines(text).into_iter().map(|line| if directive(&line) { "" } else { line.text });
    kept.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_counted_as_a_reader_does() {
        let text = "# Not this heading\n\nOne two. Three `a b. c` four!\nFive\n\n- six (seven.)\n- eight\n\n```text\nnot this\n```\n\n{{example not_this}}\n\n| not | this |\n| --- | --- |\n| not | this |\n";
        let found: Vec<(usize, usize)> =
            sentences(text).iter().map(|(line, text)| (*line, words(text))).collect();
        assert_eq!(found, [(3, 2), (3, 3), (4, 1), (6, 2), (7, 1)]);
    }
}
