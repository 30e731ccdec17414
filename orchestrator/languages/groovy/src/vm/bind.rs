//! Arguments and parameters: which method fits, and how values are converted on the way in.

use std::rc::Rc;

use super::{Raise, Vm};
use crate::class::Kind;
use crate::code::{Code, Ty};
use crate::types::{TypeId, id};
use crate::value::{ClassRef, ListKind, Value};

/// Parameters' values, and a bit for each that was given.
type Bound = Option<(Vec<Value>, u64)>;

impl Vm {
    /// How far arguments are from the parameters; none when they do not fit.
    pub(crate) fn distance(&mut self, code: &Rc<Code>, args: &[Value]) -> Result<Option<u32>, Raise> {
        let params = &code.params;
        let required = params.iter().filter(|param| !param.default).count();
        let varargs = params.last().is_some_and(|param| param.varargs);
        let plain = args.len() >= required && args.len() <= params.len();
        let mut least: Option<u32> = None;
        if plain {
            // Each default that is used costs a little, so that an exact overload wins.
            let mut total = u32::try_from(params.len() - args.len()).unwrap_or(0);
            let mut fits = true;
            for (param, arg) in self.given(code, args.len()).into_iter().zip(args) {
                let Some(ty) = params.get(param).map(|param| param.ty) else { continue };
                let ty = self.resolve(code, ty)?;
                match self.cost(arg, &ty) {
                    Some(cost) => total = total.saturating_add(cost),
                    None => fits = false,
                }
            }
            least = fits.then_some(total);
        }
        if least.is_none() && varargs && args.len() + 1 >= params.len() {
            let fixed = params.len() - 1;
            let mut total = 100u32;
            for (at, arg) in args.iter().enumerate() {
                let Some(param) = params.get(at.min(fixed)) else { continue };
                let ty = match (self.resolve(code, param.ty)?, at >= fixed) {
                    (Ty::Array(element), true) => *element,
                    (ty, _) => ty,
                };
                match self.cost(arg, &ty) {
                    Some(cost) => total = total.saturating_add(cost),
                    None => return Ok(None),
                }
            }
            least = Some(total);
        }
        Ok(least)
    }

    /// Which parameters get so many arguments: defaults are left out from the right.
    fn given(&self, code: &Code, count: usize) -> Vec<usize> {
        let required = code.params.iter().filter(|param| !param.default).count();
        let mut spare = count.saturating_sub(required);
        let mut given = Vec::with_capacity(count);
        for (at, param) in code.params.iter().enumerate() {
            if !param.default {
                given.push(at);
            } else if spare > 0 {
                spare -= 1;
                given.push(at);
            }
        }
        given
    }

    /// Puts arguments in the places of the parameters, converted; none when they do not fit.
    pub(crate) fn bind(&mut self, code: &Rc<Code>, mut args: Vec<Value>) -> Result<Bound, Raise> {
        if code.implicit_it {
            return Ok(match args.len() {
                0 => Some((vec![Value::Null], 0)),
                1 => Some((args, 1)),
                _ => None,
            });
        }
        let params = &code.params;
        if params.is_empty() {
            // A closure without parameters takes one `null`, which `call()` of a one-argument caller passes.
            return Ok(match args.as_slice() {
                [] => Some((Vec::new(), 0)),
                _ => None,
            });
        }
        if params.len() == args.len()
            && params.iter().all(|param| code.types.get(param.ty as usize).is_some_and(|ty| ty.name.is_empty()))
        {
            let given = (1u64 << args.len().min(63)) - 1;
            return Ok(Some((args, given)));
        }
        let closure = &*code.name == "doCall";
        if closure
            && params.len() > 1
            && args.len() == 1
            && let Some(Value::List(list)) = args.first()
        {
            let items = list.items.borrow().clone();
            if self.distance(code, &items)?.is_some() {
                args = items;
            }
        }
        if self.distance(code, &args)?.is_none() {
            return Ok(None);
        }
        self.pack(code, &mut args)?;
        let mut slots = vec![Value::Null; params.len()];
        let mut mask = 0u64;
        for (param, arg) in self.given(code, args.len()).into_iter().zip(args) {
            let Some(ty) = params.get(param).map(|param| param.ty) else { continue };
            let ty = self.resolve(code, ty)?;
            let arg = if matches!(ty, Ty::Any) { arg } else { self.cast(arg, &ty, true)? };
            if let Some(slot) = slots.get_mut(param) {
                *slot = arg;
            }
            mask |= 1u64 << param.min(63);
        }
        Ok(Some((slots, mask)))
    }

    /// Gathers the arguments of a `...` parameter into an array.
    fn pack(&mut self, code: &Rc<Code>, args: &mut Vec<Value>) -> Result<(), Raise> {
        let Some(last) = code.params.last().filter(|param| param.varargs) else { return Ok(()) };
        let fixed = code.params.len() - 1;
        let ty = self.resolve(code, last.ty)?;
        if args.len() == code.params.len()
            && let Some(arg) = args.last()
            && self.cost(arg, &ty).is_some()
        {
            return Ok(());
        }
        if args.len() < fixed || (args.len() == fixed && last.default) {
            return Ok(());
        }
        let rest = args.split_off(fixed);
        let (element, kind) = match &ty {
            Ty::Array(element) => ((**element).clone(), self.array_kind(element)),
            _ => (Ty::Any, ListKind::Java(id::OBJECT)),
        };
        let mut items = Vec::with_capacity(rest.len());
        for item in rest {
            items.push(self.cast(item, &element, true)?);
        }
        args.push(self.list_of(kind, items));
        Ok(())
    }

