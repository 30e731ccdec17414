//! Strings: quotes of six kinds, their escapes, and where their interpolations begin.

use crate::ast::Quote;
use crate::lexer::{Level, Lexer, index_of};
use crate::token::T;

impl Lexer<'_> {
    /// A string in single or double quotes, one or three.
    pub(super) fn quoted(&mut self) {
        let start = self.at;
        let quote = if self.starts("'''") {
            Quote::TripleSingle
        } else if self.starts("\"\"\"") {
            Quote::TripleDouble
        } else if self.peek(0) == b'\'' {
            Quote::Single
        } else {
            Quote::Double
        };
        self.at += closing(quote).len();
        self.string(start, quote);
    }

    /// `/…/` or `$/…/$`.
    pub(super) fn slashy(&mut self, quote: Quote) {
        let start = self.at;
        self.at += if quote == Quote::Slashy { 1 } else { 2 };
        self.string(start, quote);
    }

    /// From after the opening quote to the end of the string or to its first `${`.
    fn string(&mut self, start: usize, quote: Quote) {
        let mut text = String::new();
        let stop = self.string_text(&mut text, quote, start);
        let text = self.intern(text.into(), quote);
        match stop {
            Stop::End => {
                self.push_text(T::String, start, text);
            }
            Stop::Value => {
                let string = self.push_text(T::TextStart, start, text);
                if self.value(string, quote) {
                    self.continue_string(string, quote);
                }
            }
        }
    }

    /// From after a value to the end of the string or to its next `${`. A loop: a string may have any number of values.
    pub(super) fn continue_string(&mut self, string: u32, quote: Quote) {
        loop {
            let start = self.at;
            let mut text = String::new();
            let stop = self.string_text(&mut text, quote, start);
            let text = self.intern(text.into(), quote);
            match stop {
                Stop::End => {
                    self.close(string);
                    self.push_text(T::TextEnd, start, text);
                    return;
                }
                Stop::Value => {
                    self.push_text(T::TextMiddle, start, text);
                    if !self.value(string, quote) {
                        return;
                    }
                }
            }
        }
    }

    /// What follows a `$`: the `{` of a value, or a name with dots. Whether the value is complete.
    fn value(&mut self, string: u32, quote: Quote) -> bool {
        if self.peek(0) == b'{' {
            let start = self.at;
            self.at += 1;
            let curly = self.push(T::LCurly, start);
            self.open(Level::Value { curly, start: string, quote });
            return false;
        }
        loop {
            let start = self.at;
            let word = self.scan_word(false);
            self.push_word(word, start);
            if self.peek(0) != b'.' || !self.name_begins(1) {
                return true;
            }
            let dot = self.at;
            self.at += 1;
            self.push(T::Dot, dot);
        }
    }

    fn name_begins(&self, ahead: usize) -> bool {
        let next = self.bytes.get(self.at + ahead).copied().unwrap_or(0);
        next.is_ascii_alphabetic() || next == b'_' || next >= 0x80
    }

    fn string_text(&mut self, text: &mut String, quote: Quote, start: usize) -> Stop {
        let end = closing(quote);
        let mut plain = self.at;
        loop {
            if self.at >= self.bytes.len() {
                text.push_str(self.text.get(plain..).unwrap_or(""));
                self.unclosed(quote, start);
                return Stop::End;
            }
            let byte = self.peek(0);
            // Most of a string is neither of these.
            if !matches!(byte, b'\'' | b'"' | b'/' | b'$' | b'\\' | b'\n' | b'\r') {
                self.at += 1;
                continue;
            }
            if self.starts(end) {
                text.push_str(self.text.get(plain..self.at).unwrap_or(""));
                self.at += end.len();
                return Stop::End;
            }
            match byte {
                b'\n' | b'\r' => {
                    if matches!(quote, Quote::Single | Quote::Double) {
                        text.push_str(self.text.get(plain..self.at).unwrap_or(""));
                        self.unclosed(quote, start);
                        return Stop::End;
                    }
                    text.push_str(self.text.get(plain..self.at).unwrap_or(""));
                    text.push('\n');
                    self.at += if self.starts("\r\n") { 2 } else { 1 };
                    plain = self.at;
                }
                b'$' if !matches!(quote, Quote::Single | Quote::TripleSingle) => {
                    text.push_str(self.text.get(plain..self.at).unwrap_or(""));
                    if self.dollar(text, quote) {
                        return Stop::Value;
                    }
                    plain = self.at;
                }
                b'\\' => {
                    text.push_str(self.text.get(plain..self.at).unwrap_or(""));
                    self.escape(text, quote);
                    plain = self.at;
                }
                _ => self.at += 1,
            }
        }
    }

    /// At a `$`: whether a value begins, and the `$` is passed; otherwise what it means is in `text`.
    fn dollar(&mut self, text: &mut String, quote: Quote) -> bool {
        if self.peek(1) == b'{' || self.name_begins(1) {
            self.at += 1;
            return true;
        }
        match (quote, self.peek(1)) {
            (Quote::DollarSlashy, b'$') => {
                self.at += 2;
                text.push('$');
            }
            (Quote::DollarSlashy, b'/') => {
                self.at += 2;
                text.push('/');
            }
            (Quote::Double | Quote::TripleDouble, _) => {
                self.at += 1;
                self.error(
                    self.at.min(self.bytes.len()),
                    "illegal string body character after dollar sign",
                    Some("either escape a literal dollar sign \"\\$5\" or bracket the value expression \"${5}\""),
                );
                text.push('$');
            }
            _ => {
                self.at += 1;
                text.push('$');
            }
        }
        false
    }

    /// At a backslash.
    fn escape(&mut self, text: &mut String, quote: Quote) {
        let next = self.peek(1);
        if matches!(next, b'\n' | b'\r') {
            self.at += if self.starts("\\\r\n") { 3 } else { 2 };
            return;
        }
        if next == b'u' && self.unicode(text) {
            return;
        }
        if matches!(quote, Quote::Slashy | Quote::DollarSlashy) {
            if quote == Quote::Slashy && next == b'/' {
                self.at += 2;
                text.push('/');
            } else {
                self.at += 1;
                text.push('\\');
                // `\\` in a slashy string is two backslashes, and the second does not escape a slash that follows.
                if next == b'\\' && self.peek(1) != b'/' {
                    self.at += 1;
                    text.push('\\');
                }
            }
            return;
        }
        let simple = match next {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\'' | b'\\' | b'$' => char::from(next),
            b'0'..=b'7' => return self.octal(text),
            _ => {
                self.error(
                    self.at,
                    "unexpected char: '\\'",
                    Some("write \\\\ for a backslash, or use '''…''' with \\\\ or a /slashy/ string"),
                );
                self.at += 1;
                return;
            }
        };
        self.at += 2;
        text.push(simple);
    }

    /// One to three octal digits, of which the first of three is at most 3.
    fn octal(&mut self, text: &mut String) {
        let most = if self.peek(1) <= b'3' { 3 } else { 2 };
        self.at += 1;
        let mut value = 0;
        for _ in 0..most {
            let digit = self.peek(0);
            if !matches!(digit, b'0'..=b'7') {
                break;
            }
            value = value * 8 + u32::from(digit - b'0');
            self.at += 1;
        }
        text.push(char::from_u32(value).unwrap_or('\u{fffd}'));
    }

    /// `\u0041`, also with several `u`; a pair of surrogates is one character. Whether there was one.
    fn unicode(&mut self, text: &mut String) -> bool {
        let Some((first, length)) = self.code_unit(0) else { return false };
        if (0xd800..0xdc00).contains(&first)
            && let Some((second, more)) = self.code_unit(length)
            && (0xdc00..0xe000).contains(&second)
        {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            text.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            self.at += length + more;
            return true;
        }
        text.push(char::from_u32(first).unwrap_or('\u{fffd}'));
        self.at += length;
        true
    }

    fn code_unit(&self, from: usize) -> Option<(u32, usize)> {
        if self.peek(from) != b'\\' || self.peek(from + 1) != b'u' {
            return None;
        }
        let mut digits = from + 2;
        while self.peek(digits) == b'u' {
            digits += 1;
        }
        let at = self.at + digits;
        let hex = self.text.get(at..at + 4)?;
        if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        Some((u32::from_str_radix(hex, 16).ok()?, digits + 4))
    }

    fn unclosed(&mut self, quote: Quote, start: usize) {
        let place = self.lines.place(index_of(start));
        let hint = format!("the string that begins at line {}, column {} is not closed", place.line, place.column);
        let end = closing(quote);
        let (found, hint) = if self.at >= self.bytes.len() {
            ("<EOF>", hint)
        } else {
            ("<newline>", format!("{hint}; for several lines use ''' or \"\"\""))
        };
        self.error(self.at.min(self.bytes.len()), format!("expecting '{end}', found '{found}'"), Some(&hint));
    }
}

/// Why the text of a string stopped.
enum Stop {
    End,
    Value,
}

const fn closing(quote: Quote) -> &'static str {
    match quote {
        Quote::Single => "'",
        Quote::TripleSingle => "'''",
        Quote::Double => "\"",
        Quote::TripleDouble => "\"\"\"",
        Quote::Slashy => "/",
        Quote::DollarSlashy => "/$",
    }
}
