//! Whole operations against a scripted world: how they end, what is left, and that a crash at any call of any of them
//! leads to the same end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::CloudFormation;
use super::kinds::Kind;
use super::resources::{Facts, Look, Resources, Tags};
use super::state::{Stack, StackStatus, word};
use crate::params::Params;
use crate::{AwsError, auth, s3};

const TEMPLATE: &str = "
Parameters:
  Package: {Type: String}
  Count: {Type: Number, Default: 1, MinValue: 1}
  Extra: {Type: String, Default: 'no', AllowedValues: ['yes', 'no']}
Conditions:
  WithExtra: !Equals [!Ref Extra, 'yes']
Resources:
  Model:
    Type: AWS::SageMaker::Model
    Properties: {Containers: [{ModelPackageName: !Ref Package}]}
  Config:
    Type: AWS::SageMaker::EndpointConfig
    Properties:
      ProductionVariants:
        - {VariantName: AllTraffic, ModelName: !GetAtt Model.ModelName, InitialInstanceCount: !Ref Count}
  Endpoint:
    Type: AWS::SageMaker::Endpoint
    Properties: {EndpointName: !Sub '${AWS::StackName}-live', EndpointConfigName: !GetAtt Config.EndpointConfigName}
  Group:
    Type: AWS::SageMaker::ModelPackageGroup
    Condition: WithExtra
Outputs:
  Name: {Value: !GetAtt Endpoint.EndpointName}
  Arn: {Value: !Ref Model}
";

/// What there is, by type and name: properties, and tags.
type Things = BTreeMap<(String, String), (Value, Tags)>;

/// A world in which endpoints whose chain leads to a package called `bad` do not come up.
#[derive(Default)]
struct World {
    things: Mutex<Things>,
}

/// The services over a world, which die at a given call: before its effect, or after it.
struct Mortal {
    world: Arc<World>,
    calls_left: Mutex<Option<u32>>,
    after_effect: bool,
}

impl Mortal {
    fn immortal(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self { world: Arc::clone(world), calls_left: Mutex::new(None), after_effect: false })
    }

    fn dies(&self) -> bool {
        let mut left = self.calls_left.lock().unwrap();
        match left.as_mut() {
            Some(0) => true,
            Some(count) => {
                *count -= 1;
                *count == 0
            }
            None => false,
        }
    }

    /// Runs one call's effect; a dead process never answers.
    async fn call<T>(&self, effect: impl FnOnce(&mut Things) -> T) -> T {
        let was_dead = *self.calls_left.lock().unwrap() == Some(0);
        let dies = self.dies();
        if !was_dead && (!dies || self.after_effect) {
            let answer = effect(&mut self.world.things.lock().unwrap());
            if !dies {
                return answer;
            }
        }
        std::future::pending().await
    }
}

fn key(kind: &Kind, name: &str) -> (String, String) {
    (kind.title.to_owned(), name.to_owned())
}

/// The package that an endpoint configuration leads to.
fn package(things: &Things, config: &Value) -> Option<String> {
    let (config, _) = things.get(&("EndpointConfig".to_owned(), config.as_str()?.to_owned()))?;
    let model = config["ProductionVariants"][0]["ModelName"].as_str()?.to_owned();
    let (model, _) = things.get(&("Model".to_owned(), model))?;
    model["Containers"][0]["ModelPackageName"].as_str().map(str::to_owned)
}

#[async_trait]
impl Resources for Mortal {
    async fn look(&self, kind: &Kind, name: &str) -> Result<Look, AwsError> {
        self.call(|things| {
            let Some((properties, _)) = things.get(&key(kind, name)) else { return Ok(Look::Absent) };
            if properties["Broken"] == true {
                return Ok(Look::Failed("the container did not answer /ping".to_owned()));
            }
            let physical = format!("arn:{}/{name}", kind.title);
            let attributes = BTreeMap::from([(kind.name_property.to_owned(), json!(name))]);
            let holds = if kind.updates_in_place {
                json!({"EndpointConfigName": properties["EndpointConfigName"]})
            } else {
                Value::Null
            };
            let trouble = properties["Trouble"].as_str().map(str::to_owned);
            Ok(Look::Ready(Facts { physical, attributes, holds, trouble }))
        })
        .await
    }

