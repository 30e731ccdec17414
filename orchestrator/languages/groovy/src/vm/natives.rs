//! Methods that belong to the machine rather than to the library: of closures, classes, scripts, bindings,
//! exceptions, and printing.

use std::rc::Rc;

use super::fields::BindingState;
use super::{Raise, Vm};
use crate::library::{Answer, Extension, MANY, Method, method};
use crate::types::id;
use crate::value::{Body, ClassRef, Closure, ListKind, Value};

/// Tables of this file.
pub(crate) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.lang.Object", methods: OBJECT, statics: &[], new: None },
    Extension { of: "groovy.lang.Closure", methods: CLOSURE, statics: CLOSURE_STATICS, new: None },
    Extension { of: "java.lang.Class", methods: CLASS, statics: &[], new: None },
    Extension { of: "java.lang.Throwable", methods: THROWABLE, statics: &[], new: None },
    Extension { of: "groovy.lang.Binding", methods: BINDING, statics: &[], new: Some(new_binding) },
    Extension { of: "groovy.lang.GString", methods: GSTRING, statics: &[], new: None },
];

use crate::library::{Static, function};

const CLOSURE_STATICS: &[Static] = &[
    function("OWNER_FIRST", 0, 0, |_, _| Ok(Value::Int(0))),
    function("DELEGATE_FIRST", 0, 0, |_, _| Ok(Value::Int(1))),
    function("OWNER_ONLY", 0, 0, |_, _| Ok(Value::Int(2))),
    function("DELEGATE_ONLY", 0, 0, |_, _| Ok(Value::Int(3))),
    function("TO_SELF", 0, 0, |_, _| Ok(Value::Int(4))),
    function("IDENTITY", 0, 0, |_, _| Err(Raise::NoMatch)),
];

const OBJECT: &[Method] = &[
    method("println", 0, 1, |vm, _, args| {
        let mut line = match args {
            [value] => shown(vm, value)?,
            _ => String::new(),
        };
        line.push('\n');
        vm.print(&line);
        Ok(Value::Null)
    }),
    method("print", 1, 1, |vm, _, args| {
        let [value] = args else { return Err(Raise::NoMatch) };
        let text = shown(vm, value)?;
        vm.print(&text);
        Ok(Value::Null)
    }),
    method("printf", 1, MANY, |vm, this, args| {
        let text = vm.call_method(this, "sprintf", args)?;
        let text = vm.text(&text)?;
        vm.print(&text);
        Ok(Value::Null)
    }),
    method("respondsTo", 1, 2, |vm, this, args| {
        let [name, ..] = args else { return Err(Raise::NoMatch) };
        let name = vm.text(name)?;
        let own = vm.user_class(this).is_some_and(|class| class.has(&name)) || vm.library_has(this, &name);
        let found = if own { vec![Value::Str(name)] } else { Vec::new() };
        Ok(vm.list(found))
    }),
    method("hasProperty", 1, 1, |vm, this, args| {
        let [name] = args else { return Err(Raise::NoMatch) };
        let name = vm.text(name)?;
        let held = vm.raw_field(this, &name).is_some()
            || vm.user_class(this).is_some_and(|class| class.has(&super::property::accessor("get", &name)));
        Ok(if held { Value::Str(name) } else { Value::Null })
    }),
    // Nothing passes while a plain script sleeps; in a pipeline `sleep` is a step of the host.
    method("sleep", 1, 2, |_, _, _| Ok(Value::Null)),
    method("getProperties", 0, 0, |vm, this, _| {
        let Some(class) = vm.user_class(this) else { return Err(Raise::NoMatch) };
        let called = vm.properties(this, &class)?;
        vm.finish_nested(called)
    }),
    method("invokeMethod", 2, 2, |vm, this, args| {
        let [name, args] = args else { return Err(Raise::NoMatch) };
        let name = vm.text(name)?;
        let args = match args {
            Value::List(list) => list.items.borrow().clone(),
            Value::Null => Vec::new(),
            other => vec![other.clone()],
        };
        vm.call_method(this, &name, &args)
    }),
    method("use", 2, 2, |vm, _, args| {
        let [categories, body] = args else { return Err(Raise::NoMatch) };
        let classes = vm.elements(categories)?;
        let before = vm.categories.len();
        vm.categories.extend(classes.iter().filter_map(|class| match class {
            Value::Class(ClassRef::User(class)) => Some(class.clone()),
            _ => None,
        }));
        let answer = vm.call_closure(body, &[]);
        vm.categories.truncate(before);
        answer
    }),
    method("wait", 0, 2, refuse),
    method("notify", 0, 0, refuse),
    method("notifyAll", 0, 0, refuse),
];

