//! Values with expressions inside.

use std::rc::Rc;

use haliotis_model::{Object, Value};

use super::{EvalError, Expr, Scope, show};

/// A value that may hold expressions.
pub(crate) enum Template {
    /// No expression anywhere in it.
    Literal(Value),
    /// Exactly one expression: keeps its type.
    Whole(Rc<Expr>),
    /// Text around expressions.
    Text(Vec<Part>),
    List(Vec<Template>),
    Map(Vec<(String, Template)>),
}

/// A piece of text.
pub(crate) enum Part {
    Text(String),
    Expr(Rc<Expr>),
}

impl Template {
    /// The value.
    pub(crate) fn evaluate(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        Ok(match self {
            Template::Literal(value) => value.clone(),
            Template::Whole(expr) => expr.evaluate(scope)?,
            Template::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(piece) => text.push_str(piece),
                        Part::Expr(expr) => text.push_str(&show(&expr.evaluate(scope)?)),
                    }
                }
                Value::String(text)
            }
            Template::List(items) => {
                Value::Array(items.iter().map(|item| item.evaluate(scope)).collect::<Result<_, _>>()?)
            }
            Template::Map(entries) => {
                let mut object = Object::new();
                for (name, value) in entries {
                    object.insert(name.clone(), value.evaluate(scope)?);
                }
                Value::Object(object)
            }
        })
    }

    /// The value as text.
    pub(crate) fn evaluate_text(&self, scope: &dyn Scope) -> Result<String, EvalError> {
        self.evaluate(scope).map(|value| show(&value))
    }

    /// Calls `visit` for every expression inside.
    pub(crate) fn each<'t>(&'t self, visit: &mut dyn FnMut(&'t Rc<Expr>)) {
        match self {
            Template::Literal(_) => {}
            Template::Whole(expr) => visit(expr),
            Template::Text(parts) => {
                for part in parts {
                    if let Part::Expr(expr) = part {
                        visit(expr);
                    }
                }
            }
            Template::List(items) => items.iter().for_each(|item| item.each(visit)),
            Template::Map(entries) => entries.iter().for_each(|(_, value)| value.each(visit)),
        }
    }

    /// The value when there is no expression inside.
    pub(crate) fn literal(&self) -> Option<&Value> {
        match self {
            Template::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// As written, as far as that can be shown.
    pub(crate) fn source(&self) -> Value {
        match self {
            Template::Literal(value) => value.clone(),
            Template::Whole(expr) => Value::String(format!("${{{{ {} }}}}", expr.text.trim())),
            Template::Text(parts) => Value::String(
                parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => text.clone(),
                        Part::Expr(expr) => format!("${{{{ {} }}}}", expr.text.trim()),
                    })
                    .collect(),
            ),
            Template::List(items) => Value::Array(items.iter().map(Template::source).collect()),
            Template::Map(entries) => {
                Value::Object(entries.iter().map(|(name, value)| (name.clone(), value.source())).collect())
            }
        }
    }
}
