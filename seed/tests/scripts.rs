//! The Python of the templates, as a seeded repository has it: it compiles, and its own tests pass.
//!
//! The model's tests need scikit-learn and XGBoost and skip themselves without; `HALIOTIS_TEST_PYTHON` names a Python
//! that has them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use haliotis_seed::{render, templates};

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

fn write(template: &str, folder: &Path) {
    for file in render(template, &values()).unwrap() {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.content).unwrap();
    }
}

fn python(folder: &Path, args: &[&str]) -> String {
    let program = std::env::var("HALIOTIS_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    said
}

#[test]
fn the_scripts_compile_and_their_tests_pass() {
    for template in templates() {
        let folder = tempfile::tempdir().unwrap();
        write(template.name, folder.path());
        python(folder.path(), &["-m", "compileall", "-q", "."]);
        let said = python(folder.path(), &["-m", "unittest", "discover", "-t", ".", "-s", "tests"]);
        assert!(said.contains("OK"), "{}: {said}", template.name);
        assert!(!said.contains("Ran 0 tests"), "{}: {said}", template.name);
    }
}
