//! A picture wider than a page goes on in a next row, as text does.
//!
//! Cut is only where all lines that pass lead from the last column before the cut to the first one after it, and begin or
//! end in one node: they run together through the gap between the rows and cross nothing. A picture without such places
//! stays as it is.

use std::fmt::Write as _;

use super::{Layout, MARGIN, Place, moved, round};

/// Between two rows: room for the line that leads from one to the next.
const ROW_GAP: f64 = 46.0;
/// Left and right of all rows, for the same line.
const SIDE: f64 = 22.0;
/// Radius of that line's corners.
const CORNER: f64 = 9.0;

/// The same picture in rows of at most `width`; `None` where it cannot be cut so. `top` tells for each
/// item the outermost one that it stands in, itself where it stands in no group.
pub(super) fn fold(layout: &Layout, top: &[usize], width: f64) -> Option<Layout> {
    let columns = columns(layout, top);
    let column_of = |item: usize| columns.iter().position(|column| column.items.contains(&top[item])).unwrap_or(0);
    let links: Vec<_> = layout.edges.iter().map(|edge| (column_of(edge.from), column_of(edge.to))).collect();
    let clean = |cut: usize| {
        let passing = layout.edges.iter().zip(&links).filter(|(_, (from, to))| *from < cut && *to >= cut);
        let passing: Vec<_> = passing.collect();
        let one_from = passing.iter().all(|(edge, _)| edge.from == passing[0].0.from);
        let one_to = passing.iter().all(|(edge, _)| edge.to == passing[0].0.to);
        (one_from || one_to) && passing.iter().all(|(_, (from, to))| *from + 1 == cut && *to == cut)
    };
    let rows = rows(&columns, width - 2.0 * (MARGIN + SIDE), clean)?;
    let row_of = |column: usize| rows.iter().position(|row| row.contains(&column)).unwrap_or(0);
    let (shifts, bottoms) = shifts(layout, top, &columns, &rows);
    let shift_of = |item: usize| shifts[row_of(column_of(item))];
    let mut folded = layout.clone();
    for (item, place) in folded.places.iter_mut().enumerate() {
        let (x, y) = shift_of(item);
        (place.x, place.y) = (place.x + x, place.y + y);
    }
    for (edge, (from, to)) in folded.edges.iter_mut().zip(&links) {
        let (x, y) = shift_of(edge.from);
        edge.path = if row_of(*from) == row_of(*to) {
            moved(&edge.path, x, y)
        } else {
            around(folded.places[edge.from], folded.places[edge.to], bottoms[row_of(*from)] + ROW_GAP / 2.0)
        };
    }
    let right = folded.places.iter().map(|place| place.x + place.width).fold(0.0, f64::max);
    (folded.width, folded.height) = (right + SIDE + MARGIN, bottoms.last()? + MARGIN);
    Some(folded)
}

/// Items that begin at the same place along the picture.
struct Column {
    left: f64,
    right: f64,
    items: Vec<usize>,
}

fn columns(layout: &Layout, top: &[usize]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for item in (0..top.len()).filter(|item| top[*item] == *item) {
        let Place { x, width, .. } = layout.places[item];
        match columns.iter_mut().find(|column| (column.left - x).abs() < 0.5) {
            Some(column) => {
                column.right = column.right.max(x + width);
                column.items.push(item);
            }
            None => columns.push(Column { left: x, right: x + width, items: vec![item] }),
        }
    }
    columns.sort_by(|a, b| a.left.total_cmp(&b.left));
    columns
}

/// Ranges of columns, about equally wide: as few rows as hold them, each cut where it is clean.
fn rows(columns: &[Column], width: f64, clean: impl Fn(usize) -> bool) -> Option<Vec<std::ops::Range<usize>>> {
    let span = |from: usize, to: usize| columns[to - 1].right - columns[from].left;
    let greedy = |width: f64| {
        let (mut rows, mut from) = (Vec::new(), 0);
        while from < columns.len() {
            let fits = |to: &usize| span(from, *to) <= width && (*to == columns.len() || clean(*to));
            let to = (from + 1..=columns.len()).rev().find(fits)?;
            rows.push(from..to);
            from = to;
        }
        Some(rows)
    };
    let most = greedy(width)?;
    // The same number of rows, but no lonely node in the last one.
    let narrower = (1..columns.len()).rev().filter_map(|to| greedy(span(0, to).min(width)));
    Some(narrower.take_while(|rows| rows.len() == most.len()).last().unwrap_or(most))
}

/// For each row how far it moves, and where it ends below.
fn shifts(
    layout: &Layout,
    top: &[usize],
    columns: &[Column],
    rows: &[std::ops::Range<usize>],
) -> (Vec<(f64, f64)>, Vec<f64>) {
    let (mut shifts, mut bottoms, mut at) = (Vec::new(), Vec::new(), MARGIN);
    for row in rows {
        let items = columns[row.clone()].iter().flat_map(|column| &column.items);
        let places: Vec<_> = items.map(|item| layout.places[top[*item]]).collect();
        let low = places.iter().map(|place| place.y).fold(f64::INFINITY, f64::min);
        let high = places.iter().map(|place| place.y + place.height).fold(0.0, f64::max);
        shifts.push((MARGIN + SIDE - columns[row.start].left, at - low));
        bottoms.push(at + high - low);
        at += high - low + ROW_GAP;
    }
    (shifts, bottoms)
}

/// From the end of one row to the start of the next: right, down, back through the gap, down, right.
fn around(from: Place, to: Place, middle: f64) -> String {
    let (x1, y1) = (from.x + from.width, from.y + from.height / 2.0);
    let (x2, y2) = (to.x, to.y + to.height / 2.0);
    let (right, left) = (x1 + SIDE - 4.0, x2 - SIDE + 4.0);
    let mut path = format!("M {} {}", round(x1), round(y1));
    let corners = [(right, y1), (right, middle), (left, middle), (left, y2), (x2, y2)];
    let mut at = (x1, y1);
    for pair in corners.windows(2) {
        let (corner, next) = (pair[0], pair[1]);
        let near = |other: (f64, f64)| {
            let (dx, dy) = (other.0 - corner.0, other.1 - corner.1);
            let part = (CORNER / dx.hypot(dy).max(CORNER)).min(0.5);
            (round(corner.0 + dx * part), round(corner.1 + dy * part))
        };
        let (into, out) = (near(at), near(next));
        let _ = write!(path, " L {} {} Q {} {} {} {}", into.0, into.1, round(corner.0), round(corner.1), out.0, out.1);
        at = corner;
    }
    let _ = write!(path, " L {} {}", round(x2), round(y2));
    path
}
