//! config.xml to a pipeline, and a config.xml for a pipeline that never had one.
//!
//! What is modelled: a pipeline's script or its place in a repository, a freestyle job's shell steps (see [`freestyle`]),
//! parameters, triggers, description, concurrency, disabled, the trigger token. Everything else stays in the text as given.

use haliotis_engine::cron::Schedule;
use haliotis_model::branches::BranchProject;
use haliotis_model::{BuildResult, ParameterKind, ParameterSpec, Pipeline, TriggerSpec, Value};

use super::items::{self, FREESTYLE_PATH};
use super::xml::{self, Element, escape};
use super::{branches, freestyle, items::FOLDER_CLASS};

/// Our own definition inside a `flow-definition`: any language, the text as it is.
const OWN_DEFINITION: &str = "io.haliotis.Definition";
const MINUTE_MS: u64 = 60_000;

/// What a config.xml describes.
#[derive(Debug, PartialEq)]
pub(crate) enum Described {
    Folder,
    Branches(Box<BranchProject>),
    Job(Box<Pipeline>),
}

/// Reads a config.xml for an item of this full name.
///
/// # Errors
/// One sentence on what is wrong or not provided here.
pub(crate) fn read(full: &str, text: &str) -> Result<Described, String> {
    let root = xml::parse(text)?;
    let mut pipeline = match root.name.as_str() {
        FOLDER_CLASS => return Ok(Described::Folder),
        branches::CLASS => return branches::read(full, &root).map(Box::new).map(Described::Branches),
        "flow-definition" => flow(full, &root)?,
        "project" => empty(full, "yaml", FREESTYLE_PATH),
        other => {
            return Err(format!(
                "a job of the kind {other} is not provided; there are flow-definition, project, {} and {FOLDER_CLASS}",
                branches::CLASS
            ));
        }
    };
    root.text_at("description").clone_into(&mut pipeline.description);
    pipeline.disabled = root.text_at("disabled").trim() == "true";
    pipeline.parameters = parameters(&root)?;
    pipeline.triggers = triggers(full, &root, pipeline.repo.as_deref(), &pipeline.branch)?;
    let alone = match root.name.as_str() {
        "project" => root.text_at("concurrentBuild").trim() != "true",
        _ => {
            let property =
                "properties/org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty";
            root.at(property).is_some() || root.text_at("concurrentBuild").trim() == "false"
        }
    };
    pipeline.concurrency = alone.then_some(1);
    if root.name == "project" {
        pipeline.text = freestyle::translate(&root, &pipeline)?;
    }
    Ok(Described::Job(Box::new(pipeline)))
}

fn empty(full: &str, language: &str, path: &str) -> Pipeline {
    Pipeline {
        name: full.to_owned(),
        description: String::new(),
        language: language.to_owned(),
        repo: None,
        branch: String::new(),
        path: path.to_owned(),
        text: String::new(),
        credential: None,
        triggers: Vec::new(),
        parameters: Vec::new(),
        concurrency: None,
        disabled: false,
    }
}

fn flow(full: &str, root: &Element) -> Result<Pipeline, String> {
    let Some(definition) = root.child("definition") else { return Ok(empty(full, "jenkinsfile", "Jenkinsfile")) };
    match definition.class() {
        OWN_DEFINITION => {
            let path = Some(definition.text_at("path")).filter(|path| !path.is_empty()).unwrap_or("pipeline.yaml");
            let mut pipeline = empty(full, definition.text_at("language"), path);
            definition.text_at("text").clone_into(&mut pipeline.text);
            Ok(pipeline)
        }
        class if class.ends_with(".CpsFlowDefinition") => {
            let mut pipeline = empty(full, "jenkinsfile", "Jenkinsfile");
            definition.text_at("script").clone_into(&mut pipeline.text);
            Ok(pipeline)
        }
        class if class.ends_with(".CpsScmFlowDefinition") => {
            let path = Some(definition.text_at("scriptPath")).filter(|path| !path.is_empty()).unwrap_or("Jenkinsfile");
            let yaml = path.ends_with(".yaml") || path.ends_with(".yml");
            let mut pipeline = empty(full, if yaml { "yaml" } else { "jenkinsfile" }, path);
            let scm = definition.child("scm").and_then(git).ok_or("the definition's scm is no Git repository")?;
            (pipeline.repo, pipeline.branch, pipeline.credential) = (Some(scm.url), scm.branch, scm.credential);
            Ok(pipeline)
        }
        other => Err(format!("a definition of the class {other} is not provided")),
    }
}

