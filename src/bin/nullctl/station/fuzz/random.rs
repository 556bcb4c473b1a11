//! A small generator of numbers: SplitMix64, by Steele, Lea and Flood. The same seed gives the same
//! numbers everywhere.

pub struct Random(u64);

impl Random {
    /// Returns the generator of a run.
    pub fn new(seed: u64, run: u64) -> Self {
        let mut random = Random(seed);
        // Seeds that are next to each other do not give the same numbers in other runs.
        random.0 = random.next() ^ run;
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below a limit, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True in one of so many cases.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// Returns an element of a list, which is not empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}
