//! CloudFormation: stacks of this field's resources, made, changed and removed for real.
//!
//! | file | |
//! |---|---|
//! | `source`, `template`, `parameters`, `evaluate` | text to a checked template, its values under a scope |
//! | `kinds`, `resources` | the resource types, and the services behind them |
//! | `state` | a stack as it is kept: one JSON file, replaced as a whole |
//! | `plan` | what a definition would change |
//! | `run`, `ensure` | carry an operation to its end; the races are told there |
//! | `actions`, `change_sets`, `describe` | the API |

mod actions;
mod change_sets;
mod describe;
mod ensure;
mod evaluate;
mod kinds;
mod parameters;
mod plan;
mod resources;
mod run;
mod source;
mod state;
mod template;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use self::resources::{Resources, Services};
use self::run::Worker;
use self::state::Stack;
use crate::durable::{self, write_atomic};
use crate::params::Params;
use crate::{AwsError, Config, OpenError, s3, sagemaker};

/// How often a resource on its way is looked at.
const POLL: Duration = Duration::from_millis(300);
/// Deleted stacks that can still be asked for by id; the oldest go first. CloudFormation keeps ninety days.
const MAX_DELETED: usize = 100;

/// The stacks.
pub struct CloudFormation {
    dir: PathBuf,
    region: String,
    account: String,
    s3: Arc<s3::Store>,
    resources: Arc<dyn Resources>,
    poll: Duration,
    stacks: Mutex<BTreeMap<String, Stack>>,
    /// Workers stop at their next step.
    closed: AtomicBool,
    /// One worker at a time for each stack.
    turnstiles: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// For `Arc<Self>` from `&self`: workers outlive the request that starts them.
    me: std::sync::Weak<Self>,
}

impl CloudFormation {
    /// Opens the stacks of the data folder and goes on with the operations that a stop interrupted.
    pub(crate) fn open(
        config: &Config,
        sagemaker: Arc<sagemaker::SageMaker>,
        s3: Arc<s3::Store>,
    ) -> Result<Arc<Self>, OpenError> {
        let services = Arc::new(Services { sagemaker, s3: Arc::clone(&s3) });
        Self::open_with(&config.dir, &config.region, &config.account, s3, services, POLL)
    }

    fn open_with(
        dir: &Path,
        region: &str,
        account: &str,
        s3: Arc<s3::Store>,
        resources: Arc<dyn Resources>,
        poll: Duration,
    ) -> Result<Arc<Self>, OpenError> {
        let dir = dir.join("cloudformation");
        std::fs::create_dir_all(&dir).map_err(OpenError::io(&dir))?;
        durable::sweep(&dir).map_err(OpenError::io(&dir))?;
        let stacks = read_stacks(&dir)?;
        let running: Vec<(String, u64)> = stacks
            .values()
            .filter(|stack| stack.status.is_running())
            .map(|stack| (stack.uuid.clone(), stack.operation))
            .collect();
        let opened = Arc::new_cyclic(|me| Self {
            dir,
            region: region.to_owned(),
            account: account.to_owned(),
            s3,
            resources,
            poll,
            stacks: Mutex::new(stacks),
            closed: AtomicBool::new(false),
            turnstiles: Mutex::new(BTreeMap::new()),
            me: me.clone(),
        });
        running.into_iter().for_each(|(uuid, operation)| opened.work(uuid, operation));
        Ok(opened)
    }

    /// Answers one action with the content of its result element.
    ///
    /// # Errors
    /// CloudFormation's own.
    pub(crate) async fn call(&self, action: &str, params: &Params) -> Result<String, AwsError> {
        match action {
            "CancelUpdateStack" => self.cancel_update(params),
            "ContinueUpdateRollback" => self.continue_rollback(params),
            "CreateChangeSet" => self.create_change_set(params),
            "CreateStack" => self.create_stack(params),
            "DeleteChangeSet" => self.delete_change_set(params),
            "DeleteStack" => self.delete_stack(params),
            "DescribeChangeSet" => self.describe_change_set(params),
            "DescribeStackEvents" => self.describe_events(params),
            "DescribeStackResource" => self.describe_resource(params),
            "DescribeStackResources" => self.describe_resources(params),
            "DescribeStacks" => self.describe_stacks(params),
            "ExecuteChangeSet" => self.execute_change_set(params),
            "GetTemplate" => self.get_template(params),
            "GetTemplateSummary" => self.template_summary(params),
            "ListChangeSets" => self.list_change_sets(params),
            "ListStackResources" => self.list_resources(params),
            "ListStacks" => self.list_stacks(params),
            "UpdateStack" => self.update_stack(params),
            "UpdateTerminationProtection" => self.protect(params),
            "ValidateTemplate" => self.validate_template(params),
            _ => Err(AwsError::new(
                400,
                "InvalidAction",
                format!("Could not find operation {action} for version 2010-05-15: the local cloud does not offer it"),
            )),
        }
    }

