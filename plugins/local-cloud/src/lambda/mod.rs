//! Lambda: functions as local programs. A function is a zip with Python in it; an invocation is a process of its own.
//!
//! | request | operation |
//! |---|---|
//! | `POST /2015-03-31/functions` | CreateFunction |
//! | `GET /2015-03-31/functions[/NAME]` | ListFunctions, GetFunction |
//! | `PUT /2015-03-31/functions/NAME/code` | UpdateFunctionCode |
//! | `PUT /2015-03-31/functions/NAME/configuration` | UpdateFunctionConfiguration |
//! | `DELETE /2015-03-31/functions/NAME` | DeleteFunction |
//! | `POST /2015-03-31/functions/NAME/invocations` | Invoke |
//!
//! An invocation under a key is made once: a restart with the same key finds its process, or its answer.

mod invoke;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use haliotis_model::Vars;
use haliotis_plugin_api::Processes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::durable::write_atomic;
use crate::sagemaker::clock;
use crate::table::Table;
use crate::{AwsError, Config, OpenError, s3};

pub(crate) use invoke::Outcome;

/// Where the operations are.
pub(crate) const PATH: &str = "/2015-03-31/functions";
/// The program that runs a handler.
const RUNNER: &str = include_str!("../../runtimes/lambda_run.py");
/// Seconds a function may run unless it says otherwise.
const DEFAULT_TIMEOUT_S: u64 = 3;
/// Seconds a function may run at most; the service's limit.
const MAX_TIMEOUT_S: u64 = 900;
/// Bytes of a zip given in a request; the service's limit.
const MAX_CODE_BYTES: usize = 50 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Function {
    name: String,
    arn: String,
    runtime: String,
    handler: String,
    role: String,
    description: String,
    timeout_s: u64,
    memory_mb: u64,
    vars: std::collections::BTreeMap<String, String>,
    /// SHA-256 of the zip, in base64, as AWS shows it; names the file as well.
    code_sha256: String,
    code_size: u64,
    modified: f64,
}

/// The functions.
pub(crate) struct Lambda {
    region: String,
    account: String,
    access_key: String,
    secret_key: haliotis_model::Secret,
    endpoint_url: Option<String>,
    python: PathBuf,
    home: PathBuf,
    logs: PathBuf,
    processes: Arc<dyn Processes>,
    functions: Table<Function>,
}

/// An answer: HTTP status, JSON, and whether the function itself failed.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) function_error: bool,
}

impl Answer {
    fn ok(status: u16, body: Value) -> Self {
        Self { status, body, function_error: false }
    }
}

impl Lambda {
    /// Opens the state below the data folder.
    pub(crate) fn open(config: &Config) -> Result<Self, OpenError> {
        let home = config.dir.join("lambda");
        let logs = config.dir.join("logs").join("lambda");
        for folder in [home.join("code"), home.join("runs"), logs.clone()] {
            std::fs::create_dir_all(&folder).map_err(OpenError::io(&folder))?;
        }
        let runner = home.join("lambda_run.py");
        if std::fs::read(&runner).ok().as_deref() != Some(RUNNER.as_bytes()) {
            write_atomic(&runner, RUNNER.as_bytes()).map_err(OpenError::io(&runner))?;
        }
        Ok(Self {
            region: config.region.clone(),
            account: config.account.clone(),
            access_key: config.access_key.clone(),
            secret_key: config.secret_key.clone(),
            endpoint_url: config.endpoint_url.clone(),
            python: config.python.interpreter.clone(),
            functions: Table::open(home.join("functions"))?,
            home,
            logs,
            processes: Arc::clone(&config.processes),
        })
    }