    async fn create(&self, kind: &Kind, name: &str, properties: &Value, tags: &Tags) -> Result<(), AwsError> {
        self.call(|things| {
            if things.contains_key(&key(kind, name)) {
                return Err(AwsError::validation(format!("Cannot create already existing {} {name}", kind.title)));
            }
            let mut properties = properties.clone();
            if properties["Containers"][0]["ModelPackageName"] == "refused" {
                return Err(AwsError::validation("the package is not approved"));
            }
            if kind.updates_in_place && package(things, &properties["EndpointConfigName"]).as_deref() == Some("bad") {
                properties["Broken"] = json!(true);
            }
            things.insert(key(kind, name), (properties, tags.clone()));
            Ok(())
        })
        .await
    }

    async fn update(&self, kind: &Kind, name: &str, properties: &Value) -> Result<(), AwsError> {
        self.call(|things| {
            let bad = package(things, &properties["EndpointConfigName"]).as_deref() == Some("bad");
            let known = things.get_mut(&key(kind, name)).map(|(known, _)| known);
            let known = known.ok_or_else(|| AwsError::validation("Could not find endpoint"))?;
            if bad {
                known["Trouble"] = json!("the new fleet did not answer /ping");
            } else {
                known["EndpointConfigName"] = properties["EndpointConfigName"].clone();
            }
            Ok(())
        })
        .await
    }

    async fn retag(&self, kind: &Kind, physical: &str, _before: &Tags, after: &Tags) -> Result<(), AwsError> {
        self.call(|things| {
            let name = physical.rsplit('/').next().unwrap_or_default();
            let thing = things.get_mut(&key(kind, name)).unwrap();
            thing.1.clone_from(after);
            Ok(())
        })
        .await
    }

    async fn delete(&self, kind: &Kind, name: &str) -> Result<(), AwsError> {
        self.call(|things| {
            things.remove(&key(kind, name));
            Ok(())
        })
        .await
    }
}

fn open(dir: &Path, resources: Arc<Mortal>) -> Arc<CloudFormation> {
    let store = Arc::new(s3::Store::open(dir.join("s3")).unwrap());
    let poll = Duration::from_millis(1);
    CloudFormation::open_with(dir, "us-east-1", "000000000000", store, resources, poll).unwrap()
}

async fn call(cloud: &CloudFormation, action: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
    let body: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", auth::encode(value, false))).collect();
    cloud.call(action, &Params::parse(&body.join("&"))).await.map_err(|error| error.message)
}

async fn deploy(cloud: &CloudFormation, action: &str, package: &str, more: &[(&str, &str)]) -> Result<String, String> {
    let mut pairs = vec![
        ("StackName", "shop"),
        ("TemplateBody", TEMPLATE),
        ("Parameters.member.1.ParameterKey", "Package"),
        ("Parameters.member.1.ParameterValue", package),
    ];
    pairs.extend_from_slice(more);
    call(cloud, action, &pairs).await
}