    /// Stops every worker at its next step; the next open over the folder goes on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    // ---- the kept stacks

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stack>> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stack(&self, uuid: &str) -> Option<Stack> {
        self.lock().get(uuid).cloned()
    }

    /// By name (of a stack that exists) or by id (of any).
    fn find(&self, name: &str) -> Option<Stack> {
        let stacks = self.lock();
        let by_id = stacks.values().find(|stack| stack.id == name);
        by_id.or_else(|| stacks.values().find(|stack| stack.name == name && stack.status.exists())).cloned()
    }

    fn required(&self, params: &Params) -> Result<Stack, AwsError> {
        let name = params.text("StackName").ok_or_else(|| missing("stackName"))?;
        self.find(name).ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
    }

    /// Writes a stack and keeps it. Nothing is kept that is not on disk.
    fn keep(&self, stacks: &mut BTreeMap<String, Stack>, stack: Stack) -> Result<(), AwsError> {
        let path = self.dir.join(format!("{}.json", stack.uuid));
        let text = serde_json::to_vec(&stack).map_err(|error| AwsError::internal(error.to_string()))?;
        write_atomic(&path, &text).map_err(|error| AwsError::io("cannot write", &path, &error))?;
        stacks.insert(stack.uuid.clone(), stack);
        Ok(())
    }

    /// Changes a stack if the operation is still its own; `false`: it is not.
    fn change(&self, uuid: &str, operation: u64, change: impl Fn(&mut Stack)) -> Result<bool, AwsError> {
        let mut stacks = self.lock();
        let own = |stack: &&Stack| stack.operation == operation && !self.is_closed();
        let Some(mut stack) = stacks.get(uuid).filter(own).cloned() else {
            return Ok(false);
        };
        change(&mut stack);
        self.keep(&mut stacks, stack)?;
        Ok(true)
    }

    /// Forgets the oldest of too many deleted stacks.
    fn prune(&self, stacks: &mut BTreeMap<String, Stack>) {
        let mut deleted: Vec<(i64, String)> =
            stacks.values().filter_map(|stack| Some((stack.deleted_ms?, stack.uuid.clone()))).collect();
        deleted.sort();
        let excess = deleted.len().saturating_sub(MAX_DELETED);
        for (_, uuid) in deleted.into_iter().take(excess) {
            stacks.remove(&uuid);
            // A file left behind is read again at open and pruned again.
            let _ = std::fs::remove_file(self.dir.join(format!("{uuid}.json")));
        }
    }

    // ---- work

    /// Starts the worker of a stack's operation.
    fn work(&self, uuid: String, operation: u64) {
        if let Some(cloud) = self.me.upgrade() {
            tokio::spawn(Worker { cloud, uuid, operation }.run());
        }
    }

    fn turnstile(&self, uuid: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turnstiles = self.turnstiles.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turnstiles.entry(uuid.to_owned()).or_default())
    }

    /// `AWS::Region` and its like.
    fn pseudo(&self, name: &str, id: &str) -> BTreeMap<&'static str, Value> {
        BTreeMap::from([
            ("AWS::AccountId", json!(self.account)),
            ("AWS::NotificationARNs", json!([])),
            ("AWS::Partition", json!("aws")),
            ("AWS::Region", json!(self.region)),
            ("AWS::StackId", json!(id)),
            ("AWS::StackName", json!(name)),
            ("AWS::URLSuffix", json!("amazonaws.com")),
        ])
    }
}

fn read_stacks(dir: &Path) -> Result<BTreeMap<String, Stack>, OpenError> {
    let mut stacks = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(OpenError::io(dir))? {
        let path = entry.map_err(OpenError::io(dir))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read(&path).map_err(OpenError::io(&path))?;
        let stack: Stack = serde_json::from_slice(&text)
            .map_err(|error| OpenError::Damaged { path: path.clone(), reason: error.to_string() })?;
        stacks.insert(stack.uuid.clone(), stack);
    }
    Ok(stacks)
}

/// `ValidationError`, which is CloudFormation's word for nearly everything.
fn invalid(message: String) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}

fn missing(name: &str) -> AwsError {
    invalid(format!(
        "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
    ))
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
