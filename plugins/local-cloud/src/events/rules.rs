//! Rules, their targets, connections and API destinations: what is kept and what is refused.

use serde_json::{Value, json};

use crate::AwsError;
use crate::events::{Events, Resource, Rule, pattern, webhook};
use crate::sagemaker::clock;
use crate::table::Table;

/// Targets of a rule; the service's limit.
const MAX_TARGETS: usize = 5;
/// The only bus there is.
const BUS: &str = "default";

impl Events {
    pub(super) fn put_rule(&self, input: &Value) -> Result<Value, AwsError> {
        let name = checked_name(&input["Name"])?;
        if !input["ScheduleExpression"].is_null() {
            return Err(AwsError::validation(
                "The local cloud has no schedules; a Haliotis pipeline has `on: cron`, which this rule could become",
            ));
        }
        bus(input)?;
        let text = input["EventPattern"].as_str().unwrap_or_default();
        let pattern = read_pattern(text)?;
        let arn = self.arn("rule", name);
        let rule = Rule {
            name: name.to_owned(),
            arn: arn.clone(),
            pattern,
            pattern_text: text.to_owned(),
            description: input["Description"].as_str().unwrap_or_default().to_owned(),
            enabled: input["State"] != "DISABLED",
            role: input["RoleArn"].as_str().map(str::to_owned),
            targets: Vec::new(),
        };
        if !self.rules.insert(name, rule.clone())? {
            self.rules.update(name, |old| {
                let targets = std::mem::take(&mut old.targets);
                *old = Rule { targets, ..rule };
                Ok(())
            })?;
        }
        Ok(json!({"RuleArn": arn}))
    }

    fn rule(&self, name: &Value) -> Result<Rule, AwsError> {
        let name = name.as_str().unwrap_or_default();
        self.rules.get(name).ok_or_else(|| not_found(&format!("Rule {name} does not exist on EventBus {BUS}.")))
    }

    pub(super) fn describe_rule(&self, input: &Value) -> Result<Value, AwsError> {
        Ok(self.rule(&input["Name"])?.shown())
    }

    pub(super) fn list_rules(&self, input: &Value) -> Result<Value, AwsError> {
        let prefix = input["NamePrefix"].as_str().unwrap_or_default();
        let rules = self.rules.select(|rule| rule.name.starts_with(prefix));
        Ok(json!({"Rules": rules.iter().map(Rule::shown).collect::<Vec<_>>()}))
    }

    pub(super) fn delete_rule(&self, input: &Value) -> Result<Value, AwsError> {
        let name = input["Name"].as_str().unwrap_or_default();
        self.rules.remove(name, |rule| match rule.targets.is_empty() {
            true => Ok(()),
            false => Err(AwsError::validation("Rule can't be deleted since it has targets.")),
        })?;
        Ok(Value::Null)
    }

    pub(super) fn switch(&self, input: &Value, enabled: bool) -> Result<Value, AwsError> {
        let rule = self.rule(&input["Name"])?;
        self.rules.update(&rule.name, |rule| {
            rule.enabled = enabled;
            Ok(())
        })?;
        Ok(Value::Null)
    }

    pub(super) fn put_targets(&self, input: &Value) -> Result<Value, AwsError> {
        let rule = self.rule(&input["Rule"])?;
        let given = input["Targets"].as_array().cloned().unwrap_or_default();
        for target in &given {
            self.check_target(target)?;
        }
        self.rules.update(&rule.name, |rule| {
            rule.targets.retain(|old| !given.iter().any(|new| new["Id"] == old["Id"]));
            rule.targets.extend(given);
            match rule.targets.len() <= MAX_TARGETS {
                true => Ok(()),
                false => Err(AwsError::new(
                    400,
                    "LimitExceededException",
                    format!("A rule has at most {MAX_TARGETS} targets."),
                )),
            }
        })?;
        Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
    }

