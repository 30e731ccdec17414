//! Keeps an evaluation within its budget.
//!
//! CEL has no loops but comprehensions, yet `[x].map(a, a + a).map(b, b + b)...` doubles with every eleven characters.
//! So the compiled tree is rewritten: every turn of a comprehension ticks, and every value that an operator makes is
//! weighed. What CEL's own `||` would swallow does not matter: once spent, a budget stays spent and the next tick fails.
//!
//! A comprehension over a map walks its keys in order here, since CEL's maps have none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr as Ast, LiteralValue, operators};
use cel::common::types::CelBool;
use cel::{Context, ExecutionError, IdedExpr, Value as Cel};

use crate::limits::MAX_EVALUATION;

/// Names nobody can write in an expression.
const TICK: &str = "@tick";
const GROW: &str = "@grow";
const KEYS: &str = "@keys";
/// Bytes of text for one unit of work.
const BYTES_PER_UNIT: usize = 64;

/// What an evaluation may still spend.
#[derive(Clone)]
pub(crate) struct Budget(Arc<AtomicU64>);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(MAX_EVALUATION)))
    }

    pub(crate) fn spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn take(&self, units: u64) -> Result<(), ExecutionError> {
        let left = self.0.load(Ordering::Relaxed).saturating_sub(units);
        self.0.store(left, Ordering::Relaxed);
        if left == 0 { Err(ExecutionError::function_error("budget", TOO_MUCH)) } else { Ok(()) }
    }

    /// Makes the functions that a rewritten tree calls known.
    pub(crate) fn install(&self, context: &mut Context<'_, '_>) {
        let tick = self.clone();
        let grow = self.clone();
        let keys = self.clone();
        let added = [
            context.add_function(TICK, move || -> Result<bool, ExecutionError> { tick.take(1).map(|()| true) }),
            context.add_function(GROW, move |value: Cel| -> Result<Cel, ExecutionError> {
                grow.weigh(&value)?;
                Ok(value)
            }),
            context.add_function(KEYS, move |value: Cel| -> Result<Cel, ExecutionError> { keys.keys(value) }),
        ];
        debug_assert!(added.iter().all(Result::is_ok), "no overload has such a name");
    }

    fn weigh(&self, value: &Cel) -> Result<(), ExecutionError> {
        self.take(1)?;
        match value {
            Cel::String(text) => self.take((text.len() / BYTES_PER_UNIT) as u64),
            Cel::Bytes(bytes) => self.take((bytes.len() / BYTES_PER_UNIT) as u64),
            Cel::List(items) => items.iter().try_for_each(|item| self.weigh(item)),
            Cel::Map(map) => map.map.values().try_for_each(|item| self.weigh(item)),
            _ => Ok(()),
        }
    }

    fn keys(&self, value: Cel) -> Result<Cel, ExecutionError> {
        let Cel::Map(map) = value else { return Ok(value) };
        self.take(map.map.len() as u64)?;
        let mut keys: Vec<_> = map.map.keys().cloned().collect();
        keys.sort();
        Ok(Cel::List(Arc::new(keys.into_iter().map(Cel::from).collect())))
    }
}

/// The message of a spent budget.
pub(crate) const TOO_MUCH: &str = "the expression needs too much work; move it into a script";

/// Puts the calls in.
pub(crate) fn guard(expr: &mut IdedExpr) {
    match &mut expr.expr {
        Ast::Call(call) => {
            call.target.iter_mut().for_each(|target| guard(target));
            call.args.iter_mut().for_each(guard);
            if matches!(call.func_name.as_str(), operators::ADD | "string" | "bytes" | "replace" | "join") {
                wrap(expr, GROW);
            }
        }
        Ast::Comprehension(comprehension) => guard_comprehension(comprehension),
        Ast::List(list) => {
            list.elements.iter_mut().for_each(guard);
            if !list.elements.is_empty() {
                wrap(expr, GROW);
            }
        }
        Ast::Map(map) => {
            map.entries.iter_mut().for_each(|entry| guard_entry(&mut entry.expr));
            wrap(expr, GROW);
        }
        Ast::Struct(made) => made.entries.iter_mut().for_each(|entry| guard_entry(&mut entry.expr)),
        Ast::Select(select) => guard(&mut select.operand),
        Ast::Ident(_) | Ast::Literal(_) | Ast::Unspecified => {}
    }
}

fn guard_entry(entry: &mut EntryExpr) {
    match entry {
        EntryExpr::MapEntry(entry) => {
            guard(&mut entry.key);
            guard(&mut entry.value);
        }
        EntryExpr::StructField(field) => guard(&mut field.value),
    }
}

fn guard_comprehension(comprehension: &mut ComprehensionExpr) {
    guard(&mut comprehension.iter_range);
    wrap(&mut comprehension.iter_range, KEYS);
    // `map` and `filter` append to a list, which CEL does in place as long as it recognises their shape: so the shape
    // stays, and the tick goes into the parts.
    if matches!(comprehension.loop_cond.expr, Ast::Literal(_)) {
        guard_append(&mut comprehension.loop_step);
    } else {
        guard(&mut comprehension.loop_step);
        tick_before(&mut comprehension.loop_cond);
    }
}

fn guard_append(step: &mut IdedExpr) {
    let Ast::Call(call) = &mut step.expr else { return guard(step) };
    match (call.func_name.as_str(), call.args.as_mut_slice()) {
        (operators::CONDITIONAL, [condition, append, _]) => {
            guard(condition);
            tick_before(condition);
            guard_append(append);
        }
        (operators::ADD, [_, items]) => match &mut items.expr {
            Ast::List(list) => {
                for element in &mut list.elements {
                    guard(element);
                    wrap(element, GROW);
                }
            }
            _ => guard(items),
        },
        _ => guard(step),
    }
}

/// `x` becomes `@tick() ? x : false`: the error of a tick is not swallowed there.
fn tick_before(expr: &mut IdedExpr) {
    let id = expr.id;
    let inner = std::mem::take(expr);
    let tick =
        IdedExpr { id, expr: Ast::Call(CallExpr { func_name: TICK.to_owned(), target: None, args: Vec::new() }) };
    let no = IdedExpr { id, expr: Ast::Literal(LiteralValue::Boolean(CelBool::from(false))) };
    let args = vec![tick, inner, no];
    *expr =
        IdedExpr { id, expr: Ast::Call(CallExpr { func_name: operators::CONDITIONAL.to_owned(), target: None, args }) };
}

fn wrap(expr: &mut IdedExpr, function: &str) {
    let id = expr.id;
    let inner = std::mem::take(expr);
    let call = CallExpr { func_name: function.to_owned(), target: None, args: vec![inner] };
    *expr = IdedExpr { id, expr: Ast::Call(call) };
}
