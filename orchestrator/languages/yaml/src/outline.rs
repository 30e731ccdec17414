//! The outline: what people see before anything ran.

use haliotis_flow::{NodeKind, Outline, OutlineNode};
use haliotis_model::{Placement, StepId};

use crate::doc::{Action, Doc, Step};
use crate::limits::MAX_OUTLINE_EDGES;
use crate::program::{implicit_checkout, label};

/// The nodes of a document, in the order of the file.
pub(crate) fn outline(doc: &Doc, has_source: bool) -> Outline {
    let mut sketch = Sketch { nodes: Vec::with_capacity(doc.steps.len() + 1), edges: 0 };
    let checkout = implicit_checkout(doc, has_source).then(|| StepId::new("/checkout"));
    if let Some(id) = &checkout {
        let mut node = blank(id.clone(), "checkout", NodeKind::Step);
        node.uses = "checkout".to_owned();
        node.slot = Some(label(doc.agent.as_deref()));
        sketch.nodes.push(node);
    }
    sketch.file(doc, "", None, doc.agent.as_deref(), checkout.as_ref());
    Outline { nodes: sketch.nodes }
}

struct Sketch {
    nodes: Vec<OutlineNode>,
    edges: usize,
}

impl Sketch {
    fn file(&mut self, doc: &Doc, prefix: &str, group: Option<&StepId>, agent: Option<&str>, first: Option<&StepId>) {
        let path = |step: &Step| StepId::new(format!("{prefix}/{}", step.id));
        for step in &doc.steps {
            let needs = self.needs(doc, step, &path, first);
            let mut node = blank(path(step), &step.name, NodeKind::Step);
            node.group = group.cloned();
            node.needs = needs;
            node.condition = step.condition.as_ref().map(|expr| expr.text.trim().to_owned());
            node.environment.clone_from(&step.environment);
            if step.after_all {
                node.kind = NodeKind::Post;
            }
            let agent = step.agent.as_deref().or(doc.agent.as_deref()).or(agent);
            self.step(step, node, agent);
        }
    }

    fn needs(&mut self, doc: &Doc, step: &Step, path: &dyn Fn(&Step) -> StepId, first: Option<&StepId>) -> Vec<StepId> {
        let Some(gate) = step.gate else {
            return if step.after_all { Vec::new() } else { first.cloned().into_iter().collect() };
        };
        let needs = &doc.gates[gate].needs;
        let shown = if self.edges + needs.len() > MAX_OUTLINE_EDGES { 1 } else { needs.len() };
        self.edges += shown;
        needs.iter().take(shown).map(|need| path(&doc.steps[*need])).collect()
    }

    /// The step itself, with the cells of a matrix and the steps of a called file inside.
    fn step(&mut self, step: &Step, mut node: OutlineNode, agent: Option<&str>) {
        match &step.action {
            Action::Use { kind, placement, .. } => {
                node.uses.clone_from(kind);
                node.slot = (*placement == Placement::Agent).then(|| label(agent));
            }
            Action::File { path, .. } => node.uses = format!("./{path}"),
            Action::Input(question) => {
                node.kind = NodeKind::Input;
                node.approvers.clone_from(&question.approvers);
            }
        }
        let Some(matrix) = &step.matrix else {
            self.single(step, node, agent);
            return;
        };
        let id = node.id.clone();
        let mut group = node.clone();
        group.kind = NodeKind::Group;
        group.slot = None;
        self.nodes.push(group);
        for cell in &matrix.cells {
            let mut cell_node = node.clone();
            cell_node.id = StepId::new(format!("{id}[{}]", cell.label));
            cell_node.name = format!("{} [{}]", step.name, cell.label);
            cell_node.needs = Vec::new();
            cell_node.group = Some(id.clone());
            self.single(step, cell_node, agent);
        }
    }

    fn single(&mut self, step: &Step, mut node: OutlineNode, agent: Option<&str>) {
        let id = node.id.clone();
        if let Action::File { doc: Some(doc), .. } = &step.action {
            node.kind = NodeKind::Group;
            self.nodes.push(node);
            self.file(doc, id.as_str(), Some(&id), agent, None);
        } else {
            self.nodes.push(node);
        }
    }
}

fn blank(id: StepId, name: &str, kind: NodeKind) -> OutlineNode {
    OutlineNode {
        id,
        name: name.to_owned(),
        kind,
        needs: Vec::new(),
        uses: String::new(),
        slot: None,
        condition: None,
        approvers: Vec::new(),
        environment: None,
        group: None,
    }
}
