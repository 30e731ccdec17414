//! Every limit of the language, with its reason. A source beyond one is refused with its name and the limit.

/// Bytes of one file. 10,000 steps with anchored lists are about 1 MiB; the scanner keeps no more than this in memory.
pub const MAX_SOURCE_BYTES: usize = 4 << 20;
/// Nodes (keys, values, collections) written in one file: about 100 bytes each, so at most 25 MB before we refuse.
pub const MAX_NODES: usize = 250_000;
/// Nesting of collections. The walkers recurse; nobody writes 64 levels.
pub const MAX_DEPTH: usize = 64;
/// Uses of anchors (`*name`) in one file; each shares the one tree, so this bounds bookkeeping only.
pub const MAX_ALIASES: usize = 50_000;
/// Nodes as if every alias were written out (a list of plain values counts as one, so that 1,000 steps may share a list
/// of 1,000 needs). Ten lines of nested aliases would otherwise stand for 10^9 nodes.
pub const MAX_EXPANDED: u64 = 1_000_000;
/// Values that may be copied out of the tree into arguments, over a whole file.
pub const MAX_COPIED: usize = 200_000;
/// Steps of a file, cells of matrices and steps of called files included.
pub const MAX_STEPS: usize = 20_000;
/// Cells of one matrix; the same as GitHub's.
pub const MAX_CELLS: usize = 256;
/// Files calling files calling files.
pub const MAX_CALL_DEPTH: usize = 8;
/// Bytes of one expression; a longer one belongs into a script.
pub const MAX_EXPRESSION_BYTES: usize = 4096;
/// Brackets, calls and `?:` inside one another in one expression: the parser below recurses several frames for each.
pub const MAX_EXPRESSION_NESTING: usize = 24;
/// Depth of an expression's tree (`a + b + c` is two deep): its evaluation recurses.
pub const MAX_EXPRESSION_DEPTH: usize = 120;
/// Units of work of one evaluation: an element visited, a value made, 64 bytes of text. Some tens of milliseconds.
pub const MAX_EVALUATION: u64 = 200_000;
/// Problems shown for one file; after so many, the first ones are what to mend.
pub const MAX_PROBLEMS: usize = 200;
/// Edges of an outline. Two full layers of 1,000 have a million, which no page draws and every page would load; nodes
/// past this show only the first of their needs.
pub const MAX_OUTLINE_EDGES: usize = 50_000;
/// Further attempts of a step; beyond, the step should wait for what it needs instead.
pub const MAX_RETRIES: u32 = 100;
/// The longest duration, 366 days: longer waits are a mistake in the unit.
pub const MAX_DURATION_MS: u64 = 366 * 86_400_000;
/// The shortest time between two looks of a poll, 1 s: a Git host would block us.
pub const MIN_POLL_MS: u64 = 1000;
