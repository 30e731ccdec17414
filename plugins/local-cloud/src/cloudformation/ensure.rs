//! One resource of a stack: made, changed in place, replaced, taken back, removed. Every step begins from the record on
//! disk, so each may be repeated. The races are told in `run.rs`.

use std::time::{Duration, Instant};

use super::kinds::{Kind, Wanted};
use super::now_ms;
use super::resources::{Facts, Look, Tags};
use super::run::{Halt, Worker};
use super::state::{Resource, ResourceStatus};
use super::template::ResourceSpec;
use crate::AwsError;

/// How long a resource may take: an endpoint has four minutes to answer its first ping, and several instances.
const MAX_WAIT: Duration = Duration::from_secs(60 * 60);

impl Worker {
    /// Brings a resource to what is wanted. `wanted`: what the template comes to, or why it comes to nothing.
    pub(super) async fn ensure(
        &self,
        spec: &ResourceSpec,
        wanted: Result<Wanted, String>,
        stack_tags: &Tags,
    ) -> Result<(), Halt> {
        let mut wanted = match wanted {
            Ok(wanted) => wanted,
            Err(reason) => return self.refuse(spec, reason).await,
        };
        // A resource's own tags outrank the stack's.
        let own = std::mem::replace(&mut wanted.tags, stack_tags.clone());
        wanted.tags.extend(own);
        let Some(present) = self.read()?.resource(&spec.logical).cloned() else {
            return self.make(spec, &wanted).await;
        };
        if present.name.is_empty() || present.kind != spec.kind.name {
            self.supersede(&spec.logical).await?;
            return self.make(spec, &wanted).await;
        }
        let same_name = wanted.explicit_name.as_ref().is_none_or(|name| *name == present.name)
            && (wanted.explicit_name.is_some() || present.explicit_name.is_none());
        let same = same_name && present.properties == wanted.properties;
        match present.status {
            ResourceStatus::CreateInProgress if same => self.finish_creation(spec, &present).await,
            status if status.is_well() && same => self.keep(spec, &present, &wanted).await,
            ResourceStatus::CreateInProgress | ResourceStatus::CreateFailed => {
                self.replace(spec, &present, &wanted).await
            }
            _ if same_name && spec.kind.updates_in_place => self.update(spec, &present, &wanted).await,
            _ if same => self.keep(spec, &present, &wanted).await,
            _ => self.replace(spec, &present, &wanted).await,
        }
    }

    /// As wanted, but perhaps for its tags.
    async fn keep(&self, spec: &ResourceSpec, present: &Resource, wanted: &Wanted) -> Result<(), Halt> {
        if present.tags == wanted.tags && present.status.is_well() && present.retain == spec.retain {
            return Ok(());
        }
        let physical = present.physical.clone().unwrap_or_default();
        let result = if present.tags == wanted.tags {
            Ok(())
        } else {
            self.cloud.resources.retag(spec.kind, &physical, &present.tags, &wanted.tags).await
        };
        if let Err(error) = result {
            return self.fail(spec, ResourceStatus::UpdateFailed, &error).await;
        }
        self.note(&spec.logical, ResourceStatus::UpdateComplete, |resource| {
            resource.tags.clone_from(&wanted.tags);
            resource.retain = spec.retain;
        })
        .await
    }

    /// A new resource in the place of the present one, which waits for the clean-up.
    async fn replace(&self, spec: &ResourceSpec, present: &Resource, wanted: &Wanted) -> Result<(), Halt> {
        if wanted.explicit_name.is_some() && wanted.explicit_name == present.explicit_name && present.status.is_well() {
            return Err(self
                .failed(
                    spec,
                    ResourceStatus::UpdateFailed,
                    format!(
                        "CloudFormation cannot update a stack when a custom-named resource requires replacing. \
                     Rename {} and update the stack again.",
                        present.name
                    ),
                )
                .await?);
        }
        let broken = !present.status.is_well() && !present.name.is_empty();
        if broken && wanted.explicit_name.as_deref() == Some(present.name.as_str()) {
            // The name is needed again, so what is broken under it must go first.
            if let Some(reason) = self.take_away(spec.kind, &present.name).await? {
                return Err(self.failed(spec, ResourceStatus::UpdateFailed, reason).await?);
            }
            self.change(|stack| stack.resource_mut(&spec.logical).into_iter().for_each(|r| r.name.clear())).await?;
        }
        self.supersede(&spec.logical).await?;
        self.make(spec, wanted).await
    }

