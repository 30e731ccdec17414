//! The model as Jenkins' JSON.

use haliotis_groovy_syntax::Span;
use haliotis_groovy_syntax::ast::Literal;
use haliotis_model::{Object, Value};
use serde_json::json;

use crate::declare::model::{
    Agent, Args, Axis, Branch, CallArg, Calls, Condition, EnvVal, Environment, Input, MethodCall, Model, Post,
    Settings, Stage, Stages, Step, Tools, Val, ValKind, When,
};

/// The whole: `{"pipeline": …}`. `text` is the source, for the bodies of scripts.
pub(crate) fn model_json(model: &Model, text: &str) -> Value {
    let json = Json { text };
    let mut pipeline = Object::new();
    if let Some(stages) = &model.stages {
        pipeline.insert("stages".into(), json.stages(stages));
    }
    put(&mut pipeline, "post", model.post.as_ref().map(|post| json.post(post)));
    put(&mut pipeline, "environment", model.environment.as_ref().map(|it| json.environment(it)));
    put(&mut pipeline, "agent", model.agent.as_ref().map(|agent| json.agent(agent)));
    put(&mut pipeline, "tools", model.tools.as_ref().map(|tools| json.tools(tools)));
    for (name, calls) in [("options", &model.options), ("parameters", &model.parameters), ("triggers", &model.triggers)]
    {
        put(&mut pipeline, name, calls.as_ref().map(|calls| json.calls(name, calls)));
    }
    if let Some(libraries) = &model.libraries {
        let libs: Vec<Value> = libraries.libs.iter().map(value).collect();
        pipeline.insert("libraries".into(), json!({ "libraries": libs }));
    }
    json!({ "pipeline": pipeline })
}

struct Json<'a> {
    text: &'a str,
}

impl Json<'_> {
    fn stages(&self, stages: &Stages) -> Value {
        Value::Array(stages.stages.iter().map(|stage| Value::Object(self.stage(stage))).collect())
    }

    fn stage(&self, stage: &Stage) -> Object {
        let mut object = Object::new();
        object.insert("name".into(), stage.name.as_str().into());
        if !stage.branches.is_empty() {
            let branches: Vec<Value> = stage.branches.iter().map(|branch| self.branch(branch)).collect();
            object.insert("branches".into(), branches.into());
        }
        put(&mut object, "stages", stage.stages.as_ref().map(|stages| self.stages(stages)));
        put(&mut object, "parallel", stage.parallel.as_ref().map(|stages| self.stages(stages)));
        if let Some(matrix) = &stage.matrix {
            let mut inner = Object::new();
            let axes = |axes: &[Axis]| -> Value { axes.iter().map(axis).collect() };
            put(&mut inner, "axes", matrix.axes.as_ref().map(|it| axes(&it.axes)));
            let excludes = matrix.excludes.as_ref();
            put(&mut inner, "excludes", excludes.map(|it| it.excludes.iter().map(|one| axes(&one.axes)).collect()));
            put(&mut inner, "stages", matrix.stages.as_ref().map(|stages| self.stages(stages)));
            self.directives(&mut inner, &matrix.cell);
            object.insert("matrix".into(), inner.into());
        }
        put(&mut object, "failFast", stage.fail_fast.map(Value::from));
        self.directives(&mut object, stage);
        object
    }

    fn directives(&self, object: &mut Object, stage: &Stage) {
        put(object, "agent", stage.agent.as_ref().map(|agent| self.agent(agent)));
        put(object, "when", stage.when.as_ref().map(|when| self.when(when)));
        put(object, "post", stage.post.as_ref().map(|post| self.post(post)));
        put(object, "tools", stage.tools.as_ref().map(|tools| self.tools(tools)));
        put(object, "environment", stage.environment.as_ref().map(|it| self.environment(it)));
        put(object, "options", stage.options.as_ref().map(|calls| self.calls("options", calls)));
        put(object, "input", stage.input.as_ref().map(|input| self.input(input)));
    }

    fn branch(&self, branch: &Branch) -> Value {
        let steps: Vec<Value> = branch.steps.iter().map(|step| self.step(step)).collect();
        json!({ "name": branch.name, "steps": steps })
    }

    fn step(&self, step: &Step) -> Value {
        let mut object = Object::new();
        object.insert("name".into(), step.name.as_str().into());
        match step.code {
            Some(span) => drop(object.insert("arguments".into(), self.code(span))),
            None => drop(object.insert("arguments".into(), args(&step.args))),
        }
        if let Some(children) = &step.children {
            let children: Vec<Value> = children.iter().map(|step| self.step(step)).collect();
            object.insert("children".into(), children.into());
        }
        object.into()
    }

    fn code(&self, span: Span) -> Value {
        let text = span.of(self.text).trim();
        json!([{ "key": "scriptBlock", "value": { "isLiteral": true, "value": text } }])
    }

    fn post(&self, post: &Post) -> Value {
        let conditions: Vec<Value> = post
            .conditions
            .iter()
            .map(|(key, branch)| json!({ "condition": key.name, "branch": self.branch(branch) }))
            .collect();
        json!({ "conditions": conditions })
    }

    fn environment(&self, environment: &Environment) -> Value {
        let vars = environment.vars.iter().map(|(key, val)| {
            let val = match val {
                EnvVal::Val(val) => value(val),
                EnvVal::Credentials { args, .. } => {
                    let args: Vec<Value> = args.iter().map(value).collect();
                    json!({ "name": "credentials", "arguments": args })
                }
            };
            json!({ "key": key.name, "value": val })
        });
        vars.collect()
    }

    fn agent(&self, agent: &Agent) -> Value {
        let mut object = Object::new();
        object.insert("type".into(), agent.kind.as_ref().map_or("", |key| &key.name).into());
        match &agent.settings {
            Settings::None => {}
            Settings::One(val) => drop(object.insert("argument".into(), value(val))),
            Settings::Map(_) => drop(object.insert("arguments".into(), settings(&agent.settings))),
        }
        object.into()
    }

    fn tools(&self, tools: &Tools) -> Value {
        tools.tools.iter().map(|(key, val)| json!({ "key": key.name, "value": value(val) })).collect()
    }

    fn calls(&self, name: &str, calls: &Calls) -> Value {
        let calls: Vec<Value> = calls.calls.iter().map(call).collect();
        Value::Object(Object::from_iter([(name.to_owned(), calls.into())]))
    }

    fn input(&self, input: &Input) -> Value {
        let mut object = Object::new();
        for (name, val) in [
            ("message", &input.message),
            ("id", &input.id),
            ("ok", &input.ok),
            ("submitter", &input.submitter),
            ("submitterParameter", &input.submitter_parameter),
        ] {
            put(&mut object, name, val.as_ref().map(value));
        }
        put(&mut object, "parameters", input.parameters.as_ref().map(|calls| self.calls("parameters", calls)));
        object.into()
    }

    fn when(&self, when: &When) -> Value {
        let mut object = Object::new();
        let conditions: Vec<Value> = when.conditions.iter().map(|condition| self.condition(condition)).collect();
        object.insert("conditions".into(), conditions.into());
        for (name, truth) in [
            ("beforeAgent", when.before_agent),
            ("beforeInput", when.before_input),
            ("beforeOptions", when.before_options),
        ] {
            put(&mut object, name, truth.map(Value::from));
        }
        object.into()
    }

    fn condition(&self, condition: &Condition) -> Value {
        let mut object = Object::new();
        object.insert("name".into(), condition.name.as_str().into());
        if let Some((_, span)) = condition.code {
            object.insert("arguments".into(), self.code(span));
        } else if condition.children.is_empty() {
            put(&mut object, "arguments", condition.args.as_ref().map(args));
        } else {
            let children: Vec<Value> = condition.children.iter().map(|child| self.condition(child)).collect();
            object.insert("children".into(), children.into());
        }
        object.into()
    }
}

