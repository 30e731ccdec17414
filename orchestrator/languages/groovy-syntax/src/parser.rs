//! Tokens into the tree: the cursor, its errors, and how a parse goes on after one.
//!
//! Recursive descent after Groovy 2.4's own grammar, rule by rule where the rule decides what is accepted. A failed rule
//! has recorded its error and returns [`Failed`]; the nearest list of statements catches it, skips to where the next
//! statement may begin, and goes on, so that one run reports what is wrong everywhere.
//!
//! Depth: [`Parser::nested`] counts every rule that can contain itself, [`Parser::node`] measures the tree that grows.

mod args;
mod binary;
mod class;
mod closure;
mod decl;
mod lookahead;
mod path;
mod primary;
mod statement;
mod types;

use crate::ast::{Expr, ExprKind, Ident, Method, Name, Quote, Script};
use crate::error::SyntaxError;
use crate::lexer::{Lexed, lex};
use crate::limits::{MAX_BYTES, MAX_DEPTH, MAX_ERRORS, MAX_NESTING};
use crate::span::{Lines, Span};
use crate::token::{OPEN, T, Token};

use std::sync::Arc;

/// A rule did not match; the error is recorded.
#[derive(Debug)]
pub(crate) struct Failed;

type Parsed<T> = Result<T, Failed>;

pub(crate) struct Parser<'a> {
    text: &'a str,
    lines: &'a Lines,
    tokens: &'a [Token],
    texts: &'a [Name],
    quotes: &'a [Quote],
    at: usize,
    nesting: u32,
    errors: Vec<SyntaxError>,
    /// Nothing that follows would be worth reporting.
    hopeless: bool,
    /// The tokens of the last path expression: what may be the head of a command.
    last_path: (usize, usize),
    /// Names of the classes around, for their constructors.
    classes: Vec<Name>,
    /// What stands at the top of the file beside its statements.
    top: Top,
}

/// Declarations of the file.
#[derive(Default)]
struct Top {
    package: Option<Ident>,
    imports: Vec<crate::ast::Import>,
    classes: Vec<Arc<crate::ast::Class>>,
    methods: Vec<Arc<Method>>,
}

/// See [`crate::parse`].
pub(crate) fn parse(text: &str, file: &str) -> Result<Script, Vec<SyntaxError>> {
    let lines = Lines::new(text);
    if text.len() > MAX_BYTES {
        let message = format!("the text has {} bytes, more than the {MAX_BYTES} that a script may have", text.len());
        return Err(vec![SyntaxError::at(&lines, Span::new(0, 0), message, None)]);
    }
    let Lexed { tokens, texts, quotes, errors } = lex(text, &lines);
    let mut parser = Parser {
        text,
        lines: &lines,
        tokens: &tokens,
        texts: &texts,
        quotes: &quotes,
        at: 0,
        nesting: 0,
        errors,
        hopeless: false,
        last_path: (usize::MAX, 0),
        classes: Vec::new(),
        top: Top::default(),
    };
    let body = parser.script();
    let Parser { top, mut errors, .. } = parser;
    if errors.is_empty() {
        let Top { package, imports, classes, methods } = top;
        return Ok(Script { file: file.into(), lines, package, imports, classes, methods, body });
    }
    errors.sort_by_key(|error| error.span);
    errors.dedup_by_key(|error| error.span);
    errors.truncate(MAX_ERRORS);
    Err(errors)
}

impl<'a> Parser<'a> {
    // The cursor. The last token is `End`, and the cursor never moves beyond it.

    fn token(&self, index: usize) -> Token {
        const END: Token = Token { kind: T::End, arrow: false, start: 0, end: 0, text: 0, close: OPEN };
        self.tokens.get(index).or(self.tokens.last()).copied().unwrap_or(END)
    }

    fn here(&self) -> Token {
        self.token(self.at)
    }

    fn kind(&self) -> T {
        self.here().kind
    }

    fn ahead(&self, by: usize) -> T {
        self.token(self.at + by).kind
    }

    fn is(&self, kind: T) -> bool {
        self.kind() == kind
    }

