//! How many Jenkinsfiles of about 100 lines are parsed in a second, on one core.

#![expect(clippy::print_stdout, reason = "an example prints")]
#![expect(clippy::disallowed_types, reason = "an example has a clock")]

use std::time::{Duration, Instant};

/// Ten lines with what Jenkinsfiles are made of; ten of them make the file.
const STAGE: &str = r#"        stage("Build $N") {
            when { branch 'main' }
            environment { TOKEN = "${params.TOKEN}-${env.BUILD_NUMBER}" }
            steps {
                sh label: 'make', script: '''set -e
make all'''
                script { def out = sh(returnStdout: true, script: "ls ${env.WORKSPACE}").trim(); if (out) { echo out } }
                archiveArtifacts artifacts: 'build/*.jar', allowEmptyArchive: true // keep
            }
        }
"#;

fn main() {
    let mut text = "pipeline {\n    agent any\n    stages {\n".to_owned();
    for _ in 0..10 {
        text.push_str(STAGE);
    }
    text.push_str("    }\n}\n");
    let lines = text.lines().count();
    let started = Instant::now();
    let mut files = 0_u32;
    let mut statements = 0;
    while started.elapsed() < Duration::from_secs(2) {
        for _ in 0..50 {
            statements +=
                haliotis_groovy_syntax::parse(&text, "Jenkinsfile").map_or(0, |script| script.body.stmts.len());
            files += 1;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{:.0} files of {lines} lines a second ({statements} statements)", f64::from(files) / seconds);
}
