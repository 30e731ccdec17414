//! The templates as a person gets them: rendered, whole, and the same as the pipelines that ship.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use haliotis_seed::{DEFAULT_DATA_URL, PLACEHOLDERS, render, templates};

fn values() -> BTreeMap<String, String> {
    let pairs = [
        ("bucket", "haliotis-abalone"),
        ("model_package_group", "abalone"),
        ("project_id", "local"),
        ("project_name", "abalone"),
        ("region", "us-east-1"),
        ("role_arn", "arn:aws:iam::000000000000:role/haliotis"),
    ];
    pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn rendered(template: &str, file: &str) -> String {
    let files = render(template, &values()).unwrap();
    let found = files.into_iter().find(|one| one.path == file).unwrap();
    String::from_utf8(found.content).unwrap()
}

#[test]
fn every_template_renders_the_same_each_time_and_leaves_no_placeholder() {
    for template in templates() {
        let files = render(template.name, &values()).unwrap();
        assert_eq!(files, render(template.name, &values()).unwrap());
        let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
        assert_eq!(paths, template.files);
        assert!(paths.iter().all(|path| !path.contains("__pycache__")), "{paths:?}");
        for file in files {
            let text = String::from_utf8(file.content).unwrap();
            assert!(!text.replace("${{", "").contains("{{"), "{}", file.path);
        }
    }
}

#[test]
fn the_templates_hold_what_a_repository_needs() {
    let names: Vec<_> = templates().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["abalone-model-build", "abalone-model-deploy"]);
    let has = |at: usize, path: &str| assert!(templates()[at].files.iter().any(|file| file == path), "{path}");
    for path in ["haliotis.yaml", "README.md", ".gitignore", "pipelines/abalone/preprocess.py"] {
        has(0, path);
    }
    for path in ["haliotis.yaml", "build.py", "endpoint-config-template.yml", "staging-config.json", "prod-config.json"]
    {
        has(1, path);
    }
}

#[test]
fn every_placeholder_is_used_and_every_value_arrives() {
    let mut values = values();
    values.insert("poll_every".into(), "7s".into());
    values.insert("branch".into(), "trunk".into());
    values.insert("data_url".into(), "s3://elsewhere/abalone.csv".into());
    let texts: String = templates()
        .iter()
        .flat_map(|one| render(one.name, &values).unwrap())
        .map(|file| String::from_utf8(file.content).unwrap())
        .collect();
    for placeholder in PLACEHOLDERS {
        assert!(texts.contains(&values[placeholder.name]), "{}", placeholder.name);
    }
    assert!(!texts.contains(DEFAULT_DATA_URL));
}

/// The part that both share: from the parameters on.
fn body(text: &str) -> &str {
    &text[text.find("\nparameters:").unwrap()..]
}

fn shipped(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_to_string(root.join("pipelines/abalone").join(name)).unwrap()
}

#[test]
fn the_shipped_build_is_the_template_with_other_paths() {
    let folder = "seed/abalone-model-build";
    let expected = body(&rendered("abalone-model-build", "haliotis.yaml"))
        .replace("-q pipelines\n", &format!("-q {folder}/pipelines\n"))
        .replace("      python3 -m unittest", &format!("      cd {folder}\n      python3 -m unittest"))
        .replace(" pipelines/abalone/", &format!(" {folder}/pipelines/abalone/"));
    assert_eq!(body(&shipped("build.yaml")), expected);
}

#[test]
fn the_shipped_deploy_is_the_template_with_other_paths() {
    let folder = "seed/abalone-model-deploy";
    let expected = body(&rendered("abalone-model-deploy", "haliotis.yaml"))
        .replace("python3 build.py", &format!("python3 {folder}/build.py"))
        .replace("--output-dir build", "--output-dir target/abalone-deploy")
        .replace(" build/", " target/abalone-deploy/")
        .replace("template: endpoint", &format!("template: {folder}/endpoint"));
    assert_eq!(body(&shipped("deploy.yaml")), expected);
}
