//! The operations of endpoints, and the one task per endpoint that brings it where its record says.
//!
//! The operations only change the record; [`SageMaker::settle`] does what the record asks for and changes it again. A
//! restarted server settles every endpoint, so a crash at any point is a settling begun later:
//! - Creating or Updating with a `next`: it is brought up (or found), then becomes `current`, or is given up.
//! - fleets in `retired`: drained, stopped, forgotten.
//! - Deleting: everything is stopped, then the record goes.
//!
//! Races: one settler runs per endpoint (`settling`); an operation that comes while it runs nudges it to look again. A
//! DeleteEndpoint while a fleet comes up is seen at once, because the settler waits for the nudge as well.
//! No request is lost in an update: the new fleet answers before the old one is taken out of the map, and requests
//! that had found the old one are waited for.

use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};

use crate::error::AwsError;
use crate::sagemaker::endpoint::{Endpoint, EndpointStatus, FleetPlan, VariantPlan};
use crate::sagemaker::fleet::Fleet;
use crate::sagemaker::listing::{self, NEWEST_FIRST};
use crate::sagemaker::models::items;
use crate::sagemaker::{SageMaker, clock, tags};

impl SageMaker {
    /// `CreateEndpoint`
    pub(crate) fn create_endpoint(self: &Arc<Self>, input: &Value) -> Result<Value, AwsError> {
        tags::check(input)?;
        check_deployment(&input["DeploymentConfig"])?;
        let name = input["EndpointName"].as_str().unwrap_or_default();
        let arn = self.arn("endpoint", name);
        let plan = self.plan(input["EndpointConfigName"].as_str().unwrap_or_default())?;
        self.set_tags_of_new(&arn, input)?;
        let now = clock::now();
        let endpoint = Endpoint {
            name: name.to_owned(),
            arn: arn.clone(),
            status: EndpointStatus::Creating,
            current: None,
            next: Some(plan),
            retired: Vec::new(),
            failure: None,
            deployment: input["DeploymentConfig"].clone(),
            created: now,
            modified: now,
        };
        if !self.endpoints.insert(name, endpoint)? {
            return Err(AwsError::validation(format!("Cannot create already existing endpoint \"{arn}\".")));
        }
        self.begin_settling(name);
        Ok(json!({ "EndpointArn": arn }))
    }

    /// `UpdateEndpoint`
    pub(crate) fn update_endpoint(self: &Arc<Self>, input: &Value) -> Result<Value, AwsError> {
        check_deployment(&input["DeploymentConfig"])?;
        let found = self.endpoint(input)?;
        let mut plan = self.plan(input["EndpointConfigName"].as_str().unwrap_or_default())?;
        if input["RetainAllVariantProperties"] == true {
            retain(&mut plan, found.current.as_ref(), &input["ExcludeRetainedVariantProperties"]);
        }
        self.endpoints.update(&found.name, |endpoint| {
            let arn = &endpoint.arn;
            match endpoint.status {
                EndpointStatus::InService | EndpointStatus::Failed => {}
                EndpointStatus::Creating | EndpointStatus::Updating | EndpointStatus::Deleting => {
                    return Err(AwsError::validation(format!("Cannot update in-progress endpoint \"{arn}\".")));
                }
            }
            if !input["DeploymentConfig"].is_null() {
                endpoint.deployment = input["DeploymentConfig"].clone();
            }
            endpoint.next = Some(plan);
            endpoint.failure = None;
            endpoint.turn(EndpointStatus::Updating);
            Ok(())
        })?;
        self.begin_settling(&found.name);
        Ok(json!({ "EndpointArn": found.arn }))
    }

    /// `UpdateEndpointWeightsAndCapacities`: weights count from the next request on; one process serves any count.
    pub(crate) fn update_weights(self: &Arc<Self>, input: &Value) -> Result<Value, AwsError> {
        let found = self.endpoint(input)?;
        let changed = self.endpoints.update(&found.name, |endpoint| {
            if endpoint.status != EndpointStatus::InService {
                return Err(AwsError::validation(format!("Cannot update in-progress endpoint \"{}\".", endpoint.arn)));
            }
            let variants = endpoint.current.as_mut().map(|plan| plan.variants.as_mut_slice()).unwrap_or_default();
            for wanted in items(&input["DesiredWeightsAndCapacities"]) {
                let name = wanted["VariantName"].as_str().unwrap_or_default();
                let Some(variant) = variants.iter_mut().find(|variant| variant.name == name) else {
                    return Err(AwsError::validation(format!("The endpoint has no production variant {name}.")));
                };
                variant.weight = wanted["DesiredWeight"].as_f64().unwrap_or(variant.weight);
                variant.instances = wanted["DesiredInstanceCount"].as_u64().unwrap_or(variant.instances);
            }
            endpoint.modified = clock::now();
            Ok(())
        })?;
        if let (Some(endpoint), Some(fleet)) = (changed, self.fleet_of(&found.name)) {
            let weights = endpoint.current.iter().flat_map(|plan| &plan.variants).map(|variant| variant.weight);
            fleet.set_weights(weights.collect());
        }
        Ok(json!({ "EndpointArn": found.arn }))
    }