/// Where Git sources come from.
#[derive(Debug, PartialEq)]
pub(crate) struct Git {
    pub(crate) url: String,
    pub(crate) branch: String,
    pub(crate) credential: Option<String>,
}

/// Reads an `scm` element of the Git plugin.
pub(crate) fn git(scm: &Element) -> Option<Git> {
    let remote = scm.at("userRemoteConfigs/hudson.plugins.git.UserRemoteConfig")?;
    let url = remote.text_at("url").trim().to_owned();
    let spec = scm.text_at("branches/hudson.plugins.git.BranchSpec/name").trim();
    let branch = ["refs/heads/", "*/", "origin/", "refs/remotes/origin/"]
        .into_iter()
        .find_map(|prefix| spec.strip_prefix(prefix))
        .unwrap_or(spec);
    let credential = Some(remote.text_at("credentialsId").trim()).filter(|id| !id.is_empty()).map(str::to_owned);
    (!url.is_empty()).then(|| Git { url, branch: branch.to_owned(), credential })
}

fn parameters(root: &Element) -> Result<Vec<ParameterSpec>, String> {
    let path = "properties/hudson.model.ParametersDefinitionProperty/parameterDefinitions";
    root.at(path).map_or_else(|| Ok(Vec::new()), |all| all.children.iter().map(parameter).collect())
}

fn parameter(element: &Element) -> Result<ParameterSpec, String> {
    let name = element.text_at("name").trim().to_owned();
    if name.is_empty() {
        return Err(format!("a parameter ({}) has no name", element.name));
    }
    let default = element.text_at("defaultValue");
    let mut choices = Vec::new();
    let (kind, default) = match element.name.rsplit('.').next().unwrap_or("") {
        "BooleanParameterDefinition" => (ParameterKind::Boolean, Value::Bool(default.trim() == "true")),
        "ChoiceParameterDefinition" => {
            let mut found = Vec::new();
            element.find_all("string", &mut found);
            choices = found.into_iter().map(|choice| choice.text.clone()).collect();
            let first = choices.first().cloned().ok_or_else(|| format!("the choice {name} has no choices"))?;
            (ParameterKind::Choice, Value::String(first))
        }
        _ => (ParameterKind::String, Value::String(default.to_owned())),
    };
    let description = element.text_at("description").to_owned();
    Ok(ParameterSpec { name, kind, default: Some(default), choices, description })
}

fn triggers(full: &str, root: &Element, repo: Option<&str>, branch: &str) -> Result<Vec<TriggerSpec>, String> {
    let property = "properties/org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty/triggers";
    let listed = root.child("triggers").into_iter().chain(root.at(property)).flat_map(|list| &list.children);
    let own = root.child("scm").and_then(git);
    let repo = own.as_ref().map(|git| git.url.as_str()).or(repo).unwrap_or("");
    let branch = own.as_ref().map_or(branch, |git| git.branch.as_str());
    let branch = if branch.is_empty() { "main" } else { branch };
    let mut triggers = Vec::new();
    for trigger in listed {
        let spec = trigger.text_at("spec");
        match trigger.name.rsplit('.').next().unwrap_or("") {
            "TimerTrigger" => triggers.extend(crons(full, spec)?),
            "SCMTrigger" if !repo.is_empty() => {
                triggers.push(TriggerSpec::Poll {
                    repo: repo.to_owned(),
                    branch: branch.to_owned(),
                    every_ms: every(spec),
                });
            }
            "GitHubPushTrigger" if !repo.is_empty() => {
                triggers.push(TriggerSpec::Webhook { repo: repo.to_owned(), branch: branch.to_owned() });
            }
            "ReverseBuildTrigger" => triggers.extend(upstream(full, trigger)),
            // What is not provided stays in the text and starts nothing.
            _ => {}
        }
    }
    Ok(triggers)
}

