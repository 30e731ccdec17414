//! `lock` and `unlock`: resources that one build at a time holds, across builds, pipelines and servers.
//!
//! The table of holders and waiters is one document of the store; each change is one swap of its text, so several servers
//! over one database agree. A lock is held from the end of its `lock` step to the `unlock` step of the same build.
//!
//! | race | what happens |
//! |---|---|
//! | the server dies while a step waits | its place in the queue is in the document; started again, it finds it |
//! | the server dies while a build holds | the document keeps it; the build goes on and unlocks |
//! | the build ends without `unlock` (stopped twice, deleted) | whoever waits sees that the build has ended, and forgets it |
//! | cancelled while it is served | it leaves: what it was given goes to the next |
//! | two servers change at once | one swap fails and reads again |

use std::time::Duration;

use async_trait::async_trait;
use haliotis_engine::Catalog;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildId, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use serde_json::json;

use super::lock_table::{Table, Waiter, Want};
use super::{Link, ended, world};
use crate::app::{App, casc};

/// Document of the table.
const KIND: &str = "locks";
const NAME: &str = "table";
/// How often a waiter looks: another server, or a build that ended without unlocking, tells nobody.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Swaps tried before giving up; each failure means that another one succeeded.
const MOST_SWAPS: usize = 1000;
/// Woken after each change in this process.
static CHANGED: tokio::sync::Notify = tokio::sync::Notify::const_new();

/// Takes a lock.
pub(super) struct Lock(pub(super) Link);

/// Gives it back.
pub(super) struct Unlock(pub(super) Link);

