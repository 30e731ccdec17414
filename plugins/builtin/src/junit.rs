//! `junit`: reads test reports, counts, and makes the build unstable when tests failed.
//!
//! Reports come from scripts, so they are hostile until shown otherwise: sizes and counts are capped, a document type
//! declaration (the way to entity bombs and to files outside) is refused.

use std::fs;

use async_trait::async_trait;
use haliotis_model::{
    ArgumentKind, ArgumentSchema, BuildResult, Delivery, Object, OutputSchema, Placement, StepOutput, StepSchema, Value,
};
use haliotis_plugin_api::{Started, StepContext, StepError, StepRunner};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use serde::Serialize;
use serde_json::json;

use crate::files::{self, Picked};

/// Most bytes of reports one step reads.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// Most test cases of one step; the summary is a page, not a database.
const MAX_CASES: usize = 200_000;
/// Longest message or stack trace kept per case, in characters.
const MAX_TEXT: usize = 4000;
/// Failed cases named in the log.
const MAX_LOGGED: usize = 20;

pub(crate) struct Junit;

#[async_trait]
impl StepRunner for Junit {
    fn schema(&self) -> StepSchema {
        use ArgumentKind::{Boolean, Strings};
        StepSchema {
            name: "junit",
            doc: "Reads JUnit XML reports; failed tests make the build unstable.",
            placement: Placement::Agent,
            delivery: Delivery::AtLeastOnce,
            arguments: vec![
                ArgumentSchema::required("files", Strings, "Globs of the reports, as of `archive`; at most 256 MiB."),
                ArgumentSchema::optional("allow-empty", Boolean, "No report at all is no failure.").or(false),
                ArgumentSchema::optional("fail", Boolean, "Failed tests fail the step instead.").or(false),
            ],
            outputs: vec![
                OutputSchema { name: "total", doc: "How many tests." },
                OutputSchema { name: "passed", doc: "How many passed." },
                OutputSchema { name: "failed", doc: "How many failed or broke off with an error." },
                OutputSchema { name: "skipped", doc: "How many were skipped." },
                OutputSchema { name: "seconds", doc: "Their time together." },
                OutputSchema { name: "summary", doc: "The artifact with every case, as JSON." },
            ],
            open_outputs: false,
            cloud: false,
            example: "files: [\"reports/**/*.xml\"]",
        }
    }

    async fn start(&self, _ctx: &StepContext) -> Result<Started, StepError> {
        Ok(Started::default())
    }

    async fn attach(&self, ctx: &StepContext, _handle: &Value) -> Result<StepOutput, StepError> {
        let ctx = ctx.clone();
        files::off_thread(move || read_reports(&ctx)).await
    }

    async fn cancel(&self, _ctx: &StepContext, _handle: &Value) -> Result<(), StepError> {
        Ok(())
    }
}

/// One test case.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Case {
    suite: String,
    class: String,
    name: String,
    /// `passed`, `failed` or `skipped`.
    status: &'static str,
    seconds: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    details: String,
}

fn read_reports(ctx: &StepContext) -> Result<StepOutput, StepError> {
    let patterns = ctx.texts("files");
    let picked = files::pick(&ctx.workspace, &patterns, &[])?;
    files::total_size(&picked, MAX_BYTES, "junit")?;
    if picked.is_empty() && !ctx.flag("allow-empty") {
        return Ok(StepOutput::failure(format!(
            "no report matches {}; did the tests run, and write reports?",
            patterns.join(", ")
        )));
    }
    let mut cases = Vec::new();
    for file in &picked {
        if let Err(problem) = read_report(file, &mut cases) {
            return Ok(StepOutput::failure(format!("{}: {problem}", file.relative)));
        }
    }
    summarise(ctx, &picked, &cases)
}

fn read_report(file: &Picked, cases: &mut Vec<Case>) -> Result<(), String> {
    let bytes = fs::read(&file.path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "the report is not UTF-8".to_owned())?;
    parse(&text, cases)
}

