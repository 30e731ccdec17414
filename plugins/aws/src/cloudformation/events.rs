//! A stack's events in the step's log, and the first failure among them.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::StackEvent;
use haliotis_plugin_api::{StepContext, StepError};

use crate::Clients;
use crate::error::{Told, is_absent};

/// Most events that one look reads back; a stack has 500 resources at most, each with a handful of events.
const MAX_EVENTS: usize = 5000;
/// The type of the event that is about the stack itself.
const STACK: &str = "AWS::CloudFormation::Stack";

/// Events after a mark, in the order they happened.
pub(super) struct Events {
    /// The last event before our change; `None`: the stack was not there.
    mark: Option<String>,
    /// Events logged.
    seen: BTreeSet<String>,
    /// The first resource that failed, and why.
    pub(super) failure: Option<String>,
    /// Last status of the stack itself.
    pub(super) stack_status: Option<String>,
}

impl Events {
    pub(super) fn after(mark: Option<String>) -> Self {
        Self { mark, seen: BTreeSet::new(), failure: None, stack_status: None }
    }

    /// Reads what is new, and logs it unless it is in the log already (a second attach).
    pub(super) async fn pull(&mut self, ctx: &StepContext, clients: &Clients, stack: &str) -> Result<(), StepError> {
        let mut fresh = self.newest(clients, stack).await?;
        fresh.reverse();
        let logged =
            if fresh.is_empty() { String::new() } else { std::fs::read_to_string(ctx.log.path()).unwrap_or_default() };
        for event in fresh {
            let line = line(&event);
            if !logged.contains(&line) {
                ctx.log.line(&line);
            }
            self.note(&event);
        }
        Ok(())
    }

    /// Events after the mark that were not seen, newest first as AWS gives them.
    async fn newest(&mut self, clients: &Clients, stack: &str) -> Result<Vec<StackEvent>, StepError> {
        let mut pages = clients.cloudformation.describe_stack_events().stack_name(stack).into_paginator().send();
        let mut fresh = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Err(error) if is_absent(&error) => return Ok(fresh),
                other => other.told(&clients.cloud, &format!("reading the events of the stack {stack}"))?,
            };
            for event in page.stack_events.unwrap_or_default() {
                let id = event.event_id.clone().unwrap_or_default();
                if self.mark.as_ref() == Some(&id) || self.seen.contains(&id) || fresh.len() >= MAX_EVENTS {
                    self.seen.extend(fresh.iter().filter_map(|event: &StackEvent| event.event_id.clone()));
                    return Ok(fresh);
                }
                fresh.push(event);
            }
        }
        self.seen.extend(fresh.iter().filter_map(|event: &StackEvent| event.event_id.clone()));
        Ok(fresh)
    }

    fn note(&mut self, event: &StackEvent) {
        let status = event.resource_status.as_ref().map_or("", |status| status.as_str());
        let (kind, name) =
            (event.resource_type.as_deref().unwrap_or(""), event.logical_resource_id.as_deref().unwrap_or(""));
        let reason = event.resource_status_reason.as_deref().unwrap_or("no reason given");
        if kind == STACK {
            self.stack_status = Some(status.to_owned());
        } else if status.ends_with("_FAILED") && self.failure.is_none() && !reason.contains("cancelled") {
            self.failure = Some(format!("{name} ({kind}): {reason}"));
        }
    }
}

/// The newest event of a stack, the mark for what comes after.
pub(super) async fn newest_id(clients: &Clients, stack: &str) -> Result<Option<String>, StepError> {
    let described = match clients.cloudformation.describe_stack_events().stack_name(stack).send().await {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.told(&clients.cloud, &format!("reading the events of the stack {stack}"))?,
    };
    Ok(described.stack_events.unwrap_or_default().into_iter().next().and_then(|event| event.event_id))
}

/// `12:03:01Z CREATE_COMPLETE AWS::SageMaker::Model Model`.
fn line(event: &StackEvent) -> String {
    let day_s = event.timestamp.as_ref().map_or(0, |time| time.secs().rem_euclid(86_400));
    let status = event.resource_status.as_ref().map_or("", |status| status.as_str());
    let kind = event.resource_type.as_deref().unwrap_or("");
    let name = event.logical_resource_id.as_deref().unwrap_or("");
    let reason = event.resource_status_reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
    let (hour, minute, second) = (day_s / 3600, day_s / 60 % 60, day_s % 60);
    format!("{hour:02}:{minute:02}:{second:02}Z {status} {kind} {name}{reason}")
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::primitives::DateTime;
    use aws_sdk_cloudformation::types::ResourceStatus;

    use super::*;

    fn event(kind: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent::builder()
            .event_id(status)
            .resource_type(kind)
            .logical_resource_id("X")
            .resource_status(ResourceStatus::from(status))
            .resource_status_reason(reason)
            .timestamp(DateTime::from_secs(3_723))
            .build()
    }

    #[test]
    fn the_first_real_failure_counts() {
        let mut events = Events::after(None);
        for (kind, status, reason) in [
            ("AWS::SageMaker::Model", "CREATE_FAILED", "Resource creation cancelled"),
            ("AWS::SageMaker::Endpoint", "CREATE_FAILED", "the container does not answer"),
            ("AWS::SageMaker::Model", "DELETE_FAILED", "later"),
            (STACK, "ROLLBACK_COMPLETE", ""),
        ] {
            events.note(&event(kind, status, reason));
        }
        assert_eq!(events.failure.as_deref(), Some("X (AWS::SageMaker::Endpoint): the container does not answer"));
        assert_eq!(events.stack_status.as_deref(), Some("ROLLBACK_COMPLETE"));
    }

    #[test]
    fn lines() {
        assert_eq!(line(&event("T", "CREATE_COMPLETE", "why")), "01:02:03Z CREATE_COMPLETE T X: why");
    }
}
