//! The classes of Java and Groovy that the machine itself knows, and who descends from whom.
//!
//! A [`TypeId`] is a row of `CORE` or of the library's [`crate::library::DECLARED`]. Names, ancestors and method tables are worked
//! out once per thread (`Types`).

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::library::{Answer, DECLARED, EXTENSIONS, Method, Static};
use crate::value::Value;
use crate::vm::Vm;

/// A class of the library.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TypeId(pub u16);

macro_rules! core {
    ($($constant:ident $name:literal $parent:literal [$($interface:literal),*] $kind:ident;)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "only used to number the rows")]
        enum Row { $($constant),* }

        /// Ids of the rows that the machine names.
        #[expect(missing_docs, reason = "each is the class of its name")]
        pub mod id {
            use super::{Row, TypeId};
            $(pub const $constant: TypeId = TypeId(Row::$constant as u16);)*
        }

        const CORE: &[(&str, &str, &[&str], bool)] = &[$(($name, $parent, &[$($interface),*], kind!($kind))),*];
    };
}

macro_rules! kind {
    (class) => {
        false
    };
    (interface) => {
        true
    };
}

core! {
    OBJECT "java.lang.Object" "" [] class;
    SERIALIZABLE "java.io.Serializable" "java.lang.Object" [] interface;
    COMPARABLE "java.lang.Comparable" "java.lang.Object" [] interface;
    CLONEABLE "java.lang.Cloneable" "java.lang.Object" [] interface;
    CHAR_SEQUENCE "java.lang.CharSequence" "java.lang.Object" [] interface;
    ITERABLE "java.lang.Iterable" "java.lang.Object" [] interface;
    ITERATOR "java.util.Iterator" "java.lang.Object" [] interface;
    RUNNABLE "java.lang.Runnable" "java.lang.Object" [] interface;
    CALLABLE "java.util.concurrent.Callable" "java.lang.Object" [] interface;
    COMPARATOR "java.util.Comparator" "java.lang.Object" [] interface;
    GROOVY_OBJECT "groovy.lang.GroovyObject" "java.lang.Object" [] interface;
    COLLECTION "java.util.Collection" "java.lang.Object" ["java.lang.Iterable"] interface;
    LIST "java.util.List" "java.lang.Object" ["java.util.Collection"] interface;
    SET "java.util.Set" "java.lang.Object" ["java.util.Collection"] interface;
    SORTED_SET "java.util.SortedSet" "java.lang.Object" ["java.util.Set"] interface;
    QUEUE "java.util.Queue" "java.lang.Object" ["java.util.Collection"] interface;
    DEQUE "java.util.Deque" "java.lang.Object" ["java.util.Queue"] interface;
    MAP "java.util.Map" "java.lang.Object" [] interface;
    SORTED_MAP "java.util.SortedMap" "java.lang.Object" ["java.util.Map"] interface;
    ENTRY "java.util.Map$Entry" "java.lang.Object" [] interface;
    MAP_ENTRY "java.util.LinkedHashMap$Entry" "java.lang.Object" ["java.util.Map$Entry"] class;
    NUMBER "java.lang.Number" "java.lang.Object" ["java.io.Serializable"] class;
    BOOLEAN "java.lang.Boolean" "java.lang.Object" ["java.io.Serializable", "java.lang.Comparable"] class;
    BYTE "java.lang.Byte" "java.lang.Number" ["java.lang.Comparable"] class;
    SHORT "java.lang.Short" "java.lang.Number" ["java.lang.Comparable"] class;
    INTEGER "java.lang.Integer" "java.lang.Number" ["java.lang.Comparable"] class;
    LONG "java.lang.Long" "java.lang.Number" ["java.lang.Comparable"] class;
    CHARACTER "java.lang.Character" "java.lang.Object" ["java.io.Serializable", "java.lang.Comparable"] class;
    FLOAT "java.lang.Float" "java.lang.Number" ["java.lang.Comparable"] class;
    DOUBLE "java.lang.Double" "java.lang.Number" ["java.lang.Comparable"] class;
    BIG_INTEGER "java.math.BigInteger" "java.lang.Number" ["java.lang.Comparable"] class;
    BIG_DECIMAL "java.math.BigDecimal" "java.lang.Number" ["java.lang.Comparable"] class;
    STRING "java.lang.String" "java.lang.Object" ["java.lang.CharSequence", "java.lang.Comparable", "java.io.Serializable"] class;
    GSTRING "groovy.lang.GString" "java.lang.Object" ["java.lang.CharSequence", "java.lang.Comparable", "groovy.lang.GroovyObject", "java.io.Serializable"] class;
    GSTRING_IMPL "org.codehaus.groovy.runtime.GStringImpl" "groovy.lang.GString" [] class;
    ABSTRACT_LIST "java.util.AbstractList" "java.lang.Object" ["java.util.List"] class;
    ARRAY_LIST "java.util.ArrayList" "java.util.AbstractList" ["java.io.Serializable", "java.lang.Cloneable"] class;
    LINKED_LIST "java.util.LinkedList" "java.util.AbstractList" ["java.util.Deque", "java.io.Serializable"] class;
    IMMUTABLE_LIST "java.util.Collections$UnmodifiableRandomAccessList" "java.lang.Object" ["java.util.List"] class;
    HASH_MAP "java.util.HashMap" "java.lang.Object" ["java.util.Map", "java.io.Serializable", "java.lang.Cloneable"] class;
    LINKED_HASH_MAP "java.util.LinkedHashMap" "java.util.HashMap" [] class;
    TREE_MAP "java.util.TreeMap" "java.lang.Object" ["java.util.SortedMap", "java.io.Serializable"] class;
    IMMUTABLE_MAP "java.util.Collections$UnmodifiableMap" "java.lang.Object" ["java.util.Map"] class;
    HASH_SET "java.util.HashSet" "java.lang.Object" ["java.util.Set", "java.io.Serializable"] class;
    LINKED_HASH_SET "java.util.LinkedHashSet" "java.util.HashSet" [] class;
    TREE_SET "java.util.TreeSet" "java.lang.Object" ["java.util.SortedSet", "java.io.Serializable"] class;
    IMMUTABLE_SET "java.util.Collections$UnmodifiableSet" "java.lang.Object" ["java.util.Set"] class;
    RANGE "groovy.lang.Range" "java.lang.Object" ["java.util.List"] interface;
    INT_RANGE "groovy.lang.IntRange" "java.util.AbstractList" ["groovy.lang.Range"] class;
    OBJECT_RANGE "groovy.lang.ObjectRange" "java.util.AbstractList" ["groovy.lang.Range"] class;
    EMPTY_RANGE "groovy.lang.EmptyRange" "java.util.AbstractList" ["groovy.lang.Range"] class;
    CLOSURE "groovy.lang.Closure" "java.lang.Object" ["java.lang.Cloneable", "java.lang.Runnable", "groovy.lang.GroovyObject", "java.io.Serializable"] class;
    METHOD_CLOSURE "org.codehaus.groovy.runtime.MethodClosure" "groovy.lang.Closure" [] class;
    SCRIPT "groovy.lang.Script" "java.lang.Object" ["groovy.lang.GroovyObject"] class;
    BINDING "groovy.lang.Binding" "java.lang.Object" ["groovy.lang.GroovyObject"] class;
    CLASS "java.lang.Class" "java.lang.Object" ["java.io.Serializable"] class;
    ENUM "java.lang.Enum" "java.lang.Object" ["java.lang.Comparable", "java.io.Serializable"] class;
    ITERATOR_IMPL "java.util.AbstractList$Itr" "java.lang.Object" ["java.util.Iterator"] class;
    NULL "org.codehaus.groovy.runtime.NullObject" "java.lang.Object" [] class;
    VOID "void" "" [] class;
    P_BOOLEAN "boolean" "" [] class;
    P_BYTE "byte" "" [] class;
    P_SHORT "short" "" [] class;
    P_INT "int" "" [] class;
    P_LONG "long" "" [] class;
    P_CHAR "char" "" [] class;
    P_FLOAT "float" "" [] class;
    P_DOUBLE "double" "" [] class;
    A_OBJECT "[Ljava.lang.Object;" "java.lang.Object" ["java.lang.Cloneable", "java.io.Serializable"] class;
    A_STRING "[Ljava.lang.String;" "[Ljava.lang.Object;" [] class;
    A_BOOLEAN "[Z" "java.lang.Object" [] class;
    A_BYTE "[B" "java.lang.Object" [] class;
    A_SHORT "[S" "java.lang.Object" [] class;
    A_INT "[I" "java.lang.Object" [] class;
    A_LONG "[J" "java.lang.Object" [] class;
    A_CHAR "[C" "java.lang.Object" [] class;
    A_FLOAT "[F" "java.lang.Object" [] class;
    A_DOUBLE "[D" "java.lang.Object" [] class;
    PATTERN "java.util.regex.Pattern" "java.lang.Object" ["java.io.Serializable"] class;
    MATCHER "java.util.regex.Matcher" "java.lang.Object" [] class;
    THROWABLE "java.lang.Throwable" "java.lang.Object" ["java.io.Serializable"] class;
    EXCEPTION "java.lang.Exception" "java.lang.Throwable" [] class;
    RUNTIME_EXCEPTION "java.lang.RuntimeException" "java.lang.Exception" [] class;
    ERROR "java.lang.Error" "java.lang.Throwable" [] class;
    ASSERTION_ERROR "java.lang.AssertionError" "java.lang.Error" [] class;
    POWER_ASSERT "org.codehaus.groovy.runtime.powerassert.PowerAssertionError" "java.lang.AssertionError" [] class;
    VIRTUAL_MACHINE_ERROR "java.lang.VirtualMachineError" "java.lang.Error" [] class;
    STACK_OVERFLOW "java.lang.StackOverflowError" "java.lang.VirtualMachineError" [] class;
    OUT_OF_MEMORY "java.lang.OutOfMemoryError" "java.lang.VirtualMachineError" [] class;
    LINKAGE_ERROR "java.lang.LinkageError" "java.lang.Error" [] class;
    NO_CLASS_DEF "java.lang.NoClassDefFoundError" "java.lang.LinkageError" [] class;
    GROOVY_RUNTIME "groovy.lang.GroovyRuntimeException" "java.lang.RuntimeException" [] class;
    MISSING_PROPERTY "groovy.lang.MissingPropertyException" "groovy.lang.GroovyRuntimeException" [] class;
    MISSING_METHOD "groovy.lang.MissingMethodException" "groovy.lang.GroovyRuntimeException" [] class;
    MISSING_FIELD "groovy.lang.MissingFieldException" "groovy.lang.GroovyRuntimeException" [] class;
    READ_ONLY "groovy.lang.ReadOnlyPropertyException" "groovy.lang.MissingPropertyException" [] class;
    CAST_EXCEPTION "org.codehaus.groovy.runtime.typehandling.GroovyCastException" "java.lang.ClassCastException" [] class;
    CLASS_CAST "java.lang.ClassCastException" "java.lang.RuntimeException" [] class;
    NULL_POINTER "java.lang.NullPointerException" "java.lang.RuntimeException" [] class;
    ARITHMETIC "java.lang.ArithmeticException" "java.lang.RuntimeException" [] class;
    ILLEGAL_ARGUMENT "java.lang.IllegalArgumentException" "java.lang.RuntimeException" [] class;
    NUMBER_FORMAT "java.lang.NumberFormatException" "java.lang.IllegalArgumentException" [] class;
    ILLEGAL_STATE "java.lang.IllegalStateException" "java.lang.RuntimeException" [] class;
    UNSUPPORTED "java.lang.UnsupportedOperationException" "java.lang.RuntimeException" [] class;
    INDEX_OUT_OF_BOUNDS "java.lang.IndexOutOfBoundsException" "java.lang.RuntimeException" [] class;
    ARRAY_INDEX "java.lang.ArrayIndexOutOfBoundsException" "java.lang.IndexOutOfBoundsException" [] class;
    STRING_INDEX "java.lang.StringIndexOutOfBoundsException" "java.lang.IndexOutOfBoundsException" [] class;
    NEGATIVE_SIZE "java.lang.NegativeArraySizeException" "java.lang.RuntimeException" [] class;
    SECURITY "java.lang.SecurityException" "java.lang.RuntimeException" [] class;
    REJECTED "org.jenkinsci.plugins.scriptsecurity.sandbox.RejectedAccessException" "java.lang.SecurityException" [] class;
    CONCURRENT_MODIFICATION "java.util.ConcurrentModificationException" "java.lang.RuntimeException" [] class;
    NO_SUCH_ELEMENT "java.util.NoSuchElementException" "java.lang.RuntimeException" [] class;
    INPUT_MISMATCH "java.util.InputMismatchException" "java.util.NoSuchElementException" [] class;
    EMPTY_STACK "java.util.EmptyStackException" "java.lang.RuntimeException" [] class;
    CLONE_NOT_SUPPORTED "java.lang.CloneNotSupportedException" "java.lang.Exception" [] class;
    REFLECTIVE "java.lang.ReflectiveOperationException" "java.lang.Exception" [] class;
    CLASS_NOT_FOUND "java.lang.ClassNotFoundException" "java.lang.ReflectiveOperationException" [] class;
    INSTANTIATION "java.lang.InstantiationException" "java.lang.ReflectiveOperationException" [] class;
    NO_SUCH_METHOD "java.lang.NoSuchMethodException" "java.lang.ReflectiveOperationException" [] class;
    NO_SUCH_FIELD "java.lang.NoSuchFieldException" "java.lang.ReflectiveOperationException" [] class;
    INTERRUPTED "java.lang.InterruptedException" "java.lang.Exception" [] class;
    TIMEOUT "java.util.concurrent.TimeoutException" "java.lang.Exception" [] class;
    EXECUTION "java.util.concurrent.ExecutionException" "java.lang.Exception" [] class;
    CANCELLATION "java.util.concurrent.CancellationException" "java.lang.IllegalStateException" [] class;
    IO_EXCEPTION "java.io.IOException" "java.lang.Exception" [] class;
    UNCHECKED_IO "java.io.UncheckedIOException" "java.lang.RuntimeException" [] class;
    FILE_NOT_FOUND "java.io.FileNotFoundException" "java.io.IOException" [] class;
    NOT_SERIALIZABLE "java.io.NotSerializableException" "java.io.IOException" [] class;
    NO_SUCH_FILE "java.nio.file.NoSuchFileException" "java.io.IOException" [] class;
    UNKNOWN_HOST "java.net.UnknownHostException" "java.io.IOException" [] class;
    CONNECT "java.net.ConnectException" "java.io.IOException" [] class;
    SOCKET_TIMEOUT "java.net.SocketTimeoutException" "java.io.IOException" [] class;
    MALFORMED_URL "java.net.MalformedURLException" "java.io.IOException" [] class;
    URI_SYNTAX "java.net.URISyntaxException" "java.lang.Exception" [] class;
    GENERAL_SECURITY "java.security.GeneralSecurityException" "java.lang.Exception" [] class;
    PARSE_EXCEPTION "java.text.ParseException" "java.lang.Exception" [] class;
    DATE_TIME "java.time.DateTimeException" "java.lang.RuntimeException" [] class;
    DATE_TIME_PARSE "java.time.format.DateTimeParseException" "java.time.DateTimeException" [] class;
    PATTERN_SYNTAX "java.util.regex.PatternSyntaxException" "java.lang.IllegalArgumentException" [] class;
    ILLEGAL_FORMAT "java.util.IllegalFormatException" "java.lang.IllegalArgumentException" [] class;
    MISSING_FORMAT "java.util.MissingFormatArgumentException" "java.util.IllegalFormatException" [] class;
    UNKNOWN_FORMAT "java.util.UnknownFormatConversionException" "java.util.IllegalFormatException" [] class;
    FORMAT_CONVERSION "java.util.IllegalFormatConversionException" "java.util.IllegalFormatException" [] class;
    JSON_EXCEPTION "groovy.json.JsonException" "groovy.lang.GroovyRuntimeException" [] class;
    ABORT "hudson.AbortException" "java.io.IOException" [] class;
    FLOW_INTERRUPTED "org.jenkinsci.plugins.workflow.steps.FlowInterruptedException" "java.lang.InterruptedException" [] class;
    MULTIPLE_COMPILATION "org.codehaus.groovy.control.MultipleCompilationErrorsException" "org.codehaus.groovy.control.CompilationFailedException" [] class;
    COMPILATION_FAILED "org.codehaus.groovy.control.CompilationFailedException" "groovy.lang.GroovyRuntimeException" [] class;
}

