//! The links to the manual pages, made in one place so that none of them rots alone.

/// `#[doc = man_page!("poll", 2)]`: the line that links an item to its manual page.
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
