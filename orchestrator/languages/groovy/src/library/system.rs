//! `System`, `Thread`, `Objects`, `Locale`, `TimeUnit`, and what the sandbox refuses.

use super::arguments::{long, string, yes};
use super::enumeration::{self, Constant};
use super::{Answer, Declared, Extension, MANY, Method, Static, function, method, rejected};
use crate::value::{ListKind, Value};
use crate::vm::{Raise, Vm};

/// State of a `Locale`: all are English here, since nothing localised is printed.
pub(crate) struct Locale(&'static str);

const UNIT: &str = "java.util.concurrent.TimeUnit";
const LOCALE: &str = "java.util.Locale";

const fn class(name: &'static str) -> Declared {
    Declared { name, parent: "java.lang.Object", interfaces: &[], interface: false }
}

pub(super) const DECLARED: &[Declared] = &[
    class("java.lang.System"),
    class("java.lang.Thread"),
    class("java.lang.Runtime"),
    class("java.lang.ProcessBuilder"),
    class("java.util.Objects"),
    class(LOCALE),
    Declared { name: UNIT, parent: "java.lang.Enum", interfaces: &[], interface: false },
    class("java.io.File"),
    class("java.io.FileReader"),
    class("java.io.FileWriter"),
    class("java.io.FileInputStream"),
    class("java.io.FileOutputStream"),
    class("java.nio.file.Files"),
    class("java.nio.file.Paths"),
    class("java.net.Socket"),
    class("groovy.lang.GroovyShell"),
    class("groovy.util.Eval"),
    class("groovy.util.XmlSlurper"),
    class("groovy.util.XmlParser"),
    class("groovy.util.ConfigSlurper"),
    class("groovy.util.Expando"),
    class("groovy.text.SimpleTemplateEngine"),
    class("groovy.text.GStringTemplateEngine"),
];

pub(super) const EXTENSIONS: &[Extension] = &[
    Extension { of: "java.lang.System", methods: &[], statics: SYSTEM, new: None },
    refused("groovy.util.XmlSlurper", |vm, _| Err(rejected(vm, "new groovy.util.XmlSlurper"))),
    refused("groovy.util.XmlParser", |vm, _| Err(rejected(vm, "new groovy.util.XmlParser"))),
    refused("groovy.util.ConfigSlurper", |vm, _| Err(rejected(vm, "new groovy.util.ConfigSlurper"))),
    refused("groovy.util.Expando", |vm, _| Err(rejected(vm, "new groovy.util.Expando"))),
    refused("groovy.text.SimpleTemplateEngine", |vm, _| Err(rejected(vm, "new groovy.text.SimpleTemplateEngine"))),
    refused("groovy.text.GStringTemplateEngine", |vm, _| Err(rejected(vm, "new groovy.text.GStringTemplateEngine"))),
    Extension {
        of: "java.lang.Thread",
        methods: &[],
        statics: &[
            // A script has no thread to stop; a pipeline waits with the step `sleep`.
            function("sleep", 1, 2, |_, args| long(args.first().ok_or(Raise::NoMatch)?).map(|_| Value::Null)),
            function("currentThread", 0, 0, |vm, _| Err(rejected(vm, "staticMethod java.lang.Thread currentThread"))),
        ],
        new: None,
    },
    Extension {
        of: "java.lang.Runtime",
        methods: &[],
        statics: &[function("getRuntime", 0, 0, |vm, _| {
            Err(rejected(vm, "staticMethod java.lang.Runtime getRuntime"))
        })],
        new: None,
    },
    Extension {
        of: "java.lang.ProcessBuilder",
        methods: &[],
        statics: &[],
        new: Some(|vm, _| Err(rejected(vm, "new java.lang.ProcessBuilder java.lang.String[]"))),
    },
    Extension { of: "java.util.Objects", methods: &[], statics: OBJECTS, new: None },
    Extension {
        of: LOCALE,
        methods: &[method("toString", 0, 0, |_, this, _| string(locale(this)?))],
        statics: LOCALES,
        new: Some(|vm, _| Ok(vm.native(LOCALE, Locale("en")))),
    },
    Extension { of: UNIT, methods: UNITS, statics: UNIT_STATICS, new: None },
    Extension { of: UNIT, methods: enumeration::METHODS, statics: &[], new: None },
    Extension {
        of: "java.io.File",
        methods: &[],
        statics: FILE_STATICS,
        new: Some(|vm, _| Err(rejected(vm, "new java.io.File java.lang.String"))),
    },
    Extension {
        of: "java.io.FileReader",
        methods: &[],
        statics: &[],
        new: Some(|vm, _| Err(rejected(vm, "new java.io.FileReader java.lang.String"))),
    },
    Extension {
        of: "java.io.FileWriter",
        methods: &[],
        statics: &[],
        new: Some(|vm, _| Err(rejected(vm, "new java.io.FileWriter java.lang.String"))),
    },
    Extension {
        of: "java.io.FileInputStream",
        methods: &[],
        statics: &[],
        new: Some(|vm, _| Err(rejected(vm, "new java.io.FileInputStream java.lang.String"))),
    },
    Extension {
        of: "java.io.FileOutputStream",
        methods: &[],
        statics: &[],
        new: Some(|vm, _| Err(rejected(vm, "new java.io.FileOutputStream java.lang.String"))),
    },
    Extension {
        of: "java.nio.file.Paths",
        methods: &[],
        statics: &[function("get", 1, MANY, |vm, _| {
            Err(rejected(vm, "staticMethod java.nio.file.Paths get java.lang.String java.lang.String[]"))
        })],
        new: None,
    },
    Extension {
        of: "java.net.Socket",
        methods: &[],
        statics: &[],
        new: Some(|vm, _| Err(rejected(vm, "new java.net.Socket java.lang.String int"))),
    },
    Extension {
        of: "groovy.lang.GroovyShell",
        methods: &[],
        statics: &[],
        new: Some(|vm, _| Err(rejected(vm, "new groovy.lang.GroovyShell"))),
    },
    Extension {
        of: "groovy.util.Eval",
        methods: &[],
        statics: &[function("me", 1, MANY, |vm, _| {
            Err(rejected(vm, "staticMethod groovy.util.Eval me java.lang.String"))
        })],
        new: None,
    },
];

/// A class that no list of Jenkins' sandbox lets a script make.
const fn refused(of: &'static str, new: fn(&mut Vm, &[Value]) -> Answer) -> Extension {
    Extension { of, methods: &[], statics: &[], new: Some(new) }
}

const FILE_STATICS: &[Static] = &[
    function("separator", 0, 0, |_, _| string("/")),
    function("pathSeparator", 0, 0, |_, _| string(":")),
    function("createTempFile", 1, MANY, |vm, _| {
        Err(rejected(vm, "staticMethod java.io.File createTempFile java.lang.String java.lang.String"))
    }),
];

const SYSTEM: &[Static] = &[
    function("currentTimeMillis", 0, 0, |vm, _| Ok(Value::Long(vm.now_ms()))),
    function("nanoTime", 0, 0, |vm, _| Ok(Value::Long(vm.now_ms().saturating_mul(1_000_000)))),
    function("lineSeparator", 0, 0, |_, _| string("\n")),
    function("getProperty", 1, 2, |vm, args| {
        let name = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
        match &*name {
            "line.separator" => string("\n"),
            "file.separator" => string("/"),
            "path.separator" => string(":"),
            _ => Err(rejected(vm, "staticMethod java.lang.System getProperty java.lang.String")),
        }
    }),
    function("getenv", 0, 1, |vm, args| {
        let argument = if args.is_empty() { "" } else { " java.lang.String" };
        Err(rejected(vm, &format!("staticMethod java.lang.System getenv{argument}")))
    }),
    function("setProperty", 2, 2, |vm, _| {
        Err(rejected(vm, "staticMethod java.lang.System setProperty java.lang.String java.lang.String"))
    }),
    function("exit", 1, 1, |vm, _| Err(rejected(vm, "staticMethod java.lang.System exit int"))),
    function("gc", 0, 0, |vm, _| Err(rejected(vm, "staticMethod java.lang.System gc"))),
    function("identityHashCode", 1, 1, |vm, args| {
        let value = args.first().ok_or(Raise::NoMatch)?;
        Ok(Value::Int(if let Value::Object(object) = value { object.id.cast_signed() } else { vm.hash(value)? }))
    }),
    function("arraycopy", 5, 5, |vm, args| {
        let [Value::List(from), at, Value::List(to), into, many] = args else { return Err(Raise::NoMatch) };
        let (at, into, many) =
            (super::arguments::index(vm, at)?, super::arguments::index(vm, into)?, super::arguments::index(vm, many)?);
        let part = from.items.borrow().get(at..at.saturating_add(many)).map(<[Value]>::to_vec);
        let length = to.items.borrow().len();
        let (Some(part), true) = (part, into.saturating_add(many) <= length && matches!(to.kind, ListKind::Java(_)))
        else {
            return Err(vm.throw("java.lang.ArrayIndexOutOfBoundsException", "arraycopy: last index out of bounds"));
        };
        for (place, item) in to.items.borrow_mut().iter_mut().skip(into).zip(part) {
            *place = item;
        }
        Ok(Value::Null)
    }),
];

const OBJECTS: &[Static] = &[
    function("equals", 2, 2, |vm, args| match args {
        [a, b] => yes(super::object::java_equals(vm, a, b)?),
        _ => Err(Raise::NoMatch),
    }),
    function("hash", 0, MANY, |vm, args| {
        let list = vm.list(args.to_vec());
        Ok(Value::Int(vm.hash(&list)?))
    }),
    function("hashCode", 1, 1, |vm, args| Ok(Value::Int(vm.hash(args.first().ok_or(Raise::NoMatch)?)?))),
    function("isNull", 1, 1, |_, args| yes(args.first().is_some_and(Value::is_null))),
    function("nonNull", 1, 1, |_, args| yes(!args.first().is_some_and(Value::is_null))),
    function("toString", 1, 2, |vm, args| match args {
        [Value::Null, otherwise] => Ok(otherwise.clone()),
        [value, ..] => Ok(Value::Str(super::object::java_text(vm, value)?)),
        _ => Err(Raise::NoMatch),
    }),
    function("requireNonNull", 1, 2, |vm, args| match args {
        [Value::Null] => Err(vm.exception_without_message("java.lang.NullPointerException")),
        [Value::Null, text] => {
            let text = vm.text(text)?;
            Err(vm.throw("java.lang.NullPointerException", text))
        }
        [value, ..] => Ok(value.clone()),
        _ => Err(Raise::NoMatch),
    }),
];

const LOCALES: &[Static] = &[
    function("US", 0, 0, |vm, _| Ok(vm.native(LOCALE, Locale("en_US")))),
    function("ENGLISH", 0, 0, |vm, _| Ok(vm.native(LOCALE, Locale("en")))),
    function("UK", 0, 0, |vm, _| Ok(vm.native(LOCALE, Locale("en_GB")))),
    function("ROOT", 0, 0, |vm, _| Ok(vm.native(LOCALE, Locale("")))),
    function("getDefault", 0, 0, |vm, _| Ok(vm.native(LOCALE, Locale("en_US")))),
];

fn locale(this: &Value) -> Result<&'static str, Raise> {
    match this {
        Value::Native(native) => native.state::<Locale>().map(|locale| locale.0).ok_or(Raise::NoMatch),
        _ => Err(Raise::NoMatch),
    }
}

