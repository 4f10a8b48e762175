//! Drawings and plots, inline, so that they have the page's own colours.

use std::fmt::Write as _;

use regex_lite::{Captures, Regex};

use crate::html::{escape, id, inline};
use crate::plots;
use crate::workspace::{Workspace, read};

/// `NAME`, or `NAME: CAPTION`.
pub fn figure(workspace: &Workspace, argument: &str) -> Result<String, String> {
    let (name, caption) = argument.split_once(": ").unwrap_or((argument, ""));
    let svg = svg(name, &workspace.figure(name)?)?;
    let caption = match caption {
        "" => String::new(),
        words => format!("<figcaption>{}</figcaption>", inline(words)),
    };
    Ok(format!("<figure class=\"drawing\" id=\"figure-{}\">{svg}{caption}</figure>", id(name)))
}

/// The plot, and below it its table.
pub fn plot(workspace: &Workspace, name: &str) -> Result<String, String> {
    let file = workspace.book().join("plots").join(format!("{name}.csv"));
    let text = read(&file).map_err(|_| format!("there is no plots/{name}.csv"))?;
    let plot =
        plots::Plot::parse(&text).map_err(|problem| format!("plots/{name}.csv:{problem}"))?;
    let svg = svg(name, &workspace.figure(&format!("plots/{name}"))?)?;
    let head: String =
        plot.columns.iter().map(|it| format!("<th scope=\"col\">{}</th>", escape(it))).collect();
    let mut rows = String::new();
    for row in &plot.cells {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        write!(rows, "<tr>{cells}</tr>").expect("memory");
    }
    Ok(format!(
        "<figure class=\"drawing plot\" id=\"plot-{}\">{svg}<details><summary>The numbers</summary>\
         <table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details></figure>",
        id(name)
    ))
}

/// Made fit to stand in a page: no blank lines, its ids its own, named by its title and description.
fn svg(name: &str, text: &str) -> Result<String, String> {
    let name = id(name);
    let start = text.find("<svg").ok_or(format!("{name}.svg has no <svg>"))?;
    let comment = Regex::new("(?s)<!--.*?-->").expect("a pattern");
    let text = comment.replace_all(&text[start..], "");
    for element in ["title", "desc"] {
        if !text.contains(&format!("<{element}>")) {
            return Err(format!("{name}.svg has no <{element}>"));
        }
    }
    let colour = Regex::new(r##"(?:fill|stroke)="(?:#|rgb|[a-z]+)[^"]*""##).expect("a pattern");
    let own = |found: &str| {
        !["none", "currentColor", "inherit", "url(", "var("].iter().any(|it| found.contains(it))
    };
    if let Some(found) = colour.find_iter(&text).find(|found| own(found.as_str())) {
        return Err(format!(
            "{name}.svg: {} is wrong in one of the themes: use currentColor or a class",
            found.as_str()
        ));
    }
    let ids =
        Regex::new(r##"\b(id=")([^"]+)"|(url\(#)([^)]+)\)|(href="#)([^"]+)""##).expect("a pattern");
    let text = ids.replace_all(&text, |found: &Captures<'_>| {
        let group =
            (1..=5).step_by(2).find(|group| found.get(*group).is_some()).expect("one of three");
        let end = if group == 3 { ')' } else { '"' };
        format!("{}{name}-{}{end}", &found[group], &found[group + 1])
    });
    let text = text
        .replacen(
            "<svg",
            &format!("<svg role=\"img\" aria-labelledby=\"{name}-title {name}-desc\""),
            1,
        )
        .replacen("<title>", &format!("<title id=\"{name}-title\">"), 1)
        .replacen("<desc>", &format!("<desc id=\"{name}-desc\">"), 1);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(lines.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "<svg viewBox=\"0 0 1 1\">\n\n<title>T</title><desc>D</desc><path id=\"a\" stroke=\"currentColor\"/><use href=\"#a\" fill=\"url(#b)\"/></svg>";

    #[test]
    fn a_drawing_gets_ids_of_its_own() {
        let svg = svg("x/y", GOOD).expect("a drawing");
        for part in [
            "id=\"x-y-a\"",
            "href=\"#x-y-a\"",
            "url(#x-y-b)",
            "aria-labelledby=\"x-y-title x-y-desc\"",
        ] {
            assert!(svg.contains(part), "{svg}");
        }
        assert!(!svg.contains('\n'));
    }

    #[test]
    fn one_without_a_title_or_with_a_colour_of_its_own_is_refused() {
        for (old, new) in [
            ("<title>T</title>", ""),
            ("<desc>D</desc>", ""),
            ("currentColor", "#333"),
            ("currentColor", "black"),
        ] {
            svg("x", &GOOD.replace(old, new)).expect_err(new);
        }
    }
}