    /// `DescribeEndpoint`
    pub(crate) fn describe_endpoint(&self, input: &Value) -> Result<Value, AwsError> {
        Ok(self.endpoint(input)?.describe())
    }

    /// `ListEndpoints`
    pub(crate) fn list_endpoints(&self, input: &Value) -> Result<Value, AwsError> {
        let items = self.endpoints.all().iter().map(Endpoint::item).collect();
        listing::page(input, items, NEWEST_FIRST, "Endpoints")
    }

    /// `DeleteEndpoint`: it answers no more at once; the processes are stopped in the background.
    pub(crate) fn delete_endpoint(self: &Arc<Self>, input: &Value) -> Result<Value, AwsError> {
        let found = self.endpoint(input)?;
        self.endpoints.update(&found.name, |endpoint| {
            endpoint.turn(EndpointStatus::Deleting);
            Ok(())
        })?;
        self.begin_settling(&found.name);
        Ok(json!({}))
    }

    fn endpoint(&self, input: &Value) -> Result<Endpoint, AwsError> {
        let name = input["EndpointName"].as_str().unwrap_or_default();
        self.endpoints
            .get(name)
            .ok_or_else(|| AwsError::validation(format!("Could not find endpoint \"{}\".", self.arn("endpoint", name))))
    }

    /// What a configuration asks to run, its models resolved now, so that deleting them later changes nothing.
    fn plan(&self, config: &str) -> Result<FleetPlan, AwsError> {
        let record = self.config(config)?;
        let variants = items(&record.request["ProductionVariants"]).iter().map(|variant| {
            let model = self.model(variant["ModelName"].as_str().unwrap_or_default())?;
            Ok(VariantPlan {
                name: variant["VariantName"].as_str().unwrap_or_default().to_owned(),
                model: self.resolve(&model.request)?,
                weight: variant["InitialVariantWeight"].as_f64().unwrap_or(1.0),
                instances: variant["InitialInstanceCount"].as_u64().unwrap_or(1),
                health_timeout_s: variant["ContainerStartupHealthCheckTimeoutInSeconds"].as_u64(),
            })
        });
        Ok(FleetPlan {
            id: uuid::Uuid::new_v4().simple().to_string()[..12].to_owned(),
            config: config.to_owned(),
            variants: variants.collect::<Result<_, AwsError>>()?,
            capture: record.request["DataCaptureConfig"].clone(),
            restarts: Default::default(),
        })
    }

    /// Settles every endpoint that a server before this one knew.
    pub(crate) fn resume_endpoints(self: &Arc<Self>) {
        for endpoint in self.endpoints.all() {
            self.begin_settling(&endpoint.name);
        }
    }

    fn begin_settling(self: &Arc<Self>, name: &str) {
        let (this, name) = (Arc::clone(self), name.to_owned());
        self.background(async move { this.settle(&name).await });
    }

    /// Brings the endpoint where its record says; returns at once when another task is at it, which then looks again.
    async fn settle(self: &Arc<Self>, name: &str) {
        if !self.settling.enter(name) {
            return;
        }
        loop {
            if let Err(error) = self.settle_once(name).await {
                tracing::error!(endpoint = name, %error, "the endpoint's state cannot be written; trying again");
                tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            } else if self.settling.leave(name) {
                return;
            }
        }
    }

    async fn settle_once(self: &Arc<Self>, name: &str) -> Result<(), AwsError> {
        let Some(endpoint) = self.endpoints.get(name) else { return Ok(()) };
        if endpoint.status == EndpointStatus::Deleting {
            return self.take_down(&endpoint).await;
        }
        if let Some(plan) = endpoint.current.clone().filter(|_| self.fleet_of(name).is_none()) {
            // Found again after a restart: it answers as soon as its processes do, and requests wait for that.
            let fleet = self.begin_fleet(name, plan, true);
            self.set_fleet(name, Some(fleet));
        }
        if let Some(plan) = endpoint.next.clone() {
            self.bring_up(name, plan).await?;
        }
        self.clear_retired(name).await
    }

