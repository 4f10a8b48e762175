//! What a person would do, line by line: `NAME.run`.

use regex_lite::Regex;

#[derive(Debug)]
pub struct Scenario {
    pub steps: Vec<Step>,
    /// Terminals whose program is traced, and the calls that matter.
    pub traced: Vec<(String, Vec<String>)>,
    pub vary: Vec<Regex>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    pub terminal: String,
    pub action: Action,
    /// Of the description, from 1.
    pub line: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Type(String),
    /// A line that contains the text; a `{NAME}` at its end takes the word that stands there.
    WaitFor(String, Option<String>),
    /// A line of the program's input.
    Enter(String),
    EndInput,
    Interrupt,
    WaitForEnd,
}

impl Scenario {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut scenario = Self { steps: Vec::new(), traced: Vec::new(), vary: Vec::new() };
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            scenario
                .take(number + 1, line)
                .map_err(|problem| format!("line {}: {problem}: {line:?}", number + 1))?;
        }
        for (terminal, _) in &scenario.traced {
            if !scenario.steps.iter().any(|step| step.terminal == *terminal) {
                return Err(format!("trace {terminal}: there is no such terminal"));
            }
        }
        Ok(scenario)
    }

    fn take(&mut self, number: usize, line: &str) -> Result<(), String> {
        let (terminal, rest) = line.split_once(' ').ok_or("no action")?;
        if terminal == "trace" {
            let (terminal, calls) = rest.split_once(": ").ok_or("trace TERMINAL: CALLS")?;
            let calls = calls.split_whitespace().map(str::to_owned).collect();
            self.traced.push((terminal.to_owned(), calls));
            return Ok(());
        }
        if terminal == "vary" {
            self.vary.push(Regex::new(rest).map_err(|error| error.to_string())?);
            return Ok(());
        }
        let (symbol, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let action = match symbol {
            "$" => Action::Type(text.to_owned()),
            "?" => match text.split_once('{') {
                Some((start, name)) => {
                    let name = name.strip_suffix('}').ok_or("a {NAME} ends the line")?;
                    Action::WaitFor(start.to_owned(), Some(name.to_owned()))
                }
                None => Action::WaitFor(text.to_owned(), None),
            },
            "<" => Action::Enter(text.to_owned()),
            "^" if text == "C" => Action::Interrupt,
            "^" if text == "D" => Action::EndInput,
            "=" => Action::WaitForEnd,
            _ => return Err("not one of $ ? < ^ =".to_owned()),
        };
        self.steps.push(Step { terminal: terminal.to_owned(), action, line: number });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_step() {
        let text =
            "# why\na $ cargo run --example x\na ? on {A}\nb ? up\na ^ C\na =\ntrace a: bind\n";
        let scenario = Scenario::parse(text).expect("a description");
        let actions: Vec<&Action> = scenario.steps.iter().map(|step| &step.action).collect();
        assert_eq!(
            actions,
            [
                &Action::Type("cargo run --example x".into()),
                &Action::WaitFor("on ".into(), Some("A".into())),
                &Action::WaitFor("up".into(), None),
                &Action::Interrupt,
                &Action::WaitForEnd,
            ]
        );
        assert_eq!(scenario.traced, [("a".to_owned(), vec!["bind".to_owned()])]);
    }

    #[test]
    fn what_it_cannot_mean_is_refused_with_its_line() {
        for (text, problem) in [
            ("\na", "line 2: no action"),
            ("a % b", "line 1: not one of"),
            ("a ? {A} b", "line 1: a {NAME} ends"),
            ("a ^ Z", "line 1: not one of"),
            ("trace a: bind", "no such terminal"),
            ("vary (", "line 1: "),
        ] {
            let found = Scenario::parse(text).expect_err(text);
            assert!(found.contains(problem), "{found}");
        }
    }
}
