//! The picture of a build: nodes in layers, groups as boxes around them, edges with bends.
//!
//! Pure geometry, and deterministic: the same nodes give the same picture to the last digit, so a refresh never moves
//! what did not change. Groups are laid out from the inside out; an edge between groups is drawn between the boxes that
//! stand side by side in the smallest group holding both ends.

mod arrange;
mod fold;

use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(crate) use arrange::Point;
use arrange::{Graph, arrange};

/// Nodes drawn at most; a build with more is shown as its list, which says the same.
pub(crate) const NODES_MAX: usize = 300;
/// Room between the frame of a group and what stands in it, and for its title.
const GROUP_PADDING: f64 = 14.0;
const GROUP_TITLE: f64 = 26.0;
/// Room around the whole picture, so that focus rings and shadows are not cut.
const MARGIN: f64 = 6.0;

/// Which way time runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From left to right: for wide screens.
    Across,
    /// From top to bottom: for phones.
    Down,
}

/// What is to be drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Item {
    /// Positions of the items before it.
    pub(crate) needs: Vec<usize>,
    /// Position of the group it stands in.
    pub(crate) group: Option<usize>,
    /// It runs after everything else.
    pub(crate) last: bool,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Place {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// It is a frame around other items.
    pub(crate) frame: bool,
}

/// A drawn edge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// SVG path data.
    pub(crate) path: String,
}

/// The picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub(crate) places: Vec<Place>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Lays the items out; each single one takes `size` (width, height).
pub(crate) fn layout(items: &[Item], direction: Direction, size: (f64, f64)) -> Layout {
    let tree = Tree::of(items);
    let mut layout = Layout { places: vec![Place::default(); items.len()], ..Layout::default() };
    let (width, height) = tree.draw(None, items, direction, size, &mut layout);
    shift(&mut layout, &tree, None, MARGIN, MARGIN);
    layout.width = width + 2.0 * MARGIN;
    layout.height = height + 2.0 * MARGIN;
    layout.edges.sort_by_key(|edge| (edge.from, edge.to));
    layout
}

/// The same from left to right, in as many rows as a page of `width` needs; in one row where it cannot be cut.
pub(crate) fn layout_in_rows(items: &[Item], size: (f64, f64), width: f64) -> Layout {
    let layout = layout(items, Direction::Across, size);
    if layout.width <= width {
        return layout;
    }
    let tree = Tree::of(items);
    let top: Vec<_> = (0..items.len()).map(|at| tree.path(at).last().copied().unwrap_or(at)).collect();
    fold::fold(&layout, &top, width).unwrap_or(layout)
}

/// Groups as a tree; `None` is the whole.
struct Tree {
    parents: Vec<Option<usize>>,
    children: BTreeMap<Option<usize>, Vec<usize>>,
    /// Edges between siblings, under their parent.
    edges: BTreeMap<Option<usize>, Vec<(usize, usize)>>,
}

impl Tree {
    fn of(items: &[Item]) -> Self {
        let parents: Vec<_> = (0..items.len()).map(|at| parent(items, at)).collect();
        let mut children: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, parent) in parents.iter().enumerate() {
            children.entry(*parent).or_default().push(at);
        }
        let mut tree = Self { parents, children, edges: BTreeMap::new() };
        for (to, item) in items.iter().enumerate() {
            for from in item.needs.iter().copied().filter(|from| *from < items.len()) {
                tree.lift(from, to);
            }
        }
        tree
    }

    /// The path from an item up to the whole, itself first.
    fn path(&self, at: usize) -> Vec<usize> {
        let mut path = vec![at];
        while let Some(parent) = path.last().and_then(|at| self.parents[*at]) {
            path.push(parent);
        }
        path
    }

    fn lift(&mut self, from: usize, to: usize) {
        let (from, to) = (self.path(from), self.path(to));
        let shared = from.iter().rev().zip(to.iter().rev()).take_while(|(a, b)| a == b).count();
        // One inside the other: the frame says it already.
        if shared == from.len() || shared == to.len() {
            return;
        }
        let parent = (shared > 0).then(|| from[from.len() - shared]);
        let edge = (from[from.len() - shared - 1], to[to.len() - shared - 1]);
        let edges = self.edges.entry(parent).or_default();
        if !edges.contains(&edge) {
            edges.push(edge);
        }
    }

    /// Places all below `parent` relative to its inner corner; the size of it all.
    fn draw(
        &self,
        parent: Option<usize>,
        items: &[Item],
        direction: Direction,
        size: (f64, f64),
        layout: &mut Layout,
    ) -> Point {
        let Some(children) = self.children.get(&parent) else { return (0.0, 0.0) };
        let sizes: Vec<_> = children.iter().map(|child| self.size(*child, items, direction, size, layout)).collect();
        let across = direction == Direction::Across;
        let turn = |(x, y): Point| if across { (x, y) } else { (y, x) };
        let position = |item: usize| children.iter().position(|child| *child == item).unwrap_or(0);
        let edges = self.edges.get(&parent).map(Vec::as_slice).unwrap_or_default();
        let graph = Graph {
            sizes: sizes.iter().copied().map(turn).collect(),
            edges: edges.iter().map(|(from, to)| (position(*from), position(*to))).collect(),
            last: children.iter().map(|child| items[*child].last).collect(),
        };
        let arranged = arrange(&graph, if across { (44.0, 18.0) } else { (30.0, 14.0) });
        for ((child, at), (width, height)) in children.iter().zip(&arranged.corners).zip(&sizes) {
            let (x, y) = turn(*at);
            let frame = self.children.contains_key(&Some(*child));
            layout.places[*child] = Place { x, y, width: *width, height: *height, frame };
        }
        for (from, to, points) in arranged.routes {
            let points: Vec<_> = points.into_iter().map(turn).collect();
            layout.edges.push(Edge { from: children[from], to: children[to], path: path(&points, across) });
        }
        turn(arranged.extent)
    }

    fn size(
        &self,
        item: usize,
        items: &[Item],
        direction: Direction,
        size: (f64, f64),
        layout: &mut Layout,
    ) -> (f64, f64) {
        if !self.children.contains_key(&Some(item)) {
            return size;
        }
        let (width, height) = self.draw(Some(item), items, direction, size, layout);
        (width + 2.0 * GROUP_PADDING, height + GROUP_PADDING + GROUP_TITLE)
    }
}

