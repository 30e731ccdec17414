//! The server's questions about Jenkinsfiles, answered by the language.

use haliotis_flow::Severity;
use haliotis_jenkinsfile::Problem;
use haliotis_server::JenkinsfileSyntax;
use serde_json::Value;

/// The language, as Jenkins' endpoints ask it.
pub struct Jenkinsfiles;

fn lines(problems: &[Problem]) -> Vec<String> {
    // A warning stops nothing; Jenkins shows none.
    problems.iter().filter(|problem| problem.severity == Severity::Error).map(Problem::jenkins_line).collect()
}

impl JenkinsfileSyntax for Jenkinsfiles {
    fn validate(&self, jenkinsfile: &str) -> Vec<String> {
        let problems = lines(&haliotis_jenkinsfile::validate(jenkinsfile));
        if problems.is_empty() && !haliotis_jenkinsfile::is_declarative(jenkinsfile) {
            return vec![format!("Jenkinsfile content '{}' did not contain the 'pipeline' step", jenkinsfile.trim())];
        }
        problems
    }

    fn to_json(&self, jenkinsfile: &str) -> Result<Value, Vec<String>> {
        haliotis_jenkinsfile::to_json(jenkinsfile).map_err(|problems| lines(&problems))
    }

    fn to_jenkinsfile(&self, model: &Value) -> Result<String, Vec<String>> {
        haliotis_jenkinsfile::to_jenkinsfile(model).map_err(|problem| vec![problem])
    }
}