    /// The kind of an array of a type.
    pub(crate) fn array_kind(&self, element: &Ty) -> ListKind {
        ListKind::Java(match element {
            Ty::Class(ClassRef::Builtin(class)) => *class,
            _ => id::OBJECT,
        })
    }

    /// How far a value is from a parameter's type; none when it may not be passed.
    pub(crate) fn cost(&self, value: &Value, ty: &Ty) -> Option<u32> {
        match ty {
            Ty::Any | Ty::Unknown(_) => Some(match value {
                Value::Null => 1,
                _ => 40,
            }),
            Ty::Array(element) => match value {
                Value::Null => Some(5),
                Value::List(list) => match (&list.kind, &**element) {
                    (ListKind::Java(own), Ty::Class(ClassRef::Builtin(wanted))) if own == wanted => Some(0),
                    (ListKind::Java(own), Ty::Any | Ty::Class(_) | Ty::Unknown(_)) if !is_primitive_id(*own) => Some(3),
                    (ListKind::Java(_), Ty::Array(_)) => Some(1),
                    _ => None,
                },
                _ => None,
            },
            Ty::Class(class) => self.class_cost(value, class),
        }
    }

    fn class_cost(&self, value: &Value, class: &ClassRef) -> Option<u32> {
        let ClassRef::Builtin(wanted) = class else {
            if value.is_null() {
                return Some(2);
            }
            if let (Value::Closure(_), ClassRef::User(user)) = (value, class) {
                return (user.kind == Kind::Interface).then_some(30);
            }
            let own = self.class_of(value);
            return self.descends(&own, class).then(|| self.steps(&own, class));
        };
        if value.is_null() {
            return if is_primitive_id(*wanted) { None } else { Some(if *wanted == id::OBJECT { 1 } else { 2 }) };
        }
        if let Some(cost) = number_cost(value, *wanted) {
            return Some(cost);
        }
        match (value, *wanted) {
            (Value::GStr(_), id::STRING) => return Some(2),
            (Value::Closure(_), wanted) if self.types.get(wanted).interface && wanted != id::CLONEABLE => {
                return Some(30);
            }
            (Value::Host(_), _) => return Some(5),
            _ => {}
        }
        let own = self.class_of(value);
        self.descends(&own, class).then(|| self.steps(&own, class))
    }

    /// Steps up from a class to one above it; interfaces count more than classes, `Object` most.
    fn steps(&self, own: &ClassRef, above: &ClassRef) -> u32 {
        if *above == ClassRef::Builtin(id::OBJECT) {
            return 40;
        }
        let mut count = 0;
        let mut at = own.clone();
        loop {
            if at == *above {
                return count;
            }
            let parent = match &at {
                ClassRef::Builtin(class) => self.types.get(*class).parent.map(ClassRef::Builtin),
                ClassRef::User(class) => Some(class.superclass.borrow().clone()),
            };
            match parent {
                Some(parent) if self.descends(&parent, above) => {
                    count += 2;
                    at = parent;
                }
                _ => return count + 3,
            }
        }
    }
}

/// Whether a class is one of Java's primitives.
pub(crate) fn is_primitive_id(class: TypeId) -> bool {
    matches!(
        class,
        id::P_BOOLEAN | id::P_BYTE | id::P_SHORT | id::P_INT | id::P_LONG | id::P_CHAR | id::P_FLOAT | id::P_DOUBLE
    )
}

/// Widening of numbers, as Groovy passes them.
fn number_cost(value: &Value, wanted: TypeId) -> Option<u32> {
    let place = |of: &[TypeId]| of.iter().position(|class| *class == wanted).and_then(|at| u32::try_from(at).ok());
    match value {
        Value::Bool(_) => place(&[id::BOOLEAN, id::P_BOOLEAN]).map(|_| 0),
        Value::Char(_) => place(&[id::CHARACTER, id::P_CHAR]).map(|_| 0),
        Value::Byte(_) => place(&[
            id::P_BYTE,
            id::BYTE,
            id::P_SHORT,
            id::SHORT,
            id::P_INT,
            id::INTEGER,
            id::P_LONG,
            id::LONG,
            id::P_FLOAT,
            id::FLOAT,
            id::P_DOUBLE,
            id::DOUBLE,
        ]),
        Value::Short(_) => place(&[
            id::P_SHORT,
            id::SHORT,
            id::P_INT,
            id::INTEGER,
            id::P_LONG,
            id::LONG,
            id::P_FLOAT,
            id::FLOAT,
            id::P_DOUBLE,
            id::DOUBLE,
        ]),
        Value::Int(_) => place(&[
            id::P_INT,
            id::INTEGER,
            id::P_LONG,
            id::LONG,
            id::BIG_INTEGER,
            id::P_FLOAT,
            id::FLOAT,
            id::P_DOUBLE,
            id::DOUBLE,
            id::BIG_DECIMAL,
        ]),
        Value::Long(_) => place(&[
            id::P_LONG,
            id::LONG,
            id::BIG_INTEGER,
            id::BIG_DECIMAL,
            id::P_FLOAT,
            id::FLOAT,
            id::P_DOUBLE,
            id::DOUBLE,
        ]),
        Value::Float(_) => place(&[id::P_FLOAT, id::FLOAT, id::P_DOUBLE, id::DOUBLE]),
        Value::Double(_) => place(&[id::P_DOUBLE, id::DOUBLE]),
        Value::Decimal(_) => place(&[id::BIG_DECIMAL, id::P_DOUBLE, id::DOUBLE, id::P_FLOAT, id::FLOAT]),
        Value::BigInt(_) => place(&[id::BIG_INTEGER, id::P_FLOAT, id::P_DOUBLE, id::DOUBLE]),
        _ => None,
    }
}