fn refuse(vm: &mut Vm, _: &Value, _: &[Value]) -> Answer {
    let text = "Scripts not permitted to use method java.lang.Object wait";
    Err(vm.throw("org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException", text))
}

/// What `println` prints: characters of a `char[]` as text, all else as Groovy shows it.
fn shown(vm: &mut Vm, value: &Value) -> Result<String, Raise> {
    if let Value::List(list) = value
        && list.kind == ListKind::Java(id::P_CHAR)
    {
        return Ok(list
            .items
            .borrow()
            .iter()
            .filter_map(|item| if let Value::Char(char) = item { Some(*char) } else { None })
            .collect());
    }
    Ok(vm.text(value)?.to_string())
}

fn closure(value: &Value) -> Result<&Rc<Closure>, Raise> {
    match value {
        Value::Closure(closure) => Ok(closure),
        _ => Err(Raise::NoMatch),
    }
}

fn curried(vm: &mut Vm, inner: &Rc<Closure>, kept: Vec<Value>, at: Option<usize>) -> Value {
    let (owner, this) = (inner.owner.clone(), inner.this.clone());
    Value::Closure(vm.closure_of(Body::Curried { inner: inner.clone(), kept, at }, owner, this))
}

/// A copy with its own delegate and owner.
fn copy(vm: &mut Vm, of: &Rc<Closure>, owner: Value, this: Value) -> Rc<Closure> {
    let body = match &of.body {
        Body::Code { code, captured } => Body::Code { code: code.clone(), captured: captured.clone() },
        Body::Method { receiver, name } => Body::Method { receiver: receiver.clone(), name: name.clone() },
        Body::Curried { inner, kept, at } => Body::Curried { inner: inner.clone(), kept: kept.clone(), at: *at },
        Body::Composed { first, second } => Body::Composed { first: first.clone(), second: second.clone() },
        Body::Memoized { inner, answers } => Body::Memoized { inner: inner.clone(), answers: answers.clone() },
    };
    let made = vm.closure_of(body, owner, this);
    made.strategy.set(of.strategy.get());
    *made.delegate.borrow_mut() = of.delegate.borrow().clone();
    made
}

const GSTRING: &[Method] = &[
    method("getValues", 0, 0, |vm, this, _| match this {
        Value::GStr(text) => Ok(vm.list_of(ListKind::Java(id::OBJECT), text.values.clone())),
        _ => Err(Raise::NoMatch),
    }),
    method("getStrings", 0, 0, |vm, this, _| match this {
        Value::GStr(text) => {
            let all = text.strings.iter().cloned().map(Value::Str).collect();
            Ok(vm.list_of(ListKind::Java(id::STRING), all))
        }
        _ => Err(Raise::NoMatch),
    }),
    method("getValueCount", 0, 0, |_, this, _| match this {
        Value::GStr(text) => Ok(Value::Int(i32::try_from(text.values.len()).unwrap_or(i32::MAX))),
        _ => Err(Raise::NoMatch),
    }),
];

