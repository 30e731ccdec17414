//! Jenkins' JSON model as a Jenkinsfile.

use std::fmt::Write as _;

use haliotis_model::{Object, Value};

/// The Jenkinsfile of a JSON model, laid out as Jenkins lays it out.
///
/// # Errors
/// Jenkins' words on what the JSON lacks.
pub fn to_jenkinsfile(json: &Value) -> Result<String, String> {
    let Some(pipeline) = json.get("pipeline").and_then(Value::as_object) else {
        return Err("No pipeline block or invalid pipeline block content".to_owned());
    };
    let mut out = Out::default();
    out.open("pipeline");
    sections(&mut out, pipeline)?;
    out.close();
    Ok(out.text)
}

#[derive(Default)]
struct Out {
    text: String,
    depth: usize,
}

impl Out {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{:indent$}{text}", "", indent = self.depth * 2);
    }

    fn open(&mut self, head: &str) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
    }
}

fn sections(out: &mut Out, object: &Object) -> Result<(), String> {
    if let Some(agent) = object.get("agent") {
        self::agent(out, agent)?;
    }
    for (name, value) in object {
        match name.as_str() {
            "libraries" => {
                out.open("libraries");
                for lib in list(value, "libraries")? {
                    out.line(&format!("lib({})", val(lib)?));
                }
                out.close();
            }
            "parameters" | "options" | "triggers" => calls(out, name, value)?,
            "environment" => {
                out.open("environment");
                for pair in array(value)? {
                    out.line(&format!("{} = {}", key(pair)?, call_or_val(pair.get("value"))?));
                }
                out.close();
            }
            "tools" => {
                out.open("tools");
                for pair in array(value)? {
                    out.line(&format!("{} {}", key(pair)?, val(field(pair, "value")?)?));
                }
                out.close();
            }
            "when" => when(out, value)?,
            "input" => input(out, value)?,
            "failFast" => out.line(&format!("failFast {value}")),
            _ => {}
        }
    }
    contents(out, object)?;
    if let Some(post) = object.get("post") {
        out.open("post");
        for condition in list(post, "conditions")? {
            out.open(text(condition, "condition")?);
            steps(out, field(field(condition, "branch")?, "steps")?)?;
            out.close();
        }
        out.close();
    }
    Ok(())
}

fn contents(out: &mut Out, object: &Object) -> Result<(), String> {
    for name in ["stages", "parallel"] {
        let Some(stages) = object.get(name) else { continue };
        out.open(name);
        for stage in array(stages)? {
            let Some(inner) = stage.as_object() else { return Err(missing("name")) };
            out.open(&format!("stage({})", quote(text(stage, "name")?)));
            sections(out, inner)?;
            out.close();
            out.text.push('\n');
        }
        out.close();
    }
    if let Some(branches) = object.get("branches") {
        let branches = array(branches)?;
        out.open("steps");
        match branches {
            [only] => steps(out, field(only, "steps")?)?,
            several => {
                out.line("parallel(");
                for (at, branch) in several.iter().enumerate() {
                    out.depth += 1;
                    out.open(&format!("{}:", quote(text(branch, "name")?)));
                    steps(out, field(branch, "steps")?)?;
                    out.depth -= 1;
                    out.line(if at + 1 < several.len() { "}," } else { "}" });
                    out.depth -= 1;
                }
                out.line(")");
            }
        }
        out.close();
    }
    if let Some(matrix) = object.get("matrix").and_then(Value::as_object) {
        out.open("matrix");
        if let Some(axes) = matrix.get("axes") {
            out.open("axes");
            self::axes(out, axes)?;
            out.close();
        }
        if let Some(excludes) = matrix.get("excludes") {
            out.open("excludes");
            for exclude in array(excludes)? {
                out.open("exclude");
                axes(out, exclude)?;
                out.close();
            }
            out.close();
        }
        sections(out, matrix)?;
        out.close();
    }
    Ok(())
}