    /// Carries out one request below [`PATH`]; `store` is where zips named by bucket and key lie.
    ///
    /// # Errors
    /// What Lambda would answer.
    pub(crate) async fn call(
        &self,
        method: &Method,
        path: &str,
        input: Value,
        asynchronous: bool,
        store: &s3::Store,
    ) -> Result<Answer, AwsError> {
        let rest = path.strip_prefix(PATH).unwrap_or_default().trim_matches('/');
        let (name, what) = rest.split_once('/').unwrap_or((rest, ""));
        let name = crate::auth::decode(name);
        match (method.as_str(), name.as_str(), what) {
            ("POST", "", "") => self.create(&input, store).map(|body| Answer::ok(201, body)),
            ("GET", "", "") => {
                let all: Vec<_> = self.functions.all().iter().map(Function::configuration).collect();
                Ok(Answer::ok(200, json!({"Functions": all})))
            }
            ("GET", name, "") => {
                let function = self.named(name)?;
                Ok(Answer::ok(
                    200,
                    json!({"Configuration": function.configuration(), "Code": {"RepositoryType": "S3"}, "Tags": {}}),
                ))
            }
            ("GET", name, "configuration") => Ok(Answer::ok(200, self.named(name)?.configuration())),
            ("PUT", name, "code") => {
                let (sha256, size) = self.keep_code(&input, store)?;
                self.change(name, |function| {
                    (function.code_sha256, function.code_size) = (sha256, size);
                    Ok(())
                })
            }
            ("PUT", name, "configuration") => self.change(name, |function| function.configure(&input)),
            ("DELETE", name, "") => {
                let function = self.named(name)?;
                self.functions.remove(&function.name, |_| Ok(()))?;
                Ok(Answer::ok(204, Value::Null))
            }
            ("POST", name, "invocations") => self.answer_invocation(name, input, asynchronous).await,
            _ => Err(AwsError::unknown_operation("Lambda", &format!("{method} {path}"))),
        }
    }

    async fn answer_invocation(&self, name: &str, input: Value, asynchronous: bool) -> Result<Answer, AwsError> {
        let function = self.named(name)?;
        let key = uuid::Uuid::new_v4().simple().to_string();
        if asynchronous {
            self.start(&key, &function, &input).await?;
            return Ok(Answer::ok(202, Value::Null));
        }
        let outcome = self.invoke(&key, name, &input, None).await?;
        self.forget(&key).await;
        Ok(match outcome {
            Outcome::Returned(body) => Answer::ok(200, body),
            Outcome::Failed(body) => Answer { status: 200, body, function_error: true },
        })
    }