const CLOSURE: &[Method] = &[
    method("curry", 0, MANY, |vm, this, args| Ok(curried(vm, closure(this)?, args.to_vec(), Some(0)))),
    method("rcurry", 0, MANY, |vm, this, args| Ok(curried(vm, closure(this)?, args.to_vec(), None))),
    method("ncurry", 1, MANY, |vm, this, args| {
        let [at, kept @ ..] = args else { return Err(Raise::NoMatch) };
        let at = usize::try_from(vm.int_arg(at)?).map_err(|_| Raise::NoMatch)?;
        Ok(curried(vm, closure(this)?, kept.to_vec(), Some(at)))
    }),
    method("rightShift", 1, 1, |vm, this, args| match args {
        [Value::Closure(second)] => Ok(Value::Closure(vm.composed(closure(this)?.clone(), second.clone()))),
        _ => Err(Raise::NoMatch),
    }),
    method("leftShift", 1, 1, |vm, this, args| match args {
        [Value::Closure(first)] => Ok(Value::Closure(vm.composed(first.clone(), closure(this)?.clone()))),
        _ => Err(Raise::NoMatch),
    }),
    method("memoize", 0, 0, |vm, this, _| Ok(vm.memoized(closure(this)?.clone()))),
    method("memoizeAtMost", 1, 1, |vm, this, _| Ok(vm.memoized(closure(this)?.clone()))),
    method("memoizeAtLeast", 1, 1, |vm, this, _| Ok(vm.memoized(closure(this)?.clone()))),
    method("memoizeBetween", 2, 2, |vm, this, _| Ok(vm.memoized(closure(this)?.clone()))),
    method("getDelegate", 0, 0, |_, this, _| Ok(closure(this)?.delegate.borrow().clone())),
    method("getOwner", 0, 0, |_, this, _| Ok(closure(this)?.owner.clone())),
    method("getThisObject", 0, 0, |_, this, _| Ok(closure(this)?.this.clone())),
    method("getResolveStrategy", 0, 0, |_, this, _| Ok(Value::Int(i32::from(closure(this)?.strategy.get())))),
    method("setDelegate", 1, 1, |_, this, args| {
        let old = closure(this)?.delegate.replace(args.first().cloned().unwrap_or_default());
        drop(old);
        Ok(Value::Null)
    }),
    method("setResolveStrategy", 1, 1, |vm, this, args| {
        let [number] = args else { return Err(Raise::NoMatch) };
        closure(this)?.strategy.set(u8::try_from(vm.int_arg(number)?).unwrap_or(0));
        Ok(Value::Null)
    }),
    method("getMaximumNumberOfParameters", 0, 0, |vm, this, _| {
        Ok(Value::Int(i32::try_from(vm.parameter_count(closure(this)?)).unwrap_or(0)))
    }),
    method("getParameterTypes", 0, 0, |vm, this, _| {
        let closure = closure(this)?.clone();
        let mut all = Vec::new();
        if let Body::Code { code, .. } = &closure.body {
            for param in &code.params {
                let ty = vm.resolve(code, param.ty)?;
                all.push(match ty {
                    crate::code::Ty::Class(class) => Value::Class(class),
                    crate::code::Ty::Array(element) => match *element {
                        crate::code::Ty::Class(ClassRef::Builtin(class)) => {
                            Value::Class(ClassRef::Builtin(vm.array_of(class)))
                        }
                        _ => Value::Class(ClassRef::Builtin(id::A_OBJECT)),
                    },
                    _ => Value::Class(ClassRef::Builtin(id::OBJECT)),
                });
            }
            if code.implicit_it {
                all.push(Value::Class(ClassRef::Builtin(id::OBJECT)));
            }
        }
        Ok(vm.list_of(ListKind::Java(id::OBJECT), all))
    }),
    method("clone", 0, 0, |vm, this, _| {
        let of = closure(this)?.clone();
        let (owner, own) = (of.owner.clone(), of.this.clone());
        Ok(Value::Closure(copy(vm, &of, owner, own)))
    }),
    method("dehydrate", 0, 0, |vm, this, _| {
        let of = closure(this)?.clone();
        let made = copy(vm, &of, Value::Null, Value::Null);
        *made.delegate.borrow_mut() = Value::Null;
        Ok(Value::Closure(made))
    }),
    method("rehydrate", 3, 3, |vm, this, args| {
        let [delegate, owner, own] = args else { return Err(Raise::NoMatch) };
        let of = closure(this)?.clone();
        let made = copy(vm, &of, owner.clone(), own.clone());
        *made.delegate.borrow_mut() = delegate.clone();
        Ok(Value::Closure(made))
    }),
    method("asWritable", 0, 0, |_, this, _| Ok(this.clone())),
    method("trampoline", 0, MANY, |vm, this, args| Ok(curried(vm, closure(this)?, args.to_vec(), Some(0)))),
    // A closure stands in for an interface of one method.
    method("run", 0, 0, through),
    method("compare", 2, 2, through),
    method("accept", 1, 2, through),
    method("apply", 1, 2, through),
    method("test", 1, 2, through),
    method("get", 0, 0, through),
    method("execute", 0, MANY, through),
];

