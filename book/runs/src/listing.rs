//! The same thing in Python, C and Rust: each is run, and what each says is recorded.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::naming::Names;
use crate::play::{Folder, target};
use crate::{Problem, Result, failed};

/// The languages, in the order of the book, with the names of their files.
pub const LANGUAGES: [(&str, &str); 3] =
    [("Python", "main.py"), ("C", "main.c"), ("Rust", "main.rs")];

/// Where the listings are, one folder each: cargo finds the Rust ones there by itself.
pub const FOLDER: &str = "book/listings/examples";

/// The languages that a listing is written in: all three, or fewer where the point is one language's own.
pub fn languages(name: &str, root: &Path) -> Vec<(&'static str, &'static str)> {
    let folder = root.join(FOLDER).join(name);
    LANGUAGES.into_iter().filter(|(_, file)| folder.join(file).exists()).collect()
}

/// What a listing said in one language, with its ports named, and its exit status.
pub fn run(name: &str, language: &str, root: &Path) -> Result<String> {
    let folder = root.join(FOLDER).join(name);
    let output = match language {
        "Python" => output("python3", Command::new("python3").arg(folder.join("main.py"))),
        "C" => {
            let own = Folder::new(&format!("listing-{name}"))?;
            let program = own.0.join(name);
            let strict = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-o"];
            let compiled =
                Command::new("cc").args(strict).arg(&program).arg(folder.join("main.c")).output();
            match compiled {
                Ok(compiled) if compiled.status.success() => {
                    output("", &mut Command::new(&program))
                }
                Ok(compiled) => {
                    Err(Problem::Failed(String::from_utf8_lossy(&compiled.stderr).into_owned()))
                }
                Err(_) => Err(Problem::Skipped("there is no cc".to_owned())),
            }
        }
        _ => output("", &mut Command::new(target(root).join("debug/examples").join(name))),
    };
    output.map_err(|problem| match problem {
        Problem::Failed(text) => Problem::Failed(format!("{FOLDER}/{name}, {language}: {text}")),
        skipped => skipped,
    })
}

fn output(program: &str, command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1").output();
    let output = match output {
        Ok(output) => output,
        Err(_) if !program.is_empty() => {
            return Err(Problem::Skipped(format!("there is no {program}")));
        }
        Err(error) => return Err(Problem::Failed(error.to_string())),
    };
    if !output.stderr.is_empty() {
        return Err(Problem::Failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let mut names = Names::default();
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(reason) = text.strip_prefix("skipped: ") {
        return Err(Problem::Skipped(reason.trim_end().to_owned()));
    }
    let mut said: String =
        text.lines().map(|line| names.name(line).trim_end().to_owned() + "\n").collect();
    if !output.status.success() {
        said += &format!("({})\n", output.status);
    }
    Ok(said)
}

/// The file with what a language said: one for all, or one of its own where it says something else.
pub fn recorded(name: &str, language: &str, root: &Path) -> Result<String> {
    let folder = root.join(FOLDER).join(name);
    let own = folder.join(own_file(language));
    let file = if own.exists() { own } else { folder.join("output.txt") };
    fs::read_to_string(&file).map_err(failed(format!("{}: cargo xtask record", file.display())))
}

fn own_file(language: &str) -> String {
    format!("output.{}.txt", language.to_lowercase())
}

/// Runs all of them and writes down what they said.
pub fn record(name: &str, root: &Path) -> Result<()> {
    let folder = root.join(FOLDER).join(name);
    let said: Vec<(&str, String)> = languages(name, root)
        .into_iter()
        .map(|(language, _)| Ok((language, run(name, language, root)?)))
        .collect::<Result<_>>()?;
    let all_same = said.iter().all(|(_, text)| *text == said[0].1);
    let common = folder.join("output.txt");
    let files = said.iter().map(|(language, text)| (folder.join(own_file(language)), text));
    for (file, text) in files {
        let _ = fs::remove_file(&file);
        if !all_same {
            fs::write(&file, text).map_err(failed(file.display()))?;
        }
    }
    let _ = fs::remove_file(&common);
    if all_same {
        fs::write(&common, &said[0].1).map_err(failed(common.display()))?;
    }
    Ok(())
}

/// The listings there are.
pub fn names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join(FOLDER)).into_iter().flatten();
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir());
    let mut names: Vec<String> =
        folders.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}
