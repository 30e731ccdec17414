//! `docs/steps.md` says what the schemas say.

use std::path::PathBuf;

#[test]
fn the_page_of_steps_is_current() {
    let steps = haliotis_plugin_builtin::STEPS.iter().chain(haliotis_plugin_aws::STEPS);
    let schemas: Vec<_> = steps.map(|step| step.schema()).collect();
    let page = haliotis_plugin_builtin::markdown(&schemas);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/steps.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/steps.md is old: UPDATE_DOCS=1 cargo test -p haliotis-plugin-aws --test docs");
}