fn put(object: &mut Object, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value);
    }
}

fn axis(axis: &Axis) -> Value {
    let values: Vec<Value> = axis.values.iter().map(value).collect();
    let mut object = Object::new();
    object.insert("name".into(), axis.name.as_ref().map_or("", |key| &key.name).into());
    object.insert("values".into(), values.into());
    if axis.inverse == Some(true) {
        object.insert("inverse".into(), true.into());
    }
    object.into()
}

fn args(args: &Args) -> Value {
    match args {
        Args::Named(named) => named.iter().map(|(key, val)| json!({ "key": key.name, "value": value(val) })).collect(),
        Args::Single(val) => value(val),
        Args::Positional(values) => values.iter().map(value).collect(),
    }
}

fn settings(settings: &Settings) -> Value {
    match settings {
        Settings::None => Value::Null,
        Settings::One(val) => value(val),
        Settings::Map(map) => {
            map.iter().map(|(key, inner)| json!({ "key": key.name, "value": self::settings(inner) })).collect()
        }
    }
}

fn call(call: &MethodCall) -> Value {
    let args: Vec<Value> = call.args.iter().map(call_arg).collect();
    json!({ "name": call.name, "arguments": args })
}

fn call_arg(arg: &CallArg) -> Value {
    match arg {
        CallArg::Val(val) => value(val),
        CallArg::Call(inner) => call(inner),
        CallArg::Named(key, inner) => json!({ "key": key.name, "value": call_arg(inner) }),
    }
}

/// `{isLiteral, value}`.
fn value(val: &Val) -> Value {
    match &val.kind {
        ValKind::Literal(literal) => json!({ "isLiteral": true, "value": literal_json(literal) }),
        ValKind::Code { text, .. } => json!({ "isLiteral": false, "value": text }),
    }
}

pub(crate) fn literal_json(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(truth) => (*truth).into(),
        Literal::Int(number) => (*number).into(),
        Literal::Long(number) => (*number).into(),
        Literal::Float(number) => f64::from(*number).into(),
        Literal::Double(number) => (*number).into(),
        Literal::BigDecimal(text) => text.parse::<f64>().map_or_else(|_| Value::from(&**text), Value::from),
        Literal::BigInteger(text) | Literal::String(text, _) => (&**text).into(),
    }
}
