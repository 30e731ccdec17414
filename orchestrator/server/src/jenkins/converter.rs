//! `pipeline-model-converter`: checks Jenkinsfiles and turns them into their JSON model and back.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::call::{Call, bad};
use crate::edges::JenkinsfileSyntax;
use crate::error::Failed;

fn syntax(call: &Call) -> Result<&dyn JenkinsfileSyntax, Failed> {
    call.state.jenkinsfiles.as_deref().ok_or_else(|| bad("this server has no reader of Jenkinsfiles"))
}

/// `validate`: one text.
pub(crate) fn validate(call: &Call) -> Result<Response, Failed> {
    let text = call.needed("jenkinsfile")?;
    let lines = syntax(call)?.validate(text);
    if lines.is_empty() {
        return Ok("Jenkinsfile successfully validated.\n".into_response());
    }
    Ok(format!("Errors encountered validating Jenkinsfile:\n{}\n", lines.join("\n")).into_response())
}

/// `validateJenkinsfile`, `validateJson`, `toJson`, `toJenkinsfile`.
pub(crate) fn convert(call: &Call, what: &str) -> Result<Response, Failed> {
    let syntax = syntax(call)?;
    let data = match what {
        "validateJenkinsfile" => match syntax.validate(call.needed("jenkinsfile")?) {
            lines if lines.is_empty() => json!({ "result": "success" }),
            lines => failure(lines),
        },
        "validateJson" => match json_of(call).and_then(|json| syntax.to_jenkinsfile(&json)) {
            Ok(_) => json!({ "result": "success" }),
            Err(lines) => failure(lines),
        },
        "toJson" => match syntax.to_json(call.needed("jenkinsfile")?) {
            Ok(model) => json!({ "result": "success", "json": model }),
            Err(lines) => failure(lines),
        },
        "toJenkinsfile" => match json_of(call).and_then(|json| syntax.to_jenkinsfile(&json)) {
            Ok(text) => json!({ "result": "success", "jenkinsfile": text }),
            Err(lines) => failure(lines),
        },
        other => return Err(Failed::not_found(format!("there is no pipeline-model-converter/{other}"))),
    };
    Ok(Json(json!({ "status": "ok", "data": data })).into_response())
}

fn json_of(call: &Call) -> Result<Value, Vec<String>> {
    let text = call.value("json").ok_or_else(|| vec!["No content found for 'json' parameter".to_owned()])?;
    serde_json::from_str(text).map_err(|error| vec![format!("`json` cannot be read: {error}")])
}

fn failure(lines: Vec<String>) -> Value {
    let errors: Vec<Value> = lines.into_iter().map(|line| json!({ "error": line })).collect();
    json!({ "result": "failure", "errors": errors })
}
