//! Maps and sets: keys, order, entries.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Raise, Vm};
use crate::key::Key;
use crate::limits;
use crate::types::id;
use crate::value::{Map, MapKind, Native, Value};

/// State of a `Map.Entry`: its map (for `setValue`), its key, its value.
pub struct Entry {
    /// The map it stands for.
    pub map: Rc<Map>,
    /// Its key.
    pub key: Value,
    /// Its value.
    pub value: std::cell::RefCell<Value>,
}

impl Vm {
    /// The canonical key of a value.
    ///
    /// # Errors
    /// What a script's own `hashCode` throws; nesting without end.
    pub fn key(&mut self, value: &Value) -> Result<Key, Raise> {
        Ok(match value {
            Value::Null => Key::Null,
            Value::Bool(truth) => Key::Bool(*truth),
            Value::Byte(number) => Key::Whole(b'B', i64::from(*number)),
            Value::Short(number) => Key::Whole(b'S', i64::from(*number)),
            Value::Int(number) => Key::Whole(b'I', i64::from(*number)),
            Value::Long(number) => Key::Whole(b'J', *number),
            Value::Char(char) => Key::Char(*char),
            Value::Float(number) => Key::Float(f64::from(*number).to_bits(), true),
            Value::Double(number) => Key::Float(number.to_bits(), false),
            Value::BigInt(number) => Key::Big(number.clone()),
            Value::Decimal(number) => Key::Decimal(Rc::new(number.unscaled.clone()), number.scale),
            Value::Str(text) => Key::Str(text.clone()),
            Value::GStr(_) => Key::GStr(self.text(value)?),
            Value::List(list) if !matches!(list.kind, crate::value::ListKind::Java(_)) => {
                let items = list.items.borrow().clone();
                self.deeper(|vm| items.iter().map(|item| vm.key(item)).collect::<Result<Vec<_>, _>>())
                    .map(|keys| Key::List(keys.into()))?
            }
            Value::Range(_) => {
                let items = self.elements(value)?;
                let keys = items.iter().map(|item| self.key(item)).collect::<Result<Vec<_>, _>>()?;
                Key::List(keys.into())
            }
            Value::Set(map) => {
                let mut keys: Vec<Key> = map.entries.borrow().keys().cloned().collect();
                keys.sort_by_cached_key(|key| format!("{key:?}"));
                Key::Set(keys.into())
            }
            Value::Map(map) => {
                let entries: Vec<(Key, Value)> =
                    map.entries.borrow().iter().map(|(key, (_, value))| (key.clone(), value.clone())).collect();
                let mut keys = self.deeper(|vm| {
                    entries
                        .into_iter()
                        .map(|(key, value)| Ok((key, vm.key(&value)?)))
                        .collect::<Result<Vec<_>, Raise>>()
                })?;
                keys.sort_by_cached_key(|(key, _)| format!("{key:?}"));
                Key::Map(keys.into())
            }
            Value::Class(class) => Key::Class(self.name_of(class)),
            Value::Object(object) if self.has_own(value, "hashCode") || self.has_own(value, "equals") => {
                let hash = self.hash(value)?;
                Key::Custom(hash, Rc::as_ptr(object).addr())
            }
            Value::Native(native) => match self.native_key(native)? {
                Some(text) => Key::Text(native.class.0, text),
                None => Key::Identity(Rc::as_ptr(native).addr()),
            },
            other => Key::Identity(address(other)),
        })
    }

    /// Text that tells equal library values from unequal ones (`Date`, `UUID`); none where identity counts.
    fn native_key(&mut self, native: &Rc<Native>) -> Result<Option<Rc<str>>, Raise> {
        if let Some(entry) = native.state::<Entry>() {
            let (key, value) = (entry.key.clone(), entry.value.borrow().clone());
            let (key, value) = (self.key(&key)?, self.key(&value)?);
            return Ok(Some(Rc::from(format!("{key:?}={value:?}"))));
        }
        crate::library::native_key(self, native)
    }