    /// Takes back what an earlier replacement put aside, or makes a new one.
    async fn make(&self, spec: &ResourceSpec, wanted: &Wanted) -> Result<(), Halt> {
        let stack = self.read()?;
        let aside = stack.superseded.iter().position(|old| {
            old.logical == spec.logical
                && old.kind == spec.kind.name
                && old.status.is_well()
                && old.properties == wanted.properties
                && old.explicit_name == wanted.explicit_name
        });
        if let Some(index) = aside {
            self.change(|stack| {
                let old = stack.superseded.remove(index);
                stack.note(&old, now_ms());
                stack.resources.push(old);
            })
            .await?;
            let present = self.read()?.resource(&spec.logical).cloned().ok_or(Halt::Stopped)?;
            return self.keep(spec, &present, wanted).await;
        }
        let name = match &wanted.explicit_name {
            None => spec.kind.make_name(&stack.name, &spec.logical),
            Some(name) => match self.cloud.resources.look(spec.kind, name).await {
                Ok(Look::Absent) => name.clone(),
                Ok(_) => {
                    let kind = spec.kind.name;
                    let reason = format!("Resource of type '{kind}' with identifier '{name}' already exists.");
                    return self.refuse(spec, reason).await;
                }
                Err(error) => return self.refuse(spec, said(spec.kind, &error)).await,
            },
        };
        let resource = Resource {
            logical: spec.logical.clone(),
            kind: spec.kind.name.to_owned(),
            name,
            explicit_name: wanted.explicit_name.clone(),
            physical: None,
            attributes: std::collections::BTreeMap::new(),
            properties: wanted.properties.clone(),
            tags: wanted.tags.clone(),
            status: ResourceStatus::CreateInProgress,
            reason: None,
            updated_ms: now_ms(),
            retain: spec.retain,
        };
        self.change(|stack| {
            stack.note(&resource, now_ms());
            stack.resources.push(resource.clone());
        })
        .await?;
        self.finish_creation(spec, &resource).await
    }

    /// From the record on: creates it unless it is there, and waits for it.
    async fn finish_creation(&self, spec: &ResourceSpec, resource: &Resource) -> Result<(), Halt> {
        let (kind, name) = (spec.kind, resource.name.as_str());
        let mut look = self.cloud.resources.look(kind, name).await;
        if look == Ok(Look::Absent) {
            if let Err(error) = self.cloud.resources.create(kind, name, &resource.properties, &resource.tags).await {
                // A plain refusal means that nothing was made under this name by us.
                if error.status < 500 {
                    self.change(|stack| stack.resource_mut(&spec.logical).into_iter().for_each(|r| r.name.clear()))
                        .await?;
                }
                return self.fail(spec, ResourceStatus::CreateFailed, &error).await;
            }
            look = Ok(Look::Pending);
        }
        match self.settle(kind, name, look).await? {
            Ok(facts) => self.complete(&spec.logical, ResourceStatus::CreateComplete, facts, resource).await,
            Err(reason) => Err(self.failed(spec, ResourceStatus::CreateFailed, reason).await?),
        }
    }

    /// Changes it in place and waits until the change is in force.
    async fn update(&self, spec: &ResourceSpec, present: &Resource, wanted: &Wanted) -> Result<(), Halt> {
        self.note(&spec.logical, ResourceStatus::UpdateInProgress, |_| {}).await?;
        let (kind, name) = (spec.kind, present.name.as_str());
        let look = self.cloud.resources.look(kind, name).await;
        let before = self.settle(kind, name, look).await?;
        let in_force = |facts: &Facts| holds(facts, wanted);
        let mut settled = before;
        if !settled.as_ref().is_ok_and(in_force) {
            if let Err(error) = self.cloud.resources.update(kind, name, &wanted.properties).await {
                return self.fail(spec, ResourceStatus::UpdateFailed, &error).await;
            }
            settled = self.settle(kind, name, Ok(Look::Pending)).await?;
        }
        match settled {
            Ok(facts) if in_force(&facts) => {
                if present.tags != wanted.tags {
                    let result = self.cloud.resources.retag(kind, &facts.physical, &present.tags, &wanted.tags).await;
                    if let Err(error) = result {
                        return self.fail(spec, ResourceStatus::UpdateFailed, &error).await;
                    }
                }
                let changed = Resource {
                    properties: wanted.properties.clone(),
                    tags: wanted.tags.clone(),
                    retain: spec.retain,
                    ..present.clone()
                };
                self.complete(&spec.logical, ResourceStatus::UpdateComplete, facts, &changed).await
            }
            Ok(facts) => {
                let reason = facts.trouble.unwrap_or_else(|| format!("the update of {name} did not come into force"));
                Err(self
                    .failed(spec, ResourceStatus::UpdateFailed, handler_said(kind, &reason, "NotStabilized"))
                    .await?)
            }
            Err(reason) => Err(self.failed(spec, ResourceStatus::UpdateFailed, reason).await?),
        }
    }

