//! Parameters from the command line.

use haliotis_model::{Object, ParameterSpec, Value};

use crate::failure::Failure;

/// `NAME=VALUE` pairs as an object of texts.
pub fn parse(pairs: &[String]) -> Result<Object, Failure> {
    pairs
        .iter()
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("`{pair}` is no parameter; write NAME=VALUE")))?;
            Ok((name.to_owned(), Value::from(value)))
        })
        .collect()
}

/// All parameters with defaults, checked.
pub fn resolve(specs: &[ParameterSpec], given: &Object) -> Result<Object, Failure> {
    haliotis_engine::parameters::resolve(specs, given)
        .map_err(|problems| Failure::usage(format!("parameters: {}", problems.join("; "))))
}
