//! Elements put in another order or shape: sorting, flattening, cutting, combining.

use super::Answer;
use super::arguments::amount;
use super::collection::{one_or_many, position};
use crate::value::{MapKind, Value};
use crate::vm::{Raise, Vm};

/// The order of `new HashSet(size)` of that size, whose table may be smaller than that of other hash sets.
pub(super) fn bucket_order(vm: &mut Vm, items: Vec<Value>) -> Result<Vec<Value>, Raise> {
    let mut table = items.len().max(1).next_power_of_two();
    if items.len() * 4 > table * 3 {
        table *= 2;
    }
    let mut placed = Vec::new();
    for item in items {
        let hash = vm.hash(&item)?.cast_unsigned();
        placed.push(((hash ^ (hash >> 16)) as usize & (table - 1), item));
    }
    placed.sort_by_key(|(place, _)| *place);
    Ok(placed.into_iter().map(|(_, item)| item).collect())
}

pub(super) fn flatten(vm: &mut Vm, items: &[Value], out: &mut Vec<Value>) -> Result<(), Raise> {
    let mut left = MAX_WALKED;
    flatten_some(vm, items, out, &mut left)
}

/// Elements that `flatten` looks at, at most: a list that holds itself twice would have no end.
const MAX_WALKED: usize = 5_000_000;

fn flatten_some(vm: &mut Vm, items: &[Value], out: &mut Vec<Value>, left: &mut usize) -> Result<(), Raise> {
    vm.deeper(|vm| {
        for item in items {
            *left = left.saturating_sub(1);
            if *left == 0 {
                vm.charge(usize::MAX)?;
            }
            match item {
                Value::List(_) | Value::Set(_) | Value::Range(_) => {
                    let inner = vm.elements(item)?;
                    flatten_some(vm, &inner, out, left)?;
                }
                other => out.push(other.clone()),
            }
        }
        Ok(())
    })
}

/// A stable sort by a comparison that may fail.
pub(super) fn merge_sort<T: Clone>(
    vm: &mut Vm,
    items: Vec<T>,
    less: &mut dyn FnMut(&mut Vm, &T, &T) -> Result<bool, Raise>,
) -> Result<Vec<T>, Raise> {
    if items.len() < 2 {
        return Ok(items);
    }
    let mut left = items;
    let right = left.split_off(left.len() / 2);
    let (left, right) = (merge_sort(vm, left, less)?, merge_sort(vm, right, less)?);
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if less(vm, b, a)? { right.next() } else { left.next() };
        out.extend(next);
    }
    out.extend(left);
    out.extend(right);
    Ok(out)
}

pub(super) fn sorted(vm: &mut Vm, this: &Value) -> Result<Vec<Value>, Raise> {
    let items = vm.elements(this)?;
    merge_sort(vm, items, &mut |vm, a, b| Ok(vm.compare(a, b)?.is_lt()))
}

/// For the prelude: `self.$sortByKeys(keys, inPlace)`.
pub(super) fn sort_by_keys(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let [keys, in_place] = args else { return Err(Raise::NoMatch) };
    let pairs: Vec<(Value, Value)> = vm.elements(keys)?.into_iter().zip(vm.elements(this)?).collect();
    let pairs = merge_sort(vm, pairs, &mut |vm, a, b| Ok(vm.compare(&a.0, &b.0)?.is_lt()))?;
    let items = pairs.into_iter().map(|(_, item)| item).collect();
    match (this, in_place) {
        (Value::List(list), Value::Bool(true)) => {
            list.items.replace(items);
            Ok(this.clone())
        }
        _ => Ok(vm.list(items)),
    }
}

pub(super) fn distinct(vm: &mut Vm, this: &Value) -> Result<Vec<Value>, Raise> {
    let mut kept: Vec<Value> = Vec::new();
    for item in vm.elements(this)? {
        if position(vm, &kept, &item)?.is_none() {
            kept.push(item);
        }
    }
    Ok(kept)
}

