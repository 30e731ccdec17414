//! The variables of a step's processes, from the weakest to the strongest: what the server's own environment has that
//! any process needs, the configuration's, the build's parameters, what the agent tells of the build, the call's.
//!
//! The server's environment is an allow list: whatever else is in it (its own secrets, the keys of an operator's
//! session) is not a pipeline's business. A pipeline that needs more says so under `vars` or `credentials`.

use std::path::Path;

use haliotis_model::{BuildId, Call, NewBuild, Object, Vars};

/// Taken from the server's environment.
const INHERITED: [&str; 26] = [
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "PIP_CACHE_DIR",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "REQUESTS_CA_BUNDLE",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];
/// Where programs are looked up if the server itself has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What every process of this agent gets: the inherited part, and the configuration over it.
pub(crate) fn base(configured: &Vars) -> Vars {
    let mut vars = Vars::new();
    vars.insert("PATH".to_owned(), DEFAULT_PATH.to_owned());
    vars.extend(INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))));
    vars.insert("CI".to_owned(), "true".to_owned());
    vars.insert("HALIOTIS".to_owned(), "true".to_owned());
    vars.extend(configured.clone());
    vars
}

/// What is known of one build, over the base.
pub(crate) fn of_build(base: &Vars, id: BuildId, build: &NewBuild, base_url: &str, workspace: &Path) -> Vars {
    let mut vars = base.clone();
    // A parameter shadows nothing: it comes from whoever started the build.
    for (name, value) in parameters(&build.parameters) {
        vars.entry(name).or_insert(value);
    }
    let mut set = |name: &str, value: String| vars.insert(name.to_owned(), value);
    let short = build.pipeline.rsplit('/').next().unwrap_or_default();
    set("BUILD_ID", build.number.to_string());
    set("BUILD_NUMBER", build.number.to_string());
    set("BUILD_TAG", format!("haliotis-{}-{}", build.pipeline.replace('/', "-"), build.number));
    set("JOB_BASE_NAME", short.to_owned());
    set("JOB_NAME", build.pipeline.clone());
    set("WORKSPACE", workspace.display().to_string());
    set("HALIOTIS_BUILD", id.to_string());
    set("HALIOTIS_BUILD_NUMBER", build.number.to_string());
    set("HALIOTIS_CLOUD", build.cloud.clone());
    set("HALIOTIS_PIPELINE", build.pipeline.clone());
    if !base_url.is_empty() {
        let base_url = base_url.trim_end_matches('/');
        set("BUILD_URL", format!("{base_url}/builds/{id}"));
        set("HALIOTIS_URL", base_url.to_owned());
        set("JENKINS_URL", format!("{base_url}/"));
    }
    if let Some(commit) = &build.source.commit {
        set("GIT_COMMIT", commit.clone());
    }
    if let Some(branch) = &build.source.branch {
        set("GIT_BRANCH", branch.clone());
        set("BRANCH_NAME", branch.clone());
    }
    for (name, value) in build.head_vars() {
        set(name, value);
    }
    vars
}

/// The variables of one call, over those of its build.
pub(crate) fn of_call(mut vars: Vars, call: &Call) -> Vars {
    vars.insert("HALIOTIS_STEP".to_owned(), call.id.to_string());
    vars.insert("HALIOTIS_ATTEMPT".to_owned(), call.attempt.to_string());
    vars.insert("STAGE_NAME".to_owned(), call.id.name().to_owned());
    vars.extend(call.vars.clone());
    vars
}

/// Parameters that can be variables: a name a shell takes, a value that is no list and no map.
fn parameters(parameters: &Object) -> impl Iterator<Item = (String, String)> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    parameters.iter().filter(move |(name, _)| is_name(name)).filter_map(|(name, value)| {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(yes) => yes.to_string(),
            serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => return None,
        };
        // The system takes no zero byte in a variable.
        (!text.contains('\0')).then(|| (name.clone(), text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use haliotis_model::StepId;
    use serde_json::json;

    #[test]
    fn the_stronger_wins_and_parameters_shadow_nothing() {
        let configured: Vars =
            [("PATH".to_owned(), "/venv/bin".to_owned()), ("A".to_owned(), "agent".to_owned())].into();
        let base = base(&configured);
        assert_eq!(base["PATH"], "/venv/bin");
        let mut build = crate::agent::tests::build();
        build.parameters =
            json!({"A": "p", "PATH": "/evil", "WORKSPACE": "/", "B": 1.5, "C": true, "D": [], "e-f": "x"})
                .as_object()
                .unwrap()
                .clone();
        build.source.branch = Some("main".to_owned());
        let vars = of_build(&base, BuildId(9), &build, "http://127.0.0.1:8080/", Path::new("/w"));
        let mut call = Call::new(StepId::new("/test/unit"), "sh");
        call.vars.insert("C".to_owned(), "call".to_owned());
        let vars = of_call(vars, &call);
        for (name, value) in [
            ("A", "agent"),
            ("B", "1.5"),
            ("BRANCH_NAME", "main"),
            ("BUILD_NUMBER", "3"),
            ("BUILD_URL", "http://127.0.0.1:8080/builds/9"),
            ("C", "call"),
            ("CI", "true"),
            ("GIT_BRANCH", "main"),
            ("HALIOTIS_STEP", "/test/unit"),
            ("JOB_NAME", "team/demo"),
            ("JOB_BASE_NAME", "demo"),
            ("PATH", "/venv/bin"),
            ("WORKSPACE", "/w"),
        ] {
            assert_eq!(vars.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!vars.contains_key("D") && !vars.contains_key("e-f") && !vars.contains_key("GIT_COMMIT"));
        assert!(!vars.contains_key("CARGO_MANIFEST_DIR"), "nothing else of the server's environment");
    }
}