/// The group of an item, unless the groups run in a circle.
fn parent(items: &[Item], at: usize) -> Option<usize> {
    let group = items[at].group.filter(|group| *group < items.len() && *group != at)?;
    let mut above = Some(group);
    for _ in 0..items.len() {
        match above {
            None => return Some(group),
            Some(up) if up == at => return None,
            Some(up) => above = items[up].group.filter(|next| *next < items.len()),
        }
    }
    None
}

/// From coordinates inside each group to those of the picture.
fn shift(layout: &mut Layout, tree: &Tree, parent: Option<usize>, x: f64, y: f64) {
    for edge in &mut layout.edges {
        if tree.parents[edge.from] == parent {
            edge.path = moved(&edge.path, x, y);
        }
    }
    for child in tree.children.get(&parent).into_iter().flatten() {
        let place = &mut layout.places[*child];
        place.x += x;
        place.y += y;
        let inner = (place.x + GROUP_PADDING, place.y + GROUP_TITLE);
        if place.frame {
            shift(layout, tree, Some(*child), inner.0, inner.1);
        }
    }
}

/// Path data moved; it holds absolute coordinates in pairs alone.
fn moved(path: &str, x: f64, y: f64) -> String {
    let mut text = String::with_capacity(path.len());
    let mut horizontal = true;
    for word in path.split(' ') {
        if !text.is_empty() {
            text.push(' ');
        }
        match word.parse::<f64>() {
            Ok(number) => {
                let by = if horizontal { x } else { y };
                let _ = write!(text, "{}", round(number + by));
                horizontal = !horizontal;
            }
            Err(_) => text.push_str(word),
        }
    }
    text
}

/// A smooth line through the points: straight inside a layer, a gentle S between layers.
fn path(points: &[Point], across: bool) -> String {
    let mut text = String::new();
    for (at, (x, y)) in points.iter().copied().enumerate() {
        let Some((px, py)) = at.checked_sub(1).map(|before| points[before]) else {
            let _ = write!(text, "M {} {}", round(x), round(y));
            continue;
        };
        let straight = if across { (py - y).abs() < 0.5 } else { (px - x).abs() < 0.5 };
        if straight {
            let _ = write!(text, " L {} {}", round(x), round(y));
            continue;
        }
        let (a, b) = if across {
            let middle = f64::midpoint(px, x);
            ((middle, py), (middle, y))
        } else {
            let middle = f64::midpoint(py, y);
            ((px, middle), (x, middle))
        };
        let _ =
            write!(text, " C {} {} {} {} {} {}", round(a.0), round(a.1), round(b.0), round(b.1), round(x), round(y));
    }
    text
}

