//! Java's regular expressions put into the syntax of `fancy-regex`.
//!
//! The differences that matter: `\d \w \s` mean ASCII in Java; `.` and `$` know more line ends; `\h` and `\R` mean
//! something else; POSIX classes are `\p{Upper}`; `\Q..\E` quotes; `--`, `~~` in a class are no operators.

/// Flags of `java.util.regex.Pattern`.
pub(crate) mod flag {
    pub(crate) const UNIX_LINES: i32 = 1;
    pub(crate) const CASE_INSENSITIVE: i32 = 2;
    pub(crate) const COMMENTS: i32 = 4;
    pub(crate) const MULTILINE: i32 = 8;
    pub(crate) const LITERAL: i32 = 16;
    pub(crate) const DOTALL: i32 = 32;
    pub(crate) const UNICODE_CASE: i32 = 64;
}

const DIGIT: &str = "0-9";
const WORD: &str = "a-zA-Z0-9_";
const SPACE: &str = r" \t\n\x0B\f\r";
const BLANK: &str = r" \t\xA0\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}";
const VERTICAL: &str = r"\n\x0B\f\r\x85\x{2028}\x{2029}";
const NOT_LINE_END: &str = r"[^\n\r\x{85}\x{2028}\x{2029}]";
const BEFORE_LAST_LINE_END: &str = r"(?=(?:\r\n|[\n\r\x{85}\x{2028}\x{2029}])?\z)";

struct Translator<'a> {
    chars: Vec<char>,
    at: usize,
    out: String,
    source: &'a str,
    dotall: bool,
    multiline: bool,
    /// Flags to go back to at the end of each open group.
    groups: Vec<(bool, bool)>,
}

/// What Java's `Pattern.compile` says to a pattern it refuses.
pub(crate) fn refusal(description: &str, index: usize, pattern: &str) -> String {
    let mark = if index < pattern.chars().count() { format!("\n{}^", " ".repeat(index)) } else { String::new() };
    format!("{description} near index {index}\n{pattern}{mark}")
}

/// The pattern for `fancy-regex`.
///
/// # Errors
/// Java's refusal.
pub(crate) fn translate(pattern: &str, flags: i32) -> Result<String, String> {
    if flags & flag::LITERAL != 0 {
        return Ok(format!("{}{}", prefix(flags), quoted(pattern)));
    }
    let mut translator = Translator {
        chars: pattern.chars().collect(),
        at: 0,
        out: prefix(flags),
        source: pattern,
        dotall: flags & flag::DOTALL != 0,
        multiline: flags & flag::MULTILINE != 0,
        groups: Vec::new(),
    };
    translator.run()?;
    Ok(translator.out)
}

fn prefix(flags: i32) -> String {
    let mut letters = String::new();
    for (flag, letter) in
        [(flag::CASE_INSENSITIVE, 'i'), (flag::COMMENTS, 'x'), (flag::MULTILINE, 'm'), (flag::DOTALL, 's')]
    {
        if flags & flag != 0 {
            letters.push(letter);
        }
    }
    if letters.is_empty() { letters } else { format!("(?{letters})") }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    text.chars().for_each(|char| literal(&mut out, char));
    out
}

fn literal(out: &mut String, char: char) {
    if r"\.+*?()|[]{}^$#&-~ ".contains(char) && char != ' ' {
        out.push('\\');
    }
    out.push(char);
}