fn axes(out: &mut Out, axes: &Value) -> Result<(), String> {
    for axis in array(axes)? {
        out.open("axis");
        out.line(&format!("name {}", quote(text(axis, "name")?)));
        let values: Result<Vec<String>, String> = array(field(axis, "values")?)?.iter().map(val).collect();
        let inverse = axis.get("inverse").and_then(Value::as_bool) == Some(true);
        out.line(&format!("{} {}", if inverse { "notValues" } else { "values" }, values?.join(", ")));
        out.close();
    }
    Ok(())
}

fn agent(out: &mut Out, agent: &Value) -> Result<(), String> {
    let kind = text(agent, "type")?;
    if let Some(argument) = agent.get("argument") {
        out.open("agent");
        out.line(&format!("{kind} {}", val(argument)?));
        out.close();
    } else if let Some(arguments) = agent.get("arguments") {
        out.open("agent");
        out.open(kind);
        settings(out, arguments)?;
        out.close();
        out.close();
    } else {
        out.line(&format!("agent {kind}"));
    }
    out.text.push('\n');
    Ok(())
}

fn settings(out: &mut Out, pairs: &Value) -> Result<(), String> {
    for pair in array(pairs)? {
        let value = field(pair, "value")?;
        if value.is_array() {
            out.open(key(pair)?);
            settings(out, value)?;
            out.close();
        } else {
            out.line(&format!("{} {}", key(pair)?, val(value)?));
        }
    }
    Ok(())
}

fn calls(out: &mut Out, name: &str, value: &Value) -> Result<(), String> {
    out.open(name);
    for one in list(value, name)? {
        out.line(&call(one)?);
    }
    out.close();
    Ok(())
}

fn call(value: &Value) -> Result<String, String> {
    let args: Result<Vec<String>, String> =
        value.get("arguments").map_or(Ok(&[][..]), array)?.iter().map(call_arg).collect();
    Ok(format!("{}({})", text(value, "name")?, args?.join(", ")))
}

fn call_arg(value: &Value) -> Result<String, String> {
    if value.get("key").is_some() {
        return Ok(format!("{}: {}", key(value)?, call_or_val(value.get("value"))?));
    }
    call_or_val(Some(value))
}

fn call_or_val(value: Option<&Value>) -> Result<String, String> {
    let value = value.ok_or_else(|| missing("value"))?;
    if value.get("name").is_some() { call(value) } else { val(value) }
}

fn when(out: &mut Out, value: &Value) -> Result<(), String> {
    out.open("when");
    for name in ["beforeAgent", "beforeInput", "beforeOptions"] {
        if let Some(truth) = value.get(name) {
            out.line(&format!("{name} {truth}"));
        }
    }
    for one in list(value, "conditions")? {
        condition(out, one)?;
    }
    out.close();
    Ok(())
}

fn condition(out: &mut Out, value: &Value) -> Result<(), String> {
    let name = text(value, "name")?;
    if name == "expression" {
        return code(out, name, value.get("arguments"));
    }
    if let Some(children) = value.get("children") {
        out.open(name);
        for child in array(children)? {
            condition(out, child)?;
        }
        out.close();
        return Ok(());
    }
    out.line(&invocation(name, value.get("arguments"))?);
    Ok(())
}

fn input(out: &mut Out, value: &Value) -> Result<(), String> {
    out.open("input");
    for name in ["message", "id", "ok", "submitter", "submitterParameter"] {
        if let Some(field) = value.get(name) {
            out.line(&format!("{name} {}", val(field)?));
        }
    }
    if let Some(parameters) = value.get("parameters") {
        calls(out, "parameters", parameters)?;
    }
    out.close();
    Ok(())
}

fn steps(out: &mut Out, value: &Value) -> Result<(), String> {
    array(value)?.iter().try_for_each(|one| step(out, one))
}

fn step(out: &mut Out, value: &Value) -> Result<(), String> {
    let name = text(value, "name")?;
    let arguments = value.get("arguments");
    if name == "script" {
        return code(out, name, arguments);
    }
    match value.get("children") {
        Some(children) => {
            out.open(&invocation_with_parentheses(name, arguments)?);
            steps(out, children)?;
            out.close();
        }
        None => out.line(&invocation(name, arguments)?),
    }
    Ok(())
}

