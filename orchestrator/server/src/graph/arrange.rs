//! One level of the picture: layers by longest path, order by medians, positions by least squares.
//!
//! The usual four steps. Layers: each node one after the last of those it needs. Long edges get a bend in each layer they
//! pass. Order inside a layer: sweeps that sort by the middle of the neighbours, keeping the best seen. Positions: each
//! layer takes the places nearest to its neighbours' middles that keep the order and the gaps, found exactly.

/// Along the layers, across them; or x, y.
pub(crate) type Point = (f64, f64);

/// Sweeps over all layers while ordering and placing; more change nothing that an eye sees.
const SWEEPS: usize = 8;
/// Sweeps while placing: so many that a chain is straight to the eye.
const PLACING_SWEEPS: usize = 40;
/// The width a passing edge keeps free.
const BEND: f64 = 12.0;

/// What to arrange. The first axis runs along the layers.
pub(super) struct Graph {
    pub(super) sizes: Vec<Point>,
    pub(super) edges: Vec<(usize, usize)>,
    pub(super) last: Vec<bool>,
}

/// The result.
#[derive(Default)]
pub(super) struct Arranged {
    /// The corner of each node nearest to the origin.
    pub(super) corners: Vec<Point>,
    /// From, to, and the points between.
    pub(super) routes: Vec<(usize, usize, Vec<Point>)>,
    pub(super) extent: Point,
}

pub(super) fn arrange(graph: &Graph, (gap_along, gap_across): Point) -> Arranged {
    let ranks = ranks(graph);
    let edges = reduced(graph.sizes.len(), forward(&graph.edges, &ranks));
    let mut layers = Layers::new(graph, &ranks, &edges);
    layers.order();
    layers.place(gap_across);
    layers.finish(graph, &edges, gap_along)
}

/// Longest path; nodes on a circle come first, for there is no right place for them.
fn ranks(graph: &Graph) -> Vec<usize> {
    let count = graph.sizes.len();
    let mut ranks = vec![0; count];
    let mut missing = vec![0_usize; count];
    for (_, to) in &graph.edges {
        missing[*to] += 1;
    }
    let mut ready: Vec<_> = (0..count).filter(|node| missing[*node] == 0).collect();
    let mut next = 0;
    while let Some(node) = ready.get(next).copied() {
        next += 1;
        for (_, to) in graph.edges.iter().filter(|(from, _)| *from == node) {
            ranks[*to] = ranks[*to].max(ranks[node] + 1);
            missing[*to] -= 1;
            if missing[*to] == 0 {
                ready.push(*to);
            }
        }
    }
    let loose = |node: usize| graph.last[node] && !graph.edges.iter().any(|(from, to)| *from == node || *to == node);
    let rest = (0..count).filter(|node| !loose(*node)).map(|node| ranks[node] + 1).max().unwrap_or(0);
    for node in (0..count).filter(|node| loose(*node)) {
        ranks[node] = rest;
    }
    ranks
}

fn forward(edges: &[(usize, usize)], ranks: &[usize]) -> Vec<(usize, usize)> {
    edges.iter().copied().filter(|(from, to)| ranks[*from] < ranks[*to]).collect()
}

/// Without the edges that a longer way implies: the picture says the same with less ink.
fn reduced(count: usize, edges: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    let words = count.div_ceil(64);
    let mut reach = vec![vec![0_u64; words]; count];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (from, to) in &edges {
        after[*from].push(*to);
    }
    // Reached from each node by at least one step, filled from the ends backwards.
    for node in backwards(&after) {
        for next in after[node].clone() {
            let beyond = reach[next].clone();
            for (word, bits) in reach[node].iter_mut().zip(beyond) {
                *word |= bits;
            }
            reach[node][next / 64] |= 1 << (next % 64);
        }
    }
    let reaches = |from: usize, to: usize| reach[from][to / 64] >> (to % 64) & 1 == 1;
    let implied = |from: usize, to: usize| after[from].iter().any(|via| *via != to && reaches(*via, to));
    edges.iter().copied().filter(|(from, to)| !implied(*from, *to)).collect()
}