/// Lines of a timer's specification; `TZ=` in the first is the zone of all.
fn crons(full: &str, spec: &str) -> Result<Vec<TriggerSpec>, String> {
    let mut zone = String::new();
    let mut found = Vec::new();
    for line in spec.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(named) = line.strip_prefix("TZ=") {
            named.trim().clone_into(&mut zone);
            continue;
        }
        Schedule::parse(line, &zone, full).map_err(|error| format!("the timer {line:?}: {error}"))?;
        found.push(TriggerSpec::Cron { cron: line.to_owned(), zone: zone.clone() });
    }
    Ok(found)
}

/// How often a polling specification looks: its minutes' step, else an hour. Polling costs a request, not a build, so the
/// nearest interval stands for the exact minutes.
fn every(spec: &str) -> u64 {
    let line = spec.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(['#', 'T'])).unwrap_or("");
    let minutes = line.split_whitespace().next().unwrap_or("");
    match minutes.rsplit_once('/').and_then(|(_, step)| step.parse::<u64>().ok()) {
        Some(step) => step.clamp(1, 60) * MINUTE_MS,
        None if minutes == "*" => MINUTE_MS,
        None => 60 * MINUTE_MS,
    }
}

fn upstream(full: &str, trigger: &Element) -> Vec<TriggerSpec> {
    let results = match trigger.text_at("threshold/name").trim() {
        "FAILURE" => vec![BuildResult::Success, BuildResult::Unstable, BuildResult::Failure],
        "UNSTABLE" => vec![BuildResult::Success, BuildResult::Unstable],
        _ => vec![BuildResult::Success],
    };
    let names = trigger.text_at("upstreamProjects").split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            // A relative name counts from the job's own folder.
            let absolute = match (name.strip_prefix('/'), items::parent(full)) {
                (Some(absolute), _) => absolute.to_owned(),
                (None, "") => name.to_owned(),
                (None, folder) => format!("{folder}/{name}"),
            };
            TriggerSpec::Upstream { pipeline: absolute, results: results.clone() }
        })
        .collect()
}

/// A config.xml that says what we know of a pipeline; reading it gives the same pipeline.
pub(crate) fn write(pipeline: &Pipeline) -> String {
    let definition = match &pipeline.repo {
        Some(repo) => scm_definition(pipeline, repo),
        None if pipeline.language == "jenkinsfile" => format!(
            "<definition class=\"org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition\">\n    <script>{}</script>\n    \
             <sandbox>true</sandbox>\n  </definition>",
            escape(&pipeline.text)
        ),
        None => format!(
            "<definition class=\"{OWN_DEFINITION}\">\n    <language>{}</language>\n    <path>{}</path>\n    \
             <text>{}</text>\n  </definition>",
            escape(&pipeline.language),
            escape(&pipeline.path),
            escape(&pipeline.text)
        ),
    };
    format!(
        "<?xml version='1.1' encoding='UTF-8'?>\n<flow-definition>\n  <description>{}</description>\n  \
         <keepDependencies>false</keepDependencies>\n  <properties/>\n  {definition}\n  <triggers/>\n  \
         <disabled>{}</disabled>\n</flow-definition>",
        escape(&pipeline.description),
        pipeline.disabled
    )
}

