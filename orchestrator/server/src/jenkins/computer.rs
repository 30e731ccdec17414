//! Nodes: our agents, the first of them under Jenkins' name for its own.

use haliotis_engine::AgentInfo;
use haliotis_model::{BuildStatus, BuildSummary};

use super::bean::{Bean, Data, list};
use super::build;
use super::call::{Call, bad};
use super::hudson::label_bean;
use super::want::{ALWAYS, TOP, Want};
use crate::access::current;
use crate::error::Failed;
use crate::overview;

/// What Jenkins calls the node that is the server.
const BUILT_IN: &str = "Built-In Node";
/// Its names in addresses.
const BUILT_IN_PATHS: [&str; 5] = ["(built-in)", "(master)", "built-in", "master", BUILT_IN];

/// The set of nodes.
pub(crate) async fn all(call: &Call, want: &Want) -> Result<Data, Failed> {
    let running = running(call).await?;
    let agents = call.state.engine.agents();
    let slots: u32 = agents.iter().map(|agent| agent.slots).sum();
    let mut bean = Bean::new("hudson.model.ComputerSet", want);
    bean.put("busyExecutors", running.len());
    // Nodes stand on the set's own level, so that each is whole at depth 0.
    if let Some(want) = want.inline("computer") {
        let make = |(at, agent): (usize, &AgentInfo)| node(call, agent, at, &running, &want);
        bean.set("computer", list(&want, agents.iter().enumerate(), make));
    }
    bean.put("displayName", "Nodes");
    bean.put("totalExecutors", slots);
    Ok(bean.done())
}

/// One node.
///
/// # Errors
/// 404 when there is none of the name.
pub(crate) async fn one(call: &Call, name: &str, want: &Want) -> Result<Data, Failed> {
    let running = running(call).await?;
    let agents = call.state.engine.agents();
    let at = if BUILT_IN_PATHS.contains(&name) { Some(0) } else { agents.iter().position(|agent| agent.name == name) };
    let found = at.and_then(|at| Some((at, agents.get(at)?)));
    let (at, agent) = found.ok_or_else(|| Failed::not_found(format!("there is no node {name:?}")))?;
    Ok(node(call, agent, at, &running, want))
}

/// What agents do not let clients of Jenkins do.
pub(crate) fn refuse(what: &str) -> Failed {
    bad(format!(
        "{what} is not done through this API: an agent joins and leaves with its own program, see `haliotis agent`"
    ))
}

async fn running(call: &Call) -> Result<Vec<BuildSummary>, Failed> {
    let caller = current();
    let mut all = overview::with_status(&call.state, BuildStatus::Running).await?;
    all.extend(overview::with_status(&call.state, BuildStatus::Waiting).await?);
    all.retain(|build| caller.sees(&build.pipeline));
    all.sort_by_key(|build| build.id);
    Ok(all)
}

fn node(call: &Call, agent: &AgentInfo, at: usize, running: &[BuildSummary], want: &Want) -> Data {
    let own = at == 0;
    let class = if own { "hudson.model.Hudson$MasterComputer" } else { "hudson.slaves.SlaveComputer" };
    let name = if own { BUILT_IN } else { &agent.name };
    // Builds live in the server; the first node stands for it.
    let here: &[BuildSummary] = if own { running } else { &[] };
    let mut bean = Bean::new(class, want);
    bean.put("actions", Vec::new());
    bean.make("assignedLabels", TOP, |want| {
        let labels =
            agent.labels.iter().map(String::as_str).chain([if own { "built-in" } else { agent.name.as_str() }]);
        list(want, labels, |label| label_bean(label, want))
    });
    bean.put("description", if own { "the Haliotis server" } else { "" });
    bean.put_at(ALWAYS, "displayName", name);
    bean.make("executors", TOP, |want| {
        let count = (agent.slots as usize).max(here.len());
        list(want, 0..count, |number| executor(call, number, here.get(number), want))
    });
    bean.put("icon", "symbol-computer");
    bean.put("iconClassName", "symbol-computer");
    bean.put("idle", here.is_empty());
    bean.put("jnlpAgent", false);
    bean.put("launchSupported", true);
    bean.put("manualLaunchAllowed", true);
    bean.make("monitorData", TOP, |want| Bean::new("", want).done());
    bean.put("numExecutors", agent.slots);
    bean.put("offline", false);
    bean.put("offlineCause", Data::Null);
    bean.put("offlineCauseReason", "");
    bean.put("oneOffExecutors", Vec::new());
    bean.put("temporarilyOffline", false);
    bean.done()
}

fn executor(call: &Call, number: usize, build: Option<&BuildSummary>, want: &Want) -> Data {
    let mut bean = Bean::new("", want);
    bean.make("currentExecutable", TOP, |want| {
        let Some(build) = build else { return Data::Null };
        let class = "org.jenkinsci.plugins.workflow.job.WorkflowRun";
        let mut bean = Bean::new(class, want);
        bean.put_at(ALWAYS, "number", build.number);
        bean.put_at(ALWAYS, "url", call.url(&build::path(build)));
        bean.put("fullDisplayName", format!("{} #{}", super::job::display(&build.pipeline), build.number));
        bean.put("displayName", format!("#{}", build.number));
        bean.put("timestamp", build.created_at.0);
        bean.done()
    });
    bean.put("idle", build.is_none());
    bean.put("likelyStuck", false);
    bean.put("number", number);
    bean.put("progress", -1_i64);
    bean.done()
}

/// A node's labels and name as XML, for clients that read it.
pub(crate) fn config(call: &Call, name: &str) -> Result<String, Failed> {
    let agents = call.state.engine.agents();
    let at = if BUILT_IN_PATHS.contains(&name) { Some(0) } else { agents.iter().position(|agent| agent.name == name) };
    let agent =
        at.and_then(|at| agents.get(at)).ok_or_else(|| Failed::not_found(format!("there is no node {name:?}")))?;
    let escape = super::xml::escape;
    Ok(format!(
        "<?xml version='1.1' encoding='UTF-8'?>\n<slave>\n  <name>{}</name>\n  <numExecutors>{}</numExecutors>\n  \
         <mode>NORMAL</mode>\n  <label>{}</label>\n</slave>",
        escape(&agent.name),
        agent.slots,
        escape(&agent.labels.join(" "))
    ))
}