    /// The key under which a map has an equal one already, or a new one.
    fn key_in(&mut self, map: &Map, value: &Value) -> Result<Key, Raise> {
        let key = self.key(value)?;
        let Key::Custom(hash, _) = &key else { return Ok(key) };
        let rivals: Vec<(Key, Value)> = map
            .entries
            .borrow()
            .iter()
            .filter(|(other, _)| matches!(other, Key::Custom(number, _) if number == hash))
            .map(|(key, (given, _))| (key.clone(), given.clone()))
            .collect();
        for (rival, given) in rivals {
            if self.equals(value, &given)? {
                return Ok(rival);
            }
        }
        Ok(key)
    }

    fn writable(&mut self, map: &Map) -> Result<(), Raise> {
        if map.kind == MapKind::Immutable {
            return Err(self.exception_without_message("java.lang.UnsupportedOperationException"));
        }
        Ok(())
    }

    /// Puts an entry; answers the value before. The key given first stays.
    ///
    /// # Errors
    /// An unmodifiable map; what `equals`, `hashCode`, `compareTo` throw; too much memory.
    pub fn map_put(&mut self, map: &Map, key: Value, value: Value) -> Result<Option<Value>, Raise> {
        self.writable(map)?;
        self.map_put_raw(map, key, value)
    }

    /// [`Vm::map_put`] for filling an unmodifiable map.
    pub(crate) fn map_put_raw(&mut self, map: &Map, key: Value, value: Value) -> Result<Option<Value>, Raise> {
        if map.kind == MapKind::Sorted {
            return self.sorted_put(map, key, value);
        }
        let canonical = self.key_in(map, &key)?;
        if let Some((_, old)) = map.entries.borrow_mut().get_mut(&canonical) {
            return Ok(Some(std::mem::replace(old, value)));
        }
        self.charge(size_of::<Value>() * 5)?;
        map.entries.borrow_mut().insert(canonical, (key, value));
        Ok(None)
    }

    fn sorted_put(&mut self, map: &Map, key: Value, value: Value) -> Result<Option<Value>, Raise> {
        match self.sorted_find(map, &key)? {
            Ok(at) => {
                let mut entries = map.entries.borrow_mut();
                Ok(entries.get_index_mut(at).map(|(_, entry)| std::mem::replace(&mut entry.1, value)))
            }
            Err(at) => {
                // Two keys that compare unequal may have equal canonical forms; the address keeps them apart.
                let canonical = self.key(&key)?;
                self.charge(size_of::<Value>() * 5)?;
                map.entries.borrow_mut().shift_insert(at, canonical, (key, value));
                Ok(None)
            }
        }
    }

    fn sorted_find(&mut self, map: &Map, key: &Value) -> Result<Result<usize, usize>, Raise> {
        let comparator = map.closure.borrow().clone();
        let (mut low, mut high) = (0, map.entries.borrow().len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let Some(there) = map.entries.borrow().get_index(middle).map(|(_, (key, _))| key.clone()) else { break };
            let order = match &comparator {
                Some(comparator) => self.compare_by(comparator, key, &there)?,
                None => self.compare(key, &there)?,
            };
            match order {
                Ordering::Equal => return Ok(Ok(middle)),
                Ordering::Less => high = middle,
                Ordering::Greater => low = middle + 1,
            }
        }
        Ok(Err(low))
    }

    fn find_entry(&mut self, map: &Map, key: &Value) -> Result<Option<Key>, Raise> {
        if map.kind == MapKind::Sorted {
            let found = self.sorted_find(map, key)?;
            return Ok(found.ok().and_then(|at| map.entries.borrow().get_index(at).map(|(key, _)| key.clone())));
        }
        let canonical = self.key_in(map, key)?;
        Ok(map.entries.borrow().contains_key(&canonical).then_some(canonical))
    }

