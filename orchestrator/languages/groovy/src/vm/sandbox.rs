//! What no script may do, in the words of Jenkins' script security: files, processes, the system, reflection.

use super::{Raise, Vm};
use crate::types::TypeId;
use crate::value::Value;

/// Jenkins' exception.
const REJECTED: &str = "org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException";

/// Classes of which nothing is permitted, besides what [`PERMITTED`] names.
pub(crate) const FORBIDDEN: &[&str] = &[
    "java.io.File",
    "java.io.FileReader",
    "java.io.FileWriter",
    "java.io.FileInputStream",
    "java.io.FileOutputStream",
    "java.io.RandomAccessFile",
    "java.lang.ClassLoader",
    "java.lang.Process",
    "java.lang.ProcessBuilder",
    "java.lang.Runtime",
    "java.lang.System",
    "java.lang.Thread",
    "java.lang.ThreadGroup",
    "java.lang.reflect.Method",
    "java.lang.reflect.Field",
    "java.lang.reflect.Constructor",
    "java.net.Socket",
    "java.net.ServerSocket",
    "java.net.URLClassLoader",
    "java.net.URLConnection",
    "java.net.HttpURLConnection",
    "java.nio.file.Files",
    "java.nio.file.Path",
    "java.nio.file.Paths",
    "java.nio.file.FileSystems",
    "groovy.lang.GroovyShell",
    "groovy.lang.GroovyClassLoader",
    "groovy.lang.MetaClass",
    "groovy.lang.ExpandoMetaClass",
    "groovy.util.Eval",
    "groovy.util.GroovyScriptEngine",
    "groovy.sql.Sql",
    "groovy.grape.Grape",
    "org.codehaus.groovy.runtime.InvokerHelper",
    "javax.script.ScriptEngineManager",
    "sun.misc.Unsafe",
];

/// Static members of forbidden classes that Jenkins' list permits.
const PERMITTED: &[(&str, &str)] = &[
    ("java.lang.System", "currentTimeMillis"),
    ("java.lang.System", "nanoTime"),
    ("java.lang.System", "identityHashCode"),
    ("java.lang.System", "lineSeparator"),
    ("java.lang.System", "arraycopy"),
    ("java.lang.Thread", "sleep"),
];

/// Methods that are refused whatever the receiver.
const METHODS: &[(&str, &str)] = &[
    ("java.lang.String", "execute"),
    ("java.util.List", "execute"),
    ("java.lang.String", "toURL"),
    ("java.net.URL", "openConnection"),
    ("java.net.URL", "openStream"),
    ("java.net.URL", "getText"),
    ("java.lang.Class", "forName"),
    ("java.lang.Class", "getClassLoader"),
    ("java.lang.Class", "getDeclaredField"),
    ("java.lang.Class", "getDeclaredFields"),
    ("java.lang.Class", "getDeclaredMethod"),
    ("java.lang.Class", "getDeclaredMethods"),
    ("java.lang.Class", "getField"),
    ("java.lang.Class", "getMethod"),
    ("java.lang.Class", "getMethods"),
    ("java.lang.Class", "getConstructors"),
    ("java.lang.Class", "getProtectionDomain"),
    ("java.lang.Object", "getMetaClass"),
    ("java.lang.Object", "setMetaClass"),
];

fn reject(vm: &mut Vm, what: &str) -> Raise {
    vm.throw(REJECTED, format!("Scripts not permitted to use {what}"))
}

fn types(vm: &Vm, args: &[Value]) -> String {
    args.iter().map(|arg| format!(" {}", vm.class_name(arg))).collect()
}

/// The refusal of a method of an instance.
pub(crate) fn rejected(vm: &mut Vm, receiver: &Value, name: &str, args: &[Value]) -> Option<Raise> {
    let (class, _) = METHODS.iter().find(|(class, method)| {
        *method == name && vm.types.find(class).is_some_and(|class| vm.is_kind(receiver, class))
    })?;
    if matches!(receiver, Value::Object(_)) && vm.has_own(receiver, name) {
        return None;
    }
    if let (Value::Class(class), "forName") = (receiver, name) {
        let _ = class;
        let what = format!("staticMethod java.lang.Class forName{}", types(vm, args));
        return Some(reject(vm, &what));
    }
    let what = format!("method {class} {name}{}", types(vm, args));
    Some(reject(vm, &what))
}

/// The refusal of a static method or field.
pub(crate) fn rejected_static(vm: &mut Vm, class: TypeId, name: &str) -> Option<Raise> {
    let full = vm.types.get(class).name;
    if (full, name) == ("java.lang.Class", "forName") {
        return Some(reject(vm, "staticMethod java.lang.Class forName java.lang.String"));
    }
    if !FORBIDDEN.contains(&full)
        || PERMITTED.contains(&(full, name))
        || matches!(name, "getName" | "getSimpleName" | "name" | "simpleName" | "toString" | "class")
    {
        return None;
    }
    let rest = match (full, name) {
        ("java.lang.System", "exit") => " int",
        ("java.lang.System", "getenv" | "env" | "getProperty") => " java.lang.String",
        _ => "",
    };
    let what = format!("staticMethod {full} {name}{rest}");
    Some(reject(vm, &what))
}

/// The refusal of a constructor.
pub(crate) fn rejected_new(vm: &mut Vm, class: TypeId, args: &[Value]) -> Option<Raise> {
    let full = vm.types.get(class).name;
    FORBIDDEN.contains(&full).then(|| {
        let what = format!("new {full}{}", types(vm, args));
        reject(vm, &what)
    })
}