/// Nodes in an order in which each comes after all that follow it. The edges have no circles.
fn backwards(after: &[Vec<usize>]) -> Vec<usize> {
    let mut open = vec![0; after.len()];
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); after.len()];
    for (node, nexts) in after.iter().enumerate() {
        open[node] = nexts.len();
        for next in nexts {
            before[*next].push(node);
        }
    }
    let mut order: Vec<_> = (0..after.len()).filter(|node| open[*node] == 0).collect();
    let mut at = 0;
    while let Some(node) = order.get(at).copied() {
        at += 1;
        for earlier in &before[node] {
            open[*earlier] -= 1;
            if open[*earlier] == 0 {
                order.push(*earlier);
            }
        }
    }
    order
}

/// Nodes and bends in layers.
struct Layers {
    /// Vertices of each layer in order; the first `sizes.len()` vertices are nodes, the rest bends.
    layers: Vec<Vec<usize>>,
    layer: Vec<usize>,
    /// Room across, centre across.
    width: Vec<f64>,
    centre: Vec<f64>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    /// The vertices of each edge, ends included.
    chains: Vec<Vec<usize>>,
}

impl Layers {
    fn new(graph: &Graph, ranks: &[usize], edges: &[(usize, usize)]) -> Self {
        let count = graph.sizes.len();
        let mut layers = Self {
            layers: vec![Vec::new(); ranks.iter().max().map_or(0, |rank| rank + 1)],
            layer: ranks.to_vec(),
            width: graph.sizes.iter().map(|size| size.1).collect(),
            centre: vec![0.0; count],
            before: vec![Vec::new(); count],
            after: vec![Vec::new(); count],
            chains: Vec::new(),
        };
        for (node, rank) in ranks.iter().enumerate() {
            layers.layers[*rank].push(node);
        }
        for (from, to) in edges {
            layers.connect(*from, *to);
        }
        layers
    }

    fn connect(&mut self, from: usize, to: usize) {
        let mut chain = vec![from];
        for rank in self.layer[from] + 1..self.layer[to] {
            let bend = self.layer.len();
            self.layer.push(rank);
            self.layers[rank].push(bend);
            self.width.push(BEND);
            self.centre.push(0.0);
            self.before.push(Vec::new());
            self.after.push(Vec::new());
            chain.push(bend);
        }
        chain.push(to);
        for pair in chain.windows(2) {
            self.after[pair[0]].push(pair[1]);
            self.before[pair[1]].push(pair[0]);
        }
        self.chains.push(chain);
    }