    /// The value of a key. The closure of `withDefault` is not asked: `get` of the prelude does that.
    ///
    /// # Errors
    /// What `equals`, `hashCode`, `compareTo` throw.
    pub fn map_get(&mut self, map: &Map, key: &Value) -> Result<Option<Value>, Raise> {
        if let (Value::Str(text), true) = (key, map.kind != MapKind::Sorted) {
            return Ok(map.entries.borrow().get(&Key::Str(text.clone())).map(|(_, value)| value.clone()));
        }
        let found = self.find_entry(map, key)?;
        Ok(found.and_then(|key| map.entries.borrow().get(&key).map(|(_, value)| value.clone())))
    }

    /// Removes an entry; answers its value.
    ///
    /// # Errors
    /// An unmodifiable map; what `equals`, `hashCode`, `compareTo` throw.
    pub fn map_remove(&mut self, map: &Map, key: &Value) -> Result<Option<Value>, Raise> {
        self.writable(map)?;
        let found = self.find_entry(map, key)?;
        Ok(found.and_then(|key| map.entries.borrow_mut().shift_remove(&key).map(|(_, value)| value)))
    }

    /// Adds to a set; answers whether it was new.
    ///
    /// # Errors
    /// As [`Vm::map_put`].
    pub fn set_add(&mut self, set: &Map, item: Value) -> Result<bool, Raise> {
        self.writable(set)?;
        self.set_add_raw(set, item)
    }

    /// [`Vm::set_add`] for filling an unmodifiable set.
    pub(crate) fn set_add_raw(&mut self, set: &Map, item: Value) -> Result<bool, Raise> {
        if self.find_entry(set, &item)?.is_some() {
            return Ok(false);
        }
        self.map_put_raw(set, item, Value::Null)?;
        Ok(true)
    }

    /// Keys and values in the order in which Java would walk them.
    pub fn entries(&mut self, map: &Map) -> Vec<(Value, Value)> {
        let mut entries: Vec<(Value, Value)> = map.entries.borrow().values().cloned().collect();
        if map.kind == MapKind::Hash {
            // Java's table is a power of two above 4/3 of the size, 16 at least; keys lie by their spread hash.
            let mut table = 16usize;
            while entries.len() * 4 > table * 3 {
                table *= 2;
            }
            entries.sort_by_cached_key(|(key, _)| {
                let hash = self.hash(key).unwrap_or(0).cast_unsigned();
                (hash ^ (hash >> 16)) as usize & (table - 1)
            });
        }
        entries
    }

    /// Entries as `Map.Entry` values.
    pub fn map_entries(&mut self, map: &Rc<Map>) -> Vec<Value> {
        self.entries(map).into_iter().map(|(key, value)| self.entry(map, key, value)).collect()
    }

    /// One `Map.Entry`.
    pub fn entry(&mut self, map: &Rc<Map>, key: Value, value: Value) -> Value {
        Value::Native(self.heap.keep(Native {
            class: id::MAP_ENTRY,
            state: Box::new(Entry { map: map.clone(), key, value: value.into() }),
        }))
    }

    /// Runs one level deeper in a walk over nested values.
    ///
    /// # Errors
    /// `StackOverflowError` when that is too deep, and what the walk throws.
    pub(crate) fn deeper<T>(&mut self, walk: impl FnOnce(&mut Vm) -> Result<T, Raise>) -> Result<T, Raise> {
        if self.depth >= limits::MAX_NESTED_VALUES {
            return Err(self.exception_without_message("java.lang.StackOverflowError"));
        }
        self.depth += 1;
        let result = walk(self);
        self.depth -= 1;
        result
    }
}

/// The address that tells one object from another.
pub(crate) fn address(value: &Value) -> usize {
    match value {
        Value::List(list) => Rc::as_ptr(list).addr(),
        Value::Closure(closure) => Rc::as_ptr(closure).addr(),
        Value::Object(object) => Rc::as_ptr(object).addr(),
        Value::Iter(iter) => Rc::as_ptr(iter).addr(),
        Value::Native(native) => Rc::as_ptr(native).addr(),
        Value::Host(host) => Rc::as_ptr(host).cast::<()>().addr(),
        _ => 0,
    }
}
