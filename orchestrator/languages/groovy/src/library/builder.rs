//! Text that grows: `StringBuilder`, `StringBuffer`, `StringWriter`, `PrintWriter` over one, `StringReader`.

use std::cell::RefCell;

use super::arguments::{count, index, string};
use super::string::out_of_range;
use super::{Answer, Declared, Extension, Method, format, method, text};
use crate::value::Value;
use crate::vm::{Raise, Vm};

/// State of all of them: the text so far.
pub(crate) struct Text(pub(crate) RefCell<String>);

pub(super) const DECLARED: &[Declared] = &[
    Declared { name: "java.lang.Appendable", parent: "java.lang.Object", interfaces: &[], interface: true },
    Declared {
        name: "java.lang.AbstractStringBuilder",
        parent: "java.lang.Object",
        interfaces: &["java.lang.CharSequence", "java.lang.Appendable"],
        interface: false,
    },
    Declared {
        name: "java.lang.StringBuilder",
        parent: "java.lang.AbstractStringBuilder",
        interfaces: &["java.io.Serializable"],
        interface: false,
    },
    Declared {
        name: "java.lang.StringBuffer",
        parent: "java.lang.AbstractStringBuilder",
        interfaces: &["java.io.Serializable"],
        interface: false,
    },
    Declared {
        name: "java.io.Writer",
        parent: "java.lang.Object",
        interfaces: &["java.lang.Appendable"],
        interface: false,
    },
    Declared { name: "java.io.StringWriter", parent: "java.io.Writer", interfaces: &[], interface: false },
    Declared { name: "java.io.PrintWriter", parent: "java.io.Writer", interfaces: &[], interface: false },
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension {
        of: "java.lang.StringBuilder",
        methods: BUILDER,
        statics: &[],
        new: Some(|vm, args| new(vm, "java.lang.StringBuilder", args)),
    },
    Extension {
        of: "java.lang.StringBuffer",
        methods: BUILDER,
        statics: &[],
        new: Some(|vm, args| new(vm, "java.lang.StringBuffer", args)),
    },
    Extension {
        of: "java.io.StringWriter",
        methods: WRITER,
        statics: &[],
        new: Some(|vm, args| new(vm, "java.io.StringWriter", args)),
    },
    Extension { of: "java.io.PrintWriter", methods: WRITER, statics: &[], new: Some(print_writer) },
];

const BUILDER: &[Method] = &[
    method("append", 1, 3, append),
    method("leftShift", 1, 1, append),
    method("toString", 0, 0, |_, this, _| string(&*state(this)?.0.borrow())),
    method("insert", 2, 2, |vm, this, args| {
        let [at, value] = args else { return Err(Raise::NoMatch) };
        let added = vm.text(value)?;
        let at = index(vm, at)?;
        vm.charge(added.len())?;
        edit(vm, this, at, at, &added)
    }),
    method("deleteCharAt", 1, 1, |vm, this, args| {
        let [at] = args else { return Err(Raise::NoMatch) };
        let at = index(vm, at)?;
        let length = text::len(&state(this)?.0.borrow());
        if at >= length {
            return out_of_range(vm, format!("index {at},length {length}"));
        }
        edit(vm, this, at, at + 1, "")
    }),
    method("delete", 2, 2, |vm, this, args| {
        let [from, to] = args else { return Err(Raise::NoMatch) };
        let (from, to) = (index(vm, from)?, index(vm, to)?);
        edit(vm, this, from, to, "")
    }),
    method("replace", 3, 3, |vm, this, args| {
        let [from, to, with] = args else { return Err(Raise::NoMatch) };
        let (from, to, with) = (index(vm, from)?, index(vm, to)?, vm.str_arg(with)?);
        vm.charge(with.len())?;
        edit(vm, this, from, to, &with)
    }),
    method("setCharAt", 2, 2, |vm, this, args| {
        let [at, char] = args else { return Err(Raise::NoMatch) };
        let (at, char) = (index(vm, at)?, super::arguments::char_arg(char)?);
        edit(vm, this, at, at + 1, &char.to_string())?;
        Ok(Value::Null)
    }),
    method("setLength", 1, 1, |vm, this, args| {
        let [length] = args else { return Err(Raise::NoMatch) };
        let length = index(vm, length)?;
        vm.charge(length)?;
        let mut content = state(this)?.0.borrow_mut();
        let now = text::len(&content);
        *content = if length <= now {
            text::slice(&content, 0, length)
        } else {
            format!("{content}{}", "\0".repeat(length - now))
        };
        Ok(Value::Null)
    }),
    method("reverse", 0, 0, |_, this, _| {
        let mut content = state(this)?.0.borrow_mut();
        *content = content.chars().rev().collect();
        Ok(this.clone())
    }),
    method("capacity", 0, 0, |_, this, _| count(text::len(&state(this)?.0.borrow()).max(16))),
    method("plus", 1, 1, |vm, this, args| {
        let [other] = args else { return Err(Raise::NoMatch) };
        string(format!("{}{}", vm.text(this)?, vm.text(other)?))
    }),
    method("putAt", 2, 2, |vm, this, args| match args {
        [Value::Range(range), with] => {
            let (Some(from), Some(to)) = (range.from.as_i64(), range.to.as_i64()) else { return Err(Raise::NoMatch) };
            let (from, to) = (usize::try_from(from).unwrap_or(0), usize::try_from(to + 1).unwrap_or(0));
            let with = vm.text(with)?;
            edit(vm, this, from, to, &with)
        }
        _ => Err(Raise::NoMatch),
    }),
    method("hashCode", 0, 0, |_, _, _| Ok(Value::Int(1))),
];

