//! From the tree to instructions.
//!
//! One [`Func`] is open per function being compiled. Local variables are slots; a slot that a closure captures is found
//! out when the closure is compiled, so `seal` rewrites the reads and writes of such slots at the end. Statements
//! leave nothing on the operand stack, so an exception handler and a loop need no bookkeeping about it.

mod assert;
mod call;
mod class;
mod expr;
mod stmt;
mod target;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{self, Block, Modifiers, TypeRef};

use crate::class::Class;
use crate::code::{CallSite, Capture, Code, Op, Param, TypeSpec, Unit};
use crate::value::Value;

pub(crate) use class::ClassDef;
pub(crate) use stmt::is_primitive;

/// How deep the compiler recurses; the parser refuses deeper nesting, and only a long chain of calls comes near.
const MAX_RECURSION: u32 = 700;

/// What is wrong with a tree that was parsed.
#[derive(Debug, Clone)]
pub(crate) struct CompileError {
    /// In Groovy's words.
    pub(crate) message: String,
    /// Where.
    pub(crate) span: Span,
}

type Done = Result<(), CompileError>;

/// The result for one file.
pub(crate) struct Compiled {
    /// Classes, the script's own first.
    pub(crate) classes: Vec<ClassDef>,
}

/// A local variable.
#[derive(Clone)]
struct Local {
    slot: u32,
    /// Index into `types`, when declared with one that needs conversion.
    ty: Option<u32>,
}

/// Where a name leads.
enum Found {
    Slot(Local),
    Up(u32, Option<TypeSpec>),
    /// A variable of the function around an anonymous class: a hidden field.
    Field(Rc<str>),
}

/// What must happen when control leaves a region early.
#[derive(Clone)]
enum Cleanup<'a> {
    /// An open handler.
    Handler,
    /// A handler, and a block to run.
    Finally(&'a Block),
}

/// A statement that `break` or `continue` may name.
struct Target {
    labels: Vec<Rc<str>>,
    is_loop: bool,
    cleanups: usize,
    breaks: Vec<usize>,
    continues: Vec<usize>,
}

/// A function being compiled.
struct Func<'a> {
    name: Rc<str>,
    class_name: Rc<str>,
    is_static: bool,
    /// A closure; else it has no function around it, or the class boundary of an anonymous class.
    closure: bool,
    implicit_it: bool,
    /// In a constructor or script and so on: fields that `this` has.
    params: Vec<Param>,
    ops: Vec<Op>,
    places: Vec<u32>,
    consts: Vec<Value>,
    names: Vec<Rc<str>>,
    name_index: BTreeMap<Rc<str>, u32>,
    calls: Vec<CallSite>,
    gstrings: Vec<Vec<Rc<str>>>,
    closures: Vec<Rc<Code>>,
    types: Vec<TypeSpec>,
    captures: Vec<Capture>,
    captured: Vec<(Rc<str>, Option<TypeSpec>)>,
    asserts: Vec<(Rc<str>, u32)>,
    result: Option<u32>,
    scopes: Vec<BTreeMap<Rc<str>, Local>>,
    slots: u32,
    boxed: BTreeSet<u32>,
    targets: Vec<Target>,
    cleanups: Vec<Cleanup<'a>>,
    noting: bool,
    void: bool,
    /// Fields that an anonymous class' methods read from the function around it: (variable, hidden field).
    hidden_fields: Option<Rc<RefCell<BTreeSet<Rc<str>>>>>,
}

/// The compiler of one file.
pub(crate) struct Compiler<'a> {
    script: &'a ast::Script,
    unit: Rc<Unit>,
    funcs: Vec<Func<'a>>,
    classes: Vec<ClassDef>,
    /// The class whose members are being compiled.
    within: Vec<Rc<Class>>,
    anonymous: u32,
    /// Closures of the class so far.
    closures: u32,
    at: u32,
    recursion: u32,
    /// Of the prelude.
    quiet: bool,
    /// Of the anonymous classes being compiled: the variables around them that they use.
    hidden: Vec<Rc<RefCell<BTreeSet<Rc<str>>>>>,
}

/// Compiles a file. `class` is the name of the script's class.
pub(crate) fn compile(script: &ast::Script, class: &str, hidden: bool) -> Result<Compiled, CompileError> {
    let unit = Rc::new(unit(script, class));
    let mut compiler = Compiler {
        script,
        unit,
        funcs: Vec::new(),
        classes: Vec::new(),
        within: Vec::new(),
        anonymous: 0,
        closures: 0,
        at: 0,
        recursion: 0,
        quiet: hidden,
        hidden: Vec::new(),
    };
    compiler.file(class)?;
    Ok(Compiled { classes: compiler.classes })
}

