//! The links to the manual pages, made in one place so that none of them rots alone.

/// `#[doc = concat!(man_page!("poll", 2))]`: the line that links an item to its manual page.
///
/// The `concat!` at the place of use is for rustdoc: with it, a doctest of the item is reported under the item's
/// own file and line, and without it under this one.
macro_rules! man_page {
    ($name:literal, $section:literal) => {
        concat!(
            "\n\nMan page: [",
            $name,
            "(",
            $section,
            ")](https://man7.org/linux/man-pages/man",
            $section,
            "/",
            $name,
            ".",
            $section,
            ".html).",
        )
    };
}