    fn order(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            let ranks: Vec<_> =
                if down { (1..self.layers.len()).collect() } else { (0..self.layers.len()).rev().collect() };
            for rank in ranks {
                self.sort(rank, down);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn positions(&self) -> Vec<usize> {
        let mut positions = vec![0; self.layer.len()];
        for layer in &self.layers {
            for (at, vertex) in layer.iter().enumerate() {
                positions[*vertex] = at;
            }
        }
        positions
    }

    fn sort(&mut self, rank: usize, down: bool) {
        let positions = self.positions();
        let neighbours = if down { &self.before } else { &self.after };
        #[expect(clippy::cast_precision_loss, reason = "a picture has few nodes")]
        let middle = |vertex: &usize| {
            let near = &neighbours[*vertex];
            if near.is_empty() {
                return positions[*vertex] as f64;
            }
            near.iter().map(|other| positions[*other] as f64).sum::<f64>() / near.len() as f64
        };
        let mut layer = std::mem::take(&mut self.layers[rank]);
        layer.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
        self.layers[rank] = layer;
    }

    fn crossings(&self) -> usize {
        let positions = self.positions();
        let mut crossings = 0;
        for layer in &self.layers {
            let ends: Vec<_> = layer
                .iter()
                .flat_map(|from| self.after[*from].iter().map(|to| (positions[*from], positions[*to])))
                .collect();
            for (at, a) in ends.iter().enumerate() {
                crossings += ends[..at].iter().filter(|b| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1)).count();
            }
        }
        crossings
    }

    fn place(&mut self, gap: f64) {
        for layer in &self.layers {
            let mut at = 0.0;
            for vertex in layer {
                self.centre[*vertex] = at + self.width[*vertex] / 2.0;
                at += self.width[*vertex] + gap;
            }
            for vertex in layer {
                self.centre[*vertex] -= (at - gap) / 2.0;
            }
        }
        for sweep in 0..PLACING_SWEEPS {
            let ranks: Vec<_> =
                if sweep % 2 == 0 { (0..self.layers.len()).collect() } else { (0..self.layers.len()).rev().collect() };
            for rank in ranks {
                self.settle(rank, gap);
            }
        }
        let low = self.centre.iter().zip(&self.width).map(|(centre, width)| centre - width / 2.0);
        let low = low.fold(f64::INFINITY, f64::min);
        for centre in &mut self.centre {
            *centre -= low;
        }
    }

    /// Least squares under order and gaps: pool neighbours that want to pass each other.
    fn settle(&mut self, rank: usize, gap: f64) {
        let layer = &self.layers[rank];
        let mut offsets = vec![0.0; layer.len()];
        for at in 1..layer.len() {
            offsets[at] = offsets[at - 1] + (self.width[layer[at - 1]] + self.width[layer[at]]) / 2.0 + gap;
        }
        // Sum, count and first member of each pool.
        let mut pools: Vec<(f64, f64, usize)> = Vec::new();
        for (at, vertex) in layer.iter().enumerate() {
            let mut pool = (self.wish(*vertex) - offsets[at], 1.0, at);
            while let Some(before) = pools.last().copied().filter(|before| before.0 / before.1 > pool.0 / pool.1) {
                pools.pop();
                pool = (before.0 + pool.0, before.1 + pool.1, before.2);
            }
            pools.push(pool);
        }
        let layer = layer.clone();
        for (index, (sum, count, first)) in pools.iter().enumerate() {
            let end = pools.get(index + 1).map_or(layer.len(), |next| next.2);
            for at in *first..end {
                self.centre[layer[at]] = sum / count + offsets[at];
            }
        }
    }

    fn wish(&self, vertex: usize) -> f64 {
        let mut sum = 0.0;
        let mut count = 0.0;
        for near in self.before[vertex].iter().chain(&self.after[vertex]) {
            sum += self.centre[*near];
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { self.centre[vertex] }
    }

    fn finish(self, graph: &Graph, edges: &[(usize, usize)], gap: f64) -> Arranged {
        let count = graph.sizes.len();
        let mut starts = Vec::with_capacity(self.layers.len());
        let mut at = 0.0;
        for layer in &self.layers {
            let depth = layer.iter().filter(|vertex| **vertex < count).map(|node| graph.sizes[*node].0);
            let depth = depth.fold(0.0, f64::max);
            starts.push((at, depth));
            at += depth + gap;
        }
        let corner = |node: usize| (starts[self.layer[node]].0, self.centre[node] - self.width[node] / 2.0);
        let route = |chain: &Vec<usize>| {
            let mut points = Vec::new();
            for (place, vertex) in chain.iter().enumerate() {
                let (start, depth) = starts[self.layer[*vertex]];
                let own = graph.sizes.get(*vertex).map_or(depth, |size| size.0);
                if place > 0 {
                    points.push((start, self.centre[*vertex]));
                }
                if place + 1 < chain.len() {
                    points.push((start + own, self.centre[*vertex]));
                    // A node that is shallower than its layer: go straight to the layer's end first.
                    if own < depth {
                        points.push((start + depth, self.centre[*vertex]));
                    }
                }
            }
            points
        };
        let across =
            self.centre.iter().zip(&self.width).map(|(centre, width)| centre + width / 2.0).fold(0.0, f64::max);
        Arranged {
            corners: (0..count).map(corner).collect(),
            routes: edges.iter().zip(&self.chains).map(|((from, to), chain)| (*from, *to, route(chain))).collect(),
            extent: ((at - gap).max(0.0), across),
        }
    }
}
