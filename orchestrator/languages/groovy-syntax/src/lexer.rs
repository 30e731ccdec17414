//! Text into tokens, in one pass.
//!
//! What a character means depends on little: the last token (does a `/` divide?), the brackets around (does a line's end
//! count?) and, inside a string, what `$` begins. So the lexer runs ahead of the parser and leaves it a slice in which
//! looking ahead is free: each opening bracket knows its closing one, each `{` knows whether an arrow stands in it.
//!
//! A string with interpolation becomes `TextStart`, the tokens of its first value, `TextMiddle`, …, `TextEnd`.

use std::collections::BTreeMap;

use crate::ast::{Name, Quote};
use crate::error::SyntaxError;
use crate::limits::MAX_ERRORS;
use crate::number;
use crate::span::{Lines, Span};
use crate::token::{OPEN, T, Token, keyword};

/// All that the parser reads.
pub(crate) struct Lexed {
    /// The last one is `End`.
    pub(crate) tokens: Vec<Token>,
    /// Names, and strings with their escapes resolved.
    pub(crate) texts: Vec<Name>,
    /// How each string of `texts` was quoted.
    pub(crate) quotes: Vec<Quote>,
    pub(crate) errors: Vec<SyntaxError>,
}

/// A bracket or string that is open.
pub(super) enum Level {
    /// `(` or `[`: ends of lines do not count inside.
    Round(u32),
    /// `{`.
    Curly(u32),
    /// `{` of an interpolation; the string goes on after it.
    Value { curly: u32, start: u32, quote: Quote },
}

pub(crate) struct Lexer<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) lines: &'a Lines,
    pub(super) out: Lexed,
    levels: Vec<Level>,
    names: BTreeMap<&'a str, u32>,
    /// The last token but line ends inside brackets.
    last: T,
}

/// Tokenises a text.
pub(crate) fn lex(text: &str, lines: &Lines) -> Lexed {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        lines,
        out: Lexed {
            tokens: Vec::with_capacity(text.len() / 4 + 1),
            texts: Vec::new(),
            quotes: Vec::new(),
            errors: Vec::new(),
        },
        levels: Vec::new(),
        names: BTreeMap::new(),
        last: T::End,
    };
    lexer.shebang();
    while lexer.at < lexer.bytes.len() {
        lexer.next();
    }
    lexer.push(T::End, lexer.at);
    lexer.out
}

