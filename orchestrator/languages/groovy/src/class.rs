//! Classes that scripts define.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::code::{Code, TypeSpec, Unit};
use crate::value::{ClassRef, Value};

/// What kind of class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `class`, and the class of a script.
    Class,
    /// `interface`, `@interface`.
    Interface,
    /// `trait`.
    Trait,
    /// `enum`.
    Enum,
}

/// A field or property.
pub struct Field {
    /// Its name.
    pub name: Rc<str>,
    /// Its declared type.
    pub ty: TypeSpec,
    /// `static`.
    pub is_static: bool,
    /// `final`.
    pub is_final: bool,
    /// Has getter and setter.
    pub property: bool,
    /// `private`.
    pub private: bool,
    /// Has a first value (`@TupleConstructor` and `@Immutable` count properties alone).
    pub line: u32,
}

/// A method or constructor.
pub struct Method {
    /// Its name; `<init>` for a constructor.
    pub name: Rc<str>,
    /// Parameters and instructions.
    pub code: Rc<Code>,
    /// `static`.
    pub is_static: bool,
    /// Has no body.
    pub is_abstract: bool,
    /// `private`.
    pub private: bool,
    /// The class that declares it.
    pub class: RefCell<std::rc::Weak<Class>>,
}

/// Which of Groovy's class-writing annotations stand on a class.
#[derive(Clone, Default, Debug)]
pub struct Generated {
    /// `@ToString`, `@Canonical`, `@Immutable`.
    pub to_string: bool,
    /// `includeNames`.
    pub include_names: bool,
    /// `includePackage` is false.
    pub no_package: bool,
    /// `excludes` of `@ToString`/`@EqualsAndHashCode`.
    pub excludes: Vec<Rc<str>>,
    /// `includes`.
    pub includes: Vec<Rc<str>>,
    /// `ignoreNulls`.
    pub ignore_nulls: bool,
    /// `includeSuper`.
    pub include_super: bool,
    /// `@EqualsAndHashCode`, `@Canonical`, `@Immutable`.
    pub equals: bool,
    /// `@TupleConstructor`, `@Canonical`, `@Immutable`.
    pub tuple: bool,
    /// `@Immutable`.
    pub immutable: bool,
    /// `@Singleton`.
    pub singleton: bool,
    /// `@Sortable`.
    pub sortable: bool,
    /// `@InheritConstructors`.
    pub inherit_constructors: bool,
}

/// How far the static part of a class has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Init {
    /// Not begun.
    #[default]
    No,
    /// Under way or done.
    Yes,
}

/// A class.
pub struct Class {
    /// Full name: `org.acme.Deploy`, `Outer$Inner`.
    pub name: Rc<str>,
    /// Last part of the name as the source has it.
    pub simple: Rc<str>,
    /// What it is.
    pub kind: Kind,
    /// `abstract`.
    pub is_abstract: bool,
    /// Whether it is the class of a script.
    pub script: bool,
    /// The class around it.
    pub outer: Option<std::rc::Weak<Class>>,
    /// Whether instances know an instance of the class around it (inner, not static).
    pub inner: bool,
    /// Where it was compiled.
    pub unit: Rc<Unit>,
    /// Superclass.
    pub superclass: RefCell<ClassRef>,
    /// Interfaces and traits.
    pub interfaces: RefCell<Vec<ClassRef>>,
    /// Fields and properties of its own.
    pub fields: RefCell<Vec<Field>>,
    /// Methods of its own, by name.
    pub methods: RefCell<BTreeMap<Rc<str>, Vec<Rc<Method>>>>,
    /// Constructors.
    pub constructors: RefCell<Vec<Rc<Method>>>,
    /// First values of instance fields, and initializer blocks.
    pub init: RefCell<Option<Rc<Code>>>,
    /// First values of static fields, enum constants, static blocks.
    pub clinit: RefCell<Option<Rc<Code>>>,
    /// Static fields.
    pub statics: RefCell<Vec<(Rc<str>, Value)>>,
    /// Names of enum constants in order.
    pub constants: RefCell<Vec<Rc<str>>>,
    /// Whether `clinit` ran.
    pub initialised: Cell<Init>,
    /// Annotations that write members.
    pub generated: Generated,
}

impl Class {
    /// Whether it cannot have instances of its own.
    pub fn is_interface(&self) -> bool {
        matches!(self.kind, Kind::Interface | Kind::Trait)
    }

    /// The superclass, when a script defines it.
    pub fn user_super(&self) -> Option<Rc<Class>> {
        match &*self.superclass.borrow() {
            ClassRef::User(class) => Some(class.clone()),
            ClassRef::Builtin(_) => None,
        }
    }

    /// Interfaces and traits that scripts define.
    pub fn user_interfaces(&self) -> Vec<Rc<Class>> {
        let interfaces = self.interfaces.borrow();
        interfaces
            .iter()
            .filter_map(|interface| match interface {
                ClassRef::User(class) => Some(class.clone()),
                ClassRef::Builtin(_) => None,
            })
            .collect()
    }

    /// The class around it.
    pub fn outer(&self) -> Option<Rc<Class>> {
        self.outer.as_ref().and_then(std::rc::Weak::upgrade)
    }

    /// Itself, its superclasses, and their traits and interfaces: the order in which members are looked for.
    pub fn lineage(self: &Rc<Self>) -> Vec<Rc<Class>> {
        let mut all: Vec<Rc<Class>> = Vec::new();
        let mut at = Some(self.clone());
        while let Some(class) = at {
            all.push(class.clone());
            let mut open = class.user_interfaces();
            // The trait named last wins.
            while let Some(interface) = open.pop() {
                if !all.iter().any(|known| Rc::ptr_eq(known, &interface)) {
                    let above = interface.user_interfaces();
                    all.push(interface);
                    open.extend(above);
                }
            }
            at = class.user_super();
        }
        all
    }

    /// Methods of a name, its own and inherited, nearest first.
    pub fn find(self: &Rc<Self>, name: &str) -> Vec<Rc<Method>> {
        let mut found = Vec::new();
        for class in self.lineage() {
            if let Some(methods) = class.methods.borrow().get(name) {
                found.extend(methods.iter().cloned());
            }
        }
        found
    }

    /// Whether it or a class above has a method of this name.
    pub fn has(self: &Rc<Self>, name: &str) -> bool {
        self.lineage().iter().any(|class| class.methods.borrow().contains_key(name))
    }

    /// The class in its line that has a static field of this name.
    pub fn with_static(self: &Rc<Self>, name: &str) -> Option<Rc<Class>> {
        self.lineage().into_iter().find(|class| {
            class.fields.borrow().iter().any(|field| field.is_static && &*field.name == name)
                || class.constants.borrow().iter().any(|constant| &**constant == name)
        })
    }

    /// The first library class above.
    pub fn builtin_super(&self) -> ClassRef {
        let mut at = self.superclass.borrow().clone();
        while let ClassRef::User(class) = at {
            at = class.superclass.borrow().clone();
        }
        at
    }

    /// Takes everything out that may lead back to it.
    pub(crate) fn clear(&self) {
        self.methods.borrow_mut().clear();
        self.constructors.borrow_mut().clear();
        self.statics.borrow_mut().clear();
        self.interfaces.borrow_mut().clear();
        *self.init.borrow_mut() = None;
        *self.clinit.borrow_mut() = None;
        *self.superclass.borrow_mut() = ClassRef::Builtin(crate::types::id::OBJECT);
    }
}
