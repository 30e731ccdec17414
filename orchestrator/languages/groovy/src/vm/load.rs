//! Sources become classes; names become classes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use haliotis_groovy_syntax::{Script, Span};

use super::thread::{Called, Invocation, Then, Thread};
use super::{Raise, Vm};
use crate::class::{Class, Init, Kind, Method};
use crate::code::{Code, TypeSpec};
use crate::compile::{self, ClassDef};
use crate::heap::Heap;
use crate::host::Host;
use crate::library::{Answer, PRELUDE};
use crate::types::{TypeId, id, types};
use crate::value::{ClassRef, Map, MapKind, Object, Value};

/// What is wrong with a source that was to be loaded.
#[derive(Debug, Clone)]
pub struct LoadError {
    /// The file.
    pub file: String,
    /// In Groovy's words.
    pub message: String,
    /// Where.
    pub span: Span,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// Methods of the prelude: by name, with the library class they belong to.
#[derive(Default)]
pub(crate) struct Prelude {
    methods: BTreeMap<Rc<str>, Vec<(TypeId, Rc<Method>)>>,
    classes: Vec<Rc<Class>>,
}

thread_local! {
    static PRELUDES: RefCell<Option<Rc<Prelude>>> = const { RefCell::new(None) };
}

impl Vm {
    /// A machine without scripts.
    pub fn new(host: Rc<dyn Host>) -> Self {
        let mut vm = Self {
            types: types(),
            heap: Heap::default(),
            host,
            next_id: 0,
            depth: 0,
            nested: 0,
            extend_trace: false,
            spent: 0,
            weigh_stack: false,
            stack_bytes: 0,
            classes: BTreeMap::new(),
            categories: Vec::new(),
            prelude: Rc::default(),
            ancestors: RefCell::default(),
        };
        vm.prelude = vm.preludes();
        vm
    }

    fn preludes(&mut self) -> Rc<Prelude> {
        if let Some(prelude) = PRELUDES.with(|prelude| prelude.borrow().clone()) {
            return prelude;
        }
        let mut all = Prelude::default();
        let mut sources: BTreeMap<&str, Vec<Rc<Class>>> = BTreeMap::new();
        for (of, class, source) in PRELUDE {
            let compiled = sources.entry(*source).or_insert_with(|| prelude_classes(source));
            let (Some(of), Some(class)) =
                (self.types.find(of), compiled.iter().find(|known| &*known.simple == *class).cloned())
            else {
                debug_assert!(false, "the prelude names {of} and {class}, and one of them is not there");
                continue;
            };
            for (name, methods) in class.methods.borrow().iter() {
                all.methods.entry(name.clone()).or_default().extend(methods.iter().map(|method| (of, method.clone())));
            }
            all.classes.push(class);
        }
        let all = Rc::new(all);
        PRELUDES.with(|prelude| *prelude.borrow_mut() = Some(all.clone()));
        all
    }

    /// Whether the prelude has a method of this name for a library class itself.
    pub(crate) fn prelude_has(&self, of: TypeId, name: &str) -> bool {
        self.prelude.methods.get(name).is_some_and(|all| all.iter().any(|(known, _)| *known == of))
    }

    /// A method of the prelude for a receiver.
    pub(crate) fn try_prelude(&mut self, receiver: &Value, name: &str, args: &[Value]) -> super::call::Tried {
        let prelude = self.prelude.clone();
        let Some(all) = prelude.methods.get(name) else { return Ok(None) };
        let ancestors = self.library_ancestors(receiver);
        let mut with = Vec::with_capacity(args.len() + 1);
        with.push(receiver.clone());
        with.extend_from_slice(args);
        for above in ancestors.iter() {
            let methods: Vec<Rc<Method>> =
                all.iter().filter(|(of, _)| of == above).map(|(_, method)| method.clone()).collect();
            if methods.is_empty() {
                continue;
            }
            if let Some(called) = self.try_methods(&methods, receiver, &with)? {
                return Ok(Some(called));
            }
        }
        Ok(None)
    }

    /// A static method that the prelude gives a library class: its methods whose name begins with `static_`.
    pub(crate) fn try_prelude_static(&mut self, class: TypeId, name: &str, args: &[Value]) -> super::call::Tried {
        let prelude = self.prelude.clone();
        let Some(all) = prelude.methods.get(format!("static_{name}").as_str()) else { return Ok(None) };
        let methods: Vec<Rc<Method>> =
            all.iter().filter(|(of, _)| *of == class).map(|(_, method)| method.clone()).collect();
        self.try_methods(&methods, &Value::Null, args)
    }

