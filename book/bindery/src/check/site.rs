//! What the pages must not hold: dead links, ids that stand twice, leftovers, empty code, other hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use html5gum::{Token, Tokenizer};

use crate::Problem;
use crate::check::source::line_with;
use crate::directive;
use crate::workspace::{read, walk};

/// A page, as far as the guards look.
#[derive(Default)]
struct Page {
    ids: BTreeMap<String, usize>,
    /// Attribute and value, in order.
    links: Vec<(&'static str, String)>,
    /// What loads by itself: scripts, styles, pictures.
    loads: Vec<String>,
    base: Option<String>,
    text: String,
    empty_code: usize,
}

pub fn check(site: &Path, chapters: &[(String, String)]) -> Result<Vec<Problem>, String> {
    let mut files = Vec::new();
    walk(site, "html", &mut files)?;
    if files.is_empty() {
        return Err(format!("{}: no pages; build the book first", site.display()));
    }
    let mut pages = BTreeMap::new();
    for file in files {
        let place = file.strip_prefix(site).expect("it lies there").to_owned();
        pages.insert(place, page(&read(&file)?));
    }
    let mut problems = BTreeSet::new();
    for (place, page) in &pages {
        let source = Source::of(place, chapters);
        let texts = links(place, page, &pages, site).chain(texts(page));
        for (part, text) in texts {
            problems.insert(source.problem(&part, text));
        }
    }
    Ok(problems.into_iter().collect())
}

/// The chapter behind a page; the print page has all of them.
struct Source<'a> {
    page: String,
    chapters: Vec<&'a (String, String)>,
}

impl<'a> Source<'a> {
    fn of(place: &Path, chapters: &'a [(String, String)]) -> Self {
        let chapter = place.with_extension("md").display().to_string();
        let readme = place.with_file_name("README.md").display().to_string();
        let own: Vec<_> = chapters
            .iter()
            .filter(|(file, _)| {
                *file == chapter || (place.ends_with("index.html") && *file == readme)
            })
            .collect();
        let chapters = if own.is_empty() { chapters.iter().collect() } else { own };
        Self { page: place.display().to_string(), chapters }
    }

    fn problem(&self, part: &str, text: String) -> Problem {
        let found = self.chapters.iter().find_map(|(file, source)| {
            let line = if part.is_empty() { 0 } else { line_with(source, part) };
            (line > 0).then_some((file, line))
        });
        match found {
            Some((file, line)) => Problem::new(file, line, text),
            None if self.chapters.len() == 1 => Problem::new(&self.chapters[0].0, 1, text),
            None => Problem::new(format!("the page {}", self.page), 0, text),
        }
    }
}

/// What is wrong with a page's links, each with what to look for in the source.
fn links<'a>(
    place: &'a Path,
    page: &'a Page,
    pages: &'a BTreeMap<PathBuf, Page>,
    site: &'a Path,
) -> impl Iterator<Item = (String, String)> + 'a {
    let all = page
        .links
        .iter()
        .map(|(kind, link)| (*kind, link))
        .chain(page.loads.iter().map(|link| ("load", link)));
    // The page for what is not found is served for any address, and mdBook's headings there lead to the first page.
    let own = |link: &str| !(page.base.is_some() && link.starts_with('#'));
    all.filter(move |(_, link)| own(link)).filter_map(move |(kind, link)| {
        let part =
            link.rsplit(['/', '#']).next().unwrap_or_default().trim_end_matches(".html").to_owned();
        match target(place, page.base.as_deref(), link) {
            Target::Elsewhere if kind == "load" => {
                Some((part, format!("it loads {link}, which is not the book's")))
            }
            Target::Elsewhere if link.starts_with("http:") => {
                Some((part, format!("write https: {link}")))
            }
            Target::Elsewhere => None,
            Target::Outside => Some((part, format!("the link {link} leads out of the book"))),
            Target::Here(file, fragment) => {
                let file = if site.join(&file).is_dir() { file.join("index.html") } else { file };
                if !site.join(&file).is_file() {
                    return Some((part, format!("a dead link: {link}")));
                }
                let fragment = fragment.filter(|fragment| !fragment.is_empty())?;
                let known = pages.get(&file).is_none_or(|page| page.ids.contains_key(&fragment));
                (!known).then(|| {
                    (
                        fragment.clone(),
                        format!("a dead link: {} has no #{fragment}", file.display()),
                    )
                })
            }
        }
    })
}

