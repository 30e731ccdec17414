//! `haliotis demo --jenkins`: the same story by Jenkins' own files: Job DSL seed jobs, Jenkinsfiles, the approval as an
//! event that calls a job's URL.
//!
//! | phase | done when |
//! |---|---|
//! | 5 seed jobs | both seed jobs have succeeded, and the jobs that they generate are there; the trigger knows this address |
//! | 6 build 1 | polling has made it, it ended with success; its model package waits |
//! | 7 approve | the package is approved; the event has made a build of the deploy job with that package's ARN |
//! | 8, 9, 10 | as in [`demo`](super::demo) |
//!
//! The deploy job's first build is made by polling, before anything is approved, and fails: so do AWS' own files.
//!
//! Race: the event is lost if the server dies between the change in the registry and the event. Then the package is
//! approved and no build comes; told again, the story calls the job's address itself, as the function would have.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use haliotis_engine::BuildFilter;
use haliotis_model::{BuildId, BuildResult, BuildStatus, BuildSummary, Cause, Vars};
use haliotis_plugin_aws::registry;

use super::demo::{BRANCH, Cast, Story, phase};
use crate::app::seeding::{self, encoded, job_path};
use crate::client::Client;
use crate::commands::watch::WatchOptions;
use crate::failure::{Failure, Outcome};
use crate::show;

/// Who is who: the names that AWS' own files derive from project and id.
pub(super) const CAST: Cast = Cast {
    project: "haliotis",
    project_id: "demo",
    group: "haliotis-demo",
    build: "sagemaker-haliotis-demo-modelbuild",
    deploy: "sagemaker-haliotis-demo-modeldeploy",
    build_repo: "haliotis-demo-modelbuild",
    deploy_repo: "haliotis-demo-modeldeploy",
    by_jenkins: true,
};
/// Id of the stored keys of the local cloud, as a team stores its keys of AWS.
const CREDENTIAL: &str = "aws-of-the-demo";
/// Where the address is kept that the approval trigger calls.
const TRIGGER_FILE: &str = "jenkins-trigger";
/// The variable that names another home for the steps.
const HOME_VARIABLE: &str = "HALIOTIS_JENKINS_HOME";
/// An event that has not made its build by then was lost.
const EVENT_LIMIT: Duration = Duration::from_secs(30);
/// Between two looks for that build.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the steps of this story get beside the rest: a home of their own, so that `$HOME/.local` of the Jenkinsfiles is in
/// the data folder, and the person's cache of downloads all the same.
pub(super) fn vars(dir: &Path) -> Vars {
    let mut vars = Vars::new();
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    if std::env::var_os("PIP_CACHE_DIR").is_none() {
        vars.insert("PIP_CACHE_DIR".to_owned(), home.join(".cache/pip").display().to_string());
    }
    vars.insert("HOME".to_owned(), home_of_steps(dir).display().to_string());
    vars.insert("PIP_DISABLE_PIP_VERSION_CHECK".to_owned(), "1".to_owned());
    vars.insert("PIPELINE_POLL_SECONDS".to_owned(), "1".to_owned());
    vars
}

/// [`HOME_VARIABLE`], for who tells the story in several data folders and does not want to install the SDK in each.
fn home_of_steps(dir: &Path) -> PathBuf {
    let given = std::env::var_os(HOME_VARIABLE).filter(|given| !given.is_empty()).map(PathBuf::from);
    given.unwrap_or_else(|| dir.join("home"))
}

