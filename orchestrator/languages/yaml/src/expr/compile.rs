//! From the text of a scalar to templates and expressions, with their places in the file.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, ExecutionError, IdedExpr, Value as Cel};
use haliotis_model::Value;

use super::budget::{Budget, TOO_MUCH, guard};
use super::convert::{to_cel, to_json};
use super::refs::{Walk, depth, plain_path, roots};
use super::{Code, Expr, Parsed, Part, Scope, Template};
use crate::limits::{MAX_COPIED, MAX_EXPRESSION_BYTES, MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_NESTING};
use crate::problems::{Problems, suggest};
use crate::tree::{At, Data, Node};

/// The functions an expression may call beside the operators.
pub(crate) const FUNCTIONS: [&str; 25] = [
    "always",
    "failed",
    "success",
    "has",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "type",
    "dyn",
    "orValue",
    "hasValue",
    "or",
];

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Compiles the expressions of one file; the same text is compiled once.
pub(crate) struct Compiler {
    lines: Vec<String>,
    /// By the text alone: ten thousand steps with the same condition parse it once.
    parsed: BTreeMap<String, Rc<Parsed>>,
    copied: usize,
}

impl Compiler {
    /// For the file whose text this is.
    pub(crate) fn new(source: &str) -> Self {
        // Only files with expressions need their lines.
        let lines = if source.contains("${{") || source.contains("if:") || source.contains("\"if\"") {
            source.lines().map(str::to_owned).collect()
        } else {
            Vec::new()
        };
        Self { lines, parsed: BTreeMap::new(), copied: 0 }
    }

    /// Any value, expressions inside.
    pub(crate) fn template(&mut self, node: &Node, problems: &mut Problems) -> Template {
        self.build(node, false, problems)
    }

    /// The same where text is wanted: scalars keep their text as written (`1.10`).
    pub(crate) fn text_template(&mut self, node: &Node, problems: &mut Problems) -> Template {
        self.build(node, true, problems)
    }

    fn build(&mut self, node: &Node, as_text: bool, problems: &mut Problems) -> Template {
        self.copied += 1;
        if self.copied > MAX_COPIED {
            if self.copied == MAX_COPIED + 1 {
                let message = format!("with its aliases written out the file has more than {MAX_COPIED} arguments");
                problems.error("yaml-too-large", node.at, message, None);
            }
            return Template::Literal(Value::Null);
        }
        match &node.data {
            Data::Scalar { text, .. } if text.contains("${{") => self.scalar(node, text, problems),
            Data::Scalar { text, .. } if as_text && !node.is_null() => {
                Template::Literal(Value::String(text.to_string()))
            }
            Data::Scalar { .. } => Template::Literal(node.scalar()),
            Data::List(items) => {
                let items: Vec<Template> = items.iter().map(|item| self.build(item, as_text, problems)).collect();
                match items.iter().map(|item| item.literal().cloned()).collect::<Option<Vec<Value>>>() {
                    Some(values) => Template::Literal(Value::Array(values)),
                    None => Template::List(items),
                }
            }
            Data::Map(entries) => {
                let entries: Vec<(String, Template)> = entries
                    .iter()
                    .map(|(key, value)| {
                        (key.text().unwrap_or_default().to_owned(), self.build(value, as_text, problems))
                    })
                    .collect();
                let literal = entries.iter().map(|(key, value)| Some((key.clone(), value.literal()?.clone())));
                match literal.collect::<Option<haliotis_model::Object>>() {
                    Some(object) => Template::Literal(Value::Object(object)),
                    None => Template::Map(entries),
                }
            }
        }
    }

