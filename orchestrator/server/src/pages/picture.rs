//! From a build's nodes to its picture: which item stands where, and what is written in it.

use haliotis_engine::{BuildView, NodeState, NodeView};
use haliotis_flow::NodeKind;
use haliotis_model::Millis;

use super::fold::Folded;
use crate::graph::{Direction, Item, NODES_MAX, layout, layout_in_rows};
use crate::words;

/// Sizes of a single node, and the characters of its name that fit.
const ACROSS: ((f64, f64), usize) = ((190.0, 54.0), 16);
const DOWN: ((f64, f64), usize) = ((256.0, 54.0), 24);
/// A picture a little wider than a page is drawn smaller; a much wider one is scrolled.
const SHRINKS_UP_TO: f64 = 1_750.0;
const SHRINKS_FROM: f64 = 900.0;
/// A picture wider than this goes on in a next row, where it can be cut: what a page of 1280 pixels shows at once.
const ROW: f64 = 1_190.0;
/// The same where two nodes stand side by side on a phone.
const DOWN_NARROW: ((f64, f64), usize) = ((148.0, 54.0), 11);
/// A phone shows so much without scrolling, the page's edges and a little shrinking counted.
const PHONE: f64 = 400.0;
/// Beyond this the phone's picture is left out: the list below says the same and the page stays light.
const DOWN_NODES_MAX: usize = 60;

/// What the template draws.
pub(super) struct Picture {
    pub(super) id: &'static str,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) nodes: Vec<Drawn>,
    pub(super) frames: Vec<Drawn>,
    pub(super) edges: Vec<Line>,
    /// Drawn smaller rather than scrolled.
    pub(super) shrinks: bool,
}

/// A node or a frame.
pub(super) struct Drawn {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) state: &'static str,
    /// Cut to fit.
    pub(super) name: String,
    pub(super) detail: String,
    /// All of it, for those who listen or point.
    pub(super) label: String,
    /// The step; of a group, the page with it folded or unfolded.
    pub(super) url: String,
    pub(super) kind: &'static str,
    /// On the chain of steps that took the build's time.
    pub(super) critical: bool,
}

pub(super) struct Line {
    pub(super) path: String,
    /// What it leads from has ended.
    pub(super) passed: bool,
}

/// The picture; `None` when there is nothing to draw or too much. `critical`: the chain that took the build's time.
pub(super) fn picture(
    view: &BuildView,
    direction: Direction,
    folded: &Folded,
    critical: &[&NodeView],
) -> Option<Picture> {
    let down = direction == Direction::Down;
    let limit = if down { DOWN_NODES_MAX } else { NODES_MAX };
    let shown = folded.nodes(view);
    if shown.is_empty() || shown.len() > limit {
        return None;
    }
    let items = items(&shown);
    let (size, mut fits) = if down { DOWN } else { ACROSS };
    let mut layout = if down { layout(&items, direction, size) } else { layout_in_rows(&items, size, ROW) };
    if down && layout.width > PHONE {
        fits = DOWN_NARROW.1;
        layout = crate::graph::layout(&items, direction, DOWN_NARROW.0);
    }
    let shrinks = if down { layout.width < PHONE } else { layout.width > SHRINKS_FROM && layout.width < SHRINKS_UP_TO };
    let (mut nodes, mut frames) = (Vec::new(), Vec::new());
    for (node, place) in shown.iter().zip(&layout.places) {
        let state = state(view, node);
        let closed = folded.is_folded(&node.id);
        let inside = if closed { folded.inside(&node.id) } else { 0 };
        let drawn = Drawn {
            x: crate::graph::round(place.x),
            y: crate::graph::round(place.y),
            width: crate::graph::round(place.width),
            height: crate::graph::round(place.height),
            state: state.as_str(),
            name: cut(&node.name, if place.frame { fits * 2 } else { fits }),
            detail: if closed {
                cut(&format!("{inside} steps · {}", words::word(state).to_lowercase()), fits + 3)
            } else {
                short(detail(node, state), fits + 3)
            },
            label: match (closed, node.kind) {
                (true, _) => {
                    let word = words::word(state).to_lowercase();
                    format!("{}: {inside} steps · {word}. Folded; opens the group", node.name)
                }
                (false, NodeKind::Group) => format!("Fold {}", node.name),
                (false, _) => label(view, node, state),
            },
            url: if node.kind == NodeKind::Group {
                folded.url(view, &node.id)
            } else {
                words::step_url(view.id, &node.id)
            },
            kind: kind(node.kind),
            critical: critical.iter().any(|on| on.id == node.id),
        };
        if place.frame { frames.push(drawn) } else { nodes.push(drawn) }
    }
    // Outer frames first, so that inner ones lie on top.
    frames.sort_by(|a, b| (b.width * b.height).total_cmp(&(a.width * a.height)));
    let passed = |from: usize| shown.get(from).is_some_and(|node| state(view, node).ended());
    let edges = layout.edges.into_iter().map(|edge| Line { passed: passed(edge.from), path: edge.path });
    Some(Picture {
        id: if down { "down" } else { "across" },
        shrinks,
        width: layout.width.ceil(),
        height: layout.height.ceil(),
        nodes,
        frames,
        edges: edges.collect(),
    })
}

