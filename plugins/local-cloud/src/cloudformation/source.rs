//! A template's text, JSON or YAML, as one JSON value: the short forms `!Ref X`, `!Sub …`, `!GetAtt a.b` become the
//! long ones that JSON has.
//!
//! As in CloudFormation, aliases and merges are refused; that also takes away what YAML bombs are made of. Scalars
//! keep their spelling where the schema takes text (`1.10` stays `1.10`), because parameters are texts.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value, json};

use super::invalid;
use crate::AwsError;

/// CloudFormation's limit for a template of the object store, in bytes.
pub(crate) const MAX_TEMPLATE_BYTES: usize = 1024 * 1024;
/// Deeper than any template goes; keeps recursion short.
const MAX_DEPTH: usize = 64;

/// Parses a template.
///
/// # Errors
/// `ValidationError` with line and column.
pub(crate) fn parse(text: &str) -> Result<Value, AwsError> {
    if text.len() > MAX_TEMPLATE_BYTES {
        return Err(invalid(format!(
            "1 validation error detected: the template has {} bytes, at most {MAX_TEMPLATE_BYTES} are accepted",
            text.len()
        )));
    }
    let value = if text.trim_start().starts_with('{') { parse_json(text)? } else { parse_yaml(text)? };
    if value.is_object() { Ok(value) } else { Err(invalid("Template format error: unsupported structure.".to_owned())) }
}

fn parse_json(text: &str) -> Result<Value, AwsError> {
    serde_json::from_str(text).map_err(|error| {
        let place = format!("(line {}, column {})", error.line(), error.column());
        invalid(format!("Template format error: JSON not well-formed. {place}"))
    })
}

fn parse_yaml(text: &str) -> Result<Value, AwsError> {
    let mut reader = Reader { parser: Parser::new_from_str(text), depth: 0 };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_), _) => {}
            (Event::StreamEnd | Event::DocumentEnd, _) => {
                return Err(invalid("Template format error: the template is empty.".to_owned()));
            }
            (event, span) => return reader.node(event, span),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), AwsError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let marker = error.marker();
                Err(malformed(marker.line(), marker.col() + 1, error.info()))
            }
            None => Err(invalid("Template format error: the template ends too early.".to_owned())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Value, AwsError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(at(span, "it nests too deep"));
        }
        let value = match event {
            Event::Scalar(text, style, _, tag) => tagged(tag.as_deref(), scalar(&text, style, tag.as_deref()), span),
            Event::SequenceStart(_, tag) => self.sequence().and_then(|items| tagged(tag.as_deref(), items, span)),
            Event::MappingStart(_, tag) => self.mapping().and_then(|map| tagged(tag.as_deref(), map, span)),
            Event::Alias(_) => Err(at(span, "YAML aliases are not supported in CloudFormation templates")),
            _ => Err(at(span, "a value is missing")),
        };
        self.depth -= 1;
        value
    }

    fn sequence(&mut self) -> Result<Value, AwsError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Value, AwsError> {
        let mut map = Map::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Object(map)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(at(span, "a key must be text")),
            };
            if key == "<<" {
                return Err(at(span, "YAML merges are not supported in CloudFormation templates"));
            }
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span)?;
            if map.insert(key.clone(), value).is_some() {
                return Err(at(span, &format!("the key {key} is there twice")));
            }
        }
    }
}

/// The long form of a tagged value.
fn tagged(tag: Option<&Tag>, value: Value, span: Span) -> Result<Value, AwsError> {
    let Some(tag) = tag.filter(|tag| tag.handle == "!") else { return Ok(value) };
    let name = tag.suffix.as_str();
    match name {
        "Ref" | "Condition" => Ok(json!({ name: value })),
        "GetAtt" => match value.as_str().and_then(|text| text.split_once('.')) {
            Some((resource, attribute)) => Ok(json!({ "Fn::GetAtt": [resource, attribute] })),
            None => Ok(json!({ "Fn::GetAtt": value })),
        },
        "Sub" | "Join" | "Select" | "Split" | "If" | "Equals" | "And" | "Or" | "Not" | "FindInMap" | "Base64"
        | "ImportValue" | "GetAZs" | "Cidr" | "Length" | "ToJsonString" | "Transform" => {
            Ok(json!({ format!("Fn::{name}"): value }))
        }
        _ => Err(at(span, &format!("the tag !{name} is not known"))),
    }
}

/// A plain scalar's value. Numbers that JSON would spell otherwise stay text.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    if style != ScalarStyle::Plain || tag.is_some() {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match serde_json::from_str::<Value>(text) {
            Ok(number @ Value::Number(_)) if spelled_so(&number, text) => number,
            _ => Value::String(text.to_owned()),
        },
    }
}

fn spelled_so(number: &Value, text: &str) -> bool {
    let spelling = number.to_string();
    spelling == text
}

fn at(span: Span, why: &str) -> AwsError {
    malformed(span.start.line(), span.start.col() + 1, why)
}

fn malformed(line: usize, column: usize, why: &str) -> AwsError {
    invalid(format!("Template format error: YAML not well-formed. (line {line}, column {column}): {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_long_ones() {
        let text = "
A: !Ref X
B: !GetAtt Model.ModelName
C: !Sub '${A}-b'
D: !Join ['-', [a, !Ref B]]
E: !If [Prod, !Ref C, !Ref 'AWS::NoValue']
F: !Sub
  - '${x}'
  - x: 1
G: !Not [!Equals [!Ref S, prod]]
H: !GetAtt [Model, ModelName]
Date: 2010-09-09
N: 5
V: 1.10
Q: '5'
T: true
";
        let expected = json!({
            "A": {"Ref": "X"},
            "B": {"Fn::GetAtt": ["Model", "ModelName"]},
            "C": {"Fn::Sub": "${A}-b"},
            "D": {"Fn::Join": ["-", ["a", {"Ref": "B"}]]},
            "E": {"Fn::If": ["Prod", {"Ref": "C"}, {"Ref": "AWS::NoValue"}]},
            "F": {"Fn::Sub": ["${x}", {"x": 1}]},
            "G": {"Fn::Not": [{"Fn::Equals": [{"Ref": "S"}, "prod"]}]},
            "H": {"Fn::GetAtt": ["Model", "ModelName"]},
            "Date": "2010-09-09", "N": 5, "V": "1.10", "Q": "5", "T": true,
        });
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn errors_say_where() {
        let cases = [
            ("A: [1, 2\nB: 3\n", "YAML not well-formed. (line"),
            ("A: &x 1\nB: *x\n", "aliases are not supported"),
            ("A: 1\nA: 2\n", "(line 2, column 1): the key A is there twice"),
            ("A: !Nope x\n", "the tag !Nope is not known"),
            ("{\"A\": }", "JSON not well-formed. (line 1, column 7)"),
            ("", "the template is empty"),
            ("- a\n", "unsupported structure"),
            ("? [a]\n: b\n", "a key must be text"),
        ];
        for (text, expected) in cases {
            let message = parse(text).unwrap_err().message;
            assert!(message.contains(expected), "{text:?}: {message}");
        }
        let deep = "[".repeat(20_000);
        assert!(parse(&deep).is_err());
    }
}