fn unit(script: &ast::Script, class: &str) -> Unit {
    let package = script.package.as_ref().map(|package| Rc::from(&*package.name));
    let mut unit = Unit {
        file: Rc::from(&*script.file),
        lines: script.lines.clone(),
        package: package.clone(),
        imports: BTreeMap::new(),
        stars: Vec::new(),
        statics: BTreeMap::new(),
        static_stars: Vec::new(),
        classes: BTreeMap::new(),
    };
    for import in &script.imports {
        let path: Rc<str> = Rc::from(&*import.path);
        match (import.is_static, import.star) {
            (false, true) => unit.stars.push(path),
            (false, false) => {
                let local = import.local_name().unwrap_or_default();
                unit.imports.insert(Rc::from(local), path);
            }
            (true, true) => unit.static_stars.push(path),
            (true, false) => {
                let local: Rc<str> = Rc::from(import.local_name().unwrap_or_default());
                let (owner, member) = path.rsplit_once('.').unwrap_or(("", &path));
                unit.statics.insert(local, (Rc::from(owner), Rc::from(member)));
            }
        }
    }
    let prefix = package.map(|package| format!("{package}.")).unwrap_or_default();
    for inner in &script.classes {
        name_classes(&mut unit.classes, inner, "", &prefix);
    }
    unit.classes.entry(Rc::from(class)).or_insert_with(|| Rc::from(format!("{prefix}{class}")));
    unit
}

fn name_classes(names: &mut BTreeMap<Rc<str>, Rc<str>>, class: &ast::Class, outer: &str, prefix: &str) {
    let simple = &*class.name.name;
    let full: Rc<str> = Rc::from(format!("{prefix}{simple}"));
    let dotted = if outer.is_empty() { simple.to_owned() } else { format!("{outer}.{simple}") };
    names.insert(Rc::from(dotted.as_str()), full.clone());
    names.entry(Rc::from(simple)).or_insert_with(|| full.clone());
    names.insert(full.clone(), full.clone());
    for inner in &class.classes {
        name_classes(names, inner, &dotted, &format!("{full}$"));
    }
}