fn items(nodes: &[NodeView]) -> Vec<Item> {
    let position = |id: &haliotis_model::StepId| nodes.iter().position(|node| node.id == *id);
    let item = |node: &NodeView| Item {
        needs: node.needs.iter().filter_map(position).collect(),
        group: node.group.as_ref().and_then(position),
        last: node.kind == NodeKind::Post && node.needs.is_empty(),
    };
    nodes.iter().map(item).collect()
}

/// A node's state; a group that nothing was said of is what its nodes are.
pub(super) fn state(view: &BuildView, node: &NodeView) -> NodeState {
    let silent = node.started_at.is_none() && matches!(node.state, NodeState::Pending | NodeState::Skipped);
    if node.kind != NodeKind::Group || !silent {
        return node.state;
    }
    let inner: Vec<_> =
        view.nodes.iter().filter(|inner| inner.group.as_ref() == Some(&node.id)).map(|inner| inner.state).collect();
    let open = [NodeState::Waiting, NodeState::Running, NodeState::Queued];
    if let Some(state) = open.into_iter().find(|state| inner.contains(state)) {
        return state;
    }
    if inner.iter().any(|state| !state.ended()) {
        let begun = inner.iter().any(|state| state.ended());
        return if begun { NodeState::Running } else { NodeState::Pending };
    }
    let worst = [
        NodeState::Interrupted,
        NodeState::Failure,
        NodeState::Aborted,
        NodeState::Unstable,
        NodeState::Success,
        NodeState::Skipped,
    ];
    worst.into_iter().find(|state| inner.contains(state)).unwrap_or(node.state)
}

/// When a node began and ended; of a group that nothing was said of, what its nodes say.
pub(super) fn times(view: &BuildView, node: &NodeView) -> (Option<Millis>, Option<Millis>) {
    if node.kind != NodeKind::Group || node.started_at.is_some() {
        return (node.started_at, node.ended_at);
    }
    let inner = || view.nodes.iter().filter(|inner| inner.group.as_ref() == Some(&node.id));
    let started = inner().filter_map(|inner| inner.started_at).min();
    let ended = inner().all(|inner| inner.state.ended());
    (started, inner().filter_map(|inner| inner.ended_at).max().filter(|_| ended))
}

fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Step => "step",
        NodeKind::Input => "input",
        NodeKind::Post => "post",
        NodeKind::Group => "group",
    }
}

/// The second line: how long, or how it stands.
fn detail(node: &NodeView, state: NodeState) -> String {
    let time = match (node.started_at, node.ended_at) {
        (Some(from), Some(to)) if state != NodeState::Skipped => Some(words::duration(to.since(from))),
        _ => None,
    };
    let what = match node.kind {
        NodeKind::Input => "question",
        // The family is said by the list below; here the last part is what tells steps apart.
        _ => node.uses.rsplit('.').next().unwrap_or(""),
    };
    match (time, state) {
        (Some(time), NodeState::Success) if what.is_empty() => time,
        (Some(time), NodeState::Success) => format!("{time} · {what}"),
        (Some(time), _) => format!("{} · {time}", words::word(state)),
        (None, _) if what.is_empty() => words::word(state).to_owned(),
        (None, NodeState::Pending) => what.to_owned(),
        (None, _) => format!("{} · {what}", words::word(state)),
    }
}

/// Begins with what the picture shows, so that those who speak to their machine can say what they see.
fn label(view: &BuildView, node: &NodeView, state: NodeState) -> String {
    let shown = detail(node, state);
    let mut text = format!("{}: {shown}", node.name);
    if !shown.starts_with(words::word(state)) {
        text.push_str(&format!(", {}", words::word(state).to_lowercase()));
    }
    let why = words::why(node, view);
    if !why.is_empty() {
        text.push_str(&format!(". {why}"));
    }
    text
}

fn cut(text: &str, fits: usize) -> String {
    match text.char_indices().nth(fits) {
        Some(_) => text.chars().take(fits - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// Where the whole does not fit, what comes first is what matters.
fn short(detail: String, fits: usize) -> String {
    match detail.split_once(" · ") {
        Some((first, _)) if detail.chars().count() > fits => cut(first, fits),
        _ => cut(&detail, fits),
    }
}

/// The picture in a sentence.
pub(super) fn summary(view: &BuildView) -> String {
    const ORDER: [NodeState; 10] = [
        NodeState::Failure,
        NodeState::Interrupted,
        NodeState::Waiting,
        NodeState::Running,
        NodeState::Queued,
        NodeState::Aborted,
        NodeState::Unstable,
        NodeState::Success,
        NodeState::Pending,
        NodeState::Skipped,
    ];
    let steps: Vec<_> = view.nodes.iter().filter(|node| node.kind != NodeKind::Group).collect();
    let part = |state: NodeState| {
        let names: Vec<_> = steps.iter().filter(|node| node.state == state).map(|node| node.name.as_str()).collect();
        let named =
            matches!(state, NodeState::Failure | NodeState::Interrupted | NodeState::Waiting | NodeState::Running)
                && names.len() <= 3;
        match names.len() {
            0 => None,
            count if named => Some(format!("{count} {} ({})", words::word(state).to_lowercase(), names.join(", "))),
            count => Some(format!("{count} {}", words::word(state).to_lowercase())),
        }
    };
    let parts: Vec<_> = ORDER.into_iter().filter_map(part).collect();
    let noun = if steps.len() == 1 { "step" } else { "steps" };
    format!("{} {noun}: {}", steps.len(), parts.join(", "))
}
