//! The one model behind `api/json`, `api/xml` and `api/python`: objects of a class with fields in order.

use std::borrow::Cow;

use super::want::{TOP, Want};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Data>),
    Object(Object),
}

/// An object as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    /// Jenkins' name of its class; empty: none is shown.
    pub(crate) class: Cow<'static, str>,
    pub(crate) fields: Vec<(Cow<'static, str>, Data)>,
}

/// An object in the making: takes only what is wanted.
pub(crate) struct Bean<'w> {
    want: &'w Want,
    object: Object,
}

impl<'w> Bean<'w> {
    pub(crate) fn new(class: impl Into<Cow<'static, str>>, want: &'w Want) -> Self {
        Self { want, object: Object { class: class.into(), fields: Vec::new() } }
    }

    /// A field of the top level.
    pub(crate) fn put(&mut self, name: &'static str, value: impl Into<Data>) {
        self.put_at(TOP, name, value);
    }

    /// A field of a visibility.
    pub(crate) fn put_at(&mut self, visibility: i32, name: &'static str, value: impl Into<Data>) {
        if self.want.field(name, visibility).is_some() {
            self.object.fields.push((name.into(), value.into()));
        }
    }

    /// A field whose value is made along what is wanted of it.
    pub(crate) fn make(&mut self, name: &'static str, visibility: i32, value: impl FnOnce(&Want) -> Data) {
        if let Some(want) = self.want.field(name, visibility) {
            self.object.fields.push((name.into(), value(&want)));
        }
    }

    /// What is wanted of a field, for values that take waiting.
    pub(crate) fn wants(&self, name: &str, visibility: i32) -> Option<Want> {
        self.want.field(name, visibility)
    }

    /// A field that was found to be wanted.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Data>) {
        self.object.fields.push((name.into(), value.into()));
    }

    /// Another value for a field that is there.
    pub(crate) fn replace(&mut self, name: &str, value: Data) {
        if let Some((_, known)) = self.object.fields.iter_mut().find(|(known, _)| known == name) {
            *known = value;
        }
    }

    pub(crate) fn done(self) -> Data {
        Data::Object(self.object)
    }
}

/// Objects of a list, cut to the wanted range.
pub(crate) fn list<T>(want: &Want, all: impl IntoIterator<Item = T>, make: impl FnMut(T) -> Data) -> Data {
    Data::List(want.cut(all).map(make).collect())
}

impl From<bool> for Data {
    fn from(value: bool) -> Self {
        Data::Bool(value)
    }
}

impl From<i64> for Data {
    fn from(value: i64) -> Self {
        Data::Int(value)
    }
}

impl From<u32> for Data {
    fn from(value: u32) -> Self {
        Data::Int(value.into())
    }
}

impl From<u64> for Data {
    fn from(value: u64) -> Self {
        Data::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Data {
    fn from(value: usize) -> Self {
        Data::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Data {
    fn from(value: f64) -> Self {
        Data::Float(value)
    }
}

impl From<&str> for Data {
    fn from(value: &str) -> Self {
        Data::Text(value.to_owned())
    }
}

impl From<String> for Data {
    fn from(value: String) -> Self {
        Data::Text(value)
    }
}

impl From<Vec<Data>> for Data {
    fn from(value: Vec<Data>) -> Self {
        Data::List(value)
    }
}

impl<T: Into<Data>> From<Option<T>> for Data {
    fn from(value: Option<T>) -> Self {
        value.map_or(Data::Null, Into::into)
    }
}

impl From<&serde_json::Value> for Data {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Data::Null,
            serde_json::Value::Bool(value) => Data::Bool(*value),
            serde_json::Value::Number(number) => {
                number.as_i64().map_or_else(|| Data::Float(number.as_f64().unwrap_or(0.0)), Data::Int)
            }
            serde_json::Value::String(text) => Data::Text(text.clone()),
            serde_json::Value::Array(items) => Data::List(items.iter().map(Data::from).collect()),
            serde_json::Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone().into(), value.into())).collect();
                Data::Object(Object { class: "".into(), fields })
            }
        }
    }
}