/// `collate(size[, step][, keepRemainder])`.
pub(super) fn collate(vm: &mut Vm, this: &Value, args: &[Value]) -> Answer {
    let (size, step, keep) = match args {
        [size] => (amount(size)?, amount(size)?, true),
        [size, Value::Bool(keep)] => (amount(size)?, amount(size)?, *keep),
        [size, step] => (amount(size)?, amount(step)?, true),
        [size, step, Value::Bool(keep)] => (amount(size)?, amount(step)?, *keep),
        _ => return Err(Raise::NoMatch),
    };
    let items = vm.elements(this)?;
    if size == 0 || step == 0 {
        let all = vm.list(items);
        return Ok(vm.list(vec![all]));
    }
    let mut out = Vec::new();
    let mut at = 0;
    while at < items.len() {
        if at + size > items.len() && !keep {
            break;
        }
        let piece = items.get(at..(at + size).min(items.len())).unwrap_or(&[]).to_vec();
        vm.charge(piece.len() * size_of::<Value>())?;
        out.push(vm.list(piece));
        at += step;
    }
    Ok(vm.list(out))
}

pub(super) fn rows(vm: &mut Vm, this: &Value) -> Result<Vec<Vec<Value>>, Raise> {
    let items = vm.elements(this)?;
    items.iter().map(|item| one_or_many(vm, item)).collect()
}

pub(super) fn transpose(vm: &mut Vm, this: &Value, _: &[Value]) -> Answer {
    let rows = rows(vm, this)?;
    let shortest = rows.iter().map(Vec::len).min().unwrap_or(0);
    let columns = (0..shortest)
        .map(|at| {
            let column = rows.iter().filter_map(|row| row.get(at).cloned()).collect();
            vm.list(column)
        })
        .collect();
    Ok(vm.list(columns))
}

/// The first list runs fastest, as in Groovy.
pub(super) fn combinations(vm: &mut Vm, this: &Value, _: &[Value]) -> Answer {
    let rows = rows(vm, this)?;
    let mut all: Vec<Vec<Value>> = vec![Vec::new()];
    for row in rows {
        vm.charge(all.len().saturating_mul(row.len()).saturating_mul(size_of::<Value>() * 4))?;
        all = row
            .iter()
            .flat_map(|item| {
                all.iter().map(|before| {
                    let mut next = before.clone();
                    next.push(item.clone());
                    next
                })
            })
            .collect();
    }
    let lists = all.into_iter().map(|items| vm.list(items)).collect();
    Ok(vm.list(lists))
}

pub(super) fn permutations(vm: &mut Vm, this: &Value, _: &[Value]) -> Answer {
    let items = vm.elements(this)?;
    let mut all: Vec<Vec<Value>> = vec![Vec::new()];
    for item in items {
        vm.charge(
            all.len().saturating_mul(all.first().map_or(1, |one| one.len() + 1)).saturating_mul(size_of::<Value>() * 4),
        )?;
        all = all
            .iter()
            .flat_map(|before| {
                (0..=before.len()).map(|at| {
                    let mut next = before.clone();
                    next.insert(at, item.clone());
                    next
                })
            })
            .collect();
    }
    let lists = all.into_iter().map(|items| vm.list(items)).collect();
    vm.set_from(MapKind::Hash, lists)
}

pub(super) fn subsequences(vm: &mut Vm, this: &Value, _: &[Value]) -> Answer {
    let items = vm.elements(this)?;
    let mut all: Vec<Vec<Value>> = Vec::new();
    for item in items {
        vm.charge(all.len().saturating_mul(size_of::<Value>() * 8))?;
        let longer: Vec<Vec<Value>> = all
            .iter()
            .map(|before| {
                let mut next = before.clone();
                next.push(item.clone());
                next
            })
            .collect();
        all.extend(longer);
        all.push(vec![item]);
    }
    let lists = all.into_iter().map(|items| vm.list(items)).collect();
    vm.set_from(MapKind::Hash, lists)
}
