//! Groovy's words for what is not there, and how an exception is shown.

use std::fmt::Write as _;
use std::rc::Rc;

use super::{Raise, Vm};
use crate::types::id;
use crate::value::{ClassRef, Closure, TraceLine, Value};

/// Characters of the list of arguments in a message.
const MAX_SHOWN: usize = 60;

impl Vm {
    /// `MissingPropertyException`.
    pub(crate) fn missing_property(&mut self, object: &Value, name: &str) -> Raise {
        let class = self.blamed(object);
        let text = format!("No such property: {name} for class: {class}");
        let raise = self.throw("groovy.lang.MissingPropertyException", text);
        self.about(&raise, object, "property", Value::str(name));
        raise
    }

    fn blamed(&self, object: &Value) -> Rc<str> {
        match object {
            Value::Class(class) => self.name_of(class),
            Value::Closure(closure) => self.closure_class(closure),
            other => self.class_name(other),
        }
    }

    /// The class that Groovy would make for a closure.
    pub(crate) fn closure_class(&self, closure: &Closure) -> Rc<str> {
        match &closure.body {
            crate::value::Body::Code { code, .. } => code.class.clone(),
            _ => Rc::from(self.types.get(id::CLOSURE).name),
        }
    }

    /// `MissingMethodException`.
    pub(crate) fn missing_method(&mut self, object: &Value, name: &str, args: &[Value]) -> Raise {
        if object.is_null() {
            let text = format!("Cannot invoke method {name}() on null object");
            return self.throw("java.lang.NullPointerException", text);
        }
        let is_static = matches!(object, Value::Class(_));
        let class = self.blamed(object);
        let text = self.no_signature(if is_static { "static " } else { "" }, &class, name, args);
        let raise = self.throw("groovy.lang.MissingMethodException", text);
        self.about(&raise, object, "method", Value::str(name));
        let list = self.list_of(crate::value::ListKind::Java(id::OBJECT), args.to_vec());
        self.about(&raise, object, "arguments", list);
        raise
    }

    /// What the exception is about, for `e.property`, `e.method`, `e.type`.
    fn about(&mut self, raise: &Raise, object: &Value, name: &str, value: Value) {
        if let Raise::Throw(Value::Object(exception)) = raise {
            let class = match object {
                Value::Class(class) => class.clone(),
                other => self.class_of(other),
            };
            let mut fields = exception.fields.borrow_mut();
            fields.push((Rc::from("type"), Value::Class(class)));
            fields.push((Rc::from(name), value));
        }
    }

    /// A closure that does not take these arguments.
    pub(crate) fn missing_call(&mut self, closure: &Closure, args: &[Value]) -> Raise {
        let class = self.closure_class(closure);
        let text = self.no_signature("", &class, "call", args);
        self.throw("groovy.lang.MissingMethodException", text)
    }

    fn no_signature(&mut self, prefix: &str, class: &str, name: &str, args: &[Value]) -> String {
        let mut types = String::new();
        let mut values = String::new();
        for (at, arg) in args.iter().enumerate() {
            let kind = if arg.is_null() { Rc::from("null") } else { self.class_shown(arg) };
            if at > 0 {
                types.push_str(", ");
            }
            types.push_str(&kind);
            for (text, part) in [(&mut values, self.text(arg).unwrap_or_else(|_| Rc::from("?")))] {
                if text.ends_with("...") {
                    continue;
                }
                if at > 0 {
                    text.push_str(", ");
                }
                if text.len() + part.len() > MAX_SHOWN && at > 0 { text.push_str("...") } else { text.push_str(&part) }
            }
        }
        format!(
            "No signature of method: {prefix}{class}.{name}() is applicable for argument types: ({types}) values: [{values}]"
        )
    }

    fn class_shown(&self, value: &Value) -> Rc<str> {
        match value {
            Value::Closure(closure) => self.closure_class(closure),
            other => self.class_name(other),
        }
    }

    /// An exception as `printStackTrace` and Jenkins' console show it: class, message, Groovy stack, causes.
    pub fn describe(&mut self, exception: &Value) -> String {
        let mut out = String::new();
        let mut at = exception.clone();
        for level in 0..16 {
            let Value::Object(object) = &at else { break };
            let (object, value) = (object.clone(), at.clone());
            if level > 0 {
                out.push_str("Caused by: ");
            }
            let text = self.text(&value).unwrap_or_else(|_| Rc::from("?"));
            out.push_str(&text);
            out.push('\n');
            for line in object.trace.borrow().iter() {
                let _ = writeln!(out, "\tat {}", trace_line(line));
            }
            match self.raw_field(&value, "cause") {
                Some(cause) if self.is_throwable(&cause) && !cause.same(&value) => at = cause,
                _ => break,
            }
        }
        out
    }