    /// Text with `${{ }}` in it. `$${{` stands for a literal `${{`.
    fn scalar(&mut self, node: &Node, text: &str, problems: &mut Problems) -> Template {
        let mut parts: Vec<Part> = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        let mut nth = 0;
        while let Some(start) = rest.find("${{") {
            nth += 1;
            if start > 0 && rest.as_bytes()[start - 1] == b'$' {
                plain.push_str(&rest[..start - 1]);
                plain.push_str("${{");
                rest = &rest[start + 3..];
                continue;
            }
            plain.push_str(&rest[..start]);
            let inside = &rest[start + 3..];
            let at = self.place(node, nth);
            let Some(length) = closing(inside) else {
                let help = "write ${{ expression }}; $${{ stands for the characters themselves".to_owned();
                problems.error("yaml-expression", At { length: 3, ..at }, "this ${{ is not closed by }}", help);
                return broken();
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            let at = At { column: at.column + 3, ..at };
            match self.expression(&inside[..length], at, problems) {
                Some(expr) => parts.push(Part::Expr(expr)),
                None => return broken(),
            }
            rest = &inside[length + 2..];
        }
        plain.push_str(rest);
        if !plain.trim().is_empty() || (!plain.is_empty() && parts.len() != 1) {
            parts.push(Part::Text(plain));
        }
        match parts.as_slice() {
            [Part::Expr(expr)] => Template::Whole(Rc::clone(expr)),
            [Part::Text(text)] => Template::Literal(Value::String(text.clone())),
            _ => Template::Text(parts),
        }
    }

    /// A condition; the `${{ }}` around it may be left out.
    pub(crate) fn condition(&mut self, node: &Node, problems: &mut Problems) -> Option<Rc<Expr>> {
        let Some(text) = node.text() else {
            let message = format!("a condition is an expression, this is {}", node.kind());
            problems.error("yaml-type", node.at, message, Some("write if: parameters.Deploy == true".to_owned()));
            return None;
        };
        let trimmed = text.trim();
        if let Some(inside) = trimmed.strip_prefix("${{") {
            let at = self.place(node, 1);
            return match closing(inside) {
                Some(length) if inside[length + 2..].trim().is_empty() => {
                    self.expression(&inside[..length], At { column: at.column + 3, ..at }, problems)
                }
                Some(_) => {
                    let help = "write the whole condition inside one ${{ }}, or leave it out".to_owned();
                    problems.error("yaml-expression", node.at, "a condition is one expression", help);
                    None
                }
                None => {
                    problems.error("yaml-expression", node.at, "this ${{ is not closed by }}", None);
                    None
                }
            };
        }
        let at = self.find(node, trimmed.lines().next().unwrap_or(""), 1);
        self.expression(trimmed, at, problems)
    }

    /// Where the nth `${{` of a scalar stands in the file.
    fn place(&self, node: &Node, nth: usize) -> At {
        self.find(node, "${{", nth)
    }

    /// Where the nth `needle` stands in the source text of a scalar.
    fn find(&self, node: &Node, needle: &str, nth: usize) -> At {
        let mut seen = 0;
        for line in node.at.line..=node.end_line.max(node.at.line) {
            let Some(text) = self.lines.get(line as usize - 1) else { break };
            let skip = if line == node.at.line { node.at.column as usize - 1 } else { 0 };
            let from = text.char_indices().nth(skip).map_or(text.len(), |(index, _)| index);
            for (index, _) in text[from..].match_indices(needle) {
                seen += 1;
                if seen == nth && !needle.is_empty() {
                    let column = text[..from + index].chars().count() + 1;
                    let column = u32::try_from(column).unwrap_or(u32::MAX);
                    return At { line, column, length: 3 };
                }
            }
        }
        node.at
    }

    /// One expression. `at` is where its text begins.
    fn expression(&mut self, text: &str, at: At, problems: &mut Problems) -> Option<Rc<Expr>> {
        let lead = text.chars().take_while(|c| c.is_whitespace()).count();
        let whole = inside(text, at, lead, text.trim().chars().count());
        let parsed = match self.parsed.get(text) {
            Some(known) => Rc::clone(known),
            None => {
                let parsed = Rc::new(parse(text, at, whole, problems)?);
                self.parsed.insert(text.to_owned(), Rc::clone(&parsed));
                parsed
            }
        };
        for (name, start) in &parsed.functions {
            if !FUNCTIONS.contains(&name.as_str()) {
                let help = suggest(name, &FUNCTIONS);
                let at = inside(text, at, *start, name.chars().count());
                problems.error("yaml-expression", at, format!("there is no function {name:?}"), help);
            }
        }
        Some(Rc::new(Expr { text: text.into(), file: Rc::clone(&problems.file), at: whole, parsed }))
    }
}

/// Stands for a value whose expression was reported; fits wherever text does.
fn broken() -> Template {
    Template::Text(Vec::new())
}

/// Bytes up to the `}}` that closes an expression: outside of quotes and of the expression's own braces.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut depth = 0_usize;
    let mut index = 0;
    while index < bytes.len() {
        match (quote, bytes[index]) {
            (Some(_), b'\\') => index += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(index + 1) == Some(&b'}') => return Some(index),
            _ => {}
        }
        index += 1;
    }
    None
}

/// The place `chars` characters into an expression.
fn inside(text: &str, at: At, chars: usize, length: usize) -> At {
    let before: String = text.chars().take(chars).collect();
    let line = at.line + u32::try_from(before.matches('\n').count()).unwrap_or(0);
    let column = match before.rfind('\n') {
        Some(newline) => u32::try_from(before[newline..].chars().count()).unwrap_or(1),
        None => at.column + u32::try_from(before.chars().count()).unwrap_or(0),
    };
    At { line, column, length: u32::try_from(length.max(1)).unwrap_or(1) }
}

