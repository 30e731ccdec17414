//! Questions about what comes, answered without building anything.

use super::Parser;
use crate::token::T;

impl Parser<'_> {
    /// The token after a type that begins at `index`: `a.B<C>[]`. Nothing if there is none.
    pub(super) fn past_type(&self, index: usize) -> Option<usize> {
        let mut at = index;
        if self.token(at).kind.is_builtin_type() {
            at += 1;
        } else {
            if self.token(at).kind != T::Ident {
                return None;
            }
            at += 1;
            loop {
                if self.token(at).kind == T::Less {
                    at = self.past_type_arguments(at)?;
                }
                if self.token(at).kind == T::Dot && self.token(at + 1).kind == T::Ident {
                    at += 2;
                } else {
                    break;
                }
            }
        }
        while self.token(at).kind == T::LBrack && self.token(at + 1).kind == T::RBrack {
            at += 2;
        }
        Some(at)
    }

    /// The token after `<…>`; nothing unless it can only be type arguments.
    pub(super) fn past_type_arguments(&self, index: usize) -> Option<usize> {
        let mut open: i32 = 0;
        let mut at = index;
        loop {
            match self.token(at).kind {
                T::Less => open += 1,
                T::Greater => open -= 1,
                T::ShiftRight => open -= 2,
                T::ShiftRightUnsigned => open -= 3,
                T::Ident | T::Dot | T::Comma | T::Question | T::Extends | T::Super | T::BitAnd | T::Newline => {}
                T::LBrack if self.token(at + 1).kind == T::RBrack => at += 1,
                kind if kind.is_builtin_type() => {}
                _ => return None,
            }
            at += 1;
            if open <= 0 {
                return (open == 0).then_some(at);
            }
        }
    }

    /// The token after one annotation that begins at `index`.
    pub(super) fn past_annotation(&self, index: usize) -> Option<usize> {
        if self.token(index).kind != T::At || self.token(index + 1).kind != T::Ident {
            return None;
        }
        let mut at = index + 2;
        while self.token(at).kind == T::Dot && self.token(at + 1).kind == T::Ident {
            at += 2;
        }
        let arguments = self.past_newlines(at);
        if self.token(arguments).kind == T::LParen {
            return self.past_bracket(arguments);
        }
        Some(at)
    }

    /// The token after all modifiers and annotations (and the line ends among them) from `index` on.
    pub(super) fn past_modifiers(&self, index: usize) -> usize {
        let mut at = index;
        loop {
            let kind = self.token(at).kind;
            if kind == T::Def || kind.is_modifier() {
                at = self.past_newlines(at + 1);
            } else if let Some(next) = self.past_annotation(at) {
                at = self.past_newlines(next);
            } else {
                return at;
            }
        }
    }

    /// Whether a declaration of a variable or method begins at `index`: modifiers or a type, then a name. A type is
    /// known by its capital; so `String x` declares, and `println x` calls.
    pub(super) fn declaration_starts(&self, index: usize) -> bool {
        let after = self.past_modifiers(index);
        let name = |at: usize| matches!(self.token(at).kind, T::Ident | T::String);
        if after > index {
            // After a modifier any type is a type: `final foo x`.
            return name(after) || self.past_type(after).is_some_and(name);
        }
        self.looks_like_type(index) && self.past_type(index).is_some_and(name)
    }

    /// A built-in type, or a name (maybe dotted) whose last part has a capital.
    fn looks_like_type(&self, index: usize) -> bool {
        let token = self.token(index);
        if token.kind.is_builtin_type() {
            return true;
        }
        if token.kind != T::Ident {
            return false;
        }
        let mut last = index;
        while self.token(last + 1).kind == T::Dot && self.token(last + 2).kind == T::Ident {
            last += 2;
        }
        let name = self.texts.get(self.token(last).text as usize);
        name.is_some_and(|name| name.chars().next().is_some_and(char::is_uppercase))
    }

    /// `def (…`, with modifiers.
    pub(super) fn multiple_declaration_starts(&self, index: usize) -> bool {
        let after = self.past_modifiers(index);
        self.token(after).kind == T::LParen && (index..after).any(|at| self.token(at).kind == T::Def)
    }

    /// Modifiers, then `<`.
    pub(super) fn generic_method_starts(&self, index: usize) -> bool {
        let after = self.past_modifiers(index);
        after > index && self.token(after).kind == T::Less
    }

    /// Modifiers, then `class` or one of its kin.
    pub(super) fn type_definition_starts(&self, index: usize) -> bool {
        let after = self.past_modifiers(index);
        matches!(self.token(after).kind, T::Class | T::Interface | T::Enum | T::Trait)
            || (self.token(after).kind == T::At && self.token(after + 1).kind == T::Interface)
    }

    /// Annotations, then this keyword.
    pub(super) fn annotated(&self, index: usize, keyword: T) -> bool {
        let mut at = index;
        while let Some(next) = self.past_annotation(at) {
            at = self.past_newlines(next);
        }
        self.token(at).kind == keyword
    }

    /// Whether `name:` or another label of an argument or map entry begins here.
    pub(super) fn label_starts(&self) -> bool {
        let token = self.here();
        let after = match token.kind {
            T::Ident | T::String => self.at + 1,
            kind if kind.is_keyword() || kind.is_number() => self.at + 1,
            T::LParen | T::TextStart => match self.past_bracket(self.at) {
                Some(after) => after,
                None => return false,
            },
            _ => return false,
        };
        self.token(after).kind == T::Colon
    }

    /// Whether an expression may begin with this.
    pub(super) fn expression_starts(kind: T) -> bool {
        Self::operand_starts(kind) || matches!(kind, T::Plus | T::Minus | T::Increment | T::Decrement)
    }

    /// Whether an expression without a leading sign may begin with this: what makes `(a) b` a cast.
    pub(super) fn operand_starts(kind: T) -> bool {
        matches!(kind, T::Not | T::BitNot) || Self::primary_starts(kind)
    }

    /// Whether a name, constant, bracket or string begins with this.
    pub(super) fn primary_starts(kind: T) -> bool {
        kind.is_number()
            || kind.is_builtin_type()
            || matches!(
                kind,
                T::Ident
                    | T::String
                    | T::TextStart
                    | T::True
                    | T::False
                    | T::Null
                    | T::New
                    | T::This
                    | T::Super
                    | T::LParen
                    | T::LBrack
                    | T::LCurly
            )
    }
}