/// What is known of one class.
pub struct Type {
    /// Full name (`java.util.Map$Entry`).
    pub name: &'static str,
    /// Superclass; none for `Object` and primitives.
    pub parent: Option<TypeId>,
    /// Interfaces it names itself.
    pub interfaces: Vec<TypeId>,
    /// Whether it is an interface.
    pub interface: bool,
    /// Itself and all above, in the order in which methods are looked for.
    pub ancestors: Rc<[TypeId]>,
    /// Methods of its own.
    pub methods: Vec<&'static Method>,
    /// Static methods of its own.
    pub statics: Vec<&'static Static>,
    /// Its constructor.
    pub new: Option<fn(&mut Vm, &[Value]) -> Answer>,
    /// By name, all methods of it and above, nearest first.
    pub found: BTreeMap<&'static str, Vec<&'static Method>>,
}

/// All classes of the library.
pub struct Types {
    /// By [`TypeId`].
    pub rows: Vec<Type>,
    /// By full name.
    pub names: BTreeMap<&'static str, TypeId>,
}

thread_local! {
    static TYPES: Rc<Types> = Rc::new(Types::build());
}

/// The classes of the library; made once per thread.
pub fn types() -> Rc<Types> {
    TYPES.with(Rc::clone)
}

impl Types {
    fn build() -> Self {
        let declared = DECLARED.iter().flat_map(|file| file.iter());
        let rows: Vec<(&str, &str, &[&str], bool)> = CORE
            .iter()
            .copied()
            .chain(declared.map(|row| (row.name, row.parent, row.interfaces, row.interface)))
            .collect();
        let names: BTreeMap<&'static str, TypeId> =
            rows.iter().enumerate().map(|(at, row)| (row.0, TypeId(u16::try_from(at).unwrap_or(u16::MAX)))).collect();
        let mut types = Self { rows: Vec::new(), names };
        for (name, parent, interfaces, interface) in rows {
            types.rows.push(Type {
                name,
                parent: types.names.get(parent).copied(),
                interfaces: interfaces.iter().filter_map(|name| types.names.get(name).copied()).collect(),
                interface,
                ancestors: Rc::from([]),
                methods: Vec::new(),
                statics: Vec::new(),
                new: None,
                found: BTreeMap::new(),
            });
        }
        types.extend();
        types.link();
        types
    }