    async fn bring_up(self: &Arc<Self>, name: &str, plan: FleetPlan) -> Result<(), AwsError> {
        let fleet = self.begin_fleet(name, plan, false);
        let ready = self.ready_or_deleted(name, &fleet).await;
        let failed = ready.as_ref().err().cloned();
        let mut old = None;
        self.endpoints.update(name, |endpoint| {
            let plan = endpoint.next.take();
            match (&ready, endpoint.status) {
                (_, EndpointStatus::Deleting) => endpoint.retired.extend(plan),
                (Ok(()), _) => {
                    endpoint.retired.extend(std::mem::replace(&mut endpoint.current, plan));
                    endpoint.turn(EndpointStatus::InService);
                    old = self.set_fleet(name, Some(Arc::clone(&fleet)));
                }
                (Err(reason), _) => {
                    endpoint.retired.extend(plan);
                    endpoint.failure = Some(crate::sagemaker::job::cut(reason, crate::sagemaker::job::MAX_REASON));
                    let kept = endpoint.current.is_some();
                    endpoint.turn(if kept { EndpointStatus::InService } else { EndpointStatus::Failed });
                }
            }
            Ok(())
        })?;
        match failed {
            Some(reason) => {
                tracing::warn!(endpoint = name, reason, "the endpoint's new fleet was given up");
                self.drain(&fleet).await;
            }
            None => tracing::info!(endpoint = name, "endpoint in service"),
        }
        if let Some(old) = old {
            self.drain(&old).await;
        }
        Ok(())
    }

    async fn ready_or_deleted(&self, name: &str, fleet: &Fleet) -> Result<(), String> {
        let ready = self.fleet_ready(fleet);
        tokio::pin!(ready);
        loop {
            tokio::select! {
                ready = &mut ready => return ready,
                () = self.settling.nudged(name) => {
                    if self.endpoints.get(name).is_none_or(|endpoint| endpoint.status == EndpointStatus::Deleting) {
                        return Err("The endpoint was deleted while it was being made".to_owned());
                    }
                }
            }
        }
    }

    async fn clear_retired(&self, name: &str) -> Result<(), AwsError> {
        let Some(endpoint) = self.endpoints.get(name) else { return Ok(()) };
        for plan in &endpoint.retired {
            self.stop_plan(plan).await;
        }
        if endpoint.retired.is_empty() {
            return Ok(());
        }
        let changed = self.endpoints.update(name, |now| {
            now.retired.retain(|plan| !endpoint.retired.iter().any(|gone| gone.id == plan.id));
            Ok(())
        });
        changed.map(|_| ())
    }

    async fn take_down(&self, endpoint: &Endpoint) -> Result<(), AwsError> {
        if let Some(fleet) = self.set_fleet(&endpoint.name, None) {
            self.drain(&fleet).await;
        }
        let plans = endpoint.retired.iter().chain(&endpoint.current).chain(&endpoint.next);
        for plan in plans {
            self.stop_plan(plan).await;
        }
        self.capture.store();
        self.endpoints.remove(&endpoint.name, |_| Ok(()))?;
        self.forget_tags(&endpoint.arn)
    }

    /// Lets go of everything, as [`SageMaker::close`] does, and stops what serves: for a server that is to leave nothing
    /// running. The endpoints' records stay, and the next server starts their processes again; jobs go on to their end.
    pub async fn shut_down(&self) {
        self.close().await;
        self.capture.store();
        let endpoints = self.endpoints.all();
        let plans = endpoints
            .iter()
            .flat_map(|endpoint| endpoint.retired.iter().chain(&endpoint.current).chain(&endpoint.next));
        let keys: Vec<String> = plans.flat_map(FleetPlan::process_keys).collect();
        futures_util::future::join_all(keys.iter().map(|key| self.stop_process(key))).await;
    }

    /// The fleet that answers for the endpoint.
    pub(crate) fn fleet_of(&self, name: &str) -> Option<Arc<Fleet>> {
        self.fleets.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Puts a fleet in the place of another, which is given back.
    fn set_fleet(&self, name: &str, fleet: Option<Arc<Fleet>>) -> Option<Arc<Fleet>> {
        let mut fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        match fleet {
            Some(fleet) => fleets.insert(name.to_owned(), fleet),
            None => fleets.remove(name),
        }
    }
}

fn check_deployment(config: &Value) -> Result<(), AwsError> {
    let kind = config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"].as_str();
    if matches!(kind, Some("CANARY" | "LINEAR")) || config["RollingUpdatePolicy"].is_object() {
        return Err(AwsError::validation(
            "The local cloud shifts traffic ALL_AT_ONCE, after the new fleet is healthy; CANARY, LINEAR and rolling \
             updates are not offered",
        ));
    }
    Ok(())
}

/// Keeps weights, counts and capture of the fleet that runs, but for what is named to be taken from the configuration.
fn retain(plan: &mut FleetPlan, current: Option<&FleetPlan>, excluded: &Value) {
    let Some(current) = current else { return };
    let keeps = |what: &str| !items(excluded).iter().any(|item| item["VariantPropertyType"] == what);
    for variant in &mut plan.variants {
        let Some(old) = current.variants.iter().find(|old| old.name == variant.name) else { continue };
        if keeps("DesiredWeight") {
            variant.weight = old.weight;
        }
        if keeps("DesiredInstanceCount") {
            variant.instances = old.instances;
        }
    }
    if keeps("DataCaptureConfig") {
        plan.capture = current.capture.clone();
    }
}
