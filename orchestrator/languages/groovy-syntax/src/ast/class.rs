//! Classes and what belongs to them; also parameters, types, modifiers and annotations, wherever they stand.

use std::sync::Arc;

use super::expr::{Arg, Expr};
use super::stmt::Block;
use super::{Ident, Name};
use crate::span::Span;

/// A class, interface, trait, enum or annotation type.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// What it is.
    pub kind: ClassKind,
    /// Its simple name; empty for an anonymous class.
    pub name: Ident,
    /// Modifiers and annotations.
    pub modifiers: Modifiers,
    /// `<T extends A>` as it stands, without the angle brackets.
    pub generics: Option<Name>,
    /// `extends`, of a class. An anonymous class has its `new` type here, which may be an interface.
    pub superclass: Option<TypeRef>,
    /// `implements`, or `extends` of an interface.
    pub interfaces: Vec<TypeRef>,
    /// Constants of an enum.
    pub constants: Vec<EnumConstant>,
    /// Fields and properties.
    pub fields: Vec<Field>,
    /// Methods.
    pub methods: Vec<Arc<Method>>,
    /// Constructors; their name is the class'.
    pub constructors: Vec<Arc<Method>>,
    /// `{ }` and `static { }`; their order among the fields follows from the spans.
    pub initializers: Vec<Initializer>,
    /// Inner classes.
    pub classes: Vec<Arc<Class>>,
    /// Where it stands.
    pub span: Span,
}

/// What kind of class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassKind {
    /// `class`
    Class,
    /// `interface`
    Interface,
    /// `trait`
    Trait,
    /// `enum`
    Enum,
    /// `@interface`
    Annotation,
}

/// `A(1) { … }` in an enum.
#[derive(Debug, Clone, PartialEq)]
pub struct EnumConstant {
    /// Its name.
    pub name: Ident,
    /// Annotations.
    pub modifiers: Modifiers,
    /// Arguments for the constructor.
    pub args: Vec<Arg>,
    /// Its own body.
    pub body: Option<Arc<Class>>,
    /// Where it stands.
    pub span: Span,
}

/// A field or property.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Ident,
    /// Its type; none for `def`.
    pub ty: Option<TypeRef>,
    /// Modifiers and annotations. Without `public`, `private` or `protected` it is a property, with getter and setter.
    pub modifiers: Modifiers,
    /// Its first value.
    pub value: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

impl Field {
    /// Whether Groovy makes a getter and a setter.
    pub fn is_property(&self) -> bool {
        !(self.modifiers.is_public() || self.modifiers.is_private() || self.modifiers.is_protected())
    }
}

/// A method or constructor.
#[derive(Debug, Clone, PartialEq)]
pub struct Method {
    /// Its name; may be any string: `def "a b"() { }`.
    pub name: Ident,
    /// Modifiers and annotations.
    pub modifiers: Modifiers,
    /// `<T>` as it stands, without the angle brackets.
    pub generics: Option<Name>,
    /// Declared type of the result; none for `def` and constructors.
    pub ty: Option<TypeRef>,
    /// Parameters.
    pub params: Vec<Param>,
    /// `throws`.
    pub throws: Vec<TypeRef>,
    /// The body; none for an abstract or interface method.
    pub body: Option<Block>,
    /// `default 1` of an annotation's member.
    pub default: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// Its type; none for `def` or nothing. For `int... a` this is `int`.
    pub ty: Option<TypeRef>,
    /// `final` and annotations.
    pub modifiers: Modifiers,
    /// `= 1`.
    pub default: Option<Expr>,
    /// `...`.
    pub varargs: bool,
    /// Where it stands.
    pub span: Span,
}

/// `{ }` or `static { }` in a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Initializer {
    /// Whether it is `static`.
    pub is_static: bool,
    /// What is run.
    pub body: Block,
    /// Where it stands.
    pub span: Span,
}

/// A type as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeRef {
    /// The dotted name without type arguments: `java.util.Map.Entry`, `int`.
    pub name: Name,
    /// `<…>` as it stands, without the angle brackets.
    pub generics: Option<Name>,
    /// How many `[]`.
    pub dimensions: u32,
    /// Where it stands.
    pub span: Span,
}

/// Modifiers and annotations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Modifiers {
    /// Bits of the constants below.
    pub flags: u16,
    /// Annotations in the order of the text.
    pub annotations: Vec<Annotation>,
}

/// `@A`, `@A(1)`, `@A(b = 1)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// Its dotted name.
    pub name: Ident,
    /// Its members; the lone value's name is `value`.
    pub members: Vec<AnnotationMember>,
    /// Where it stands.
    pub span: Span,
}

/// `b = 1` in an annotation.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnotationMember {
    /// Which.
    pub name: Name,
    /// Its value.
    pub value: Expr,
}

macro_rules! modifiers {
    ($($constant:ident $test:ident $word:literal $bit:literal),* $(,)?) => {
        impl Modifiers {
            $(
                #[doc = concat!("`", $word, "`")]
                pub const $constant: u16 = 1 << $bit;

                #[doc = concat!("Whether `", $word, "` is among them.")]
                pub const fn $test(&self) -> bool {
                    self.flags & Self::$constant != 0
                }
            )*

            /// The bit of a modifier's word.
            pub fn bit(word: &str) -> Option<u16> {
                match word {
                    $($word => Some(Self::$constant),)*
                    _ => None,
                }
            }
        }
    };
}

modifiers! {
    DEF is_def "def" 0,
    PUBLIC is_public "public" 1,
    PRIVATE is_private "private" 2,
    PROTECTED is_protected "protected" 3,
    STATIC is_static "static" 4,
    FINAL is_final "final" 5,
    ABSTRACT is_abstract "abstract" 6,
    SYNCHRONIZED is_synchronized "synchronized" 7,
    TRANSIENT is_transient "transient" 8,
    VOLATILE is_volatile "volatile" 9,
    NATIVE is_native "native" 10,
    STRICTFP is_strictfp "strictfp" 11,
}

impl Modifiers {
    /// The annotation of this name, dotted or simple: `Field` finds `@groovy.transform.Field` too.
    pub fn annotation(&self, simple: &str) -> Option<&Annotation> {
        self.annotations.iter().find(|annotation| annotation.name.name.rsplit('.').next() == Some(simple))
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.flags == 0 && self.annotations.is_empty()
    }
}

impl Annotation {
    /// A member's value.
    pub fn member(&self, name: &str) -> Option<&Expr> {
        self.members.iter().find(|member| &*member.name == name).map(|member| &member.value)
    }
}
