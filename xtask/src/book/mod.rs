//! `cargo xtask book`: build the book and serve it; with `--check`, prove that it is true. And what goes with it.

mod browser;
mod check;
mod tool;

use std::error::Error;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::steps::{self, Outcome, Step};

pub(crate) use self::browser::{Arguments as BrowserArguments, run as browser};

/// Build the book and serve it on this machine
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Open it in a browser
    #[arg(long)]
    open: bool,
    /// Build it and say where it is
    #[arg(long, conflicts_with = "open")]
    no_serve: bool,
    /// Build it, and prove that everything in it is as it says
    #[arg(long, conflicts_with_all = ["open", "no_serve"])]
    check: bool,
    /// Where to serve it; 0 for any port that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Outcome {
    if arguments.check {
        return steps::run_all(&check::steps(root));
    }
    if arguments.no_serve {
        let site = build(root)?;
        println!("the book is in {}", site.join("index.html").display());
        return Ok(());
    }
    // What is taken is said before mdBook is built, which takes minutes.
    free(arguments.port)?;
    let mdbook = tool::mdbook(root)?;
    let port = free(arguments.port)?;
    println!("the book is at http://127.0.0.1:{port}/ until Ctrl-C");
    let mut serve = Command::new(mdbook);
    serve.args(["serve", "--hostname", "127.0.0.1", "--port", &port.to_string(), "--dest-dir"]);
    serve.arg(site(root)).args(arguments.open.then_some("--open")).arg(root.join("book"));
    edit_links(&mut serve, root)?;
    steps::run(&mut serve)
}

/// The port, or for 0 one that the kernel chooses. That it is taken mdBook itself would say in the middle of other things; and which one
/// it has got, only there.
fn free(port: u16) -> Result<u16, Box<dyn Error>> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(listener) => Ok(listener.local_addr()?.port()),
        Err(error) => Err(format!(
            "port {port}: {error}; choose another: cargo xtask book --port {}",
            port.wrapping_add(1).max(1024)
        )
        .into()),
    }
}

pub(crate) fn site(root: &Path) -> PathBuf {
    steps::target(root).join("book/html")
}

/// Builds the site where it belongs, and says where that is.
pub(crate) fn build(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let site = site(root);
    build_at(root, &root.join("book"), &site)?;
    Ok(site)
}

/// A build with a warning has failed: most of what goes wrong in mdBook is no more than that.
fn build_at(root: &Path, book: &Path, site: &Path) -> Outcome {
    let mut build = Command::new(tool::builder(root)?);
    build.arg("build").arg("--dest-dir").arg(site).arg(book);
    edit_links(&mut build, root)?;
    println!("    {}", steps::shown(&build));
    let output = build.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    let complaints = check::complaints(&text);
    if output.status.success() && complaints.is_empty() {
        return Ok(());
    }
    eprint!("{text}");
    Err(match complaints.first() {
        Some(first) => format!("mdBook: {first}").into(),
        None => format!("mdBook: {}", output.status).into(),
    })
}

/// Each page links to its source where the source is known to the world: `repository` in Cargo.toml.
fn edit_links(command: &mut Command, root: &Path) -> Outcome {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    if let Some(repository) = repository(&manifest) {
        let template = format!("{repository}/edit/main/book/{{path}}");
        command.env("MDBOOK_OUTPUT__HTML__EDIT_URL_TEMPLATE", template);
        command.env("MDBOOK_OUTPUT__HTML__GIT_REPOSITORY_URL", repository);
    }
    Ok(())
}

fn repository(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find(|line| line.starts_with("repository = "))?;
    Some(line.split_once('"')?.1.trim_end_matches('"').trim_end_matches('/'))
}

/// Record the book's transcripts, traces and listings anew; the tests never do
#[derive(clap::Args)]
pub(crate) struct Record {
    /// Only this one; all of them where it is left out
    name: Option<String>,
}

pub(crate) fn record(arguments: &Record, root: &Path) -> Outcome {
    let mut cargo = steps::cargo();
    cargo.current_dir(root).args(["run", "--quiet", "--package", "readysock-runs", "--"]);
    steps::run(cargo.args(&arguments.name))
}

/// The preprocessor, asked for something else.
fn bindery(root: &Path) -> Command {
    let mut cargo = steps::cargo();
    cargo.current_dir(root).args(["run", "--quiet", "--package", "readysock-bindery", "--"]);
    cargo
}

pub(crate) fn plots(root: &Path) -> Outcome {
    steps::run(bindery(root).arg("plots"))
}

/// What CI does of all this: the build, which other steps may run beside, and what comes after it.
pub(crate) fn steps(root: &Path) -> (Step, Vec<Step>) {
    let build = Step::beside(check::BUILD, &["book", "--no-serve"]);
    // It builds the site once more, so it begins when nobody else reads it.
    let browser = Step::beside("book: browser", &["browser", "--pictures", "none"]);
    let [same_bytes, guards] = check::of_the_site(root);
    let after = [same_bytes.waiting(), guards, browser].into_iter();
    (build, after.chain(check::of_its_sources(root)).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_port_in_use_is_one_line_that_says_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken.local_addr().expect("an address").port();
        let problem = free(port).expect_err("it is taken").to_string();
        assert!(problem.contains("--port") && problem.lines().count() == 1, "{problem}");
    }

    #[test]
    fn a_port_that_is_served_at_has_a_number() {
        assert_ne!(free(0).expect("a free port"), 0);
    }

    /// It needs the real one, and `cargo test` builds no mdBook.
    #[test]
    fn what_mdbook_only_warns_of_fails_the_build() {
        let root = crate::root();
        if !tool::builder_is_there(root) {
            // Not eprintln!, which nobody sees while the test passes.
            let reason = "there is no mdBook under target/tools: cargo xtask book --no-serve";
            let _ = writeln!(std::io::stderr(), "skipped: {reason}");
            return;
        }
        let folder = steps::Folder::new("warned").expect("a folder");
        let (book, site) = (folder.0.join("book"), folder.0.join("site"));
        let write = |file: &str, text: &str| {
            let path = book.join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write("src/SUMMARY.md", "# Summary\n\n- [A](a.md)\n");
        write("src/a.md", "# A\n");
        write("book.toml", "[book]\ntitle = \"T\"\n");
        build_at(root, &book, &site).expect("nothing is wrong yet");
        for (file, fault) in [
            ("book.toml", "[book]\ntitle = \"T\"\n[output.html]\ndefualt-theme = \"light\"\n"),
            ("src/a.md", "# A\n\n{{#include none.rs}}\n"),
            ("src/SUMMARY.md", "# Summary\n\n- [A](b.md)\n- text\n- [B](a.md\n"),
        ] {
            let sound = std::fs::read_to_string(book.join(file)).expect("it was written");
            write(file, fault);
            let problem = build_at(root, &book, &site).expect_err(file).to_string();
            assert!(problem.starts_with("mdBook: "), "{problem}");
            write(file, &sound);
        }
    }

    #[test]
    fn edit_links_lead_to_the_repository_where_there_is_one() {
        assert_eq!(repository("[package]\nname = \"x\"\n"), None);
        let manifest = "[package]\nrepository = \"https://example.org/a/b/\"\n";
        assert_eq!(repository(manifest), Some("https://example.org/a/b"));
    }
}