impl Story<'_> {
    /// From the seed jobs to the second build.
    pub(super) async fn tell_by_jenkins(&self) -> Outcome {
        phase(self.ctx, 5, "Seed jobs: Job DSL makes the jobs; polling finds the first commit");
        let client = Client::of_folder(&self.app.options.dir, &self.ctx.user)
            .ok_or_else(|| Failure::world("the demo's own server does not answer"))?;
        self.seed_jobs(&client).await?;
        let first = self.expect_build(CAST.build, 1).await?;
        phase(self.ctx, 6, "Build 1: install the package, run the SageMaker pipeline, register");
        self.follow(first).await?;
        self.first_deploy().await?;
        let arn = self.first_version().await?;
        phase(self.ctx, 7, "Approve the model; the event calls the deploy job");
        self.approve_model(&arn).await?;
        let deploy = self.deploy_by_event(&client, &arn).await?;
        self.deploy_and_change(deploy, self.change_by_jenkins()).await
    }

    async fn seed_jobs(&self, client: &Client) -> Outcome {
        std::fs::create_dir_all(home_of_steps(&self.app.options.dir))?;
        self.store_keys().await?;
        // The deploy job first: it must hear of the approval however soon that comes.
        for (repo, job) in [(CAST.deploy_repo, CAST.deploy), (CAST.build_repo, CAST.build)] {
            let seed = format!("seed-{repo}");
            let config = seed_config(&self.repo_url(repo), &self.app.cloud.role_arn, job == CAST.deploy);
            seeding::put_job(client, &seed, &config).await?;
            let known = job == CAST.build || self.trigger_known();
            self.run_seed_job(client, &seed, known).await?;
            if self.app.store.pipelines().await?.iter().all(|pipeline| pipeline.name != job) {
                return Err(Failure::failed(format!("{seed} has succeeded and made no job {job}; read its log")));
            }
            self.ctx.good(format!("{seed} has made {job}"));
        }
        std::fs::write(self.app.options.dir.join(TRIGGER_FILE), &self.url)?;
        Ok(())
    }

    /// The keys that the steps' processes have anyway, under the id of a stored credential.
    async fn store_keys(&self) -> Outcome {
        let Some((key, secret)) = &self.app.cloud.credentials else { return Ok(()) };
        let fields = [("access-key-id", key.as_str()), ("secret-access-key", secret.expose())];
        let credential = haliotis_engine::Credential {
            bounds: Default::default(),
            id: CREDENTIAL.to_owned(),
            kind: "aws".to_owned(),
            description: "Keys of the local cloud".to_owned(),
            fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        };
        Ok(self.app.store.put_credential(&credential).await?)
    }

    /// Whether the function of the trigger calls this very address.
    fn trigger_known(&self) -> bool {
        std::fs::read_to_string(self.app.options.dir.join(TRIGGER_FILE)).is_ok_and(|url| url == self.url)
    }

    /// Runs a seed job to success, unless it has succeeded and that is still good.
    async fn run_seed_job(&self, client: &Client, seed: &str, known: bool) -> Outcome {
        let newest = self.newest(seed).await?;
        let build = match newest {
            Some(build) if build.status != BuildStatus::Ended => build.id,
            Some(build) if known && build.result == Some(BuildResult::Success) => return Ok(()),
            newest => {
                let number = newest.map_or(1, |build| build.number + 1);
                let path = format!("{}buildWithParameters?AWS_CREDENTIAL={CREDENTIAL}", job_path(seed));
                client.send_text("POST", &path, None).await?;
                self.expect_build(seed, number).await?
            }
        };
        self.follow(build).await.map(drop)
    }

    async fn newest(&self, pipeline: &str) -> Result<Option<BuildSummary>, Failure> {
        let filter = BuildFilter { pipeline: Some(pipeline.to_owned()), limit: 1, ..BuildFilter::default() };
        Ok(self.app.store.builds(&filter).await?.into_iter().next())
    }

    /// The build that polling made of the deploy job when it was new: nothing was approved, so it fails, and that is told.
    async fn first_deploy(&self) -> Outcome {
        let build = self.expect_build(CAST.deploy, 1).await?;
        let view = self.watch(build, WatchOptions::default()).follow(self.ctx).await?;
        if view.result == Some(BuildResult::Failure) {
            self.ctx.say("  as expected: nothing was approved when polling started it, as with AWS' own files");
        }
        Ok(())
    }

    async fn first_version(&self) -> Result<String, Failure> {
        let packages = registry::list_model_packages(&self.app.cloud, CAST.group)
            .await
            .map_err(|error| Failure::world(error.to_string()))?;
        let first = packages.into_iter().min_by_key(|package| package.version);
        let none = || Failure::failed(format!("{} registered no model; read its log", CAST.build));
        Ok(first.ok_or_else(none)?.arn)
    }

    /// The build that the approval's event made.
    async fn deploy_by_event(&self, client: &Client, arn: &str) -> Result<BuildId, Failure> {
        let until = Instant::now() + EVENT_LIMIT;
        loop {
            if let Some(build) = self.deploy_of(arn).await? {
                self.ctx.good(format!("the event has started {}#{}", CAST.deploy, build.number));
                return Ok(build.id);
            }
            if Instant::now() > until {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.ctx.say("  the event was lost with the server; the same address is called once more");
        let path =
            format!("{}buildWithParameters?token=token&MODEL_PACKAGE_ARN={}", job_path(CAST.deploy), encoded(arn));
        client.send_text("GET", &path, None).await?;
        self.expect(&format!("the deploy of {}", show::model_name(arn)), || async {
            Ok(self.deploy_of(arn).await?.map(|build| build.id))
        })
        .await
    }

    async fn deploy_of(&self, arn: &str) -> Result<Option<BuildSummary>, Failure> {
        let filter = BuildFilter { pipeline: Some(CAST.deploy.to_owned()), limit: 50, ..BuildFilter::default() };
        let builds = self.app.store.builds(&filter).await?;
        let started = |build: &BuildSummary| {
            build.causes.iter().any(|cause| matches!(cause, Cause::Remote { .. }))
                && build.parameters.get("MODEL_PACKAGE_ARN").is_some_and(|of| of == arn)
        };
        // An event may come twice; the first build is the one that deploys.
        Ok(builds.into_iter().rfind(started))
    }

    /// Shallower trees, committed and pushed as a person would.
    async fn change_by_jenkins(&self) -> Outcome {
        let edit = |text: &str| Ok(text.replacen("max_depth=5,", "max_depth=4,", 1));
        self.push_change(CAST.build, CAST.build_repo, "pipelines/abalone/pipeline.py", edit).await
    }
}

/// The config.xml of a seed job, as a person clicks it together: checkout, one parameter, "Process Job DSLs"; and for the
/// deploy repository the script that makes the approval trigger.
fn seed_config(repo: &str, role: &str, with_trigger: bool) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut builders = "\
    <javaposse.jobdsl.plugin.ExecuteDslScripts>
      <targets>jenkins/seed_job.groovy</targets>
      <usingScriptText>false</usingScriptText>
      <sandbox>false</sandbox>
      <ignoreExisting>false</ignoreExisting>
      <ignoreMissingFiles>false</ignoreMissingFiles>
      <removedJobAction>IGNORE</removedJobAction>
      <removedViewAction>IGNORE</removedViewAction>
      <lookupStrategy>JENKINS_ROOT</lookupStrategy>
    </javaposse.jobdsl.plugin.ExecuteDslScripts>
"
    .to_owned();
    if with_trigger {
        let command = format!(
            "python3 jenkins/approval_trigger.py --group {} --jenkins-url \"$JENKINS_URL\" --role-arn {role}",
            CAST.group
        );
        let _ = write!(
            builders,
            "    <hudson.tasks.Shell>\n      <command>{}</command>\n    </hudson.tasks.Shell>\n",
            escape(&command)
        );
    }
    format!(
        "<?xml version='1.1' encoding='UTF-8'?>
<project>
  <description>Makes the job of this repository</description>
  <keepDependencies>false</keepDependencies>
  <properties>
    <hudson.model.ParametersDefinitionProperty>
      <parameterDefinitions>
        <com.cloudbees.plugins.credentials.CredentialsParameterDefinition>
          <name>AWS_CREDENTIAL</name>
          <description>Credentials for AWS</description>
          <defaultValue></defaultValue>
          <credentialType>com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl</credentialType>
          <required>true</required>
        </com.cloudbees.plugins.credentials.CredentialsParameterDefinition>
      </parameterDefinitions>
    </hudson.model.ParametersDefinitionProperty>
  </properties>
  <scm class=\"hudson.plugins.git.GitSCM\">
    <configVersion>2</configVersion>
    <userRemoteConfigs>
      <hudson.plugins.git.UserRemoteConfig>
        <url>{}</url>
      </hudson.plugins.git.UserRemoteConfig>
    </userRemoteConfigs>
    <branches>
      <hudson.plugins.git.BranchSpec>
        <name>*/{BRANCH}</name>
      </hudson.plugins.git.BranchSpec>
    </branches>
  </scm>
  <disabled>false</disabled>
  <triggers/>
  <concurrentBuild>false</concurrentBuild>
  <builders>
{builders}  </builders>
  <publishers/>
  <buildWrappers/>
</project>
",
        escape(repo)
    )
}
