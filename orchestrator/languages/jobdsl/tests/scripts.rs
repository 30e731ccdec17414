//! Scripts as seed jobs have them, and what they generate.

use std::rc::Rc;

use haliotis_jobdsl::{Failure, Generated, Item, ItemKind, Seed, SeedJob, run};

fn seed() -> Seed {
    let variables = [
        ("JOB_NAME", "seed"),
        ("GIT_URL", "https://git.example/team/model.git"),
        ("GIT_BRANCH", "origin/main"),
        ("AWS_CREDENTIAL", "aws-dev"),
    ];
    Seed {
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        job: SeedJob {
            name: "seed".to_owned(),
            url: Some("https://git.example/team/model.git".to_owned()),
            branch: Some("origin/main".to_owned()),
            credential: Some("git-token".to_owned()),
            root_url: None,
        },
        files: Rc::new(|path| match path {
            "ci/Jenkinsfile" => Ok("node { echo 'hi' }".to_owned()),
            _ => Err("there is no such file".to_owned()),
        }),
        now_ms: 1_800_000_000_000,
        random: 1,
    }
}

fn generated(text: &str) -> Generated {
    run(text, "seed_job.groovy", seed()).unwrap_or_else(|failures| panic!("{failures:?}"))
}

fn one(text: &str) -> Item {
    let mut generated = generated(text);
    assert_eq!(generated.items.len(), 1, "{:?}", generated.items);
    generated.items.remove(0)
}

fn failed(text: &str) -> Failure {
    match run(text, "seed_job.groovy", seed()) {
        Ok(generated) => panic!("it generated {:?}", generated.items),
        Err(mut failures) => failures.remove(0),
    }
}

/// A script of the shape that SageMaker's templates have.
const MODEL_DEPLOY: &str = r#"
import hudson.model.AbstractProject
import javaposse.jobdsl.dsl.DslException
import jenkins.model.Jenkins

def name = 'abalone'
def id = 'p-1'
def credential = getBinding().getVariables()['AWS_CREDENTIAL']
if (!credential) { throw new DslException('AWS_CREDENTIAL is missing') }
def jenkins = Jenkins.getInstance()
def project = (AbstractProject) jenkins.getItem(getBinding().getVariables()['JOB_NAME'])
def gitCredential = project.getScm().getUserRemoteConfigs()[0].getCredentialsId()
def gitUrl = getBinding().getVariables()['GIT_URL']
def gitBranch = getBinding().getVariables()['GIT_BRANCH']

pipelineJob("sagemaker-${name}-${id}-modeldeploy") {
    description("Deploys ${name}")
    keepDependencies(false)
    parameters {
        stringParam('AWS_REGION', 'eu-central-1', 'Where')
        credentialsParam('AWS_CREDENTIAL') {
            description('For AWS')
            defaultValue(credential)
            type('com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl')
            required(true)
        }
    }
    authenticationToken('token')
    properties { disableConcurrentBuilds() }
    definition {
        cpsScm {
            scm { git { remote { url(gitUrl); credentials(gitCredential) }; branch(gitBranch) } }
            scriptPath('jenkins/Jenkinsfile')
        }
    }
    disabled(false)
    triggers { scm('* * * * *') }
}
"#;

#[test]
fn the_seed_of_a_sagemaker_project() {
    let item = one(MODEL_DEPLOY);
    assert_eq!((item.name.as_str(), item.kind), ("sagemaker-abalone-p-1-modeldeploy", ItemKind::Pipeline));
    assert!(item.notes.is_empty(), "{:?}", item.notes);
    assert_eq!(
        item.config,
        "<?xml version='1.1' encoding='UTF-8'?>
<flow-definition>
  <actions/>
  <description>Deploys abalone</description>
  <keepDependencies>false</keepDependencies>
  <properties>
    <org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty>
      <abortPrevious>false</abortPrevious>
    </org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty>
    <hudson.model.ParametersDefinitionProperty>
      <parameterDefinitions>
        <hudson.model.StringParameterDefinition>
          <name>AWS_REGION</name>
          <description>Where</description>
          <defaultValue>eu-central-1</defaultValue>
          <trim>false</trim>
        </hudson.model.StringParameterDefinition>
        <com.cloudbees.plugins.credentials.CredentialsParameterDefinition>
          <name>AWS_CREDENTIAL</name>
          <description>For AWS</description>
          <defaultValue>aws-dev</defaultValue>
          <credentialType>com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl</credentialType>
          <required>true</required>
        </com.cloudbees.plugins.credentials.CredentialsParameterDefinition>
      </parameterDefinitions>
    </hudson.model.ParametersDefinitionProperty>
  </properties>
  <triggers>
    <hudson.triggers.SCMTrigger>
      <spec>* * * * *</spec>
      <ignorePostCommitHooks>false</ignorePostCommitHooks>
    </hudson.triggers.SCMTrigger>
  </triggers>
  <authToken>token</authToken>
  <definition class=\"org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition\">
    <scriptPath>jenkins/Jenkinsfile</scriptPath>
    <lightweight>false</lightweight>
    <scm class=\"hudson.plugins.git.GitSCM\">
      <configVersion>2</configVersion>
      <userRemoteConfigs>
        <hudson.plugins.git.UserRemoteConfig>
          <url>https://git.example/team/model.git</url>
          <credentialsId>git-token</credentialsId>
        </hudson.plugins.git.UserRemoteConfig>
      </userRemoteConfigs>
      <branches>
        <hudson.plugins.git.BranchSpec>
          <name>origin/main</name>
        </hudson.plugins.git.BranchSpec>
      </branches>
      <doGenerateSubmoduleConfigurations>false</doGenerateSubmoduleConfigurations>
      <gitTool>Default</gitTool>
      <extensions/>
    </scm>
  </definition>
  <disabled>false</disabled>
</flow-definition>
"
    );
    let summary = item.summary;
    assert_eq!(summary.token.as_deref(), Some("token"));
    assert!(!summary.concurrent && !summary.disabled);
    assert_eq!(summary.triggers, ["scm: * * * * *"]);
}