fn through(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    vm.call_closure(this, args)
}

fn class(value: &Value) -> Result<&ClassRef, Raise> {
    match value {
        Value::Class(class) => Ok(class),
        _ => Err(Raise::NoMatch),
    }
}

fn simple(vm: &Vm, class: &ClassRef) -> String {
    match class {
        ClassRef::User(class) => class.simple.to_string(),
        ClassRef::Builtin(_) => {
            let name = vm.name_of(class);
            match name.strip_prefix('[') {
                Some("Ljava.lang.Object;") => "Object[]".to_owned(),
                Some("Ljava.lang.String;") => "String[]".to_owned(),
                Some("I") => "int[]".to_owned(),
                Some("J") => "long[]".to_owned(),
                Some("B") => "byte[]".to_owned(),
                Some("C") => "char[]".to_owned(),
                Some("D") => "double[]".to_owned(),
                Some("F") => "float[]".to_owned(),
                Some("S") => "short[]".to_owned(),
                Some("Z") => "boolean[]".to_owned(),
                _ => name.rsplit(['.', '$']).next().unwrap_or("").to_owned(),
            }
        }
    }
}

const CLASS: &[Method] = &[
    method("getName", 0, 0, |vm, this, _| Ok(Value::Str(vm.name_of(class(this)?)))),
    method("getTypeName", 0, 0, |vm, this, _| Ok(Value::Str(vm.name_of(class(this)?)))),
    method("getCanonicalName", 0, 0, |vm, this, _| Ok(Value::from(vm.name_of(class(this)?).replace('$', ".")))),
    method("getSimpleName", 0, 0, |vm, this, _| Ok(Value::from(simple(vm, class(this)?)))),
    method("isInstance", 1, 1, |vm, this, args| {
        let [value] = args else { return Err(Raise::NoMatch) };
        Ok(Value::Bool(vm.is_a(value, class(this)?)))
    }),
    method("isAssignableFrom", 1, 1, |vm, this, args| match args {
        [Value::Class(other)] => Ok(Value::Bool(vm.descends(other, class(this)?))),
        _ => Err(Raise::NoMatch),
    }),
    method("getSuperclass", 0, 0, |vm, this, _| {
        Ok(match class(this)? {
            ClassRef::User(class) if class.is_interface() => Value::Null,
            ClassRef::User(class) => Value::Class(class.superclass.borrow().clone()),
            // A closure's class is one of its own, whose superclass is Closure.
            ClassRef::Builtin(class) if *class == id::CLOSURE => this.clone(),
            ClassRef::Builtin(class) => {
                let row = vm.types.get(*class);
                match row.parent {
                    Some(parent) if !row.interface => Value::Class(ClassRef::Builtin(parent)),
                    _ => Value::Null,
                }
            }
        })
    }),
    method("getInterfaces", 0, 0, |vm, this, _| {
        let all = match class(this)? {
            ClassRef::User(class) => class.interfaces.borrow().iter().cloned().map(Value::Class).collect(),
            ClassRef::Builtin(class) => {
                vm.types.get(*class).interfaces.iter().map(|class| Value::Class(ClassRef::Builtin(*class))).collect()
            }
        };
        Ok(vm.list_of(ListKind::Java(id::OBJECT), all))
    }),
    method("isInterface", 0, 0, |vm, this, _| {
        Ok(Value::Bool(match class(this)? {
            ClassRef::User(class) => class.is_interface(),
            ClassRef::Builtin(class) => vm.types.get(*class).interface,
        }))
    }),
    method("isEnum", 0, 0, |_, this, _| {
        Ok(Value::Bool(matches!(class(this)?, ClassRef::User(class) if class.kind == crate::class::Kind::Enum)))
    }),
    method("isArray", 0, 0, |vm, this, _| Ok(Value::Bool(vm.name_of(class(this)?).starts_with('[')))),
    method("isPrimitive", 0, 0, |_, this, _| {
        Ok(Value::Bool(
            matches!(class(this)?, ClassRef::Builtin(class) if super::bind::is_primitive_id(*class) || *class == id::VOID),
        ))
    }),
    method("getPackage", 0, 0, |vm, this, _| {
        let name = vm.name_of(class(this)?);
        Ok(name.rsplit_once('.').map_or(Value::Null, |(package, _)| Value::from(format!("package {package}"))))
    }),
    method("getEnumConstants", 0, 0, |vm, this, _| match class(this)? {
        ClassRef::User(class) if class.kind == crate::class::Kind::Enum => {
            let all = vm.enum_values(&class.clone())?;
            Ok(vm.list_of(ListKind::Java(id::OBJECT), all))
        }
        _ => Ok(Value::Null),
    }),
    method("cast", 1, 1, |vm, this, args| {
        let ty = crate::code::Ty::Class(class(this)?.clone());
        vm.cast(args.first().cloned().unwrap_or_default(), &ty, false)
    }),
    method("isCase", 1, 1, |vm, this, args| {
        let [value] = args else { return Err(Raise::NoMatch) };
        Ok(Value::Bool(vm.is_a(value, class(this)?)))
    }),
    method("newInstance", 0, MANY, |vm, this, args| match class(this)? {
        ClassRef::User(class) => {
            let args = match args {
                [Value::List(list)] if matches!(list.kind, ListKind::Java(_)) => list.items.borrow().clone(),
                other => other.to_vec(),
            };
            let called = vm.construct(&class.clone(), args, Vec::new())?;
            vm.finish_nested(called)
        }
        ClassRef::Builtin(class) => vm.library_new(*class, args)?.ok_or(Raise::NoMatch),
    }),
];