/// Waits until the stack's operation is at its end.
async fn settled(cloud: &CloudFormation) -> Stack {
    for _ in 0..2000 {
        let stack = cloud.lock().values().next().cloned();
        if let Some(stack) = stack.filter(|stack| !stack.status.is_running()) {
            return stack;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("the stack did not settle: {:?}", cloud.lock().values().next().map(|stack| stack.status));
}

/// Type titles and packages of what there is: names are random.
fn inventory(world: &World) -> Vec<String> {
    let things = world.things.lock().unwrap();
    let say = |((title, name), (properties, _)): (&(String, String), &(Value, Tags))| match title.as_str() {
        "Model" => format!("Model of {}", properties["Containers"][0]["ModelPackageName"].as_str().unwrap()),
        "Endpoint" => {
            format!("{name} serves {}", package(&things, &properties["EndpointConfigName"]).unwrap_or_default())
        }
        title => title.to_owned(),
    };
    let mut said: Vec<String> = things.iter().map(say).collect();
    said.sort();
    said
}

fn story(stack: &Stack) -> Vec<String> {
    let of_stack = stack.events.iter().filter(|event| event.kind == "AWS::CloudFormation::Stack");
    of_stack.map(|event| event.status.clone()).collect()
}

#[tokio::test]
async fn create_update_delete() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Arc::new(World::default()));
    let cloud = open(folder.path(), Mortal::immortal(&world));
    deploy(&cloud, "CreateStack", "v1", &[("Tags.member.1.Key", "stage"), ("Tags.member.1.Value", "prod")])
        .await
        .unwrap();
    let made = settled(&cloud).await;
    assert_eq!(made.status, StackStatus::CreateComplete, "{:?}", made.events);
    assert_eq!(inventory(&world), ["EndpointConfig", "Model of v1", "shop-live serves v1"]);
    assert!(world.things.lock().unwrap().values().all(|(_, tags)| tags["stage"] == "prod"));
    assert_eq!(made.outputs.iter().map(|output| output.value.as_str()).next(), Some("shop-live"));
    assert_eq!(deploy(&cloud, "CreateStack", "v1", &[]).await.unwrap_err(), "Stack [shop] already exists");
    assert_eq!(deploy(&cloud, "UpdateStack", "v1", &[]).await.unwrap_err(), "No updates are to be performed.");

    deploy(&cloud, "UpdateStack", "v2", &[]).await.unwrap();
    let updated = settled(&cloud).await;
    assert_eq!(updated.status, StackStatus::UpdateComplete, "{:?}", updated.events);
    assert_eq!(inventory(&world), ["EndpointConfig", "Model of v2", "shop-live serves v2"]);
    assert_eq!(updated.resource("Endpoint").unwrap().physical, made.resource("Endpoint").unwrap().physical);
    assert_ne!(updated.resource("Model").unwrap().name, made.resource("Model").unwrap().name);

    let more = [("Parameters.member.2.ParameterKey", "Extra"), ("Parameters.member.2.ParameterValue", "yes")];
    deploy(&cloud, "UpdateStack", "v2", &more).await.unwrap();
    assert_eq!(settled(&cloud).await.status, StackStatus::UpdateComplete);
    assert_eq!(inventory(&world).len(), 4);
    deploy(&cloud, "UpdateStack", "v2", &[("Tags.member.1.Key", "stage"), ("Tags.member.1.Value", "dev")])
        .await
        .unwrap();
    assert_eq!(settled(&cloud).await.status, StackStatus::UpdateComplete);
    assert_eq!(inventory(&world).len(), 3);
    assert!(world.things.lock().unwrap().values().all(|(_, tags)| tags["stage"] == "dev"));

    call(&cloud, "DeleteStack", &[("StackName", "shop")]).await.unwrap();
    let gone = settled(&cloud).await;
    assert_eq!(gone.status, StackStatus::DeleteComplete);
    assert!(inventory(&world).is_empty());
    let unknown = call(&cloud, "DescribeStacks", &[("StackName", "shop")]).await.unwrap_err();
    assert_eq!(unknown, "Stack with id shop does not exist");
    assert!(call(&cloud, "DescribeStacks", &[("StackName", &gone.id)]).await.unwrap().contains("DELETE_COMPLETE"));
}