    /// Whether a value's library classes have a method of this name.
    pub(crate) fn library_has(&self, value: &Value, name: &str) -> bool {
        let ancestors = self.library_ancestors(value);
        let native =
            ancestors.iter().any(|above| self.types.get(*above).methods.iter().any(|method| method.name == name));
        native || self.prelude.methods.get(name).is_some_and(|all| all.iter().any(|(of, _)| ancestors.contains(of)))
    }

    /// Library classes above a script's class, nearest first.
    pub(crate) fn user_ancestors(&self, class: &Rc<Class>) -> Rc<[TypeId]> {
        if let Some(known) = self.ancestors.borrow().get(&class.name) {
            return known.clone();
        }
        let mut all: Vec<TypeId> = Vec::new();
        for above in class.lineage() {
            let mut named: Vec<ClassRef> = vec![above.superclass.borrow().clone()];
            named.extend(above.interfaces.borrow().iter().cloned());
            for named in named {
                if let ClassRef::Builtin(named) = named {
                    for one in self.types.get(named).ancestors.iter() {
                        if !all.contains(one) {
                            all.push(*one);
                        }
                    }
                }
            }
        }
        if class.kind == Kind::Enum && !all.contains(&id::ENUM) {
            all.insert(0, id::ENUM);
        }
        all.retain(|one| *one != id::OBJECT);
        all.push(id::OBJECT);
        let all: Rc<[TypeId]> = all.into();
        self.ancestors.borrow_mut().insert(class.name.clone(), all.clone());
        all
    }

    /// Loads sources together, so that their classes may name each other whatever their order. Each comes with the
    /// name of its script class.
    ///
    /// # Errors
    /// The first thing that is wrong; nothing is loaded then.
    pub fn load(&mut self, sources: &[(&Script, &str)]) -> Result<(), LoadError> {
        let mut defs: Vec<ClassDef> = Vec::new();
        for (script, name) in sources {
            let compiled = compile::compile(script, name, false).map_err(|error| {
                let place = script.lines.place(error.span.start);
                LoadError {
                    file: script.file.to_string(),
                    message: error.message,
                    span: error.span,
                    line: place.line,
                    column: place.column,
                }
            })?;
            defs.extend(compiled.classes);
        }
        self.ancestors.borrow_mut().clear();
        for def in &defs {
            self.classes.insert(def.class.name.clone(), def.class.clone());
        }
        let linked: Vec<_> = defs.iter().map(|def| (def, self.link(def))).collect();
        let checked: Vec<_> =
            linked.into_iter().map(|(def, done)| (def, done.and_then(|()| self.check(def)))).collect();
        for (def, done) in checked {
            if let Err((message, span)) = done {
                for def in &defs {
                    self.classes.remove(&def.class.name);
                    def.class.clear();
                }
                let place = def.class.unit.lines.place(span.start);
                return Err(LoadError {
                    file: def.class.unit.file.to_string(),
                    message,
                    span,
                    line: place.line,
                    column: place.column,
                });
            }
        }
        Ok(())
    }

    fn link(&mut self, def: &ClassDef) -> Result<(), (String, Span)> {
        let unit = def.class.unit.clone();
        let mut look = |spec: &TypeSpec| match self.class_named(&spec.name, &unit) {
            Some(Value::Class(class)) => Ok(class),
            _ => Err((format!("unable to resolve class {} ", spec.name), def.span)),
        };
        if let Some(spec) = &def.superclass {
            let above = look(spec)?;
            let interface = match &above {
                ClassRef::User(class) => class.is_interface(),
                ClassRef::Builtin(class) => types().get(*class).interface,
            };
            if interface && def.anonymous {
                def.class.interfaces.borrow_mut().push(above);
            } else {
                *def.class.superclass.borrow_mut() = above;
            }
        }
        if def.class.kind == Kind::Enum && def.superclass.is_none() {
            *def.class.superclass.borrow_mut() = ClassRef::Builtin(id::ENUM);
        }
        for spec in &def.interfaces {
            let above = look(spec)?;
            def.class.interfaces.borrow_mut().push(above);
        }
        let mut at = def.class.user_super();
        while let Some(above) = at {
            if Rc::ptr_eq(&above, &def.class) {
                *def.class.superclass.borrow_mut() = ClassRef::Builtin(id::OBJECT);
                return Err((
                    format!("Cyclic inheritance involving {} in class {}", above.name, def.class.name),
                    def.span,
                ));
            }
            at = above.user_super();
        }
        Ok(())
    }