fn scm_definition(pipeline: &Pipeline, repo: &str) -> String {
    let branch = if pipeline.branch.is_empty() { "main" } else { &pipeline.branch };
    let credential = pipeline
        .credential
        .as_deref()
        .map_or_else(String::new, |id| format!("\n          <credentialsId>{}</credentialsId>", escape(id)));
    format!(
        "<definition class=\"org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition\">\n    \
         <scm class=\"hudson.plugins.git.GitSCM\">\n      <userRemoteConfigs>\n        \
         <hudson.plugins.git.UserRemoteConfig>\n          <url>{}</url>{credential}\n        \
         </hudson.plugins.git.UserRemoteConfig>\n      </userRemoteConfigs>\n      <branches>\n        \
         <hudson.plugins.git.BranchSpec>\n          <name>*/{}</name>\n        </hudson.plugins.git.BranchSpec>\n      \
         </branches>\n    </scm>\n    <scriptPath>{}</scriptPath>\n  </definition>",
        escape(repo),
        escape(branch),
        escape(&pipeline.path)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str) -> Pipeline {
        match read("team/x", text).unwrap() {
            Described::Job(pipeline) => *pipeline,
            Described::Folder | Described::Branches(_) => panic!("no job"),
        }
    }

    #[test]
    fn a_script_with_parameters_and_triggers() {
        let pipeline = job(r#"<?xml version='1.1'?><flow-definition plugin="workflow-job@1">
            <description>trains</description><properties>
            <org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty/>
            <hudson.model.ParametersDefinitionProperty><parameterDefinitions>
              <hudson.model.StringParameterDefinition><name>A</name><defaultValue>1 &lt; 2</defaultValue><trim>false</trim>
              </hudson.model.StringParameterDefinition>
              <hudson.model.BooleanParameterDefinition><name>B</name><defaultValue>true</defaultValue></hudson.model.BooleanParameterDefinition>
              <hudson.model.ChoiceParameterDefinition><name>C</name><choices class="java.util.Arrays$ArrayList">
              <a class="string-array"><string>x</string><string>y</string></a></choices></hudson.model.ChoiceParameterDefinition>
            </parameterDefinitions></hudson.model.ParametersDefinitionProperty>
            <org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty><triggers>
              <hudson.triggers.TimerTrigger><spec>TZ=Europe/Berlin
H 3 * * *
# no
@daily</spec></hudson.triggers.TimerTrigger>
              <jenkins.triggers.ReverseBuildTrigger><upstreamProjects>a, /b</upstreamProjects></jenkins.triggers.ReverseBuildTrigger>
            </triggers></org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty></properties>
            <definition class="org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition" plugin="workflow-cps@1">
            <script>node { sh 'ls' }</script><sandbox>true</sandbox></definition><disabled>true</disabled></flow-definition>"#);
        assert_eq!((pipeline.language.as_str(), pipeline.text.as_str()), ("jenkinsfile", "node { sh 'ls' }"));
        assert_eq!((pipeline.description.as_str(), pipeline.disabled, pipeline.concurrency), ("trains", true, Some(1)));
        let kinds: Vec<_> = pipeline.parameters.iter().map(|p| (p.name.as_str(), p.default.clone().unwrap())).collect();
        assert_eq!(kinds, [("A", Value::from("1 < 2")), ("B", Value::from(true)), ("C", Value::from("x"))]);
        let cron = |cron: &str| TriggerSpec::Cron { cron: cron.to_owned(), zone: "Europe/Berlin".to_owned() };
        let after =
            |name: &str| TriggerSpec::Upstream { pipeline: name.to_owned(), results: vec![BuildResult::Success] };
        assert_eq!(pipeline.triggers, [cron("H 3 * * *"), cron("@daily"), after("team/a"), after("b")]);
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut own = empty("team/x", "yaml", "p.yaml");
        "steps: { a: { run: \"echo <a> && b\" } }\n".clone_into(&mut own.text);
        "it's".clone_into(&mut own.description);
        assert_eq!(job(&write(&own)), own);
        let mut scm = empty("team/x", "jenkinsfile", "ci/Jenkinsfile");
        (scm.repo, scm.branch) = (Some("https://git.example/a.git".to_owned()), "dev".to_owned());
        scm.credential = Some("deploy-key".to_owned());
        assert_eq!(job(&write(&scm)), scm);
    }

    #[test]
    fn what_is_not_provided_is_refused_by_name() {
        for (text, part) in [
            ("<maven2-moduleset/>", "maven2-moduleset"),
            ("<flow-definition><definition class=\"a.B\"/></flow-definition>", "a.B"),
            (
                "<project><triggers><hudson.triggers.TimerTrigger><spec>61 * * * *</spec></hudson.triggers.TimerTrigger></triggers></project>",
                "61",
            ),
        ] {
            let error = read("x", text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(every("H/5 * * * *"), 5 * MINUTE_MS);
        assert_eq!((every("* * * * *"), every("@daily")), (MINUTE_MS, 60 * MINUTE_MS));
    }
}
