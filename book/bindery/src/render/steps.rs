//! The buttons of what is gone through step by step; a script takes the `hidden` away.

/// First, Back, Next, Last, and others in between: what they do, and their words.
pub fn controls(more: &[(&str, &str)]) -> String {
    let buttons = [("first", "First"), ("back", "Back"), ("next", "Next")];
    let all = buttons.iter().chain(more).chain(&[("last", "Last")]);
    let buttons: String = all
        .map(|(go, word)| format!("<button type=\"button\" data-go=\"{go}\">{word}</button>"))
        .collect();
    format!("<div class=\"controls\" hidden>{buttons}<output aria-live=\"polite\"></output></div>")
}
