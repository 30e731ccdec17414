//! The JSON Schema of the language, for editors: `haliotis schema`.

use haliotis_model::{ArgumentKind, ArgumentSchema, Object, StepSchema, Value};
use serde_json::json;

/// Durations, cron and everything else that may hold an expression.
const EXPRESSION: &str = "\\$\\{\\{";

/// A JSON Schema (draft 2020-12) of a pipeline file, with the arguments of each step kind.
pub fn json_schema(steps: &[StepSchema]) -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:haliotis:pipeline",
        "title": "Haliotis pipeline",
        "type": "object",
        "required": ["steps"],
        "additionalProperties": false,
        "properties": top(),
        "$defs": definitions(),
    });
    schema["$defs"]["step"] = step(steps);
    schema
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn described(mut schema: Value, text: &str) -> Value {
    schema["description"] = Value::String(text.to_owned());
    schema
}

/// What is kept of the pipeline's builds.
fn retention() -> Value {
    let limit = |text: &str| json!({ "type": "integer", "minimum": 1, "description": text });
    let kept = |text: &str| {
        json!({
            "type": "object",
            "description": text,
            "properties": { "builds": limit("Of the newest builds."), "days": limit("Of builds that ended since.") },
            "additionalProperties": false,
        })
    };
    json!({
        "type": "object",
        "description": "What is kept of ended builds; without it everything. A build behind a model that is served stays.",
        "properties": {
            "builds": limit("The newest builds."),
            "days": limit("Builds that ended less than so many days ago."),
            "logs": kept("Logs; the builds stay."),
            "artifacts": kept("Artifacts; the builds stay."),
        },
        "additionalProperties": false,
    })
}

fn top() -> Value {
    json!({
        "name": { "type": "string", "pattern": "^[A-Za-z0-9._/-]*$", "description": "Unique name; folders by /." },
        "description": { "type": "string", "description": "One line for people." },
        "on": described(reference("triggers"), "What starts builds."),
        "parameters": described(reference("parameters"), "Typed values that a build is given; read as parameters.NAME."),
        "vars": described(reference("vars"), "Environment variables of every step; read as vars.NAME."),
        "env": described(reference("vars"), "Another name of vars."),
        "credentials": described(reference("credentials"), "Variable to credential id, for every step."),
        "concurrency": {
            "description": "At most so many builds at once.",
            "oneOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "object", "properties": { "max": { "type": "integer", "minimum": 1 } },
                  "required": ["max"], "additionalProperties": false },
            ],
        },
        "retention": retention(),
        "timeout": described(reference("duration"), "Limit for the whole build."),
        "agent": { "type": "string", "description": "Label expression of the agents: any, linux, linux && gpu." },
        "checkout": { "type": "boolean", "default": true, "description": "Get the sources before the first step." },
        "environments": {
            "type": "object",
            "description": "Deploy targets.",
            "additionalProperties": {
                "type": ["object", "null"],
                "properties": { "description": { "type": "string" }, "approvers": reference("texts"),
                                "self-approval": self_approval() },
                "additionalProperties": false,
            },
        },
        "steps": described(reference("steps"), "The steps by id."),
        "post": {
            "type": "object",
            "description": "Steps that run after all others.",
            "properties": { "always": reference("steps"), "failed": reference("steps"), "success": reference("steps") },
            "additionalProperties": false,
        },
        "outputs": { "type": "object", "description": "Outputs of the pipeline, mostly expressions over steps." },
    })
}

