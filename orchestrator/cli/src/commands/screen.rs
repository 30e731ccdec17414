//! A picture in a terminal that is drawn again in place; on a pipe, or with `--plain`, nothing moves.

use std::io::Write;

use console::{Term, measure_text_width, truncate_str};

use crate::context::Context;

/// Lines kept free below the picture: the prompt that comes back must not scroll it away.
const FREE: usize = 2;

/// The picture.
pub struct Screen {
    term: Option<Term>,
    drawn: usize,
}

impl Screen {
    /// For standard output, if it is a terminal and may move.
    pub fn new(ctx: &Context) -> Self {
        let term = Term::stdout();
        Self { term: (term.is_term() && !ctx.plain).then_some(term), drawn: 0 }
    }

    /// Whether the picture moves.
    pub fn moves(&self) -> bool {
        self.term.is_some()
    }

    /// Draws these lines instead of the last ones, as many as the terminal is high.
    pub fn draw(&mut self, lines: &[String]) {
        let Some(term) = &self.term else { return };
        let (height, width) = term.size();
        let room = usize::from(height).saturating_sub(FREE).max(1);
        let width = usize::from(width).max(1);
        let mut text = String::new();
        let hidden = lines.len().saturating_sub(room);
        let shown = if hidden > 0 { &lines[..room - 1] } else { lines };
        for line in shown {
            let line = if measure_text_width(line) > width {
                truncate_str(line, width, "…").into_owned()
            } else {
                line.clone()
            };
            text += &line;
            text.push('\n');
        }
        if hidden > 0 {
            text += &format!("… {} more lines\n", hidden + 1);
        }
        let _ = term.clear_last_lines(self.drawn);
        let mut out = term;
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
        self.drawn = shown.len() + usize::from(hidden > 0);
    }
}
