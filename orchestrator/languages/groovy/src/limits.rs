//! Every limit of the machine, each with its reason. A script meets them as an exception or as the end of its build,
//! never as the end of the process.

/// How many calls may be open at once; one more is a `StackOverflowError` that the script may catch. Java's default
/// stack holds some thousands of Groovy calls; data is cheaper than a stack, but a runaway recursion should end soon.
pub const MAX_CALLS: usize = 3_000;

/// How deep the machine may run within itself (a script's `toString` called by a library function, and so on). Each
/// level uses the host's stack, about 4 KiB in a release and 30 KiB in a debug build.
pub const MAX_NESTED_RUNS: u32 = 40;

/// How deep a container may nest where a library function walks it by recursion (`toString`, `equals`, `hashCode`).
pub const MAX_NESTED_VALUES: u32 = 400;

/// Instructions between two answers of the host. At 50 to 100 million a second an endless loop ends within seconds.
pub const FUEL: u64 = 400_000_000;

/// Instructions that one call counts as: a library function takes as long as some dozen instructions.
pub const FUEL_OF_CALL: u64 = 20;

/// Instructions that one exception counts as: its stack is written down.
pub const FUEL_OF_THROW: u64 = 100;

/// Bytes that the values of one build may take. A pipeline's script handles names and small JSON; a container that
/// grows beyond this is a mistake, and many builds share one process.
pub const MAX_BYTES: usize = 512 * 1024 * 1024;

/// Bytes announced between two weighings of what is really alive.
pub const WEIGH_EVERY: usize = 64 * 1024 * 1024;

/// Characters of one string, and elements of one list made by a single call.
pub const MAX_SINGLE: usize = 128 * 1024 * 1024;