impl<'a> Lexer<'a> {
    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    pub(super) fn starts(&self, what: &str) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(what.as_bytes()))
    }

    /// Appends a token that ends here.
    pub(super) fn push(&mut self, kind: T, start: usize) -> u32 {
        self.push_text(kind, start, 0)
    }

    pub(super) fn push_text(&mut self, kind: T, start: usize, text: u32) -> u32 {
        let index = index(self.out.tokens.len());
        let (start, end) = (index_of(start), index_of(self.at));
        self.out.tokens.push(Token { kind, arrow: false, start, end, text, close: OPEN });
        self.last = kind;
        index
    }

    /// Says that `opening` is closed by the token about to be pushed.
    pub(super) fn close(&mut self, opening: u32) {
        let closing = index(self.out.tokens.len());
        if let Some(token) = self.out.tokens.get_mut(opening as usize) {
            token.close = closing;
        }
    }

    pub(super) fn error(&mut self, start: usize, message: impl Into<String>, hint: Option<&str>) {
        if self.out.errors.len() < MAX_ERRORS {
            let end = self.text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            let span = Span::new(index_of(start), index_of(start + end));
            self.out.errors.push(SyntaxError::at(self.lines, span, message, hint.map(str::to_owned)));
        }
    }

    fn shebang(&mut self) {
        if self.starts("\u{feff}") {
            self.at += '\u{feff}'.len_utf8();
        }
        if self.starts("#!") {
            self.skip_line();
        }
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && !matches!(self.peek(0), b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn next(&mut self) {
        let start = self.at;
        match self.peek(0) {
            b' ' | b'\t' | 0x0c => self.at += 1,
            b'\\' if matches!(self.peek(1), b'\n' | b'\r') => self.at += if self.starts("\\\r\n") { 3 } else { 2 },
            b'\n' | b'\r' => self.newline(),
            b'/' if self.peek(1) == b'/' => self.skip_line(),
            b'/' if self.peek(1) == b'*' => self.comment(),
            b'"' | b'\'' => self.quoted(),
            b'/' if !self.last.ends_expression() => self.slashy(Quote::Slashy),
            b'$' if self.peek(1) == b'/' && !self.last.ends_expression() => self.slashy(Quote::DollarSlashy),
            b'0'..=b'9' => self.number(),
            byte if byte == b'$' || self.letter().is_some() => self.word(),
            _ => self.symbol(start),
        }
    }

    /// Line ends with the blanks and comments among them are one token, and none at all inside `(` and `[`.
    fn newline(&mut self) {
        let start = self.at;
        if matches!(
            self.levels.iter().rfind(|level| !matches!(level, Level::Round(_))),
            Some(Level::Value { quote: Quote::Double | Quote::Slashy, .. })
        ) {
            self.error(
                start,
                "end of line reached within a simple string 'x' or \"x\" or /x/",
                Some("for multi-line literals, use triple quotes '''x''' or \"\"\"x\"\"\" or /x/ or $/x/$"),
            );
        }
        loop {
            match self.peek(0) {
                b'\n' | b'\r' | b' ' | b'\t' | 0x0c => self.at += 1,
                b'/' if self.peek(1) == b'/' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.comment(),
                b'\\' if matches!(self.peek(1), b'\n' | b'\r') => self.at += 2,
                _ => break,
            }
            if self.at >= self.bytes.len() {
                break;
            }
        }
        let inside = matches!(self.levels.last(), Some(Level::Round(_)));
        let again = self.out.tokens.last().is_some_and(|token| token.kind == T::Newline);
        if !inside && !again {
            let end = std::mem::replace(&mut self.at, start);
            self.push(T::Newline, start);
            self.at = end;
        }
    }

    fn comment(&mut self) {
        let start = self.at;
        match self.text.get(start + 2..).and_then(|rest| rest.find("*/")) {
            Some(length) => self.at = start + 2 + length + 2,
            None => {
                self.at = self.bytes.len();
                self.error(start, "expecting '*/', found '<EOF>'", Some("the comment that begins here is not closed"));
            }
        }
    }

    fn number(&mut self) {
        let start = self.at;
        match number::scan(self.bytes.get(start..).unwrap_or(&[])) {
            Ok((kind, length)) => {
                self.at += length;
                self.push(kind, start);
            }
            Err((length, wanted)) => {
                self.at += length;
                let found = self.found();
                self.error(self.at.min(self.text.len()), format!("expecting {wanted}, found '{found}'"), None);
                self.push(T::Int, start);
            }
        }
    }

    /// The next character as Groovy shows it in a message.
    pub(super) fn found(&self) -> String {
        self.text.get(self.at..).and_then(|rest| rest.chars().next()).map_or("<EOF>".to_owned(), String::from)
    }

    /// How many bytes the letter here has. Groovy's letters are those of Latin-1 and everything beyond.
    pub(super) fn letter(&self) -> Option<usize> {
        match self.peek(0) {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Some(1),
            0x80.. => {
                let c = self.text.get(self.at..)?.chars().next()?;
                (c >= '\u{c0}' && !matches!(c, '\u{d7}' | '\u{f7}')).then(|| c.len_utf8())
            }
            _ => None,
        }
    }

    /// Moves over a name; `dollar` says whether `$` may be in it.
    pub(super) fn scan_word(&mut self, dollar: bool) -> &'a str {
        let start = self.at;
        loop {
            match self.peek(0) {
                b'0'..=b'9' => self.at += 1,
                b'$' if dollar => self.at += 1,
                _ => match self.letter() {
                    Some(length) => self.at += length,
                    None => break,
                },
            }
        }
        self.text.get(start..self.at).unwrap_or("")
    }

    fn word(&mut self) {
        let start = self.at;
        let word = self.scan_word(true);
        self.push_word(word, start);
    }

    pub(super) fn push_word(&mut self, word: &'a str, start: usize) {
        let kind = self.word_kind(word);
        let text = match self.names.get(word) {
            Some(text) => *text,
            None => {
                let text = self.intern(word.into(), Quote::Single);
                self.names.insert(word, text);
                text
            }
        };
        self.push_text(kind, start, text);
    }

    /// `as`, `def` and `in` may be parts of package names, and `static.x` is a name.
    fn word_kind(&self, word: &str) -> T {
        match keyword(word) {
            Some(T::As | T::Def | T::In) if self.peek(0) == b'.' || matches!(self.last, T::Dot | T::Package) => {
                T::Ident
            }
            Some(T::Static) if self.peek(0) == b'.' => T::Ident,
            Some(kind) => kind,
            None => T::Ident,
        }
    }

    pub(super) fn intern(&mut self, text: Name, quote: Quote) -> u32 {
        self.out.texts.push(text);
        self.out.quotes.push(quote);
        index(self.out.texts.len() - 1)
    }

    pub(super) fn open(&mut self, level: Level) {
        self.levels.push(level);
    }

    fn symbol(&mut self, start: usize) {
        let Some((kind, length)) = symbol(self.bytes.get(start..).unwrap_or(&[])) else {
            let c = self.text.get(start..).and_then(|rest| rest.chars().next()).unwrap_or('\u{fffd}');
            self.at += c.len_utf8();
            return self.strange(start, c);
        };
        self.at += length;
        match kind {
            T::LParen | T::LBrack => {
                let index = self.push(kind, start);
                self.levels.push(Level::Round(index));
            }
            T::RParen | T::RBrack => {
                let wanted = if kind == T::RParen { T::LParen } else { T::LBrack };
                if let Some(Level::Round(opening)) = self.levels.last()
                    && self.out.tokens.get(*opening as usize).is_some_and(|token| token.kind == wanted)
                {
                    let opening = *opening;
                    self.levels.pop();
                    self.close(opening);
                }
                self.push(kind, start);
            }
            T::LCurly => {
                let index = self.push(kind, start);
                self.levels.push(Level::Curly(index));
            }
            T::RCurly => self.close_curly(start),
            T::Arrow => {
                if let Some(Level::Curly(curly) | Level::Value { curly, .. }) = self.levels.last()
                    && let Some(token) = self.out.tokens.get_mut(*curly as usize)
                {
                    token.arrow = true;
                }
                self.push(kind, start);
            }
            _ => {
                self.push(kind, start);
            }
        }
    }

    /// `}` closes the innermost `{`, whatever `(` and `[` were left open in it.
    fn close_curly(&mut self, start: usize) {
        while let Some(Level::Round(_)) = self.levels.last() {
            self.levels.pop();
        }
        match self.levels.pop() {
            Some(Level::Curly(curly)) => {
                self.close(curly);
                self.push(T::RCurly, start);
            }
            Some(Level::Value { curly, start: string, quote }) => {
                self.close(curly);
                self.push(T::RCurly, start);
                self.continue_string(string, quote);
            }
            _ => {
                self.push(T::RCurly, start);
            }
        }
    }

    fn strange(&mut self, start: usize, c: char) {
        let (message, hint) = match c {
            '#' => (
                "expecting '!', found '#'".to_owned(),
                Some("a comment begins with // in Groovy; #! is for the first line of the file alone"),
            ),
            '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => {
                (format!("unexpected char: '{c}'"), Some("this is a typographic quote; Groovy's quotes are ' and \""))
            }
            '\u{a0}' => ("unexpected char: 0xA0".to_owned(), Some("this is a non-breaking space; write a plain one")),
            '\\' => {
                ("unexpected char: '\\'".to_owned(), Some("a backslash stands in strings, or as the last of a line"))
            }
            c if c.is_control() => (format!("unexpected char: 0x{:X}", u32::from(c)), None),
            _ => (format!("unexpected char: '{c}'"), None),
        };
        self.error(start, message, hint);
        if c == '#' {
            self.skip_line();
        }
    }
}

