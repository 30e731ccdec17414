//! The syntax of Groovy 2.4, as Jenkins embeds it: text in, a tree with positions or all syntax errors out.
//!
//! ```
//! let script = haliotis_groovy_syntax::parse("sh 'make'", "Jenkinsfile").expect("this is Groovy");
//! assert_eq!(script.body.stmts.len(), 1);
//! ```
//!
//! The crate knows no Jenkins, runs nothing and touches nothing. Whatever the text, [`parse`] returns: nesting is
//! bounded by [`limits::MAX_DEPTH`], so neither it nor whoever walks the tree by recursion runs out of stack.

pub mod ast;
mod error;
mod lexer;
pub mod limits;
mod number;
mod parser;
mod span;
mod strings;
mod token;

pub use ast::Script;
pub use error::SyntaxError;
pub use span::{Lines, Place, Span};

/// Parses a script (or a file of classes). `name` is the file's name, which Groovy derives the script class from.
///
/// # Errors
/// All problems that could be found, in the order of the text; never an empty list.
pub fn parse(text: &str, name: &str) -> Result<Script, Vec<SyntaxError>> {
    parser::parse(text, name)
}