/// Names and nanoseconds.
const UNIT_TABLE: [(&str, i128); 7] = [
    ("NANOSECONDS", 1),
    ("MICROSECONDS", 1_000),
    ("MILLISECONDS", 1_000_000),
    ("SECONDS", 1_000_000_000),
    ("MINUTES", 60_000_000_000),
    ("HOURS", 3_600_000_000_000),
    ("DAYS", 86_400_000_000_000),
];

const UNITS: &[Method] = &[
    method("toNanos", 1, 1, |_, this, args| to(this, args, 0)),
    method("toMicros", 1, 1, |_, this, args| to(this, args, 1)),
    method("toMillis", 1, 1, |_, this, args| to(this, args, 2)),
    method("toSeconds", 1, 1, |_, this, args| to(this, args, 3)),
    method("toMinutes", 1, 1, |_, this, args| to(this, args, 4)),
    method("toHours", 1, 1, |_, this, args| to(this, args, 5)),
    method("toDays", 1, 1, |_, this, args| to(this, args, 6)),
    method("sleep", 1, 1, |_, _, _| Ok(Value::Null)),
    method("convert", 2, 2, |_, this, args| {
        let [amount, from] = args else { return Err(Raise::NoMatch) };
        let place = enumeration::ordinal(this).ok_or(Raise::NoMatch)?;
        to(from, std::slice::from_ref(amount), place)
    }),
];