fn parse(text: &str, at: At, whole: At, problems: &mut Problems) -> Option<Parsed> {
    if text.trim().is_empty() {
        let help = "write an expression, as in parameters.Name".to_owned();
        problems.error("yaml-expression", At { length: 2, ..at }, "the expression is empty", help);
        return None;
    }
    if text.len() > MAX_EXPRESSION_BYTES || nesting(text) > MAX_EXPRESSION_NESTING {
        let message = format!(
            "the expression is too large: at most {MAX_EXPRESSION_BYTES} bytes and {MAX_EXPRESSION_NESTING} levels of brackets"
        );
        problems.error("yaml-expression", At { length: 1, ..whole }, message, Some("move it into a script".to_owned()));
        return None;
    }
    let (mut tree, source) = match ENV.parser().parse_with_source_info(text) {
        Ok(parsed) => parsed,
        Err(errors) => {
            let first = errors.errors.first();
            let (line, column) = first.map_or((1, 0), |error| error.pos);
            let chars = offset_of(text, line, column);
            let message = first.map_or_else(String::new, |error| error.msg.clone());
            let message = format!("this is not an expression: {}", tidy(&message));
            problems.error("yaml-expression", inside(text, at, chars, 1), message, None);
            return None;
        }
    };
    if depth(&tree) > MAX_EXPRESSION_DEPTH {
        let message = format!("the expression is deeper than {MAX_EXPRESSION_DEPTH} operations");
        problems.error("yaml-expression", whole, message, Some("move it into a script".to_owned()));
        return None;
    }
    let offset = |id: u64| source.offset_for(id).map_or(0, |(start, _)| start as usize);
    let found = Walk::run(&tree, &offset);
    let code = match plain_path(&tree) {
        Some(path) => Code::Path(path),
        None => {
            guard(&mut tree);
            Code::Tree(Box::new(tree))
        }
    };
    Some(Parsed { code, references: found.references, functions: found.functions })
}

impl Expr {
    /// Where a reference stands in the file.
    pub(crate) fn place(&self, reference: &super::Reference) -> At {
        let lead = self.text.chars().take_while(|c| c.is_whitespace()).count();
        let start = At { length: 1, ..self.at };
        let chars = reference.start.saturating_sub(lead);
        let name: usize = reference.path.iter().map(|part| part.chars().count() + 1).sum::<usize>() - 1;
        let at = inside(self.text.trim_start(), start, chars, name);
        At { length: if at.line == self.at.line { at.length } else { 1 }, ..at }
    }

    pub(super) fn run(&self, tree: &IdedExpr, scope: &dyn Scope) -> Result<Value, String> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        let steps = self.steps();
        for root in roots(&self.parsed.references) {
            if let Some(value) = scope.root(root, &steps) {
                context.add_variable_from_value(root, to_cel(&value));
            }
        }
        let status = scope.status();
        let added = [
            context.add_function("always", || true),
            context.add_function("failed", move || status.failed),
            context.add_function("success", move || status.success),
        ];
        debug_assert!(added.iter().all(Result::is_ok), "CEL has no such functions");
        let budget = Budget::new();
        budget.install(&mut context);
        let value = Cel::resolve(tree, &context);
        if budget.spent() {
            return Err(TOO_MUCH.to_owned());
        }
        to_json(&value.map_err(|error| explain(&error))?)
    }
}

/// CEL's errors in our words.
fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(name) => format!("there is no value `{name}`; has() tells whether there is one"),
        ExecutionError::UndeclaredReference(name) => format!("the name `{name}` is not known"),
        ExecutionError::NoSuchOverload(overload) => {
            let types = overload.argument_types().join(" and ");
            let name = overload.function().trim_matches(|c| c == '_' || c == '@');
            let mixed = types.contains("int") && types.contains("double");
            let help = if mixed {
                "; convert one with double(...) or int(...)"
            } else {
                "; convert with string(), int(), double()"
            };
            format!("`{name}` does not work on {types}{help}")
        }
        ExecutionError::UnsupportedBinaryOperator(name, left, right) => {
            format!(
                "`{name}` does not work on {} and {}; convert with string(), int(), double()",
                left.type_of(),
                right.type_of()
            )
        }
        other => {
            // Some messages print whole values; a message is a sentence.
            let mut text = other.to_string();
            if text.len() > 300 {
                let cut = (0..=300).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
                text.truncate(cut);
                text.push('…');
            }
            text
        }
    }
}

/// Characters before a line and column of an expression; the parser counts lines from 1 and columns from 0 or 1.
fn offset_of(text: &str, line: isize, column: isize) -> usize {
    let lines = usize::try_from(line - 1).unwrap_or(0);
    let before: usize = text.split_inclusive('\n').take(lines).map(|line| line.chars().count()).sum();
    (before + usize::try_from(column).unwrap_or(0).saturating_sub(1)).min(text.chars().count())
}

/// The parser's message without what only its authors need.
fn tidy(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    match message.find(" expecting {") {
        Some(index) => message[..index].to_owned(),
        None if message.is_empty() => "it cannot be read".to_owned(),
        None => message.to_owned(),
    }
}

/// How deep brackets, conditionals and runs of unary operators go; quotes are not looked into.
fn nesting(text: &str) -> usize {
    let (mut deepest, mut depth, mut unary) = (0_usize, 0_usize, 0_usize);
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            // `a ? b : c ? d : e` recurses as deep as it is long.
            (None, '?' | '!') => unary += 1,
            _ => {}
        }
        deepest = deepest.max(depth + unary / 2);
    }
    deepest
}