fn texts(page: &Page) -> impl Iterator<Item = (String, String)> + '_ {
    let twice = page.ids.iter().filter(|(_, times)| **times > 1);
    let twice = twice
        .map(|(id, times)| (id.clone(), format!("the id {id} stands {times} times on one page")));
    let marks =
        directive::NAMES.iter().copied().chain(["#", "end"]).map(|name| format!("{{{{{name}"));
    let left = marks.filter(|mark| page.text.contains(mark.as_str()));
    let left = left.map(|mark| (mark.clone(), format!("{mark} was left over")));
    let empty = (page.empty_code > 0).then(|| ("```".to_owned(), "an empty code block".to_owned()));
    twice.chain(left).chain(empty)
}

enum Target {
    /// Below the site, with a fragment.
    Here(PathBuf, Option<String>),
    Elsewhere,
    Outside,
}

fn target(place: &Path, base: Option<&str>, link: &str) -> Target {
    if link.contains("://")
        || link.starts_with("//")
        || link.starts_with("mailto:")
        || link.starts_with("data:")
    {
        return Target::Elsewhere;
    }
    let (path, fragment) = match link.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment.to_owned())),
        None => (link, None),
    };
    let path = path.split('?').next().unwrap_or_default();
    // The page for what is not found is served for any address: its links start at the root.
    let start = match (base, path.strip_prefix('/')) {
        (_, Some(_)) | (Some(_), None) => PathBuf::new(),
        (None, None) if path.is_empty() => return Target::Here(place.to_owned(), fragment),
        (None, None) => place.parent().unwrap_or(Path::new("")).to_owned(),
    };
    let mut file = PathBuf::new();
    for part in start.join(path.trim_start_matches('/')).components() {
        match part {
            Component::Normal(name) => file.push(name),
            Component::ParentDir if !file.pop() => return Target::Outside,
            _ => {}
        }
    }
    Target::Here(file, fragment)
}

fn page(html: &str) -> Page {
    let mut page = Page::default();
    // The code of the `<code>` that is open, where one is.
    let mut code: Option<(bool, String)> = None;
    let (mut in_pre, mut in_script) = (0_usize, false);
    for token in Tokenizer::new(html).flatten() {
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                let attribute = |wanted: &str| {
                    let found =
                        tag.attributes.iter().find(|(key, _)| key.as_slice() == wanted.as_bytes());
                    found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
                };
                if let Some(id) = attribute("id") {
                    *page.ids.entry(id).or_default() += 1;
                }
                match name.as_str() {
                    "base" => page.base = attribute("href"),
                    "link" | "use" => page.loads.extend(attribute("href")),
                    "script" | "img" | "iframe" | "source" => page.loads.extend(attribute("src")),
                    "a" => page.links.extend(attribute("href").map(|href| ("href", href))),
                    "pre" => in_pre += 1,
                    "code" => code = Some((in_pre > 0, String::new())),
                    _ => {}
                }
                in_script = matches!(name.as_str(), "script" | "style") && !tag.self_closing;
            }
            Token::EndTag(tag) => match &tag.name[..] {
                b"pre" => in_pre = in_pre.saturating_sub(1),
                b"code" => {
                    if let Some((true, text)) = code.take() {
                        page.empty_code += usize::from(text.trim().is_empty());
                    }
                }
                b"script" | b"style" => in_script = false,
                _ => {}
            },
            Token::String(text) if !in_script => {
                let text = String::from_utf8_lossy(&text);
                if let Some((_, code)) = &mut code {
                    *code += &text;
                }
                page.text += &text;
            }
            _ => {}
        }
    }
    page
}