    /// Waits until it is ready (`Ok`) or broken (`Err` with the reason).
    async fn settle(
        &self,
        kind: &Kind,
        name: &str,
        first: Result<Look, AwsError>,
    ) -> Result<Result<Facts, String>, Halt> {
        let begun = Instant::now();
        let mut look = first;
        loop {
            match look {
                Ok(Look::Ready(facts)) => return Ok(Ok(facts)),
                Ok(Look::Failed(reason)) => return Ok(Err(handler_said(kind, &reason, "NotStabilized"))),
                Ok(Look::Absent) => return Ok(Err(handler_said(kind, &format!("{name} is gone"), "NotFound"))),
                Ok(Look::Pending) => {}
                Err(error) if error.status >= 500 => {
                    tracing::warn!(%error, name, "cannot look at a resource; trying again")
                }
                Err(error) => return Ok(Err(said(kind, &error))),
            }
            if begun.elapsed() > MAX_WAIT {
                return Ok(Err(handler_said(kind, &format!("{name} was not ready after an hour"), "NotStabilized")));
            }
            tokio::time::sleep(self.cloud.poll).await;
            // Another operation may have taken over meanwhile.
            self.read()?;
            look = self.cloud.resources.look(kind, name).await;
        }
    }

    // ---- removal

    /// Removes what was put aside, or everything, last made first.
    pub(super) async fn remove_all(&self, superseded_only: bool) -> Result<(), Halt> {
        if !superseded_only {
            // One list, so that one loop removes it and a restart finds what is left.
            self.change(|stack| {
                let live = std::mem::take(&mut stack.resources);
                stack.superseded.extend(live);
            })
            .await?;
        }
        let mut stuck = Vec::new();
        let count = self.read()?.superseded.len();
        for index in (0..count).rev() {
            let Some(resource) = self.read()?.superseded.get(index).cloned() else { continue };
            if !self.remove(index, resource.clone()).await? {
                stuck.push(resource.logical);
            }
        }
        let done = stuck.is_empty();
        // What is gone stays listed after a delete or a rollback, and is dropped after an update.
        self.change(|stack| {
            let removed = std::mem::take(&mut stack.superseded);
            let stays = |resource: &Resource| {
                !matches!(resource.status, ResourceStatus::DeleteComplete | ResourceStatus::DeleteSkipped)
            };
            if superseded_only {
                stack.superseded = removed.into_iter().filter(stays).collect();
            } else {
                stack.resources = removed;
            }
        })
        .await?;
        if done {
            return Ok(());
        }
        Err(Halt::Failed(format!("The following resource(s) failed to delete: [{}]. ", stuck.join(", "))))
    }

    async fn remove(&self, index: usize, resource: Resource) -> Result<bool, Halt> {
        if matches!(resource.status, ResourceStatus::DeleteComplete | ResourceStatus::DeleteSkipped) {
            return Ok(true);
        }
        let Some(kind) = resource.kind().filter(|_| !resource.name.is_empty()) else {
            self.mark_removed(index, ResourceStatus::DeleteComplete, None, false).await?;
            return Ok(true);
        };
        if resource.retain {
            self.mark_removed(index, ResourceStatus::DeleteSkipped, None, true).await?;
            return Ok(true);
        }
        self.mark_removed(index, ResourceStatus::DeleteInProgress, None, true).await?;
        match self.take_away(kind, &resource.name).await? {
            None => self.mark_removed(index, ResourceStatus::DeleteComplete, None, true).await.map(|()| true),
            Some(reason) => {
                self.mark_removed(index, ResourceStatus::DeleteFailed, Some(reason), true).await.map(|()| false)
            }
        }
    }

    /// Asks for its removal and waits until it is gone; `Some`: why it is not.
    async fn take_away(&self, kind: &Kind, name: &str) -> Result<Option<String>, Halt> {
        let begun = Instant::now();
        let mut asked = false;
        loop {
            match self.cloud.resources.look(kind, name).await {
                Ok(Look::Absent) => return Ok(None),
                Ok(_) if !asked => {
                    if let Err(error) = self.cloud.resources.delete(kind, name).await {
                        return Ok(Some(said(kind, &error)));
                    }
                    asked = true;
                    continue;
                }
                Ok(_) => {}
                Err(error) if error.status >= 500 => {
                    tracing::warn!(%error, name, "cannot look at a resource; trying again")
                }
                Err(error) => return Ok(Some(said(kind, &error))),
            }
            if begun.elapsed() > MAX_WAIT {
                return Ok(Some(handler_said(kind, &format!("{name} was not gone after an hour"), "NotStabilized")));
            }
            tokio::time::sleep(self.cloud.poll).await;
            self.read()?;
        }
    }