impl<'a> Compiler<'a> {
    fn func(&mut self) -> &mut Func<'a> {
        let last = self.funcs.len().saturating_sub(1);
        &mut self.funcs[last]
    }

    fn open(&mut self, name: &str, is_static: bool, closure: bool) {
        let hidden_fields = if closure { None } else { self.hidden.last().cloned() };
        let mut class_name = self.within.last().map_or_else(|| Rc::from(""), |class| class.name.clone());
        if closure {
            // Groovy makes a class for each closure, and its messages name them.
            self.closures += 1;
            let number = self.closures;
            class_name = match self.funcs.last() {
                Some(around) if around.closure => Rc::from(format!("{}$_closure{number}", around.class_name)),
                Some(around) => {
                    Rc::from(format!("{class_name}$_{}_closure{number}", around.name.replace(['<', '>'], "")))
                }
                None => class_name,
            };
        }
        self.funcs.push(Func {
            name: Rc::from(name),
            class_name,
            is_static,
            closure,
            implicit_it: false,
            params: Vec::new(),
            ops: Vec::new(),
            places: Vec::new(),
            consts: Vec::new(),
            names: Vec::new(),
            name_index: BTreeMap::new(),
            calls: Vec::new(),
            gstrings: Vec::new(),
            closures: Vec::new(),
            types: Vec::new(),
            captures: Vec::new(),
            captured: Vec::new(),
            asserts: Vec::new(),
            result: None,
            scopes: vec![BTreeMap::new()],
            slots: 0,
            boxed: BTreeSet::new(),
            targets: Vec::new(),
            cleanups: Vec::new(),
            noting: false,
            void: false,
            hidden_fields,
        });
    }

    /// Ends the function: captured slots are reached through cells.
    fn seal(&mut self) -> Rc<Code> {
        self.emit(Op::Null);
        self.emit(Op::Return);
        let Some(mut func) = self.funcs.pop() else { unreachable_code() };
        for op in &mut func.ops {
            *op = match *op {
                Op::Load(slot) if func.boxed.contains(&slot) => Op::LoadCell(slot),
                Op::Store(slot) if func.boxed.contains(&slot) => Op::StoreCell(slot),
                Op::Cell(slot) if !func.boxed.contains(&slot) => Op::Nop,
                other => other,
            };
        }
        strip_nops(&mut func);
        let count = u32::try_from(func.params.len()).unwrap_or(0) + u32::from(func.implicit_it);
        let resolved = RefCell::new(vec![None; func.types.len()]);
        Rc::new(Code {
            name: func.name,
            class: func.class_name,
            params: func.params,
            implicit_it: func.implicit_it,
            slots: func.slots,
            boxed: func.boxed.into_iter().filter(|slot| *slot < count).collect(),
            ops: func.ops,
            places: func.places,
            consts: func.consts,
            names: func.names,
            calls: func.calls,
            gstrings: func.gstrings,
            closures: func.closures,
            types: func.types,
            resolved,
            captures: func.captures,
            asserts: func.asserts,
            result: func.result,
            unit: self.unit.clone(),
            is_static: func.is_static,
            hidden: self.quiet,
        })
    }

    fn emit(&mut self, op: Op) -> usize {
        let at = self.at;
        let func = self.func();
        func.ops.push(op);
        func.places.push(at);
        func.ops.len() - 1
    }

    fn here(&mut self) -> u32 {
        u32::try_from(self.func().ops.len()).unwrap_or(u32::MAX)
    }

    /// Lets the jump at an index lead here.
    fn land(&mut self, jump: usize) {
        let here = self.here();
        let Some(op) = self.func().ops.get_mut(jump) else { return };
        *op = match *op {
            Op::Jump(_) => Op::Jump(here),
            Op::JumpIf(_) => Op::JumpIf(here),
            Op::JumpUnless(_) => Op::JumpUnless(here),
            Op::JumpNull(_) => Op::JumpNull(here),
            Op::JumpUnlessLess(_) => Op::JumpUnlessLess(here),
            Op::IterNext(slot, _) => Op::IterNext(slot, here),
            Op::Try(_) => Op::Try(here),
            Op::IfGiven(param, _) => Op::IfGiven(param, here),
            other => other,
        };
    }

    fn name(&mut self, name: &str) -> u32 {
        let func = self.func();
        if let Some(index) = func.name_index.get(name) {
            return *index;
        }
        let index = u32::try_from(func.names.len()).unwrap_or(u32::MAX);
        let name: Rc<str> = Rc::from(name);
        func.names.push(name.clone());
        func.name_index.insert(name, index);
        index
    }

    fn constant(&mut self, value: Value) {
        let func = self.func();
        let index = u32::try_from(func.consts.len()).unwrap_or(u32::MAX);
        func.consts.push(value);
        self.emit(Op::Const(index));
    }

    fn string(&mut self, text: &str) {
        self.constant(Value::str(text));
    }

    fn type_index(&mut self, spec: TypeSpec) -> u32 {
        let func = self.func();
        if let Some(index) = func.types.iter().position(|known| *known == spec) {
            return u32::try_from(index).unwrap_or(u32::MAX);
        }
        func.types.push(spec);
        u32::try_from(func.types.len() - 1).unwrap_or(u32::MAX)
    }

    fn type_of(&mut self, ty: &TypeRef) -> u32 {
        let spec = spec(ty);
        self.type_index(spec)
    }

    /// A type that a variable converts to; none for `def` and `Object`.
    fn conversion(&mut self, ty: Option<&TypeRef>) -> Option<u32> {
        let ty = ty?;
        if ty.dimensions == 0 && matches!(&*ty.name, "def" | "Object" | "java.lang.Object" | "var") {
            return None;
        }
        Some(self.type_of(ty))
    }

    fn fresh_slot(&mut self) -> u32 {
        let func = self.func();
        func.slots += 1;
        func.slots - 1
    }

    fn scoped<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, CompileError>) -> Result<T, CompileError> {
        self.func().scopes.push(BTreeMap::new());
        let result = inside(self);
        self.func().scopes.pop();
        result
    }

    fn declare(&mut self, name: &str, ty: Option<u32>, span: Span) -> Result<u32, CompileError> {
        let known = self.func().scopes.iter().any(|scope| scope.contains_key(name));
        if known && name != "it" && !name.is_empty() {
            return Err(CompileError {
                message: format!("The current scope already contains a variable of the name {name}"),
                span,
            });
        }
        let slot = self.fresh_slot();
        if let Some(scope) = self.func().scopes.last_mut() {
            scope.insert(Rc::from(name), Local { slot, ty });
        }
        Ok(slot)
    }

    /// Looks a name up among local variables, here and in the functions around.
    fn find(&mut self, name: &str) -> Option<Found> {
        let level = self.funcs.len().checked_sub(1)?;
        self.find_at(level, name)
    }

    fn find_at(&mut self, level: usize, name: &str) -> Option<Found> {
        let func = self.funcs.get(level)?;
        if let Some(local) = func.scopes.iter().rev().find_map(|scope| scope.get(name)) {
            return Some(Found::Slot(local.clone()));
        }
        if let Some(at) = func.captured.iter().position(|(known, _)| &**known == name) {
            let ty = func.captured.get(at).and_then(|(_, ty)| ty.clone());
            return Some(Found::Up(u32::try_from(at).ok()?, ty));
        }
        if let Some(hidden) = func.hidden_fields.clone() {
            if level == 0 || self.shadowed(name) {
                return None;
            }
            // Only that it is there matters: the capture itself is made where the object is.
            self.find_outer(level, name)?;
            hidden.borrow_mut().insert(Rc::from(name));
            return Some(Found::Field(Rc::from(format!("val${name}"))));
        }
        if !func.closure || level == 0 {
            return None;
        }
        let (capture, ty) = match self.find_at(level - 1, name)? {
            Found::Slot(local) => {
                let outer = self.funcs.get_mut(level - 1)?;
                outer.boxed.insert(local.slot);
                let ty = local.ty.and_then(|ty| outer.types.get(ty as usize).cloned());
                (Capture::Local(local.slot), ty)
            }
            Found::Up(index, ty) => (Capture::Up(index), ty),
            Found::Field(field) => return Some(Found::Field(field)),
        };
        let func = self.funcs.get_mut(level)?;
        func.captures.push(capture);
        func.captured.push((Rc::from(name), ty.clone()));
        Some(Found::Up(u32::try_from(func.captures.len() - 1).ok()?, ty))
    }

    fn find_outer(&mut self, level: usize, name: &str) -> Option<Found> {
        let found = self.find_at(level - 1, name);
        if let Some(Found::Slot(local)) = &found {
            self.funcs.get_mut(level - 1)?.boxed.insert(local.slot);
        }
        found
    }

    /// Whether the anonymous class being compiled has a field of this name, which hides the variable around it.
    fn shadowed(&self, name: &str) -> bool {
        self.within.last().is_some_and(|class| class.fields.borrow().iter().any(|field| &*field.name == name))
    }

    fn descend<T>(
        &mut self,
        span: Span,
        inside: impl FnOnce(&mut Self) -> Result<T, CompileError>,
    ) -> Result<T, CompileError> {
        if self.recursion >= MAX_RECURSION {
            return Err(CompileError { message: "The expression is too long: split it into several".to_owned(), span });
        }
        self.recursion += 1;
        let before = self.at;
        self.at = span.start;
        let result = inside(self);
        self.at = before;
        self.recursion -= 1;
        result
    }
}

