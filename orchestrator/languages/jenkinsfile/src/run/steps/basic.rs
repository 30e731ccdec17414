//! Steps that need no step kind.

use std::rc::Rc;

use haliotis_groovy::Value;
use haliotis_model::{BuildResult, Value as Json};

use super::super::blocks::duration;
use super::super::context::Ctx;
use super::super::given::Given;
use super::super::{Answer, Run, values};

impl Run {
    pub(super) async fn basic_step(self: &Rc<Self>, ctx: &Ctx, name: &str, given: &Given) -> Answer {
        match name {
            "echo" => {
                let message = given.named.first().map(|(_, value)| value.clone()).unwrap_or_default();
                let text = self.vm(|vm| values::text(vm, &message))?;
                self.shared.say(&text);
                Ok(Value::Null)
            }
            "error" => {
                let message = self.arg(given, "message")?.unwrap_or_default();
                Err(self.abort_exception(&message))
            }
            "unstable" => {
                let message = self.arg(given, "message")?.unwrap_or_default();
                self.shared.say(&format!("WARNING: {message}"));
                self.mark(ctx, BuildResult::Unstable, &message);
                Ok(Value::Null)
            }
            "sleep" => {
                let ms = self.time(given, "SECONDS")?;
                self.shared.say(&format!("Sleeping for {}", duration(ms)));
                self.pause_for(ctx, ms).await?;
                Ok(Value::Null)
            }
            "isUnix" => Ok(Value::Bool(true)),
            "properties" => self.properties(given),
            "load" => self.load(ctx, given).await,
            "tool" => {
                let name = self.vm(|vm| given.required(vm, "name"))?;
                let variable =
                    format!("TOOL_{}", name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
                match self.variable(ctx, &variable).await? {
                    Some(path) => Ok(Value::from(path)),
                    None => Err(self.abort_exception(&format!(
                        "No tool named {name} found: set the variable {variable} of the agent to its folder"
                    ))),
                }
            }
            "compareVersions" => {
                let (a, b) = (self.arg(given, "v1")?.unwrap_or_default(), self.arg(given, "v2")?.unwrap_or_default());
                Ok(Value::Int(compare_versions(&a, &b) as i32))
            }
            "getContext" => Ok(Value::Null),
            "step" => self.meta_step(ctx, given).await,
            "tm" => {
                let text = self.arg(given, "stringWithMacro")?.unwrap_or_default();
                Ok(Value::from(text))
            }
            "validateDeclarativePipeline" => {
                let path = self.vm(|vm| given.required(vm, "path"))?;
                let text = self.read_text(ctx, name, &path).await?;
                let problems = crate::validate(&text);
                let errors = problems.iter().filter(|one| one.severity == haliotis_flow::Severity::Error);
                let lines: Vec<String> = errors.map(crate::Problem::jenkins_line).collect();
                for line in &lines {
                    self.shared.say(line);
                }
                Ok(Value::Bool(lines.is_empty() && crate::is_declarative(&text)))
            }
            _ => Err(self.abort_exception(&format!("The step {name} is known and cannot be run yet"))),
        }
    }

    /// `properties([...])`: the job's settings. What is written in constants stands in the definition already; the rest is
    /// named, since it changes nothing.
    fn properties(&self, given: &Given) -> Answer {
        let said = crate::declare::properties(&self.shared.facts.script);
        let known: Vec<&str> = said.parameters.calls.iter().filter_map(|call| call.text("name")).collect();
        let list = self.json_arg(given, "properties")?.unwrap_or_default();
        let wanted = list.as_array().into_iter().flatten().flat_map(|property| {
            let inside = property.get("$value").or_else(|| property.get("parameterDefinitions"));
            inside.and_then(Json::as_array).cloned().unwrap_or_default()
        });
        for name in wanted.filter_map(|parameter| Some(super::input::parameter(&parameter)?.name)) {
            if !known.contains(&name.as_str()) {
                self.shared.say(&format!(
                    "properties: the parameter {name} is computed by the script and is not part of this pipeline's form; \
                     write it as a constant, as in string(name: '{name}', defaultValue: '')"
                ));
            }
        }
        Ok(Value::Null)
    }

    /// `step([$class: 'JUnitResultArchiver', testResults: '…'])`: the step behind it.
    async fn meta_step(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let delegate = given.get("delegate").cloned().unwrap_or_default();
        let class = self.vm(|vm| match values::entry(vm, &delegate, "$class") {
            Some(class) => values::text(vm, &class),
            None => Ok(String::new()),
        })?;
        let simple = class.rsplit('.').next().unwrap_or_default();
        let name = match simple {
            "JUnitResultArchiver" => "junit",
            "ArtifactArchiver" => "archiveArtifacts",
            "WsCleanup" => "cleanWs",
            "Mailer" | "GitHubCommitStatusSetter" => return Ok(Value::Null),
            _ => {
                return Err(self.abort_exception(&format!("step([$class: '{class}']) is not part of Haliotis")));
            }
        };
        let args = self.vm(|vm| {
            let Value::Map(map) = &delegate else { return Ok(Vec::new()) };
            let mut entries = vm.entries(map);
            entries.retain(|(key, _)| key.as_str() != Some("$class"));
            vm.map_from(entries).map(|map| vec![map])
        })?;
        self.step(ctx, name, &args).await
    }

    /// `load 'file.groovy'`: runs it; its value is that of its last statement, or the script.
    async fn load(self: &Rc<Self>, ctx: &Ctx, given: &Given) -> Answer {
        let path = self.vm(|vm| given.required(vm, "path"))?;
        let mut call = self.call(ctx, "load", "read-file");
        call.with.insert("path".to_owned(), path.clone().into());
        let output = self.run_call(ctx, call).await?;
        let text = output.outputs.get("text").and_then(haliotis_model::Value::as_str).unwrap_or_default().to_owned();
        let number = {
            let mut state = self.shared.state.borrow_mut();
            state.loaded += 1;
            state.loaded
        };
        let thread = self
            .vm(|vm| super::super::machine::load_file(vm, &mut self.shared.names.borrow_mut(), number, &path, &text))
            .map_err(|message| {
                self.throw("org.codehaus.groovy.control.MultipleCompilationErrorsException", &message)
            })?;
        self.shared.say("[Pipeline] {");
        let answer = self.thread(ctx, thread).await;
        self.shared.say("[Pipeline] }");
        self.shared.say("[Pipeline] // load");
        answer
    }
}

/// As the plugin does: numbers by value, the rest by text.
fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (a, b) = (parts(a), parts(b));
    for at in 0..a.len().max(b.len()) {
        let (x, y) = (a.get(at).map_or("0", String::as_str), b.get(at).map_or("0", String::as_str));
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            (Ok(_), Err(_)) => std::cmp::Ordering::Greater,
            (Err(_), Ok(_)) => std::cmp::Ordering::Less,
            _ => x.cmp(y),
        };
        if order.is_ne() {
            return order;
        }
    }
    std::cmp::Ordering::Equal
}