fn summarise(ctx: &StepContext, picked: &[Picked], cases: &[Case]) -> Result<StepOutput, StepError> {
    let count = |status: &str| cases.iter().filter(|case| case.status == status).count();
    let (passed, failed, skipped) = (count("passed"), count("failed"), count("skipped"));
    let seconds = cases.iter().map(|case| case.seconds).sum::<f64>();
    let folder = ctx.artifacts.join("junit");
    let name = format!("{}.json", ctx.slug());
    fs::create_dir_all(&folder).map_err(|error| files::cannot("make", &folder, &error))?;
    let summary = json!({
        "reports": picked.iter().map(|file| &file.relative).collect::<Vec<_>>(),
        "total": cases.len(), "passed": passed, "failed": failed, "skipped": skipped, "seconds": seconds,
        "cases": cases,
    });
    fs::write(folder.join(&name), summary.to_string()).map_err(|error| files::cannot("write", &folder, &error))?;
    if ctx.log.is_empty() {
        say(ctx, cases, &format!("{} tests: {passed} passed, {failed} failed, {skipped} skipped", cases.len()));
    }
    let mut output = StepOutput::success(Object::from_iter([
        ("total".to_owned(), cases.len().into()),
        ("passed".to_owned(), passed.into()),
        ("failed".to_owned(), failed.into()),
        ("skipped".to_owned(), skipped.into()),
        ("seconds".to_owned(), seconds.into()),
        ("summary".to_owned(), format!("junit/{name}").into()),
    ]));
    if failed > 0 {
        output.result = if ctx.flag("fail") { BuildResult::Failure } else { BuildResult::Unstable };
        output.message = Some(format!("{failed} of {} tests failed", cases.len()));
    }
    Ok(output)
}

fn say(ctx: &StepContext, cases: &[Case], total: &str) {
    ctx.log.line(total);
    let failed = cases.iter().filter(|case| case.status == "failed");
    for case in failed.take(MAX_LOGGED) {
        ctx.log.line(&format!("failed: {} {}: {}", case.class, case.name, case.message.lines().next().unwrap_or("")));
    }
}

/// Adds the cases of one report. Both `<testsuites>` and a lone `<testsuite>` may be the root.
fn parse(text: &str, cases: &mut Vec<Case>) -> Result<(), String> {
    let mut reader = quick_xml::Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut suites: Vec<String> = Vec::new();
    let mut open: Option<Case> = None;
    let mut inside_failure = false;
    let mut saw_suite = false;
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event().map_err(|error| format!("not XML at byte {at}: {error}"))?;
        match event {
            Event::Eof => break,
            Event::DocType(_) => return Err("it has a document type declaration, which is refused".to_owned()),
            Event::Start(tag) | Event::Empty(tag) if is(&tag, "testsuite") => {
                saw_suite = true;
                // An empty suite has no end event; the stack is only for names, so a stale one does no harm.
                suites.push(attribute(&tag, "name"));
            }
            Event::Start(tag) if is(&tag, "testcase") => open = Some(case(&tag, &suites)),
            Event::Empty(tag) if is(&tag, "testcase") => cases.push(case(&tag, &suites)),
            Event::Start(tag) => {
                inside_failure = outcome(&tag, open.as_mut());
            }
            Event::Empty(tag) => {
                outcome(&tag, open.as_mut());
            }
            Event::Text(text) if inside_failure => add_details(open.as_mut(), &text.xml10_content()),
            Event::CData(text) if inside_failure => add_details(open.as_mut(), &text.xml10_content()),
            Event::End(tag) => match tag.name().as_ref() {
                "testcase" => cases.extend(open.take()),
                "testsuite" => drop(suites.pop()),
                _ => inside_failure = false,
            },
            _ => {}
        }
        if cases.len() > MAX_CASES {
            return Err(format!("more than {MAX_CASES} test cases; split the reports over several junit steps"));
        }
    }
    if open.is_some() {
        return Err("it ends within a test case; was the test run killed?".to_owned());
    }
    if !saw_suite && !text.contains("<testsuites") {
        return Err("it has no <testsuite>: not a JUnit report".to_owned());
    }
    Ok(())
}