    /// What Groovy's compiler refuses: `new` of classes that are not there or cannot have instances, and classes that
    /// leave methods open.
    fn check(&mut self, def: &ClassDef) -> Result<(), (String, Span)> {
        let class = &def.class;
        let mut codes: Vec<Rc<Code>> =
            class.init.borrow().iter().chain(class.clinit.borrow().iter()).cloned().collect();
        codes.extend(class.methods.borrow().values().flatten().map(|method| method.code.clone()));
        codes.extend(class.constructors.borrow().iter().map(|method| method.code.clone()));
        while let Some(code) = codes.pop() {
            codes.extend(code.closures.iter().cloned());
            self.check_news(&code)?;
        }
        if class.is_abstract || class.is_interface() || def.anonymous || class.kind == Kind::Enum {
            return Ok(());
        }
        for above in class.lineage() {
            for (name, methods) in above.methods.borrow().iter() {
                for open in methods.iter().filter(|method| method.is_abstract) {
                    let count = open.code.params.len();
                    let done =
                        class.find(name).iter().any(|method| !method.is_abstract && method.code.params.len() == count)
                            || self.has_accessor(class, name, count);
                    if !done {
                        let message = format!(
                            "Can't have an abstract method in a non-abstract class. The class '{}' must be declared abstract or the method '{name}' must be implemented.",
                            class.name
                        );
                        return Err((message, def.span));
                    }
                }
            }
        }
        Ok(())
    }

    fn has_accessor(&self, class: &Rc<Class>, name: &str, count: usize) -> bool {
        let prefix = if count == 0 { ["get", "is"] } else { ["set", "set"] };
        class.lineage().iter().any(|above| {
            above.fields.borrow().iter().any(|field| {
                field.property && prefix.iter().any(|prefix| super::property::accessor(prefix, &field.name) == name)
            })
        }) || self
            .user_ancestors(class)
            .iter()
            .any(|above| self.types.get(*above).methods.iter().any(|method| method.name == name))
            || matches!((name, count), ("toString" | "hashCode", 0) | ("equals" | "compareTo", 1))
    }