    /// A target that could never be reached is refused when it is put, not when the first event is lost.
    fn check_target(&self, target: &Value) -> Result<(), AwsError> {
        let arn = target["Arn"].as_str().unwrap_or_default();
        if target["Id"].as_str().is_none_or(str::is_empty) {
            return Err(AwsError::validation("A target needs an Id."));
        }
        let service = arn.split(':').nth(2).unwrap_or_default();
        match service {
            "sqs" | "lambda" => Ok(()),
            "events" if arn.contains(":api-destination/") => self.destination(arn).map(drop),
            _ => Err(AwsError::validation(format!(
                "Parameter {arn} is not valid. Reason: the local cloud delivers to SQS queues, Lambda functions and API destinations."
            ))),
        }
    }

    pub(super) fn remove_targets(&self, input: &Value) -> Result<Value, AwsError> {
        let rule = self.rule(&input["Rule"])?;
        let gone = input["Ids"].as_array().cloned().unwrap_or_default();
        self.rules.update(&rule.name, |rule| {
            rule.targets.retain(|target| !gone.contains(&target["Id"]));
            Ok(())
        })?;
        Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
    }

    pub(super) fn list_targets(&self, input: &Value) -> Result<Value, AwsError> {
        Ok(json!({"Targets": self.rule(&input["Rule"])?.targets}))
    }

    pub(super) fn create_connection(&self, input: &Value) -> Result<Value, AwsError> {
        let name = checked_name(&input["Name"])?;
        let parameters = &input["AuthParameters"];
        let needed = match input["AuthorizationType"].as_str().unwrap_or_default() {
            "BASIC" => ["Username", "Password"].map(|member| &parameters["BasicAuthParameters"][member]),
            "API_KEY" => ["ApiKeyName", "ApiKeyValue"].map(|member| &parameters["ApiKeyAuthParameters"][member]),
            other => {
                return Err(AwsError::validation(format!(
                    "The local cloud offers connections of the types BASIC and API_KEY, not '{other}'."
                )));
            }
        };
        if needed.iter().any(|value| !value.is_string()) {
            return Err(AwsError::validation("AuthParameters lacks the members of its AuthorizationType."));
        }
        self.create(&self.connections, "connection", name, input, "Connection", "AUTHORIZED")
    }

    pub(super) fn create_destination(&self, input: &Value) -> Result<Value, AwsError> {
        let name = checked_name(&input["Name"])?;
        webhook::check_endpoint(input["InvocationEndpoint"].as_str().unwrap_or_default())
            .map_err(AwsError::validation)?;
        let method = input["HttpMethod"].as_str().unwrap_or_default();
        if !matches!(method, "POST" | "GET" | "HEAD" | "OPTIONS" | "PUT" | "PATCH" | "DELETE") {
            return Err(AwsError::validation(format!("HttpMethod '{method}' is none.")));
        }
        let connection = input["ConnectionArn"].as_str().unwrap_or_default();
        if self.connection(connection).is_none() {
            return Err(not_found(&format!("Connection {connection} does not exist.")));
        }
        self.create(&self.destinations, "api-destination", name, input, "ApiDestination", "ACTIVE")
    }

    fn create(
        &self,
        table: &Table<Resource>,
        kind: &str,
        name: &str,
        input: &Value,
        title: &str,
        state: &str,
    ) -> Result<Value, AwsError> {
        let arn = self.arn(kind, &format!("{name}/{}", uuid::Uuid::new_v4()));
        let resource =
            Resource { name: name.to_owned(), arn: arn.clone(), created: clock::now(), request: input.clone() };
        if !table.insert(name, resource)? {
            return Err(AwsError::new(
                400,
                "ResourceAlreadyExistsException",
                format!("{title} {name} already exists."),
            ));
        }
        Ok(
            json!({format!("{title}Arn"): arn, format!("{title}State"): state, "CreationTime": clock::now(), "LastModifiedTime": clock::now()}),
        )
    }