#[test]
fn a_missing_variable_is_a_dsl_exception_with_its_line() {
    let mut seed = seed();
    seed.variables.retain(|(name, _)| name != "AWS_CREDENTIAL");
    let failure = run(MODEL_DEPLOY, "seed_job.groovy", seed).unwrap_err().remove(0);
    assert_eq!(failure.message, "DslException: AWS_CREDENTIAL is missing");
    assert_eq!(failure.line, Some(9));
}

#[test]
fn loops_methods_and_variables() {
    let generated = generated(
        r#"
        @groovy.transform.Field def prefix = 'team'
        def repos = [api: 'main', web: 'dev']
        def url = { name -> "https://git.example/${name}.git" }
        def common(job) { job.with { logRotator { numToKeep(5) }; disabled() } }
        folder(prefix) { displayName('The team'); listView("$prefix/Mine") { jobs { name('api') } } }
        repos.each { name, ref ->
            def made = pipelineJob("$prefix/$name") {
                definition { cpsScm { scm { git(url(name), ref) }; lightweight(true) } }
            }
            common(made)
        }
        listView('All') { jobs { names('b', 'A'); regex(/team\/.*/) }; columns { status(); name(); buildButton() } }
        queue("$prefix/api")
        println "made ${repos.size()}"
        out.println('done')
        "#,
    );
    let names: Vec<&str> = generated.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["team", "team/Mine", "team/api", "team/web", "All"]);
    let api = generated.items.get(2).unwrap();
    assert!(api.summary.disabled, "{:?}", api.summary);
    assert_eq!(api.summary.script_path.as_deref(), Some("Jenkinsfile"));
    assert_eq!(api.summary.source.as_ref().unwrap().branches, ["*/main"]);
    assert!(api.config.contains("<numToKeep>5</numToKeep>") && api.config.contains("<daysToKeep>-1</daysToKeep>"));
    let view = &generated.items.last().unwrap().config;
    assert!(view.contains("<string>A</string>\n    <string>b</string>"), "{view}");
    assert!(
        view.contains("<includeRegex>team/.*</includeRegex>")
            || view.contains(r"<includeRegex>team\/.*</includeRegex>")
    );
    assert_eq!(generated.queued, ["team/api"]);
    assert_eq!(generated.output, "made 2\ndone\n");
}

#[test]
fn a_script_in_the_job_and_files_of_the_workspace() {
    let item =
        one("pipelineJob('x') { definition { cps { script(readFileFromWorkspace('ci/Jenkinsfile')); sandbox() } } }");
    assert_eq!(item.summary.script.as_deref(), Some("node { echo 'hi' }"));
    assert!(
        item.config.contains("<script>node { echo &apos;hi&apos; }</script>")
            && item.config.contains("<sandbox>true</sandbox>")
    );
    let failure = failed("pipelineJob('x') {\n definition { cps { script(readFileFromWorkspace('none')) } } }");
    assert!(failure.message.contains("cannot read none"), "{failure:?}");
}

