//! `parameters { … }`, in the words of Job DSL and of the dynamic DSL.

use super::Notes;
use crate::item::{Parameter, Summary};
use crate::node::{Arg, Node, inside};
use crate::xml::Element;

pub(super) fn property(nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Result<Option<Element>, String> {
    let mut definitions = Vec::new();
    for node in inside(nodes, "parameters") {
        match parameter(node)? {
            Some((parameter, element)) => {
                if summary.parameters.iter().any(|known| known.name == parameter.name) {
                    return Err(format!("the parameter {} is there twice", parameter.name));
                }
                summary.parameters.push(parameter);
                definitions.push(element);
            }
            None => notes.ignored("parameters", node),
        }
    }
    if definitions.is_empty() {
        return Ok(None);
    }
    let list = Element::new("parameterDefinitions").all(definitions);
    Ok(Some(Element::new("hudson.model.ParametersDefinitionProperty").with(list)))
}

/// The parts of a parameter, wherever the script put them: arguments in Job DSL's order, or calls in its block.
struct Parts<'a> {
    node: &'a Node,
    order: &'static [&'static str],
}

impl Parts<'_> {
    fn arg(&self, name: &str) -> Option<Arg> {
        let named = match self.node.args.first() {
            Some(Arg::Map(entries)) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
            _ => None,
        };
        let in_block = self.node.child(name).map(|child| match child.args.as_slice() {
            [] => Arg::Bool(true),
            [one] => one.clone(),
            many => Arg::List(many.to_vec()),
        });
        let at = self.order.iter().position(|known| *known == name);
        named.or(in_block).or_else(|| at.and_then(|at| self.node.args.get(at)).cloned())
    }

    fn text(&self, name: &str) -> String {
        self.arg(name).and_then(|arg| arg.text()).unwrap_or_default()
    }
}

fn parameter(node: &Node) -> Result<Option<(Parameter, Element)>, String> {
    const TEXT: &[&str] = &["name", "defaultValue", "description"];
    let (order, class): (&'static [&'static str], &str) = match node.name.as_str() {
        "stringParam" | "string" => (TEXT, "hudson.model.StringParameterDefinition"),
        "textParam" | "text" => (TEXT, "hudson.model.TextParameterDefinition"),
        "booleanParam" => (TEXT, "hudson.model.BooleanParameterDefinition"),
        "choiceParam" | "choice" => (&["name", "choices", "description"], "hudson.model.ChoiceParameterDefinition"),
        "fileParam" | "file" => (&["name", "description"], "hudson.model.FileParameterDefinition"),
        "runParam" | "run" => {
            (&["name", "projectName", "description", "filter"], "hudson.model.RunParameterDefinition")
        }
        "password" => (TEXT, "hudson.model.PasswordParameterDefinition"),
        "nonStoredPasswordParam" => {
            (&["name", "description"], "com.michelin.cio.hudson.plugins.passwordparam.PasswordParameterDefinition")
        }
        "credentialsParam" | "credentials" => {
            (&["name"], "com.cloudbees.plugins.credentials.CredentialsParameterDefinition")
        }
        "globalVariableParam" => (TEXT, "hudson.model.StringParameterDefinition"),
        _ => return Ok(None),
    };
    let parts = Parts { node, order };
    let name = parts.text("name");
    if name.trim().is_empty() {
        return Err(format!("a {} has no name", node.name));
    }
    let description = parts.text("description");
    let element = Element::new(class).leaf("name", &name).leaf("description", &description);
    let (default, element) =
        values(&parts, class, element).map_err(|message| format!("parameter {name}: {message}"))?;
    let simple = class.rsplit('.').next().unwrap_or(class);
    let kind = simple.strip_suffix("ParameterDefinition").unwrap_or(simple).to_owned();
    Ok(Some((Parameter { name, kind, default, description }, element)))
}

/// What a class has beside name and description; also the default as text.
fn values(parts: &Parts<'_>, class: &str, element: Element) -> Result<(String, Element), String> {
    let default = parts.text("defaultValue");
    Ok(match class.rsplit('.').next().unwrap_or(class) {
        "BooleanParameterDefinition" => {
            let yes = parts.arg("defaultValue").is_some_and(|arg| arg.is_true());
            (yes.to_string(), element.leaf("defaultValue", yes))
        }
        "ChoiceParameterDefinition" => {
            let choices = choices(parts);
            let first = choices.first().cloned().ok_or("a choice needs choices")?;
            let array = Element::new("a")
                .class("string-array")
                .all(choices.iter().map(|choice| Element::text("string", choice)));
            (first, element.with(Element::new("choices").class("java.util.Arrays$ArrayList").with(array)))
        }
        "CredentialsParameterDefinition" => {
            let kind = match (parts.text("type"), parts.text("credentialType")) {
                (kind, other) if kind.is_empty() => other,
                (kind, _) => kind,
            };
            let kind = if kind.is_empty() {
                "com.cloudbees.plugins.credentials.common.StandardCredentials".to_owned()
            } else {
                kind
            };
            let required = parts.arg("required").is_some_and(|arg| arg.is_true());
            let element =
                element.leaf("defaultValue", &default).leaf("credentialType", kind).leaf("required", required);
            (default, element)
        }
        "RunParameterDefinition" => {
            let filter = Some(parts.text("filter")).filter(|filter| !filter.is_empty());
            let element = element
                .leaf("projectName", parts.text("projectName"))
                .leaf("filter", filter.unwrap_or_else(|| "ALL".into()));
            (String::new(), element)
        }
        "FileParameterDefinition" => (String::new(), element),
        "StringParameterDefinition" => {
            let trim = parts.arg("trim").is_some_and(|arg| arg.is_true());
            let element = element.leaf("defaultValue", &default).leaf("trim", trim);
            (default, element)
        }
        // A secret is never shown.
        "PasswordParameterDefinition" => (String::new(), element.leaf("defaultValue", &default)),
        _ => {
            let element = element.leaf("defaultValue", &default);
            (default, element)
        }
    })
}

/// A list, or lines of a text.
fn choices(parts: &Parts<'_>) -> Vec<String> {
    let given = parts.arg("choices").or_else(|| parts.arg("choiceListText"));
    match given {
        Some(Arg::Text(lines)) => lines.lines().map(str::to_owned).collect(),
        Some(arg) => arg.texts(),
        None => Vec::new(),
    }
}