    pub(super) fn describe(&self, table: &Table<Resource>, input: &Value, title: &str) -> Result<Value, AwsError> {
        let name = input["Name"].as_str().unwrap_or_default();
        let found = table.get(name).ok_or_else(|| not_found(&format!("{title} {name} does not exist.")))?;
        Ok(found.shown(title))
    }

    pub(super) fn delete(&self, table: &Table<Resource>, input: &Value, title: &str) -> Result<Value, AwsError> {
        let name = input["Name"].as_str().unwrap_or_default();
        match table.remove(name, |_| Ok(()))? {
            Some(_) => Ok(json!({})),
            None => Err(not_found(&format!("{title} {name} does not exist."))),
        }
    }

    pub(super) fn list(&self, table: &Table<Resource>, list_name: &str, title: &str) -> Value {
        json!({list_name: table.all().iter().map(|one| one.shown(title)).collect::<Vec<_>>()})
    }

    pub(super) fn connection(&self, arn: &str) -> Option<Resource> {
        self.connections.select(|one| one.arn == arn).into_iter().next()
    }

    pub(super) fn destination(&self, arn: &str) -> Result<Resource, AwsError> {
        let found = self.destinations.select(|one| one.arn == arn).into_iter().next();
        found.ok_or_else(|| not_found(&format!("ApiDestination {arn} does not exist.")))
    }
}

impl Rule {
    fn shown(&self) -> Value {
        let mut shown = json!({"Name": self.name, "Arn": self.arn, "EventPattern": self.pattern_text,
            "State": if self.enabled { "ENABLED" } else { "DISABLED" }, "Description": self.description, "EventBusName": BUS});
        if let Some(role) = &self.role {
            shown["RoleArn"] = json!(role);
        }
        shown
    }
}

impl Resource {
    /// Secrets of a connection are never given back.
    fn shown(&self, title: &str) -> Value {
        let mut shown = self.request.clone();
        shown[format!("{title}Arn")] = json!(self.arn);
        shown[format!("{title}State")] = json!(if title == "Connection" { "AUTHORIZED" } else { "ACTIVE" });
        shown["CreationTime"] = clock::write(self.created);
        shown["LastModifiedTime"] = clock::write(self.created);
        for (group, secret) in [("BasicAuthParameters", "Password"), ("ApiKeyAuthParameters", "ApiKeyValue")] {
            if let Some(members) = shown["AuthParameters"][group].as_object_mut() {
                members.remove(secret);
            }
        }
        shown
    }
}

pub(super) fn test_pattern(input: &Value) -> Result<Value, AwsError> {
    let pattern = read_pattern(input["EventPattern"].as_str().unwrap_or_default())?;
    let event: Value = serde_json::from_str(input["Event"].as_str().unwrap_or_default()).map_err(|error| {
        AwsError::new(400, "ValidationException", format!("Parameter Event is not valid. Reason: {error}"))
    })?;
    Ok(json!({"Result": pattern::matches(&pattern, &event)}))
}

fn read_pattern(text: &str) -> Result<Value, AwsError> {
    let invalid = |why: String| AwsError::new(400, "InvalidEventPatternException", why);
    let pattern =
        serde_json::from_str(text).map_err(|error| invalid(format!("Event pattern is not valid. Reason: {error}")))?;
    pattern::check(&pattern).map_err(invalid)?;
    Ok(pattern)
}

fn checked_name(name: &Value) -> Result<&str, AwsError> {
    let name = name.as_str().unwrap_or_default();
    let fine = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(fine) {
        return Err(AwsError::validation(format!("Name '{name}' must be 1 to 64 letters, digits, '.', '-' or '_'.")));
    }
    Ok(name)
}

fn bus(input: &Value) -> Result<(), AwsError> {
    match input["EventBusName"].as_str().map(|name| name.rsplit('/').next().unwrap_or(name)) {
        None | Some(BUS) => Ok(()),
        Some(other) => Err(not_found(&format!("Event bus {other} does not exist."))),
    }
}

fn not_found(message: &str) -> AwsError {
    AwsError::new(400, "ResourceNotFoundException", message)
}