#[async_trait]
impl StepRunner for Lock {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Boolean, Duration, Integer, List};
        StepSchema {
            name: "lock",
            doc: "Waits for resources and holds them until `unlock`, or the build's end.",
            placement: Placement::Server,
            delivery: Delivery::Token,
            arguments: vec![
                ArgumentSchema::required(
                    "resources",
                    List,
                    "What is wanted, all of it: [{resource: NAME}] or [{label: LABEL, quantity: 1}], quantity 0: all.",
                ),
                ArgumentSchema::optional("skip-if-locked", Boolean, "Does not wait.").or(false),
                ArgumentSchema::optional("priority", Integer, "Higher is served first.").or(0),
                ArgumentSchema::optional("newest-first", Boolean, "Goes before those that wait longer.").or(false),
                ArgumentSchema::optional("timeout", Duration, "Longest wait; default: none."),
            ],
            outputs: vec![
                OutputSchema { name: "acquired", doc: "False when it did not wait." },
                OutputSchema { name: "names", doc: "The resources held." },
                OutputSchema { name: "holder", doc: "What `unlock` is told." },
            ],
            open_outputs: false,
            cloud: false,
            example: "resources: [{ resource: staging }]",
        }
    }

    async fn start(&self, ctx: &StepContext) -> Result<Started, StepError> {
        let app = self.0.app().await?;
        let config = casc::read(&app.options.config_dir).map_err(StepError::Usage)?;
        let wants = wants(ctx)?;
        for want in &wants {
            if let Want::Label(label, count) = want {
                let with = config.resources.iter().filter(|resource| resource.labels.contains(label)).count();
                if with == 0 || with < *count {
                    return Err(StepError::Usage(format!(
                        "The resource label {label} has {with} resource(s) and {} are wanted; declare them under \
                         unclassified.lockableResourcesManager in {}",
                        (*count).max(1),
                        casc::FILE
                    )));
                }
            }
        }
        let waiter = Waiter {
            key: ctx.key.to_string(),
            build: ctx.key.build.0,
            wants,
            priority: ctx.integer("priority").unwrap_or(0),
            inverse: ctx.flag("newest-first"),
        };
        change(&app, |table| table.enter(waiter.clone())).await?;
        Ok(Started { handle: Some(json!({})) })
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let app = self.0.app().await?;
        let (key, wants) = (ctx.key.to_string(), wants(ctx)?);
        let begun = tokio::time::Instant::now();
        let limit = ctx.duration_ms("timeout").map(Duration::from_millis);
        let mut told = Vec::new();
        loop {
            let changed = CHANGED.notified();
            let config = casc::read(&app.options.config_dir).map_err(StepError::Usage)?;
            let gone = gone(&app).await?;
            let table = change(&app, |table| {
                table.forget(&gone);
                table.serve(&config.resources);
            })
            .await?;
            if let Some(names) = table.names(&key) {
                let outputs = json!({ "acquired": true, "names": names, "holder": key });
                return Ok(StepOutput::success(object(outputs)));
            }
            if !table.waits(&key) {
                return Ok(StepOutput::aborted("stopped while it waited for a lock"));
            }
            if ctx.flag("skip-if-locked") {
                leave(&app, &key).await?;
                return Ok(StepOutput::success(object(json!({ "acquired": false, "names": [], "holder": key }))));
            }
            if limit.is_some_and(|limit| begun.elapsed() >= limit) {
                leave(&app, &key).await?;
                return Ok(StepOutput::failure("Timeout while waiting for the lock to be acquired"));
            }
            let holders = table.holders(&wants, &config.resources);
            if holders != told {
                for holder in &holders {
                    let build = app.store_catalog().build(BuildId(*holder)).await.map_err(world)?;
                    let name =
                        build.map_or_else(|| "?".to_owned(), |build| format!("{} #{}", build.pipeline, build.number));
                    ctx.log.line(&format!("held by {name}"));
                }
                told = holders;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn cancel(&self, ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        let app = self.0.app().await?;
        leave(&app, &ctx.key.to_string()).await
    }
}

#[async_trait]
impl StepRunner for Unlock {
    fn schema(&self) -> StepSchema {
        StepSchema {
            name: "unlock",
            doc: "Gives back what a `lock` step of the same build holds.",
            placement: Placement::Server,
            delivery: Delivery::Token,
            arguments: vec![ArgumentSchema::required("holder", ArgumentKind::String, "The output of that name.")],
            outputs: Vec::new(),
            open_outputs: false,
            cloud: false,
            example: "holder: ${{ steps.lock.outputs.holder }}",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let holder = ctx.required("holder")?;
        // A key begins with its build.
        if !holder.starts_with(&format!("{}/", ctx.key.build)) {
            return Err(StepError::Usage(format!("{holder} is not a lock of this build")));
        }
        let app = self.0.app().await?;
        leave(&app, &holder).await?;
        Ok(StepOutput::success(Object::new()))
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

fn wants(ctx: &StepContext) -> Result<Vec<Want>, StepError> {
    let mut wants = Vec::new();
    for entry in ctx.arg("resources").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let quantity = entry.get("quantity").and_then(Value::as_u64).unwrap_or(0);
        match (text("resource"), text("label")) {
            (Some(resource), _) => wants.push(Want::Resource(resource.to_owned())),
            (None, Some(label)) => wants.push(Want::Label(label.to_owned(), usize::try_from(quantity).unwrap_or(0))),
            (None, None) => {}
        }
    }
    if wants.is_empty() {
        return Err(StepError::Usage("lock: name at least one resource or label".to_owned()));
    }
    Ok(wants)
}

/// Builds in the table that have ended.
async fn gone(app: &App) -> Result<Vec<i64>, StepError> {
    let mut gone = Vec::new();
    for build in read(app.store_catalog()).await?.0.builds() {
        let summary = app.store_catalog().build(BuildId(build)).await.map_err(world)?;
        if summary.is_none_or(|summary| ended(summary.status)) {
            gone.push(build);
        }
    }
    Ok(gone)
}

async fn leave(app: &App, key: &str) -> Result<(), StepError> {
    let config = casc::read(&app.options.config_dir).unwrap_or_default();
    change(app, |table| {
        table.leave(key);
        table.serve(&config.resources);
    })
    .await
    .map(drop)
}

async fn read(catalog: &dyn Catalog) -> Result<(Table, Option<String>), StepError> {
    let text = catalog.document(KIND, NAME).await.map_err(world)?;
    let table = match &text {
        None => Table::default(),
        Some(text) => {
            serde_json::from_str(text).map_err(|error| world(format!("the table of locks is broken: {error}")))?
        }
    };
    Ok((table, text))
}

/// Changes the table; the answer is how it is now.
async fn change(app: &App, act: impl Fn(&mut Table)) -> Result<Table, StepError> {
    for _ in 0..MOST_SWAPS {
        let (before, text) = read(app.store_catalog()).await?;
        let mut table = before.clone();
        act(&mut table);
        if table == before {
            return Ok(table);
        }
        let body = serde_json::to_string(&table).map_err(world)?;
        if app.store_catalog().swap_document(KIND, NAME, text.as_deref(), &body).await.map_err(world)? {
            CHANGED.notify_waiters();
            return Ok(table);
        }
    }
    Err(StepError::World("the table of locks changes all the time; try again".to_owned()))
}

fn object(json: Value) -> Object {
    match json {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