fn definitions() -> Value {
    let many = |schema: Value| json!({ "oneOf": [schema, { "type": "array", "items": schema }] });
    let cron = json!({ "oneOf": [
        { "type": "string" },
        { "type": "object", "properties": { "cron": { "type": "string" }, "zone": { "type": "string" } },
          "required": ["cron"], "additionalProperties": false },
    ] });
    let place = json!({ "repo": { "type": "string" }, "branch": { "type": "string" } });
    let mut poll = place.clone();
    poll["every"] = reference("duration");
    let model = json!({
        "type": "object",
        "properties": { "group": { "type": "string" }, "status": reference("texts") },
        "required": ["group"],
        "additionalProperties": false,
    });
    let upstream = json!({ "oneOf": [
        { "type": "string" },
        { "type": "object", "properties": { "pipeline": { "type": "string" }, "results": reference("texts") },
          "required": ["pipeline"], "additionalProperties": false },
    ] });
    json!({
        "duration": {
            "description": "90s, 15m, 2h, 1h30m, 7d, or a number of seconds.",
            "oneOf": [{ "type": "number", "minimum": 0 }, { "type": "string" }],
        },
        "texts": { "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": ["string", "number", "boolean"] } }] },
        "vars": { "type": ["object", "null"], "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
                  "additionalProperties": { "type": ["string", "number", "boolean", "null"] } },
        "credentials": { "type": ["object", "null"], "additionalProperties": { "type": "string" } },
        "steps": { "type": "object", "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$" },
                   "additionalProperties": reference("step") },
        "triggers": {
            "type": "object",
            "properties": {
                "poll": { "type": ["object", "null"], "properties": poll, "additionalProperties": false },
                "webhook": { "type": ["object", "null"], "properties": place, "additionalProperties": false },
                "cron": { "oneOf": [cron, { "type": "array", "items": cron }] },
                "model-package": many(model),
                "upstream": { "oneOf": [upstream, { "type": "array", "items": upstream }] },
            },
            "additionalProperties": false,
        },
        "parameters": {
            "type": ["object", "null"],
            "additionalProperties": {
                "type": ["object", "null"],
                "properties": {
                    "type": { "enum": ["string", "integer", "number", "boolean", "choice"] },
                    "default": { "type": ["string", "number", "boolean", "null"] },
                    "choices": reference("texts"),
                    "description": { "type": "string" },
                },
                "additionalProperties": false,
            },
        },
        "input": { "oneOf": [{ "type": "string" }, {
            "type": "object",
            "properties": {
                "message": { "type": "string", "description": "The question." },
                "ok": { "type": "string", "default": "Proceed" },
                "approvers": described(reference("texts"), "Users and groups who may answer."),
                "parameters": reference("parameters"),
                "reason": { "enum": ["required", "optional"], "default": "optional" },
                "self-approval": self_approval(),
                "binds": { "type": "object", "description": "What is approved; the answer is bound to these values." },
            },
            "required": ["message"],
            "additionalProperties": false,
        }] },
        "matrix": {
            "type": "object",
            "properties": { "include": { "type": "array", "items": { "type": "object" } },
                            "exclude": { "type": "array", "items": { "type": "object" } } },
            "additionalProperties": { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
        },
        "retry": { "oneOf": [
            { "type": "integer", "minimum": 0, "maximum": crate::limits::MAX_RETRIES },
            { "type": "object", "properties": { "max": { "type": "integer", "minimum": 0 }, "delay": reference("duration"),
              "backoff": { "type": "number", "minimum": 1 } }, "additionalProperties": false },
        ] },
    })
}

fn self_approval() -> Value {
    json!({ "type": "boolean", "default": true,
            "description": "false: who started the build, pushed its commit or changed its parameters may not approve." })
}

fn step(steps: &[StepSchema]) -> Value {
    let names: Vec<Value> = steps
        .iter()
        .map(|schema| json!({ "const": schema.name, "description": schema.doc }))
        .chain([json!({ "pattern": "^\\./", "description": "Another pipeline file of the repository." })])
        .collect();
    let rules: Vec<Value> = steps
        .iter()
        .map(|schema| {
            let mut then = json!({ "properties": { "with": arguments(schema) } });
            if schema.arguments.iter().any(|argument| argument.required) {
                then["required"] = json!(["with"]);
            }
            json!({ "if": { "properties": { "uses": { "const": schema.name } }, "required": ["uses"] }, "then": then })
        })
        .collect();
    json!({
        "type": "object",
        "properties": step_properties(&names),
        "oneOf": [{ "required": ["run"] }, { "required": ["uses"] }, { "required": ["input"] }],
        "additionalProperties": false,
        "allOf": rules,
    })
}

