//! JSON, YAML, properties, CSV: parsed and written here, read from and written to files by step kinds.

use std::rc::Rc;

use haliotis_groovy::{Raise, Value};
use haliotis_model::{Object, Value as Json};

use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

impl Run {
    pub(super) async fn data_step(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        match name {
            "readJSON" => {
                let text = self.text_of(ctx, name, given).await?;
                let json: Json = serde_json::from_str(&text).map_err(|error| self.bad(name, &error))?;
                self.vm(|vm| values::from_json(vm, &json))
            }
            "readYaml" => {
                let text = self.text_of(ctx, name, given).await?;
                let documents: Vec<Json> = serde_yaml::from_multiple(&text).map_err(|error| self.bad(name, &error))?;
                let json = match documents.len() {
                    1 => documents.into_iter().next().unwrap_or_default(),
                    _ => Json::Array(documents),
                };
                self.vm(|vm| values::from_json(vm, &json))
            }
            "readProperties" => {
                let mut all =
                    self.json_arg(given, "defaults")?.and_then(|json| json.as_object().cloned()).unwrap_or_default();
                all.extend(properties(&self.text_of(ctx, name, given).await?));
                self.vm(|vm| values::from_json(vm, &Json::Object(all)))
            }
            "readCSV" => {
                let text = self.text_of(ctx, name, given).await?;
                let rows: Vec<Json> = text.lines().filter(|line| !line.is_empty()).map(csv_row).collect();
                self.vm(|vm| values::from_json(vm, &Json::Array(rows)))
            }
            "writeJSON" => {
                let json = self.json_arg(given, "json")?.unwrap_or_default();
                let pretty = given.integer("pretty").unwrap_or(0) > 0;
                let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
                let text = text.map_err(|error| self.bad(name, &error))?;
                self.write_or_return(ctx, name, given, text).await
            }
            "writeYaml" => {
                let data = match self.json_arg(given, "data")? {
                    Some(data) => data,
                    None => self.json_arg(given, "datas")?.unwrap_or_default(),
                };
                let text = serde_yaml::to_string(&data).map_err(|error| self.bad(name, &error))?;
                self.write_or_return(ctx, name, given, text).await
            }
            "writeCSV" => {
                let rows = self.json_arg(given, "records")?.unwrap_or_default();
                let rows = rows.as_array().cloned().unwrap_or_default();
                let text: String = rows.iter().map(csv_line).collect();
                self.write_or_return(ctx, name, given, text).await
            }
            _ => Err(self.abort_exception(&format!("The step {name} is known and cannot be run yet"))),
        }
    }

    /// The text of `text:`, or of `file:`.
    async fn text_of(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Result<String, Raise> {
        if let Some(text) = self.arg(given, "text")? {
            return Ok(text);
        }
        match self.arg(given, "file")? {
            Some(path) => self.read_text(ctx, name, &path).await,
            None => Err(self.throw(
                "java.lang.IllegalArgumentException",
                &format!("At least one of file or text needs to be provided to {name}."),
            )),
        }
    }

    async fn write_or_return(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given, text: String) -> Answer {
        if given.flag("returnText") {
            return Ok(Value::from(text));
        }
        let path = self.vm(|vm| given.required(vm, "file"))?;
        self.write_text(ctx, name, &path, text).await?;
        Ok(Value::Null)
    }

    fn bad(&self, name: &str, error: &dyn std::fmt::Display) -> Raise {
        self.abort_exception(&format!("{name}: {error}"))
    }
}

/// `a=b`, `a: b`, comments, lines that go on behind a backslash.
fn properties(text: &str) -> Object {
    let mut all = Object::new();
    let joined = joined(text);
    for line in joined.lines().map(str::trim_start) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let at = line.find(['=', ':']).unwrap_or(line.len());
        let (key, value) = line.split_at(at);
        let value = value.trim_start_matches(['=', ':']).trim_start();
        all.insert(key.trim().to_owned(), value.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\").into());
    }
    all
}

/// Lines that end in a backslash go on with the next one, whose leading blanks do not count.
fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut goes_on = false;
    for line in text.lines() {
        let line = if goes_on { line.trim_start() } else { line };
        let slashes = line.chars().rev().take_while(|c| *c == '\\').count();
        goes_on = slashes % 2 == 1;
        out.push_str(line.get(..line.len() - usize::from(goes_on)).unwrap_or(line));
        if !goes_on {
            out.push('\n');
        }
    }
    out
}

/// A line of comma-separated values; quotes double inside quotes.
fn csv_row(line: &str) -> Json {
    let mut row = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(Json::from(std::mem::take(&mut field))),
            c => field.push(c),
        }
    }
    row.push(field.into());
    Json::Array(row)
}

fn csv_line(row: &Json) -> String {
    let cells = row.as_array().cloned().unwrap_or_default();
    let cells = cells.iter().map(|cell| {
        let text = cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    });
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_and_csv() {
        let all = properties("# c\na=b\n c : d e\nlong=x\\\n   y\n");
        assert_eq!(Json::Object(all), serde_json::json!({"a": "b", "c": "d e", "long": "xy"}));
        assert_eq!(csv_row("a,\"b,\"\"c\"\"\",d"), serde_json::json!(["a", "b,\"c\"", "d"]));
        assert_eq!(csv_line(&serde_json::json!(["a", 1, "x,y"])), "a,1,\"x,y\"\r\n");
    }
}
