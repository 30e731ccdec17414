//! A failed `assert`: Groovy's picture of the condition with the values of its parts.

use std::rc::Rc;

use super::{Raise, Vm};
use crate::code::Code;
use crate::types::id;
use crate::value::{ClassRef, Value};

impl Vm {
    /// The exception of a failed assertion.
    pub(crate) fn assertion_failed(
        &mut self,
        code: &Rc<Code>,
        index: u32,
        said: Option<Value>,
        notes: Vec<(u32, Value)>,
    ) -> Raise {
        let Some((text, start)) = code.asserts.get(index as usize).cloned() else { return Raise::NoMatch };
        if let Some(said) = said {
            let condition = text.strip_prefix("assert").unwrap_or(&text).trim();
            let said = match self.text(&said) {
                Ok(said) => said,
                Err(raise) => return raise,
            };
            let values = format!("{said}. Expression: {condition}");
            let exception = self.throwable(ClassRef::Builtin(id::ASSERTION_ERROR), Value::from(values), Value::Null);
            return Raise::Throw(exception);
        }
        let picture = match self.picture(code, &text, start, notes) {
            Ok(picture) => picture,
            Err(raise) => return raise,
        };
        let exception = self.throwable(ClassRef::Builtin(id::POWER_ASSERT), Value::from(picture), Value::Null);
        Raise::Throw(exception)
    }

    fn picture(&mut self, code: &Rc<Code>, text: &str, start: u32, notes: Vec<(u32, Value)>) -> Result<String, Raise> {
        let first_line = code.unit.lines.line(start);
        // Several lines are drawn as one, as Groovy's own renderer does.
        let flat = text.lines().map(str::trim_end).collect::<Vec<_>>().join("");
        let mut values: Vec<(usize, String)> = Vec::new();
        for (byte, value) in notes {
            let mut column = 0usize;
            let before = text.get(..(byte.saturating_sub(start)) as usize).unwrap_or("");
            for (at, line) in before.split('\n').enumerate() {
                let last = before.split('\n').count() == at + 1;
                column += if last { line.chars().count() } else { line.trim_end().chars().count() };
            }
            let text = match &value {
                Value::Str(_) => self.text(&value)?.to_string(),
                other => self.text(other)?.to_string(),
            };
            values.push((
                column,
                if matches!(value, Value::Str(_)) && text.is_empty() { "\"\"".to_owned() } else { text },
            ));
        }
        let _ = first_line;
        values.sort_by_key(|(column, _)| std::cmp::Reverse(*column));
        Ok(format!("{flat}\n{}", render(&values)).trim_end_matches('\n').to_owned())
    }
}

/// Draws values under their columns, right to left, each as high as there is room: Groovy's `AssertionRenderer`.
fn render(values: &[(usize, String)]) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    let mut starts: Vec<usize> = vec![usize::MAX];
    for (at, (column, text)) in values.iter().enumerate() {
        if values.get(at + 1).is_some_and(|(next, _)| next == column) {
            continue;
        }
        let parts: Vec<&str> = text.split('\n').collect();
        let end = if parts.len() == 1 { column + text.chars().count() } else { usize::MAX };
        let mut placed = false;
        for row in 1..lines.len() {
            let free = starts.get(row).copied().unwrap_or(usize::MAX);
            if end < free {
                put(&mut lines[row], *column, text);
                starts[row] = *column;
                placed = true;
                break;
            }
            put(&mut lines[row], *column, "|");
            if row > 1 || free > column + 1 {
                starts[row] = (*column + 1).min(free);
            }
        }
        if !placed {
            for part in &parts {
                let mut line = String::new();
                put(&mut line, *column, part);
                lines.push(line);
                starts.push(*column);
            }
        }
        put(&mut lines[0], *column, "|");
        starts[0] = *column;
    }
    lines.join("\n")
}

fn put(line: &mut String, column: usize, text: &str) {
    let mut chars: Vec<char> = line.chars().collect();
    if chars.len() < column + text.chars().count() {
        chars.resize(column + text.chars().count(), ' ');
    }
    for (at, char) in text.chars().enumerate() {
        if let Some(place) = chars.get_mut(column + at) {
            *place = char;
        }
    }
    *line = chars.into_iter().collect();
}