/// A type as the code keeps it.
pub(crate) fn spec(ty: &TypeRef) -> TypeSpec {
    TypeSpec { name: Rc::from(&*ty.name), dimensions: ty.dimensions }
}

fn annotated(modifiers: &Modifiers, name: &str) -> bool {
    modifiers.annotation(name).is_some()
}

/// Removes what the sealing made useless, and moves the jumps.
fn strip_nops(func: &mut Func<'_>) {
    let mut moved = Vec::with_capacity(func.ops.len() + 1);
    let mut kept = 0u32;
    for op in &func.ops {
        moved.push(kept);
        kept += u32::from(*op != Op::Nop);
    }
    moved.push(kept);
    let go = |target: u32| moved.get(target as usize).copied().unwrap_or(kept);
    let mut ops = Vec::with_capacity(kept as usize);
    let mut places = Vec::with_capacity(kept as usize);
    for (op, place) in func.ops.iter().zip(&func.places) {
        let op = match *op {
            Op::Nop => continue,
            Op::Jump(to) => Op::Jump(go(to)),
            Op::JumpIf(to) => Op::JumpIf(go(to)),
            Op::JumpUnless(to) => Op::JumpUnless(go(to)),
            Op::JumpNull(to) => Op::JumpNull(go(to)),
            Op::JumpUnlessLess(to) => Op::JumpUnlessLess(go(to)),
            Op::IterNext(slot, to) => Op::IterNext(slot, go(to)),
            Op::Try(to) => Op::Try(go(to)),
            Op::IfGiven(param, to) => Op::IfGiven(param, go(to)),
            other => other,
        };
        ops.push(op);
        places.push(*place);
    }
    func.ops = ops;
    func.places = places;
}

/// `open` and `seal` come in pairs within this module, so there is always a function to seal.
fn unreachable_code() -> ! {
    unreachable!("seal without open")
}
