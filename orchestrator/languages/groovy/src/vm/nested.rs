//! Stand-ins until `run.rs` is here.
use super::*;
use crate::value::TraceLine;
use std::cmp::Ordering;
impl Vm {
    /// Calls a method, nested: no steps.
    ///
    /// # Errors
    /// What it throws.
    pub fn call_method(&mut self, value: &Value, name: &str, args: &[Value]) -> Answer {
        self.native_method(value, name, args).unwrap_or(Err(Raise::NoMatch))
    }
    /// Calls a closure, nested: no steps.
    ///
    /// # Errors
    /// What it throws.
    pub fn call_closure(&mut self, closure: &Value, args: &[Value]) -> Answer {
        let _ = (closure, args);
        Err(Raise::NoMatch)
    }
    pub(crate) fn trace(&self) -> Vec<TraceLine> {
        Vec::new()
    }
    pub(crate) fn has_own(&self, _value: &Value, _name: &str) -> bool {
        false
    }
    pub(crate) fn own_text(&mut self, value: &Value) -> Result<Rc<str>, Raise> {
        Ok(self.plain_text(value))
    }
    pub(crate) fn gstring_part(&mut self, value: &Value) -> Answer {
        Ok(value.clone())
    }
    pub(crate) fn object_equals(&mut self, _a: &Value, _b: &Value) -> Result<bool, Raise> {
        Ok(false)
    }
    pub(crate) fn compare_objects(&mut self, _a: &Value, _b: &Value) -> Result<Ordering, Raise> {
        Err(Raise::NoMatch)
    }
    pub(crate) fn compare_by(&mut self, _c: &Value, a: &Value, b: &Value) -> Result<Ordering, Raise> {
        self.compare(a, b)
    }
    pub(crate) fn object_hash(&mut self, _value: &Value) -> Result<i32, Raise> {
        Ok(0)
    }
    pub(crate) fn object_truth(&mut self, _value: &Value) -> Result<bool, Raise> {
        Ok(true)
    }
    pub(crate) fn other_elements(&mut self, value: &Value) -> Result<Vec<Value>, Raise> {
        Ok(vec![value.clone()])
    }
}