#[tokio::test]
async fn a_create_that_fails_leaves_nothing_unless_asked_to() {
    for (package, reason) in [("bad", "the container did not answer /ping"), ("refused", "the package is not approved")]
    {
        let (folder, world) = (tempfile::tempdir().unwrap(), Arc::new(World::default()));
        let cloud = open(folder.path(), Mortal::immortal(&world));
        deploy(&cloud, "CreateStack", package, &[]).await.unwrap();
        let stack = settled(&cloud).await;
        assert_eq!(story(&stack), ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]);
        assert!(stack.events.iter().any(|event| event.reason.as_deref().is_some_and(|said| said.contains(reason))));
        assert!(inventory(&world).is_empty());
        let refused = deploy(&cloud, "UpdateStack", "v1", &[]).await.unwrap_err();
        assert!(refused.ends_with("is in ROLLBACK_COMPLETE state and can not be updated."), "{refused}");
    }
    let (folder, world) = (tempfile::tempdir().unwrap(), Arc::new(World::default()));
    let cloud = open(folder.path(), Mortal::immortal(&world));
    deploy(&cloud, "CreateStack", "bad", &[("OnFailure", "DO_NOTHING")]).await.unwrap();
    assert_eq!(settled(&cloud).await.status, StackStatus::CreateFailed);
    assert_eq!(inventory(&world).len(), 3);
    call(&cloud, "DeleteStack", &[("StackName", "shop")]).await.unwrap();
    assert_eq!(settled(&cloud).await.status, StackStatus::DeleteComplete);
    assert!(inventory(&world).is_empty());
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_left_alone() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Arc::new(World::default()));
    let foreign = ("Endpoint".to_owned(), "shop-live".to_owned());
    world.things.lock().unwrap().insert(foreign.clone(), (json!({"EndpointConfigName": "theirs"}), Tags::new()));
    let cloud = open(folder.path(), Mortal::immortal(&world));
    deploy(&cloud, "CreateStack", "v1", &[]).await.unwrap();
    let stack = settled(&cloud).await;
    assert_eq!(stack.status, StackStatus::RollbackComplete);
    assert!(
        stack.events.iter().any(|event| event.reason.as_deref().is_some_and(|said| said.contains("already exists")))
    );
    let things = world.things.lock().unwrap();
    assert_eq!(things.keys().collect::<Vec<_>>(), [&foreign]);
}

#[tokio::test]
async fn an_update_that_fails_puts_the_previous_resources_back_in_force() {
    for package in ["bad", "refused"] {
        let (folder, world) = (tempfile::tempdir().unwrap(), Arc::new(World::default()));
        let cloud = open(folder.path(), Mortal::immortal(&world));
        deploy(&cloud, "CreateStack", "v1", &[]).await.unwrap();
        let before = settled(&cloud).await;
        deploy(&cloud, "UpdateStack", package, &[]).await.unwrap();
        let after = settled(&cloud).await;
        let expected = [
            "UPDATE_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE",
        ];
        assert_eq!(story(&after)[2..], expected, "{package}");
        assert_eq!(inventory(&world), ["EndpointConfig", "Model of v1", "shop-live serves v1"], "{package}");
        assert_eq!(after.definition, before.definition);
        assert_eq!(after.resource("Model").unwrap().name, before.resource("Model").unwrap().name);
        assert_eq!(after.outputs, before.outputs);
        deploy(&cloud, "UpdateStack", "v3", &[]).await.unwrap();
        assert_eq!(settled(&cloud).await.status, StackStatus::UpdateComplete);
        assert_eq!(inventory(&world), ["EndpointConfig", "Model of v3", "shop-live serves v3"]);
    }
}

#[tokio::test]
async fn change_sets_show_and_then_do() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Arc::new(World::default()));
    let cloud = open(folder.path(), Mortal::immortal(&world));
    let set = |kind: &'static str, name: &'static str| [("ChangeSetType", kind), ("ChangeSetName", name)];
    deploy(&cloud, "CreateChangeSet", "v1", &set("CREATE", "first")).await.unwrap();
    assert!(inventory(&world).is_empty());
    let named = [("StackName", "shop"), ("ChangeSetName", "first")];
    let shown = call(&cloud, "DescribeChangeSet", &named).await.unwrap();
    assert_eq!(shown.matches("<Action>Add</Action>").count(), 3);
    call(&cloud, "ExecuteChangeSet", &named).await.unwrap();
    assert_eq!(settled(&cloud).await.status, StackStatus::CreateComplete);
    assert!(call(&cloud, "ExecuteChangeSet", &named).await.unwrap_err().contains("cannot be executed"));

    deploy(&cloud, "CreateChangeSet", "v1", &set("UPDATE", "none")).await.unwrap();
    let none = call(&cloud, "DescribeChangeSet", &[("StackName", "shop"), ("ChangeSetName", "none")]).await.unwrap();
    assert!(
        none.contains("<Status>FAILED</Status>")
            && none.contains("didn&apos;t contain changes") | none.contains("didn't contain changes")
    );
    deploy(&cloud, "CreateChangeSet", "v2", &set("UPDATE", "second")).await.unwrap();
    let second = [("StackName", "shop"), ("ChangeSetName", "second")];
    let shown = call(&cloud, "DescribeChangeSet", &second).await.unwrap();
    assert_eq!(shown.matches("<Replacement>True</Replacement>").count(), 2);
    assert_eq!(shown.matches("<Replacement>False</Replacement>").count(), 1);
    call(&cloud, "ExecuteChangeSet", &second).await.unwrap();
    assert_eq!(settled(&cloud).await.status, StackStatus::UpdateComplete);
    assert_eq!(inventory(&world), ["EndpointConfig", "Model of v2", "shop-live serves v2"]);
}