    fn extend(&mut self) {
        for extension in EXTENSIONS.iter().flat_map(|file| file.iter()).chain(crate::vm::natives::EXTENSIONS) {
            let Some(row) = self.names.get(extension.of).copied().and_then(|id| self.rows.get_mut(usize::from(id.0)))
            else {
                debug_assert!(false, "the library extends {}, which nobody declares", extension.of);
                continue;
            };
            row.methods.extend(extension.methods);
            row.statics.extend(extension.statics);
            row.new = row.new.or(extension.new);
        }
    }

    fn link(&mut self) {
        for at in 0..self.rows.len() {
            let id = TypeId(u16::try_from(at).unwrap_or(u16::MAX));
            let mut ancestors = Vec::new();
            self.collect(id, &mut ancestors);
            if self.get(id).name.starts_with('[') {
                // Groovy's methods for lists are there for arrays too; `instanceof List` is answered by `is_a`.
                self.collect(id::LIST, &mut ancestors);
            }
            if !ancestors.contains(&id::OBJECT) {
                ancestors.push(id::OBJECT);
            }
            // `Object` is asked last, behind all interfaces.
            ancestors.retain(|ancestor| *ancestor != id::OBJECT);
            ancestors.push(id::OBJECT);
            let mut found: BTreeMap<&'static str, Vec<&'static Method>> = BTreeMap::new();
            for ancestor in &ancestors {
                for method in &self.get(*ancestor).methods {
                    found.entry(method.name).or_default().push(method);
                }
            }
            if let Some(row) = self.rows.get_mut(at) {
                row.ancestors = ancestors.into();
                row.found = found;
            }
        }
    }

    fn collect(&self, id: TypeId, into: &mut Vec<TypeId>) {
        if into.contains(&id) {
            return;
        }
        into.push(id);
        let row = self.get(id);
        if let Some(parent) = row.parent {
            self.collect(parent, into);
        }
        for interface in row.interfaces.clone() {
            self.collect(interface, into);
        }
    }

    /// A class.
    pub fn get(&self, id: TypeId) -> &Type {
        // Ids come from `names` alone, so the row is there; `Object` stands in if that should ever be wrong.
        self.rows.get(usize::from(id.0)).unwrap_or(&self.rows[0])
    }

    /// The class of a full name.
    pub fn find(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }

    /// Whether `id` is `above` or below it.
    pub fn is_a(&self, id: TypeId, above: TypeId) -> bool {
        if above == id::OBJECT {
            return self.get(id).parent.is_some() || id == above;
        }
        let mut at = Some(id);
        while let Some(id) = at {
            if id == above || self.get(id).interfaces.iter().any(|interface| self.is_a(*interface, above)) {
                return true;
            }
            at = self.get(id).parent;
        }
        false
    }
}