/// One decimal is finer than a pixel.
pub(crate) fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(needs: &[usize]) -> Item {
        Item { needs: needs.to_vec(), ..Item::default() }
    }

    fn draw(items: &[Item], direction: Direction) -> Layout {
        layout(items, direction, (100.0, 40.0))
    }

    /// No two single items overlap, and every item stands inside the picture and inside its group.
    fn check(items: &[Item], layout: &Layout) {
        for (at, place) in layout.places.iter().enumerate() {
            assert!(place.x >= 0.0 && place.x + place.width <= layout.width, "{at}: {place:?}");
            assert!(place.y >= 0.0 && place.y + place.height <= layout.height, "{at}: {place:?}");
            if let Some(group) = parent(items, at) {
                let frame = layout.places[group];
                assert!(frame.frame && place.x >= frame.x && place.y >= frame.y + GROUP_TITLE - 0.1);
                assert!(
                    place.x + place.width <= frame.x + frame.width && place.y + place.height <= frame.y + frame.height
                );
            }
        }
        for a in 0..items.len() {
            for b in 0..a {
                let (p, q) = (layout.places[a], layout.places[b]);
                let apart = p.x + p.width <= q.x + 0.1
                    || q.x + q.width <= p.x + 0.1
                    || p.y + p.height <= q.y + 0.1
                    || q.y + q.height <= p.y + 0.1;
                assert!(apart || p.frame || q.frame, "{a} and {b} overlap: {p:?} {q:?}");
            }
        }
    }

    #[test]
    fn a_chain_is_a_straight_line() {
        let items = [item(&[]), item(&[0]), item(&[1])];
        let across = draw(&items, Direction::Across);
        check(&items, &across);
        assert!(across.places.iter().all(|place| place.y == across.places[0].y));
        assert_eq!(across.edges.iter().map(|edge| (edge.from, edge.to)).collect::<Vec<_>>(), [(0, 1), (1, 2)]);
        assert!(!across.edges[0].path.contains('C'), "{}", across.edges[0].path);
        let down = draw(&items, Direction::Down);
        check(&items, &down);
        assert!(down.places.iter().all(|place| place.x == down.places[0].x));
    }

    #[test]
    fn a_diamond_is_symmetric_and_an_edge_that_others_imply_is_not_drawn() {
        let items = [item(&[]), item(&[0]), item(&[0]), item(&[1, 2, 0])];
        let layout = draw(&items, Direction::Across);
        check(&items, &layout);
        let edges: Vec<_> = layout.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        assert_eq!(edges, [(0, 1), (0, 2), (1, 3), (2, 3)]);
        assert!((layout.places[0].y - layout.places[3].y).abs() < 0.1);
        let middle = f64::midpoint(layout.places[1].y, layout.places[2].y);
        assert!((layout.places[0].y - middle).abs() < 0.1);
    }

    #[test]
    fn groups_hold_their_nodes_and_edges_go_between_groups() {
        let mut items = vec![item(&[]), item(&[]), item(&[1, 0]), item(&[]), item(&[2])];
        items[1].group = Some(0);
        items[2].group = Some(0);
        items[4].group = Some(3);
        let layout = draw(&items, Direction::Across);
        check(&items, &layout);
        let edges: Vec<_> = layout.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        assert_eq!(edges, [(0, 3), (1, 2)]);
    }

    #[test]
    fn what_runs_last_stands_last() {
        let mut items = vec![item(&[]), item(&[]), item(&[1])];
        items[0].last = true;
        let layout = draw(&items, Direction::Across);
        assert!(layout.places[0].x > layout.places[2].x);
    }

    #[test]
    fn a_long_chain_goes_on_in_a_next_row_and_a_long_way_around_stays_whole() {
        let mut items: Vec<_> =
            (0..9).map(|at: usize| item(&at.checked_sub(1).map_or(vec![], |at| vec![at]))).collect();
        let folded = layout_in_rows(&items, (100.0, 40.0), 900.0);
        check(&items, &folded);
        assert!(folded.width <= 900.0, "{}", folded.width);
        let rows = |layout: &Layout| layout.places.iter().map(|place| place.y).collect::<Vec<_>>();
        assert_eq!(rows(&folded), [6.0, 6.0, 6.0, 6.0, 6.0, 92.0, 92.0, 92.0, 92.0]);
        assert_eq!(folded.edges.iter().filter(|edge| edge.path.contains('Q')).count(), 1);
        // The first node also leads past the cut to one beside the last: no clean place.
        items.push(item(&[0]));
        items[8].needs.push(9);
        for at in 1..4 {
            items.push(item(&[8 + at]));
        }
        items[8].needs = vec![7, 12];
        let whole = layout_in_rows(&items, (100.0, 40.0), 500.0);
        assert_eq!(whole.places, draw(&items, Direction::Across).places);
    }

    #[test]
    fn circles_in_needs_and_groups_do_no_harm() {
        let mut items = vec![item(&[1]), item(&[0]), item(&[2, 99]), item(&[]), item(&[])];
        items[3].group = Some(4);
        items[4].group = Some(3);
        let layout = draw(&items, Direction::Across);
        assert_eq!(layout.places.len(), 5);
        check(&items, &layout);
    }

    #[test]
    fn three_hundred_nodes_are_drawn_quickly_and_the_same_each_time() {
        let items: Vec<_> = (0..NODES_MAX)
            .map(|at| item(&if at < 30 { vec![] } else { vec![at - 30, (at * 7) % (at - 29), (at * 13) % (at - 29)] }))
            .collect();
        let first = draw(&items, Direction::Across);
        check(&items, &first);
        let again = draw(&items, Direction::Across);
        assert_eq!(first.places, again.places);
        assert_eq!(first.edges, again.edges);
    }
}
