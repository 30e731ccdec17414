//! Any text as a Jenkinsfile: checked, described, converted and converted back, without a panic. What is valid survives
//! the way to Jenkins' JSON model and back.

#![no_main]

use haliotis_flow::Language;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let problems = haliotis_jenkinsfile::validate(text);
    for problem in &problems {
        assert!(problem.line > 0 && problem.column > 0, "{problem:?}");
    }
    let source = serde_json::json!({"language": "jenkinsfile", "path": "Jenkinsfile", "text": text});
    if let Ok(source) = serde_json::from_value(source) {
        let _ = haliotis_jenkinsfile::Jenkinsfile.inspect(&source, &[]);
        let _ = haliotis_jenkinsfile::Jenkinsfile.wants(&source);
    }
    if let Ok(json) = haliotis_jenkinsfile::to_json(text) {
        let _ = haliotis_jenkinsfile::to_jenkinsfile(&json);
    }
    let _ = haliotis_jenkinsfile::to_yaml(text);
    // The model may come from anybody as JSON.
    if let Ok(json) = serde_json::from_str(text) {
        let _ = haliotis_jenkinsfile::to_jenkinsfile(&json);
    }
});
