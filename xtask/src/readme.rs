//! The README's own commands, read from it, so that what CI runs is what a reader types.

use std::error::Error;

/// Stands, invisible to the reader, on the line before the block of commands.
const MARK: &str = "<!-- CI runs these commands as they stand -->";

/// The arguments that follow `cargo` on each line of the marked block.
pub(crate) fn commands(readme: &str) -> Result<Vec<Vec<String>>, Box<dyn Error>> {
    let (_, after) = readme.split_once(MARK).ok_or(format!("README.md has no line `{MARK}`"))?;
    let block = after
        .trim_start()
        .strip_prefix("```sh\n")
        .and_then(|rest| rest.split_once("\n```"))
        .ok_or(format!("README.md: no ```sh block with commands follows `{MARK}`"))?
        .0;
    block.lines().map(command).collect()
}

fn command(line: &str) -> Result<Vec<String>, Box<dyn Error>> {
    // The comment is the reader's; quotes and pipes are for a shell, which is not asked here.
    let line = line.split(" #").next().unwrap_or(line);
    let mut words = line.split_whitespace().map(str::to_owned);
    match words.next() {
        Some(program) if program == "cargo" && !line.contains(['"', '\'', '|', '&', '$']) => {
            Ok(words.collect())
        }
        _ => Err(format!("README.md: `{line}` is not a plain cargo command").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_one_starts_with_the_session_and_the_tests() {
        let readme = include_str!("../../README.md");
        let commands = commands(readme).expect("the marked block");
        assert_eq!(commands, [vec!["run", "--example", "select_echo"], vec!["test"]]);
    }

    #[test]
    fn comments_are_dropped() {
        let found = commands(&format!("{MARK}\n```sh\ncargo test  # all\ncargo doc\n```\n"));
        assert_eq!(found.expect("two commands"), [["test"], ["doc"]]);
    }

    #[test]
    fn what_is_not_a_plain_cargo_command_is_refused() {
        for block in
            ["```sh\nmake\n```", "```sh\ncargo test | tee\n```", "```sh\n```", "cargo test"]
        {
            let readme = format!("{MARK}\n{block}\n");
            commands(&readme).expect_err(block);
        }
        commands("```sh\ncargo test\n```").expect_err("no mark");
    }
}