const WRITER: &[Method] = &[
    method("write", 1, 1, |_, this, args| match args {
        [Value::Int(code)] => {
            let char = u32::try_from(*code).ok().and_then(char::from_u32).unwrap_or('?');
            state(this)?.0.borrow_mut().push(char);
            Ok(Value::Null)
        }
        [Value::Str(text)] => {
            state(this)?.0.borrow_mut().push_str(text);
            Ok(Value::Null)
        }
        _ => Err(Raise::NoMatch),
    }),
    method("append", 1, 1, append),
    method("leftShift", 1, 1, append),
    method("print", 1, 1, |vm, this, args| append(vm, this, args).map(|_| Value::Null)),
    method("println", 0, 1, |vm, this, args| {
        if !args.is_empty() {
            append(vm, this, args)?;
        }
        push(this, "\n")?;
        Ok(Value::Null)
    }),
    method("printf", 1, super::MANY, |vm, this, args| {
        let [pattern, rest @ ..] = args else { return Err(Raise::NoMatch) };
        let pattern = vm.str_arg(pattern)?;
        let text = format::format(vm, &pattern, rest)?;
        push(this, &text)?;
        Ok(this.clone())
    }),
    method("flush", 0, 0, |_, _, _| Ok(Value::Null)),
    method("close", 0, 0, |_, _, _| Ok(Value::Null)),
    method("getBuffer", 0, 0, |vm, this, _| {
        let content = state(this)?.0.borrow().clone();
        Ok(make(vm, "java.lang.StringBuffer", content))
    }),
    method("toString", 0, 0, |_, this, _| string(&*state(this)?.0.borrow())),
];

/// A new one of a class.
pub(super) fn make(vm: &mut Vm, class: &str, content: String) -> Value {
    vm.native(class, Text(content.into()))
}

fn new(vm: &mut Vm, class: &str, args: &[Value]) -> Answer {
    let content = match args {
        [] | [Value::Int(_)] => String::new(),
        [value] => super::arguments::chars(vm, value)?.to_string(),
        _ => return Err(Raise::NoMatch),
    };
    Ok(make(vm, class, content))
}

/// `new PrintWriter(writer)`: what is printed goes into that writer, which is the same object here.
fn print_writer(_: &mut Vm, args: &[Value]) -> Answer {
    match args {
        [writer, ..] if state(writer).is_ok() => Ok(writer.clone()),
        _ => Err(Raise::NoMatch),
    }
}

/// Bytes that a builder or writer holds.
pub(super) fn bytes(native: &crate::value::Native) -> usize {
    native.state::<Text>().map_or(0, |text| text.0.try_borrow().map_or(0, |text| text.capacity()))
}

fn state(this: &Value) -> Result<&Text, Raise> {
    match this {
        Value::Native(native) => native.state::<Text>().ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

/// Adds to a builder or writer.
pub(super) fn push(target: &Value, text: &str) -> Result<(), Raise> {
    state(target)?.0.borrow_mut().push_str(text);
    Ok(())
}

fn append(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let added = match args {
        [value] => super::object::java_text(vm, value)?,
        [value, from, to] => {
            let (text, from, to) = (vm.text(value)?, index(vm, from)?, index(vm, to)?);
            text::slice(&text, from, to).into()
        }
        _ => return Err(Raise::NoMatch),
    };
    vm.charge(added.len())?;
    push(this, &added)?;
    Ok(this.clone())
}

fn edit(vm: &mut Vm, this: &Value, from: usize, to: usize, with: &str) -> Answer {
    let mut content = state(this)?.0.borrow().clone();
    let length = text::len(&content);
    let (start, end) = (text::byte_of(&content, from), text::byte_of(&content, to.min(length)));
    match (start, end) {
        (Some(start), Some(end)) if start <= end => {
            content.replace_range(start..end, with);
            state(this)?.0.replace(content);
            Ok(this.clone())
        }
        _ if from > length && from == to => out_of_range(vm, format!("offset {from}, length {length}")),
        _ => out_of_range(vm, format!("start {from}, end {to}, length {length}")),
    }
}
