//! Intrinsic functions: a template's values under parameters, mappings, conditions and the resources made so far.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::invalid;
use super::parameters::plain;
use super::template::{Template, get_att};
use crate::AwsError;

/// Conditions may name conditions; a circle must not loop for ever.
const MAX_CONDITION_DEPTH: usize = 32;

/// What names mean.
pub(crate) struct Scope<'a> {
    pub(crate) template: &'a Template,
    pub(crate) parameters: &'a BTreeMap<String, String>,
    /// `AWS::StackName` and its like.
    pub(crate) pseudo: BTreeMap<&'static str, Value>,
    /// What each finished resource answers to `Ref` (under the empty name) and `Fn::GetAtt`.
    pub(crate) resources: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Scope<'_> {
    /// A value with everything resolved; `None`: `AWS::NoValue`.
    ///
    /// # Errors
    /// `ValidationError`, naming the function.
    pub(crate) fn evaluate(&self, value: &Value) -> Result<Option<Value>, AwsError> {
        match value {
            Value::Array(items) => self.list(items).map(|items| Some(Value::Array(items))),
            Value::Object(map) => match single(map) {
                Some((name, argument)) if name == "Ref" || name.starts_with("Fn::") => self.function(name, argument),
                _ => self.object(map).map(|map| Some(Value::Object(map))),
            },
            plain => Ok(Some(plain.clone())),
        }
    }

    /// The condition holds; no condition always does.
    pub(crate) fn holds(&self, name: Option<&str>) -> Result<bool, AwsError> {
        name.map_or(Ok(true), |name| self.condition(name, 0))
    }

    fn list(&self, items: &[Value]) -> Result<Vec<Value>, AwsError> {
        items.iter().filter_map(|item| self.evaluate(item).transpose()).collect()
    }

    fn object(&self, map: &Map<String, Value>) -> Result<Map<String, Value>, AwsError> {
        let mut done = Map::new();
        for (key, item) in map {
            if let Some(item) = self.evaluate(item)? {
                done.insert(key.clone(), item);
            }
        }
        Ok(done)
    }

    fn function(&self, name: &str, argument: &Value) -> Result<Option<Value>, AwsError> {
        let text = |value: Result<String, AwsError>| value.map(|text| Some(Value::String(text)));
        match name {
            "Ref" => self.reference(argument.as_str().unwrap_or_default()),
            "Fn::GetAtt" => self.attribute(argument).map(Some),
            "Fn::Sub" => text(self.substitute(argument)),
            "Fn::Join" => text(self.join(argument)),
            "Fn::Select" => self.select(argument).map(Some),
            "Fn::Split" => self.split(argument).map(Some),
            "Fn::If" => self.choose(argument),
            "Fn::FindInMap" => self.find_in_map(argument).map(Some),
            "Fn::Base64" => {
                use base64::Engine;
                text(self.text(argument, name).map(|plain| base64::engine::general_purpose::STANDARD.encode(plain)))
            }
            "Fn::ImportValue" => {
                Err(invalid("the local cloud does not keep exports between stacks: Fn::ImportValue".to_owned()))
            }
            _ => Err(invalid(format!("Template error: the local cloud does not offer the function {name} here"))),
        }
    }

    fn reference(&self, name: &str) -> Result<Option<Value>, AwsError> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.pseudo.get(name) {
            return Ok(Some(value.clone()));
        }
        if let Some(spec) = self.template.parameters.iter().find(|spec| spec.name == name) {
            return Ok(self.parameters.get(name).map(|value| spec.as_value(value)));
        }
        let known = self.resources.get(name).and_then(|attributes| attributes.get(""));
        known.cloned().map(Some).ok_or_else(|| {
            invalid(format!("Template format error: Unresolved resource dependencies [{name}]: it is not there under the stack's conditions"))
        })
    }

    fn attribute(&self, argument: &Value) -> Result<Value, AwsError> {
        let (resource, attribute) = get_att(argument).ok_or_else(|| {
            invalid("Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute".to_owned())
        })?;
        let attribute = self.text(&attribute, "Fn::GetAtt")?;
        let Some(known) = self.resources.get(&resource) else {
            return Err(invalid(format!(
                "Template error: instance of Fn::GetAtt references undefined resource {resource}"
            )));
        };
        known
            .get(&attribute)
            .filter(|_| !attribute.is_empty())
            .cloned()
            .ok_or_else(|| invalid(format!("Requested attribute {attribute} does not exist in schema for {resource}")))
    }

    fn substitute(&self, argument: &Value) -> Result<String, AwsError> {
        let template = argument.as_str().or_else(|| argument.get(0).and_then(Value::as_str)).ok_or_else(|| {
            invalid("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string".to_owned())
        })?;
        let own = argument.get(1).and_then(Value::as_object);
        let mut out = String::new();
        let mut rest = template;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let Some(end) = rest[start..].find('}') else {
                out.push_str(&rest[start..]);
                return Ok(out);
            };
            let hole = rest[start + 2..start + end].trim();
            match hole.strip_prefix('!') {
                Some(literal) => out.push_str(&format!("${{{literal}}}")),
                None => out.push_str(&self.hole(hole, own)?),
            }
            rest = &rest[start + end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn hole(&self, hole: &str, own: Option<&Map<String, Value>>) -> Result<String, AwsError> {
        if let Some(value) = own.and_then(|own| own.get(hole)) {
            return self.text(value, "Fn::Sub");
        }
        let value = match hole.split_once('.') {
            Some(_) => Some(self.attribute(&Value::String(hole.to_owned()))?),
            None => self.reference(hole)?,
        };
        match value {
            Some(Value::Array(items)) => Ok(items.iter().map(plain).collect::<Vec<_>>().join(",")),
            Some(value) => Ok(plain(&value)),
            None => Ok(String::new()),
        }
    }

    fn join(&self, argument: &Value) -> Result<String, AwsError> {
        let (Some(delimiter), Some(items)) = (argument.get(0).and_then(Value::as_str), argument.get(1)) else {
            return Err(invalid("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.".to_owned()));
        };
        match self.evaluate(items)? {
            Some(Value::Array(items)) => Ok(items.iter().map(plain).collect::<Vec<_>>().join(delimiter)),
            _ => Err(invalid("Template error: every Fn::Join object needs a list to join".to_owned())),
        }
    }

    fn select(&self, argument: &Value) -> Result<Value, AwsError> {
        let index = argument.get(0).map(|index| self.text(index, "Fn::Select")).transpose()?.unwrap_or_default();
        let list = argument.get(1).map(|list| self.evaluate(list)).transpose()?.flatten();
        let (Ok(index), Some(Value::Array(items))) = (index.parse::<usize>(), list) else {
            return Err(invalid(
                "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
                    .to_owned(),
            ));
        };
        items.get(index).cloned().ok_or_else(|| {
            invalid(format!("Template error: Fn::Select cannot select nonexistent value at index {index}"))
        })
    }

    fn split(&self, argument: &Value) -> Result<Value, AwsError> {
        let (Some(delimiter), Some(source)) = (argument.get(0).and_then(Value::as_str), argument.get(1)) else {
            return Err(invalid("Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.".to_owned()));
        };
        let source = self.text(source, "Fn::Split")?;
        Ok(source.split(delimiter).map(|part| Value::String(part.to_owned())).collect())
    }

    fn choose(&self, argument: &Value) -> Result<Option<Value>, AwsError> {
        let (Some(name), Some(then), Some(otherwise)) =
            (argument.get(0).and_then(Value::as_str), argument.get(1), argument.get(2))
        else {
            return Err(invalid("Template error: Fn::If requires a list argument with three elements".to_owned()));
        };
        self.evaluate(if self.condition(name, 0)? { then } else { otherwise })
    }

    fn find_in_map(&self, argument: &Value) -> Result<Value, AwsError> {
        let keys: Option<Vec<_>> = (0..3).map(|index| argument.get(index)).collect();
        let keys = keys.ok_or_else(|| invalid("Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value".to_owned()))?;
        let keys: Vec<String> =
            keys.into_iter().map(|key| self.text(key, "Fn::FindInMap")).collect::<Result<_, _>>()?;
        let found =
            self.template.mappings.get(&keys[0]).and_then(|map| map.get(&keys[1])).and_then(|map| map.get(&keys[2]));
        found.cloned().ok_or_else(|| {
            invalid(format!("Template error: Unable to get mapping for {}::{}::{}", keys[0], keys[1], keys[2]))
        })
    }

    /// A value that must come to text.
    fn text(&self, value: &Value, function: &str) -> Result<String, AwsError> {
        match self.evaluate(value)? {
            Some(Value::Array(_) | Value::Object(_)) | None => {
                Err(invalid(format!("Template error: {function} needs text where it has something else")))
            }
            Some(value) => Ok(plain(&value)),
        }
    }

    fn condition(&self, name: &str, depth: usize) -> Result<bool, AwsError> {
        let body = self.template.conditions.get(name).filter(|_| depth < MAX_CONDITION_DEPTH);
        let body = body.ok_or_else(|| invalid(format!("Template error: unresolved condition dependency: {name}")))?;
        self.test(body, depth + 1)
    }

    fn test(&self, body: &Value, depth: usize) -> Result<bool, AwsError> {
        if let Some(constant) = body.as_bool() {
            return Ok(constant);
        }
        let map = body.as_object().and_then(single);
        let Some((name, argument)) = map else {
            return Err(invalid(
                "Template format error: every Conditions member must be a condition function".to_owned(),
            ));
        };
        let items = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match name {
            "Condition" => self.condition(argument.as_str().unwrap_or_default(), depth),
            "Fn::Equals" if items.len() == 2 => {
                Ok(self.evaluate(&items[0])?.as_ref().map(plain) == self.evaluate(&items[1])?.as_ref().map(plain))
            }
            "Fn::Not" if items.len() == 1 => self.test(&items[0], depth).map(|holds| !holds),
            "Fn::And" | "Fn::Or" if (2..=10).contains(&items.len()) => {
                let results: Vec<bool> = items.iter().map(|item| self.test(item, depth)).collect::<Result<_, _>>()?;
                Ok(if name == "Fn::And" { results.iter().all(|holds| *holds) } else { results.contains(&true) })
            }
            _ => Err(invalid(format!(
                "Template error: the condition function {name} is unknown or has the wrong arguments"
            ))),
        }
    }
}

fn single(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, value) = map.iter().next().filter(|_| map.len() == 1)?;
    Some((name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "
Parameters:
  Stage: {Type: String}
  Names: {Type: CommaDelimitedList, Default: 'a,b'}
Mappings:
  Sizes: {prod: {Count: 2}, staging: {Count: 1}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  NotProd: !Not [!Condition IsProd]
  Either: !Or [!Condition IsProd, !Condition NotProd]
  Both: !And [!Condition IsProd, !Condition NotProd]
Resources:
  Model: {Type: 'AWS::SageMaker::Model'}
";

    fn evaluate(stage: &str, text: &str) -> Result<Option<Value>, String> {
        let template = Template::parse(TEXT).unwrap();
        let parameters =
            BTreeMap::from([("Stage".to_owned(), stage.to_owned()), ("Names".to_owned(), "a,b".to_owned())]);
        let attributes = BTreeMap::from([(String::new(), json!("arn:m")), ("ModelName".to_owned(), json!("m-1"))]);
        let scope = Scope {
            template: &template,
            parameters: &parameters,
            pseudo: BTreeMap::from([("AWS::Region", json!("us-east-1"))]),
            resources: BTreeMap::from([("Model".to_owned(), attributes)]),
        };
        let value = super::super::source::parse(&format!("V: {text}")).unwrap();
        scope.evaluate(&value["V"]).map_err(|error| error.message)
    }

    #[test]
    fn functions() {
        let cases = [
            ("!Ref Stage", json!("prod")),
            ("!Ref Names", json!(["a", "b"])),
            ("!Ref AWS::Region", json!("us-east-1")),
            ("!Ref Model", json!("arn:m")),
            ("!GetAtt Model.ModelName", json!("m-1")),
            ("!Sub '${Stage}-${Model.ModelName}-${AWS::Region}-${!kept}'", json!("prod-m-1-us-east-1-${kept}")),
            ("!Sub ['${x}/${Stage}', {x: !Ref Stage}]", json!("prod/prod")),
            ("!Join ['-', [a, !Ref Stage, 5]]", json!("a-prod-5")),
            ("!Join [',', !Ref Names]", json!("a,b")),
            ("!Select [1, !Split ['/', 'x/y/z']]", json!("y")),
            ("!FindInMap [Sizes, !Ref Stage, Count]", json!(2)),
            ("!If [IsProd, 1, 2]", json!(1)),
            ("!If [Either, yes-text, no]", json!("yes-text")),
            ("!If [Both, 1, 2]", json!(2)),
            (
                "{Keep: 1, Drop: !Ref 'AWS::NoValue', Nest: [!If [NotProd, x, !Ref 'AWS::NoValue'], y]}",
                json!({"Keep": 1, "Nest": ["y"]}),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(evaluate("prod", text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(evaluate("staging", "!FindInMap [Sizes, !Ref Stage, Count]"), Ok(Some(json!(1))));
    }

    #[test]
    fn errors_name_the_function() {
        let cases = [
            ("!GetAtt Model.Nope", "Requested attribute Nope does not exist in schema for Model"),
            ("!Select [5, [a]]", "cannot select nonexistent value at index 5"),
            ("!FindInMap [Sizes, dev, Count]", "Unable to get mapping for Sizes::dev::Count"),
            ("!Join [a]", "every Fn::Join object requires two parameters"),
            ("!If [Nope, 1, 2]", "unresolved condition dependency: Nope"),
        ];
        for (text, expected) in cases {
            let message = evaluate("prod", text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