const UNIT_STATICS: &[Static] = &[
    function("NANOSECONDS", 0, 0, |vm, _| Ok(unit(vm, 0))),
    function("MICROSECONDS", 0, 0, |vm, _| Ok(unit(vm, 1))),
    function("MILLISECONDS", 0, 0, |vm, _| Ok(unit(vm, 2))),
    function("SECONDS", 0, 0, |vm, _| Ok(unit(vm, 3))),
    function("MINUTES", 0, 0, |vm, _| Ok(unit(vm, 4))),
    function("HOURS", 0, 0, |vm, _| Ok(unit(vm, 5))),
    function("DAYS", 0, 0, |vm, _| Ok(unit(vm, 6))),
    function("valueOf", 1, 1, |vm, args| {
        let name = vm.str_arg(args.first().ok_or(Raise::NoMatch)?)?;
        match UNIT_TABLE.iter().position(|(known, _)| *known == &*name) {
            Some(at) => Ok(unit(vm, at)),
            None => super::arguments::illegal(vm, format!("No enum constant {UNIT}.{name}")),
        }
    }),
];

fn unit(vm: &mut Vm, at: usize) -> Value {
    let name = UNIT_TABLE.get(at).map_or("", |(name, _)| name);
    vm.native(UNIT, Constant { name, ordinal: at })
}

fn to(from: &Value, args: &[Value], place: usize) -> Answer {
    let amount = i128::from(long(args.first().ok_or(Raise::NoMatch)?)?);
    let nanos = |at: Option<usize>| at.and_then(|at| UNIT_TABLE.get(at)).map(|(_, nanos)| *nanos).ok_or(Raise::NoMatch);
    let answer = amount * nanos(enumeration::ordinal(from))? / nanos(Some(place))?;
    Ok(Value::Long(i64::try_from(answer).unwrap_or(if answer < 0 { i64::MIN } else { i64::MAX })))
}