impl Translator<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek(0);
        self.at += 1;
        char
    }

    fn refuse<T>(&self, description: &str, index: usize) -> Result<T, String> {
        Err(refusal(description, index, self.source))
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(char) = self.next() {
            match char {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => self.open(),
                ')' => {
                    let Some((dotall, multiline)) = self.groups.pop() else {
                        return self.refuse("Unmatched closing ')'", self.at.saturating_sub(2));
                    };
                    (self.dotall, self.multiline) = (dotall, multiline);
                    self.out.push(')');
                }
                '.' if !self.dotall => self.out.push_str(NOT_LINE_END),
                '$' if !self.multiline => self.out.push_str(BEFORE_LAST_LINE_END),
                '*' | '+' | '?' if self.at == 1 => {
                    return self.refuse(&format!("Dangling meta character '{char}'"), 0);
                }
                other => self.out.push(other),
            }
        }
        if !self.groups.is_empty() {
            return self.refuse("Unclosed group", self.chars.len());
        }
        Ok(())
    }

    fn open(&mut self) {
        self.out.push('(');
        if self.peek(0) != Some('?') || !self.peek(1).is_some_and(|char| char.is_ascii_alphabetic() || char == '-') {
            self.groups.push((self.dotall, self.multiline));
            return;
        }
        let before = (self.dotall, self.multiline);
        self.at += 1;
        let mut letters = String::new();
        let mut on = true;
        while let Some(char) = self.next() {
            match char {
                ')' => {
                    // `(?s)`: holds to the end of the group around it.
                    self.out.push_str(if letters.trim_matches('-').is_empty() { "?:" } else { "?" });
                    self.out.push_str(letters.trim_end_matches('-'));
                    self.out.push(')');
                    return;
                }
                ':' => {
                    self.groups.push(before);
                    self.out.push('?');
                    self.out.push_str(letters.trim_end_matches('-'));
                    self.out.push(':');
                    return;
                }
                '-' => {
                    on = false;
                    letters.push('-');
                }
                's' => {
                    self.dotall = on;
                    letters.push('s');
                }
                'm' => {
                    self.multiline = on;
                    letters.push('m');
                }
                // Unicode and Unix-line modes have no counterpart and hardly an effect.
                'u' | 'd' | 'U' => {}
                other => letters.push(other),
            }
        }
    }

    /// What follows a backslash, in a class or outside.
    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(char) = self.next() else {
            return self.refuse("Unexpected internal error", self.chars.len());
        };
        let set = |name: &str, negated: bool, out: &mut String| match (in_class, negated) {
            (true, false) => out.push_str(name),
            (_, negated) => {
                out.push_str(if negated { "[^" } else { "[" });
                out.push_str(name);
                out.push(']');
            }
        };
        match char {
            'd' | 'D' => set(DIGIT, char == 'D', &mut self.out),
            'w' | 'W' => set(WORD, char == 'W', &mut self.out),
            's' | 'S' => set(SPACE, char == 'S', &mut self.out),
            'h' | 'H' => set(BLANK, char == 'H', &mut self.out),
            'v' | 'V' => set(VERTICAL, char == 'V', &mut self.out),
            'R' => self.out.push_str(r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])"),
            'Z' => self.out.push_str(BEFORE_LAST_LINE_END),
            'e' => self.out.push_str(r"\x1B"),
            'a' => self.out.push_str(r"\x07"),
            'Q' => self.quote(),
            'u' => self.hex(4)?,
            'x' if self.peek(0) == Some('{') => self.out.push_str(r"\x"),
            'x' => self.hex(2)?,
            '0' => self.octal(),
            'p' | 'P' => self.property(char == 'P', in_class)?,
            'k' => self.out.push_str(r"\k"),
            't' | 'n' | 'r' | 'f' | 'b' | 'B' | 'A' | 'z' | 'G' | '1'..='9' => {
                self.out.push('\\');
                self.out.push(char);
            }
            other if other.is_ascii_alphabetic() => {
                return self.refuse("Illegal/unsupported escape sequence", self.at.saturating_sub(1));
            }
            other => literal(&mut self.out, other),
        }
        Ok(())
    }

    fn quote(&mut self) {
        while let Some(char) = self.next() {
            if char == '\\' && self.peek(0) == Some('E') {
                self.at += 1;
                return;
            }
            literal(&mut self.out, char);
        }
    }

    fn hex(&mut self, digits: usize) -> Result<(), String> {
        let text: String = self.chars.iter().skip(self.at).take(digits).collect();
        if text.len() < digits || u32::from_str_radix(&text, 16).is_err() {
            let what =
                if digits == 4 { "Illegal Unicode escape sequence" } else { "Illegal hexadecimal escape sequence" };
            return self.refuse(what, self.at);
        }
        self.at += digits;
        self.out.push_str(&format!(r"\x{{{text}}}"));
        Ok(())
    }

    fn octal(&mut self) {
        let text: String =
            self.chars.iter().skip(self.at).take(3).take_while(|char| ('0'..='7').contains(*char)).collect();
        self.at += text.len();
        self.out.push_str(&format!(r"\x{{{:x}}}", u32::from_str_radix(&text, 8).unwrap_or(0)));
    }

    fn property(&mut self, negated: bool, in_class: bool) -> Result<(), String> {
        let mut name = String::new();
        if self.peek(0) == Some('{') {
            self.at += 1;
            loop {
                match self.next() {
                    Some('}') => break,
                    Some(char) => name.push(char),
                    None => return self.refuse("Unclosed character family", self.chars.len().saturating_sub(1)),
                }
            }
        } else if let Some(char) = self.next() {
            name.push(char);
        }
        let posix = match name.as_str() {
            "Lower" | "javaLowerCase" => "a-z",
            "Upper" | "javaUpperCase" => "A-Z",
            "Alpha" => "a-zA-Z",
            "Digit" => "0-9",
            "Alnum" => "a-zA-Z0-9",
            "Punct" => r"!-/:-@\[-`\{-\~",
            "Graph" => r"!-\~",
            "Print" => r"\x20-\~",
            "Blank" => r" \t",
            "Cntrl" => r"\x00-\x1F\x7F",
            "XDigit" => "0-9a-fA-F",
            "Space" => SPACE,
            "ASCII" => r"\x00-\x7F",
            _ => "",
        };
        if posix.is_empty() {
            let name = name.strip_prefix("Is").or_else(|| name.strip_prefix("In")).unwrap_or(&name);
            self.out.push_str(if negated { r"\P{" } else { r"\p{" });
            self.out.push_str(name);
            self.out.push('}');
        } else if in_class && !negated {
            self.out.push_str(posix);
        } else {
            self.out.push_str(if negated { "[^" } else { "[" });
            self.out.push_str(posix);
            self.out.push(']');
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(char) = self.next() else {
                return self.refuse("Unclosed character class", self.chars.len().saturating_sub(1));
            };
            match char {
                ']' if !first => {
                    self.out.push(']');
                    return Ok(());
                }
                ']' => self.out.push_str(r"\]"),
                '[' => self.class()?,
                '\\' => self.escape(true)?,
                '&' if self.peek(0) == Some('&') => {
                    self.at += 1;
                    self.out.push_str("&&");
                }
                '&' | '~' | '#' => literal(&mut self.out, char),
                // A range has something on both sides; every other minus is itself.
                '-' if first || matches!(self.peek(0), Some(']' | '-')) || self.out.ends_with(']') => {
                    self.out.push_str(r"\-");
                }
                '-' if self.after_shorthand() => self.out.push_str(r"\-"),
                other => self.out.push(other),
            }
            first = false;
        }
    }

    /// Whether what stands before the minus just read is a shorthand such as `\w`, which cannot start a range.
    fn after_shorthand(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).and_then(|at| self.chars.get(at)).copied();
        before(3) == Some('\\') && matches!(before(2), Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'h' | 'v'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expect: &str) {
        assert_eq!(translate(pattern, 0).unwrap(), expect);
    }

    #[test]
    fn patterns_are_put_into_the_other_syntax() {
        check(r"\d+[\w-]", "[0-9]+[a-zA-Z0-9_\\-]");
        check(r"[^\s]\S", r"[^ \t\n\x0B\f\r][^ \t\n\x0B\f\r]");
        check(r"(?i)\Qa.b\E\p{Upper}", r"(?i)a\.b[A-Z]");
        check(r"(?s).(?-s:a)", r"(?s).(?-s:a)");
        check(r"\/\u0041", r"/\x{0041}");
        check("[a-z&&[^b]]", "[a-z&&[^b]]");
    }

    #[test]
    fn every_translation_compiles() {
        for pattern in
            [r"^a$", r"(?<n>\w+)\k<n>", r"a++(?>b)", r"[\]\-x]", r"(?m)^b$", r"\p{L}\P{Lu}", r"[.]\.", r"a{2,}?"]
        {
            let ours = translate(pattern, 0).unwrap();
            assert!(fancy_regex::Regex::new(&ours).is_ok(), "{pattern} became {ours}");
        }
    }

    #[test]
    fn refusals_are_those_of_java() {
        assert_eq!(translate("(", 0).unwrap_err(), "Unclosed group near index 1\n(");
        assert_eq!(translate("*a", 0).unwrap_err(), "Dangling meta character '*' near index 0\n*a\n^");
    }
}