macro_rules! throwables {
    ($($name:literal $min:literal $max:literal),* $(,)?) => {
        &[$(method($name, $min, $max, |vm, this, args| vm.throwable_method(this, $name, args)?.ok_or(Raise::NoMatch))),*]
    };
}

const THROWABLE: &[Method] = throwables![
    "getMessage" 0 0,
    "getLocalizedMessage" 0 0,
    "getCause" 0 0,
    "initCause" 1 1,
    "printStackTrace" 0 1,
    "getStackTrace" 0 0,
    "setStackTrace" 1 1,
    "fillInStackTrace" 0 0,
    "addSuppressed" 1 1,
    "getSuppressed" 0 0,
    "toString" 0 0,
    "getProperty" 0 0,
    "getMethod" 0 0,
    "getType" 0 0,
    "getArguments" 0 0,
];

fn variables(value: &Value) -> Result<Rc<crate::value::Map>, Raise> {
    match value {
        Value::Native(native) => {
            native.state::<BindingState>().map(|state| state.variables.clone()).ok_or(Raise::NoMatch)
        }
        _ => Err(Raise::NoMatch),
    }
}

fn new_binding(vm: &mut Vm, args: &[Value]) -> Answer {
    let variables = match args {
        [] => vm.binding(),
        [Value::Map(map)] => map.clone(),
        _ => return Err(Raise::NoMatch),
    };
    Ok(vm.binding_object(&variables))
}

const BINDING: &[Method] = &[
    method("getVariable", 1, 1, |vm, this, args| {
        let [name] = args else { return Err(Raise::NoMatch) };
        let key = Value::Str(vm.text(name)?);
        let map = variables(this)?;
        match vm.map_get(&map, &key)? {
            Some(value) => Ok(value),
            None => Err(vm.missing_property(this, &vm_name(name))),
        }
    }),
    method("hasVariable", 1, 1, |vm, this, args| {
        let [name] = args else { return Err(Raise::NoMatch) };
        let key = Value::Str(vm.text(name)?);
        let map = variables(this)?;
        Ok(Value::Bool(vm.map_get(&map, &key)?.is_some()))
    }),
    method("setVariable", 2, 2, |vm, this, args| {
        let [name, value] = args else { return Err(Raise::NoMatch) };
        let key = Value::Str(vm.text(name)?);
        let map = variables(this)?;
        vm.map_put(&map, key, value.clone())?;
        Ok(Value::Null)
    }),
    method("removeVariable", 1, 1, |vm, this, args| {
        let [name] = args else { return Err(Raise::NoMatch) };
        let key = Value::Str(vm.text(name)?);
        let map = variables(this)?;
        vm.map_remove(&map, &key)?;
        Ok(Value::Null)
    }),
    method("getVariables", 0, 0, |_, this, _| Ok(Value::Map(variables(this)?))),
];

fn vm_name(name: &Value) -> String {
    name.as_str().unwrap_or("").to_owned()
}