    async fn mark_removed(
        &self,
        index: usize,
        status: ResourceStatus,
        reason: Option<String>,
        tell: bool,
    ) -> Result<(), Halt> {
        self.change(|stack| {
            let Some(resource) = stack.superseded.get_mut(index) else { return };
            resource.status = status;
            resource.reason.clone_from(&reason);
            resource.updated_ms = now_ms();
            let copy = resource.clone();
            if tell {
                stack.note(&copy, now_ms());
            }
        })
        .await
    }

    // ---- records

    async fn supersede(&self, logical: &str) -> Result<(), Halt> {
        self.change(|stack| {
            if let Some(index) = stack.resources.iter().position(|resource| resource.logical == logical) {
                let old = stack.resources.remove(index);
                stack.superseded.push(old);
            }
        })
        .await
    }

    async fn complete(&self, logical: &str, status: ResourceStatus, facts: Facts, from: &Resource) -> Result<(), Halt> {
        self.note(logical, status, |resource| {
            resource.physical = Some(facts.physical.clone());
            resource.attributes.clone_from(&facts.attributes);
            resource.properties.clone_from(&from.properties);
            resource.tags.clone_from(&from.tags);
            resource.retain = from.retain;
        })
        .await
    }

    async fn note(&self, logical: &str, status: ResourceStatus, more: impl Fn(&mut Resource)) -> Result<(), Halt> {
        self.change(|stack| {
            let Some(resource) = stack.resource_mut(logical) else { return };
            more(resource);
            resource.status = status;
            resource.reason = None;
            resource.updated_ms = now_ms();
            let copy = resource.clone();
            stack.note(&copy, now_ms());
        })
        .await
    }

    /// A resource that could not even be begun: noted, with nothing of ours under its name.
    async fn refuse(&self, spec: &ResourceSpec, reason: String) -> Result<(), Halt> {
        let there = self.read()?.resource(&spec.logical).is_some();
        if there {
            return Err(self.failed(spec, ResourceStatus::UpdateFailed, reason).await?);
        }
        let resource = Resource {
            logical: spec.logical.clone(),
            kind: spec.kind.name.to_owned(),
            name: String::new(),
            explicit_name: None,
            physical: None,
            attributes: std::collections::BTreeMap::new(),
            properties: serde_json::Value::Null,
            tags: Tags::new(),
            status: ResourceStatus::CreateFailed,
            reason: None,
            updated_ms: now_ms(),
            retain: false,
        };
        self.change(|stack| stack.resources.push(resource.clone())).await?;
        Err(self.failed(spec, ResourceStatus::CreateFailed, reason).await?)
    }

    async fn fail(&self, spec: &ResourceSpec, status: ResourceStatus, error: &AwsError) -> Result<(), Halt> {
        Err(self.failed(spec, status, said(spec.kind, error)).await?)
    }

    /// Notes the failure; answers what the stack says of it.
    async fn failed(&self, spec: &ResourceSpec, status: ResourceStatus, reason: String) -> Result<Halt, Halt> {
        self.change(|stack| {
            let Some(resource) = stack.resource_mut(&spec.logical) else { return };
            resource.status = status;
            resource.reason = Some(reason.clone());
            resource.updated_ms = now_ms();
            let copy = resource.clone();
            stack.note(&copy, now_ms());
        })
        .await?;
        let how = if status == ResourceStatus::CreateFailed { "create" } else { "update" };
        Ok(Halt::Failed(format!("The following resource(s) failed to {how}: [{}]. ", spec.logical)))
    }
}

/// Everything the service says it holds is as wanted.
fn holds(facts: &Facts, wanted: &Wanted) -> bool {
    let held = facts.holds.as_object();
    held.is_some_and(|held| held.iter().all(|(key, value)| wanted.properties.get(key) == Some(value)))
}

fn said(kind: &Kind, error: &AwsError) -> String {
    let code = match error.code.as_ref() {
        "ValidationException" | "ValidationError" => "InvalidRequest",
        "ResourceLimitExceeded" => "ServiceLimitExceeded",
        _ if error.status >= 500 => "ServiceInternalError",
        _ => "GeneralServiceException",
    };
    handler_said(kind, &error.message, code)
}

fn handler_said(kind: &Kind, message: &str, code: &str) -> String {
    format!("Resource handler for {} returned message: \"{message}\" (HandlerErrorCode: {code})", kind.name)
}
