//! A Declarative Pipeline as it stands in the source: sections, stages, steps, each with its place.
//!
//! Groovy that must be evaluated at run time (steps blocks, interpolated strings, `when` expressions) is kept aside as a
//! [`Fragment`] and named by its index, so that the model itself is plain data.

use std::sync::Arc;

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::{Closure, Expr, Literal};

/// Groovy that is evaluated when the build gets there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fragment {
    /// One expression.
    Expr(Expr),
    /// The body of a block.
    Block(Arc<Closure>),
}

/// Which fragment.
pub(crate) type FragmentId = usize;

/// `pipeline { … }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) span: Span,
    pub(crate) agent: Option<Agent>,
    pub(crate) environment: Option<Environment>,
    pub(crate) tools: Option<Tools>,
    pub(crate) options: Option<Calls>,
    pub(crate) parameters: Option<Calls>,
    pub(crate) triggers: Option<Calls>,
    pub(crate) libraries: Option<Libraries>,
    pub(crate) stages: Option<Stages>,
    pub(crate) post: Option<Post>,
    pub(crate) fragments: Vec<Fragment>,
}

/// A name where it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) span: Span,
}

/// A value: known now, or evaluated later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Val {
    pub(crate) span: Span,
    pub(crate) kind: ValKind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ValKind {
    /// A constant.
    Literal(Literal),
    /// Anything else; `text` is how Jenkins' JSON model writes it.
    Code { fragment: FragmentId, text: String },
}

/// Arguments of a step or condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Args {
    /// `name: value, …`, or none.
    Named(Vec<(Key, Val)>),
    /// One without a name.
    Single(Val),
    /// Several without names.
    Positional(Vec<Val>),
}

/// `agent …`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Agent {
    pub(crate) span: Span,
    pub(crate) kind: Option<Key>,
    pub(crate) settings: Settings,
}

/// What stands behind an agent's type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Settings {
    /// Nothing.
    #[default]
    None,
    /// `label 'x'`.
    One(Val),
    /// `docker { image 'x' }`.
    Map(Vec<(Key, Settings)>),
}

/// `environment { … }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Environment {
    pub(crate) span: Span,
    pub(crate) vars: Vec<(Key, EnvVal)>,
}

/// The right side of a variable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EnvVal {
    /// Text.
    Val(Val),
    /// `credentials('id')`.
    Credentials { span: Span, args: Vec<Val> },
}

/// `tools { … }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tools {
    pub(crate) span: Span,
    pub(crate) tools: Vec<(Key, Val)>,
}

/// `options`, `parameters` or `triggers`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Calls {
    pub(crate) span: Span,
    pub(crate) calls: Vec<MethodCall>,
}

/// One of them: `cron('@daily')`, `buildDiscarder(logRotator(numToKeepStr: '5'))`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MethodCall {
    pub(crate) span: Span,
    /// Empty when it could not be read.
    pub(crate) name: String,
    pub(crate) args: Vec<CallArg>,
}

/// One of its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CallArg {
    /// A value.
    Val(Val),
    /// Another call.
    Call(MethodCall),
    /// `name: …`.
    Named(Key, Box<CallArg>),
}

/// `libraries { lib('x') }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Libraries {
    pub(crate) span: Span,
    pub(crate) libs: Vec<Val>,
}

/// `stages { … }`, or the stages of `parallel`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stages {
    pub(crate) span: Span,
    pub(crate) stages: Vec<Stage>,
}

/// `stage('n') { … }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stage {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) agent: Option<Agent>,
    pub(crate) when: Option<When>,
    pub(crate) environment: Option<Environment>,
    pub(crate) tools: Option<Tools>,
    pub(crate) options: Option<Calls>,
    pub(crate) input: Option<Input>,
    pub(crate) post: Option<Post>,
    /// `steps`; more than one when it is the old form `steps { parallel(a: {…}) }`.
    pub(crate) branches: Vec<Branch>,
    pub(crate) stages: Option<Stages>,
    pub(crate) parallel: Option<Stages>,
    pub(crate) matrix: Option<Box<Matrix>>,
    pub(crate) fail_fast: Option<bool>,
}

/// A list of steps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Branch {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) block: FragmentId,
}

/// One step as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) span: Span,
    /// Empty when it could not be read.
    pub(crate) name: String,
    pub(crate) args: Args,
    /// The steps of its block.
    pub(crate) children: Option<Vec<Step>>,
    /// The body of `script`.
    pub(crate) code: Option<Span>,
}

/// `when { … }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct When {
    pub(crate) span: Span,
    pub(crate) before_agent: Option<bool>,
    pub(crate) before_input: Option<bool>,
    pub(crate) before_options: Option<bool>,
    pub(crate) conditions: Vec<Condition>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) args: Option<Args>,
    pub(crate) children: Vec<Condition>,
    /// The body of `expression`, and its place.
    pub(crate) code: Option<(FragmentId, Span)>,
}

/// `input { … }` of a stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Input {
    pub(crate) span: Span,
    pub(crate) message: Option<Val>,
    pub(crate) id: Option<Val>,
    pub(crate) ok: Option<Val>,
    pub(crate) submitter: Option<Val>,
    pub(crate) submitter_parameter: Option<Val>,
    pub(crate) parameters: Option<Calls>,
}

/// `post { … }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Post {
    pub(crate) span: Span,
    pub(crate) conditions: Vec<(Key, Branch)>,
}

/// `matrix { … }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) span: Span,
    pub(crate) axes: Option<Axes>,
    pub(crate) excludes: Option<Excludes>,
    pub(crate) stages: Option<Stages>,
    /// The directives that stand in every cell: `agent`, `when`, `environment`, …
    pub(crate) cell: Stage,
}

/// `axes { … }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Axes {
    pub(crate) span: Span,
    pub(crate) axes: Vec<Axis>,
}

/// `axis { name 'A'; values 'x', 'y' }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Axis {
    pub(crate) span: Span,
    pub(crate) name: Option<Key>,
    pub(crate) values: Vec<Val>,
    /// `notValues`, in an exclude.
    pub(crate) inverse: Option<bool>,
}

/// `excludes { … }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Excludes {
    pub(crate) span: Span,
    pub(crate) excludes: Vec<Axes>,
}

impl Val {
    /// The text of a string constant.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            ValKind::Literal(Literal::String(text, _)) => Some(text),
            _ => None,
        }
    }

    /// The constant, if it is one.
    pub(crate) fn literal(&self) -> Option<&Literal> {
        match &self.kind {
            ValKind::Literal(literal) => Some(literal),
            ValKind::Code { .. } => None,
        }
    }
}

impl MethodCall {
    /// A named argument's value.
    pub(crate) fn named(&self, name: &str) -> Option<&CallArg> {
        self.args.iter().find_map(|arg| match arg {
            CallArg::Named(key, value) if key.name == name => Some(value.as_ref()),
            _ => None,
        })
    }

    /// A string constant: the named argument, or the only one without a name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.named(name).or_else(|| self.lone())? {
            CallArg::Val(val) => val.as_str(),
            _ => None,
        }
    }

    /// The only argument, if it has no name.
    pub(crate) fn lone(&self) -> Option<&CallArg> {
        match self.args.as_slice() {
            [arg @ (CallArg::Val(_) | CallArg::Call(_))] => Some(arg),
            _ => None,
        }
    }
}