fn code(out: &mut Out, name: &str, arguments: Option<&Value>) -> Result<(), String> {
    let body = match arguments {
        Some(Value::Array(pairs)) => pairs.first().and_then(|pair| pair.get("value")),
        other => other,
    };
    let body = body.and_then(|value| value.get("value")).and_then(Value::as_str).ok_or_else(|| missing("arguments"))?;
    out.open(name);
    for line in body.lines() {
        out.line(line.trim_end());
    }
    out.close();
    Ok(())
}

fn invocation(name: &str, arguments: Option<&Value>) -> Result<String, String> {
    let args = arguments_text(name, arguments)?;
    Ok(match (args.is_empty(), is_single(arguments)) {
        (true, _) => format!("{name}()"),
        (false, true) => format!("{name} {args}"),
        (false, false) => format!("{name}({args})"),
    })
}

fn invocation_with_parentheses(name: &str, arguments: Option<&Value>) -> Result<String, String> {
    let args = arguments_text(name, arguments)?;
    Ok(if args.is_empty() { name.to_owned() } else { format!("{name}({args})") })
}

/// One argument, or one that is the step's only required one: Jenkins writes it without parentheses.
fn is_single(arguments: Option<&Value>) -> bool {
    match arguments {
        Some(Value::Object(_)) => true,
        Some(Value::Array(items)) => items.len() == 1 && items.first().is_some_and(|item| item.get("key").is_some()),
        _ => false,
    }
}

fn arguments_text(name: &str, arguments: Option<&Value>) -> Result<String, String> {
    match arguments {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::Array(items)) => match items.as_slice() {
            [only] if only.get("key").is_some() && is_obvious(name, only) => val(field(only, "value")?),
            _ => {
                let texts: Result<Vec<String>, String> = items
                    .iter()
                    .map(|item| match item.get("key") {
                        Some(_) => Ok(format!("{}: {}", key(item)?, val(field(item, "value")?)?)),
                        None => val(item),
                    })
                    .collect();
                Ok(texts?.join(", "))
            }
        },
        Some(single) => val(single),
    }
}

/// Whether the name of a lone argument may be left out.
fn is_obvious(name: &str, item: &Value) -> bool {
    let Some(key) = item.get("key").and_then(Value::as_str) else { return false };
    let known = crate::table::step(name).or_else(|| crate::table::section("when").get(name));
    known.is_some_and(|known| known.sole().is_some_and(|param| param.name == key && param.required))
}

fn val(value: &Value) -> Result<String, String> {
    let literal = value.get("isLiteral").and_then(Value::as_bool).ok_or_else(|| missing("isLiteral"))?;
    let inner = field(value, "value")?;
    match (literal, inner) {
        (true, Value::String(text)) => Ok(quote(text)),
        (true, other) => Ok(other.to_string()),
        (false, Value::String(text)) => {
            let code = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            Ok(code.unwrap_or(text).to_owned())
        }
        (false, _) => Err("Invalid value type".to_owned()),
    }
}

/// A single-quoted Groovy string; several lines take three quotes.
fn quote(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\");
    if text.contains('\n') {
        format!("'''{}'''", escaped.replace("'''", "\\'\\'\\'"))
    } else {
        format!("'{}'", escaped.replace('\'', "\\'"))
    }
}

fn missing(name: &str) -> String {
    format!("Missing one or more required properties: '{name}'")
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value, String> {
    value.get(name).ok_or_else(|| missing(name))
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    field(value, name)?.as_str().ok_or_else(|| missing(name))
}

fn key(value: &Value) -> Result<&str, String> {
    text(value, "key")
}

fn array(value: &Value) -> Result<&[Value], String> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| format!("Object {value} is neither a JSON array nor a JSON object"))
}

/// `{"options": [..]}`, or the bare list.
fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    array(value.get(name).unwrap_or(value))
}
