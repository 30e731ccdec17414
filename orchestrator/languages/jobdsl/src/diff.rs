//! The difference between two texts, line by line, as people read it before they say yes.

use std::fmt::Write;

/// Lines shown around a change.
const AROUND: usize = 2;

/// A config.xml has some hundred lines; beyond this product of lengths the whole texts are shown as changed, so that no
/// table of gigabytes is made.
const MAX_CELLS: usize = 16_000_000;

/// What happens to a line.
#[derive(Clone, Copy, PartialEq)]
enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// Lines with `-`, `+` or a blank before them; unchanged stretches are cut to some lines. Empty when nothing differs.
pub fn diff(before: &str, after: &str) -> String {
    if before.trim_end() == after.trim_end() {
        return String::new();
    }
    let lines = align(&before.lines().collect::<Vec<_>>(), &after.lines().collect::<Vec<_>>());
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| !matches!(line, Line::Same(_))).map(|(at, _)| at).collect();
    let mut out = String::new();
    let mut cut = false;
    for (at, line) in lines.iter().enumerate() {
        let next = changed.partition_point(|changed| *changed < at);
        let near = |index: Option<usize>| index.and_then(|i| changed.get(i)).is_some_and(|c| c.abs_diff(at) <= AROUND);
        if !near(Some(next)) && !near(next.checked_sub(1)) {
            cut = true;
            continue;
        }
        if std::mem::take(&mut cut) {
            out.push_str("  ...\n");
        }
        let _ = match line {
            Line::Same(text) => writeln!(out, "  {text}"),
            Line::Gone(text) => writeln!(out, "- {text}"),
            Line::New(text) => writeln!(out, "+ {text}"),
        };
    }
    out
}

/// The longest common sequence of lines, and what is around it.
fn align<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Line<'a>> {
    let width = after.len() + 1;
    if before.len().saturating_mul(after.len()) > MAX_CELLS {
        let gone = before.iter().map(|line| Line::Gone(line));
        return gone.chain(after.iter().map(|line| Line::New(line))).collect();
    }
    // lengths[i * width + j]: of the longest common sequence of before[i..] and after[j..].
    let mut lengths = vec![0_u32; (before.len() + 1) * width];
    let at = |lengths: &[u32], i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or(0);
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            let best = if old == new {
                at(&lengths, i + 1, j + 1) + 1
            } else {
                at(&lengths, i + 1, j).max(at(&lengths, i, j + 1))
            };
            if let Some(cell) = lengths.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::with_capacity(before.len().max(after.len()));
    loop {
        match (before.get(i), after.get(j)) {
            (Some(old), Some(new)) if old == new => {
                lines.push(Line::Same(old));
                (i, j) = (i + 1, j + 1);
            }
            (Some(old), new) if new.is_none() || at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) => {
                lines.push(Line::Gone(old));
                i += 1;
            }
            (_, Some(new)) => {
                lines.push(Line::New(new));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_what_is_around_it() {
        let before = "a\nb\nc\nd\ne\nf\ng\n";
        let after = "a\nb\nc\nX\ne\nf\ng\nh\n";
        assert_eq!(diff(before, after), "  ...\n  b\n  c\n- d\n+ X\n  e\n  f\n  g\n+ h\n");
        assert_eq!(diff(before, before), "");
        assert_eq!(diff("", "a\n"), "+ a\n");
        assert_eq!(diff("a\n", ""), "- a\n");
    }
}
