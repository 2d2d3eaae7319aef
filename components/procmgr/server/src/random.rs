//! Randomness for AT_RANDOM, address layout and getrandom: chacha20, seeded by the run's seed and the counter.

use chacha20::rand_core::{Rng, SeedableRng};
use chacha20::ChaCha20Rng;

/// The generator.
pub struct Random(ChaCha20Rng);

impl Random {
    /// From a seed (any length) and a moment (ns).
    pub fn new(seed: &[u8], now: u64) -> Self {
        let mut key = [0u8; 32];
        for (i, byte) in seed.iter().enumerate() {
            key[i % 32] = key[i % 32].rotate_left(3) ^ byte;
        }
        for (i, byte) in now.to_le_bytes().into_iter().enumerate() {
            key[24 + i] ^= byte;
        }
        Random(ChaCha20Rng::from_seed(key))
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// A word.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }
}