    fn create(&self, input: &Value, store: &s3::Store) -> Result<Value, AwsError> {
        let name = input["FunctionName"].as_str().unwrap_or_default();
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
            return Err(invalid(format!("The function name '{name}' must be 1 to 64 letters, digits, - or _")));
        }
        let (code_sha256, code_size) = self.keep_code(&input["Code"], store)?;
        let mut function = Function {
            name: name.to_owned(),
            arn: format!("arn:aws:lambda:{}:{}:function:{name}", self.region, self.account),
            runtime: String::new(),
            handler: String::new(),
            role: String::new(),
            description: String::new(),
            timeout_s: DEFAULT_TIMEOUT_S,
            memory_mb: 128,
            vars: std::collections::BTreeMap::new(),
            code_sha256,
            code_size,
            modified: clock::now(),
        };
        function.configure(input)?;
        if !function.handler.contains('.') {
            return Err(invalid(format!("The handler '{}' must be MODULE.FUNCTION", function.handler)));
        }
        if !self.functions.insert(name, function.clone())? {
            return Err(AwsError::new(409, "ResourceConflictException", format!("Function already exist: {name}")));
        }
        Ok(function.configuration())
    }

    fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut Function) -> Result<(), AwsError>,
    ) -> Result<Answer, AwsError> {
        let found = self.named(name)?;
        let changed = self.functions.update(&found.name, |function| {
            change(function)?;
            function.modified = clock::now();
            Ok(())
        })?;
        Ok(Answer::ok(200, changed.map_or(Value::Null, |function| function.configuration())))
    }

    /// Keeps a zip under its hash, so that a running invocation keeps the code it began with.
    fn keep_code(&self, code: &Value, store: &s3::Store) -> Result<(String, u64), AwsError> {
        let bytes = match (code["ZipFile"].as_str(), code["S3Bucket"].as_str(), code["S3Key"].as_str()) {
            (Some(text), _, _) => STANDARD.decode(text).map_err(|_| invalid("Code.ZipFile is not base64".into()))?,
            (None, Some(bucket), Some(key)) => store.read(bucket, key)?,
            _ => {
                return Err(invalid(
                    "Please provide a source for function code: ZipFile, or S3Bucket and S3Key".into(),
                ));
            }
        };
        if bytes.len() > MAX_CODE_BYTES || !bytes.starts_with(b"PK") {
            return Err(invalid(format!(
                "Could not unzip uploaded file: it must be a zip of at most {MAX_CODE_BYTES} bytes"
            )));
        }
        let sha256 = Sha256::digest(&bytes);
        let path = self.code_path(&STANDARD.encode(sha256));
        write_atomic(&path, &bytes).map_err(|error| AwsError::io("cannot write", &path, &error))?;
        Ok((STANDARD.encode(sha256), bytes.len() as u64))
    }

    fn code_path(&self, sha256: &str) -> PathBuf {
        let name = hex::encode(STANDARD.decode(sha256).unwrap_or_default());
        self.home.join("code").join(format!("{name}.zip"))
    }

    /// By name, `NAME:QUALIFIER` or ARN.
    fn named(&self, name_or_arn: &str) -> Result<Function, AwsError> {
        let name = name_or_arn.split_once(":function:").map_or(name_or_arn, |(_, rest)| rest);
        let name = name.split(':').next().unwrap_or_default();
        self.functions.get(name).ok_or_else(|| {
            let arn = format!("arn:aws:lambda:{}:{}:function:{name}", self.region, self.account);
            AwsError::new(404, "ResourceNotFoundException", format!("Function not found: {arn}"))
        })
    }

    /// What a function's process finds in its environment.
    fn vars(&self, function: &Function, folder: &Path) -> Vars {
        let bin = self.python.parent().unwrap_or(Path::new("/usr/bin")).display().to_string();
        let endpoint = self.endpoint_url.clone().unwrap_or_else(|| "http://127.0.0.1:1".to_owned());
        let own = [
            ("PATH", format!("{bin}:/usr/local/bin:/usr/bin:/bin")),
            ("HOME", folder.display().to_string()),
            ("LANG", "C.UTF-8".to_owned()),
            ("PYTHONUNBUFFERED", "1".to_owned()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", self.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key.expose().to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(function.vars.clone()).collect()
    }
}

impl Function {
    fn configure(&mut self, input: &Value) -> Result<(), AwsError> {
        let set = |field: &mut String, name: &str| {
            if let Some(text) = input[name].as_str() {
                text.clone_into(field);
            }
        };
        set(&mut self.runtime, "Runtime");
        set(&mut self.handler, "Handler");
        set(&mut self.role, "Role");
        set(&mut self.description, "Description");
        if !self.runtime.starts_with("python3") {
            return Err(invalid(format!(
                "The local cloud runs functions of the runtimes python3.*, not '{}'",
                self.runtime
            )));
        }
        if let Some(seconds) = input["Timeout"].as_u64() {
            if !(1..=MAX_TIMEOUT_S).contains(&seconds) {
                return Err(invalid(format!("Timeout must be 1 to {MAX_TIMEOUT_S} seconds")));
            }
            self.timeout_s = seconds;
        }
        if let Some(megabytes) = input["MemorySize"].as_u64() {
            self.memory_mb = megabytes;
        }
        if let Some(vars) = input["Environment"]["Variables"].as_object() {
            self.vars = vars
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
        }
        Ok(())
    }

    fn configuration(&self) -> Value {
        json!({
            "FunctionName": self.name, "FunctionArn": self.arn, "Runtime": self.runtime, "Handler": self.handler,
            "Role": self.role, "Description": self.description, "Timeout": self.timeout_s, "MemorySize": self.memory_mb,
            "Environment": {"Variables": self.vars}, "CodeSha256": self.code_sha256, "CodeSize": self.code_size,
            "LastModified": jiff::Timestamp::from_millisecond((self.modified * 1000.0) as i64).map(|t| t.to_string()).unwrap_or_default(),
            "Version": "$LATEST", "State": "Active", "LastUpdateStatus": "Successful", "PackageType": "Zip",
        })
    }
}

fn invalid(message: String) -> AwsError {
    AwsError::new(400, "InvalidParameterValueException", message)
}
