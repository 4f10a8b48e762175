//! HTML inside Markdown: no blank line may stand in it, or Markdown begins again.

/// Text as HTML, on one line.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' => escaped += "&#10;",
            // Markdown looks for emphasis and links on a line that begins no HTML block.
            plain => escaped.push(plain),
        }
    }
    escaped
}

/// A few words of Markdown as HTML, without the paragraph around them.
pub fn inline(markdown: &str) -> String {
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(markdown.trim()));
    let html = html.trim().replace('\n', " ");
    let whole = html.strip_prefix("<p>").and_then(|rest| rest.strip_suffix("</p>"));
    whole.filter(|inside| !inside.contains("<p>")).map_or(html.clone(), str::to_owned)
}

/// A name as it may stand in an id.
pub fn id(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_stays_on_its_line() {
        assert_eq!(escape("a <b> & \"c\"\n\nd"), "a &lt;b&gt; &amp; &quot;c&quot;&#10;&#10;d");
        assert_eq!(inline("the `call` of\n*all*"), "the <code>call</code> of <em>all</em>");
        assert_eq!(id("start/first_run"), "start-first-run");
    }
}