    /// Where an exception was thrown: the innermost line of the script.
    pub fn thrown_at(&self, exception: &Value) -> Option<TraceLine> {
        match exception {
            Value::Object(object) => object.trace.borrow().first().cloned(),
            _ => None,
        }
    }

    /// Class name and message of an exception.
    pub fn exception_parts(&mut self, exception: &Value) -> (Rc<str>, Option<Rc<str>>) {
        let class = self.class_name(exception);
        let message = self.call_method(exception, "getMessage", &[]).ok().filter(|message| !message.is_null());
        let message = message.and_then(|message| self.text(&message).ok());
        (class, message)
    }

    /// `toString()` of a throwable: class, and message if there is one.
    pub(crate) fn throwable_text(&mut self, value: &Value) -> Result<Rc<str>, Raise> {
        let class = self.class_name(value);
        let message = self.call_method(value, "getMessage", &[])?;
        if message.is_null() {
            return Ok(class);
        }
        let message = self.text(&message)?;
        Ok(Rc::from(format!("{class}: {message}")))
    }

    /// Methods of `Object`, `Throwable` and `Enum` that the machine itself has.
    pub(crate) fn plain_method(&mut self, this: &Value, name: &str, args: &[Value]) -> Result<Option<Value>, Raise> {
        let Value::Object(object) = this else { return Ok(None) };
        Ok(Some(match (name, args) {
            ("toString", []) => Value::Str(self.object_text(this)?),
            ("hashCode", []) => Value::Int(i32::try_from(object.id).unwrap_or(0)),
            ("equals", [other]) => Value::Bool(this.same(other)),
            _ if self.is_throwable(this) => return self.throwable_method(this, name, args),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn throwable_method(
        &mut self,
        this: &Value,
        name: &str,
        args: &[Value],
    ) -> Result<Option<Value>, Raise> {
        let Value::Object(object) = this else { return Ok(None) };
        Ok(Some(match (name, args) {
            ("getMessage" | "getLocalizedMessage", []) => self.raw_field(this, "message").unwrap_or_default(),
            ("getCause", []) => self.raw_field(this, "cause").unwrap_or_default(),
            ("initCause", [cause]) => {
                self.set_raw(this, "cause", cause)?;
                this.clone()
            }
            ("printStackTrace", _) => {
                let text = self.describe(this);
                self.print(&text);
                Value::Null
            }
            ("getStackTrace", []) => {
                let lines: Vec<Value> =
                    object.trace.borrow().iter().map(|line| Value::from(trace_line(line))).collect();
                self.list_of(crate::value::ListKind::Java(id::OBJECT), lines)
            }
            ("setStackTrace", [_]) | ("fillInStackTrace", []) => this.clone(),
            ("addSuppressed", [other]) => {
                let held = self.raw_field(this, "$suppressed").unwrap_or_else(|| self.list(Vec::new()));
                if let Value::List(list) = &held {
                    list.items.borrow_mut().push(other.clone());
                }
                if !self.set_raw(this, "$suppressed", &held)? {
                    object.fields.borrow_mut().push((Rc::from("$suppressed"), held));
                }
                Value::Null
            }
            ("getSuppressed", []) => {
                let items = match self.raw_field(this, "$suppressed") {
                    Some(Value::List(list)) => list.items.borrow().clone(),
                    _ => Vec::new(),
                };
                self.list_of(crate::value::ListKind::Java(id::OBJECT), items)
            }
            ("getProperty", []) => self.raw_field(this, "property").unwrap_or_default(),
            ("getMethod", []) => self.raw_field(this, "method").unwrap_or_default(),
            ("getType", []) => self.raw_field(this, "type").unwrap_or_default(),
            ("getArguments", []) => self.raw_field(this, "arguments").unwrap_or_default(),
            ("toString", []) => Value::Str(self.throwable_text(this)?),
            _ => return Ok(None),
        }))
    }

    /// Whether the class of a value has a method of its own, in the script.
    pub(crate) fn has_own(&self, value: &Value, name: &str) -> bool {
        match value {
            Value::Object(object) => match &object.class {
                ClassRef::User(class) => {
                    class.find(name).iter().any(|method| !method.is_abstract)
                        || (matches!(name, "equals" | "hashCode")
                            && class.lineage().iter().any(|class| class.generated.equals))
                        || (name == "compareTo" && class.lineage().iter().any(|class| class.generated.sortable))
                }
                ClassRef::Builtin(_) => false,
            },
            _ => false,
        }
    }
}

fn trace_line(line: &TraceLine) -> String {
    if line.line == 0 {
        return format!("{}.{}({})", line.class, line.method, line.file);
    }
    format!("{}.{}({}:{})", line.class, line.method, line.file, line.line)
}