fn is(tag: &BytesStart<'_>, name: &str) -> bool {
    tag.name().as_ref() == name
}

fn case(tag: &BytesStart<'_>, suites: &[String]) -> Case {
    Case {
        suite: suites.last().cloned().unwrap_or_default(),
        class: attribute(tag, "classname"),
        name: attribute(tag, "name"),
        status: "passed",
        seconds: attribute(tag, "time").replace(',', "").parse().ok().filter(|s: &f64| s.is_finite()).unwrap_or(0.0),
        ..Case::default()
    }
}

/// Notes what a child of a test case says of it; true for a failure, whose text is kept.
fn outcome(tag: &BytesStart<'_>, case: Option<&mut Case>) -> bool {
    let Some(case) = case else { return false };
    match tag.name().as_ref() {
        "failure" | "error" => {
            case.status = "failed";
            case.message = cut(&attribute(tag, "message"));
            true
        }
        "skipped" => {
            case.status = "skipped";
            case.message = cut(&attribute(tag, "message"));
            false
        }
        _ => false,
    }
}

fn add_details(case: Option<&mut Case>, text: &str) {
    if let Some(case) = case {
        case.details = cut(&format!("{}{text}", case.details));
        if case.message.is_empty() {
            case.message = cut(text.trim().lines().next().unwrap_or(""));
        }
    }
}

/// An attribute's text; entities other than the five of XML leave it as written.
fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let Ok(Some(found)) = tag.try_get_attribute(name) else { return String::new() };
    found.normalized_value(XmlVersion::default()).map_or_else(|_| found.value.to_string(), |text| text.into_owned())
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench;

    const REPORT: &str = r#"<?xml version="1.0"?><testsuites><testsuite name="unit" tests="4">
        <testcase classname="a.B" name="ok" time="0.5"/>
        <testcase classname="a.B" name="bad" time="1,000.25"><failure message="1 &lt; 2">trace
line</failure><system-out>noise</system-out></testcase>
        <testcase classname="a.B" name="broken"><error><![CDATA[boom]]></error></testcase>
        <testcase classname="a.B" name="later"><skipped/></testcase>
        </testsuite></testsuites>"#;

    #[tokio::test]
    async fn counts_summary_and_unstable() {
        let case = bench::Case::new("junit", json!({"files": "r/*.xml"})).file("r/a.xml", REPORT);
        let output = case.run().await;
        assert_eq!((output.result, output.message.as_deref()), (BuildResult::Unstable, Some("2 of 4 tests failed")));
        for (name, count) in [("total", 4), ("passed", 1), ("failed", 2), ("skipped", 1)] {
            assert_eq!(output.outputs[name], count, "{name}");
        }
        assert_eq!(output.outputs["seconds"], 1000.75);
        let summary = fs::read(case.ctx.artifacts.join(output.outputs["summary"].as_str().unwrap())).unwrap();
        let summary: Value = serde_json::from_slice(&summary).unwrap();
        assert_eq!(summary["cases"][1]["message"], "1 < 2");
        assert_eq!(summary["cases"][1]["details"], "trace\nline");
        assert_eq!((&summary["cases"][2]["message"], &summary["cases"][2]["suite"]), (&json!("boom"), &json!("unit")));
        assert!(case.log().contains("failed: a.B bad: 1 < 2"), "{}", case.log());
    }

    #[tokio::test]
    async fn bad_reports_fail_with_their_name() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"b\">]><testsuite/>";
        for (text, part) in [
            (bomb, "document type"),
            ("<testsuite><testcase name='a'>", "killed"),
            ("<html/>", "not a JUnit report"),
            ("<testsuite", "not XML"),
        ] {
            let output = bench::Case::new("junit", json!({"files": "*.xml"})).file("a.xml", text).run().await;
            let message = output.message.unwrap();
            assert!(message.starts_with("a.xml: ") && message.contains(part), "{message}");
        }
        let output = bench::Case::new("junit", json!({"files": "*.xml"})).run().await;
        assert_eq!(output.result, BuildResult::Failure);
    }
}
