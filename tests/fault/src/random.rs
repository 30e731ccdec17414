//! Random choices that a seed repeats.

/// A stream of choices (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of one fault under a seed: faults tried alone choose as they do among others.
    pub fn new(seed: u64, name: &str) -> Self {
        Self(name.bytes().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |state, byte| state.rotate_left(7) ^ u64::from(byte)))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `most`; 0 if that is 0.
    pub fn below(&mut self, most: u64) -> u64 {
        if most == 0 { 0 } else { self.bits() % most }
    }

    /// A number from `from` to below `to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_names_differ() {
        let draw =
            |seed, name| (0..4).map(|_| 0).scan(Random::new(seed, name), |r, _| Some(r.bits())).collect::<Vec<_>>();
        assert_eq!(draw(7, "F1"), draw(7, "F1"));
        assert_ne!(draw(7, "F1"), draw(7, "F2"));
        assert_ne!(draw(7, "F1"), draw(8, "F1"));
        let mut random = Random::new(1, "x");
        assert!((0..1_000).all(|_| (5..9).contains(&random.between(5, 9))));
    }
}