/// The longest symbol that begins here.
fn symbol(rest: &[u8]) -> Option<(T, usize)> {
    /// Longest first.
    const SYMBOLS: &[(&str, T)] = &[
        (">>>=", T::ShiftRightUnsignedAssign),
        ("===", T::Identical),
        ("!==", T::NotIdentical),
        ("==~", T::Match),
        ("<=>", T::Compare),
        ("...", T::Ellipsis),
        ("..<", T::RangeExclusive),
        ("**=", T::PowerAssign),
        ("<<=", T::ShiftLeftAssign),
        (">>=", T::ShiftRightAssign),
        (">>>", T::ShiftRightUnsigned),
        ("==", T::Equal),
        ("!=", T::NotEqual),
        ("=~", T::Find),
        ("<=", T::LessEqual),
        (">=", T::GreaterEqual),
        ("<<", T::ShiftLeft),
        (">>", T::ShiftRight),
        ("&&", T::And),
        ("||", T::Or),
        ("++", T::Increment),
        ("--", T::Decrement),
        ("->", T::Arrow),
        ("?:", T::Elvis),
        ("?.", T::SafeDot),
        ("*.", T::SpreadDot),
        (".&", T::Pointer),
        ("..", T::Range),
        ("**", T::Power),
        ("+=", T::PlusAssign),
        ("-=", T::MinusAssign),
        ("*=", T::StarAssign),
        ("/=", T::SlashAssign),
        ("%=", T::PercentAssign),
        ("&=", T::AndAssign),
        ("|=", T::OrAssign),
        ("^=", T::XorAssign),
    ];
    let single = match rest.first()? {
        b'(' => T::LParen,
        b')' => T::RParen,
        b'[' => T::LBrack,
        b']' => T::RBrack,
        b'{' => T::LCurly,
        b'}' => T::RCurly,
        b',' => T::Comma,
        b';' => T::Semi,
        b':' => T::Colon,
        b'?' => T::Question,
        b'.' => T::Dot,
        b'@' => T::At,
        b'=' => T::Assign,
        b'<' => T::Less,
        b'>' => T::Greater,
        b'!' => T::Not,
        b'~' => T::BitNot,
        b'+' => T::Plus,
        b'-' => T::Minus,
        b'*' => T::Star,
        b'/' => T::Slash,
        b'%' => T::Percent,
        b'&' => T::BitAnd,
        b'|' => T::BitOr,
        b'^' => T::BitXor,
        _ => return None,
    };
    // Brackets and commas, most of all symbols, begin nothing longer.
    if matches!(single, T::LParen | T::RParen | T::LBrack | T::RBrack | T::LCurly | T::RCurly | T::Comma | T::Semi) {
        return Some((single, 1));
    }
    let longer = SYMBOLS.iter().find(|(spelling, _)| rest.starts_with(spelling.as_bytes()));
    Some(longer.map_or((single, 1), |(spelling, kind)| (*kind, spelling.len())))
}

/// A position as the tokens keep it. Texts longer than 4 GiB are refused before.
pub(super) fn index_of(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn index(at: usize) -> u32 {
    index_of(at)
}