    fn next(&mut self) -> Token {
        let token = self.here();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn take(&mut self, kind: T) -> bool {
        let taken = self.is(kind);
        if taken {
            self.next();
        }
        taken
    }

    /// Line ends that mean nothing here.
    fn newlines(&mut self) {
        while self.is(T::Newline) {
            self.next();
        }
    }

    /// The first token from `index` on that is no line end.
    fn past_newlines(&self, mut index: usize) -> usize {
        while self.token(index).kind == T::Newline {
            index += 1;
        }
        index
    }

    /// The token after the one that closes the bracket at `index`; nothing if nothing closes it.
    fn past_bracket(&self, index: usize) -> Option<usize> {
        let close = self.token(index).close;
        (close != OPEN).then_some(close as usize + 1)
    }

    fn expect(&mut self, kind: T) -> Parsed<Token> {
        if self.is(kind) {
            return Ok(self.next());
        }
        let found = self.found();
        self.fail(format!("expecting {}, found '{found}'", kind.paraphrase()), None)
    }

    /// Like `expect` for the end of a bracket; the hint says where it was opened.
    fn expect_closing(&mut self, kind: T, opening: Token) -> Parsed<Token> {
        if self.is(kind) {
            return Ok(self.next());
        }
        let found = self.found();
        let place = self.lines.place(opening.start);
        let hint = format!(
            "the {} of line {}, column {} is not closed before this",
            opening.kind.paraphrase(),
            place.line,
            place.column
        );
        self.fail(format!("expecting {}, found '{found}'", kind.paraphrase()), Some(hint))
    }

    // Where things stand.

    fn span(token: Token) -> Span {
        Span::new(token.start, token.end)
    }

    /// From the token at `index` to the one before the cursor.
    fn span_from(&self, index: usize) -> Span {
        let start = self.token(index).start;
        let end = self.token(self.at.saturating_sub(1)).end;
        Span::new(start, end.max(start))
    }

    fn name_of(&self, token: Token) -> Name {
        self.texts.get(token.text as usize).cloned().unwrap_or_default()
    }

    fn quote_of(&self, token: Token) -> Quote {
        self.quotes.get(token.text as usize).copied().unwrap_or(Quote::Single)
    }

    fn ident(&mut self) -> Parsed<Ident> {
        if !self.is(T::Ident) {
            let hint = self.kind().is_keyword().then(|| format!("'{}' is a keyword of Groovy", self.found()));
            let found = self.found();
            return self.fail(format!("expecting an identifier, found '{found}'"), hint);
        }
        let token = self.next();
        Ok(Ident { name: self.name_of(token), span: Self::span(token) })
    }

    // Errors.

    /// The token here as Groovy shows it in a message.
    fn found(&self) -> String {
        let token = self.here();
        match token.kind {
            T::End => String::new(),
            T::Newline => "<newline>".into(),
            T::String | T::TextStart | T::TextMiddle | T::TextEnd => shorten(&self.name_of(token)),
            _ => Self::span(token).of(self.text).to_owned(),
        }
    }

    fn fail<R>(&mut self, message: impl Into<String>, hint: Option<String>) -> Parsed<R> {
        let span = Self::span(self.here());
        self.fail_at(span, message, hint)
    }

    fn unexpected<R>(&mut self, hint: Option<&str>) -> Parsed<R> {
        let found = self.found();
        self.fail(format!("unexpected token: {found}"), hint.map(str::to_owned))
    }

    fn fail_at<R>(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) -> Parsed<R> {
        self.report(span, message, hint);
        Err(Failed)
    }

    /// Records an error after which the parse can go on as if nothing was.
    fn report(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        if self.hopeless {
            return;
        }
        self.errors.push(SyntaxError::at(self.lines, span, message, hint));
        self.hopeless = self.errors.len() >= MAX_ERRORS;
    }

    // Depth.

    /// Runs a rule that may contain itself.
    fn nested<R>(&mut self, rule: impl FnOnce(&mut Self) -> Parsed<R>) -> Parsed<R> {
        if self.nesting >= MAX_NESTING {
            let hint = "take inner parts out into variables, methods or files of their own".to_owned();
            let failed = self.fail(format!("nested deeper than {MAX_NESTING} levels"), Some(hint));
            self.hopeless = true;
            return failed;
        }
        self.nesting += 1;
        let result = rule(self);
        self.nesting -= 1;
        result
    }

    /// An expression from the token at `start` to here.
    fn node(&mut self, kind: ExprKind, start: usize) -> Parsed<Expr> {
        let span = self.span_from(start);
        self.node_at(kind, span)
    }

    fn node_at(&mut self, kind: ExprKind, span: Span) -> Parsed<Expr> {
        let expr = Expr::new(kind, span);
        if expr.depth() > MAX_DEPTH {
            let hint = "take parts of it out into variables, or join a list instead".to_owned();
            let failed = self.fail_at(span, format!("an expression of more than {MAX_DEPTH} operations"), Some(hint));
            self.hopeless = true;
            return failed;
        }
        Ok(expr)
    }
}

/// Strings in messages: the first characters of the first line.
fn shorten(text: &str) -> String {
    const MOST: usize = 40;
    let line = text.lines().next().unwrap_or("");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or("")),
        None => line.to_owned(),
    }
}
