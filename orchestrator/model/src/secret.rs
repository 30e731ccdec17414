//! A value that must not be shown, and what stands for it where it may not be.

use std::fmt;

/// Text that neither `Debug` nor `Serialize` gives away; [`Secret::expose`] is the one way to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that hands it to a process or a request.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

/// What stands in a program's text for the value of a bound credential's variable. The program never has the value: the
/// agent puts it in, for a call that binds the variable.
pub fn placeholder(variable: &str) -> String {
    format!("⟦secret {variable}⟧")
}

/// A text with the placeholders of known variables replaced by their values.
pub fn fill_placeholders<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("⟦secret ") {
        filled.push_str(before);
        match after.split_once('⟧').and_then(|(name, tail)| Some((value(name)?, tail))) {
            Some((value, tail)) => {
                filled.push_str(value);
                rest = tail;
            }
            None => {
                filled.push_str("⟦secret ");
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_of_known_variables_are_filled() {
        let text = format!("curl -u {}:{} {}", placeholder("A_USR"), placeholder("A_PSW"), placeholder("B"));
        let filled = fill_placeholders(&text, |name| match name {
            "A_USR" => Some("ada"),
            "A_PSW" => Some("s3cr3t"),
            _ => None,
        });
        assert_eq!(filled, format!("curl -u ada:s3cr3t {}", placeholder("B")));
        assert_eq!(fill_placeholders("⟦secret open", |_| Some("x")), "⟦secret open");
    }
}
