//! `read-file`: the content of a workspace file as an output that later steps and conditions read.

use std::fs;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};

use crate::{files, process};

/// Largest file that becomes an output, in bytes; outputs live in the journal.
const MAX_BYTES: u64 = 1024 * 1024;

pub(crate) struct ReadFile;

#[async_trait]
impl StepRunner for ReadFile {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Path, String};
        StepSchema {
            name: "read-file",
            doc: "Reads a file of the workspace into an output.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required("path", Path, "The file, in the workspace; UTF-8, at most 1 MiB."),
                ArgumentSchema::optional("format", String, "`json` gives the output `value` as well.")
                    .or("text")
                    .one_of(&["text", "json"]),
            ],
            outputs: vec![
                OutputSchema { name: "text", doc: "The content." },
                OutputSchema { name: "value", doc: "With `format: json`, the parsed content." },
            ],
            open_outputs: false,
            cloud: false,
            example: "path: test-results.json\nformat: json",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let ctx = ctx.clone();
        files::off_thread(move || read(&ctx)).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

fn read(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let relative = ctx.required("path")?;
    let path = ctx.path(&relative)?;
    files::through_real_folders(&ctx.workspace, &path)?;
    match fs::metadata(&path) {
        Err(error) => return Ok(StepOutput::failure(format!("cannot read `{relative}`: {error}"))),
        Ok(meta) if !meta.is_file() => return Ok(StepOutput::failure(format!("`{relative}` is not a file"))),
        Ok(meta) if meta.len() > MAX_BYTES => {
            return Ok(StepOutput::failure(format!(
                "`{relative}` has {} bytes but only {MAX_BYTES} can be an output; archive it instead",
                meta.len()
            )));
        }
        Ok(_) => {}
    }
    let Ok(text) = String::from_utf8(fs::read(&path)?) else {
        return Ok(StepOutput::failure(format!("`{relative}` is not UTF-8 text")));
    };
    let text = process::masked(ctx, text);
    let mut outputs = Object::new();
    if ctx.text("format").as_deref() == Some("json") {
        match serde_json::from_str::<Value>(&text) {
            Ok(value) => outputs.insert("value".to_owned(), value),
            Err(error) => return Ok(StepOutput::failure(format!("`{relative}` is not JSON: {error}"))),
        };
    }
    outputs.insert("text".to_owned(), text.into());
    Ok(StepOutput::success(outputs))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::bench::Case;

    #[tokio::test]
    async fn text_json_and_what_cannot_be_read() {
        let case = Case::new("read-file", json!({"path": "a.json", "format": "json"})).file("a.json", "{\"mse\": 4.5}");
        let output = case.run().await;
        assert_eq!((&output.outputs["value"]["mse"], &output.outputs["text"]), (&json!(4.5), &json!("{\"mse\": 4.5}")));
        for (path, format, part) in
            [("b", "text", "No such file"), ("d", "text", "not a file"), ("c", "json", "not JSON")]
        {
            let case = Case::new("read-file", json!({"path": path, "format": format})).file("c", "{").file("d/e", "");
            let message = case.run().await.message.unwrap();
            assert!(message.contains(part), "{message}");
        }
    }
}