#[test]
fn a_freestyle_seed_job() {
    let item = one(r#"
        freeStyleJob('seed') {
            label('linux')
            scm { git { remote { url('https://git.example/a.git'); credentials('key') }; branch('main')
                        extensions { cleanBeforeCheckout(); cloneOptions { shallow(true); depth(1) } } } }
            triggers { cron('H 3 * * *'); githubPush(); upstream('other', 'UNSTABLE') }
            steps { shell('make'); dsl { external('jenkins/seed_job.groovy'); removeAction('DELETE') } }
            publishers { archiveArtifacts('out/*'); archiveJunit('r/*.xml'); extendedEmail { recipientList('a') } }
            wrappers { timestamps() }
            configure { project -> project / custom << 'x' }
        }"#);
    assert_eq!(item.kind, ItemKind::Freestyle);
    for part in [
        "<assignedNode>linux</assignedNode>",
        "<command>make</command>",
        "<targets>jenkins/seed_job.groovy</targets>",
        "<removedJobAction>DELETE</removedJobAction>",
        "<hudson.plugins.git.extensions.impl.CleanBeforeCheckout/>",
        "<depth>1</depth>",
        "<artifacts>out/*</artifacts>",
        "<upstreamProjects>other</upstreamProjects>",
        "<name>*/main</name>",
    ] {
        assert!(item.config.contains(part), "{part} is not in {}", item.config);
    }
    assert_eq!(item.summary.triggers, ["cron: H 3 * * *", "githubPush", "upstream: other"]);
    assert_eq!(
        item.notes,
        [
            "freeStyleJob: `configure` is accepted and has no effect here",
            "publishers: `extendedEmail` is accepted and has no effect here"
        ]
    );
}

#[test]
fn parameters_of_all_kinds() {
    let item = one(r#"
        pipelineJob('p') {
            parameters {
                booleanParam('FLAG', true, 'yes or no')
                choiceParam('SIZE', ['s', 'm'], 'how big')
                textParam('NOTE')
                string { name('NEW'); defaultValue('v'); trim(true) }
                choice { name('OLD'); choices(['a', 'b']) }
                fileParam('in.txt', 'a file')
                password { name('PW'); defaultValue('hidden-word') }
                labelParam('NODE')
            }
            definition { cps { script('') } }
        }"#);
    let shown: Vec<String> = item
        .summary
        .parameters
        .iter()
        .map(|parameter| format!("{} {}={}", parameter.kind, parameter.name, parameter.default))
        .collect();
    assert_eq!(
        shown,
        [
            "Boolean FLAG=true",
            "Choice SIZE=s",
            "Text NOTE=",
            "String NEW=v",
            "Choice OLD=a",
            "File in.txt=",
            "Password PW="
        ]
    );
    assert_eq!(item.notes, ["parameters: `labelParam` is accepted and has no effect here"]);
    assert!(item.config.contains("<a class=\"string-array\">"));
}

#[test]
fn multibranch_and_organisations() {
    let generated = generated(
        r#"
        multibranchPipelineJob('m') {
            branchSources { git { id('1'); remote('https://git.example/m.git'); credentialsId('k'); includes('main release/*') } }
            factory { workflowBranchProjectFactory { scriptPath('ci/J') } }
            orphanedItemStrategy { discardOldItems { daysToKeep(7); numToKeep(20) } }
            triggers { periodicFolderTrigger { interval('1h') } }
        }
        organizationFolder('o') {
            organizations { github { repoOwner('acme'); credentialsId('g') } }
            triggers { periodic(30) }
        }"#,
    );
    let [multibranch, organization] = generated.items.as_slice() else { panic!("{:?}", generated.items) };
    for part in [
        "<remote>https://git.example/m.git</remote>",
        "<scriptPath>ci/J</scriptPath>",
        "<numToKeep>20</numToKeep>",
        "<interval>3600000</interval>",
        "<includes>main release/*</includes>",
    ] {
        assert!(multibranch.config.contains(part), "{part} is not in {}", multibranch.config);
    }
    assert_eq!(multibranch.summary.source.as_ref().unwrap().credential.as_deref(), Some("k"));
    assert!(
        organization.config.contains("<repoOwner>acme</repoOwner>")
            && organization.config.contains("<interval>1800000</interval>")
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let unknown = failed("pipelineJob('x') {\n  definition {\n    cpsSCM { }\n  }\n}");
    assert!(unknown.message.contains("No signature of method") && unknown.message.contains("cpsSCM"), "{unknown:?}");
    assert_eq!(unknown.line, Some(3));
    assert!(unknown.hint.as_deref().unwrap().contains("cps, cpsScm"), "{unknown:?}");
    assert!(failed("pipelineJob('x') { }").message.contains("needs a definition"));
    assert!(failed("mavenJob('x') { }").message.contains("mavenJob is not provided"));
    assert!(failed("pipelineJob('x') {\n").message.contains("expecting '}'"));
    assert!(failed("pipelineJob('') { }").message.contains("needs a name"));
    assert!(
        failed("new File('/etc/passwd').text").message.contains("Scripts not permitted"),
        "{:?}",
        failed("new File('/etc/passwd').text")
    );
    assert!(failed("while (true) { }").message.contains("too long"));
}

#[test]
fn lint_needs_no_run() {
    let problems = haliotis_jobdsl::lint("pipelineJob('x') {\n  steps { shell('x') }\n  println 'x'\n}", "seed.groovy");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].line, problems[0].column), (2, 3));
    assert_eq!(problems[0].message, "`pipelineJob` has no method `steps`");
    assert!(haliotis_jobdsl::lint(MODEL_DEPLOY, "seed.groovy").is_empty());
    assert!(!haliotis_jobdsl::lint("pipelineJob('x'", "seed.groovy").is_empty());
    let kind = haliotis_jobdsl::is_job_dsl;
    assert!(kind(MODEL_DEPLOY));
    assert!(!kind("pipeline { agent any; stages { stage('pipelineJob') { steps { echo 'x' } } } }"));
    assert!(!kind("node { sh 'x' }"));
    assert!(kind("pipelineJob('x'") && kind("job('x') { }") && !kind("def job = build(job: 'x')"));
}
