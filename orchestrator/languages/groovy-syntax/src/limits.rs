//! Every limit of the parser, each with its reason.

/// How deep a tree may be: the longest path from a script to a leaf, counted in nodes. Whoever walks the tree by
/// recursion needs stack for this many levels. Generated scripts join several hundred strings with `+`, which is a path
/// of that length; nobody nests thousands.
pub const MAX_DEPTH: u32 = 3_000;

/// How deep brackets, blocks and operators may nest in the text. The parser recurses for each, and has to fit the 2 MiB
/// stack of a test's thread in an unoptimised build.
pub const MAX_NESTING: u32 = 256;

/// How long a script may be, in bytes. Positions are 32 bits; no script that a person wrote is near this.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// How many errors are reported for one text; what follows the hundredth helps nobody.
pub const MAX_ERRORS: usize = 100;
