//! The same thing in Python, C and Rust: each is run, and what each says is recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::folder::Folder;
use crate::naming::Names;
use crate::play::target;
use crate::{Problem, Result, entries, failed};

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
            let own = Folder::new(&format!("listing-{name}")).map_err(failed("its folder"))?;
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
    let Some((_, first)) = said.first() else {
        let files = LANGUAGES.map(|(_, file)| file).join(", ");
        return Err(Problem::Failed(format!(
            "{FOLDER}/{name} has none of {files}: write one, or remove the folder"
        )));
    };
    let common = folder.join("output.txt");
    let new: Vec<(PathBuf, &String)> = if said.iter().all(|(_, text)| text == first) {
        vec![(common.clone(), first)]
    } else {
        said.iter().map(|(language, text)| (folder.join(own_file(language)), text)).collect()
    };
    for (file, text) in &new {
        fs::write(file, text).map_err(failed(file.display()))?;
    }
    // Only now that what takes its place is there.
    let own = LANGUAGES.map(|(language, _)| folder.join(own_file(language)));
    for old in own.into_iter().chain([common]) {
        if !new.iter().any(|(file, _)| *file == old) {
            let _ = fs::remove_file(old);
        }
    }
    Ok(())
}

/// The listings there are.
pub fn names(root: &Path) -> Result<Vec<String>> {
    let folders = entries(&root.join(FOLDER))?.into_iter().filter(|path| path.is_dir());
    let mut names: Vec<String> =
        folders.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}