/// Kills the process at every call of the services in turn, before the call's effect and after it, and opens again.
/// The kinds of crash run beside each other, because each mostly waits for the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_crash_anywhere_leads_to_the_same_end() {
    let operations = [
        ("CreateStack", "v1"),
        ("CreateStack", "bad"),
        ("UpdateStack", "v2"),
        ("UpdateStack", "bad"),
        ("DeleteStack", "v1"),
    ];
    let mut crashes = tokio::task::JoinSet::new();
    for (operation, package) in operations {
        for after_effect in [false, true] {
            crashes.spawn(async move {
                let mut calls = 1;
                while crash_at(operation, package, calls, after_effect).await {
                    calls += 1;
                }
                assert!(calls > 6, "{operation} made only {calls} calls");
            });
        }
    }
    while let Some(crashed) = crashes.join_next().await {
        crashed.unwrap();
    }
}

/// `false`: the operation was over before that call.
async fn crash_at(operation: &str, package: &str, calls: u32, after_effect: bool) -> bool {
    let (folder, world) = (tempfile::tempdir().unwrap(), Arc::new(World::default()));
    if operation != "CreateStack" {
        let cloud = open(folder.path(), Mortal::immortal(&world));
        deploy(&cloud, "CreateStack", "v1", &[]).await.unwrap();
        settled(&cloud).await;
    }
    let mortal = Arc::new(Mortal { world: Arc::clone(&world), calls_left: Mutex::new(Some(calls)), after_effect });
    let cloud = open(folder.path(), Arc::clone(&mortal));
    deploy(&cloud, operation, package, &[]).await.unwrap();
    while *mortal.calls_left.lock().unwrap() != Some(0) {
        if cloud.lock().values().all(|stack| !stack.status.is_running()) {
            return false;
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    // The dead worker hangs in its call for ever; the data folder is opened by another process.
    let reborn = open(folder.path(), Mortal::immortal(&world));
    let stack = settled(&reborn).await;
    let (status, left): (&str, &[&str]) = match (operation, package) {
        ("CreateStack", "v1") => ("CREATE_COMPLETE", &["EndpointConfig", "Model of v1", "shop-live serves v1"]),
        ("CreateStack", _) => ("ROLLBACK_COMPLETE", &[]),
        ("UpdateStack", "v2") => ("UPDATE_COMPLETE", &["EndpointConfig", "Model of v2", "shop-live serves v2"]),
        ("UpdateStack", _) => ("UPDATE_ROLLBACK_COMPLETE", &["EndpointConfig", "Model of v1", "shop-live serves v1"]),
        _ => ("DELETE_COMPLETE", &[]),
    };
    let place = format!("{operation} {package}, killed at call {calls}, after its effect: {after_effect}");
    assert_eq!(word(&stack.status), status, "{place}: {:#?}", stack.events);
    assert_eq!(inventory(&world), left, "{place}");
    true
}

#[tokio::test]
async fn a_delete_overtakes_a_create() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Arc::new(World::default()));
    let cloud = open(folder.path(), Mortal::immortal(&world));
    deploy(&cloud, "CreateStack", "v1", &[]).await.unwrap();
    tokio::task::yield_now().await;
    call(&cloud, "DeleteStack", &[("StackName", "shop")]).await.unwrap();
    assert_eq!(settled(&cloud).await.status, StackStatus::DeleteComplete);
    assert!(inventory(&world).is_empty());
}