    fn check_news(&mut self, code: &Rc<Code>) -> Result<(), (String, Span)> {
        for (op, place) in code.ops.iter().zip(&code.places) {
            let crate::code::Op::New(index) = op else { continue };
            let Some(site) = code.calls.get(*index as usize) else { continue };
            let Some(spec) = code.types.get(site.ty as usize) else { continue };
            let span = Span::new(*place, *place);
            let imported = spec.name.contains('.') || code.unit.imports.contains_key(&spec.name);
            match self.class_named(&spec.name, &code.unit) {
                None if !imported => return Err((format!("unable to resolve class {} ", spec.name), span)),
                Some(Value::Class(ClassRef::User(class)))
                    if &*site.name == "<init>" && (class.is_abstract || class.is_interface()) =>
                {
                    let kind = if class.is_interface() { "interface" } else { "class" };
                    return Err((
                        format!("You cannot create an instance from the abstract {kind} '{}'.", class.name),
                        span,
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A binding: the variables that scripts share.
    pub fn binding(&mut self) -> Rc<Map> {
        self.map(MapKind::Linked)
    }

    /// An instance of a loaded script's class over a binding.
    ///
    /// # Errors
    /// No such class; too deep a class hierarchy.
    pub fn script(&mut self, class: &str, binding: &Rc<Map>) -> Answer {
        let Some(class) = self.classes.get(class).cloned() else {
            return Err(self.throw("java.lang.ClassNotFoundException", class));
        };
        self.next_id += 1;
        let fields = self.blank_fields(&class);
        let object = self.heap.keep(Object {
            id: self.next_id,
            class: ClassRef::User(class.clone()),
            fields: fields.into(),
            binding: Some(binding.clone()),
            trace: RefCell::default(),
        });
        let value = Value::Object(object);
        self.init_class(&class)?;
        if let Some(code) = class.init.borrow().clone() {
            let invocation = self.plain_invocation(code, value.clone(), Some(class.clone()));
            self.finish_nested(Called::Enter(Box::new(invocation)))?;
        }
        Ok(value)
    }

    /// A thread that calls a method, `run` for a script's body.
    pub fn thread(&mut self, receiver: &Value, method: &str, args: Vec<Value>) -> Thread {
        let mut thread = Thread::default();
        let called = self.invoke(receiver, method, args);
        self.begin(&mut thread, called);
        thread
    }

    /// A thread that calls a closure: the body of a block step.
    pub fn closure_thread(&mut self, closure: &Value, args: Vec<Value>) -> Thread {
        let mut thread = Thread::default();
        let called = match closure {
            Value::Closure(closure) => self.call_closure_with(closure, args),
            other => self.invoke(other, "call", args),
        };
        self.begin(&mut thread, called);
        thread
    }

    fn begin(&mut self, thread: &mut Thread, called: Result<Called, Raise>) {
        match called {
            Ok(Called::Enter(invocation)) => thread.start = Some(invocation),
            Ok(Called::Value(value)) => thread.answer = Some(Ok(value)),
            Ok(other) => thread.first = Some(other),
            Err(raise) => thread.answer = Some(Err(raise)),
        }
    }

    pub(crate) fn plain_invocation(&self, code: Rc<Code>, this: Value, class: Option<Rc<Class>>) -> Invocation {
        Invocation { code, this, closure: None, class, args: Vec::new(), given: 0, then: Then::Discard }
    }

    /// Runs the static part of a class once.
    pub(crate) fn init_class(&mut self, class: &Rc<Class>) -> Result<(), Raise> {
        if class.initialised.get() == Init::Yes {
            return Ok(());
        }
        class.initialised.set(Init::Yes);
        if let Some(above) = class.user_super() {
            self.init_class(&above)?;
        }
        for field in class.fields.borrow().iter().filter(|field| field.is_static) {
            let ty = TypeSpec { name: field.ty.name.clone(), dimensions: field.ty.dimensions };
            let ty = self.resolve_spec(&ty, &class.unit)?;
            let zero = self.zero(&ty);
            class.statics.borrow_mut().push((field.name.clone(), zero));
        }
        let code = class.clinit.borrow().clone();
        if let Some(code) = code {
            let this = Value::Class(ClassRef::User(class.clone()));
            let invocation = self.plain_invocation(code, this, Some(class.clone()));
            self.finish_nested(Called::Enter(Box::new(invocation)))?;
        }
        Ok(())
    }
}

fn prelude_classes(source: &str) -> Vec<Rc<Class>> {
    let parsed = haliotis_groovy_syntax::parse(source, "prelude.groovy")
        .map_err(|errors| errors.first().map_or_else(String::new, ToString::to_string));
    let compiled = parsed.and_then(|script| compile::compile(&script, "Prelude", true).map_err(|error| error.message));
    match compiled {
        Ok(compiled) => compiled.classes.into_iter().map(|def| def.class).collect(),
        Err(message) => {
            debug_assert!(false, "the prelude does not compile: {message}");
            Vec::new()
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        for class in self.classes.values() {
            class.clear();
        }
        self.heap.clear();
    }
}

impl std::fmt::Display for LoadError {
    /// As the Groovy compiler prints it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} @ line {}, column {}.", self.message, self.line, self.column)
    }
}

impl std::error::Error for LoadError {}

impl Vm {
    /// Whether a class of this full name was loaded.
    pub fn has_class(&self, name: &str) -> bool {
        self.classes.contains_key(name)
    }
}

impl Vm {
    /// `evaluate(text)`: a script of its own over the same binding.
    pub(crate) fn evaluate(&mut self, around: &Value, source: &str) -> Result<Called, Raise> {
        self.next_id += 1;
        let name = format!("Script{}", self.next_id);
        let file = format!("{name}.groovy");
        let parsed = haliotis_groovy_syntax::parse(source, &file)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        let loaded = parsed.and_then(|script| self.load(&[(&script, &name)]).map_err(|error| error.to_string()));
        if let Err(message) = loaded {
            let text = format!("startup failed:\n{file}: {message}\n");
            return Err(self.throw("org.codehaus.groovy.control.MultipleCompilationErrorsException", text));
        }
        let binding = match around {
            Value::Object(object) => object.binding.clone(),
            _ => None,
        };
        let binding = binding.unwrap_or_else(|| self.binding());
        let script = self.script(&name, &binding)?;
        self.invoke(&script, "run", Vec::new())
    }
}