fn step_properties(names: &[Value]) -> Value {
    json!({
        "name": { "type": "string", "description": "For people." },
        "needs": described(reference("texts"), "Steps that must succeed before this one begins."),
        "if": { "type": ["string", "boolean"], "description": "Condition (CEL); ${{ }} may be left out." },
        "run": { "type": "string", "description": "A shell script: uses: sh with it." },
        "uses": { "anyOf": names, "description": "A step kind, or ./path/to/another.yaml." },
        "with": { "type": ["object", "null"], "description": "Its arguments." },
        "input": described(reference("input"), "A question to people."),
        "vars": reference("vars"),
        "env": described(reference("vars"), "Another name of vars."),
        "credentials": described(reference("credentials"), "Variable to credential id."),
        "agent": { "type": "string", "description": "Label expression." },
        "environment": { "type": "string", "description": "Deploy target, a key of environments." },
        "retry": described(reference("retry"), "Further attempts after the first."),
        "timeout": described(reference("duration"), "Limit of each attempt."),
        "matrix": described(reference("matrix"), "Run once for each combination; read as matrix.NAME."),
        "fail-fast": { "type": "boolean", "default": true, "description": "The first cell that fails stops the others." },
        "when": { "enum": ["success", "failed", "always"], "default": "success",
                  "description": "Without needs, failed and always run after all other steps." },
        "continue-on-error": { "type": "boolean", "default": false, "description": "A failure makes the build unstable." },
        "outputs": { "type": "object", "description": "Further outputs, computed from self.outputs." },
    })
}

fn arguments(schema: &StepSchema) -> Value {
    let properties: Object =
        schema.arguments.iter().map(|argument| (argument.name.to_owned(), one_argument(argument))).collect();
    let required: Vec<&str> =
        schema.arguments.iter().filter(|argument| argument.required).map(|argument| argument.name).collect();
    let kind = if required.is_empty() { json!(["object", "null"]) } else { json!("object") };
    json!({ "type": kind, "description": schema.doc, "properties": properties, "required": required,
            "additionalProperties": false })
}

fn one_argument(argument: &ArgumentSchema) -> Value {
    let expression = json!({ "type": "string", "pattern": EXPRESSION });
    let scalar = json!(["string", "number", "boolean"]);
    let plain = match argument.kind {
        ArgumentKind::String | ArgumentKind::Path if !argument.one_of.is_empty() => json!({ "enum": argument.one_of }),
        ArgumentKind::String | ArgumentKind::Path => json!({ "type": scalar }),
        ArgumentKind::Integer => json!({ "type": "integer" }),
        ArgumentKind::Number => json!({ "type": "number" }),
        ArgumentKind::Boolean => json!({ "type": "boolean" }),
        ArgumentKind::Duration => reference("duration"),
        ArgumentKind::Strings => json!({ "type": "array", "items": { "type": scalar } }),
        ArgumentKind::List => json!({ "type": "array" }),
        ArgumentKind::Map => json!({ "type": "object" }),
        ArgumentKind::Any => json!({}),
    };
    let wide = matches!(argument.kind, ArgumentKind::Any | ArgumentKind::Duration)
        || (matches!(argument.kind, ArgumentKind::String | ArgumentKind::Path) && argument.one_of.is_empty());
    let mut schema = if wide { plain } else { json!({ "anyOf": [plain, expression] }) };
    schema["description"] = Value::String(argument.doc.to_owned());
    if let Some(default) = &argument.default {
        schema["default"] = default.clone();
    }
    schema
}
