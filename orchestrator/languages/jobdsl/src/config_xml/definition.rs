//! `definition { cps { … } }` and `definition { cpsScm { … } }`.

use super::{Notes, git};
use crate::item::Summary;
use crate::node::{Node, inside};
use crate::xml::Element;

/// Where a Jenkinsfile stands unless the script says otherwise.
const DEFAULT_PATH: &str = "Jenkinsfile";

pub(super) fn definition(nodes: &[Node], summary: &mut Summary, notes: &mut Notes) -> Result<Element, String> {
    let of =
        |names: [&str; 2]| inside(nodes, "definition").filter(move |node| names.contains(&node.name.as_str())).last();
    match (of(["cps", "cpsFlowDefinition"]), of(["cpsScm", "cpsScmFlowDefinition"])) {
        (Some(_), Some(_)) => Err("a definition is cps or cpsScm, not both".to_owned()),
        (Some(cps), None) => Ok(script(cps, summary)),
        (None, Some(scm)) => from_scm(scm, summary, notes),
        (None, None) => {
            Err("a pipelineJob needs a definition: cps { script(..) } or cpsScm { scm { git { .. } } }".to_owned())
        }
    }
}

fn script(cps: &Node, summary: &mut Summary) -> Element {
    let script = cps.child("script").map(Node::value).unwrap_or_default();
    summary.script = Some(script.clone());
    Element::new("definition")
        .class("org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition")
        .leaf("script", script)
        .leaf("sandbox", cps.child("sandbox").is_some_and(Node::on))
}

fn from_scm(cps: &Node, summary: &mut Summary, notes: &mut Notes) -> Result<Element, String> {
    let path = cps.child("scriptPath").map(Node::value).filter(|path| !path.is_empty());
    let path = path.unwrap_or_else(|| DEFAULT_PATH.to_owned());
    let lightweight = cps.child("lightweight").is_some_and(Node::on);
    let blocks: Vec<Node> = cps.child("scm").map(|scm| scm.children.clone()).unwrap_or_default();
    let (source, scm) = git::scm(&blocks, notes)
        .ok_or("cpsScm needs scm { git { remote { url(..) } } }; other systems are not provided")?;
    if source.url.is_empty() {
        return Err("the git block has no url".to_owned());
    }
    summary.source = Some(source);
    summary.script_path = Some(path.clone());
    Ok(Element::new("definition")
        .class("org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition")
        .leaf("scriptPath", path)
        .leaf("lightweight", lightweight)
        .with(scm))
}
