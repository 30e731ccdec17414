//! What a text is made of.

/// A token. Its text stands in the source, or, for strings, in the lexer's table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: T,
    /// Of a `{`: an arrow stands directly inside, so it is a closure with parameters.
    pub(crate) arrow: bool,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Of strings and names: the index of their text. Else 0.
    pub(crate) text: u32,
    /// Of an opening bracket or string start: the index of the token that closes it; [`OPEN`] when nothing does.
    pub(crate) close: u32,
}

/// No token closes the bracket.
pub(crate) const OPEN: u32 = u32::MAX;

macro_rules! tokens {
    (keywords { $($keyword:ident $word:literal,)* } symbols { $($symbol:ident $spelling:literal,)* } $($other:ident,)*) => {
        /// Kinds of tokens.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum T {
            $($other,)*
            $($keyword,)*
            $($symbol,)*
        }

        /// The keyword that a word is.
        pub(crate) fn keyword(word: &str) -> Option<T> {
            match word {
                $($word => Some(T::$keyword),)*
                _ => None,
            }
        }

        impl T {
            /// Whether it is a keyword. After a dot and before a colon these are names.
            pub(crate) const fn is_keyword(self) -> bool {
                matches!(self, $(T::$keyword)|*)
            }

            /// How it is written, or what it is called, as Groovy's messages do.
            pub(crate) const fn paraphrase(self) -> &'static str {
                match self {
                    $(T::$keyword => concat!("'", $word, "'"),)*
                    $(T::$symbol => concat!("'", $spelling, "'"),)*
                    T::End => "EOF",
                    T::Newline => "<newline>",
                    T::Ident => "an identifier",
                    T::Int | T::Long | T::BigInteger | T::Float | T::Double | T::BigDecimal => "a numeric literal",
                    T::String | T::TextStart => "a string literal",
                    T::TextMiddle | T::TextEnd => "a string literal end",
                }
            }
        }
    };
}

tokens! {
    keywords {
        Abstract "abstract", As "as", Assert "assert", Boolean "boolean", Break "break", Byte "byte", Case "case",
        Catch "catch", Char "char", Class "class", Const "const", Continue "continue", Def "def", Default "default",
        Do "do", DoubleType "double", Else "else", Enum "enum", Extends "extends", False "false", Final "final",
        Finally "finally", FloatType "float", For "for", Goto "goto", If "if", Implements "implements",
        Import "import", In "in", Instanceof "instanceof", IntType "int", Interface "interface", LongType "long",
        Native "native", New "new", Null "null", Package "package", Private "private", Protected "protected",
        Public "public", Return "return", Short "short", Static "static", Strictfp "strictfp", Super "super",
        Switch "switch", Synchronized "synchronized", This "this", Threadsafe "threadsafe", Throw "throw",
        Throws "throws", Trait "trait", Transient "transient", True "true", Try "try", Void "void",
        Volatile "volatile", While "while",
    }
    symbols {
        LParen "(", RParen ")", LBrack "[", RBrack "]", LCurly "{", RCurly "}", Comma ",", Semi ";", Colon ":",
        Question "?", Elvis "?:", Dot ".", SafeDot "?.", SpreadDot "*.", Pointer ".&", Range "..",
        RangeExclusive "..<", Ellipsis "...", Arrow "->", At "@", Assign "=", Equal "==", NotEqual "!=",
        Identical "===", NotIdentical "!==", Compare "<=>", Less "<", LessEqual "<=", Greater ">",
        GreaterEqual ">=", Find "=~", Match "==~", Not "!", BitNot "~", Plus "+", Minus "-", Star "*", Slash "/",
        Percent "%", Power "**", Increment "++", Decrement "--", ShiftLeft "<<", ShiftRight ">>",
        ShiftRightUnsigned ">>>", And "&&", Or "||", BitAnd "&", BitOr "|", BitXor "^", PlusAssign "+=",
        MinusAssign "-=", StarAssign "*=", SlashAssign "/=", PercentAssign "%=", PowerAssign "**=",
        ShiftLeftAssign "<<=", ShiftRightAssign ">>=", ShiftRightUnsignedAssign ">>>=", AndAssign "&=",
        OrAssign "|=", XorAssign "^=",
    }
    End, Newline, Ident, Int, Long, BigInteger, Float, Double, BigDecimal, String, TextStart, TextMiddle, TextEnd,
}

impl T {
    /// Whether an expression may end here, so that a `/` after it divides.
    pub(crate) const fn ends_expression(self) -> bool {
        self.is_keyword()
            || self.is_number()
            || matches!(
                self,
                T::Increment | T::Decrement | T::RParen | T::RBrack | T::RCurly | T::String | T::TextEnd | T::Ident
            )
    }

    /// Whether it is a number.
    pub(crate) const fn is_number(self) -> bool {
        matches!(self, T::Int | T::Long | T::BigInteger | T::Float | T::Double | T::BigDecimal)
    }

    /// Whether it is a primitive type or `void`.
    pub(crate) const fn is_builtin_type(self) -> bool {
        matches!(
            self,
            T::Void
                | T::Boolean
                | T::Byte
                | T::Char
                | T::Short
                | T::IntType
                | T::FloatType
                | T::LongType
                | T::DoubleType
        )
    }

    /// Whether it is a modifier other than `def`.
    pub(crate) const fn is_modifier(self) -> bool {
        matches!(
            self,
            T::Private
                | T::Public
                | T::Protected
                | T::Static
                | T::Transient
                | T::Final
                | T::Abstract
                | T::Native
                | T::Threadsafe
                | T::Synchronized
                | T::Volatile
                | T::Strictfp
        )
    }
}
